/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of lists and recipient files; see entries.h. An entry that is already
 * in the form we compare by stays where it is in the file; only others are
 * copied. Most lines repeat the domain of the line before, so that is looked at
 * once.
 */
#include "config/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/grammar.h"

#define MAX_FILE_BYTES (256u << 20)
/* RFC 5321 4.5.3.1.1 and 4.5.3.1.2, with the @ between. */
#define MAX_ENTRY_BYTES (ADDRESS_LOCAL_MAX_BYTES + 1 + DOMAIN_MAX_BYTES)

/* A file that is being read. */
struct line_reader {
    const struct settings_reader *reader;
    struct slice last_domain; /* as written in a line before; its one form is the same */
};

typedef void (*take_line_fn)(struct line_reader *lines, struct slice entry, struct position at,
                             void *target);

/* Without blanks at its ends and without a comment. */
static struct slice strip_line(struct slice line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] == '#' && (i == 0 || ascii_is_blank(line.data[i - 1]))) {
            line = slice_until(line, i);
            break;
        }
    }
    return slice_trim(line);
}

static void read_lines(const struct settings_reader *reader, const char *path,
                       struct position asked_at, take_line_fn take, void *target)
{
    struct line_reader lines = { .reader = reader };
    struct position at = { .path = sources_keep_path(reader->sources, path), .line = 1 };
    struct slice rest;
    struct slice line;
    struct text problem;

    text_init(&problem, 200);
    if (!sources_get_file(reader->sources, path, &rest, &problem)) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.file", asked_at,
                        "cannot read \"%s\": %s", path, text_string(&problem));
    } else if (rest.length > MAX_FILE_BYTES) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.file", asked_at,
                        "\"%s\" is larger than 256 MiB", path);
    } else {
        rest = utf8_skip_mark(rest);
        for (; slice_next(&rest, '\n', &line); at.line++) {
            struct slice entry = strip_line(line);

            at.column = entry.length > 0 ? (unsigned int)(entry.data - line.data) + 1 : 1;
            if (entry.length > 0)
                take(&lines, entry, at, target);
        }
    }
    text_clear(&problem);
}

/*
 * `entry` with its domain, which begins at `domain_start`, in the one form: the
 * entry itself where it has that form, or a kept copy. Empty when it is no domain.
 */
static struct slice normalise_entry(struct line_reader *lines, struct slice entry,
                                    size_t domain_start)
{
    struct slice domain = slice_from_offset(entry, domain_start);
    struct text normal;
    struct slice result = SLICE_EMPTY;

    if (domain.length > 0 && slice_equals(domain, lines->last_domain))
        return entry;
    text_init(&normal, MAX_ENTRY_BYTES);
    text_add(&normal, slice_until(entry, domain_start));
    if (domain_normalise(domain, &normal) == DOMAIN_OK && !normal.is_cut) {
        if (slice_equals(text_slice(&normal), entry)) {
            lines->last_domain = domain;
            result = entry;
        } else {
            result = slice_from(sources_keep_path(lines->reader->sources, text_string(&normal)));
        }
    }
    text_clear(&normal);
    return result;
}

static bool is_local_part(struct slice local)
{
    if (local.length == 0 || local.length > ADDRESS_LOCAL_MAX_BYTES)
        return false;
    for (size_t i = 0; i < local.length; i++)
        if ((unsigned char)local.data[i] < ' ' || local.data[i] == '\x7f')
            return false;
    return true;
}

/* An address in the form that envelopes have, or empty. */
static struct slice normalise_address(struct line_reader *lines, struct slice entry, size_t at_sign)
{
    struct slice local = slice_until(entry, at_sign);

    if (!is_local_part(local))
        return SLICE_EMPTY;
    if (local.data[0] == '"') {
        struct text address;

        if (local.length < 2 || local.data[local.length - 1] != '"')
            return SLICE_EMPTY;
        text_init(&address, MAX_ENTRY_BYTES);
        grammar_add_local(&address, local);
        local.length = address.length;
        text_add(&address, slice_from_offset(entry, at_sign));
        entry = slice_from(sources_keep_path(lines->reader->sources, text_string(&address)));
        text_clear(&address);
    }
    return normalise_entry(lines, entry, local.length + 1);
}

/* ---- Lists ---- */

static void add_network(struct config_list *list, const struct ip_prefix *network)
{
    /* Room is made for 4, 8, 16 ...: whenever the count is such a number, it is used up. */
    size_t count = list->network_count;

    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0))
        list->networks = mem_resize(list->networks, count == 0 ? 4 : count * 2,
                                    sizeof *list->networks);
    list->networks[list->network_count++] = *network;
}

static void take_list_entry(struct line_reader *lines, struct slice entry, struct position at,
                            void *target)
{
    struct config_list *list = target;
    struct ip_prefix network;
    struct slice name;
    size_t at_sign;

    if (ip_prefix_parse(entry, &network)) {
        add_network(list, &network);
        return;
    }
    if (slice_find_last_byte(entry, '@', &at_sign))
        name = normalise_address(lines, entry, at_sign);
    else
        name = normalise_entry(lines, entry, entry.data[0] == '.' ? 1 : 0);
    if (name.length > 0)
        name_set_add(&list->entries, name);
    else
        diagnostics_add(lines->reader->diagnostics, SEVERITY_ERROR, "list.entry", at,
                        slice_has_prefix(entry, SLICE("*."))
                            ? "\"%.*s\" is no domain; for all names below one write it with a "
                              "leading dot and no star"
                            : "\"%.*s\" is no domain, .domain, address or network",
                        SLICE_ARGS(entry));
}

void entries_add_to_list(const struct settings_reader *reader, struct config_list *list,
                         struct slice entry, struct position at)
{
    struct line_reader lines = { .reader = reader };

    take_list_entry(&lines, entry, at, list);
}

void entries_read_list(const struct settings_reader *reader, struct config_list *list,
                       const char *path, struct position asked_at)
{
    read_lines(reader, path, asked_at, take_list_entry, list);
}

/* By family, then by address, then the wider one first. */
static int compare_networks(const void *left, const void *right)
{
    const struct ip_prefix *a = left;
    const struct ip_prefix *b = right;
    int order = (int)ip_prefix_is_v4(a) - (int)ip_prefix_is_v4(b);

    if (order == 0)
        order = memcmp(a->address.bytes, b->address.bytes, sizeof a->address.bytes);
    return order != 0 ? order : (int)a->length - (int)b->length;
}

void entries_finish_list(struct config_list *list)
{
    size_t kept = 0;

    if (list->network_count == 0)
        return;
    qsort(list->networks, list->network_count, sizeof *list->networks, compare_networks);
    for (size_t i = 1; i < list->network_count; i++)
        if (!ip_prefix_contains(&list->networks[kept], &list->networks[i].address))
            list->networks[++kept] = list->networks[i];
    list->network_count = kept + 1;
}

/* Both sorted alike, so the last network that does not begin behind the address is the one. */
bool config_list_has_ip(const struct config_list *list, const struct ip_address *address)
{
    struct ip_prefix wanted = { .address = *address, .length = 128 };
    size_t low = 0;
    size_t high = list->network_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_networks(&list->networks[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && ip_prefix_contains(&list->networks[low - 1], address);
}

bool config_list_has_name(const struct config_list *list, struct slice name)
{
    size_t position;

    if (name.length == 0)
        return false;
    if (name_set_has(&list->entries, name))
        return true;
    if (slice_find_last_byte(name, '@', &position)) {
        name = slice_from_offset(name, position + 1);
        if (name_set_has(&list->entries, name))
            return true;
    }
    while (slice_find_byte(name, '.', &position)) {
        if (position > 0 && name_set_has(&list->entries, slice_from_offset(name, position)))
            return true;
        name = slice_from_offset(name, position + 1);
    }
    return false;
}

/* ---- Recipients ---- */

static void take_recipient(struct line_reader *lines, struct slice entry, struct position at,
                           void *target)
{
    struct slice name = SLICE_EMPTY;
    size_t at_sign;

    if (slice_find_last_byte(entry, '@', &at_sign))
        name = at_sign == 0 ? normalise_entry(lines, entry, 1)
                            : normalise_address(lines, entry, at_sign);
    if (name.length > 0)
        name_set_add(target, name);
    else
        diagnostics_add(lines->reader->diagnostics, SEVERITY_ERROR, "recipients.entry", at,
                        "\"%.*s\" is neither an address, such as info@example.org, nor @ and a "
                        "domain",
                        SLICE_ARGS(entry));
}

void entries_read_recipients(const struct settings_reader *reader, struct name_set *recipients,
                             const char *path, struct position asked_at)
{
    read_lines(reader, path, asked_at, take_recipient, recipients);
}

/* Without a domain there is only <postmaster>, which no file can name and no server may refuse. */
bool config_backend_has_recipient(const struct config_backend *backend, struct slice address)
{
    size_t at_sign;
    bool has_address = name_set_has(&backend->recipient_set, address);
    bool has_domain = slice_find_last_byte(address, '@', &at_sign) &&
                      name_set_has(&backend->recipient_set, slice_from_offset(address, at_sign));

    return has_address || has_domain || slice_equals_nocase(address, SLICE("postmaster"));
}
