/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of connections; see pool.h. Everything that could help somebody who
 * waits ends in the task `serve`, which looks at the queue from its front: so
 * nothing is given out from within anybody's call, and first come is first served.
 */
#include "delivery/pool.h"

#include <assert.h>

#include "base/memory.h"

/* Refusals after which a server may slow us down or remember us: such a connection is closed. */
#define MAX_REFUSALS 2

struct pool_request {
    /* Identity. */
    struct pool *pool;
    bool is_fresh;
    /* Lent by the owner. */
    const struct connection_events *events;
    pool_done_fn done;
    void *owner;
    /* State. */
    struct list_link link;         /* in pool->waiting or pool->opening */
    size_t next_address;           /* the first that was not tried */
    struct connection *connection; /* in setup; NULL while waiting */
    struct loop_timer wait_timer;
    uint64_t wait_until_ms;        /* when it gives up, unless its connection is in setup then */
};

static void serve(void *owner);
static void on_wait_due(void *owner);
static void start_waiting(struct pool_request *request);
static void end_request(struct pool_request *request, struct connection *connection,
                        const struct answer *failure);
static void on_setup_event(void *owner, struct connection *connection, enum client_event event);
static void on_kept_event(void *owner, struct connection *connection, enum client_event event);

/* Of a connection whose owner is a request, and of one whose owner is the pool. */
static const struct connection_events setup_events = { .on_event = on_setup_event };
static const struct connection_events kept_events = { .on_event = on_kept_event };

void pool_init(struct pool *pool, const struct connection_settings *settings)
{
    *pool = (struct pool){ .settings = *settings };
    addresses_init(&pool->addresses, settings->config);
    list_init(&pool->idle);
    list_init(&pool->waiting);
    list_init(&pool->opening);
    list_init(&pool->kept);
    loop_task_init(&pool->serve, serve, pool);
}

static void wake(struct pool *pool)
{
    if (!list_is_empty(&pool->waiting))
        loop_defer(pool->settings.loop, &pool->serve);
}

static void count_out(struct pool *pool)
{
    assert(pool->connection_count > 0);
    pool->connection_count--;
    wake(pool);
}

static void finish_connection(struct pool *pool, struct connection *connection)
{
    connection_finish(&connection);
    count_out(pool);
}

void pool_discard(struct pool *pool, struct connection **take_connection)
{
    connection_free(take_connection);
    count_out(pool);
}

/* ---- Idle connections. They are the pool's: their owner is the pool. */

static struct connection *take_idle(struct pool *pool)
{
    struct list_link *link = list_take_first(&pool->idle);
    struct connection *connection;

    if (link == NULL)
        return NULL;
    connection = LIST_OWNER(link, struct connection, link);
    pool->idle_count--;
    loop_timer_cancel(&connection->idle_timer);
    return connection;
}

/* The one that was idle longest makes room. */
static void close_oldest(struct pool *pool)
{
    struct connection *connection = LIST_OWNER(pool->idle.previous, struct connection, link);

    list_remove(&connection->link);
    pool->idle_count--;
    finish_connection(pool, connection);
}

static void on_idle_due(void *owner)
{
    struct connection *connection = owner;
    struct pool *pool = connection->owner;

    list_remove(&connection->link);
    pool->idle_count--;
    finish_connection(pool, connection);
}

static void make_idle(struct pool *pool, struct connection *connection)
{
    if (pool->is_draining || pool->settings.config->max_idle == 0) {
        finish_connection(pool, connection);
        return;
    }
    list_remove(&connection->link);
    list_add_first(&pool->idle, &connection->link);
    pool->idle_count++;
    loop_timer_init(&connection->idle_timer, pool->settings.loop, on_idle_due, connection);
    loop_timer_start(&connection->idle_timer, pool->settings.config->idle_timeout_ms);
    if (pool->idle_count > pool->settings.config->max_idle)
        close_oldest(pool);
    wake(pool);
}

static void hand_out(struct connection *connection, const struct connection_events *events,
                     void *owner)
{
    connection->handed_out++;
    connection_set_owner(connection, events, owner);
}

struct connection *pool_take(struct pool *pool, const struct connection_events *events,
                             void *owner)
{
    struct connection *connection =
        list_is_empty(&pool->waiting) ? take_idle(pool) : NULL;

    if (connection != NULL)
        hand_out(connection, events, owner);
    return connection;
}

static bool is_worth_keeping(const struct pool *pool, const struct connection *connection)
{
    return !pool->is_draining && connection->handed_out < pool->settings.config->max_transactions
           && connection->dialogue.refusals <= MAX_REFUSALS;
}

void pool_return(struct pool *pool, struct connection **take_connection)
{
    struct connection *connection = *take_connection;

    *take_connection = NULL;
    if (!connection_can_reset(connection)) {
        pool_discard(pool, &connection);
        return;
    }
    if (!is_worth_keeping(pool, connection)) {
        finish_connection(pool, connection);
        return;
    }
    connection_set_owner(connection, &kept_events, pool);
    connection_reset(connection);
    if (connection->dialogue.state == CLIENT_STATE_READY)
        make_idle(pool, connection);
    else
        list_add_last(&pool->kept, &connection->link);
}

/* ---- Connections in setup. */

/* A fresh one has told what the backend can do. */
static void note_ready(struct pool *pool, const struct connection *connection)
{
    addresses_note_success(&pool->addresses, connection->address_index);
    pool->offer = connection->dialogue.offer;
    pool->is_known = true;
}

static void note_failed(struct pool *pool, const struct connection *connection)
{
    struct answer failure;

    answer_init(&failure);
    connection_describe(connection, FORWARD_UNREACHABLE, &failure);
    addresses_note_failure(&pool->addresses, connection->address_index,
                           loop_now_ms(pool->settings.loop), &failure);
    answer_clear(&failure);
}

/* A connection of the pool's own: at reset, idle, or in setup for somebody who left. */
static void on_kept_event(void *owner, struct connection *connection, enum client_event event)
{
    struct pool *pool = owner;
    bool is_in_setup = connection->handed_out == 0;

    if (event == CLIENT_EVENT_READY) {
        if (is_in_setup)
            note_ready(pool, connection);
        make_idle(pool, connection);
        return;
    }
    if (is_in_setup)
        note_failed(pool, connection);
    if (loop_timer_is_set(&connection->idle_timer))
        pool->idle_count--;
    pool_discard(pool, &connection);
}

static void on_setup_event(void *owner, struct connection *connection, enum client_event event)
{
    struct pool_request *request = owner;
    struct pool *pool = request->pool;

    if (event == CLIENT_EVENT_READY) {
        note_ready(pool, connection);
        end_request(request, connection, NULL);
        return;
    }
    note_failed(pool, connection);
    request->connection = NULL;
    list_remove(&request->link);
    start_waiting(request);
    pool_discard(pool, &connection);
}

/* ---- Requests. */

/* Those that have tried an address already come before those that have not. */
static void start_waiting(struct pool_request *request)
{
    struct pool *pool = request->pool;
    uint64_t now_ms = loop_now_ms(pool->settings.loop);

    if (request->next_address > 0)
        list_add_first(&pool->waiting, &request->link);
    else
        list_add_last(&pool->waiting, &request->link);
    loop_timer_start(&request->wait_timer,
                     request->wait_until_ms > now_ms ? request->wait_until_ms - now_ms : 0);
    wake(pool);
}

struct pool_request *pool_request_start(struct pool *pool, bool is_fresh, size_t first_address,
                                        const struct connection_events *events, pool_done_fn done,
                                        void *owner)
{
    struct pool_request *request = mem_new(sizeof *request);

    request->pool = pool;
    request->is_fresh = is_fresh;
    request->next_address = first_address;
    request->events = events;
    request->done = done;
    request->owner = owner;
    list_init(&request->link);
    loop_timer_init(&request->wait_timer, pool->settings.loop, on_wait_due, request);
    request->wait_until_ms = loop_now_ms(pool->settings.loop) + pool->settings.config->wait_ms;
    start_waiting(request);
    return request;
}

static void free_request(struct pool_request *request)
{
    list_remove(&request->link);
    loop_timer_cancel(&request->wait_timer);
    mem_free(request);
}

static void end_request(struct pool_request *request, struct connection *connection,
                        const struct answer *failure)
{
    pool_done_fn done = request->done;
    void *owner = request->owner;

    if (connection != NULL)
        hand_out(connection, request->events, owner);
    free_request(request);
    done(owner, connection, failure);
}

static void on_wait_due(void *owner)
{
    struct pool_request *request = owner;
    struct answer failure;

    answer_init(&failure);
    answer_reset(&failure, FORWARD_BUSY);
    answer_set_detail(&failure, "all %zu connections are in use", request->pool->connection_count);
    end_request(request, NULL, &failure);
    answer_clear(&failure);
}

void pool_request_cancel(struct pool_request **handle)
{
    struct pool_request *request = *handle;

    *handle = NULL;
    if (request == NULL)
        return;
    if (request->connection != NULL) {
        connection_set_owner(request->connection, &kept_events, request->pool);
        list_add_last(&request->pool->kept, &request->connection->link);
    }
    wake(request->pool);
    free_request(request);
}

/* ---- Serving. */

static void open_connection(struct pool *pool, struct pool_request *request, size_t address_index)
{
    request->next_address = address_index + 1;
    loop_timer_cancel(&request->wait_timer);
    list_remove(&request->link);
    list_add_last(&pool->opening, &request->link);
    pool->connection_count++;
    request->connection = connection_new(&pool->settings, address_index, &setup_events, request);
}

/* Every address has failed or is left alone, and no connection is left. */
static void fail_request(struct pool *pool, struct pool_request *request)
{
    struct answer failure;

    answer_init(&failure);
    answer_copy(&failure, &pool->addresses.last_failure);
    end_request(request, NULL, &failure);
    answer_clear(&failure);
}

/* False when nothing can be done for it, nor for those behind it. */
static bool serve_request(struct pool *pool, struct pool_request *request)
{
    const struct config_backend *config = pool->settings.config;
    struct connection *connection = request->is_fresh ? NULL : take_idle(pool);
    size_t address_index;

    if (connection != NULL) {
        end_request(request, connection, NULL);
        return true;
    }
    address_index = addresses_find(&pool->addresses, request->next_address,
                                   loop_now_ms(pool->settings.loop));
    if (address_index == config->address_count) {
        /* One that is in use now will do as well: a backend may refuse any more of them. */
        if (!request->is_fresh && pool->connection_count > 0)
            return false;
        fail_request(pool, request);
        return true;
    }
    if (pool->connection_count >= config->max_connections && pool->idle_count > 0)
        close_oldest(pool);
    if (pool->connection_count >= config->max_connections)
        return false;
    open_connection(pool, request, address_index);
    return true;
}

static void serve(void *owner)
{
    struct pool *pool = owner;

    while (!list_is_empty(&pool->waiting)
           && serve_request(pool, LIST_OWNER(pool->waiting.next, struct pool_request, link)))
        continue;
}

/* ---- The end. */

static void close_idle(struct pool *pool)
{
    while (pool->idle_count > 0)
        close_oldest(pool);
}

void pool_drain(struct pool *pool)
{
    pool->is_draining = true;
    close_idle(pool);
}

void pool_clear(struct pool *pool)
{
    struct list_link *link;

    assert(list_is_empty(&pool->waiting) && list_is_empty(&pool->opening));
    close_idle(pool);
    while ((link = list_take_first(&pool->kept)) != NULL) {
        struct connection *connection = LIST_OWNER(link, struct connection, link);

        pool_discard(pool, &connection);
    }
    assert(pool->connection_count == 0);
    loop_task_cancel(&pool->serve);
    addresses_clear(&pool->addresses);
}
