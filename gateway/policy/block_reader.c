/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks by tables of keys; see block_reader.h. */
#include "policy/block_reader.h"

#include <assert.h>
#include <stdarg.h>

#define MAX_SENTENCE_BYTES 1000

/* ---- mistakes ---- */

void block_report(const struct policy_parser *parser, const char *id, struct position at,
                  const char *format, ...)
{
    struct text sentence;
    va_list arguments;

    text_init(&sentence, MAX_SENTENCE_BYTES);
    va_start(arguments, format);
    text_add_format_list(&sentence, format, arguments);
    va_end(arguments);
    diagnostics_add(parser->diagnostics, SEVERITY_ERROR, id, at, "%s", text_string(&sentence));
    text_clear(&sentence);
}

void block_report_unknown(struct diagnostics *diagnostics, const char *id, const struct word *word,
                          const char *lead, const char *const *known, size_t count,
                          const char *hint)
{
    const char *meant = diagnostics_suggest(word->text, known, count);

    if (meant != NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, id, word->at,
                        "%s \"%.*s\"; did you mean \"%s\"?", lead, SLICE_ARGS(word->text), meant);
    else
        diagnostics_add(diagnostics, SEVERITY_ERROR, id, word->at, "%s \"%.*s\"%s%s", lead,
                        SLICE_ARGS(word->text), hint[0] != '\0' ? "; " : "", hint);
}

/* ---- keys ---- */

static const struct block_key *find_key(const struct statement *statement,
                                        const struct block_key *keys, size_t count,
                                        const char *kind, const struct policy_parser *parser)
{
    const char *known[BLOCK_MAX_KEYS];
    struct text lead;

    assert(count <= BLOCK_MAX_KEYS);
    for (size_t i = 0; i < count; i++) {
        if (statement_has_word(statement, 0, keys[i].word))
            return &keys[i];
        known[i] = keys[i].word;
    }
    text_init(&lead, MAX_SENTENCE_BYTES);
    text_add_format(&lead, "a %s block has no setting", kind);
    block_report_unknown(parser->diagnostics, "config.unknown-setting", &statement->words[0],
                         text_string(&lead), known, count, "");
    text_clear(&lead);
    return NULL;
}

void block_read(const struct statement *block, const struct block_key *keys, size_t count,
                const char *kind, void *owner, const struct policy_parser *parser)
{
    for (size_t i = 0; i < block->child_count; i++) {
        const struct statement *statement = &block->children[i];
        const struct block_key *key = find_key(statement, keys, count, kind, parser);

        if (key == NULL)
            continue;
        if (key->has_block == statement->has_block)
            key->parse(owner, statement, parser);
        else if (key->has_block)
            block_report(parser, "config.block", statement->words[0].at,
                         "%s needs a block: \"%s NAME { ... }\"", key->word, key->word);
        else
            block_report(parser, "config.block", statement->words[0].at,
                         "%s takes no block; end it with a ;", key->word);
    }
}

/* ---- values ---- */

bool block_set_once(struct position *where, const struct statement *statement,
                    const struct policy_parser *parser)
{
    const struct word *word = &statement->words[0];

    if (position_is_set(*where)) {
        block_report(parser, "config.duplicate", word->at,
                     "%.*s is given twice; the first is on line %u of %s", SLICE_ARGS(word->text),
                     where->line, where->path);
        return false;
    }
    *where = word->at;
    return true;
}

const struct word *block_get_value(const struct statement *statement, const char *wanted,
                                   const struct policy_parser *parser)
{
    const struct word *words = statement->words;

    if (statement->word_count == 2)
        return &words[1];
    if (statement->word_count == 1)
        block_report(parser, "config.value", words[0].at, "%.*s needs a value: %s",
                     SLICE_ARGS(words[0].text), wanted);
    else
        block_report(parser, "config.value", words[2].at,
                     "%.*s takes one value, and this is another", SLICE_ARGS(words[0].text));
    return NULL;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];

        if (!ascii_is_alnum(c) && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    return name.length > 0 && name.length <= POLICY_MAX_NAME_BYTES;
}

const char *block_keep_name(const struct word *word, const char *what,
                            const struct policy_parser *parser)
{
    if (is_name(word->text))
        return string_pool_keep(parser->pool, word->text);
    block_report(parser, "config.name", word->at,
                 "\"%.*s\" is no name for a %s: a name has letters, digits, - and _, a letter or "
                 "digit first, and at most %d of them",
                 SLICE_ARGS(word->text), what, POLICY_MAX_NAME_BYTES);
    return NULL;
}

bool block_parse_mode(enum mode *mode, struct position *where, const struct statement *statement,
                      const struct policy_parser *parser)
{
    static const char wanted[] = "enforce or shadow";
    const struct word *word;

    if (!block_set_once(where, statement, parser))
        return false;
    word = block_get_value(statement, wanted, parser);
    if (word == NULL)
        return false;
    *mode = statement_has_word(statement, 1, "shadow") ? MODE_SHADOW : MODE_ENFORCE;
    if (*mode == MODE_SHADOW || statement_has_word(statement, 1, "enforce"))
        return true;
    block_report(parser, "config.value", word->at, "mode takes %s, not \"%.*s\"", wanted,
                 SLICE_ARGS(word->text));
    return false;
}
