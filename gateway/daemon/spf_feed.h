/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master's side of the second SPF engine: it keeps a process of it running where
 * the configuration asks for one, and joins every worker to it.
 *
 * The process has no state, so nothing of it is handed on at an upgrade: the next
 * program starts one of its own, and the one before ends with the last of its workers.
 */
#ifndef POSTERN_DAEMON_SPF_FEED_H
#define POSTERN_DAEMON_SPF_FEED_H

#include <stdbool.h>

#include "daemon/child.h"
#include "daemon/handover.h"

struct spf_feed;

/* What a configuration says of it. */
struct spf_plan {
    bool is_wanted;
    struct handover_identity identity;
};

/*
 * Without a process. `on_new` comes from the loop when one has started: the workers are to be
 * joined to it.
 */
struct spf_feed *spf_feed_new(struct children *children, void (*on_new)(void *owner),
                              void *owner);
/* Ends its processes, which have nothing to finish; NULL is fine. */
void spf_feed_free(struct spf_feed **feed);

/* A configuration is about to be in force: what it needs is started, and nothing ended. */
void spf_feed_want(struct spf_feed *feed, const struct spf_plan *plan);
/* It is in force, or stays: a process that it does not want is let go. */
void spf_feed_follow(struct spf_feed *feed, const struct spf_plan *plan);
/* Joins a worker to the process, if there is one. */
void spf_feed_join(struct spf_feed *feed, struct child *worker);

#endif
