/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's side of the quarantine: it hands copies over and hears when they
 * are on the disk. Nothing here waits. A keeper may die and another one come:
 * what it had not answered is said again.
 *
 *     hold_start -> done: STORED        the copy is on the disk
 *     hold_commit, or hold_erase        of a pending one; carried out behind our back
 */
#ifndef POSTERN_QUARANTINE_KEEPER_LINK_H
#define POSTERN_QUARANTINE_KEEPER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/message.h"
#include "net/loop.h"
#include "quarantine/copy.h"

struct keeper_link;

struct keeper_link_events {
    /*
     * A held mail is to go to its backend. `take_fd` is its file, with `content_bytes` of content
     * at the start; the copy has the recipients that are meant, and is taken over. Each of them is
     * answered by keeper_link_tell, then the attempt by keeper_link_end_release.
     */
    void (*on_release)(void *owner, uint64_t attempt, int take_fd, uint64_t content_bytes,
                       struct copy *take_copy);
    /* Nothing is in flight any more (see keeper_link_is_idle); also from within a call. */
    void (*on_idle)(void *owner);
};

/* Without a keeper at first. At most `max_waiting` copies are on their way to the disk at once. */
struct keeper_link *keeper_link_new(struct loop *loop, size_t max_waiting);
/* Who is told of releases; without, they are refused. */
void keeper_link_set_events(struct keeper_link *link, const struct keeper_link_events *events,
                            void *owner);
/* Nobody may own a hold any more. */
void keeper_link_free(struct keeper_link **link);
/* A keeper to speak to; the one before is gone. */
void keeper_link_connect(struct keeper_link *link, int take_channel);
/* The worker drains: no more releases are wanted. */
void keeper_link_leave(struct keeper_link *link);
/* No copy is on its way, no commit or erase unanswered, no release under way. */
bool keeper_link_is_idle(const struct keeper_link *link);

/* ---- Holding. */

enum hold_result {
    HOLD_STORED,
    HOLD_FULL,   /* no room on the disk, or max-size is reached */
    HOLD_BUSY,   /* max_waiting copies are on their way already */
    HOLD_FAILED, /* the keeper could not store it; its log says why */
};

struct hold;
typedef void (*hold_done_fn)(void *owner, enum hold_result result);

/*
 * `message` has its whole content in its spool's file (net/spill), and what is cut from it is cut;
 * `on_top` goes in front. All is borrowed for the call, but for that file, of which a reference is
 * kept. The copy's claim is filled in here. `done` comes once, from the loop; it may take as long
 * as there is no keeper.
 */
struct hold *hold_start(struct keeper_link *link, struct copy *copy, struct slice on_top,
                        const struct message *message, hold_done_fn done, void *owner)
    __attribute__((warn_unused_result));
/*
 * The end, of a pending copy that was stored: the mail was accepted, or was not. Erase also where
 * nothing was stored yet, or could not be: no `done` comes any more. `*hold` becomes NULL.
 */
void hold_commit(struct hold **hold);
void hold_erase(struct hold **hold);
/*
 * The end without a word to the keeper: of a copy that was stored and not pending; or our own end,
 * and nobody knows what the backend did: a pending copy becomes uncertain then.
 */
void hold_forget(struct hold **hold);

/* ---- Releases. */

/* `recipient` is its number in the copy that came with it. */
void keeper_link_tell(struct keeper_link *link, uint64_t attempt, uint32_t recipient,
                      unsigned int fate, struct slice words);
void keeper_link_end_release(struct keeper_link *link, uint64_t attempt);

#endif
