/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of postern's own log, logfmt or JSON, read back into its keys (see
 * postern-log(7)). What is no such line is said to be none.
 */
#ifndef POSTERN_TOOLS_LOG_LINE_H
#define POSTERN_TOOLS_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct log_pair {
    char *key;   /* owned */
    char *value; /* owned, unescaped; items of an array have a comma between them */
};

struct log_line {
    struct log_pair *pairs; /* owned */
    size_t count;
    size_t capacity;
};

/* `line` without its end. False, with nothing to clear, when it is no line of ours. */
bool log_line_parse(struct log_line *line, struct slice text) __attribute__((warn_unused_result));
void log_line_clear(struct log_line *line);

/* The value of a key; NULL when it is not in the line. Borrowed. */
const char *log_line_find(const struct log_line *line, const char *key);

#endif
