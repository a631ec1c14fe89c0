/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of a zone file; see zone_lexer.h. */
#include "dns/zone_lexer.h"

#include "base/escape.h"

void zone_lexer_init(struct zone_lexer *lexer, struct slice bytes)
{
    lexer->rest = utf8_skip_mark(bytes);
    lexer->line = 1;
    lexer->column = 1;
    lexer->word_count = 0;
    lexer->is_indented = false;
}

static void skip(struct zone_lexer *lexer, size_t count)
{
    lexer->rest = slice_from_offset(lexer->rest, count);
    lexer->column += (unsigned int)count;
}

static void skip_line_end(struct zone_lexer *lexer)
{
    lexer->rest = slice_from_offset(lexer->rest, 1);
    lexer->line++;
    lexer->column = 1;
}

static char next_byte(const struct zone_lexer *lexer)
{
    return lexer->rest.length > 0 ? lexer->rest.data[0] : '\n';
}

static void skip_comment(struct zone_lexer *lexer)
{
    while (next_byte(lexer) != '\n')
        skip(lexer, 1);
}

static bool ends_bare_word(char c)
{
    return ascii_is_blank(c) || c == '\n' || c == '\r' || c == ';' || c == '(' || c == ')' ||
           c == '"';
}

/* Up to `lexer->rest.data[length]`; false when the word is one too many. */
static bool add_word(struct zone_lexer *lexer, size_t length, bool is_quoted)
{
    if (lexer->word_count == ZONE_MAX_WORDS)
        return false;
    lexer->words[lexer->word_count++] = (struct zone_word){
        .text = slice_until(lexer->rest, length),
        .line = lexer->line,
        .column = lexer->column,
        .is_quoted = is_quoted,
    };
    skip(lexer, length);
    return true;
}

/* A backslash takes the byte behind it along, whatever that is, but for the end of the line. */
static size_t measure(struct slice rest, bool is_quoted)
{
    size_t length = 0;

    while (length < rest.length && rest.data[length] != '\n') {
        char c = rest.data[length];

        if (c == '\\' && length + 1 < rest.length && rest.data[length + 1] != '\n')
            length++;
        else if (is_quoted ? c == '"' : ends_bare_word(c))
            break;
        length++;
    }
    return length;
}

static const char *read_quoted(struct zone_lexer *lexer)
{
    size_t length;

    skip(lexer, 1);
    length = measure(lexer->rest, true);
    if (length == lexer->rest.length || lexer->rest.data[length] != '"')
        return "a quoted text does not end on its line";
    if (!add_word(lexer, length, true))
        return "an entry has too many words";
    skip(lexer, 1);
    return NULL;
}

static const char *read_parenthesis(struct zone_lexer *lexer, bool *is_inside)
{
    bool is_open = next_byte(lexer) == '(';

    if (is_open == *is_inside)
        return is_open ? "a parenthesis is opened inside of another"
                       : "a parenthesis is closed that was not opened";
    *is_inside = is_open;
    skip(lexer, 1);
    return NULL;
}

/* One step through an entry; the end of its line is the caller's. */
static const char *read_piece(struct zone_lexer *lexer, bool *is_inside)
{
    char c = next_byte(lexer);

    switch (c) {
    case ' ':
    case '\t':
    case '\r': skip(lexer, 1); return NULL;
    case ';': skip_comment(lexer); return NULL;
    case '"': return read_quoted(lexer);
    case '(':
    case ')': return read_parenthesis(lexer, is_inside);
    default:
        if (!add_word(lexer, measure(lexer->rest, false), false))
            return "an entry has too many words";
        return NULL;
    }
}

/* The entry that begins here, which may be empty. */
static const char *read_entry(struct zone_lexer *lexer)
{
    bool is_inside = false;

    lexer->word_count = 0;
    lexer->is_indented = ascii_is_blank(next_byte(lexer));
    while (lexer->rest.length > 0) {
        const char *complaint;

        if (next_byte(lexer) == '\n') {
            skip_line_end(lexer);
            if (!is_inside)
                return NULL;
            continue;
        }
        complaint = read_piece(lexer, &is_inside);
        if (complaint != NULL)
            return complaint;
    }
    return is_inside ? "a parenthesis is not closed" : NULL;
}

bool zone_lexer_next(struct zone_lexer *lexer, const char **complaint)
{
    do {
        if (lexer->rest.length == 0) {
            *complaint = NULL;
            return false;
        }
        *complaint = read_entry(lexer);
        if (*complaint != NULL)
            return false;
    } while (lexer->word_count == 0);
    return true;
}

bool zone_take_byte(struct slice *rest, unsigned char *byte, bool *is_escaped)
{
    unsigned int value = 0;

    if (rest->length == 0)
        return false;
    *is_escaped = rest->data[0] == '\\';
    if (!*is_escaped) {
        *byte = (unsigned char)rest->data[0];
        *rest = slice_from_offset(*rest, 1);
        return true;
    }
    if (rest->length < 2)
        return false;
    if (!ascii_is_digit(rest->data[1])) {
        *byte = (unsigned char)rest->data[1];
        *rest = slice_from_offset(*rest, 2);
        return true;
    }
    for (size_t i = 1; i <= 3; i++) {
        if (i >= rest->length || !ascii_is_digit(rest->data[i]))
            return false;
        value = value * 10 + (unsigned int)(rest->data[i] - '0');
    }
    if (value > 255)
        return false;
    *byte = (unsigned char)value;
    *rest = slice_from_offset(*rest, 4);
    return true;
}
