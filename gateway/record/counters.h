/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that a worker keeps in shared memory: one writer, readers sum over
 * the workers. Only the owner of a block writes; a reader may see a number a
 * moment old, never a torn one.
 */
#ifndef POSTERN_RECORD_COUNTERS_H
#define POSTERN_RECORD_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum counter {
    COUNTER_SESSIONS,            /* accepted, in all */
    COUNTER_SESSIONS_OPEN,       /* now */
    COUNTER_SESSIONS_REFUSED,    /* over a cap */
    COUNTER_TLS_HANDSHAKES,
    COUNTER_TLS_FAILURES,
    COUNTER_TRANSACTIONS,
    COUNTER_ACCEPTED,
    COUNTER_REJECTED,
    COUNTER_TEMPFAILED,
    COUNTER_HELD,
    COUNTER_DISCARDED,
    COUNTER_ABORTED,
    COUNTER_UNKNOWN,
    COUNTER_BYTES_IN,            /* of content */
    COUNTER_LONGEST_TURN_US,     /* the loop's longest turn since it was last read */
    COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t values[COUNTER_COUNT];
};

/* By the block's owner. */
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counters->values[counter], amount, memory_order_relaxed);
}

/* Likewise; never below what was added. */
static inline void counter_subtract(struct counters *counters, enum counter counter,
                                    uint64_t amount)
{
    atomic_fetch_sub_explicit(&counters->values[counter], amount, memory_order_relaxed);
}

/* By anyone. */
static inline uint64_t counter_get(const struct counters *counters, enum counter counter)
{
    return atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
}

#endif
