/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash map from bytes to pointers. Keys are hashed with a secret of this
 * process (SipHash-1-3), so that nobody outside can choose keys that collide.
 * Entries stay until the map goes.
 */
#ifndef POSTERN_BASE_MAP_H
#define POSTERN_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct map_entry {
    struct slice key; /* owned by the map */
    void *value;      /* lent by the caller */
};

struct map {
    struct map_entry **slots; /* open addressing, linear probing; NULL is free */
    size_t slot_count;        /* a power of two, or 0 */
    size_t count;             /* entries */
};

/* An empty map, which holds no memory yet. */
void map_init(struct map *map);
/* Frees keys and table, not the values. */
void map_clear(struct map *map);

/* The value under `key`, or NULL. */
void *map_find(const struct map *map, struct slice key);
/*
 * Stores `value`, which is not NULL, under a copy of the key. Returns the value
 * that was there before, or NULL.
 */
void *map_set(struct map *map, struct slice key, void *value);

/*
 * Walks all entries in no particular order: start with *position = 0; NULL at
 * the end. The map must not change meanwhile.
 */
const struct map_entry *map_next(const struct map *map, size_t *position);

#endif
