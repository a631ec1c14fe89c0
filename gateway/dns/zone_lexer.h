/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a zone file (RFC 1035 5.1), an entry at a time: an entry is a line,
 * or more of them where parentheses hold them together.
 */
#ifndef POSTERN_DNS_ZONE_LEXER_H
#define POSTERN_DNS_ZONE_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Of an entry; a text record of 64 KiB has 257 strings. */
#define ZONE_MAX_WORDS 400

struct zone_word {
    struct slice text;   /* as it stands, with its escapes, without quotes */
    unsigned int line;
    unsigned int column;
    bool is_quoted;
};

struct zone_lexer {
    struct slice rest;
    unsigned int line;   /* of the first byte of the rest */
    unsigned int column;
    /* The entry. */
    struct zone_word words[ZONE_MAX_WORDS];
    size_t word_count;
    bool is_indented;    /* it begins with a blank: its owner is that of the entry before */
};

/* `bytes` are lent until the end. */
void zone_lexer_init(struct zone_lexer *lexer, struct slice bytes);
/*
 * Reads the next entry that has a word; false at the end of the file, and when something is wrong:
 * then *complaint is a sentence, else NULL, and the lexer stands where it is.
 */
bool zone_lexer_next(struct zone_lexer *lexer, const char **complaint);

/*
 * Takes a byte off the front of a word: itself, or what \DDD or \X stand for. False, and nothing
 * taken, when the word is empty or ends in an escape that is none. *is_escaped when it was one.
 */
bool zone_take_byte(struct slice *rest, unsigned char *byte, bool *is_escaped);

#endif
