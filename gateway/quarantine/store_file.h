/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of one copy, as bytes: content, text, footer. It is written in blocks
 * and digested while it is written, and read as hostile: what stands in the
 * folder may be damaged, or may never have been ours. No names here; see store.h.
 */
#ifndef POSTERN_QUARANTINE_STORE_FILE_H
#define POSTERN_QUARANTINE_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "quarantine/store.h"

/*
 * Writes the whole file to `fd`, which stands at its start. For anything but STORE_DONE a sentence
 * part about the file: "cannot be written: ...".
 */
enum store_result store_file_write(int fd, const struct copy *copy, int source_fd,
                                   const struct store_piece *pieces, size_t piece_count,
                                   uint64_t *file_bytes, struct text *problem)
    __attribute__((warn_unused_result));
/*
 * Checks and reads what `file->fd` is open on; the other fields of `file` are set, `copy` must be
 * initialised. Only STORE_DONE leaves anything in it but `fd` and `file_bytes`.
 */
enum store_result store_file_read(struct store_file *file, bool is_whole, struct text *problem)
    __attribute__((warn_unused_result));

/* STORE_FULL or STORE_FAILED, by the errno. */
enum store_result store_result_of(int error);

#endif
