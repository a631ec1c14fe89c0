/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The content of a message on its way to a backend: pieces in memory at once,
 * pieces on disk by reading ahead, never more than the channel can take. It knows
 * whether it goes by DATA or by BDAT, and holds back what only its owner may let
 * go: the end, behind which the backend can deliver.
 *
 *     content_init               in time for a 354
 *     content_start              where the envelope is open: DATA or BDAT
 *     content_step ..            until END
 *     content_end                the dot, or LAST
 */
#ifndef POSTERN_DELIVERY_CONTENT_H
#define POSTERN_DELIVERY_CONTENT_H

#include <stddef.h>

#include "delivery/channel.h"
#include "mail/message.h"
#include "net/spill.h"

enum content_step {
    CONTENT_STEP_WAIT,   /* for on_drained, or for the disk: on_read comes */
    CONTENT_STEP_END,    /* all that may go before the end was given to the channel */
    CONTENT_STEP_FAILED, /* the disk did not give it back */
};

struct content {
    /* Lent. */
    struct spill *spill;
    const struct message *message;
    struct channel *channel;
    void (*on_read)(void *owner);      /* the disk has answered: content_step again */
    void *owner;
    /* State. */
    struct message_position position;
    bool is_held_back;                 /* it is one BDAT with LAST, and goes out with the end */
    char *buffer;                      /* owned; NULL until the first piece on disk */
    struct slice buffered;             /* what was read into it and not written yet */
    bool has_failed;
    /* In flight. */
    struct spill_job *read;            /* NULL when idle */
    size_t read_length;                /* bytes that it will bring */
};

/* Before the first byte, and before the 354 can come. */
void content_init(struct content *content, struct spill *spill, const struct message *message,
                  struct channel *channel, void (*on_read)(void *owner), void *owner);
/* Begins the content, with the dialogue in ENVELOPE. GO_AHEAD, or NEED_INPUT: then it follows. */
enum client_event content_start(struct content *content);
/* After GO_AHEAD: gives as much as there is and as the channel takes. */
enum content_step content_step(struct content *content);
/* After END: what makes it a message. */
void content_end(struct content *content);
/* Harmless when nothing was begun. */
void content_clear(struct content *content);

#endif
