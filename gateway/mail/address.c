/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of the SMTP envelope; see address.h. One pass from left to right over
 *
 *   Reverse-path = Path / "<>"                            RFC 5321 4.1.2
 *   Forward-path = Path / "<Postmaster>"
 *   Path         = "<" [ A-d-l ":" ] Mailbox ">"
 *   Mailbox      = Local-part "@" ( Domain / address-literal )
 *   Local-part   = Dot-string / Quoted-string
 *
 * with UTF-8 beyond ASCII in atext, qtext and Domain (RFC 6531 3.3).
 */
#include "mail/address.h"

#include <string.h>

#include "base/memory.h"
#include "mail/domain.h"
#include "mail/grammar.h"

/* Where the parser stands in the path. */
struct cursor {
    struct slice s;
    size_t at;         /* at most s.length */
    bool allow_utf8;
};

static bool at_end(const struct cursor *cursor)
{
    return cursor->at == cursor->s.length;
}

static bool is_at(const struct cursor *cursor, char c)
{
    return !at_end(cursor) && cursor->s.data[cursor->at] == c;
}

static bool take(struct cursor *cursor, char c)
{
    bool is_there = is_at(cursor, c);

    cursor->at += is_there;
    return is_there;
}

/* What is wrong where a certain byte had to come: the path broke off, or it goes on differently. */
static enum address_problem unexpected(const struct cursor *cursor)
{
    return at_end(cursor) ? ADDRESS_NO_BRACKETS : ADDRESS_SYNTAX;
}

/* A character beyond ASCII where one may stand. */
static enum address_problem take_utf8(struct cursor *cursor)
{
    size_t length = grammar_utf8_length(slice_from_offset(cursor->s, cursor->at));

    cursor->at += length;
    if (!cursor->allow_utf8)
        return ADDRESS_UTF8;
    return length > 0 ? ADDRESS_OK : ADDRESS_SYNTAX;
}

/* Atom *("." Atom): no dot at either end, no two in a row. */
static enum address_problem take_dot_string(struct cursor *cursor)
{
    bool needs_atom = true;

    while (!at_end(cursor)) {
        char c = cursor->s.data[cursor->at];

        if ((unsigned char)c > 127) {
            enum address_problem problem = take_utf8(cursor);

            if (problem != ADDRESS_OK)
                return problem;
            needs_atom = false;
        } else if (grammar_is_atext(c)) {
            cursor->at++;
            needs_atom = false;
        } else if (c == '.' && !needs_atom) {
            cursor->at++;
            needs_atom = true;
        } else {
            break;
        }
    }
    return needs_atom ? unexpected(cursor) : ADDRESS_OK;
}

/* DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE, from its first quote on; "" is allowed. */
static enum address_problem take_quoted_string(struct cursor *cursor)
{
    cursor->at++;
    while (!at_end(cursor)) {
        char c = cursor->s.data[cursor->at];

        if ((unsigned char)c > 127) {
            enum address_problem problem = take_utf8(cursor);

            if (problem != ADDRESS_OK)
                return problem;
            continue;
        }
        cursor->at++;
        if (c == '"')
            return ADDRESS_OK;
        if (c == '\\') {
            if (at_end(cursor))
                break;
            c = cursor->s.data[cursor->at++];
        }
        if (!ascii_is_printable(c))
            return ADDRESS_SYNTAX;
    }
    return ADDRESS_NO_BRACKETS;
}

/* A-d-l ":", where A-d-l = At-domain *("," At-domain) and At-domain = "@" Domain; only checked. */
static enum address_problem take_route(struct cursor *cursor)
{
    struct text domain;

    text_init(&domain, DOMAIN_MAX_BYTES);
    while (take(cursor, '@')) {
        struct slice name = slice_from_offset(cursor->s, cursor->at);
        size_t length = 0;
        enum domain_problem problem;

        while (length < name.length && strchr(",:>", name.data[length]) == NULL)
            length++;
        name = slice_until(name, length);
        if (!cursor->allow_utf8 && grammar_has_non_ascii(name)) {
            text_clear(&domain);
            return ADDRESS_UTF8;
        }
        problem = domain_normalise(name, &domain);
        text_clear(&domain);
        if (problem != DOMAIN_OK)
            return ADDRESS_DOMAIN_BAD;
        cursor->at += length;
        if (take(cursor, ':'))
            return ADDRESS_OK;
        if (!take(cursor, ','))
            break;
    }
    return unexpected(cursor);
}

/* What stands between "@" and ">"; the one form of it goes to `out`. */
static enum address_problem take_domain(struct cursor *cursor, struct text *out)
{
    struct slice domain = slice_from_offset(cursor->s, cursor->at);
    size_t end;
    size_t at_sign;
    bool is_good;

    if (!slice_find_byte(domain, '>', &end))
        return ADDRESS_NO_BRACKETS;
    domain = slice_until(domain, end);
    if (slice_find_byte(domain, '@', &at_sign))
        return ADDRESS_SYNTAX;
    if (!cursor->allow_utf8 && grammar_has_non_ascii(domain))
        return ADDRESS_UTF8;
    is_good = domain.length > 0 && domain.data[0] == '['
                  ? domain_normalise_literal(domain, out)
                  : domain_normalise(domain, out) == DOMAIN_OK;
    if (!is_good)
        return ADDRESS_DOMAIN_BAD;
    cursor->at += end;
    return ADDRESS_OK;
}

static void note_local(struct address *address, struct slice local)
{
    size_t position;

    address->has_percent = slice_find_byte(local, '%', &position);
    address->has_bang = slice_find_byte(local, '!', &position);
    address->has_inner_at = slice_find_byte(local, '@', &position);
    address->is_utf8 = grammar_has_non_ascii(local);
}

static enum address_problem take_mailbox(struct cursor *cursor, enum address_form form,
                                         struct address *address, struct text *out)
{
    size_t start = cursor->at;
    enum address_problem problem =
        is_at(cursor, '"') ? take_quoted_string(cursor) : take_dot_string(cursor);
    struct slice local = slice_from_offset(slice_until(cursor->s, cursor->at), start);

    if (problem != ADDRESS_OK)
        return problem;
    if (!is_at(cursor, '@') && !is_at(cursor, '>'))
        return unexpected(cursor);
    if (local.length > ADDRESS_LOCAL_MAX_BYTES)
        return ADDRESS_LOCAL_TOO_LONG;
    note_local(address, local);
    if (local.data[0] == '"')
        grammar_add_local(out, local);
    else
        text_add(out, local);
    address->local_length = (uint16_t)out->length;
    if (is_at(cursor, '>')) {
        bool is_postmaster = form == ADDRESS_FORWARD_PATH && !address->had_route &&
                             slice_equals_nocase(local, SLICE("postmaster"));

        return is_postmaster ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
    }
    cursor->at++;
    text_add_byte(out, '@');
    start = cursor->at;
    problem = take_domain(cursor, out);
    if (problem != ADDRESS_OK)
        return problem;
    address->domain_length = (uint16_t)(out->length - address->local_length - 1u);
    address->is_literal = cursor->s.data[start] == '[';
    if (grammar_has_non_ascii(slice_from_offset(slice_until(cursor->s, cursor->at), start)))
        address->is_utf8 = true;
    return ADDRESS_OK;
}

static enum address_problem take_path(struct cursor *cursor, enum address_form form,
                                      struct address *address, struct text *out)
{
    enum address_problem problem = ADDRESS_OK;

    if (!take(cursor, '<'))
        return ADDRESS_NO_BRACKETS;
    if (form == ADDRESS_REVERSE_PATH && take(cursor, '>'))
        return ADDRESS_OK;
    if (is_at(cursor, '@')) {
        problem = take_route(cursor);
        if (problem != ADDRESS_OK)
            return problem;
        address->had_route = true;
    }
    problem = take_mailbox(cursor, form, address, out);
    if (problem != ADDRESS_OK)
        return problem;
    cursor->at++; /* the ">" that take_mailbox has seen */
    /* A-labels may be longer than the U-labels that came, and it is they that go on. */
    return cursor->at > ADDRESS_PATH_MAX_BYTES || out->length + 2 > ADDRESS_PATH_MAX_BYTES
               ? ADDRESS_PATH_TOO_LONG
               : ADDRESS_OK;
}

enum address_problem address_parse(struct slice s, enum address_form form, bool allow_utf8,
                                   struct address *address, size_t *used)
{
    struct cursor cursor = { s, 0, allow_utf8 };
    struct address parsed = { 0 };
    struct text out;
    enum address_problem problem;

    address_clear(address);
    text_init(&out, ADDRESS_LOCAL_MAX_BYTES + 1 + DOMAIN_MAX_BYTES);
    problem = take_path(&cursor, form, &parsed, &out);
    if (problem == ADDRESS_OK) {
        *address = parsed;
        address->text = mem_copy(text_slice(&out));
    }
    *used = problem == ADDRESS_OK ? cursor.at : 0;
    text_clear(&out);
    return problem;
}

const char *address_problem_text(enum address_problem problem)
{
    switch (problem) {
    case ADDRESS_OK:
        return "is an address";
    case ADDRESS_NO_BRACKETS:
        return "does not stand in angle brackets";
    case ADDRESS_SYNTAX:
        return "does not follow the syntax of RFC 5321";
    case ADDRESS_LOCAL_TOO_LONG:
        return "has a local part that is too long";
    case ADDRESS_PATH_TOO_LONG:
        return "is too long";
    case ADDRESS_DOMAIN_BAD:
        return "has a bad domain";
    case ADDRESS_NO_DOMAIN:
        return "has no domain";
    case ADDRESS_UTF8:
        return "is not ASCII, and SMTPUTF8 was not asked for";
    }
    return "is no address";
}

void address_set_raw(struct address *address, struct slice given)
{
    address_clear(address);
    given = slice_until(slice_trim(given), ADDRESS_PATH_MAX_BYTES);
    address->text = mem_copy(given);
    address->local_length = (uint16_t)given.length;
}

void address_copy(struct address *to, const struct address *from)
{
    address_clear(to);
    *to = *from;
    if (from->text != NULL)
        to->text = mem_copy(address_text(from));
}

void address_clear(struct address *address)
{
    mem_free(address->text);
    *address = (struct address){ 0 };
}

struct slice address_text(const struct address *address)
{
    return slice_from(address->text);
}

struct slice address_local(const struct address *address)
{
    return (struct slice){ address->text, address->local_length };
}

struct slice address_domain(const struct address *address)
{
    return slice_from_offset(address_text(address), (size_t)address->local_length + 1);
}

bool address_is_null(const struct address *address)
{
    return address->text != NULL && address->text[0] == '\0';
}

bool address_is_postmaster(const struct address *address)
{
    return slice_equals_nocase(address_local(address), SLICE("postmaster"));
}

bool address_is_abuse(const struct address *address)
{
    return address->domain_length > 0 &&
           slice_equals_nocase(address_local(address), SLICE("abuse"));
}
