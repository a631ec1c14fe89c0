/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words to statements, by recursive descent; see syntax.h for the grammar. A
 * mistake is reported and mended in the likeliest way, so that one forgotten
 * semicolon does not hide the next mistake.
 */
#include "config/syntax.h"

#include <stdint.h>

#include "base/map.h"
#include "base/memory.h"
#include "config/lexer.h"

#define MAX_FILE_BYTES (1u << 20)
#define MAX_FILES 1000
#define MAX_INCLUDE_DEPTH 16
#define MAX_BLOCK_DEPTH 32
#define MAX_WORDS 10000

/* What all files of one configuration share. */
struct parser {
    struct sources *sources;
    struct diagnostics *diagnostics;
    struct map files;           /* path -> non-NULL, of all that were read */
    unsigned int include_depth;
    unsigned int block_depth;
};

/* One open file. */
struct reader {
    struct parser *parser;
    struct lexer lexer;
    struct token token; /* the next one, not yet used */
};

struct statement_list {
    struct statement *items;
    size_t count;
    size_t capacity;
};

static void read_file(struct parser *parser, const char *path, struct position asked_at,
                      struct statement_list *list);
static void read_statements(struct reader *reader, struct statement_list *list);

static void report(struct reader *reader, const char *id, struct position at, const char *sentence)
{
    diagnostics_add(reader->parser->diagnostics, SEVERITY_ERROR, id, at, "%s", sentence);
}

static void advance(struct reader *reader)
{
    reader->token = lexer_next(&reader->lexer);
}

/* ---- Words ---- */

static bool is_word(enum token_kind kind)
{
    return kind == TOKEN_WORD || kind == TOKEN_QUOTED || kind == TOKEN_COMMA;
}

static struct word make_word(const struct token *token)
{
    return (struct word){
        .text = { mem_copy(token->text), token->text.length },
        .at = token->at,
        .is_quoted = token->kind == TOKEN_QUOTED,
    };
}

/* Reads the words of a statement; gives the place behind the last one. */
static struct position read_words(struct reader *reader, struct statement *statement)
{
    size_t capacity = 0;
    struct position end = reader->token.at;

    for (; is_word(reader->token.kind); advance(reader)) {
        end = reader->token.end;
        if (statement->word_count == MAX_WORDS) {
            report(reader, "syntax.too-long", reader->token.at,
                   "a statement has at most 10,000 words; long lists belong in a file");
            while (is_word(reader->token.kind))
                advance(reader);
            break;
        }
        statement->words = mem_grow(statement->words, statement->word_count, &capacity,
                                    sizeof *statement->words);
        statement->words[statement->word_count++] = make_word(&reader->token);
    }
    return end;
}

/* ---- Statements ---- */

static void free_words(struct statement *statement)
{
    for (size_t i = 0; i < statement->word_count; i++)
        mem_free((char *)(uintptr_t)statement->words[i].text.data);
    mem_free(statement->words);
}

static void free_statements(struct statement *statements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free_words(&statements[i]);
        free_statements(statements[i].children, statements[i].child_count);
    }
    mem_free(statements);
}

static void add_statement(struct statement_list *list, const struct statement *statement)
{
    list->items = mem_grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = *statement;
}

/* Past the deepest level: over everything up to the brace that closes this block. */
static void skip_block(struct reader *reader)
{
    size_t open_count = 1;

    for (; reader->token.kind != TOKEN_END; advance(reader)) {
        if (reader->token.kind == TOKEN_OPEN)
            open_count++;
        else if (reader->token.kind == TOKEN_CLOSE && --open_count == 0)
            return;
    }
}

/* From behind the { to behind the }. */
static void read_block(struct reader *reader, struct statement *statement, struct position opened)
{
    struct statement_list children = { 0 };

    statement->has_block = true;
    if (reader->parser->block_depth == MAX_BLOCK_DEPTH) {
        report(reader, "syntax.too-deep", opened, "blocks are at most 32 levels deep");
        skip_block(reader);
    } else {
        reader->parser->block_depth++;
        read_statements(reader, &children);
        reader->parser->block_depth--;
    }
    statement->children = children.items;
    statement->child_count = children.count;
    statement->end = reader->token.at;
    if (reader->token.kind == TOKEN_CLOSE)
        advance(reader);
    else
        report(reader, "syntax.open-block", opened,
               "the block that is opened here is not closed; is a } missing?");
}

static bool is_include(const struct statement *statement)
{
    return statement_has_word(statement, 0, "include") && !statement->has_block;
}

static bool is_pattern(const char *path)
{
    size_t at;

    return slice_find_byte(slice_from(path), '*', &at) ||
           slice_find_byte(slice_from(path), '?', &at) ||
           slice_find_byte(slice_from(path), '[', &at);
}

static void include_pattern(struct parser *parser, const char *pattern, struct position at,
                            struct statement_list *list)
{
    struct text problem;
    struct slice paths;
    struct slice path;

    text_init(&problem, 200);
    if (!sources_get_paths(parser->sources, pattern, &paths, &problem))
        diagnostics_add(parser->diagnostics, SEVERITY_ERROR, "syntax.include", at,
                        "cannot look for \"%s\": %s", pattern, text_string(&problem));
    else if (paths.length == 0)
        diagnostics_add(parser->diagnostics, SEVERITY_WARNING, "lint.include-empty", at,
                        "no file matches \"%s\", so nothing is included here", pattern);
    else
        while (slice_next(&paths, '\n', &path))
            read_file(parser, sources_resolve_path(parser->sources, "", path), at, list);
    text_clear(&problem);
}

static void carry_out_include(struct reader *reader, const struct statement *statement,
                              struct statement_list *list)
{
    struct parser *parser = reader->parser;
    struct position at = statement->words[0].at;
    const char *path;

    if (statement->word_count != 2 || statement->words[1].text.length == 0) {
        report(reader, "syntax.include", at,
               "include takes one path or pattern, such as: include policies/*.policy;");
        return;
    }
    if (parser->include_depth == MAX_INCLUDE_DEPTH) {
        report(reader, "syntax.include", at, "files include each other at most 16 deep");
        return;
    }
    path = sources_resolve_path(parser->sources, at.path, statement->words[1].text);
    parser->include_depth++;
    if (is_pattern(path))
        include_pattern(parser, path, statement->words[1].at, list);
    else
        read_file(parser, path, statement->words[1].at, list);
    parser->include_depth--;
}

static void read_statement(struct reader *reader, struct statement_list *list)
{
    struct statement statement = { 0 };
    struct position end = read_words(reader, &statement);

    statement.end = reader->token.at;
    if (reader->token.kind == TOKEN_OPEN) {
        struct position opened = reader->token.at;

        advance(reader);
        read_block(reader, &statement, opened);
    } else if (reader->token.kind == TOKEN_SEMICOLON) {
        advance(reader);
    } else {
        statement.end = end;
        report(reader, "syntax.semicolon", end, "a ; is missing here");
    }
    if (is_include(&statement)) {
        carry_out_include(reader, &statement, list);
        free_words(&statement);
    } else {
        add_statement(list, &statement);
    }
}

/* Up to a } or the end of the file, whichever comes first; it is not used up. */
static void read_statements(struct reader *reader, struct statement_list *list)
{
    while (reader->token.kind != TOKEN_END && reader->token.kind != TOKEN_CLOSE) {
        struct position at = reader->token.at;

        if (is_word(reader->token.kind)) {
            read_statement(reader, list);
        } else if (reader->token.kind == TOKEN_SEMICOLON) {
            report(reader, "syntax.empty", at, "this ; ends nothing; remove it");
            advance(reader);
        } else {
            struct statement nameless = { 0 };

            report(reader, "syntax.empty", at,
                   "a block needs its kind in front of the {, such as: listener inbound {");
            advance(reader);
            read_block(reader, &nameless, at);
            free_statements(nameless.children, nameless.child_count);
        }
    }
}

/* ---- Files ---- */

static void read_bytes(struct parser *parser, struct slice bytes, const char *path,
                       struct statement_list *list)
{
    struct reader reader = { .parser = parser };

    lexer_init(&reader.lexer, bytes, path, parser->diagnostics);
    advance(&reader);
    for (;;) {
        read_statements(&reader, list);
        if (reader.token.kind == TOKEN_END)
            break;
        report(&reader, "syntax.close", reader.token.at, "this } closes nothing; remove it");
        advance(&reader);
    }
    lexer_clear(&reader.lexer);
}

static void read_file(struct parser *parser, const char *path, struct position asked_at,
                      struct statement_list *list)
{
    struct slice name = slice_from(path);
    struct slice bytes;
    struct text problem;

    text_init(&problem, 200);
    if (map_find(&parser->files, name) != NULL)
        diagnostics_add(parser->diagnostics, SEVERITY_ERROR, "syntax.include", asked_at,
                        "\"%s\" is part of this configuration already; each file is read once",
                        path);
    else if (parser->files.count == MAX_FILES)
        diagnostics_add(parser->diagnostics, SEVERITY_ERROR, "syntax.include", asked_at,
                        "a configuration has at most 1,000 files");
    else if (!sources_get_file(parser->sources, path, &bytes, &problem))
        diagnostics_add(parser->diagnostics, SEVERITY_ERROR, "syntax.file", asked_at,
                        "cannot read \"%s\": %s", path, text_string(&problem));
    else if (bytes.length > MAX_FILE_BYTES)
        diagnostics_add(parser->diagnostics, SEVERITY_ERROR, "syntax.file", asked_at,
                        "\"%s\" is larger than 1 MiB; is it a configuration?", path);
    else {
        map_set(&parser->files, name, parser);
        read_bytes(parser, bytes, path, list);
    }
    text_clear(&problem);
}

bool syntax_parse(struct syntax_tree *tree, struct sources *sources, const char *path,
                  struct diagnostics *diagnostics)
{
    struct parser parser = { .sources = sources, .diagnostics = diagnostics };
    struct statement_list list = { 0 };
    const char *kept = sources_keep_path(sources, path);
    bool is_read;

    map_init(&parser.files);
    read_file(&parser, kept, (struct position){ .path = kept }, &list);
    is_read = map_find(&parser.files, slice_from(kept)) != NULL;
    map_clear(&parser.files);
    tree->statements = list.items;
    tree->statement_count = list.count;
    return is_read;
}

void syntax_clear(struct syntax_tree *tree)
{
    free_statements(tree->statements, tree->statement_count);
    *tree = (struct syntax_tree){ 0 };
}

bool statement_has_word(const struct statement *statement, size_t index, const char *text)
{
    return index < statement->word_count && !statement->words[index].is_quoted &&
           slice_equals(statement->words[index].text, slice_from(text));
}
