/* SPDX-License-Identifier: BSD-2-Clause */
/* The workers of one configuration; see generation.h. */
#include "daemon/generation.h"

#include <sys/wait.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/estate.h"
#include "daemon/seat.h"

/* A worker that has not ended by itself so long after the time of its sessions is ended. */
#define DRAIN_GRACE_MS 5000
/* A client that has connected before a reload has begun its mail by then, even from far away. */
#define SPARE_MS 5000

enum generation_state {
    GENERATION_STARTING, /* until all workers are ready at the same time, or one fails too often */
    GENERATION_SERVING,  /* until it is drained */
    GENERATION_DRAINING, /* until the last worker has ended */
    GENERATION_GONE,
};

struct generation {
    struct seat_terms terms;
    const struct generation_events *events;
    void *owner;
    enum generation_state state;
    struct seat *seats;
    size_t seat_count;
    struct loop_timer drain_timer;
    struct loop_task gone_task;
    struct loop_task failed_task;
};

static void on_ready(void *owner);
static bool may_end(void *owner, int wait_status);
static void on_empty(void *owner, struct seat *seat);
static void start_later(void *owner, struct seat *seat);
static void on_drain_timeout(void *owner);
static void report_gone(void *owner);
static void report_failed(void *owner);

static const struct seat_events seat_events = {
    .on_ready = on_ready,
    .may_end = may_end,
    .on_empty = on_empty,
    .on_not_started = start_later,
};

/* ---- Life. */

static struct loop *loop_of(const struct generation *generation)
{
    return generation->terms.tools.children->loop;
}

struct generation *generation_new(const struct generation_settings *settings,
                                  const struct generation_tools *tools,
                                  struct blueprint *take_blueprint, struct socket_uses *take_uses,
                                  const struct generation_events *events, void *owner)
{
    struct generation *generation = mem_new(sizeof *generation);

    generation->terms.settings = *settings;
    generation->terms.tools = *tools;
    generation->terms.blueprint = *take_blueprint;
    blueprint_init(take_blueprint);
    generation->terms.uses = *take_uses;
    *take_uses = (struct socket_uses){ .items = NULL };
    generation->events = events;
    generation->owner = owner;
    generation->seat_count = settings->worker_count;
    generation->seats = mem_new_array(generation->seat_count, sizeof(*generation->seats));
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_init(&generation->seats[i], (uint32_t)i + 1, &generation->terms, &seat_events,
                  generation);
    loop_timer_init(&generation->drain_timer, loop_of(generation), on_drain_timeout, generation);
    loop_task_init(&generation->gone_task, report_gone, generation);
    loop_task_init(&generation->failed_task, report_failed, generation);
    return generation;
}

void generation_free(struct generation **handle)
{
    struct generation *generation = *handle;

    if (generation == NULL)
        return;
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_clear(&generation->seats[i]);
    loop_timer_cancel(&generation->drain_timer);
    loop_task_cancel(&generation->gone_task);
    loop_task_cancel(&generation->failed_task);
    blueprint_clear(&generation->terms.blueprint);
    socket_uses_clear(&generation->terms.uses);
    mem_free(generation->seats);
    mem_free(generation);
    *handle = NULL;
}

/* ---- From one program to the next. */

struct generation *generation_inherit(const struct generation_settings *settings,
                                      const struct generation_tools *tools,
                                      struct estate_generation *take_estate,
                                      const struct generation_events *events, void *owner)
{
    struct socket_uses uses = { take_estate->uses, take_estate->use_count };
    struct generation *generation;

    take_estate->uses = NULL;
    generation = generation_new(settings, tools, &take_estate->blueprint, &uses, events, owner);
    generation->state = GENERATION_SERVING;
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_inherit(&generation->seats[i], &take_estate->seats[i]);
    return generation;
}

void generation_bequeath(const struct generation *generation, struct estate_generation *estate)
{
    *estate = (struct estate_generation){
        .number = generation->terms.settings.number,
        .ring_bytes = generation->terms.settings.ring_bytes,
        .drain_ms = generation->terms.settings.drain_ms,
        .blueprint = generation->terms.blueprint,
        .use_count = generation->terms.uses.count,
        .seat_count = generation->seat_count,
    };
    estate->uses = mem_new_array(estate->use_count, sizeof(*estate->uses));
    for (size_t i = 0; i < estate->use_count; i++)
        estate->uses[i] = generation->terms.uses.items[i];
    estate->seats = mem_new_array(estate->seat_count, sizeof(*estate->seats));
    for (size_t i = 0; i < estate->seat_count; i++)
        seat_bequeath(&generation->seats[i], &estate->seats[i]);
}

const struct generation_settings *generation_get_settings(const struct generation *generation)
{
    return &generation->terms.settings;
}

const struct socket_uses *generation_get_uses(const struct generation *generation)
{
    return &generation->terms.uses;
}

bool generation_is_ready(const struct generation *generation)
{
    return generation->state == GENERATION_SERVING;
}

uint64_t generation_session_count(const struct generation *generation)
{
    uint64_t count = 0;

    for (size_t i = 0; i < generation->seat_count; i++)
        count += seat_session_count(&generation->seats[i]);
    return count;
}

/* ---- Their coming. */

void generation_start(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_fill(&generation->seats[i]);
}

/* The system refused, or it died: again after a while, or this generation comes to nothing. */
static void start_later(void *owner, struct seat *seat)
{
    struct generation *generation = owner;
    uint64_t delay_ms = backoff_add_death(&seat->backoff, loop_now_ms(loop_of(generation)));

    if (delay_ms > 0 && generation->state == GENERATION_STARTING)
        loop_defer(loop_of(generation), &generation->failed_task);
    else
        seat_fill_later(seat, delay_ms);
}

static size_t count_ready(const struct generation *generation)
{
    size_t count = 0;

    for (size_t i = 0; i < generation->seat_count; i++)
        count += generation->seats[i].is_ready;
    return count;
}

static void on_ready(void *owner)
{
    struct generation *generation = owner;

    if (generation->state == GENERATION_STARTING &&
        count_ready(generation) == generation->seat_count)
        generation->state = GENERATION_SERVING;
    generation->events->on_change(generation->owner);
}

/* ---- What they are given. */

void generation_assign(struct generation *generation)
{
    if (generation->state == GENERATION_DRAINING)
        return;
    for (size_t i = 0; i < generation->seat_count; i++)
        if (generation->seats[i].is_ready)
            seat_assign(&generation->seats[i]);
}

void generation_add_ready(const struct generation *generation, uint32_t **ids, size_t *count)
{
    for (size_t i = 0; i < generation->seat_count; i++) {
        if (!generation->seats[i].is_ready)
            continue;
        *ids = mem_resize(*ids, *count + 1, sizeof **ids);
        (*ids)[(*count)++] = generation->seats[i].worker;
    }
}

void generation_join_keeper(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_join_keeper(&generation->seats[i]);
}

void generation_join_spf(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_join_spf(&generation->seats[i]);
}

void generation_send_ticket_keys(struct generation *generation)
{
    const struct tls_ticket_keys *keys = generation->terms.tools.ticket_keys;

    for (size_t i = 0; i < generation->seat_count; i++)
        if (generation->seats[i].child != NULL)
            child_send(generation->seats[i].child, HANDOVER_TICKET_KEYS, keys, sizeof *keys, NULL,
                       0);
}

/* ---- Their end. */

static bool has_children(const struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        if (generation->seats[i].child != NULL)
            return true;
    return false;
}

static void end_when_empty(struct generation *generation)
{
    if (generation->state == GENERATION_DRAINING && !has_children(generation))
        loop_defer(loop_of(generation), &generation->gone_task);
}

static void report_gone(void *owner)
{
    struct generation *generation = owner;

    loop_timer_cancel(&generation->drain_timer);
    generation->state = GENERATION_GONE;
    generation->events->on_gone(generation->owner, generation);
}

static void report_failed(void *owner)
{
    struct generation *generation = owner;

    if (generation->state == GENERATION_STARTING)
        generation->events->on_failed(generation->owner, generation);
}

static bool may_end(void *owner, int wait_status)
{
    const struct generation *generation = owner;

    return generation->state == GENERATION_DRAINING && WIFEXITED(wait_status) &&
           WEXITSTATUS(wait_status) == 0;
}

/* The others take its sockets over before anything else. */
static void on_empty(void *owner, struct seat *seat)
{
    struct generation *generation = owner;

    if (generation->state == GENERATION_DRAINING) {
        end_when_empty(generation);
        return;
    }
    generation->events->on_change(generation->owner);
    start_later(generation, seat);
}

static void on_drain_timeout(void *owner)
{
    struct generation *generation = owner;

    for (size_t i = 0; i < generation->seat_count; i++) {
        struct seat *seat = &generation->seats[i];

        if (seat->child == NULL)
            continue;
        log_warning("worker-late", "worker %u, process %ld, has not ended in time, and is ended",
                    (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
    }
}

static void drain(struct generation *generation, uint64_t max_ms, uint64_t spare_ms)
{
    const struct handover_drain orders = { .max_ms = max_ms, .spare_ms = spare_ms };

    generation->state = GENERATION_DRAINING;
    for (size_t i = 0; i < generation->seat_count; i++) {
        struct seat *seat = &generation->seats[i];

        seat_rest(seat);
        if (seat->child != NULL)
            child_send(seat->child, HANDOVER_DRAIN, &orders, sizeof orders, NULL, 0);
    }
    loop_timer_start(&generation->drain_timer, max_ms + DRAIN_GRACE_MS);
    end_when_empty(generation);
}

void generation_drain(struct generation *generation)
{
    drain(generation, generation->terms.settings.drain_ms, 0);
}

void generation_retire(struct generation *generation)
{
    drain(generation, generation->terms.settings.drain_ms, SPARE_MS);
}

void generation_drain_now(struct generation *generation)
{
    drain(generation, 0, 0);
}
