/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the log read back; see log_line.h.
 *
 *     logfmt = pair *( SP pair )        pair  = key "=" value
 *     JSON   = "{" member *( "," member ) "}"
 *     member = string ":" ( string / number / true / false / "[" string *( "," string ) "]" )
 *
 * Lines may be of any age and from anywhere: nothing in them is believed before it
 * has been read to its end.
 */
#include "tools/log_line.h"

#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/text.h"

static void add(struct log_line *line, const struct text *key, const struct text *value)
{
    line->pairs = mem_grow(line->pairs, line->count, &line->capacity, sizeof *line->pairs);
    line->pairs[line->count++] = (struct log_pair){ mem_copy(text_slice(key)),
                                                    mem_copy(text_slice(value)) };
}

/* ---- logfmt. */

static bool is_quoted(struct slice rest)
{
    return rest.length > 0 && rest.data[0] == '"';
}

static bool read_pair(struct slice *rest, struct text *key, struct text *value)
{
    size_t equals;

    if (!slice_find_byte(*rest, '=', &equals) || equals == 0)
        return false;
    text_add(key, slice_until(*rest, equals));
    *rest = slice_from_offset(*rest, equals + 1);
    return escape_next_logfmt(rest, value);
}

/* A list stands in quotes whatever is in it, unlike a value: it is unescaped by hand. */
static bool read_list(struct slice *rest, struct text *key, struct text *value)
{
    size_t equals;
    size_t end;

    if (!slice_find_byte(*rest, '=', &equals))
        return false;
    text_add(key, slice_until(*rest, equals));
    *rest = slice_from_offset(*rest, equals + 1);
    if (!is_quoted(*rest))
        return false;
    for (end = 1; end < rest->length && rest->data[end] != '"'; end++)
        if (rest->data[end] == '\\')
            end++;
    if (end >= rest->length ||
        !escape_parse_ascii(value, slice_from_offset(slice_until(*rest, end), 1)))
        return false;
    *rest = slice_from_offset(*rest, end + 1);
    return true;
}

static bool is_list(struct slice rest)
{
    return slice_has_prefix(rest, SLICE("rcpts=")) || slice_has_prefix(rest, SLICE("tags="));
}

static bool parse_logfmt(struct log_line *line, struct slice rest)
{
    bool is_good = true;

    while (is_good && rest.length > 0) {
        struct text key;
        struct text value;

        text_init(&key, 100);
        text_init(&value, TEXT_MAX_LENGTH);
        is_good = (is_list(rest) ? read_list : read_pair)(&rest, &key, &value);
        if (is_good)
            add(line, &key, &value);
        if (rest.length > 0 && rest.data[0] == ' ')
            rest = slice_from_offset(rest, 1);
        text_clear(&key);
        text_clear(&value);
    }
    return is_good;
}

/* ---- JSON. */

static bool take(struct slice *rest, char byte)
{
    while (rest->length > 0 && ascii_is_blank(rest->data[0]))
        *rest = slice_from_offset(*rest, 1);
    if (rest->length == 0 || rest->data[0] != byte)
        return false;
    *rest = slice_from_offset(*rest, 1);
    return true;
}

static void add_utf8(struct text *out, unsigned int code)
{
    if (code < 0x80) {
        text_add_byte(out, (char)code);
    } else if (code < 0x800) {
        text_add_byte(out, (char)(0xc0 | code >> 6));
        text_add_byte(out, (char)(0x80 | (code & 0x3f)));
    } else {
        text_add_byte(out, (char)(0xe0 | code >> 12));
        text_add_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
        text_add_byte(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Behind a backslash. We write \u for control bytes alone, so there are no pairs of them. */
static bool read_escape(struct slice *rest, struct text *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    char name = rest->length > 0 ? rest->data[0] : '\0';
    const char *found = name != '\0' ? strchr(names, name) : NULL;
    unsigned int code = 0;

    if (found != NULL) {
        text_add_byte(out, bytes[found - names]);
        *rest = slice_from_offset(*rest, 1);
        return true;
    }
    if (name != 'u' || rest->length < 5)
        return false;
    for (size_t i = 1; i < 5; i++) {
        int digit = ascii_hex_value(rest->data[i]);

        if (digit < 0)
            return false;
        code = code * 16 + (unsigned int)digit;
    }
    add_utf8(out, code);
    *rest = slice_from_offset(*rest, 5);
    return true;
}

static bool read_string(struct slice *rest, struct text *out)
{
    if (!take(rest, '"'))
        return false;
    while (rest->length > 0) {
        char c = rest->data[0];

        *rest = slice_from_offset(*rest, 1);
        if (c == '"')
            return true;
        if (c != '\\')
            text_add_byte(out, c);
        else if (!read_escape(rest, out))
            return false;
    }
    return false;
}

static bool read_array(struct slice *rest, struct text *out)
{
    bool is_first = true;

    while (!take(rest, ']')) {
        if (!is_first && !take(rest, ','))
            return false;
        if (!is_first)
            text_add_byte(out, ',');
        if (!read_string(rest, out))
            return false;
        is_first = false;
    }
    return true;
}

/* A number or a word. */
static bool read_bare(struct slice *rest, struct text *out)
{
    size_t length = 0;

    while (length < rest->length && (ascii_is_alnum(rest->data[length]) ||
                                     strchr("+-.", rest->data[length]) != NULL))
        length++;
    text_add(out, slice_until(*rest, length));
    *rest = slice_from_offset(*rest, length);
    return length > 0;
}

static bool read_member(struct slice *rest, struct text *key, struct text *value)
{
    if (!read_string(rest, key) || !take(rest, ':'))
        return false;
    if (take(rest, '['))
        return read_array(rest, value);
    return rest->length > 0 && (is_quoted(*rest) ? read_string(rest, value)
                                                 : read_bare(rest, value));
}

static bool parse_json(struct log_line *line, struct slice rest)
{
    bool is_good = take(&rest, '{');

    while (is_good && !take(&rest, '}')) {
        struct text key;
        struct text value;

        text_init(&key, 100);
        text_init(&value, TEXT_MAX_LENGTH);
        is_good = (line->count == 0 || take(&rest, ',')) && read_member(&rest, &key, &value);
        if (is_good)
            add(line, &key, &value);
        text_clear(&key);
        text_clear(&value);
    }
    return is_good;
}

/* ---- Both. */

bool log_line_parse(struct log_line *line, struct slice text)
{
    bool is_good;

    *line = (struct log_line){ .count = 0 };
    text = slice_trim(text);
    is_good = text.length > 0 && text.data[0] == '{' ? parse_json(line, text)
                                                     : parse_logfmt(line, text);
    if (is_good && log_line_find(line, "event") != NULL)
        return true;
    log_line_clear(line);
    return false;
}

void log_line_clear(struct log_line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        mem_free(line->pairs[i].key);
        mem_free(line->pairs[i].value);
    }
    mem_free(line->pairs);
    *line = (struct log_line){ .count = 0 };
}

const char *log_line_find(const struct log_line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->pairs[i].key, key) == 0)
            return line->pairs[i].value;
    return NULL;
}
