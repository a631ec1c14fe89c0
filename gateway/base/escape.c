/* SPDX-License-Identifier: BSD-2-Clause */
/* Foreign bytes made safe for readers; see escape.h. */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

#define MAX_ESCAPE_BYTES 8

typedef bool (*escape_next_fn)(struct text *out, struct slice *rest);

static void add_escaped(struct text *out, struct slice bytes, escape_next_fn add_next);

/*
 * Escapes between quotes. The ceiling is lowered by one meanwhile, so that the
 * closing quote always has its place.
 */
static void add_quoted(struct text *out, struct slice bytes, escape_next_fn add_next)
{
    if (out->max_length - out->length < 2) {
        out->is_cut = true;
        return;
    }
    text_add_byte(out, '"');
    out->max_length--;
    add_escaped(out, bytes, add_next);
    out->max_length++;
    text_add_byte(out, '"');
}

/* Each "next" function takes one character off `*rest`; false when it does not fit. */
static bool add_next_ascii(struct text *out, struct slice *rest)
{
    char c = rest->data[0];
    char escaped[MAX_ESCAPE_BYTES];
    size_t length = 1;

    if (c == '"' || c == '\\')
        length = (size_t)snprintf(escaped, sizeof escaped, "\\%c", c);
    else if (ascii_is_printable(c))
        escaped[0] = c;
    else
        length = (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)c);
    *rest = slice_from_offset(*rest, 1);
    return text_add_whole(out, (struct slice){ escaped, length });
}

/* The run of bytes at the start that need no escape, in ASCII and in JSON. */
static size_t plain_length(struct slice bytes)
{
    size_t length = 0;

    while (length < bytes.length && ascii_is_printable(bytes.data[length])
           && bytes.data[length] != '"' && bytes.data[length] != '\\')
        length++;
    return length;
}

/* Whole runs as they are, and what stands between them by `add_next`, as far as they fit. */
static void add_escaped(struct text *out, struct slice bytes, escape_next_fn add_next)
{
    size_t plain;
    size_t before;

    do {
        plain = plain_length(bytes);
        before = out->length;
        text_add(out, slice_until(bytes, plain));
        bytes = slice_from_offset(bytes, plain);
    } while (out->length == before + plain && bytes.length > 0 && add_next(out, &bytes));
}

void escape_add_ascii(struct text *out, struct slice bytes)
{
    add_escaped(out, bytes, add_next_ascii);
}

static bool is_bare(struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.data[i];

        if (!ascii_is_alnum(c) && (c == '\0' || strchr("._:@/+<>,;~^%*()[]{}|!#$&?-", c) == NULL))
            return false;
    }
    return bytes.length > 0;
}

void escape_add_logfmt(struct text *out, struct slice bytes)
{
    if (is_bare(bytes))
        text_add(out, bytes);
    else
        add_quoted(out, bytes, add_next_ascii);
}

/* The byte that the escape at the start of `*rest` stands for; a printable one has no \xHH. */
static bool take_escape(struct slice *rest, char *byte)
{
    const char *at = rest->data;

    if (rest->length >= 2 && (at[1] == '"' || at[1] == '\\')) {
        *byte = at[1];
        *rest = slice_from_offset(*rest, 2);
        return true;
    }
    if (rest->length < 4 || at[1] != 'x' || ascii_hex_value(at[2]) < 0 ||
        ascii_hex_value(at[3]) < 0 || ascii_is_upper(at[2]) || ascii_is_upper(at[3]))
        return false;
    *byte = (char)(ascii_hex_value(at[2]) << 4 | ascii_hex_value(at[3]));
    *rest = slice_from_offset(*rest, 4);
    return !ascii_is_printable(*byte);
}

bool escape_parse_ascii(struct text *out, struct slice escaped)
{
    while (escaped.length > 0) {
        size_t plain = plain_length(escaped);
        struct slice run = slice_until(escaped, plain);
        char byte;

        escaped = slice_from_offset(escaped, plain);
        if (plain == 0) {
            if (escaped.data[0] != '\\' || !take_escape(&escaped, &byte))
                return false;
            run = (struct slice){ &byte, 1 };
        }
        if (!text_add_whole(out, run))
            return false;
    }
    return true;
}

bool escape_next_logfmt(struct slice *rest, struct text *out)
{
    struct slice value = *rest;
    size_t end;

    if (value.length > 0 && value.data[0] == '"') {
        end = 1;
        while (end < value.length && value.data[end] != '"')
            end += value.data[end] == '\\' ? 2 : 1;
        if (end >= value.length)
            return false;
        *rest = slice_from_offset(value, end + 1);
        value = slice_from_offset(slice_until(value, end), 1);
        return (rest->length == 0 || rest->data[0] == ' ') && !is_bare(value) &&
               escape_parse_ascii(out, value);
    }
    if (slice_find_byte(value, ' ', &end))
        value = slice_until(value, end);
    *rest = slice_from_offset(*rest, value.length);
    return is_bare(value) && text_add_whole(out, value);
}

/* The lowest code point that a sequence of this length may carry: shorter forms are overlong. */
static unsigned int lowest_code_point(size_t length)
{
    return length == 2 ? 0x80u : length == 3 ? 0x800u : 0x10000u;
}

size_t utf8_sequence_length(struct slice s)
{
    unsigned char lead = s.length > 0 ? (unsigned char)s.data[0] : 0x80;
    size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    unsigned int code;

    if (length == 1)
        return 1;
    if (lead < 0xc0 || lead > 0xf4 || s.length < length)
        return 0;
    code = lead & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)s.data[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3fu);
    }
    if (code < lowest_code_point(length) || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return length;
}

bool utf8_is_valid(struct slice s)
{
    while (s.length > 0) {
        size_t length = utf8_sequence_length(s);

        if (length == 0)
            return false;
        s = slice_from_offset(s, length);
    }
    return true;
}

struct slice utf8_skip_mark(struct slice s)
{
    struct slice mark = SLICE("\xef\xbb\xbf");

    return slice_has_prefix(s, mark) ? slice_from_offset(s, mark.length) : s;
}

static bool add_next_json(struct text *out, struct slice *rest)
{
    size_t length = utf8_sequence_length(*rest);
    struct slice sequence = slice_until(*rest, length > 0 ? length : 1);
    char escaped[MAX_ESCAPE_BYTES];
    char c = rest->data[0];

    *rest = slice_from_offset(*rest, sequence.length);
    if (length == 0)
        return text_add_whole(out, SLICE("\\ufffd"));
    if (c == '"' || c == '\\')
        length = (size_t)snprintf(escaped, sizeof escaped, "\\%c", c);
    else if ((unsigned char)c < ' ' || c == 0x7f)
        length = (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)c);
    else
        return text_add_whole(out, sequence);
    return text_add_whole(out, (struct slice){ escaped, length });
}

void escape_add_json(struct text *out, struct slice bytes)
{
    add_quoted(out, bytes, add_next_json);
}
