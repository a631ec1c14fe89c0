/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes to words; see lexer.h. Everything printable that has no meaning of its
 * own may be in a bare word, so that addresses, networks, paths and units need
 * no quotes. Bytes that an editor does not show are errors: what the owner sees
 * is what counts.
 */
#include "config/lexer.h"

#include "base/escape.h"

void lexer_init(struct lexer *lexer, struct slice bytes, const char *path,
                struct diagnostics *diagnostics)
{
    *lexer = (struct lexer){
        .diagnostics = diagnostics,
        .rest = utf8_skip_mark(bytes),
        .position = { .path = path, .line = 1, .column = 1 },
    };
    text_init(&lexer->unescaped, bytes.length);
}

void lexer_clear(struct lexer *lexer)
{
    text_clear(&lexer->unescaped);
}

static void skip(struct lexer *lexer, size_t count)
{
    lexer->rest = slice_from_offset(lexer->rest, count);
    lexer->position.column += (unsigned int)count;
}

static void skip_line_end(struct lexer *lexer)
{
    lexer->rest = slice_from_offset(lexer->rest, 1);
    lexer->position.line++;
    lexer->position.column = 1;
}

static void skip_comment(struct lexer *lexer)
{
    size_t length = lexer->rest.length;

    (void)slice_find_byte(lexer->rest, '\n', &length);
    skip(lexer, length);
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == '\x7f';
}

static bool is_in_bare_word(char c)
{
    switch (c) {
    case ' ':
    case ';':
    case '{':
    case '}':
    case ',':
    case '"':
    case '#':
        return false;
    default:
        return !is_control(c);
    }
}

static bool is_carriage_return_of_line_end(struct slice s)
{
    return s.data[0] == '\r' && (s.length == 1 || s.data[1] == '\n');
}

static void report_control_byte(struct lexer *lexer)
{
    diagnostics_add(lexer->diagnostics, SEVERITY_ERROR, "syntax.byte", lexer->position,
                    "the byte 0x%02x does not belong in a configuration; remove it",
                    (unsigned int)(unsigned char)lexer->rest.data[0]);
}

/* Files that were joined have one in the middle; true when it is skipped. */
static bool refuse_mark(struct lexer *lexer)
{
    struct slice behind = utf8_skip_mark(lexer->rest);

    if (behind.length == lexer->rest.length)
        return false;
    diagnostics_add(lexer->diagnostics, SEVERITY_ERROR, "syntax.byte", lexer->position,
                    "there is a byte order mark here, which editors do not show; it may only be "
                    "the first thing in a file; remove it, or write this line anew");
    skip(lexer, lexer->rest.length - behind.length);
    return true;
}

/* Up to the first byte of a token; false at the end of the file. */
static bool skip_to_token(struct lexer *lexer)
{
    while (lexer->rest.length > 0) {
        char c = lexer->rest.data[0];

        if (c == '\n')
            skip_line_end(lexer);
        else if (ascii_is_blank(c) || is_carriage_return_of_line_end(lexer->rest))
            skip(lexer, 1);
        else if (c == '#')
            skip_comment(lexer);
        else if (!is_control(c)) {
            if (!refuse_mark(lexer))
                return true;
        } else {
            report_control_byte(lexer);
            skip(lexer, 1);
        }
    }
    return false;
}

static void expect_utf8(struct lexer *lexer, const struct token *token)
{
    if (!utf8_is_valid(token->text))
        diagnostics_add(lexer->diagnostics, SEVERITY_ERROR, "syntax.utf8", token->at,
                        "this word is not valid UTF-8; save the file as UTF-8 or plain ASCII");
}

static void read_bare(struct lexer *lexer, struct token *token)
{
    size_t length = 0;

    while (length < lexer->rest.length && is_in_bare_word(lexer->rest.data[length]))
        length++;
    token->kind = TOKEN_WORD;
    token->text = slice_until(lexer->rest, length);
    skip(lexer, length);
}

/* Of the byte behind a backslash: what it stands for. */
static void read_escape(struct lexer *lexer)
{
    char c = lexer->rest.length > 1 ? lexer->rest.data[1] : '\n';

    if (c == '"' || c == '\\') {
        text_add_byte(&lexer->unescaped, c);
        skip(lexer, 2);
        return;
    }
    diagnostics_add(lexer->diagnostics, SEVERITY_ERROR, "syntax.escape", lexer->position,
                    "in quotes a backslash stands before a quote or another backslash only; "
                    "write it twice for one of its own");
    skip(lexer, 1);
}

static void read_quoted(struct lexer *lexer, struct token *token)
{
    text_reset(&lexer->unescaped);
    skip(lexer, 1);
    while (lexer->rest.length > 0 && lexer->rest.data[0] != '"') {
        char c = lexer->rest.data[0];

        if (c == '\n')
            break;
        if (c == '\\') {
            read_escape(lexer);
            continue;
        }
        if (!is_control(c) || c == '\t')
            text_add_byte(&lexer->unescaped, c);
        else if (!is_carriage_return_of_line_end(lexer->rest))
            report_control_byte(lexer);
        skip(lexer, 1);
    }
    if (lexer->rest.length > 0 && lexer->rest.data[0] == '"')
        skip(lexer, 1);
    else
        diagnostics_add(lexer->diagnostics, SEVERITY_ERROR, "syntax.quote", token->at,
                        "this quote is not closed on its line; is a \" missing?");
    token->kind = TOKEN_QUOTED;
    token->text = text_slice(&lexer->unescaped);
}

struct token lexer_next(struct lexer *lexer)
{
    struct token token = { .kind = TOKEN_END };
    bool has_token = skip_to_token(lexer);

    token.at = lexer->position;
    if (has_token) {
        switch (lexer->rest.data[0]) {
        case ',':
            token.kind = TOKEN_COMMA;
            break;
        case ';':
            token.kind = TOKEN_SEMICOLON;
            break;
        case '{':
            token.kind = TOKEN_OPEN;
            break;
        case '}':
            token.kind = TOKEN_CLOSE;
            break;
        case '"':
            read_quoted(lexer, &token);
            break;
        default:
            read_bare(lexer, &token);
            break;
        }
        if (token.kind == TOKEN_WORD || token.kind == TOKEN_QUOTED) {
            expect_utf8(lexer, &token);
        } else {
            token.text = slice_until(lexer->rest, 1);
            skip(lexer, 1);
        }
    }
    token.end = lexer->position;
    return token;
}
