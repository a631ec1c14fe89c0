/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the terms of `when` and `except` lines. What a term may hold is in
 * evidence/vocabulary; here is how it is written:
 *
 *     terms      = term { "and" term }
 *     term       = word values / "header" name ( "present" / "absent" / "contains" texts )
 *     values     = value { "," value }
 *     value      = "in" list-name / comparison number / word
 *     comparison = ">" / ">=" / "<" / "<="
 */
#ifndef POSTERN_POLICY_TERM_PARSER_H
#define POSTERN_POLICY_TERM_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "policy/rules.h"

/* Where a reader of one statement stands. */
struct word_reader {
    const struct config *config;        /* for lists and listeners */
    struct diagnostics *diagnostics;
    const struct statement *statement;
    size_t next;                        /* index of the word to read */
};

/* The word at hand, or NULL at the end of the statement. */
const struct word *word_reader_peek(const struct word_reader *reader);
/* True, and one further, when the word at hand is this bare word. */
bool word_reader_skip(struct word_reader *reader, const char *text);
/* Of the word at hand, or of the statement's end. */
struct position word_reader_position(const struct word_reader *reader);

/*
 * One term, up to `and` or the end of the statement. With a mistake: a diagnostic, false, and
 * `term` is empty. Free it with term_clear.
 */
bool term_parse(struct term *term, struct word_reader *reader) __attribute__((warn_unused_result));

#endif
