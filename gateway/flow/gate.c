/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate of one worker; see gate.h. */
#include "flow/gate.h"

#include "base/log.h"
#include "base/memory.h"
#include "flow/connection.h"
#include "flow/release.h"
#include "flow/shared.h"
#include "flow/turnstile.h"
#include "smtp/server_replies.h"

struct gate {
    struct shared *shared;             /* owned */
    struct releases *releases;         /* owned; NULL without a quarantine */
    struct turnstile *turnstile;       /* owned */
    struct list_link connections;
    size_t connection_count;
    size_t *counts;                    /* by listener */
    /* Waiting for the backends. */
    struct loop_timer backends_timer;
    struct loop_task backends_task;
    void (*on_backends)(void *owner);  /* NULL unless they are awaited */
    void *backends_owner;
    /* Draining. */
    bool is_draining;
    bool is_out_of_time;               /* what is left is not waited for */
    struct loop_timer spare_timer;
    struct loop_timer drain_timer;     /* for the sessions; then for the keeper */
    struct loop_task drained_task;     /* `on_drained` comes from the loop, not from gate_drain */
    void (*on_drained)(void *owner);   /* NULL unless draining */
    void *drain_owner;
};

/* Less than what the master grants to a worker behind its drain-timeout. */
#define KEEPER_MS 4000

static void on_spare_timeout(void *owner);
static void on_drain_timeout(void *owner);
static void report_drained(void *owner);
static void report_backends(void *owner);
static void end_drain_when_empty(void *owner);

struct gate *gate_new(const struct gate_settings *settings)
{
    struct gate *gate = mem_new(sizeof *gate);

    gate->shared = shared_new(settings);
    gate->turnstile = turnstile_new(gate->shared);
    gate->counts = mem_new_array(settings->config->listener_count, sizeof(*gate->counts));
    list_init(&gate->connections);
    loop_timer_init(&gate->backends_timer, settings->loop, report_backends, gate);
    loop_task_init(&gate->backends_task, report_backends, gate);
    loop_timer_init(&gate->spare_timer, settings->loop, on_spare_timeout, gate);
    loop_timer_init(&gate->drain_timer, settings->loop, on_drain_timeout, gate);
    loop_task_init(&gate->drained_task, report_drained, gate);
    if (settings->keeper != NULL)
        gate->releases = releases_new(gate->shared, end_drain_when_empty, gate);
    return gate;
}

/* ---- The backends. */

static bool have_all_settled(const struct gate *gate)
{
    for (size_t i = 0; i < gate->shared->settings.config->backend_count; i++)
        if (!backend_has_settled(gate->shared->backends[i]))
            return false;
    return true;
}

static void on_backend_settled(void *owner)
{
    struct gate *gate = owner;

    if (have_all_settled(gate))
        loop_defer(gate->shared->settings.loop, &gate->backends_task);
}

static void stop_awaiting_backends(struct gate *gate)
{
    for (size_t i = 0; i < gate->shared->settings.config->backend_count; i++)
        backend_await_settled(gate->shared->backends[i], NULL, NULL);
    loop_timer_cancel(&gate->backends_timer);
    loop_task_cancel(&gate->backends_task);
    gate->on_backends = NULL;
}

/* All have settled, or those that have not are waited for no longer. */
static void report_backends(void *owner)
{
    struct gate *gate = owner;
    void (*done)(void *) = gate->on_backends;

    stop_awaiting_backends(gate);
    for (size_t i = 0; i < gate->shared->settings.config->backend_count; i++)
        if (!backend_has_settled(gate->shared->backends[i]))
            log_warning("backend-unknown", "backend %s has not told yet what it can do",
                        gate->shared->settings.config->backends[i].name);
    done(gate->backends_owner);
}

void gate_await_backends(struct gate *gate, uint64_t max_ms, void (*done)(void *owner), void *owner)
{
    gate->on_backends = done;
    gate->backends_owner = owner;
    for (size_t i = 0; i < gate->shared->settings.config->backend_count; i++)
        backend_await_settled(gate->shared->backends[i], on_backend_settled, gate);
    loop_timer_start(&gate->backends_timer, max_ms);
    on_backend_settled(gate);
}

/* ---- The end, and the sessions. */

void gate_free(struct gate **handle)
{
    struct gate *gate = *handle;
    struct list_link *link;

    if (gate == NULL)
        return;
    while ((link = list_take_first(&gate->connections)) != NULL) {
        struct connection *connection = connection_from_link(link);

        presence_leave(gate->shared->settings.presence, connection_presence(connection));
        connection_free(&connection);
    }
    stop_awaiting_backends(gate);
    loop_timer_cancel(&gate->spare_timer);
    loop_timer_cancel(&gate->drain_timer);
    loop_task_cancel(&gate->drained_task);
    releases_free(&gate->releases);
    turnstile_free(&gate->turnstile);
    shared_free(&gate->shared);
    mem_free(gate->counts);
    mem_free(gate);
    *handle = NULL;
}

size_t gate_session_count(const struct gate *gate)
{
    return gate->connection_count;
}

static struct counters *counters_of(const struct gate *gate)
{
    return gate->shared->settings.counters;
}

static void report_drained(void *owner)
{
    struct gate *gate = owner;
    void (*done)(void *) = gate->on_drained;

    gate->on_drained = NULL;
    loop_timer_cancel(&gate->spare_timer);
    loop_timer_cancel(&gate->drain_timer);
    done(gate->drain_owner);
}

/* The keeper's word on copies is waited for too, and releases are carried out. */
static void end_drain_when_empty(void *owner)
{
    struct gate *gate = owner;
    const struct keeper_link *keeper = gate->shared->settings.keeper;
    bool is_idle = keeper == NULL || gate->is_out_of_time || keeper_link_is_idle(keeper);

    if (gate->connection_count == 0 && is_idle && gate->on_drained != NULL)
        loop_defer(gate->shared->settings.loop, &gate->drained_task);
}

static void on_connection_gone(void *owner, struct connection *connection)
{
    struct gate *gate = owner;

    list_remove(connection_link(connection));
    gate->connection_count--;
    gate->counts[connection_listener(connection)]--;
    presence_leave(gate->shared->settings.presence, connection_presence(connection));
    counter_subtract(counters_of(gate), COUNTER_SESSIONS_OPEN, 1);
    end_drain_when_empty(gate);
}

/*
 * Counts the session in, and says what it is refused with; REPLY_OK when it may come in. Hosts of a
 * relay block are the owner's own, and a socket without addresses tells nobody from another.
 */
static enum server_reply count_in(struct gate *gate, size_t listener_index,
                                  const struct ip_address *client, struct presence_mark *mark)
{
    const struct config *config = gate->shared->settings.config;
    const struct config_listener *listener = &config->listeners[listener_index];
    struct presence *presence = gate->shared->settings.presence;
    struct presence_counts counts;

    *mark = (struct presence_mark){ 0 };
    if (gate->connection_count >= config->max_sessions ||
        gate->counts[listener_index] >= listener->max_sessions)
        return REPLY_TOO_MANY_SESSIONS;
    if (ip_is_unspecified(client) || config_find_relay(config, client) != NULL)
        return REPLY_OK;
    counts = presence_enter(presence, slice_from(listener->name), client, mark);
    if (counts.address <= listener->max_sessions_per_address &&
        counts.network <= listener->max_sessions_per_network)
        return REPLY_OK;
    presence_leave(presence, mark);
    return counts.address > listener->max_sessions_per_address ? REPLY_TOO_MANY_FROM_ADDRESS
                                                               : REPLY_TOO_MANY_FROM_NETWORK;
}

void gate_accept(struct gate *gate, size_t listener_index, int take_fd,
                 const struct ip_endpoint *peer)
{
    struct presence_mark mark;
    enum server_reply refusal = REPLY_SHUTDOWN;
    struct connection *connection;

    if (!gate->is_draining)
        refusal = count_in(gate, listener_index, &peer->address, &mark);
    if (refusal != REPLY_OK) {
        turnstile_refuse(gate->turnstile, listener_index, take_fd, peer, refusal);
        return;
    }
    counter_add(counters_of(gate), COUNTER_SESSIONS, 1);
    counter_add(counters_of(gate), COUNTER_SESSIONS_OPEN, 1);
    gate->connection_count++;
    gate->counts[listener_index]++;
    connection = connection_new(gate->shared, listener_index, take_fd, peer, on_connection_gone,
                                gate);
    *connection_presence(connection) = mark;
    list_add_last(&gate->connections, connection_link(connection));
}

static void shut_down_all(struct gate *gate, enum connection_shutdown how)
{
    struct list_link *link = gate->connections.next;

    while (link != &gate->connections) {
        struct list_link *next = link->next;

        connection_shut_down(connection_from_link(link), how);
        link = next;
    }
}

static void on_spare_timeout(void *owner)
{
    shut_down_all(owner, CONNECTION_SHUTDOWN_IDLE);
}

static void on_keeper_timeout(void *owner)
{
    struct gate *gate = owner;

    gate->is_out_of_time = true;
    end_drain_when_empty(gate);
}

/* The keeper has to hear of mail whose client was just told to come again, or it stays held. */
static void on_drain_timeout(void *owner)
{
    struct gate *gate = owner;

    shut_down_all(gate, CONNECTION_SHUTDOWN_NOW);
    loop_timer_init(&gate->drain_timer, gate->shared->settings.loop, on_keeper_timeout, gate);
    loop_timer_start(&gate->drain_timer, KEEPER_MS);
    end_drain_when_empty(gate);
}

void gate_drain(struct gate *gate, uint64_t max_ms, uint64_t spare_ms, void (*done)(void *owner),
                void *owner)
{
    stop_awaiting_backends(gate);
    gate->is_draining = true;
    gate->on_drained = done;
    gate->drain_owner = owner;
    for (size_t i = 0; i < gate->shared->settings.config->backend_count; i++)
        backend_drain(gate->shared->backends[i]);
    if (gate->shared->settings.keeper != NULL)
        keeper_link_leave(gate->shared->settings.keeper);
    loop_timer_start(&gate->drain_timer, max_ms);
    loop_timer_cancel(&gate->spare_timer);
    if (spare_ms > 0)
        loop_timer_start(&gate->spare_timer, spare_ms);
    shut_down_all(gate, spare_ms > 0 ? CONNECTION_SHUTDOWN_SPARING : CONNECTION_SHUTDOWN_IDLE);
    end_drain_when_empty(gate);
}
