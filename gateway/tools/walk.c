/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over the rules, step by step; see walk.h. */
#include "tools/walk.h"

#include "base/memory.h"
#include "verdict/decide.h"

const char *walk_truth_text(enum truth truth)
{
    static const char *const texts[] = {
        [TERM_FALSE] = "false",
        [TERM_UNKNOWN] = "not known yet",
        [TERM_LOST] = "left open by the DNS",
        [TERM_TRUE] = "true",
    };

    return texts[truth];
}

/* Notes the phases without a verdict; the one that has it, or is the last, stays. */
static void find_phase(struct walk *walk, const struct trial *trial, const struct attempt *attempt)
{
    enum phase last = trial_phase_of(trial, attempt);

    for (walk->phase = PHASE_RCPT;; walk->phase++) {
        struct verdict verdict;

        walk->facts = trial_facts(trial, attempt, walk->phase);
        verdict = decide(walk->policy, &walk->facts);
        if (verdict.is_final || walk->phase == last)
            return;
        walk->waits[walk->wait_count++] = (struct walk_wait){ walk->phase, verdict.pending_rule };
    }
}

void walk_init(struct walk *walk, const struct trial *trial, const struct attempt *attempt)
{
    const struct effective_policy *policy = attempt->route.policy;
    bool is_over;

    *walk = (struct walk){ .policy = policy };
    find_phase(walk, trial, attempt);
    walk->steps = mem_new_array(policy->rule_count + 1, sizeof *walk->steps);
    is_over = decide_is_exempt(&attempt->recipient.address);
    for (size_t i = 0; i < policy->rule_count && !is_over; i++) {
        const struct rule *rule = &policy->rules[i];
        enum truth truth = rule_evaluate(rule, &walk->facts, policy);

        walk->steps[walk->step_count++] = (struct walk_step){ rule, truth };
        is_over = decide_ends_at(policy, rule, truth);
    }
}

void walk_clear(struct walk *walk)
{
    mem_free(walk->steps);
    *walk = (struct walk){ .policy = NULL };
}
