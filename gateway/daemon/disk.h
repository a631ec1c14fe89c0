/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the loader and the tools get the files of a configuration from. */
#ifndef POSTERN_DAEMON_DISK_H
#define POSTERN_DAEMON_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* No file of a configuration is larger. */
#define DISK_MAX_FILE_BYTES (256u * 1024 * 1024)

/*
 * A sources_fetch_fn (config/sources.h): reads a regular file, or expands a pattern as the shell
 * does. `owner` is not used. It may wait for the disk, so no worker calls it.
 */
bool disk_fetch(void *owner, const char *path, bool is_pattern, char **take_bytes, size_t *length,
                struct text *problem);

#endif
