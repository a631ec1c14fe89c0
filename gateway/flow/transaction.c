/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One transaction; see transaction.h. In the order of its life:
 *
 *   transaction_new, transaction_add_recipient (route, policy, backend),
 *   transaction_start_content, transaction_take_content (intake),
 *   transaction_finish -> SETTLING -> DECIDING -> HOLDING -> DELIVERING -> DONE,
 *   transaction_free.
 */
#include "flow/transaction.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/outcome.h"
#include "flow/transaction_internal.h"
#include "smtp/server_replies.h"

/* Recipients that one transaction may try, for each that it may have. */
#define ATTEMPTS_PER_RECIPIENT 2

static const struct config_listener *listener_of(const struct transaction *transaction)
{
    return &transaction->party.shared->settings.config
                ->listeners[transaction->party.listener_index];
}

static void on_intake_progress(void *owner);
static void on_evicted(void *owner);

/* ---- Life begins. */

struct transaction *transaction_new(const struct party *party,
                                    const struct envelope *mail, unsigned int number,
                                    const struct transaction_events *events, void *owner)
{
    struct transaction *transaction = mem_new(sizeof *transaction);

    snprintf(transaction->id, sizeof transaction->id, "%s-%u", party->session_id, number);
    transaction->party = *party;
    transaction->events = events;
    transaction->owner = owner;
    envelope_copy_sender(&transaction->mail, mail);
    recipients_init(&transaction->recipients, &party->shared->recipient_budget);
    transaction->facts = *party->facts;
    transaction->facts.phase = PHASE_MAIL;
    transaction->facts.sender = &transaction->mail.sender;
    transaction->facts.announced_size_bytes = mail->has_size ? mail->size_bytes : 0;
    loop_task_init(&transaction->decide_task, transaction_decide, transaction);
    loop_timer_init(&transaction->budget_timer, party->shared->settings.loop,
                    transaction_on_budget_spent, transaction);
    intake_init(&transaction->intake, party->shared, on_intake_progress, on_evicted,
                transaction);
    account_init(&transaction->account, party, transaction->id);
    account_set_mail(&transaction->account, &transaction->mail);
    transaction_enter(transaction, TRANSACTION_OPEN);
    counter_add(party->shared->settings.counters, COUNTER_TRANSACTIONS, 1);
    return transaction;
}

const char *transaction_id(const struct transaction *transaction)
{
    return transaction->id;
}

bool transaction_is_committed(const struct transaction *transaction)
{
    return transaction->state == TRANSACTION_DELIVERING &&
           forward_has_sent_dot(transaction->forward);
}

/* ---- Recipients. */

/*
 * The client gets `reply`; the first accepted recipient sets policy and backend for all. Until then
 * the line names the policy that the last refused one was under.
 */
static void settle(struct transaction *transaction, struct attempt *attempt,
                   const struct reply *reply)
{
    recipients_settle(&transaction->recipients, attempt, reply);
    account_on_recipient(&transaction->account, &attempt->verdict, reply);
    if (transaction->policy != NULL || attempt->route.policy == NULL)
        return;
    account_set_route(&transaction->account, attempt->route.policy);
    if (!attempt->is_accepted)
        return;
    transaction->policy = attempt->route.policy;
    transaction->backend = attempt->route.backend;
}

static void on_forward_recipient(void *owner, const struct forward_answer *answer)
{
    struct transaction *transaction = owner;
    struct reply reply = server_reply_get(outcome_reply_to_backend(answer, REPLY_RECIPIENT_OK));

    account_on_backend(&transaction->account, answer);
    settle(transaction, recipients_last(&transaction->recipients), &reply);
    transaction_enter(transaction, TRANSACTION_OPEN);
    transaction->events->on_recipient(transaction->owner, &reply);
}

static const struct forward_events forward_events = {
    .on_recipient = on_forward_recipient,
    .on_outcome = transaction_on_forward_outcome,
    .may_send_dot = transaction_may_send_dot,
};

void transaction_start_forward(struct transaction *transaction, struct backend *backend)
{
    transaction->forward = forward_start(backend, &transaction->mail,
                                         transaction->party.identity, &forward_events,
                                         transaction);
}

static bool has_tried_enough(const struct transaction *transaction)
{
    return transaction->recipients.count >=
           listener_of(transaction)->max_recipients * ATTEMPTS_PER_RECIPIENT;
}

/* What the policy says of the recipient, and then the backend. True when `*answer` is known. */
static bool judge_recipient(struct transaction *transaction, struct attempt *attempt,
                            struct reply *answer)
{
    *answer = recipients_judge(&transaction->recipients, attempt, &transaction->party,
                               &transaction->facts);
    if (!reply_is_success(answer) || !attempt_needs_backend(attempt)) {
        settle(transaction, attempt, answer);
        return true;
    }
    if (transaction->forward == NULL)
        transaction_start_forward(transaction, attempt->route.backend);
    transaction_enter(transaction, TRANSACTION_ASKING);
    forward_add_recipient(transaction->forward, &attempt->recipient);
    return false;
}

bool transaction_add_recipient(struct transaction *transaction, const struct recipient *recipient,
                               struct reply *answer)
{
    struct attempt *attempt;

    if (has_tried_enough(transaction)) {
        *answer = server_reply_get(REPLY_TOO_MANY_RECIPIENTS);
        return true;
    }
    attempt = recipients_add(&transaction->recipients, recipient);
    if (attempt == NULL) {
        *answer = server_reply_get(REPLY_NO_RECIPIENT_SPACE);
        return true;
    }
    *answer = recipients_route(attempt, &transaction->party, &transaction->mail);
    if (!reply_is_success(answer)) {
        settle(transaction, attempt, answer);
        return true;
    }
    if (!transaction_check_sender(transaction, attempt)) {
        transaction_enter(transaction, TRANSACTION_CHECKING);
        return false;
    }
    return judge_recipient(transaction, attempt, answer);
}

void transaction_on_recipient_refused(struct transaction *transaction,
                                      const struct recipient *recipient, const struct reply *reply)
{
    struct attempt *attempt;

    if (has_tried_enough(transaction))
        return;
    attempt = recipients_add(&transaction->recipients, recipient);
    if (attempt != NULL)
        settle(transaction, attempt, reply);
}

/* ---- Content. */

struct reply transaction_start_content(struct transaction *transaction)
{
    bool are_final;
    enum joint_verdict joint = recipients_decide(&transaction->recipients,
                                                 &transaction->facts, PHASE_DATA, &are_final);

    transaction->account.content_from_ms = clock_monotonic_ms();
    if (are_final && joint == JOINT_REJECT)
        return transaction_refusal(transaction, ACTION_REJECT);
    if (are_final && joint == JOINT_TEMPFAIL)
        return transaction_refusal(transaction, ACTION_TEMPFAIL);
    return server_reply_get(REPLY_START_CONTENT);
}

/* All has come, and is where it should be, and is looked at. */
static void decide_when_settled(struct transaction *transaction)
{
    if (intake_is_settled(&transaction->intake) && !transaction->are_checks_awaited)
        loop_defer(transaction->party.shared->settings.loop, &transaction->decide_task);
}

void transaction_on_checked(void *owner)
{
    struct transaction *transaction = owner;
    struct reply reply;

    if (transaction->state == TRANSACTION_SETTLING) {
        transaction->are_checks_awaited = false;
        decide_when_settled(transaction);
    } else if (transaction->state == TRANSACTION_CHECKING) {
        transaction_enter(transaction, TRANSACTION_OPEN);
        if (judge_recipient(transaction, recipients_last(&transaction->recipients), &reply))
            transaction->events->on_recipient(transaction->owner, &reply);
    }
}

/* It cannot be judged any more. */
static void on_evicted(void *owner)
{
    struct transaction *transaction = owner;

    check_run_stop(transaction->checks);
    transaction->are_checks_awaited = false;
}

static void give_up_recipient(struct transaction *transaction)
{
    struct reply reply = server_reply_get(REPLY_NO_RECIPIENT_SPACE);

    settle(transaction, recipients_last(&transaction->recipients), &reply);
    transaction_enter(transaction, TRANSACTION_OPEN);
    transaction->events->on_recipient(transaction->owner, &reply);
}

static void on_intake_progress(void *owner)
{
    struct transaction *transaction = owner;

    if (transaction->state == TRANSACTION_CHECKING)
        give_up_recipient(transaction);
    else if (transaction->state == TRANSACTION_HOLDING)
        holding_on_disk(&transaction->holding);
    else if (transaction->state == TRANSACTION_SETTLING)
        decide_when_settled(transaction);
    else if (transaction->state == TRANSACTION_CONTENT && !transaction_wants_pause(transaction))
        transaction->events->on_room(transaction->owner);
}

/* The smaller of what the policies and the backend take; 0 for no limit. */
static uint64_t content_limit(const struct transaction *transaction)
{
    uint64_t policy_limit = recipients_max_size(&transaction->recipients);
    uint64_t backend_limit = backend_max_size(transaction->backend);

    if (policy_limit == 0 || (backend_limit > 0 && backend_limit < policy_limit))
        return backend_limit;
    return policy_limit;
}

static void open_content(struct transaction *transaction)
{
    if (transaction->state == TRANSACTION_CONTENT)
        return;
    intake_open(&transaction->intake, transaction->party.listener_index,
                content_limit(transaction));
    transaction_open_checks(transaction);
    transaction_enter(transaction, TRANSACTION_CONTENT);
}

bool transaction_take_content(struct transaction *transaction, struct slice content,
                              struct reply *answer)
{
    open_content(transaction);
    counter_add(transaction->party.shared->settings.counters, COUNTER_BYTES_IN, content.length);
    if (intake_take(&transaction->intake, content)) {
        transaction_check_content(transaction, content);
        if (transaction->intake.problem == REPLY_OK)
            return true;
    }
    *answer = server_reply_get(transaction->intake.problem);
    transaction_on_refused(transaction, answer);
    return false;
}

bool transaction_wants_pause(const struct transaction *transaction)
{
    return intake_wants_pause(&transaction->intake);
}

/* ---- The end of data. */

void transaction_finish(struct transaction *transaction)
{
    const struct message *message = &transaction->intake.message;

    open_content(transaction);
    intake_end(&transaction->intake);
    facts_parse_from(&transaction->from, message);
    transaction->facts.message = message;
    transaction->facts.from = &transaction->from;
    account_set_message(&transaction->account, message, &transaction->from,
                        clock_monotonic_ms());
    loop_timer_start(&transaction->budget_timer, listener_of(transaction)->post_dot_budget_ms);
    transaction_check_message(transaction);
    transaction_enter(transaction, TRANSACTION_SETTLING);
    decide_when_settled(transaction);
}

void transaction_on_refused(struct transaction *transaction, const struct reply *reply)
{
    const struct recipients *recipients = &transaction->recipients;
    bool are_all_refused = recipients->count > 0 && recipients->accepted_count == 0;

    if (transaction->state == TRANSACTION_DONE || are_all_refused)
        return;
    recipients_reply_alike(&transaction->recipients, reply);
    transaction_conclude(transaction, outcome_verdict(reply), reply);
    /* Nobody wants it any more: its room goes to others, however long the client sends on. */
    intake_clear(&transaction->intake);
}

void transaction_on_reply_lost(struct transaction *transaction)
{
    account_write_reply_lost(&transaction->account);
}

/* ---- Life ends. */

/*
 * Given up before its end of data: all refused is a refusal, anything else the client's choice.
 * Given up behind the backend's dot, which only our own end can do: nobody knows.
 */
static void conclude_early(struct transaction *transaction, const char *reason)
{
    struct reply reply = { .code = 0, .enhanced = "", .text = "", .reason = reason };
    bool are_all_refused = transaction->recipients.accepted_count == 0 &&
                           transaction->recipients.count > 0 &&
                           transaction->state != TRANSACTION_ASKING &&
                           transaction->state != TRANSACTION_CHECKING;

    if (transaction_is_committed(transaction)) {
        transaction_conclude(transaction, RECORD_VERDICT_UNKNOWN, &reply);
    } else if (are_all_refused) {
        reply = recipients_last(&transaction->recipients)->reply;
        transaction_conclude(transaction, outcome_verdict(&reply), &reply);
    } else {
        transaction_conclude(transaction, RECORD_VERDICT_ABORT, &reply);
    }
}

void transaction_free(struct transaction **handle, const char *reason)
{
    struct transaction *transaction = *handle;

    if (transaction == NULL)
        return;
    if (transaction->state != TRANSACTION_DONE)
        conclude_early(transaction, reason);
    check_run_free(&transaction->checks);
    intake_clear(&transaction->intake);
    mailbox_list_clear(&transaction->from);
    recipients_clear(&transaction->recipients);
    envelope_clear(&transaction->mail);
    account_clear(&transaction->account);
    mem_free(transaction);
    *handle = NULL;
}
