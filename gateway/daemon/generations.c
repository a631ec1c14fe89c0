/* SPDX-License-Identifier: BSD-2-Clause */
/* The generations that live, and how the sockets go from one to the next; see generations.h. */
#include "daemon/generations.h"

#include <string.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/estate.h"
#include "daemon/keeper_feed.h"
#include "daemon/memory_file.h"
#include "daemon/plan.h"
#include "daemon/slots.h"
#include "record/record.h"

static void on_workers_changed(void *owner);
static void on_generation_failed(void *owner, struct generation *generation);
static void on_generation_gone(void *owner, struct generation *generation);
static void free_gone(void *owner);

static const struct generation_events generation_events = {
    .on_change = on_workers_changed,
    .on_failed = on_generation_failed,
    .on_gone = on_generation_gone,
};

void generations_init(struct generations *generations, const char *path, bool is_debug,
                      const struct generation_tools *tools,
                      const struct generations_events *events, void *owner)
{
    *generations = (struct generations){ .path = path, .is_debug = is_debug, .tools = *tools,
                                         .events = events, .owner = owner };
    crypto_random(generations->hash_key, sizeof generations->hash_key);
    loop_task_init(&generations->free_task, free_gone, generations);
}

void generations_clear(struct generations *generations)
{
    if (generations->owner == NULL)
        return;
    loop_task_cancel(&generations->free_task);
    generation_free(&generations->gone);
}

bool generations_is_first_start(const struct generations *generations)
{
    return generations->current == NULL;
}

bool generations_has_any(const struct generations *generations)
{
    return generations->next != NULL || generations->current != NULL || generations->old != NULL;
}

void generations_tell_all(struct generations *generations,
                          void (*tell)(struct generation *generation))
{
    struct generation *all[] = { generations->next, generations->current, generations->old };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != NULL)
            tell(all[i]);
}

/* ---- From a blueprint to a generation. */

static struct keeper_plan make_keeper_plan(const struct generations *generations,
                                           const struct config *config,
                                           const struct blueprint *blueprint)
{
    return (struct keeper_plan){
        .folder_fd = blueprint->quarantine_fd,
        .identity = blueprint->identity,
        .settings = { .max_bytes = config->quarantine.max_bytes,
                      .max_age_ms = config->quarantine.max_age_ms,
                      .max_mail_bytes = config->max_spool_disk_bytes },
        .format = config->log.format == LOG_FORMAT_JSON ? RECORD_JSON : RECORD_LOGFMT,
        .is_debug = generations->is_debug,
    };
}

static struct generation_settings make_settings(const struct generations *generations,
                                                const struct config *config,
                                                const struct blueprint *blueprint)
{
    struct generation_settings settings = {
        .path = generations->path,
        .number = generations->last_number + 1,
        .worker_count = plan_count_workers(config),
        .ring_bytes = config->log.ring_bytes,
        .drain_ms = config->drain_timeout_ms,
        .is_debug = generations->is_debug,
        .is_confined = config->sandbox == SANDBOX_ON,
        .keeper = make_keeper_plan(generations, config, blueprint),
        .spf = { .is_wanted = config->checks.spf_engine != SPF_ENGINE_NATIVE,
                 .identity = blueprint->identity },
    };

    memcpy(settings.hash_key, generations->hash_key, sizeof settings.hash_key);
    return settings;
}

/* The sockets, then the log, since that cannot fail half-way any more. */
static bool open_all(struct generations *generations, const struct config *config,
                     const struct handover_identity *identity, struct socket_uses *uses,
                     struct text *problem)
{
    const struct generation_tools *tools = &generations->tools;
    bool is_first = generations_is_first_start(generations);

    if (!sockets_open(tools->sockets, config, uses, problem))
        return false;
    if (log_feed_set_output(tools->feed, &config->log, problem)) {
        log_feed_set_identity(tools->feed, identity);
        if (!is_first || log_feed_start(tools->feed, identity, problem))
            return true;
    }
    socket_uses_clear(uses);
    sockets_keep_only(tools->sockets,
                      is_first ? NULL : generation_get_uses(generations->current));
    return false;
}

static bool begin(struct generations *generations, const struct config *config,
                  struct blueprint *take_blueprint, struct text *problem)
{
    struct generation_settings settings = make_settings(generations, config, take_blueprint);
    struct socket_uses uses;

    plan_raise_file_limit(config, generations->tools.sockets->slot_count);
    if (!open_all(generations, config, &take_blueprint->identity, &uses, problem))
        return false;
    generations->last_number = settings.number;
    if (generations_is_first_start(generations))
        keeper_feed_follow(generations->tools.keeper, &settings.keeper);
    spf_feed_want(generations->tools.spf, &settings.spf);
    generations->next = generation_new(&settings, &generations->tools, take_blueprint, &uses,
                                       &generation_events, generations);
    generation_start(generations->next);
    return true;
}

bool generations_begin(struct generations *generations, struct blueprint *take_blueprint,
                       struct text *problem)
{
    struct config *config;
    struct slice packed;
    bool is_begun;

    config = plan_read_config(take_blueprint->sources_fd, generations->path, &packed);
    if (config == NULL)
        text_add_string(problem, "the configuration was not handed over whole");
    is_begun = config != NULL && begin(generations, config, take_blueprint, problem);
    config_free(&config);
    memory_file_unmap_sealed(&packed);
    blueprint_clear(take_blueprint);
    return is_begun;
}

/* ---- From one to the next. */

/* Gives the sockets to the workers that serve and are ready. */
static void assign_sockets(struct generations *generations)
{
    struct sockets *sockets = generations->tools.sockets;
    uint32_t *workers = NULL;
    size_t worker_count = 0;

    if (generations->current == NULL)
        return;
    generation_add_ready(generations->current, &workers, &worker_count);
    slots_assign(sockets->slots, sockets->slot_count, workers, worker_count);
    generation_assign(generations->current);
    mem_free(workers);
}

static void write_ready_lines(struct generations *generations)
{
    const char *listener;
    struct text address;

    text_init(&address, 100);
    while (sockets_take_news(generations->tools.sockets, &listener, &address)) {
        log_feed_write_ready(generations->tools.feed, listener, text_string(&address));
        text_reset(&address);
    }
    text_clear(&address);
}

/* Whoever drains keeps the engine that it has, as long as that lives. */
static void follow_spf(struct generations *generations)
{
    spf_feed_follow(generations->tools.spf,
                    &generation_get_settings(generations->current)->spf);
}

void generations_switch(struct generations *generations)
{
    struct sockets *sockets = generations->tools.sockets;

    generations->old = generations->current;
    generations->current = generations->next;
    generations->next = NULL;
    sockets_keep_only(sockets, generation_get_uses(generations->current));
    sockets_grow(sockets, generation_get_uses(generations->current),
                 generation_get_settings(generations->current)->worker_count);
    assign_sockets(generations);
    write_ready_lines(generations);
    if (generations->old != NULL)
        keeper_feed_follow(generations->tools.keeper,
                           &generation_get_settings(generations->current)->keeper);
    follow_spf(generations);
    if (generations->old != NULL)
        generation_retire(generations->old);
}

void generations_give_up_next(struct generations *generations)
{
    sockets_keep_only(generations->tools.sockets, generation_get_uses(generations->current));
    generations->old = generations->next;
    generations->next = NULL;
    follow_spf(generations);
    generation_drain_now(generations->old);
}

static void on_workers_changed(void *owner)
{
    struct generations *generations = owner;

    bool is_keeper_awaited = generations_is_first_start(generations) &&
                             !keeper_feed_is_ready(generations->tools.keeper);

    assign_sockets(generations);
    if (generations->next != NULL && generation_is_ready(generations->next) && !is_keeper_awaited)
        generations->events->on_ready(generations->owner);
}

static void on_generation_failed(void *owner, struct generation *generation)
{
    struct generations *generations = owner;

    if (generation == generations->next)
        generations->events->on_failed(generations->owner);
}

/* ---- The keeper. */

/* Workers that drain stay with the keeper that they know, as long as it lives. */
static void on_new_keeper(void *owner, bool is_of_new_folder)
{
    struct generations *generations = owner;

    if (generations->next != NULL)
        generation_join_keeper(generations->next);
    if (generations->current != NULL)
        generation_join_keeper(generations->current);
    if (generations->old != NULL && !is_of_new_folder)
        generation_join_keeper(generations->old);
}

/* At the start it is awaited like the workers, and later it is not: they go on without it. */
static void on_keeper_failed(void *owner)
{
    struct generations *generations = owner;

    if (generations_is_first_start(generations) && generations->next != NULL)
        generations->events->on_failed(generations->owner);
}

const struct keeper_feed_events generations_keeper_events = {
    .on_new_keeper = on_new_keeper,
    .on_ready = on_workers_changed,
    .on_failed = on_keeper_failed,
};

/* ---- The second SPF engine. */

void generations_on_new_spf(void *owner)
{
    generations_tell_all(owner, generation_join_spf);
}

/* ---- From one program to the next. */

void generations_inherit(struct generations *generations, struct estate *take_estate)
{
    struct estate_generation *estate = &take_estate->generation;
    struct generation_settings settings = {
        .path = generations->path,
        .number = estate->number,
        .worker_count = estate->seat_count,
        .ring_bytes = estate->ring_bytes,
        .drain_ms = estate->drain_ms,
        .is_debug = generations->is_debug,
        .keeper = { .folder_fd = estate->blueprint.quarantine_fd },
    };

    memcpy(generations->hash_key, take_estate->hash_key, sizeof generations->hash_key);
    memcpy(settings.hash_key, take_estate->hash_key, sizeof settings.hash_key);
    generations->last_number = settings.number;
    generations->current = generation_inherit(&settings, &generations->tools, estate,
                                              &generation_events, generations);
    assign_sockets(generations);
}

void generations_bequeath(const struct generations *generations, struct estate *estate)
{
    memcpy(estate->hash_key, generations->hash_key, sizeof estate->hash_key);
    generation_bequeath(generations->current, &estate->generation);
}

/* ---- The end of one. */

static void free_gone(void *owner)
{
    struct generations *generations = owner;

    generation_free(&generations->gone);
}

/* Not freed at once: this is called from inside it. */
static void on_generation_gone(void *owner, struct generation *generation)
{
    struct generations *generations = owner;
    struct generation **places[] = { &generations->next, &generations->current,
                                     &generations->old };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (*places[i] == generation)
            *places[i] = NULL;
    generation_free(&generations->gone);
    generations->gone = generation;
    loop_defer(generations->tools.children->loop, &generations->free_task);
    generations->events->on_gone(generations->owner);
}
