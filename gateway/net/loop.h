/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of one process, on libevent. It gives four things: readiness
 * of descriptors, timers, work put off to the end of the turn, and signals. No
 * callback of anything in net/ runs inside the call that asked for it: what is
 * known at once is put off like the rest.
 *
 * A turn: wait; call back for what is ready or due, 64 descriptors at most; run
 * the work put off, in two rounds; write the output of all streams. Work put off
 * behind that is run in the next, which does not wait, so that nothing starves
 * the sockets. Where few take long, fewer have their turn, in the same order:
 * with callbacks and tasks of 2 ms at most, a turn is over within 10 ms.
 */
#ifndef POSTERN_NET_LOOP_H
#define POSTERN_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct loop;

/* Makes the process ignore SIGPIPE: a peer that is gone shows as an error of the write. */
struct loop *loop_new(void);
/*
 * Streams that were left to it by stream_finish are closed at once. All else on
 * it (streams, watches, listeners) must be gone; timers and tasks are forgotten. Signals that it
 * has caught are blocked from then on.
 */
void loop_free(struct loop **loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* Ends loop_run after the present turn; before loop_run, after its first. */
void loop_stop(struct loop *loop);

/* ---- Timers. Embedded in their owner; never early, and late by 10 ms or a long turn at most.
 * Many thousands are cheap, and to set one again to a later time costs next to nothing. */

typedef void (*loop_timer_fn)(void *owner);

struct loop_timer {
    struct loop *loop;   /* lent; NULL before init */
    uint64_t due_ms;     /* monotonic; 0 while not set */
    uint64_t wake_ms;    /* when the loop looks at it next; never after due_ms */
    size_t place;        /* in the loop's heap, counted from 1; 0 while not set */
    loop_timer_fn on_due;
    void *owner;
};

/* A timer that is not set. */
void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn on_due,
                     void *owner);
/* (Re)sets it to `delay_ms` from the start of this turn. It is called once, from the loop. */
void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms);
/* After this it is not called. Harmless when not set. */
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* ---- Work at the end of the turn: results known at once, and the end of objects. */

struct loop_task {
    struct list_link link;
    void (*run)(void *owner);
    void *owner;
};

/* A task that is not put off. */
void loop_task_init(struct loop_task *task, void (*run)(void *owner), void *owner);
/*
 * Runs once, later in this turn or at the start of the next, in the order of the calls; harmless
 * when already put off.
 */
void loop_defer(struct loop *loop, struct loop_task *task);
/*
 * The same for work that may ask for more of itself: it runs once a turn at most, behind the others
 * (and what it puts off by loop_defer runs in the same turn). So nobody gets more than a share.
 */
void loop_defer_again(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);

/* ---- Descriptors. */

struct loop_watch;

/*
 * Level-triggered. `on_ready` is called from the loop while the watch lives, and
 * may free it; fd stays the caller's, and is closed after the watch is gone.
 */
struct loop_watch *loop_watch_new(struct loop *loop, int fd, bool for_writing,
                                  void (*on_ready)(void *owner), void *owner);
/* Stops it until loop_watch_resume. */
void loop_watch_pause(struct loop_watch *watch);
void loop_watch_resume(struct loop_watch *watch);
void loop_watch_free(struct loop_watch **watch);

/* ---- Signals, for the processes' own main. `on_signal` is called from the loop until its end. */
void loop_on_signal(struct loop *loop, int signal_number, void (*on_signal)(void *owner),
                    void *owner);

/* Holds all signals of this process back, in the system, or lets them come. */
void loop_hold_signals(bool is_held);

/* Monotonic milliseconds, read once a turn. */
uint64_t loop_now_ms(const struct loop *loop);
/* The longest turn so far in microseconds, waiting not counted; the measure starts afresh. */
uint64_t loop_take_longest_turn_us(struct loop *loop);

#endif
