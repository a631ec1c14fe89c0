/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From facts and rules to a verdict; see decide.h. One walk looks at the rules
 * as they stand in one phase; decide goes through the phases. It is for reading
 * with DESIGN's paragraph "three values" beside it, and has no other inputs.
 */
#include "verdict/decide.h"

#include <assert.h>

/* In the place of a rule that cannot be known, as the policy's `on dns-temperror` says. */
static const struct rule lost_rules[] = {
    [TEMPERROR_TEMPFAIL] = { .name = "dns-temperror", .reason = "dns.temperror",
                             .action = ACTION_TEMPFAIL,
                             .words = "a DNS lookup on which this depends failed, "
                                      "try again later" },
    [TEMPERROR_QUARANTINE] = { .name = "dns-temperror", .reason = "dns.temperror",
                               .action = ACTION_QUARANTINE,
                               .words = "a DNS lookup on which a rule depends failed" },
};

static bool is_refusal(enum action action)
{
    return action == ACTION_REJECT || action == ACTION_TEMPFAIL;
}

static void add_tag(struct verdict *verdict, const struct tag *tag)
{
    for (size_t i = 0; i < verdict->tag_count; i++)
        if (slice_equals(slice_from(verdict->tags[i]->name), slice_from(tag->name)))
            return;
    if (verdict->tag_count < VERDICT_MAX_TAGS) /* the parser sees to it that all fit */
        verdict->tags[verdict->tag_count++] = tag;
}

/* A match that does not act. One that would have ended the walk says more than a tag does. */
static void note_shadow(struct verdict *verdict, const struct rule *rule)
{
    bool has_tag = verdict->shadow_rule != NULL && verdict->shadow_rule->action == ACTION_TAG;

    if (verdict->shadow_rule == NULL || (has_tag && rule->action != ACTION_TAG))
        verdict->shadow_rule = rule;
}

/* The rule that ends the walk is known. A refusal is final; else all before it must be known. */
static void end_walk(struct verdict *verdict, const struct rule *rule, const struct facts *facts)
{
    if (verdict->pending_rule != NULL && !is_refusal(rule->action))
        return;
    verdict->is_final = true;
    verdict->pending_rule = NULL;
    verdict->action = rule->action;
    verdict->rule = rule;
    verdict->words = rule->words;
    if (rule->tells_spf_explanation && facts->findings != NULL &&
        facts->findings->spf.explanation != NULL)
        verdict->words = facts->findings->spf.explanation;
}

bool decide_ends_at(const struct effective_policy *policy, const struct rule *rule,
                    enum truth truth)
{
    if (truth == TERM_LOST && policy->on_temperror == TEMPERROR_IGNORE)
        return false;
    return truth != TERM_FALSE && rule_can_decide(rule);
}

/* The rules in order, as far as `facts` tell in their phase. */
static struct verdict walk(const struct effective_policy *policy, const struct facts *facts)
{
    struct verdict verdict = {
        .action = ACTION_ACCEPT,
        .phase = facts->phase,
        .shadow_phase = facts->phase,
    };

    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        enum truth truth = rule_evaluate(rule, facts, policy);

        if (truth == TERM_UNKNOWN && verdict.pending_rule == NULL)
            verdict.pending_rule = rule;
        if (decide_ends_at(policy, rule, truth)) {
            if (truth != TERM_UNKNOWN)
                end_walk(&verdict,
                         truth == TERM_TRUE ? rule : &lost_rules[policy->on_temperror], facts);
            return verdict;
        }
        if (truth != TERM_TRUE)
            continue;
        if (rule->mode == MODE_SHADOW || policy->mode == MODE_SHADOW)
            note_shadow(&verdict, rule);
        else
            add_tag(&verdict, &rule->tag);
    }
    return verdict; /* not reached by a policy that loaded: otherwise ends every walk */
}

/* What shadow over the whole policy leaves of what ended the walk: the note. */
static void apply_shadow(struct verdict *verdict)
{
    if (verdict->is_final && verdict->action != ACTION_ACCEPT) {
        note_shadow(verdict, verdict->rule);
        verdict->action = ACTION_ACCEPT;
        verdict->rule = NULL;
    }
}

bool decide_is_exempt(const struct address *recipient)
{
    return recipient != NULL && (address_is_postmaster(recipient) || address_is_abuse(recipient));
}

/* A rule in shadow that an earlier phase noted would have acted then, before any that came later.
 */
static void keep_earlier_shadow(struct verdict *verdict, const struct verdict *earlier)
{
    if (earlier->shadow_rule == NULL)
        return;
    if (earlier->shadow_rule->action == ACTION_TAG && verdict->shadow_rule != NULL &&
        verdict->shadow_rule->action != ACTION_TAG)
        return;
    verdict->shadow_rule = earlier->shadow_rule;
    verdict->shadow_phase = earlier->shadow_phase;
}

struct verdict decide(const struct effective_policy *policy, const struct facts *facts)
{
    struct facts known = *facts; /* as far as one phase tells */
    struct verdict verdict = { .is_final = false };

    if (decide_is_exempt(facts->recipient))
        return (struct verdict){
            .is_final = true,
            .action = ACTION_ACCEPT,
            .phase = facts->phase,
        };
    if (known.phase > PHASE_RCPT)
        known.phase = PHASE_RCPT;
    for (;; known.phase++) {
        struct verdict earlier = verdict;

        verdict = walk(policy, &known);
        if (policy->mode == MODE_SHADOW)
            apply_shadow(&verdict);
        keep_earlier_shadow(&verdict, &earlier);
        if (verdict.is_final || known.phase == facts->phase)
            return verdict;
    }
}

/* Without words of its own a rule has those of policy.reject and policy.tempfail. */
struct reply verdict_reply(const struct verdict *verdict)
{
    const struct rule *rule = verdict->rule;

    assert(is_refusal(verdict->action));
    if (verdict->action == ACTION_REJECT)
        return (struct reply){
            .code = 550,
            .enhanced = "5.7.1",
            .text = verdict->words != NULL ? verdict->words : "refused by policy",
            .reason = rule->reason,
        };
    return (struct reply){
        .code = 451,
        .enhanced = rule == &lost_rules[TEMPERROR_TEMPFAIL] ? "4.4.3" : "4.7.1",
        .text = verdict->words != NULL ? verdict->words : "not now, try again later",
        .reason = rule->reason,
    };
}

enum joint_verdict decide_jointly(const struct verdict *verdicts, size_t count)
{
    size_t actions[ACTION_COUNT] = { 0 };

    assert(count > 0);
    for (size_t i = 0; i < count; i++)
        actions[verdicts[i].action]++;
    if (actions[ACTION_TEMPFAIL] > 0)
        return JOINT_TEMPFAIL;
    if (actions[ACTION_REJECT] == count)
        return JOINT_REJECT;
    if (actions[ACTION_REJECT] > 0)
        return JOINT_MIXED_REJECT;
    if (actions[ACTION_ACCEPT] > 0)
        return JOINT_DELIVER;
    return actions[ACTION_QUARANTINE] > 0 ? JOINT_HOLD : JOINT_DISCARD;
}
