/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generations that live, two at most: one serves, and another starts or
 * drains beside it. Sockets go over to the new one in one step, when all its
 * workers are ready; until then the old one has them, and for the short time in
 * which both poll, either may accept.
 */
#ifndef POSTERN_DAEMON_GENERATIONS_H
#define POSTERN_DAEMON_GENERATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/generation.h"
#include "net/loop.h"

struct estate;

/* All are called from the loop or from a child's end. */
struct generations_events {
    void (*on_ready)(void *owner);  /* `next` can take over */
    void (*on_failed)(void *owner); /* the workers of `next` do not start */
    void (*on_gone)(void *owner);   /* one has drained: no worker of it is left */
};

struct generations {
    /* Lent. */
    const char *path;             /* of the configuration */
    bool is_debug;
    struct generation_tools tools;
    const struct generations_events *events;
    void *owner;
    /* State. */
    uint64_t last_number;         /* of a generation */
    uint8_t hash_key[32];         /* for log-addresses hash; the same for all */
    struct generation *next;      /* starts */
    struct generation *current;   /* serves; NULL until the first one does */
    struct generation *old;       /* drains */
    struct generation *gone;      /* to be freed by free_task, not inside its own events */
    struct loop_task free_task;
};

/* `path`, what `tools` names, events and owner are lent until generations_clear. */
void generations_init(struct generations *generations, const char *path, bool is_debug,
                      const struct generation_tools *tools,
                      const struct generations_events *events, void *owner);
/* Behind generations_init: who serves was left to us by another program. */
void generations_inherit(struct generations *generations, struct estate *take_estate);
/* The other way round; one serves, and no other is there. */
void generations_bequeath(const struct generations *generations, struct estate *estate);
/* All workers must have ended. Harmless when all is zero, before generations_init. */
void generations_clear(struct generations *generations);

/*
 * From a blueprint to the generation `next`: sockets, log, workers. False and a sentence when it
 * cannot be; all is as before then. The blueprint's descriptors are taken or closed.
 */
bool generations_begin(struct generations *generations, struct blueprint *take_blueprint,
                       struct text *problem) __attribute__((warn_unused_result));
/* After on_ready: `next` takes the sockets over, and who served drains. */
void generations_switch(struct generations *generations);
/* After on_failed: `next` is ended, as if it had served. */
void generations_give_up_next(struct generations *generations);

/* For keeper_feed_new, with the generations as owner. */
extern const struct keeper_feed_events generations_keeper_events;

/* For spf_feed_new, likewise. */
void generations_on_new_spf(void *owner);

/* Nothing has served yet. */
bool generations_is_first_start(const struct generations *generations);
/* Some worker is left, or will be started. */
bool generations_has_any(const struct generations *generations);
/* Calls it for every generation. */
void generations_tell_all(struct generations *generations,
                          void (*tell)(struct generation *generation));

#endif
