/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tools print: foreign bytes never reach a terminal raw. */
#ifndef POSTERN_TOOLS_OUTPUT_H
#define POSTERN_TOOLS_OUTPUT_H

#include <stdio.h>

#include "base/slice.h"

/* "postern NAME: ..." and a newline, on stderr; the message is cut at 2,000 bytes. */
void tool_complain(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `prefix`, `line` with \xHH for what is not printable ASCII, and a newline. */
void tool_print_line(FILE *out, const char *prefix, struct slice line);

#endif
