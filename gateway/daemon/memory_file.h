/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in memory (memfd) that processes share by descriptor. Their size can
 * never change again, so nobody who maps one can be hurt by somebody else's
 * ftruncate.
 */
#ifndef POSTERN_DAEMON_MEMORY_FILE_H
#define POSTERN_DAEMON_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* A copy of `bytes` that nobody can change any more. -1 with errno set when the system refuses. */
int memory_file_seal(const char *name, struct slice bytes);
/*
 * Maps a sealed file for reading; false when it is none, or cannot be mapped. An empty file gives
 * an empty slice.
 */
bool memory_file_map_sealed(int fd, struct slice *bytes) __attribute__((warn_unused_result));
void memory_file_unmap_sealed(struct slice *bytes);

/* Zeroed memory of a fixed size for several processes to write; -1 with errno set likewise. */
int memory_file_share(const char *name, size_t size);
/* Maps such a file; NULL when it does not have this size, or the system refuses. */
void *memory_file_map_shared(int fd, size_t size) __attribute__((warn_unused_result));
void memory_file_unmap_shared(void *memory, size_t size);

#endif
