/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of names that may be very large: recipients, the entries of a list. It
 * holds slices of bytes that stay where they are, so a million addresses in a
 * mapped file cost 32 MiB, and nothing is copied. Letters compare without case
 * (ASCII only).
 */
#ifndef POSTERN_CONFIG_NAME_SET_H
#define POSTERN_CONFIG_NAME_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct name_set {
    struct slice *slots; /* open addressing, linear probing; no data means free */
    size_t slot_count;   /* a power of two, or 0 */
    size_t count;        /* names */
};

/* An empty set. */
void name_set_init(struct name_set *set);
/* Empty again; the names themselves are the owner's. */
void name_set_clear(struct name_set *set);
/* `name` is not empty; it is kept, not copied, until the set is cleared. Twice is harmless. */
void name_set_add(struct name_set *set, struct slice name);
/* In any case of its letters. */
bool name_set_has(const struct name_set *set, struct slice name);

#endif
