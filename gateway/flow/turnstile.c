/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Those who are turned away; see turnstile.h.
 *
 * The socket is closed with the reply behind it, and not kept until the client
 * has closed too: there could be any number of them. A client that spoke before
 * the greeting may lose the reply to a reset, and had no right to.
 */
#include "flow/turnstile.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/stream.h"

/* The reply fits the kernel's empty buffer, so this is for a socket that is broken. */
#define LAST_WORDS_MS 1000

/* The lines of one reason. */
struct window {
    enum server_reply id;
    uint64_t count;           /* turned away since it began; 0 while there is none */
    struct loop_timer timer;  /* set until its end */
};

struct turnstile {
    struct shared *shared;    /* lent */
    struct window windows[REPLY_COUNT];
};

/* ---- Lines. */

static void tell_rest(struct window *window)
{
    if (window->count > TURNSTILE_MAX_LINES)
        log_warning("turned-away", "%llu more clients were turned away and have no line: %s",
                    (unsigned long long)(window->count - TURNSTILE_MAX_LINES),
                    server_reply_get(window->id).reason);
    window->count = 0;
}

static void on_window_over(void *owner)
{
    tell_rest(owner);
}

static void write_line(const struct turnstile *turnstile, const char *listener,
                       const struct ip_endpoint *peer, const struct reply *reply)
{
    struct record record;

    record_init(&record);
    record.event = RECORD_SESSION;
    record.wall_us = clock_wall_us();
    record.client = *peer;
    record.listener = listener;
    record.generation = turnstile->shared->settings.generation;
    record.reply_code = reply->code;
    record.close_reason = reply->reason;
    shared_log(turnstile->shared, &record);
}

static bool has_line_left(struct window *window)
{
    if (window->count++ == 0)
        loop_timer_start(&window->timer, TURNSTILE_WINDOW_MS);
    return window->count <= TURNSTILE_MAX_LINES;
}

/* ---- Life. */

struct turnstile *turnstile_new(struct shared *shared)
{
    struct turnstile *turnstile = mem_new(sizeof *turnstile);

    turnstile->shared = shared;
    for (size_t i = 0; i < REPLY_COUNT; i++) {
        turnstile->windows[i].id = (enum server_reply)i;
        loop_timer_init(&turnstile->windows[i].timer, shared->settings.loop, on_window_over,
                        &turnstile->windows[i]);
    }
    return turnstile;
}

void turnstile_free(struct turnstile **handle)
{
    struct turnstile *turnstile = *handle;

    if (turnstile == NULL)
        return;
    for (size_t i = 0; i < REPLY_COUNT; i++) {
        loop_timer_cancel(&turnstile->windows[i].timer);
        tell_rest(&turnstile->windows[i]);
    }
    mem_free(turnstile);
    *handle = NULL;
}

static void ignore_input(void *owner)
{
    (void)owner;
}

static void ignore_end(void *owner, enum stream_end end, const char *detail)
{
    (void)owner;
    (void)end;
    (void)detail;
}

void turnstile_refuse(struct turnstile *turnstile, size_t listener_index, int take_fd,
                      const struct ip_endpoint *peer, enum server_reply id)
{
    static const struct stream_events events = { .on_input = ignore_input, .on_end = ignore_end };
    struct shared *shared = turnstile->shared;
    const struct config_listener *listener = &shared->settings.config->listeners[listener_index];
    struct stream *stream = stream_new(shared->settings.loop, take_fd, &events, turnstile);
    struct reply reply = server_reply_get(id);

    /* Inside implicit TLS nobody could read a reply in plain. */
    if (listener->tls != LISTENER_TLS_IMPLICIT) {
        reply_print(&shared->scratch, &reply, "");
        stream_write(stream, text_slice(&shared->scratch));
        text_reset(&shared->scratch);
    }
    stream_part(&stream, LAST_WORDS_MS);
    counter_add(shared->settings.counters, COUNTER_SESSIONS_REFUSED, 1);
    if (has_line_left(&turnstile->windows[id]))
        write_line(turnstile, listener->name, peer, &reply);
}
