/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies and domains as they were written; see policy.h. */
#include "policy/policy.h"

#include "base/memory.h"
#include "policy/rules.h"

const char *action_name(enum action action)
{
    static const char *const names[ACTION_COUNT] = {
        [ACTION_ACCEPT] = "accept",   [ACTION_REJECT] = "reject", [ACTION_TEMPFAIL] = "tempfail",
        [ACTION_QUARANTINE] = "quarantine", [ACTION_DISCARD] = "discard", [ACTION_TAG] = "tag",
    };

    return names[action];
}

const char *temperror_action_name(enum temperror_action action)
{
    static const char *const names[] = {
        [TEMPERROR_TEMPFAIL] = "tempfail",
        [TEMPERROR_QUARANTINE] = "quarantine",
        [TEMPERROR_IGNORE] = "ignore",
    };

    return names[action];
}

const char *mode_name(enum mode mode)
{
    return mode == MODE_SHADOW ? "shadow" : "enforce";
}

const char *string_pool_keep(struct string_pool *pool, struct slice s)
{
    pool->strings = mem_grow(pool->strings, pool->count, &pool->capacity, sizeof *pool->strings);
    pool->strings[pool->count] = mem_copy(s);
    return pool->strings[pool->count++];
}

void string_pool_clear(struct string_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        mem_free(pool->strings[i]);
    mem_free(pool->strings);
    *pool = (struct string_pool){ 0 };
}

static void clear_terms(struct term *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        term_clear(&terms[i]);
    mem_free(terms);
}

void rule_clear(struct rule *rule)
{
    clear_terms(rule->terms, rule->term_count);
    clear_terms(rule->exceptions, rule->exception_count);
    *rule = (struct rule){ 0 };
}

static void clear_rules(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rule_clear(&rules[i]);
    mem_free(rules);
}

void policy_clear(struct policy *policy)
{
    clear_rules(policy->rules, policy->rule_count);
    *policy = (struct policy){ 0 };
}

void domain_block_clear(struct domain_block *domain)
{
    clear_rules(domain->rules, domain->rule_count);
    mem_free(domain->names);
    mem_free(domain->name_positions);
    mem_free(domain->overrides);
    *domain = (struct domain_block){ 0 };
}

const struct rule *policy_find_rule(const struct policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (slice_equals(name, slice_from(policy->rules[i].name)))
            return &policy->rules[i];
    return NULL;
}
