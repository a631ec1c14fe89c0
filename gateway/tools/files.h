/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that a tool is told to read. */
#ifndef POSTERN_TOOLS_FILES_H
#define POSTERN_TOOLS_FILES_H

#include <stdbool.h>

#include "base/text.h"

/*
 * Appends a whole file to `out`; "-" is standard input. False and a sentence,
 * which names the path, when it cannot be read or is larger than the room in `out`.
 */
bool file_read(const char *path, struct text *out, struct text *problem)
    __attribute__((warn_unused_result));

/* Appends a message as people write it to a file: LF becomes CRLF, and the last line has one. */
void file_add_with_crlf(struct text *out, struct slice content);

#endif
