/* SPDX-License-Identifier: BSD-2-Clause */
/* The recipients of one transaction; see recipients.h. */
#include "flow/recipients.h"

#include <string.h>

#include "base/memory.h"
#include "smtp/server_replies.h"

/* A few recipients take no more than this, ... */
#define FEW_BYTES 8192
/* ... and more of them may have so many parts of the budget. */
#define MANY_PARTS 3
#define MANY_OF_PARTS 4

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

/*
 * A crowd that names all the recipients it may must not keep a client with one or a few from its
 * mail: the last part of the budget is for these. The very first costs no more than the transaction
 * itself, and like that it is bounded by max-sessions.
 */
static bool take_memory(struct recipients *recipients, uint64_t bytes)
{
    struct spool_budget *budget = recipients->budget;
    bool are_few = recipients->memory_bytes + bytes <= FEW_BYTES;

    if (recipients->count == 0) {
        spool_budget_overdraw(budget, bytes);
        return true;
    }
    if (!are_few && budget->used_bytes >= budget->max_bytes / MANY_OF_PARTS * MANY_PARTS)
        return false;
    return spool_budget_take(budget, bytes);
}

struct attempt *recipients_add(struct recipients *recipients, const struct recipient *recipient)
{
    uint64_t memory_bytes = find_memory(recipient);
    struct attempt *attempt;

    if (!take_memory(recipients, memory_bytes))
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

/* Any rule on the recipient; with `only_tags`, one that marks the message. */
static bool has_recipient_rules(const struct effective_policy *policy, bool only_tags)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].has_recipient_term &&
            (!only_tags || policy->rules[i].action == ACTION_TAG))
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
           has_recipient_rules(a->route.policy, false);
}

/*
 * Different wishes can be met in one transaction: each recipient is told of its own (PRDR), or
 * what cannot be refused alone is held.
 */
static bool can_part(const struct party *party)
{
    return party->is_prdr || party->shared->settings.config->quarantine.is_set;
}

static bool may_mix_policies(const struct party *party)
{
    const struct config *config = party->shared->settings.config;

    return config->listeners[party->listener_index].mixed == MIXED_HOLD;
}

/*
 * One transaction has one backend, and one policy unless `mixed hold` says otherwise (DESIGN
 * section 8). A recipient that the others' message would not be right for is asked to come back.
 */
static enum server_reply check_company(const struct recipients *recipients,
                                       const struct attempt *attempt, const struct party *party)
{
    const struct attempt *first = find_first_accepted(recipients);
    bool is_same_policy;

    if (first == NULL)
        return REPLY_RECIPIENT_OK;
    is_same_policy = first->route.policy == attempt->route.policy;
    if (first->route.backend != attempt->route.backend)
        return REPLY_SPLIT_BACKEND;
    if (!is_same_policy && !may_mix_policies(party))
        return REPLY_SPLIT_POLICY;
    /* Such a backend is asked about recipients only with the message: one at a time can be told. */
    if (backend_config(first->route.backend)->recipients == RECIPIENTS_ANY)
        return REPLY_SPLIT_BACKEND;
    /* A mark that is meant for one of them would be in the other's mail. */
    if (is_same_policy && has_recipient_rules(first->route.policy, true))
        return REPLY_SPLIT_POLICY;
    if (!can_part(party) && may_part_later(first, attempt))
        return REPLY_SPLIT_POLICY;
    return REPLY_RECIPIENT_OK;
}

static bool is_refusal(const struct verdict *verdict)
{
    return verdict->is_final &&
           (verdict->action == ACTION_REJECT || verdict->action == ACTION_TEMPFAIL);
}

struct reply recipients_route(struct attempt *attempt, const struct party *party,
                              const struct envelope *mail)
{
    attempt->route = route_find(party->shared, party->relay, mail, &attempt->recipient.address);
    return server_reply_get(attempt->route.reply);
}

struct reply recipients_judge(const struct recipients *recipients, struct attempt *attempt,
                              const struct party *party, struct facts *facts)
{
    const struct address *address = &attempt->recipient.address;

    attempt->verdict = decide_for(recipients, attempt, facts, PHASE_RCPT);
    if (is_refusal(&attempt->verdict))
        return verdict_reply(&attempt->verdict);
    /* Only now: a client that a rule refuses learns nothing about users. */
    if (!route_has_recipient(&attempt->route, address))
        return server_reply_get(REPLY_RECIPIENT_UNKNOWN);
    return server_reply_get(check_company(recipients, attempt, party));
}

unsigned int attempt_checks(const struct attempt *attempt)
{
    return decide_is_exempt(&attempt->recipient.address) ? 0 : attempt->route.policy->checks;
}

/* Who relays through us sends our own users' mail: it gets what rules need, and no more. */
unsigned int recipients_checks(const struct recipients *recipients, const struct party *party)
{
    bool is_for_show = party->shared->settings.config->checks.results == SHOWN_ALL &&
                       party->relay == NULL;
    unsigned int checks = is_for_show ? (1u << CHECK_COUNT) - 1 : 0;

    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->attempts[i].is_accepted)
            checks |= attempt_checks(&recipients->attempts[i]);
    return checks;
}

uint64_t recipients_max_size(const struct recipients *recipients)
{
    uint64_t smallest = 0;

    for (size_t i = 0; i < recipients->count; i++) {
        const struct attempt *attempt = &recipients->attempts[i];
        uint64_t limit = attempt->is_accepted ? attempt->route.policy->max_size_bytes : 0;

        if (limit > 0 && (smallest == 0 || limit < smallest))
            smallest = limit;
    }
    return smallest;
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
    const struct effective_policy *policy = find_first_accepted(recipients)->route.policy;
    size_t count = 0;
    enum joint_verdict joint;

    *are_final = true;
    facts->memo = mem_new_array(policy->memo_count + 1, 1);
    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (!attempt->is_accepted)
            continue;
        if (attempt->route.policy != policy) { /* whose own domains are others */
            policy = attempt->route.policy;
            memset(facts->memo, 0, policy->memo_count + 1);
        }
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

enum action recipients_furthest(const struct recipients *recipients)
{
    if (recipients_find(recipients, ACTION_ACCEPT) != NULL)
        return ACTION_ACCEPT;
    return recipients_find(recipients, ACTION_QUARANTINE) != NULL ? ACTION_QUARANTINE
                                                                  : ACTION_DISCARD;
}

/* ---- Held ones. */

void recipients_hold_rejected(struct recipients *recipients)
{
    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (!attempt->is_accepted || attempt->verdict.action != ACTION_REJECT)
            continue;
        attempt->verdict.action = ACTION_QUARANTINE;
        attempt->is_mixed = true;
    }
}

const char *attempt_hold_reason(const struct attempt *attempt)
{
    return attempt->is_mixed ? "mixed.reject" : attempt->verdict.rule->reason;
}

/* Held in the place of a refusal: the rule that refuses says more than its words to a client. */
const char *attempt_hold_note(const struct attempt *attempt)
{
    return attempt->is_mixed ? attempt->verdict.rule->reason : attempt->verdict.rule->words;
}

void recipients_note_held(struct recipients *recipients)
{
    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (attempt->is_accepted && attempt->verdict.action == ACTION_QUARANTINE)
            attempt->reply.reason = attempt_hold_reason(attempt);
    }
}

static bool has_tag(const struct tag *const *tags, size_t count, const struct tag *tag)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equals(slice_from(tags[i]->name), slice_from(tag->name)))
            return true;
    return false;
}

size_t recipients_collect_tags(const struct recipients *recipients, enum action action,
                               const struct tag **tags)
{
    size_t count = 0;

    for (size_t i = 0; i < recipients->count; i++) {
        const struct attempt *attempt = &recipients->attempts[i];
        const struct verdict *verdict = &attempt->verdict;

        if (!attempt->is_accepted || verdict->action != action)
            continue;
        for (size_t j = 0; j < verdict->tag_count && count < RECIPIENTS_MAX_TAGS; j++)
            if (!has_tag(tags, count, verdict->tags[j]))
                tags[count++] = verdict->tags[j];
    }
    return count;
}

/* ---- Their replies. */

void recipients_reply_alike(struct recipients *recipients, const struct reply *reply)
{
    for (size_t i = 0; i < recipients->count; i++)
        if (recipients->attempts[i].is_accepted)
            recipients->attempts[i].reply = *reply;
}

static struct reply final_reply(const struct attempt *attempt, const struct reply *delivered,
                                const struct reply *held)
{
    switch (attempt->verdict.action) {
    case ACTION_ACCEPT: return *delivered;
    case ACTION_QUARANTINE: return *held;
    case ACTION_REJECT:
    case ACTION_TEMPFAIL: return verdict_reply(&attempt->verdict);
    case ACTION_DISCARD: /* nobody is to notice */
    case ACTION_TAG: break;
    }
    return server_reply_get(REPLY_MESSAGE_ACCEPTED);
}

struct reply *recipients_reply_each(struct recipients *recipients, const struct reply *delivered,
                                    const struct reply *held)
{
    struct reply *replies = mem_new_array(recipients->accepted_count, sizeof *replies);
    size_t count = 0;

    for (size_t i = 0; i < recipients->count; i++) {
        struct attempt *attempt = &recipients->attempts[i];

        if (!attempt->is_accepted)
            continue;
        attempt->reply = final_reply(attempt, delivered, held);
        replies[count++] = attempt->reply;
    }
    return replies;
}
