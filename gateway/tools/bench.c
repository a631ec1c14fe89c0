/* SPDX-License-Identifier: BSD-2-Clause */
/* A gateway on the bench; see bench.h. */
#include "tools/bench.h"

#include "base/memory.h"
#include "daemon/resolver_setup.h"
#include "smtp/command.h"

/* What a message may need of a backend. */
#define END_TO_END (SERVER_8BITMIME | SERVER_SMTPUTF8 | SERVER_DSN)

struct zone *bench_read_zone(const char *name, struct slice bytes, struct text *problem)
{
    struct zone_problem found = { .line = 0 };
    struct zone *zone;

    text_init(&found.sentence, 500);
    zone = zone_new(bytes, &found);
    if (zone == NULL)
        text_add_format(problem, "%s:%u:%u: %s", name, found.line, found.column,
                        text_string(&found.sentence));
    text_clear(&found.sentence);
    return zone;
}

static struct resolver *make_resolver(struct loop *loop, const struct config *config,
                                      const struct zone *zone, struct text *problem)
{
    struct resolver_settings offline = {
        .overrides = zone,
        .local_data = config->resolver.local_data,
        .timeout_ms = config->resolver.timeout_ms,
        .max_questions = config->resolver.max_questions,
    };

    if (zone != NULL)
        return resolver_new(loop, &offline, problem);
    return resolver_setup_new(loop, config, problem);
}

static bool prepare_checks(struct bench *bench, const struct zone *zone, struct text *problem)
{
    const struct configuration *configuration = bench->configuration;

    if (!resolver_setup_is_needed(configuration->config, configuration->book))
        return true;
    return check_setup_try(&bench->tools,
                           make_resolver(bench->loop, configuration->config, zone, problem),
                           configuration->config, problem);
}

bool bench_open(struct bench *bench, const struct configuration *configuration,
                const struct zone *zone, struct text *problem)
{
    struct config *config = configuration->config;
    struct gate_settings settings = { .config = config, .book = configuration->book,
                                      .is_trial = true };

    *bench = (struct bench){ .configuration = configuration, .loop = loop_new() };
    if (!prepare_checks(bench, zone, problem))
        return false;
    for (size_t i = 0; i < config->backend_count; i++)
        config->backends[i].assumed |= END_TO_END;
    bench->tls_servers = mem_new_array(config->listener_count, sizeof(struct tls_server *));
    settings.loop = bench->loop;
    settings.resolver = bench->tools.resolver;
    settings.dkim = bench->tools.dkim;
    settings.suffixes = bench->tools.suffixes;
    settings.tls_servers = bench->tls_servers;
    bench->shared = shared_new(&settings);
    bench->shared->spool_budget.max_bytes = UINT64_MAX / 2; /* the disk's help is not had here */
    return true;
}

void bench_close(struct bench *bench)
{
    shared_free(&bench->shared);
    mem_free(bench->tls_servers);
    check_setup_close(&bench->tools);
    if (bench->loop != NULL)
        loop_free(&bench->loop);
}
