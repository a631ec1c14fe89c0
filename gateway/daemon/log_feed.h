/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's side of the log: it makes the rings, keeps a logger running that
 * reads them, and opens the file that it writes to. Rings outlive both their
 * writer and their reader, until a logger has said that all is written.
 */
#ifndef POSTERN_DAEMON_LOG_FEED_H
#define POSTERN_DAEMON_LOG_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "config/config.h"
#include "daemon/child.h"
#include "daemon/handover.h"

struct estate_log;
struct log_feed;

/* Without a logger, and what this process logs still goes to stderr. `children` is lent. */
struct log_feed *log_feed_new(struct children *children, struct text *problem)
    __attribute__((warn_unused_result));
/*
 * The one that another program has left us: its logger leaves, and one of this program goes on with
 * the same lines. Its descriptors are ours now.
 */
struct log_feed *log_feed_inherit(struct children *children, struct estate_log *take_estate,
                                  struct text *problem) __attribute__((warn_unused_result));
/* The other way round, into an empty one; all of it stays the feed's. */
void log_feed_bequeath(const struct log_feed *feed, struct estate_log *estate);
/* The logger must have ended. base/log goes to stderr again. */
void log_feed_free(struct log_feed **feed);

/*
 * Where the log goes from now on; a file is opened here, as the master, for appending. False and a
 * sentence when that fails; all is as before then. The first call starts nothing yet.
 */
bool log_feed_set_output(struct log_feed *feed, const struct config_log *config,
                         struct text *problem) __attribute__((warn_unused_result));
/* Opens the file again, which somebody has renamed. A failure is logged, and the old one stays. */
void log_feed_reopen(struct log_feed *feed);

/* Starts the logger as this identity; from now on what this process logs goes the same way. */
bool log_feed_start(struct log_feed *feed, const struct handover_identity *identity,
                    struct text *problem) __attribute__((warn_unused_result));
/* Who the next logger becomes, should this one die. */
void log_feed_set_identity(struct log_feed *feed, const struct handover_identity *identity);

/* For the writer of a ring: it maps the memory and keeps `life` open while it lives. */
struct log_feed_ring {
    int memory_fd; /* lent by the feed until the next call */
    int life_fd;   /* the caller's: closed once it was handed on */
};
/* A new ring for "worker 1"; it ends by itself when the last copy of life_fd is closed. */
bool log_feed_add_ring(struct log_feed *feed, const char *label, uint64_t ring_bytes,
                       struct log_feed_ring *ring, struct text *problem)
    __attribute__((warn_unused_result));
/* The eventfd that writers wake the logger by. */
int log_feed_wake_fd(const struct log_feed *feed);

/* A line "event=ready listener=NAME address=1.2.3.4:25". */
void log_feed_write_ready(struct log_feed *feed, const char *listener, const char *address);

/*
 * Nothing more will be written: `done` comes once, from the loop, when the logger has written all
 * there is, or could not within some seconds.
 */
void log_feed_end(struct log_feed *feed, void (*done)(void *owner), void *owner);

#endif
