/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reading policy, domain and rule blocks has in common: a table of keys for
 * each kind of block, where every key remembers its place, and the wording of
 * mistakes. (config/settings fills plain structs from single values; these blocks
 * hold blocks of their own, and `postern effective` wants to know where each value
 * was written.)
 */
#ifndef POSTERN_POLICY_BLOCK_READER_H
#define POSTERN_POLICY_BLOCK_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "policy/policy.h"

/* What all blocks of one configuration share. */
struct policy_parser {
    const struct config *config;
    struct diagnostics *diagnostics;
    struct string_pool *pool;  /* takes the strings */
};

/* Reads one statement. `owner` is what the block fills. */
typedef void (*block_key_fn)(void *owner, const struct statement *statement,
                             const struct policy_parser *parser);

struct block_key {
    const char *word;
    bool has_block;
    block_key_fn parse;
};

#define BLOCK_MAX_KEYS 8

/* Gives every statement of the block to the function of its key. `kind` is "policy", "rule" ... */
void block_read(const struct statement *block, const struct block_key *keys, size_t count,
                const char *kind, void *owner, const struct policy_parser *parser);

/* Adds an error. */
void block_report(const struct policy_parser *parser, const char *id, struct position at,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/*
 * Adds the error "LEAD "word"", as in "there is no list "x"", with the likely one among `known` or
 * else with `hint` ("" for none) behind it.
 */
void block_report_unknown(struct diagnostics *diagnostics, const char *id, const struct word *word,
                          const char *lead, const char *const *known, size_t count,
                          const char *hint);

/* Notes where the statement stands. False, and an error, when it was set before in the block. */
bool block_set_once(struct position *where, const struct statement *statement,
                    const struct policy_parser *parser);
/* The one word behind the key, or NULL and an error that says what is `wanted`. */
const struct word *block_get_value(const struct statement *statement, const char *wanted,
                                   const struct policy_parser *parser);
/*
 * A copy of a name, NULL and an error when it is not plain: names end up in reason ids and in
 * header fields.
 */
const char *block_keep_name(const struct word *word, const char *what,
                            const struct policy_parser *parser);
/* `mode enforce;` or `mode shadow;`. False after an error. */
bool block_parse_mode(enum mode *mode, struct position *where, const struct statement *statement,
                      const struct policy_parser *parser);

#endif
