/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A generation: one configuration and the workers that serve it. Workers that
 * die are replaced while it serves; when it drains, it ends with its last one.
 */
#ifndef POSTERN_DAEMON_GENERATION_H
#define POSTERN_DAEMON_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/blueprint.h"
#include "daemon/child.h"
#include "daemon/handover.h"
#include "daemon/keeper_feed.h"
#include "daemon/log_feed.h"
#include "daemon/presence_file.h"
#include "daemon/sockets.h"
#include "daemon/spf_feed.h"

struct estate_generation;
struct generation;

/* From the configuration, as far as the master needs it. */
struct generation_settings {
    const char *path;    /* of the configuration; lent, and outliving the generation */
    uint64_t number;
    size_t worker_count;
    uint64_t ring_bytes;
    uint64_t drain_ms;
    bool is_debug;
    bool is_confined;    /* there is a sandbox */
    uint8_t hash_key[32];
    struct keeper_plan keeper; /* its folder is the blueprint's */
    struct spf_plan spf;
};

/* Lent, and outliving the generation. */
struct generation_tools {
    struct children *children;
    struct log_feed *feed;
    struct keeper_feed *keeper;
    struct spf_feed *spf;
    struct sockets *sockets;
    const struct tls_ticket_keys *ticket_keys;
    struct presence_file *presence;
};

/* Called from the loop or from a child's end; none of them may free the generation at once. */
struct generation_events {
    void (*on_change)(void *owner);  /* who is ready has changed: assign the sockets anew */
    void (*on_failed)(void *owner, struct generation *generation); /* before all were ever ready */
    void (*on_gone)(void *owner, struct generation *generation);   /* drained: no worker is left */
};

/* Takes the blueprint's descriptors and the uses over. */
struct generation *generation_new(const struct generation_settings *settings,
                                  const struct generation_tools *tools,
                                  struct blueprint *take_blueprint, struct socket_uses *take_uses,
                                  const struct generation_events *events, void *owner);
/*
 * One that serves already, and was left to us by another program: its workers are as `estate` says.
 * Those that die are replaced by workers of this program, on the same configuration. Call
 * generation_assign afterwards.
 */
struct generation *generation_inherit(const struct generation_settings *settings,
                                      const struct generation_tools *tools,
                                      struct estate_generation *take_estate,
                                      const struct generation_events *events, void *owner);
/* The other way round, into an empty one; all of it stays the generation's. */
void generation_bequeath(const struct generation *generation, struct estate_generation *estate);
/* All workers must have ended. */
void generation_free(struct generation **generation);

/* Starts all workers; on_change comes as each is ready. */
void generation_start(struct generation *generation);
/* All workers were ready at the same time, once. */
bool generation_is_ready(const struct generation *generation);
/*
 * No sockets from now on; sessions may go on for drain_ms. on_gone comes from
 * the loop when all have ended; whoever has not, some seconds later, is ended.
 */
void generation_drain(struct generation *generation);
/* The same for one that another takes the place of: who has just come may send a mail yet. */
void generation_retire(struct generation *generation);
/* The same with no time left for sessions; also after generation_drain. */
void generation_drain_now(struct generation *generation);

/*
 * Hands sockets that are new since the last call to the workers that are ready,
 * and tells each what to poll, where that has changed.
 */
void generation_assign(struct generation *generation);
/* Adds the ids of the ready workers, for slots_assign. */
void generation_add_ready(const struct generation *generation, uint32_t **ids, size_t *count);
/* A keeper has started: joins all workers to it, where this configuration has a quarantine. */
void generation_join_keeper(struct generation *generation);
/* The second SPF engine has started: likewise, where this configuration asks for it. */
void generation_join_spf(struct generation *generation);
/* The keys have changed. */
void generation_send_ticket_keys(struct generation *generation);

/* Borrowed from the generation. */
const struct generation_settings *generation_get_settings(const struct generation *generation);
const struct socket_uses *generation_get_uses(const struct generation *generation);
/* Sessions that its workers have open now, as they count them. */
uint64_t generation_session_count(const struct generation *generation);

#endif
