/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copy of a transaction for the recipients whose mail is held: content to
 * the disk, then to the keeper. It decides nothing.
 *
 *     holding_start -> (holding_on_disk) -> done
 *     holding_end
 */
#ifndef POSTERN_FLOW_HOLDING_H
#define POSTERN_FLOW_HOLDING_H

#include <stdbool.h>
#include <stddef.h>

#include "flow/intake.h"
#include "flow/party.h"
#include "flow/recipients.h"
#include "quarantine/copy.h"
#include "quarantine/keeper_link.h"
#include "smtp/server_replies.h"

struct holding {
    /* Lent. */
    struct shared *shared;
    struct intake *intake;
    void (*done)(void *owner, enum server_reply problem); /* REPLY_OK: it is on the disk */
    void *owner;
    /* State. */
    bool is_started;
    bool is_pending;         /* as ordered */
    struct copy copy;        /* owned; until it was handed over */
    struct text on_top;      /* owned; likewise */
    /* In flight, and afterwards: NULL when there is none. */
    struct hold *hold;
};

/* What the copy is made of; borrowed for holding_start. */
struct holding_order {
    const struct party *party;
    const char *id;                        /* of the transaction, and so of the copy */
    const struct envelope *mail;           /* the sender's part counts */
    const struct recipients *recipients;   /* those with ACTION_QUARANTINE are held */
    const struct facts *facts;             /* of the whole message */
    const struct effective_policy *policy; /* that the log names */
    const struct backend *backend;
    struct slice results;                  /* header fields that say what the checks found */
    const struct header_field *subject;    /* that tags are put in front of; NULL: none */
    bool is_pending;                       /* the backend's word on others is still to come */
};

/* `intake` has settled; `done` comes from the loop. All but the order is kept until holding_end. */
void holding_start(struct holding *holding, const struct holding_order *order,
                   struct intake *intake, void (*done)(void *owner, enum server_reply problem),
                   void *owner);
/* The intake says that the disk has got on. */
void holding_on_disk(struct holding *holding);

/* How it ends; harmless when nothing was started, or twice. */
enum holding_end {
    HOLDING_KEEP,   /* the client was told 2xx: the copy stays */
    HOLDING_ERASE,  /* it was not */
    HOLDING_LEAVE,  /* nobody knows: our own end, with the dot at the backend */
};
void holding_end(struct holding *holding, enum holding_end end);

#endif
