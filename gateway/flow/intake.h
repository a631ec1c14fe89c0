/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The content of one transaction on its way in: kept in memory, moved to the
 * disk as it grows, and refused when it cannot be kept. It decides nothing.
 *
 * Memory that runs short is taken from those who hold much of it and have not
 * sent all yet, or whose checks wait for the DNS: three quarters of it in use, the
 * one with the most goes to the disk; all of it in use, the one with the most is
 * refused for the sake of one with less. So a small message finds room whatever
 * others do.
 */
#ifndef POSTERN_FLOW_INTAKE_H
#define POSTERN_FLOW_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hoard.h"
#include "base/slice.h"
#include "flow/shared.h"
#include "mail/message.h"
#include "net/spill.h"
#include "smtp/server_replies.h"

struct intake {
    /* Lent. */
    struct shared *shared;
    void (*on_progress)(void *owner); /* the disk has answered, or will not; never from a call */
    /*
     * It has to make room for others, and will be refused: free what is held beside it. From inside
     * of anybody's call; on_progress follows.
     */
    void (*on_evicted)(void *owner);
    void *owner;
    /* State. */
    struct message_limits limits;
    bool is_open;                /* `message` is initialised */
    bool is_to_disk;             /* all of it is wanted there */
    enum server_reply problem;   /* why it cannot be kept; REPLY_OK while it can */
    struct message message;
    uint64_t extra_bytes;        /* of the budget, for what is held beside it */
    struct hoarder holder;       /* of its memory, while content may still come */
    struct hoarder writer;       /* likewise of what the disk could take */
    /* In flight. */
    struct spill_job *job;       /* NULL when idle */
    struct loop_task evicted;    /* its owner is to hear that it was refused */
    struct loop_timer timer;     /* set while that is in flight */
};

/* Empty. `shared` is kept until intake_clear. */
void intake_init(struct intake *intake, struct shared *shared, void (*on_progress)(void *owner),
                 void (*on_evicted)(void *owner), void *owner);
/* Drops the content; harmless when there is none. */
void intake_clear(struct intake *intake);

/* Before the first content; a second call is ignored. `max_bytes` of the content, 0 for none. */
void intake_open(struct intake *intake, size_t listener_index, uint64_t max_bytes);
/* More content. False when it cannot be kept; `problem` says why. */
bool intake_take(struct intake *intake, struct slice content);
/*
 * Memory for what is held for the content's sake and goes when that is evicted. False, and nothing
 * taken, when there is none to be had: then the content is refused, too, as what could not be
 * checked must not pass for what need not be. What was taken is given back before intake_clear.
 */
bool intake_take_extra(struct intake *intake, uint64_t bytes) __attribute__((warn_unused_result));
void intake_give_back_extra(struct intake *intake, uint64_t bytes);
/* It holds so much memory that no more should come until on_progress. */
bool intake_wants_pause(const struct intake *intake);
/* All has come. Its message may be used once the disk is done with it. */
void intake_end(struct intake *intake);
/* After that: all of its content goes to the disk, however little; settled when it is there. */
void intake_to_disk(struct intake *intake);
/* The disk is done. */
bool intake_is_settled(const struct intake *intake);

#endif
