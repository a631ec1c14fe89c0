/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are only in memory, for tests of everything that reads a configuration. */
#ifndef POSTERN_TESTS_MEMORY_FILES_H
#define POSTERN_TESTS_MEMORY_FILES_H

#include <fnmatch.h>
#include <string.h>

#include "base/memory.h"
#include "config/sources.h"

struct memory_file {
    const char *path;
    struct slice bytes;
};

/* The owner of memory_files_fetch. */
struct memory_files {
    const struct memory_file *files; /* sorted by path */
    size_t count;
    size_t fetch_count;              /* how often it was asked */
};

static inline bool memory_files_fetch(void *owner, const char *path, bool is_pattern,
                                      char **take_bytes, size_t *length, struct text *problem)
{
    struct memory_files *files = owner;
    struct text paths;

    files->fetch_count++;
    text_init(&paths, 10000);
    for (size_t i = 0; i < files->count; i++) {
        if (is_pattern && fnmatch(path, files->files[i].path, FNM_PATHNAME) == 0)
            text_add_format(&paths, "%s\n", files->files[i].path);
        if (!is_pattern && strcmp(path, files->files[i].path) == 0) {
            *take_bytes = mem_copy(files->files[i].bytes);
            *length = files->files[i].bytes.length;
            return true;
        }
    }
    if (is_pattern) {
        *take_bytes = mem_copy(text_slice(&paths));
        *length = paths.length;
    } else {
        text_add_string(problem, "No such file or directory");
    }
    text_clear(&paths);
    return is_pattern;
}

#endif
