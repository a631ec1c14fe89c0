/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a configuration file, one at a time, each with its place. The
 * grammar is in syntax.h. Line ends are LF or CRLF. A byte order mark at the
 * beginning is passed over.
 */
#ifndef POSTERN_CONFIG_LEXER_H
#define POSTERN_CONFIG_LEXER_H

#include <stddef.h>

#include "base/slice.h"
#include "base/text.h"
#include "config/diagnostics.h"

enum token_kind {
    TOKEN_END,       /* of the file */
    TOKEN_WORD,      /* bare */
    TOKEN_QUOTED,    /* its text is without quotes, escapes resolved */
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
    TOKEN_OPEN,      /* { */
    TOKEN_CLOSE,     /* } */
};

struct token {
    enum token_kind kind;
    struct slice text;   /* of a word; borrowed until the next call */
    struct position at;  /* of its first byte */
    struct position end; /* just behind its last byte */
};

struct lexer {
    /* Lent by the owner. */
    struct diagnostics *diagnostics;
    struct slice rest;        /* what is still to be read */
    struct position position; /* of its first byte */
    /* State. */
    struct text unescaped;    /* the last quoted word */
};

/* `path` lives as long as the positions do; `bytes` as long as the lexer. */
void lexer_init(struct lexer *lexer, struct slice bytes, const char *path,
                struct diagnostics *diagnostics);
void lexer_clear(struct lexer *lexer);

/*
 * The next token. Bytes that belong in no file are reported and skipped; a
 * quoted word that does not end on its line is reported and ends there.
 */
struct token lexer_next(struct lexer *lexer);

#endif
