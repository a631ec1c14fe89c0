/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's side of the quarantine: it keeps a keeper running where one is
 * configured, and joins every worker to it.
 */
#ifndef POSTERN_DAEMON_KEEPER_FEED_H
#define POSTERN_DAEMON_KEEPER_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/child.h"
#include "daemon/handover.h"
#include "daemon/log_feed.h"

struct estate_keepers;
struct keeper_feed;

/* What a configuration says of the keeper. */
struct keeper_plan {
    int folder_fd;        /* -1: there is no quarantine */
    struct handover_identity identity;
    struct handover_keep_settings settings;
    uint32_t format;      /* enum record_format, for its lines */
    bool is_debug;
};

/* Called from the loop or from a child's end. */
struct keeper_feed_events {
    /*
     * One has started in the place of one that died, or of another folder: workers that have to do
     * with that folder are to be joined to it.
     */
    void (*on_new_keeper)(void *owner, bool is_of_new_folder);
    /* It serves: see keeper_feed_is_ready. */
    void (*on_ready)(void *owner);
    /* It has died again and again and never served. It is tried again all the same. */
    void (*on_failed)(void *owner);
};

/* Without a keeper. */
struct keeper_feed *keeper_feed_new(struct children *children, struct log_feed *log,
                                    const struct keeper_feed_events *events, void *owner);
/*
 * With the keepers that another program has left us. The one that serves goes on until
 * keeper_feed_follow is told of a configuration; then one of this program takes its place.
 */
void keeper_feed_inherit(struct keeper_feed *feed, const struct estate_keepers *estate);
/* The other way round, into an empty one; all stays the feed's. */
void keeper_feed_bequeath(struct keeper_feed *feed, struct estate_keepers *estate);
/* The keeper must have ended. */
void keeper_feed_free(struct keeper_feed **feed);

/*
 * A configuration is in force from now on. A keeper of the same folder stays, and is told of the
 * settings; one of another folder, or of none, is let go when its workers have ended. The folder's
 * descriptor is copied.
 */
void keeper_feed_follow(struct keeper_feed *feed, const struct keeper_plan *plan);
/* A keeper serves, or none is wanted. */
bool keeper_feed_is_ready(const struct keeper_feed *feed);
/* Joins a worker to the keeper, if there is one. */
void keeper_feed_join(struct keeper_feed *feed, struct child *worker);
/* No more keepers are started; `done` comes once, from the loop, when none is left. */
void keeper_feed_end(struct keeper_feed *feed, void (*done)(void *owner), void *owner);

#endif
