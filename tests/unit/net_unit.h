/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of net/ share: a loop that runs until something is true, and
 * one end of a connection that writes down all that happened to it.
 */
#ifndef POSTERN_TESTS_NET_UNIT_H
#define POSTERN_TESTS_NET_UNIT_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"
#include "unit.h"

/* A test that waits longer than this has failed. */
#define NET_PATIENCE_MS 8000

/* A timer's callback; the owner is a sentence. */
static inline void net_lose_patience(void *owner)
{
    ck_abort_msg("nothing more happened while waiting for: %s", (const char *)owner);
}

/* Runs turns of the loop until `is_true(owner)`; `what` is for the message when it never is. */
static inline void net_run_until(struct loop *loop, const char *what, bool (*is_true)(void *owner),
                                 void *owner)
{
    struct loop_timer patience;
    char words[100];

    snprintf(words, sizeof words, "%s", what);
    loop_timer_init(&patience, loop, net_lose_patience, words);
    loop_timer_start(&patience, NET_PATIENCE_MS);
    while (!is_true(owner)) {
        loop_stop(loop);
        loop_run(loop);
    }
    loop_timer_cancel(&patience);
}

static inline bool net_is_set(void *flag)
{
    return *(bool *)flag;
}

static inline void net_set_flag(void *flag)
{
    *(bool *)flag = true;
}

/* Runs the loop for `ms`, at least: for what must not happen. */
static inline void net_run_for(struct loop *loop, uint64_t ms)
{
    struct loop_timer timer;
    bool is_over = false;

    loop_timer_init(&timer, loop, net_set_flag, &is_over);
    loop_timer_start(&timer, ms);
    net_run_until(loop, "a timer", net_is_set, &is_over);
}

/* One end of a connection. */
struct net_end {
    struct stream *stream;
    struct text input;       /* all that came, unless `leaves_input` */
    bool leaves_input;       /* on_input consumes nothing */
    unsigned int inputs;     /* calls of on_input */
    unsigned int drained;
    unsigned int secured;
    unsigned int ends;
    enum stream_end end;
    char detail[200];
    void (*on_input)(struct net_end *end);   /* after the bytes were taken; may be NULL */
    void (*on_drained)(struct net_end *end); /* may be NULL */
    void (*on_secured)(struct net_end *end); /* may be NULL */
    void (*on_end)(struct net_end *end);     /* may be NULL */
};

static inline void net_end_on_input(void *owner)
{
    struct net_end *end = owner;

    end->inputs++;
    ck_assert_uint_eq(end->ends, 0);
    if (!end->leaves_input) {
        text_add(&end->input, stream_input(end->stream));
        stream_consume(end->stream, stream_input(end->stream).length);
    }
    if (end->on_input != NULL)
        end->on_input(end);
}

static inline void net_end_on_drained(void *owner)
{
    struct net_end *end = owner;

    end->drained++;
    ck_assert_uint_eq(end->ends, 0);
    if (end->on_drained != NULL)
        end->on_drained(end);
}

static inline void net_end_on_secured(void *owner)
{
    struct net_end *end = owner;

    end->secured++;
    ck_assert_uint_eq(end->ends, 0);
    if (end->on_secured != NULL)
        end->on_secured(end);
}

static inline void net_end_on_end(void *owner, enum stream_end why, const char *detail)
{
    struct net_end *end = owner;

    end->ends++;
    ck_assert_uint_eq(end->ends, 1);
    end->end = why;
    snprintf(end->detail, sizeof end->detail, "%s", detail);
    if (end->on_end != NULL)
        end->on_end(end);
}

static const struct stream_events net_end_events = {
    .on_input = net_end_on_input,
    .on_drained = net_end_on_drained,
    .on_secured = net_end_on_secured,
    .on_end = net_end_on_end,
};

static inline void net_end_init(struct net_end *end, struct loop *loop, int fd)
{
    *end = (struct net_end){ 0 };
    text_init(&end->input, 64 << 20);
    if (fd >= 0)
        end->stream = stream_new(loop, fd, &net_end_events, end);
}

static inline void net_end_clear(struct net_end *end)
{
    stream_free(&end->stream);
    text_clear(&end->input);
}

static inline void net_make_nonblocking(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Two connected, non-blocking sockets. */
static inline void net_socketpair(int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static inline bool net_has_ended(void *owner)
{
    return ((struct net_end *)owner)->ends > 0;
}

static inline bool net_has_input(void *owner)
{
    return ((struct net_end *)owner)->inputs > 0;
}

static inline bool net_is_secured(void *owner)
{
    struct net_end *end = owner;

    return end->secured > 0 || end->ends > 0;
}

/* Whether an end has got so many bytes. */
struct net_wanted {
    const struct net_end *end;
    size_t bytes;
};

static inline bool net_has_bytes(void *owner)
{
    const struct net_wanted *wanted = owner;

    return wanted->end->input.length >= wanted->bytes;
}

static inline void net_wait_for_bytes(struct loop *loop, const struct net_end *end, size_t bytes)
{
    struct net_wanted wanted = { end, bytes };

    net_run_until(loop, "bytes", net_has_bytes, &wanted);
}

#endif
