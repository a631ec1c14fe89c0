/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for sessions and transactions: 48 bits of wall-clock milliseconds and
 * 32 bits that tell processes and moments apart, in 16 characters of Crockford's
 * base32 (lower case). They sort by time, to the millisecond; within a process
 * they never repeat, and between two of them not in practice (see id.c).
 */
#ifndef POSTERN_BASE_ID_H
#define POSTERN_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define ID_LENGTH 16

struct id {
    char text[ID_LENGTH + 1]; /* NUL-terminated; "" for none */
};

/*
 * A new id. The 32 bits are a counter that starts at a random place, so ids do
 * not tell outsiders how many there were since the start.
 */
struct id id_new(void);

/* When it was made, to the millisecond. False when `s` does not begin with the bytes of an id. */
bool id_find_time(struct slice s, uint64_t *wall_us) __attribute__((warn_unused_result));

#endif
