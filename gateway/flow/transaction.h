/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One transaction: MAIL to the end of data, and what became of it. It grows an
 * envelope, takes the content, decides, hands the message to the backend and
 * writes its one line into the log, whichever way it ends.
 *
 * DESIGN, invariant 1: a success is answered only when the backend said so for
 * every recipient that is not discarded by name. Invariant 2: the log record is
 * reserved before the backend's dot; after the dot the outcome is the backend's.
 */
#ifndef POSTERN_FLOW_TRANSACTION_H
#define POSTERN_FLOW_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "flow/party.h"
#include "mail/envelope.h"
#include "mail/reply.h"

enum transaction_state {
    TRANSACTION_OPEN,       /* the envelope grows; ends with the first content */
    TRANSACTION_CHECKING,   /* a recipient waits for checks of the sender; ends with those */
    TRANSACTION_ASKING,     /* a recipient is at the backend; ends with its answer */
    TRANSACTION_CONTENT,    /* content comes; ends with its last byte or a refusal */
    TRANSACTION_SETTLING,   /* all has come; ends when the disk has it and the checks are done */
    TRANSACTION_DECIDING,   /* one pure call, put off to the end of the turn */
    TRANSACTION_HOLDING,    /* a copy is on its way to the quarantine; until the keeper's word */
    TRANSACTION_DELIVERING, /* with the backend; ends with its answer or the budget */
    TRANSACTION_DONE,       /* the reply is known and the line is written */
};

/* Called from the loop, never from inside a call of the owner. */
struct transaction_events {
    /* The answer to a recipient that had to be asked for. */
    void (*on_recipient)(void *owner, const struct reply *reply);
    /*
     * The answer to the end of data; the transaction is DONE. `each` has a reply for each accepted
     * recipient where the client asked for PRDR and they differ, else it is NULL.
     */
    void (*on_final)(void *owner, const struct reply *overall, const struct reply *each,
                     size_t count);
    /* The disk has caught up: content may come again (see transaction_wants_pause). */
    void (*on_room)(void *owner);
    /* A question, asked just before the backend's dot: has the client left without a QUIT? */
    bool (*client_has_left)(void *owner);
};

struct transaction;

/* MAIL was accepted: `mail` is copied. `number` counts the transactions of the session from 1. */
struct transaction *transaction_new(const struct party *party,
                                    const struct envelope *mail, unsigned int number,
                                    const struct transaction_events *events, void *owner);
/*
 * At any time. A transaction that is not DONE is logged as given up for `reason`, a reason id; one
 * whose dot has reached the backend must be left alone until it is DONE (transaction_is_committed).
 */
void transaction_free(struct transaction **transaction, const char *reason);

/* "sid-1", for replies and log. */
const char *transaction_id(const struct transaction *transaction);

/* True when `*answer` has the reply already; else on_recipient follows. */
bool transaction_add_recipient(struct transaction *transaction, const struct recipient *recipient,
                               struct reply *answer);
/* A recipient was refused for its form, or as one too many: it is to stand in the log. */
void transaction_on_recipient_refused(struct transaction *transaction,
                                      const struct recipient *recipient,
                                      const struct reply *reply);
/* The answer to DATA: REPLY_START_CONTENT, or a refusal that no content could change. */
struct reply transaction_start_content(struct transaction *transaction);
/* More content. False with the refusal in `*answer` when it cannot be taken. */
bool transaction_take_content(struct transaction *transaction, struct slice content,
                              struct reply *answer);
/* Memory is full of this message: read no more until on_room. */
bool transaction_wants_pause(const struct transaction *transaction);
/* Its content costs much more than to keep it: it is hashed. */
bool transaction_is_costly(const struct transaction *transaction);
/* All content has come. on_final follows. */
void transaction_finish(struct transaction *transaction);
/*
 * All of it was refused with `reply` (a bad sender; content that is too large or has a bare LF), or
 * will be once the content has been swallowed: only the log is left to do. Harmless when that is
 * done, and where no recipient was accepted: then the refusals of those say more.
 */
void transaction_on_refused(struct transaction *transaction, const struct reply *reply);
/* The final reply could not be sent: a line says so. Only when DONE. */
void transaction_on_reply_lost(struct transaction *transaction);

/* The dot has gone to the backend: nothing can be called back any more. */
bool transaction_is_committed(const struct transaction *transaction);

#endif
