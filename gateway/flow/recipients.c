/* SPDX-License-Identifier: BSD-2-Clause */
/* The recipients of one transaction; see recipients.h. */
#include "flow/recipients.h"

#include "base/memory.h"
#include "smtp/server_replies.h"

void recipients_init(struct recipients *recipients, struct spool_budget *budget)
{
    *recipients = (struct recipients){ .budget = budget };
}

void recipients_clear(struct recipients *recipients)
{
    for (size_t i = 0; i < recipients->count; i++)
        recipient_clear(&recipients->attempts[i].recipient);
    mem_free(recipients->attempts);
    spool_budget_give_back(recipients->budget, recipients->memory_bytes);
    recipients_init(recipients, recipients->budget);
}

/* Twice: the array grows by doubling, and what is open at the backend has a copy. */
static uint64_t find_memory(const struct recipient *recipient)
{
    uint64_t bytes = sizeof(struct attempt) + address_text(&recipient->address).length;

    if (recipient->orcpt != NULL)
        bytes += slice_from(recipient->orcpt).length;
    return 2 * bytes;
}

struct attempt *recipients_add(struct recipients *recipients, const struct recipient *recipient)
{
    uint64_t memory_bytes = find_memory(recipient);
    struct attempt *attempt;

    if (!spool_budget_take(recipients->budget, memory_bytes))
        return NULL;
    recipients->memory_bytes += memory_bytes;
    recipients->attempts = mem_grow(recipients->attempts, recipients->count,
                                    &recipients->capacity, sizeof(*recipients->attempts));
    attempt = &recipients->attempts[recipients->count++];
    *attempt = (struct attempt){ .reply = { .code = 0, .enhanced = "", .text = "", .reason = "" } };
    recipient_copy(&attempt->recipient, recipient);
    return attempt;
}

struct attempt *recipients_last(struct recipients *recipients)
{
    return &recipients->attempts[recipients->count - 1];
}

/* ---- One recipient. */

static struct verdict decide_for(const struct recipients *recipients,
                                 const struct attempt *attempt, struct facts *facts,
                                 enum phase phase)
{
    facts->phase = phase;
    facts->recipient = &attempt->recipient.address;
    facts->recipient_count = recipients->accepted_count;
    return decide(attempt->route.policy, facts);
}

/* The one that all later recipients must go along with. */
static const struct attempt *find_first_accepted(const struct recipients *recipients)
{
    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->attempts[i].is_accepted)
            return &recipients->attempts[i];
    return NULL;
}

static bool has_recipient_rules(const struct effective_policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].has_recipient_term)
            return true;
    return false;
}

/*
 * May the content still mean different things to these two? Only where they
 * wait for different rules, or rules on the recipient are among what is left.
 */
static bool may_part_later(const struct attempt *a, const struct attempt *b)
{
    if (a->verdict.is_final || b->verdict.is_final)
        return !(a->verdict.is_final && b->verdict.is_final);
    return a->verdict.pending_rule != b->verdict.pending_rule ||
           has_recipient_rules(a->route.policy);
}

/*
 * One transaction has one backend, and one policy (DESIGN section 8). Where the
 * content may still part two recipients, the later one is asked to come back,
 * unless the client speaks PRDR and can be told of each at the end.
 */
static enum server_reply check_company(const struct recipients *recipients,
                                       const struct attempt *attempt, bool is_prdr)
{
    const struct attempt *first = find_first_accepted(recipients);

    if (first == NULL)
        return REPLY_RECIPIENT_OK;
    if (first->route.backend != attempt->route.backend)
        return REPLY_SPLIT_BACKEND;
    if (first->route.policy != attempt->route.policy)
        return REPLY_SPLIT_POLICY;
    /* Such a backend is asked about recipients only with the message: one at a time can be told. */
    if (backend_config(first->route.backend)->recipients == RECIPIENTS_ANY)
        return REPLY_SPLIT_BACKEND;
    if (!is_prdr && may_part_later(first, attempt))
        return REPLY_SPLIT_POLICY;
    return REPLY_RECIPIENT_OK;
}

static bool is_refusal(const struct verdict *verdict)
{
    return verdict->is_final &&
           (verdict->action == ACTION_REJECT || verdict->action == ACTION_TEMPFAIL);
}

struct reply recipients_judge(const struct recipients *recipients, struct attempt *attempt,
                              const struct party *party, const struct envelope *mail,
                              struct facts *facts)
{
    const struct address *address = &attempt->recipient.address;

    attempt->route = route_find(party->shared, party->relay, mail, address);
    if (attempt->route.reply != REPLY_RECIPIENT_OK)
        return server_reply_get(attempt->route.reply);
    attempt->verdict = decide_for(recipients, attempt, facts, PHASE_RCPT);
    if (is_refusal(&attempt->verdict))
        return verdict_reply(&attempt->verdict);
    /* Only now: a client that a rule refuses learns nothing about users. */
    if (!route_has_recipient(&attempt->route, address))
        return server_reply_get(REPLY_RECIPIENT_UNKNOWN);
    return server_reply_get(check_company(recipients, attempt, party->is_prdr));
}

bool attempt_needs_backend(const struct attempt *attempt)
{
    bool is_discarded = attempt->verdict.is_final && attempt->verdict.action == ACTION_DISCARD;

    return !is_discarded && backend_config(attempt->route.backend)->recipients == RECIPIENTS_ASK;
}

void recipients_settle(struct recipients *recipients, struct attempt *attempt,
                       const struct reply *reply)
{
    attempt->reply = *reply;
    attempt->is_accepted = reply_is_success(reply);
    if (attempt->is_accepted)
        recipients->accepted_count++;
}

/* ---- All of them. */

enum joint_verdict recipients_decide(struct recipients *recipients, struct facts *facts,
                                     enum phase phase, bool *are_final)
{
    struct verdict *verdicts = mem_new_array(recipients->accepted_count, sizeof *verdicts);
    const struct attempt *first = find_first_accepted(recipients); /* all have its policy */
    size_t count = 0;
    enum joint_verdict joint;

    *are_final = true;
    facts->memo = mem_new_array(first->route.policy->memo_count + 1, 1);
    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (!attempt->is_accepted)
            continue;
        attempt->verdict = decide_for(recipients, attempt, facts, phase);
        *are_final = *are_final && attempt->verdict.is_final;
        verdicts[count++] = attempt->verdict;
    }
    joint = decide_jointly(verdicts, count);
    mem_free(facts->memo);
    facts->memo = NULL;
    mem_free(verdicts);
    return joint;
}

const struct attempt *recipients_find(const struct recipients *recipients, enum action action)
{
    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->attempts[i].is_accepted &&
            recipients->attempts[i].verdict.action == action)
            return &recipients->attempts[i];
    return NULL;
}

void recipients_reply_alike(struct recipients *recipients, const struct reply *reply)
{
    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->attempts[i].is_accepted)
            recipients->attempts[i].reply = *reply;
}

struct reply *recipients_reply_each(struct recipients *recipients, const struct reply *outcome)
{
    struct reply *replies = mem_new_array(recipients->accepted_count, sizeof *replies);
    size_t count = 0;

    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (!attempt->is_accepted)
            continue;
        if (is_refusal(&attempt->verdict))
            attempt->reply = verdict_reply(&attempt->verdict);
        else if (attempt->verdict.action == ACTION_DISCARD)
            attempt->reply = server_reply_get(REPLY_MESSAGE_ACCEPTED);
        else
            attempt->reply = *outcome;
        replies[count++] = attempt->reply;
    }
    return replies;
}
