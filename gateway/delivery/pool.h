/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channels (connections) of one worker to one backend: how many there may
 * be, who waits for one, and which are kept for the next mail.
 *
 * A channel is kept only when it is clean: no more than two refusals in its
 * life, fewer transactions than the setting, and RSET answered before it is given
 * out again.
 */
#ifndef POSTERN_DELIVERY_POOL_H
#define POSTERN_DELIVERY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "delivery/addresses.h"
#include "delivery/answer.h"
#include "delivery/channel.h"

struct pool {
    struct channel_settings settings;
    struct addresses addresses;
    struct list_link idle;      /* channels, READY; the one used last comes first */
    size_t idle_count;
    struct list_link kept;      /* channels at reset, or in setup for somebody who left */
    size_t channel_count;       /* all of them: in setup, in use, at reset, idle */
    struct list_link waiting;   /* requests that have no channel yet */
    struct list_link opening;   /* requests whose channel is in setup */
    struct list_link holds;     /* channels that only wait for a slow client; the oldest first */
    struct loop_timer reclaim;  /* set while somebody waits and no hold is old enough yet */
    struct loop_task serve;     /* gives channels to those who wait */
    bool is_draining;           /* nothing is kept any more */
    /* What a fresh channel's EHLO said last. */
    bool is_known;
    struct client_offer offer;
};

/* `settings` are copied; what they point to outlives the pool. */
void pool_init(struct pool *pool, const struct channel_settings *settings);
/* Closes all idle channels. No request is under way, no channel is given out. */
void pool_clear(struct pool *pool);
/* Closes what is idle and keeps nothing from now on. */
void pool_drain(struct pool *pool);

/* Content goes by DATA from now on, on every channel. Logs "backend-no-bdat" when that is news. */
void pool_give_up_chunking(struct pool *pool);

/* An idle channel, READY, at once; NULL when there is none or others wait. */
struct channel *pool_take(struct pool *pool, const struct channel_events *events,
                          void *owner);

struct pool_request;
/*
 * Exactly one of `channel`, READY and now the owner's, and `failure`, borrowed for the call. The
 * request has ended.
 */
typedef void (*pool_done_fn)(void *owner, struct channel *channel,
                             const struct answer *failure);
/*
 * Waits for an idle channel, or for room and opens one, to the addresses from `first_address`
 * on: at most the backend's `wait`, the setup itself not counted. `is_fresh`: no used one will do.
 * `events` and `owner` are the channel's later.
 */
struct pool_request *pool_request_start(struct pool *pool, bool is_fresh, size_t first_address,
                                        const struct channel_events *events, pool_done_fn done,
                                        void *owner);
/* `done` does not come. A channel in setup is not wasted: the pool keeps it. */
void pool_request_cancel(struct pool_request **request);

/*
 * A channel that is given out and only waits for a client to go on. Embedded in its owner.
 * `on_wanted`: somebody waits, and the hold is old enough: the owner gives the channel back.
 * It comes from the loop, once, and the hold has ended. So clients that open envelopes and fall
 * silent cannot keep the backend from everybody else.
 */
struct pool_hold {
    struct list_link link;
    uint64_t since_ms;
    void (*on_wanted)(void *owner);
    void *owner;
};
void pool_hold_init(struct pool_hold *hold, void (*on_wanted)(void *owner), void *owner);
void pool_hold_start(struct pool *pool, struct pool_hold *hold);
/* Harmless when it has ended. */
void pool_hold_cancel(struct pool_hold *hold);

/* Takes a channel back, in whatever state, to be kept or closed. */
void pool_return(struct pool *pool, struct channel **take_channel);
/* Takes it back to be closed at once: before a dot, the backend then has nothing. */
void pool_discard(struct pool *pool, struct channel **take_channel);

#endif
