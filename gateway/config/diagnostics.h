/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong or doubtful in a configuration: each finding has a place, a
 * severity, a stable id and a sentence that says why and what to do.
 */
#ifndef POSTERN_CONFIG_DIAGNOSTICS_H
#define POSTERN_CONFIG_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/text.h"

/* A place in a source. */
struct position {
    const char *path; /* "" for none; lent by the sources, and lives as long as they do */
    unsigned int line;   /* from 1; 0 for the file as a whole */
    unsigned int column; /* from 1, in bytes */
};

enum severity {
    SEVERITY_ERROR,   /* the configuration does not load */
    SEVERITY_WARNING, /* it loads; `postern check` shows it until `waive` silences it */
    SEVERITY_NOTE,    /* worth knowing */
};

struct diagnostic {
    enum severity severity;
    const char *id;      /* static: "syntax.unknown-setting", "lint.relay-wide" */
    struct position at;  /* its path is a copy and lives as long as the diagnostic */
    char *sentence;      /* owned; one line */
    char *waived_because;/* owned; NULL while not waived */
};

struct diagnostics {
    struct diagnostic *items; /* in order of finding */
    size_t count;
    size_t capacity;
    size_t error_count;
};

void diagnostics_init(struct diagnostics *diagnostics);
void diagnostics_clear(struct diagnostics *diagnostics);
/* Foreign text in the arguments is escaped here. */
void diagnostics_add(struct diagnostics *diagnostics, enum severity severity, const char *id,
                     struct position at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* "path:line:column: error: sentence [id]\n"; "... waived: sentence [id] because: reason\n" */
void diagnostic_print(struct text *out, const struct diagnostic *diagnostic);

/*
 * The entry of `known` that `word` was probably meant to be (edit distance at
 * most 2), or NULL. `known` is an array of `count` strings.
 */
const char *diagnostics_suggest(struct slice word, const char *const *known, size_t count);

#endif
