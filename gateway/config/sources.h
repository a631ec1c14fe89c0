/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All files that a configuration is made of, by path. The loader fills it from
 * disk while it parses; packed into one piece of memory it travels to the other
 * processes, which parse the very same bytes and open no file.
 */
#ifndef POSTERN_CONFIG_SOURCES_H
#define POSTERN_CONFIG_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/slice.h"
#include "base/text.h"

struct sources;

/*
 * Reads a file or expands a pattern when it is asked for the first time. For a
 * pattern the bytes are the paths found, sorted, each with a newline. The bytes
 * are heap memory that the sources take over. False and a sentence part
 * ("No such file or directory") when it cannot.
 */
typedef bool (*sources_fetch_fn)(void *owner, const char *path, bool is_pattern, char **take_bytes,
                                 size_t *length, struct text *problem);

/* With `fetch` NULL only what was packed is there. */
struct sources *sources_new(sources_fetch_fn fetch, void *owner);
void sources_free(struct sources **sources);

/* The bytes of a file, borrowed until the sources are freed. */
bool sources_get_file(struct sources *sources, const char *path, struct slice *bytes,
                      struct text *problem) __attribute__((warn_unused_result));
bool sources_get_paths(struct sources *sources, const char *pattern, struct slice *paths,
                       struct text *problem) __attribute__((warn_unused_result));
/* A copy of `path`, or of any other text, that lives as long as the sources; equals share it. */
const char *sources_keep_path(struct sources *sources, const char *path);
/*
 * What `path` means in the file `from`: itself when it is absolute, else a path
 * below the folder of that file. Kept like the above.
 */
const char *sources_resolve_path(struct sources *sources, const char *from, struct slice path);

/*
 * Everything that was read, as one run of bytes; sources_unpack reads it back and keeps it by
 * reference (the caller keeps `packed` in place). False when it is damaged.
 */
void sources_pack(const struct sources *sources, struct text *out);
bool sources_unpack(struct sources *sources, struct slice packed)
    __attribute__((warn_unused_result));

#endif
