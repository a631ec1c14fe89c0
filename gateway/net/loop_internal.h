/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loop gives to the rest of net/ and to nobody else: the door to libevent. */
#ifndef POSTERN_NET_LOOP_INTERNAL_H
#define POSTERN_NET_LOOP_INTERNAL_H

#include <stddef.h>

#include "net/loop.h"

struct event_base;

/* Lent, for event_assign. */
struct event_base *loop_base(struct loop *loop);

/* Every callback from libevent calls this first: the turn, and its clock, begin with the first. */
void loop_enter_turn(struct loop *loop);

/* Like loop_defer, but after all of it: when everyone has written what they will this turn. */
void loop_defer_flush(struct loop *loop, struct loop_task *task);

/* `task` runs in loop_free, unless cancelled before: for what belongs to the loop alone. */
void loop_run_at_end(struct loop *loop, struct loop_task *task);

/* What all streams of a loop take together, for the ceilings that they have in common. */
struct loop_accounts {
    size_t kept_bytes;      /* input that lies unconsumed in memory of a stream's own */
    size_t unsent_bytes;    /* memory of the output of accepted streams */
    size_t finishing_count; /* streams that were left to the loop, and are not closed yet */
};
struct loop_accounts *loop_accounts(struct loop *loop);

/*
 * One buffer for whoever reads at this moment; what is in it after the turn is lost. Big enough
 * for what a stream may keep unconsumed and one read more.
 */
#define LOOP_SHARED_BUFFER_BYTES 131072
char *loop_shared_buffer(struct loop *loop);

#endif
