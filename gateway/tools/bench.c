/* SPDX-License-Identifier: BSD-2-Clause */
/* A gateway on the bench; see bench.h. */
#include "tools/bench.h"

#include "base/memory.h"
#include "net/resolver.h"
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

/* Zones in the place of the servers; nothing has been sent so far. */
static bool go_offline(struct bench *bench, const struct zone *zone, struct text *problem)
{
    const struct config_resolver *block = &bench->configuration->config->resolver;
    struct resolver_settings settings = {
        .overrides = zone,
        .local_data = block->local_data,
        .timeout_ms = block->timeout_ms,
        .max_questions = block->max_questions,
    };

    resolver_free(&bench->tools.resolver);
    bench->tools.resolver = resolver_new(bench->loop, &settings, problem);
    return bench->tools.resolver != NULL;
}

static bool prepare_checks(struct bench *bench, const struct zone *zone, struct text *problem)
{
    const struct configuration *configuration = bench->configuration;

    return check_setup_open(&bench->tools, bench->loop, configuration->config,
                            configuration->book, problem) &&
           (zone == NULL || bench->tools.resolver == NULL || go_offline(bench, zone, problem));
}

bool bench_open(struct bench *bench, const struct configuration *configuration,
                const struct zone *zone, struct text *problem)
{
    struct config *config = configuration->config;
    struct gate_settings settings = { .config = config, .book = configuration->book,
                                      .is_trial = true };

    *bench = (struct bench){ .configuration = configuration, .loop = loop_new() };
    config->checks.spf_engine = SPF_ENGINE_NATIVE;
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
