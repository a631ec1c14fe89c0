/* SPDX-License-Identifier: BSD-2-Clause */
/* Tag lists; see dkim_tags.h. Whoever writes one may be hostile: the sender or a zone's owner. */
#include "checks/dkim_tags.h"

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static bool is_name(struct slice name)
{
    if (name.length == 0 || !ascii_is_alpha(name.data[0]))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_' && name.data[i] != '-')
            return false;
    return true;
}

static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_printable(value.data[i]) && !is_space(value.data[i]))
            return false;
    return true;
}

bool dkim_tags_find(const struct dkim_tags *tags, const char *name, struct slice *value)
{
    for (size_t i = 0; i < tags->count; i++)
        if (slice_equals_nocase(tags->tags[i].name, slice_from(name))) {
            *value = tags->tags[i].value;
            return true;
        }
    return false;
}

static bool is_known(const struct dkim_tags *tags, struct slice name)
{
    for (size_t i = 0; i < tags->count; i++)
        if (slice_equals_nocase(tags->tags[i].name, name))
            return true;
    return false;
}

static bool add_tag(struct dkim_tags *tags, struct slice spec)
{
    struct slice name;
    struct slice value;
    size_t equals;

    if (tags->count == DKIM_MAX_TAGS || !slice_find_byte(spec, '=', &equals))
        return false;
    name = slice_trim(slice_until(spec, equals));
    value = slice_trim(slice_from_offset(spec, equals + 1));
    if (!is_name(name) || !is_value(value) || is_known(tags, name))
        return false;
    tags->tags[tags->count++] = (struct dkim_tag){ name, value };
    return true;
}

bool dkim_tags_parse(struct slice list, struct dkim_tags *tags)
{
    struct slice spec;

    tags->count = 0;
    list = slice_trim(list);
    if (list.length > 0 && list.data[list.length - 1] == ';')
        list = slice_trim(slice_until(list, list.length - 1));
    if (list.length > 0 && list.data[list.length - 1] == ';')
        return false;
    while (slice_next(&list, ';', &spec))
        if (!add_tag(tags, spec))
            return false;
    return tags->count > 0;
}

void dkim_tags_add_value(struct text *out, struct slice value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!is_space(value.data[i]))
            text_add_byte(out, value.data[i]);
}

bool dkim_tags_next_item(struct slice *rest, struct slice *item)
{
    if (!slice_next(rest, ':', item))
        return false;
    *item = slice_trim(*item);
    return true;
}

static int base64_value(char c)
{
    if (ascii_is_upper(c))
        return c - 'A';
    if (ascii_is_lower(c))
        return c - 'a' + 26;
    if (ascii_is_digit(c))
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool dkim_tags_decode_base64(struct slice value, struct text *out)
{
    unsigned int bits = 0;
    size_t digits = 0;
    size_t padding = 0;

    for (size_t i = 0; i < value.length; i++) {
        int digit = base64_value(value.data[i]);

        if (is_space(value.data[i]))
            continue;
        if (value.data[i] == '=') {
            padding++;
            continue;
        }
        if (digit < 0 || padding > 0)
            return false;
        bits = bits << 6 | (unsigned int)digit;
        if (++digits % 4 != 1)
            text_add_byte(out, (char)(bits >> (6 - (digits - 1) % 4 * 2) & 0xff));
    }
    return digits > 0 && digits % 4 != 1 && padding <= 2 && !out->is_cut;
}
