/* SPDX-License-Identifier: BSD-2-Clause */
/* Foreign bytes made safe for readers; see escape.h. */
#include "base/escape.h"

#include <string.h>

void escape_add_ascii(struct text *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.data[i];

        if (c == '"' || c == '\\') {
            text_add_byte(out, '\\');
            text_add_byte(out, c);
        } else if (ascii_is_printable(c)) {
            text_add_byte(out, c);
        } else {
            text_add_format(out, "\\x%02x", (unsigned char)c);
        }
    }
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
    if (is_bare(bytes)) {
        text_add(out, bytes);
        return;
    }
    text_add_byte(out, '"');
    escape_add_ascii(out, bytes);
    text_add_byte(out, '"');
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

static void add_json_sequence(struct text *out, struct slice sequence)
{
    char c = sequence.data[0];

    if (sequence.length > 1) {
        text_add(out, sequence);
    } else if (c == '"' || c == '\\') {
        text_add_byte(out, '\\');
        text_add_byte(out, c);
    } else if ((unsigned char)c < ' ' || c == 0x7f) {
        text_add_format(out, "\\u%04x", (unsigned char)c);
    } else {
        text_add_byte(out, c);
    }
}

void escape_add_json(struct text *out, struct slice bytes)
{
    text_add_byte(out, '"');
    while (bytes.length > 0) {
        size_t length = utf8_sequence_length(bytes);

        if (length == 0) {
            text_add_string(out, "\\ufffd");
            length = 1;
        } else {
            add_json_sequence(out, slice_until(bytes, length));
        }
        bytes = slice_from_offset(bytes, length);
    }
    text_add_byte(out, '"');
}
