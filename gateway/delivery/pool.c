/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of channels; see pool.h. Everything that could help somebody who
 * waits ends in the task `serve`, which looks at the queue from its front: so
 * nothing is given out from within anybody's call, and first come is first served.
 */
#include "delivery/pool.h"

#include <assert.h>

#include "base/log.h"
#include "base/memory.h"

/*
 * A client that is only a little slow keeps its envelope while somebody waits; the more wait, the
 * less. To open an envelope again takes the backend a moment, and most of those who fall silent
 * behind RCPT when connections are rare do it on purpose.
 */
#define HOLD_GRACE_MS 50
/* More are not counted: by then the grace is nothing. */
#define MAX_COUNTED 64

/* How long those stay that are idle beyond `max-idle`. */
#define CROWD_IDLE_MS 1000

/* Refusals after which a server may slow us down or remember us: such a channel is closed. */
#define MAX_REFUSALS 2

struct pool_request {
    /* Identity. */
    struct pool *pool;
    bool is_fresh;
    /* Lent by the owner. */
    const struct channel_events *events;
    pool_done_fn done;
    void *owner;
    /* State. */
    struct list_link link;         /* in pool->waiting or pool->opening */
    size_t next_address;           /* the first that was not tried */
    struct channel *channel;       /* in setup; NULL while waiting */
    struct loop_timer wait_timer;
    uint64_t wait_until_ms;        /* when it gives up, unless its channel is in setup then */
    bool has_own_failure;          /* the last failure it met was no address's, but `own_failure` */
    struct answer own_failure;
};

static void serve(void *owner);
static void on_wait_due(void *owner);
static void start_waiting(struct pool_request *request);
static void open_channel(struct pool *pool, struct pool_request *request, size_t address_index);
static void end_request(struct pool_request *request, struct channel *channel,
                        const struct answer *failure);
static void on_setup_event(void *owner, struct channel *channel, enum client_event event);
static void on_kept_event(void *owner, struct channel *channel, enum client_event event);

/* Of a channel whose owner is a request, and of one whose owner is the pool. */
static const struct channel_events setup_events = { .on_event = on_setup_event };
static const struct channel_events kept_events = { .on_event = on_kept_event };

void pool_init(struct pool *pool, const struct channel_settings *settings)
{
    *pool = (struct pool){ .settings = *settings };
    addresses_init(&pool->addresses, settings->config);
    list_init(&pool->idle);
    list_init(&pool->waiting);
    list_init(&pool->opening);
    list_init(&pool->kept);
    list_init(&pool->holds);
    loop_timer_init(&pool->reclaim, settings->loop, serve, pool);
    loop_task_init(&pool->serve, serve, pool);
}

static void wake(struct pool *pool)
{
    if (!list_is_empty(&pool->waiting))
        loop_defer(pool->settings.loop, &pool->serve);
}

static void count_out(struct pool *pool)
{
    assert(pool->channel_count > 0);
    pool->channel_count--;
    wake(pool);
}

static void finish_channel(struct pool *pool, struct channel *channel)
{
    channel_finish(&channel);
    count_out(pool);
}

void pool_discard(struct pool *pool, struct channel **take_channel)
{
    channel_free(take_channel);
    count_out(pool);
}

/* ---- Idle channels. They are the pool's: their owner is the pool. */

static struct channel *take_idle(struct pool *pool)
{
    struct list_link *link = list_take_first(&pool->idle);
    struct channel *channel;

    if (link == NULL)
        return NULL;
    channel = LIST_OWNER(link, struct channel, link);
    pool->idle_count--;
    loop_timer_cancel(&channel->idle_timer);
    return channel;
}

/* The one that was idle longest makes room. */
static void close_oldest(struct pool *pool)
{
    struct channel *channel = LIST_OWNER(pool->idle.previous, struct channel, link);

    list_remove(&channel->link);
    pool->idle_count--;
    finish_channel(pool, channel);
}

static void on_idle_due(void *owner)
{
    struct channel *channel = owner;
    struct pool *pool = channel->owner;

    list_remove(&channel->link);
    pool->idle_count--;
    finish_channel(pool, channel);
}

/*
 * For the last one that came. Whoever is one too many stays a moment: in a crowd the next mail
 * comes within it, and to close and open a connection costs both sides more than to let it wait.
 */
static uint64_t find_idle_time(const struct pool *pool)
{
    const struct config_backend *config = pool->settings.config;

    if (pool->idle_count <= config->max_idle || config->idle_timeout_ms < CROWD_IDLE_MS)
        return config->idle_timeout_ms;
    return CROWD_IDLE_MS;
}

static void make_idle(struct pool *pool, struct channel *channel)
{
    if (pool->is_draining || pool->settings.config->max_idle == 0) {
        finish_channel(pool, channel);
        return;
    }
    list_remove(&channel->link);
    list_add_first(&pool->idle, &channel->link);
    pool->idle_count++;
    loop_timer_init(&channel->idle_timer, pool->settings.loop, on_idle_due, channel);
    loop_timer_start(&channel->idle_timer, find_idle_time(pool));
    wake(pool);
}

static void hand_out(struct channel *channel, const struct channel_events *events,
                     void *owner)
{
    channel->handed_out++;
    channel_set_owner(channel, events, owner);
}

struct channel *pool_take(struct pool *pool, const struct channel_events *events,
                          void *owner)
{
    struct channel *channel =
        list_is_empty(&pool->waiting) ? take_idle(pool) : NULL;

    if (channel != NULL)
        hand_out(channel, events, owner);
    return channel;
}

static bool is_worth_keeping(const struct pool *pool, const struct channel *channel)
{
    return !pool->is_draining && channel->handed_out < pool->settings.config->max_transactions
           && channel->dialogue.refusals <= MAX_REFUSALS;
}

void pool_return(struct pool *pool, struct channel **take_channel)
{
    struct channel *channel = *take_channel;

    *take_channel = NULL;
    if (!channel_can_reset(channel)) {
        pool_discard(pool, &channel);
        return;
    }
    if (!is_worth_keeping(pool, channel)) {
        finish_channel(pool, channel);
        return;
    }
    channel_set_owner(channel, &kept_events, pool);
    channel_reset(channel);
    if (channel->dialogue.state == CLIENT_STATE_READY)
        make_idle(pool, channel);
    else
        list_add_last(&pool->kept, &channel->link);
}

void pool_give_up_chunking(struct pool *pool)
{
    struct client_options *options = &pool->settings.options;

    if (!options->is_chunking_wanted)
        return;
    options->is_chunking_wanted = false;
    log_warning("backend-no-bdat",
                "backend %s offers CHUNKING and does not understand BDAT; set chunking off for it",
                pool->settings.config->name);
}

/* ---- Connections in setup. */

/* A fresh one has told what the backend can do. */
static void note_ready(struct pool *pool, const struct channel *channel)
{
    addresses_note_success(&pool->addresses, channel->address_index);
    if (stream_tls_info(channel->stream) != NULL)
        addresses_note_tls_success(&pool->addresses, channel->address_index);
    pool->offer = channel->dialogue.offer;
    pool->is_known = true;
}

static void note_failed(struct pool *pool, const struct channel *channel)
{
    uint64_t now_ms = loop_now_ms(pool->settings.loop);
    struct answer failure;

    if (channel->has_failed_tls) {
        addresses_note_tls_failure(&pool->addresses, channel->address_index, now_ms,
                                   text_string(&channel->problem));
        return;
    }
    answer_init(&failure);
    channel_describe(channel, FORWARD_UNREACHABLE, &failure);
    addresses_note_failure(&pool->addresses, channel->address_index, now_ms, &failure);
    answer_clear(&failure);
}

/* A channel of the pool's own: at reset, idle, or in setup for somebody who left. */
static void on_kept_event(void *owner, struct channel *channel, enum client_event event)
{
    struct pool *pool = owner;
    bool is_idle = loop_timer_is_set(&channel->idle_timer);
    bool is_in_setup = channel->handed_out == 0 && !is_idle;

    if (event == CLIENT_EVENT_READY) {
        if (is_in_setup)
            note_ready(pool, channel);
        make_idle(pool, channel);
        return;
    }
    if (is_in_setup && !channel->is_failure_ours)
        note_failed(pool, channel);
    if (is_idle)
        pool->idle_count--;
    pool_discard(pool, &channel);
}

static void on_setup_event(void *owner, struct channel *channel, enum client_event event)
{
    struct pool_request *request = owner;
    struct pool *pool = request->pool;

    if (event == CLIENT_EVENT_READY) {
        note_ready(pool, channel);
        end_request(request, channel, NULL);
        return;
    }
    request->has_own_failure = channel->is_failure_ours;
    if (channel->is_failure_ours)
        channel_describe(channel, FORWARD_BUSY, &request->own_failure);
    else
        note_failed(pool, channel);
    request->channel = NULL;
    list_remove(&request->link);
    if (channel->has_failed_tls) {
        size_t address_index = channel->address_index;

        pool_discard(pool, &channel);
        open_channel(pool, request, address_index);
        return;
    }
    start_waiting(request);
    pool_discard(pool, &channel);
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
                                        const struct channel_events *events, pool_done_fn done,
                                        void *owner)
{
    struct pool_request *request = mem_new(sizeof *request);

    request->pool = pool;
    request->is_fresh = is_fresh;
    request->next_address = first_address;
    request->events = events;
    request->done = done;
    request->owner = owner;
    answer_init(&request->own_failure);
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
    answer_clear(&request->own_failure);
    mem_free(request);
}

static void end_request(struct pool_request *request, struct channel *channel,
                        const struct answer *failure)
{
    pool_done_fn done = request->done;
    void *owner = request->owner;

    if (channel != NULL)
        hand_out(channel, request->events, owner);
    free_request(request);
    done(owner, channel, failure);
}

static void on_wait_due(void *owner)
{
    struct pool_request *request = owner;
    struct answer failure;

    answer_init(&failure);
    answer_reset(&failure, FORWARD_BUSY);
    answer_set_detail(&failure, "all %zu connections are in use", request->pool->channel_count);
    end_request(request, NULL, &failure);
    answer_clear(&failure);
}

void pool_request_cancel(struct pool_request **handle)
{
    struct pool_request *request = *handle;

    *handle = NULL;
    if (request == NULL)
        return;
    if (request->channel != NULL) {
        channel_set_owner(request->channel, &kept_events, request->pool);
        list_add_last(&request->pool->kept, &request->channel->link);
    }
    wake(request->pool);
    free_request(request);
}

/* ---- Serving. */

static void open_channel(struct pool *pool, struct pool_request *request, size_t address_index)
{
    bool is_plain = channel_can_be_plain(&pool->settings)
                    && !addresses_take_tls_trial(&pool->addresses, address_index,
                                                 loop_now_ms(pool->settings.loop));

    request->next_address = address_index + 1;
    loop_timer_cancel(&request->wait_timer);
    list_remove(&request->link);
    list_add_last(&pool->opening, &request->link);
    pool->channel_count++;
    request->channel =
        channel_new(&pool->settings, address_index, is_plain, &setup_events, request);
}

/* Every address has failed or is left alone, or we could not even try; and no channel is left. */
static void fail_request(struct pool *pool, struct pool_request *request)
{
    struct answer failure;

    answer_init(&failure);
    answer_copy(&failure, request->has_own_failure ? &request->own_failure
                                                   : &pool->addresses.last_failure);
    end_request(request, NULL, &failure);
    answer_clear(&failure);
}

static size_t count_some(const struct list_link *list)
{
    size_t count = 0;

    for (const struct list_link *link = list->next; link != list && count < MAX_COUNTED;
         link = link->next)
        count++;
    return count;
}

/*
 * Asks for as many channels as are waited for and are not on their way back already: those that
 * have waited longest for their clients, if that was long enough.
 */
static void reclaim_holds(struct pool *pool)
{
    size_t waiting_count = count_some(&pool->waiting);
    size_t returning_count = count_some(&pool->kept);
    uint64_t grace_ms = HOLD_GRACE_MS / waiting_count;

    for (; returning_count < waiting_count && !list_is_empty(&pool->holds); returning_count++) {
        struct pool_hold *hold = LIST_OWNER(pool->holds.next, struct pool_hold, link);
        uint64_t age_ms = loop_now_ms(pool->settings.loop) - hold->since_ms;

        if (age_ms < grace_ms) {
            loop_timer_start(&pool->reclaim, grace_ms - age_ms);
            return;
        }
        list_remove(&hold->link);
        hold->on_wanted(hold->owner);
    }
}

/* False when nothing can be done for it, nor for those behind it. */
static bool serve_request(struct pool *pool, struct pool_request *request)
{
    const struct config_backend *config = pool->settings.config;
    struct channel *channel = request->is_fresh ? NULL : take_idle(pool);
    size_t address_index;

    if (channel != NULL) {
        end_request(request, channel, NULL);
        return true;
    }
    address_index = addresses_find(&pool->addresses, request->next_address,
                                   loop_now_ms(pool->settings.loop));
    if (address_index == config->address_count) {
        /* One that is in use now will do as well: a backend may refuse any more of them. */
        if (!request->is_fresh && pool->channel_count > 0) {
            reclaim_holds(pool);
            return false;
        }
        fail_request(pool, request);
        return true;
    }
    if (pool->channel_count >= config->max_connections && pool->idle_count > 0)
        close_oldest(pool);
    if (pool->channel_count >= config->max_connections) {
        reclaim_holds(pool);
        return false;
    }
    open_channel(pool, request, address_index);
    return true;
}

static void serve(void *owner)
{
    struct pool *pool = owner;

    while (!list_is_empty(&pool->waiting)
           && serve_request(pool, LIST_OWNER(pool->waiting.next, struct pool_request, link)))
        continue;
}

/* ---- Holds. */

void pool_hold_init(struct pool_hold *hold, void (*on_wanted)(void *owner), void *owner)
{
    *hold = (struct pool_hold){ .on_wanted = on_wanted, .owner = owner };
    list_init(&hold->link);
}

void pool_hold_start(struct pool *pool, struct pool_hold *hold)
{
    hold->since_ms = loop_now_ms(pool->settings.loop);
    list_add_last(&pool->holds, &hold->link);
    wake(pool);
}

void pool_hold_cancel(struct pool_hold *hold)
{
    list_remove(&hold->link);
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
        struct channel *channel = LIST_OWNER(link, struct channel, link);

        pool_discard(pool, &channel);
    }
    assert(pool->channel_count == 0);
    loop_task_cancel(&pool->serve);
    loop_timer_cancel(&pool->reclaim);
    addresses_clear(&pool->addresses);
}
