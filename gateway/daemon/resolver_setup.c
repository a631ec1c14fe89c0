/* SPDX-License-Identifier: BSD-2-Clause */
/* A resolver from the configuration; see resolver_setup.h. */
#include "daemon/resolver_setup.h"

/* Only checks to come ask; until then, who writes the block wants it tried. */
bool resolver_setup_is_needed(const struct config *config)
{
    return config->resolver.is_set;
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
