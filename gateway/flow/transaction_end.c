/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a transaction's end of data to its reply: decide, hold, deliver. See
 * transaction.h; DESIGN section 3 has the order that invariant 2 wants.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "flow/outcome.h"
#include "flow/transaction_internal.h"
#include "smtp/server_replies.h"
#include "verdict/stamp.h"

struct reply transaction_refusal(struct transaction *transaction, enum action action)
{
    const struct verdict *verdict = &recipients_find(&transaction->recipients, action)->verdict;

    account_set_verdict(&transaction->account, verdict);
    return verdict_reply(verdict);
}

static void list_recipients(struct transaction *transaction)
{
    account_forget_recipients(&transaction->account);
    for (size_t i = 0; i < transaction->recipients.count; i++) {
        const struct attempt *attempt = &transaction->recipients.attempts[i];

        account_add_recipient(&transaction->account, &attempt->recipient.address, &attempt->reply);
    }
}

/* The copy shares the fate of the reply. Without one, and with the dot out, nobody knows it. */
static void end_holding(struct transaction *transaction, enum record_verdict verdict,
                        const struct reply *reply)
{
    enum holding_end end = reply_is_success(reply) ? HOLDING_KEEP : HOLDING_ERASE;

    if (verdict == RECORD_VERDICT_UNKNOWN && reply->code == 0)
        end = HOLDING_LEAVE;
    if (end == HOLDING_ERASE)
        account_set_quarantine(&transaction->account, NULL);
    else
        recipients_note_held(&transaction->recipients);
    holding_end(&transaction->holding, end);
}

void transaction_conclude(struct transaction *transaction, enum record_verdict verdict,
                     const struct reply *reply)
{
    loop_timer_cancel(&transaction->budget_timer);
    loop_task_cancel(&transaction->decide_task);
    if (transaction->forward != NULL)
        forward_cancel(&transaction->forward);
    end_holding(transaction, verdict, reply);
    transaction_note_findings(transaction);
    check_run_stop(transaction->checks);
    transaction->final = *reply;
    transaction_enter(transaction, TRANSACTION_DONE);
    account_set_end(&transaction->account, verdict, reply);
    list_recipients(transaction);
    account_write(&transaction->account, &transaction->log_slot);
}

/* The end for a client that is there to hear it. Nothing may touch the transaction afterwards. */
static void answer_all(struct transaction *transaction, enum record_verdict verdict,
                       const struct reply *reply)
{
    struct reply overall = *reply;

    recipients_reply_alike(&transaction->recipients, reply);
    transaction_conclude(transaction, verdict, reply);
    transaction->events->on_final(transaction->owner, &overall, NULL, 0);
}

static bool has(const struct transaction *transaction, enum action action)
{
    return recipients_find(&transaction->recipients, action) != NULL;
}

/* The owner wants the client to know that mail is held, and there is some. */
static bool tells_of_held(const struct transaction *transaction)
{
    return has(transaction, ACTION_QUARANTINE) &&
           transaction->party.shared->settings.config->quarantine.reply == HELD_REPLY_TELL;
}

static struct reply held_reply(const struct transaction *transaction)
{
    return outcome_held_reply(transaction->party.shared->settings.config,
                              has(transaction, ACTION_QUARANTINE));
}

/* Where some were refused, the client speaks PRDR, or it could not have come to this. */
static bool is_to_hear_of_each(const struct transaction *transaction)
{
    bool has_others = has(transaction, ACTION_ACCEPT) || has(transaction, ACTION_DISCARD);

    return has(transaction, ACTION_REJECT) ||
           (transaction->party.is_prdr && tells_of_held(transaction) && has_others);
}

static void answer_success(struct transaction *transaction, const struct reply *outcome)
{
    enum record_verdict verdict =
        outcome_success_verdict(recipients_furthest(&transaction->recipients));
    struct reply held = held_reply(transaction);
    struct reply overall = *outcome;
    struct reply *each;

    if (!is_to_hear_of_each(transaction)) {
        answer_all(transaction, verdict, outcome);
        return;
    }
    each = recipients_reply_each(&transaction->recipients, outcome, &held);
    transaction_conclude(transaction, verdict, outcome);
    transaction->events->on_final(transaction->owner, &overall, each,
                                  transaction->recipients.accepted_count);
    mem_free(each);
}

/* The client left while we worked, in time to call it off: it will send the mail again. */
static void withdraw(struct transaction *transaction, struct reply reply)
{
    reply.reason = "client.closed"; /* for the log: nobody is there to read the reply */
    answer_all(transaction, RECORD_VERDICT_ABORT, &reply);
}

static void answer_with(struct transaction *transaction, enum server_reply id)
{
    struct reply reply = server_reply_get(id);

    answer_all(transaction, outcome_verdict(&reply), &reply);
}

void transaction_on_forward_outcome(void *owner, const struct forward_answer *answer)
{
    struct transaction *transaction = owner;
    struct reply reply =
        server_reply_get(outcome_reply_to_backend(answer, REPLY_MESSAGE_ACCEPTED));

    account_on_backend(&transaction->account, answer);
    if (answer->class == FORWARD_OK) {
        answer_success(transaction, &reply);
    } else if (answer->class == FORWARD_WITHDRAWN) {
        withdraw(transaction, reply);
    } else {
        answer_all(transaction,
                   answer->class == FORWARD_LOST ? RECORD_VERDICT_UNKNOWN
                                                 : outcome_verdict(&reply),
                   &reply);
    }
}

bool transaction_may_send_dot(void *owner)
{
    const struct transaction *transaction = owner;

    return !transaction->events->client_has_left(transaction->owner);
}

void transaction_on_budget_spent(void *owner)
{
    struct transaction *transaction = owner;

    /* With our dot out, the outcome is the backend's, and its own deadline ends the waiting. */
    if (!transaction_is_committed(transaction))
        answer_with(transaction, transaction->state == TRANSACTION_HOLDING
                                     ? REPLY_QUARANTINE_TIMEOUT
                                     : REPLY_BUDGET_SPENT);
}

/* The line that stands in the log if this process dies before it can write a better one. */
static bool reserve_log(struct transaction *transaction)
{
    list_recipients(transaction);
    transaction_note_findings(transaction);
    transaction->log_slot = account_reserve(&transaction->account);
    return transaction->log_slot != NULL;
}

static void stamp(struct transaction *transaction)
{
    const struct tag *tags[RECIPIENTS_MAX_TAGS];
    struct message *message = &transaction->intake.message;
    struct stamp stamp = {
        .facts = &transaction->facts,
        .hostname = transaction->party.shared->settings.config->hostname,
        .id = transaction->id,
        .tls_cipher = transaction->party.tls_cipher,
        .is_smtputf8 = transaction->mail.is_smtputf8,
        .wall_us = clock_wall_us(),
        .tags = tags,
        .tag_count = recipients_collect_tags(&transaction->recipients, ACTION_ACCEPT, tags),
        .message = message,
        .subject = transaction->subject,
    };
    struct text fields;

    /* Only a sole recipient is named: several must not learn of each other. */
    if (transaction->recipients.accepted_count > 1)
        transaction->facts.recipient = NULL;
    text_init(&fields, TRANSACTION_RESULTS_MAX_BYTES + STAMP_MAX_BYTES +
                           stamp_subject_max_bytes(message, transaction->subject));
    transaction_print_results(transaction, &fields);
    stamp_print(&fields, &stamp);
    message_add_on_top(message, text_slice(&fields));
    text_clear(&fields);
}

static void deliver(struct transaction *transaction)
{
    if (!reserve_log(transaction)) {
        answer_with(transaction, REPLY_LOG_FULL);
        return;
    }
    for (size_t i = 0; i < transaction->recipients.count; i++) {
        const struct attempt *attempt = &transaction->recipients.attempts[i];

        if (attempt->is_accepted && attempt->verdict.action == ACTION_ACCEPT)
            envelope_add_recipient(&transaction->mail, &attempt->recipient);
    }
    stamp(transaction);
    if (transaction->forward == NULL)
        transaction_start_forward(transaction, transaction->backend);
    transaction_enter(transaction, TRANSACTION_DELIVERING);
    forward_deliver(transaction->forward, &transaction->mail, &transaction->intake.message);
}

/* ---- Held mail. */

/* The copy is on the disk, or cannot be. */
static void on_held(void *owner, enum server_reply problem)
{
    struct transaction *transaction = owner;
    struct reply reply = held_reply(transaction);

    if (problem != REPLY_OK)
        answer_with(transaction, problem);
    else if (has(transaction, ACTION_ACCEPT))
        deliver(transaction);
    else if (!transaction_may_send_dot(transaction))
        withdraw(transaction, server_reply_get(REPLY_INTERNAL));
    else
        answer_success(transaction, &reply);
}

/* The line is reserved before anything can be on the disk; delivery reserves its own. */
static void hold(struct transaction *transaction)
{
    struct holding_order order = {
        .party = &transaction->party,
        .id = transaction->id,
        .mail = &transaction->mail,
        .recipients = &transaction->recipients,
        .facts = &transaction->facts,
        .policy = transaction->policy,
        .backend = transaction->backend,
        .subject = transaction->subject,
        .is_pending = has(transaction, ACTION_ACCEPT),
    };
    struct text results;

    recipients_note_held(&transaction->recipients);
    account_set_quarantine(&transaction->account, transaction->id);
    if (!order.is_pending && !reserve_log(transaction)) {
        answer_with(transaction, REPLY_LOG_FULL);
        return;
    }
    transaction_enter(transaction, TRANSACTION_HOLDING);
    text_init(&results, TRANSACTION_RESULTS_MAX_BYTES);
    transaction_print_results(transaction, &results);
    order.results = text_slice(&results);
    holding_start(&transaction->holding, &order, &transaction->intake, on_held, transaction);
    text_clear(&results);
}

/* The one message goes to some and is held for others; each of the two has its own tags. */
static void cut_subject(struct transaction *transaction)
{
    static const enum action actions[] = { ACTION_ACCEPT, ACTION_QUARANTINE };
    const struct tag *tags[RECIPIENTS_MAX_TAGS];

    for (size_t i = 0; i < 2 && transaction->subject == NULL; i++)
        transaction->subject = stamp_cut_subject(
            &transaction->intake.message, tags,
            recipients_collect_tags(&transaction->recipients, actions[i], tags));
}

/* No refusal stands in the way of those who get it. */
static void carry_out(struct transaction *transaction)
{
    struct reply reply = server_reply_get(REPLY_MESSAGE_ACCEPTED);
    enum action action = recipients_furthest(&transaction->recipients);

    account_set_verdict(&transaction->account,
                        &recipients_find(&transaction->recipients, action)->verdict);
    stamp_cut_foreign(&transaction->intake.message,
                      transaction->party.shared->settings.config->authserv_id);
    cut_subject(transaction);
    if (has(transaction, ACTION_QUARANTINE))
        hold(transaction);
    else if (action == ACTION_ACCEPT)
        deliver(transaction);
    else
        answer_success(transaction, &reply);
}

static void refuse_all(struct transaction *transaction, enum action action)
{
    struct reply reply = transaction_refusal(transaction, action);

    answer_all(transaction, outcome_verdict(&reply), &reply);
}

/* Some are to be refused: each hears it, or theirs is held, or they are to come one at a time. */
static void decide_mixed(struct transaction *transaction)
{
    if (transaction->party.is_prdr) {
        carry_out(transaction);
    } else if (transaction->party.shared->settings.config->quarantine.is_set) {
        recipients_hold_rejected(&transaction->recipients);
        carry_out(transaction);
    } else {
        answer_with(transaction, REPLY_MIXED_SPLIT);
    }
}

void transaction_decide(void *owner)
{
    struct transaction *transaction = owner;
    bool are_final;

    transaction_enter(transaction, TRANSACTION_DECIDING);
    if (transaction->intake.problem != REPLY_OK) {
        answer_with(transaction, transaction->intake.problem);
        return;
    }
    if (stamp_is_loop(&transaction->intake.message,
                      transaction->party.shared->settings.config->hostname)) {
        answer_with(transaction, REPLY_LOOP);
        return;
    }
    switch (recipients_decide(&transaction->recipients, &transaction->facts, PHASE_MESSAGE,
                              &are_final)) {
    case JOINT_DELIVER:
    case JOINT_HOLD:
    case JOINT_DISCARD: carry_out(transaction); break;
    case JOINT_REJECT: refuse_all(transaction, ACTION_REJECT); break;
    case JOINT_TEMPFAIL: refuse_all(transaction, ACTION_TEMPFAIL); break;
    case JOINT_MIXED_REJECT: decide_mixed(transaction); break;
    }
}

