/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters of addresses; see grammar.h. */
#include "mail/grammar.h"

#include <string.h>

#include "base/escape.h"

bool grammar_has_non_ascii(struct slice s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.data[i] > 127)
            return true;
    return false;
}

bool grammar_is_atext(char c)
{
    return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

size_t grammar_utf8_length(struct slice s)
{
    size_t length = utf8_sequence_length(s);
    bool is_c1 = length == 2 && s.data[0] == '\xc2' && (unsigned char)s.data[1] < 0xa0;

    return length < 2 || is_c1 ? 0 : length;
}

bool grammar_is_utf8(struct slice s)
{
    while (s.length > 0) {
        size_t length = (unsigned char)s.data[0] > 127 ? grammar_utf8_length(s) : 1;

        if (length == 0)
            return false;
        s = slice_from_offset(s, length);
    }
    return true;
}

bool grammar_is_dot_atom(struct slice s)
{
    bool needs_atext = true;

    for (size_t i = 0; i < s.length;) {
        size_t length = grammar_utf8_length(slice_from_offset(s, i));

        if (s.data[i] == '.' && !needs_atext) {
            needs_atext = true;
            i++;
            continue;
        }
        if (length == 0 && !grammar_is_atext(s.data[i]))
            return false;
        needs_atext = false;
        i += length > 0 ? length : 1;
    }
    return !needs_atext;
}

/* The content of a quoted string, without folding and backslashes. */
static void add_unquoted(struct text *out, struct slice quoted)
{
    for (size_t i = 1; i + 1 < quoted.length; i++) {
        if (quoted.data[i] == '\r' || quoted.data[i] == '\n')
            continue;
        if (quoted.data[i] == '\\')
            i++;
        text_add_byte(out, quoted.data[i]);
    }
}

void grammar_add_local(struct text *out, struct slice quoted)
{
    struct text plain;

    text_init(&plain, quoted.length);
    add_unquoted(&plain, quoted);
    if (grammar_is_dot_atom(text_slice(&plain))) {
        text_add(out, text_slice(&plain));
    } else {
        text_add_byte(out, '"');
        for (size_t i = 0; i < plain.length; i++) {
            if (plain.data[i] == '"' || plain.data[i] == '\\')
                text_add_byte(out, '\\');
            text_add_byte(out, plain.data[i]);
        }
        text_add_byte(out, '"');
    }
    text_clear(&plain);
}
