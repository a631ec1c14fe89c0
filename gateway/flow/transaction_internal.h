/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transaction from the inside, for the two files that it lives in: the
 * envelope and the content in transaction.c, what follows from the end of data
 * in transaction_end.c.
 */
#ifndef POSTERN_FLOW_TRANSACTION_INTERNAL_H
#define POSTERN_FLOW_TRANSACTION_INTERNAL_H

#include "base/id.h"
#include "delivery/forward.h"
#include "flow/account.h"
#include "flow/check_run.h"
#include "flow/holding.h"
#include "flow/intake.h"
#include "flow/party.h"
#include "flow/recipients.h"
#include "flow/transaction.h"
#include "mail/mailbox.h"
#include "mail/message.h"
#include "verdict/authres.h"
#include "verdict/decide.h"

struct transaction {
    /* Identity. */
    char id[ID_LENGTH + 12];
    struct party party;  /* lent parts of the session */
    const struct transaction_events *events;
    void *owner;
    /* State. */
    enum transaction_state state;
    struct envelope mail;            /* sender and parameters; recipients when it is delivered */
    struct facts facts;
    const struct effective_policy *policy; /* of the first accepted recipient; NULL before */
    struct backend *backend;         /* likewise */
    struct recipients recipients;
    struct intake intake;            /* the message as it comes */
    const struct header_field *subject; /* that tags are put in front of; NULL: none */
    struct mailbox_list from;        /* of header From, once the message is complete */
    /* In flight. */
    struct forward *forward;
    struct check_run *checks;        /* NULL while no policy needs any */
    bool are_checks_awaited;         /* SETTLING ends with them, too */
    struct holding holding;          /* the copy for those whose mail is held */
    struct log_ring_slot *log_slot;
    struct loop_task decide_task;
    struct loop_timer budget_timer;
    /* Results. */
    struct reply final;
    struct account account;          /* the line to be */
};

/* The only assignment of the state. */
static inline void transaction_enter(struct transaction *transaction, enum transaction_state state)
{
    transaction->state = state;
}

/* ---- transaction_checks.c */

/* Begins what has to be known before this recipient can be judged. True when it is. */
bool transaction_check_sender(struct transaction *transaction, const struct attempt *attempt);
/* Before the first content, for each piece of it, and behind it: then the rest is begun. */
void transaction_open_checks(struct transaction *transaction);
void transaction_check_content(struct transaction *transaction, struct slice content);
void transaction_check_message(struct transaction *transaction);
/* What was found so far, for the line in the log. */
void transaction_note_findings(struct transaction *transaction);
/* Appends the fields that say what was found; nothing when nothing was run. */
void transaction_print_results(const struct transaction *transaction, struct text *out);
#define TRANSACTION_RESULTS_MAX_BYTES AUTHRES_BOTH_MAX_BYTES

/* ---- transaction.c */

/* The checks have ended. */
void transaction_on_checked(void *owner);

/* With the sender of this transaction; its events come to it. */
void transaction_start_forward(struct transaction *transaction, struct backend *backend);

/* ---- transaction_end.c */

/* The refusal that the first recipient with this verdict gets speaks for all. */
struct reply transaction_refusal(struct transaction *transaction, enum action action);
/* From the loop, once the whole content is kept: decides, and does what was decided. */
void transaction_decide(void *owner);
/* Our own work has taken too long. */
void transaction_on_budget_spent(void *owner);
/* Of forward_events. */
void transaction_on_forward_outcome(void *owner, const struct forward_answer *answer);
bool transaction_may_send_dot(void *owner);
/* Writes the line and forgets what is in flight. The verdict is that of the log. */
void transaction_conclude(struct transaction *transaction, enum record_verdict verdict,
                          const struct reply *reply);

#endif
