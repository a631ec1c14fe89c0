/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place of one worker in a generation: the process in it may change. It is
 * started with all that belongs to it, heard, and given sockets; what its coming
 * and going means, the generation knows.
 */
#ifndef POSTERN_DAEMON_SEAT_H
#define POSTERN_DAEMON_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/backoff.h"
#include "daemon/child.h"
#include "daemon/generation.h"
#include "record/counters.h"

struct estate_seat;
struct seat;

/* What all seats of a generation have in common. */
struct seat_terms {
    struct generation_settings settings;
    struct generation_tools tools;
    struct blueprint blueprint;
    struct socket_uses uses;
};

/* Called from the loop or from a child's end. */
struct seat_events {
    /* Its worker can poll. */
    void (*on_ready)(void *owner);
    /* May a worker end like this now? If not, the log says so. */
    bool (*may_end)(void *owner, int wait_status);
    /* Its worker has ended, or could not be started when it was time to. */
    void (*on_empty)(void *owner, struct seat *seat);
    void (*on_not_started)(void *owner, struct seat *seat);
};

struct seat {
    uint32_t index;            /* from 1 */
    const struct seat_terms *terms; /* lent, as are the next */
    const struct seat_events *events;
    void *owner;
    struct child *child;       /* NULL while it is empty */
    uint32_t worker;           /* id of this process; another one for the next */
    bool is_ready;
    unsigned int table;        /* of record/presence, of this process; while `child` is there */
    int counters_fd;           /* of this process; -1 while there is none */
    struct counters *counters; /* mapped; NULL likewise */
    bool is_given[HANDOVER_MAX_SLOTS]; /* by id: it has got this socket */
    struct handover_poll poll; /* what it was told last */
    struct backoff backoff;    /* the generation's */
    struct loop_timer timer;   /* for the next start; while starting, for READY */
};

/* Empty. */
void seat_init(struct seat *seat, uint32_t index, const struct seat_terms *terms,
               const struct seat_events *events, void *owner);
/* Its worker must have ended. */
void seat_clear(struct seat *seat);

/* Starts a worker in an empty seat, now or later; on_not_started comes from here, too. */
void seat_fill(struct seat *seat);
void seat_fill_later(struct seat *seat, uint64_t delay_ms);
/* No start is due any more, and READY is not waited for. */
void seat_rest(struct seat *seat);
/* Hands over the sockets that are new to its worker, and says which to poll if that has changed. */
void seat_assign(struct seat *seat);
/* A keeper has started: its worker gets a channel to it, where there is a quarantine. */
void seat_join_keeper(struct seat *seat);
/* The second SPF engine has started: likewise, where it is wanted. */
void seat_join_spf(struct seat *seat);
/* Sessions that its worker has open now, as it counts them. */
uint64_t seat_session_count(const struct seat *seat);

/* A worker that another program has left us, or none; its descriptors are ours now. */
void seat_inherit(struct seat *seat, const struct estate_seat *estate);
/* The other way round; all stays the seat's. */
void seat_bequeath(const struct seat *seat, struct estate_seat *estate);

#endif
