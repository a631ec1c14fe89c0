/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shape of a configuration before anyone asks what it means: statements of
 * words, ended by ";" or followed by a block. Every word knows where it stands.
 *
 *     statement = word { [","] word } ( ";" | "{" { statement } "}" )
 *     word      = bare / quoted
 *     bare      = 1*( any byte but blank, control, ; { } , " # )
 *     quoted    = DQUOTE *( any byte but DQUOTE, "\" and newline / "\" DQUOTE / "\\" ) DQUOTE
 *     comment   = "#" up to the end of the line
 *
 * A comma is a word of its own. `include PATTERN;` is carried out here.
 */
#ifndef POSTERN_CONFIG_SYNTAX_H
#define POSTERN_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "config/diagnostics.h"
#include "config/sources.h"

struct word {
    struct slice text;   /* without quotes, escapes resolved; owned by the tree; a NUL follows */
    struct position at;
    bool is_quoted;
};

struct statement {
    struct word *words;      /* at least one; words[0] is the key */
    size_t word_count;
    bool has_block;
    struct statement *children;
    size_t child_count;
    struct position end;     /* of the ; or } */
};

struct syntax_tree {
    struct statement *statements;
    size_t statement_count;
};

/*
 * Parses `path` and what it includes (relative to the including file; at most 16
 * deep, each file once). Problems go to `diagnostics`; the tree holds what could
 * be read. False when `path` itself could not be, which is all there is to say
 * then. Ceilings: 1 MiB a file, 1,000 files, 32 levels of blocks, 10,000 words
 * a statement.
 */
bool syntax_parse(struct syntax_tree *tree, struct sources *sources, const char *path,
                  struct diagnostics *diagnostics);
void syntax_clear(struct syntax_tree *tree);

/* True when words[index] exists and is this bare word. */
bool statement_has_word(const struct statement *statement, size_t index, const char *text);

#endif
