/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend of one worker; see backend.h. What it can do is learnt from a
 * channel opened for that at the start, again after `retry` while it fails,
 * and from every fresh channel afterwards.
 */
#include "delivery/backend.h"

#include "base/memory.h"
#include "delivery/backend_internal.h"
#include "smtp/command.h"

/* Room for our own header fields below the backend's SIZE. */
#define HEADER_RESERVE_BYTES 8192

static void learn(void *owner);

static enum client_tls tls_policy(const struct config_backend *config)
{
    switch (config->tls) {
    case BACKEND_TLS_OFF:
        return CLIENT_TLS_OFF;
    case BACKEND_TLS_OPTIONAL:
        return CLIENT_TLS_OPTIONAL;
    case BACKEND_TLS_REQUIRED:
    case BACKEND_TLS_VERIFIED:
        break;
    }
    return CLIENT_TLS_REQUIRED;
}

static struct backend *make(struct loop *loop, const struct config_backend *config,
                            struct tls_client *tls, struct spill *spill, const char *hostname)
{
    struct backend *backend = mem_new(sizeof *backend);
    struct channel_settings settings = {
        .loop = loop,
        .config = config,
        .tls = tls,
        .options = {
            .hostname = hostname,
            .tls = tls_policy(config),
            .is_xclient_needed = config->identity == IDENTITY_XCLIENT,
            .assumed = config->assumed,
            .is_chunking_wanted = config->is_chunking_wanted,
        },
    };

    backend->loop = loop;
    backend->config = config;
    backend->spill = spill;
    pool_init(&backend->pool, &settings);
    loop_timer_init(&backend->retry_timer, loop, learn, backend);
    return backend;
}

struct backend *backend_new(struct loop *loop, const struct config_backend *config,
                            struct tls_client *tls, struct spill *spill, const char *hostname)
{
    struct backend *backend = make(loop, config, tls, spill, hostname);

    learn(backend);
    return backend;
}

struct backend *backend_new_unasked(struct loop *loop, const struct config_backend *config,
                                    const char *hostname)
{
    return make(loop, config, NULL, NULL, hostname);
}

/* ---- Learning. */

static void on_event(void *owner, struct channel *channel, enum client_event event)
{
    /* It is given back at once and never talks to us. */
    (void)owner;
    (void)channel;
    (void)event;
}

static const struct channel_events learning_events = { .on_event = on_event };

static void settle(struct backend *backend)
{
    void (*done)(void *) = backend->on_settled;

    backend->has_settled = true;
    backend->on_settled = NULL;
    if (done != NULL)
        done(backend->settled_owner);
}

static void on_learnt(void *owner, struct channel *channel, const struct answer *failure)
{
    struct backend *backend = owner;

    backend->learning = NULL;
    if (failure != NULL)
        loop_timer_start(&backend->retry_timer, backend->config->retry_ms);
    else
        pool_return(&backend->pool, &channel);
    settle(backend);
}

static void learn(void *owner)
{
    struct backend *backend = owner;

    if (!backend->pool.is_known && !backend->pool.is_draining)
        backend->learning = pool_request_start(&backend->pool, true, 0, &learning_events,
                                               on_learnt, backend);
}

static void stop_learning(struct backend *backend)
{
    loop_timer_cancel(&backend->retry_timer);
    pool_request_cancel(&backend->learning);
}

void backend_drain(struct backend *backend)
{
    stop_learning(backend);
    pool_drain(&backend->pool);
}

void backend_free(struct backend **handle)
{
    struct backend *backend = *handle;

    *handle = NULL;
    if (backend == NULL)
        return;
    stop_learning(backend);
    pool_clear(&backend->pool);
    mem_free(backend);
}

/* ---- What is known. */

const struct config_backend *backend_config(const struct backend *backend)
{
    return backend->config;
}

unsigned int backend_extensions(const struct backend *backend)
{
    return backend->pool.offer.extensions | backend->config->assumed;
}

bool backend_is_known(const struct backend *backend)
{
    return backend->pool.is_known;
}

bool backend_has_settled(const struct backend *backend)
{
    return backend->has_settled;
}

void backend_await_settled(struct backend *backend, void (*done)(void *owner), void *owner)
{
    backend->on_settled = done;
    backend->settled_owner = owner;
}

uint64_t backend_max_size(const struct backend *backend)
{
    uint64_t max_size_bytes = backend->pool.offer.max_size_bytes;

    if (max_size_bytes == 0)
        return 0;
    return max_size_bytes > HEADER_RESERVE_BYTES ? max_size_bytes - HEADER_RESERVE_BYTES : 1;
}

bool backend_has_recipient(const struct backend *backend, const struct address *address)
{
    return backend->config->recipients != RECIPIENTS_FILE
           || config_backend_has_recipient(backend->config, address_text(address));
}
