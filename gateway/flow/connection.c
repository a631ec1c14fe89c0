/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of one accepted socket; see connection.h.
 *
 * While the session waits for something the stream is paused: a client that
 * sends on meanwhile fills its own kernel buffers and nothing of ours. The same
 * where it sends and takes no replies: 64 KiB of commands that were read before
 * that was known would make a megabyte of them.
 */
#include "flow/connection.h"

#include "base/clock.h"
#include "base/memory.h"
#include "flow/session.h"
#include "net/stream.h"
#include "smtp/server_replies.h"

/* What one session may do in one turn of the loop (DESIGN section 6). */
#define MAX_STEPS_PER_TURN 32
/* How long a client may take to collect our last words. */
#define LAST_WORDS_MS 5000

enum connection_state {
    CONNECTION_SECURING, /* a TLS handshake runs; ends with on_secured or on_end */
    CONNECTION_OPEN,     /* input goes to the session */
    CONNECTION_WAITING,  /* the session waits, the stream is paused; ends with on_ready */
    CONNECTION_YIELDING, /* had its share of the turn; goes on in the next */
    CONNECTION_CLOGGED,  /* the client does not take what we say; ends with on_drained */
    CONNECTION_ORPHANED, /* the client has gone, a committed transaction has not ended */
    CONNECTION_GONE,     /* freed at the end of the turn */
};

struct connection {
    struct list_link link;      /* in the gate's list */
    struct presence_mark presence; /* the gate's: how it has counted us */
    struct shared *shared;      /* lent */
    struct stream *stream;      /* owned; NULL once ORPHANED or GONE */
    struct session *session;    /* owned; NULL once GONE */
    void (*on_gone)(void *owner, struct connection *connection);
    void *owner;
    uint64_t started_ms;
    size_t listener_index;
    enum connection_state state;
    enum connection_shutdown shutdown; /* when it gets 421; its end is up to the client else */
    char *held;                 /* replies that wait for the one behind them; NULL for none */
    struct loop_task task;      /* to go on after YIELDING, or to be freed */
};

static void pump(struct connection *connection);
static const struct stream_events stream_events;
static const struct session_events session_events;

static void enter(struct connection *connection, enum connection_state state)
{
    connection->state = state;
}

static const struct config_listener *listener_of(const struct connection *connection)
{
    return &connection->shared->settings.config->listeners[connection->listener_index];
}

static struct counters *counters_of(const struct connection *connection)
{
    return connection->shared->settings.counters;
}

struct list_link *connection_link(struct connection *connection)
{
    return &connection->link;
}

struct connection *connection_from_link(struct list_link *link)
{
    return LIST_OWNER(link, struct connection, link);
}

size_t connection_listener(const struct connection *connection)
{
    return connection->listener_index;
}

struct presence_mark *connection_presence(struct connection *connection)
{
    return &connection->presence;
}

/* ---- Output. */

/* What was held, and `output` behind it, in one packet (RFC 2920 3.2). */
static void write_output(struct connection *connection, struct slice output)
{
    if (connection->held != NULL)
        stream_write(connection->stream, slice_from(connection->held));
    mem_free(connection->held);
    connection->held = NULL;
    stream_write(connection->stream, output);
}

/* ---- The end. */

static void free_later(void *owner)
{
    struct connection *connection = owner;

    connection->on_gone(connection->owner, connection);
    mem_free(connection);
}

/* Frees the session and tells the gate at the end of the turn. Nothing is called back any more. */
static void end(struct connection *connection, const char *reason, const char *detail)
{
    session_free(&connection->session, reason, detail);
    stream_free(&connection->stream);
    mem_free(connection->held);
    connection->held = NULL;
    enter(connection, CONNECTION_GONE);
    loop_task_cancel(&connection->task);
    loop_task_init(&connection->task, free_later, connection);
    loop_defer(connection->shared->settings.loop, &connection->task);
}

/* Ends it while last words are still on their way out. */
static void finish(struct connection *connection, const char *reason)
{
    bool has_quit = session_has_quit(connection->session);

    /* The session first: its line still names what the stream knows of TLS. */
    session_free(&connection->session, reason, NULL);
    if (has_quit)
        stream_part(&connection->stream, LAST_WORDS_MS);
    else
        stream_finish(&connection->stream, LAST_WORDS_MS);
    end(connection, reason, NULL);
}

static void finish_with_reply(struct connection *connection, enum server_reply id)
{
    struct reply reply = server_reply_get(id);
    struct text *out = &connection->shared->scratch;

    session_close(connection->session, &reply, out);
    write_output(connection, text_slice(out));
    text_reset(out);
    finish(connection, reply.reason);
}

void connection_free(struct connection **handle)
{
    struct connection *connection = *handle;

    if (connection == NULL)
        return;
    session_free(&connection->session, server_reply_get(REPLY_SHUTDOWN).reason, NULL);
    stream_free(&connection->stream);
    mem_free(connection->held);
    loop_task_cancel(&connection->task);
    mem_free(connection);
    *handle = NULL;
}

/* Nothing is open for whose sake it would go on. */
static bool is_to_shut_down(const struct connection *connection)
{
    switch (connection->shutdown) {
    case CONNECTION_SHUTDOWN_NONE: return false;
    case CONNECTION_SHUTDOWN_SPARING:
        return session_is_idle(connection->session) && session_has_begun(connection->session);
    case CONNECTION_SHUTDOWN_IDLE: return session_is_idle(connection->session);
    case CONNECTION_SHUTDOWN_NOW: return true;
    }
    return true;
}

/* In a handshake there is no way to say so, nor anybody to say it to when the client has gone. */
void connection_shut_down(struct connection *connection, enum connection_shutdown how)
{
    connection->shutdown = how;
    switch (connection->state) {
    case CONNECTION_GONE: return;
    case CONNECTION_ORPHANED:
        if (how == CONNECTION_SHUTDOWN_NOW)
            end(connection, server_reply_get(REPLY_SHUTDOWN).reason, NULL);
        return;
    case CONNECTION_SECURING:
        if (how != CONNECTION_SHUTDOWN_SPARING)
            end(connection, server_reply_get(REPLY_SHUTDOWN).reason, NULL);
        return;
    case CONNECTION_OPEN:
    case CONNECTION_WAITING:
    case CONNECTION_YIELDING:
    case CONNECTION_CLOGGED:
        if (is_to_shut_down(connection))
            finish_with_reply(connection, REPLY_SHUTDOWN);
        return;
    }
}

/* ---- Deadlines. */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_session_over(const struct connection *connection)
{
    return clock_monotonic_ms() - connection->started_ms >=
           listener_of(connection)->session_timeout_ms;
}

/* Milliseconds left of the whole session; at least 1, since 0 would mean no deadline. */
static uint64_t session_time_left(const struct connection *connection)
{
    if (is_session_over(connection))
        return 1;
    return connection->started_ms + listener_of(connection)->session_timeout_ms -
           clock_monotonic_ms();
}

/* Called after progress only: bytes that complete nothing do not buy a slow client more time. */
static void set_deadline(struct connection *connection)
{
    const struct config_listener *listener = listener_of(connection);
    uint64_t wait_ms = session_is_receiving(connection->session) ? listener->data_timeout_ms
                                                                 : listener->idle_timeout_ms;

    stream_set_read_deadline(connection->stream,
                             earlier(wait_ms, session_time_left(connection)));
}

/* ---- Bytes in, bytes out. */

static void wait_for_session(struct connection *connection)
{
    stream_pause(connection->stream);
    stream_set_read_deadline(connection->stream, 0);
    enter(connection, CONNECTION_WAITING);
}

static void go_on_next_turn(void *owner)
{
    struct connection *connection = owner;

    enter(connection, CONNECTION_OPEN);
    stream_resume(connection->stream);
    /* The stream offers input only; the end of a chunk, say, needs none. */
    if (stream_input(connection->stream).length == 0)
        pump(connection);
}

/* Up to its deadline, which was set with the last progress. */
static void wait_for_client(struct connection *connection)
{
    stream_pause(connection->stream);
    enter(connection, CONNECTION_CLOGGED);
}

static void yield(struct connection *connection)
{
    stream_pause(connection->stream);
    enter(connection, CONNECTION_YIELDING);
    loop_task_init(&connection->task, go_on_next_turn, connection);
    loop_defer_again(connection->shared->settings.loop, &connection->task);
}

static void start_tls(struct connection *connection)
{
    struct tls_server *server =
        connection->shared->settings.tls_servers[connection->listener_index];

    enter(connection, CONNECTION_SECURING);
    stream_set_read_deadline(connection->stream,
                             earlier(listener_of(connection)->tls_timeout_ms,
                                     session_time_left(connection)));
    if (!stream_accept_tls(connection->stream, server))
        end(connection, "tls.injection", NULL);
}

/* What is to be done after the session's last step of this turn. */
static void carry_out(struct connection *connection, enum session_step step)
{
    switch (step) {
    case SESSION_STEP_GO_ON:
        if (stream_is_clogged(connection->stream))
            wait_for_client(connection);
        else
            yield(connection);
        break;
    case SESSION_STEP_NEED_INPUT: break;
    case SESSION_STEP_WAIT: wait_for_session(connection); break;
    case SESSION_STEP_START_TLS: start_tls(connection); break;
    case SESSION_STEP_CLOSE: finish(connection, session_close_reason(connection->session)); break;
    }
}

/* The transaction for whose sake it was left open has ended. */
static bool is_to_end(const struct connection *connection, enum session_step step)
{
    return is_to_shut_down(connection) &&
           (step == SESSION_STEP_GO_ON || step == SESSION_STEP_NEED_INPUT);
}

static void pump(struct connection *connection)
{
    struct text *out = &connection->shared->scratch;
    enum session_step step = SESSION_STEP_GO_ON;
    bool has_progress = false;

    for (int steps = 0; steps < MAX_STEPS_PER_TURN && step == SESSION_STEP_GO_ON; steps++) {
        size_t consumed = 0;

        step = session_feed(connection->session, stream_input(connection->stream), &consumed, out);
        stream_consume(connection->stream, consumed);
        has_progress = has_progress || step != SESSION_STEP_NEED_INPUT ||
                       (consumed > 0 && session_is_receiving(connection->session));
    }
    /* A client that has sent the next command already needs no reply by itself: all go together. */
    if (step == SESSION_STEP_WAIT)
        connection->held = out->length > 0 ? mem_copy(text_slice(out)) : NULL;
    else
        write_output(connection, text_slice(out));
    text_reset(out);
    stream_set_costly(connection->stream, session_is_costly(connection->session));
    if (has_progress)
        set_deadline(connection);
    if (is_to_end(connection, step))
        finish_with_reply(connection, REPLY_SHUTDOWN);
    else
        carry_out(connection, step);
}

static void on_input(void *owner)
{
    struct connection *connection = owner;

    if (connection->state == CONNECTION_OPEN)
        pump(connection);
}

static void on_drained(void *owner)
{
    struct connection *connection = owner;

    if (connection->state == CONNECTION_CLOGGED)
        yield(connection);
}

static void greet(struct connection *connection)
{
    struct text *out = &connection->shared->scratch;

    enter(connection, CONNECTION_OPEN);
    session_greet(connection->session, out);
    stream_write(connection->stream, text_slice(out));
    text_reset(out);
    set_deadline(connection);
}

static void on_secured(void *owner)
{
    struct connection *connection = owner;

    counter_add(counters_of(connection), COUNTER_TLS_HANDSHAKES, 1);
    session_on_secured(connection->session, stream_tls_info(connection->stream));
    enter(connection, CONNECTION_OPEN);
    if (listener_of(connection)->tls == LISTENER_TLS_IMPLICIT)
        greet(connection);
    else
        set_deadline(connection);
}

static const char *reason_for(enum stream_end end)
{
    switch (end) {
    case STREAM_END_CLOSED: return "client.closed";
    case STREAM_END_RESET: return "client.reset";
    case STREAM_END_TLS_FAILED: return "tls.failed";
    case STREAM_END_READ_TIMEOUT: return "timeout.idle";
    case STREAM_END_WRITE_TIMEOUT: return "timeout.write";
    }
    return "";
}

static void on_read_timeout(struct connection *connection)
{
    if (connection->state == CONNECTION_SECURING)
        end(connection, "timeout.tls", NULL);
    else
        finish_with_reply(connection,
                          is_session_over(connection) ? REPLY_SESSION_TIMEOUT : REPLY_IDLE_TIMEOUT);
}

static void on_end(void *owner, enum stream_end stream_end, const char *detail)
{
    struct connection *connection = owner;

    if (stream_end == STREAM_END_READ_TIMEOUT) {
        on_read_timeout(connection);
        return;
    }
    if (stream_end == STREAM_END_TLS_FAILED)
        counter_add(counters_of(connection), COUNTER_TLS_FAILURES, 1);
    if (session_on_lost(connection->session)) {
        end(connection, reason_for(stream_end), detail);
        return;
    }
    stream_free(&connection->stream);
    enter(connection, CONNECTION_ORPHANED);
}

static const struct stream_events stream_events = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_secured = on_secured,
    .on_end = on_end,
};

/* ---- What the session says. */

static void on_ready(void *owner, struct slice output, bool is_closing)
{
    struct connection *connection = owner;

    if (connection->state == CONNECTION_ORPHANED) {
        end(connection, "client.closed", NULL);
        return;
    }
    write_output(connection, output);
    if (is_closing) {
        finish(connection, session_close_reason(connection->session));
    } else if (is_to_shut_down(connection)) {
        finish_with_reply(connection, REPLY_SHUTDOWN);
    } else if (stream_is_clogged(connection->stream)) {
        set_deadline(connection);
        wait_for_client(connection);
    } else if (session_has_work(connection->session)) {
        yield(connection);
    } else {
        enter(connection, CONNECTION_OPEN);
        set_deadline(connection);
        stream_resume(connection->stream);
    }
}

static bool client_has_left(void *owner)
{
    const struct connection *connection = owner;

    return connection->stream == NULL ||
           stream_has_peer_left(connection->stream, SLICE("QUIT\r\n"));
}

static const struct session_events session_events = {
    .on_ready = on_ready,
    .client_has_left = client_has_left,
};

/* ---- The beginning. */

struct connection *connection_new(struct shared *shared, size_t listener_index, int take_fd,
                                  const struct ip_endpoint *peer,
                                  void (*on_gone)(void *owner, struct connection *connection),
                                  void *owner)
{
    struct connection *connection = mem_new(sizeof *connection);

    list_init(&connection->link);
    connection->shared = shared;
    connection->listener_index = listener_index;
    connection->on_gone = on_gone;
    connection->owner = owner;
    connection->started_ms = clock_monotonic_ms();
    loop_task_init(&connection->task, go_on_next_turn, connection);
    connection->stream = stream_new(shared->settings.loop, take_fd, &stream_events, connection);
    stream_set_write_timeout(connection->stream, listener_of(connection)->write_timeout_ms);
    connection->session = session_new(shared, listener_index, peer,
                                      shared->names_local_address
                                          ? stream_local(connection->stream)
                                          : NULL,
                                      &session_events, connection);
    if (listener_of(connection)->tls == LISTENER_TLS_IMPLICIT)
        start_tls(connection);
    else
        greet(connection);
    return connection;
}
