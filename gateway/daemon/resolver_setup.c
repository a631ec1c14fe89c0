/* SPDX-License-Identifier: BSD-2-Clause */
/* A resolver from the configuration; see resolver_setup.h. */
#include "daemon/resolver_setup.h"

/* Who writes the block wants it tried, even where no rule asks. */
bool resolver_setup_is_needed(const struct config *config, const struct policy_book *book)
{
    const struct effective_policy *policy = policy_book_at(book, 0);
    bool is_needed = config->resolver.is_set || config->checks.results == SHOWN_ALL;

    for (size_t i = 1; policy != NULL && !is_needed; i++) {
        is_needed = policy->checks != 0;
        policy = policy_book_at(book, i);
    }
    return is_needed;
}

struct resolver *resolver_setup_new(struct loop *loop, const struct config *config,
                                    struct text *problem)
{
    const struct config_resolver *block = &config->resolver;
    struct resolver_settings settings = {
        .addresses = block->addresses,
        .address_count = block->address_count,
        .trust_anchors = block->trust_anchors,
        .local_data = block->local_data,
        .timeout_ms = block->timeout_ms,
        .cache_bytes = block->cache_bytes,
        .max_questions = block->max_questions,
    };

    return resolver_new(loop, &settings, problem);
}
