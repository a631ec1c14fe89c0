/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a backend; see connection.h. In the order of its life: new,
 * connected, secured, the dialogue's input, what the owner says, the end.
 *
 * A deadline is set when something is said and anew with each whole reply, never
 * by single bytes: a server that drips gains nothing.
 */
#include "delivery/connection.h"

#include "base/memory.h"

#define MAX_PROBLEM_BYTES 300
#define FINISH_MAX_MS 2000
#define MAX_NAME_BYTES 64

static void on_input(void *owner);
static void on_drained(void *owner);
static void on_secured(void *owner);
static void on_end(void *owner, enum stream_end end, const char *detail);

static const struct stream_events stream_events = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_secured = on_secured,
    .on_end = on_end,
};

/* The only assignment of the state. */
static void enter(struct connection *connection, enum connection_state state)
{
    connection->state = state;
}

/* ---- Life begins. */

struct connection *connection_new(const struct connection_settings *settings, size_t address_index,
                                  const struct connection_events *events, void *owner)
{
    struct connection *connection = mem_new(sizeof *connection);
    const struct config_backend *config = settings->config;

    connection->settings = settings;
    connection->address_index = address_index;
    connection->events = events;
    connection->owner = owner;
    list_init(&connection->link);
    text_init(&connection->out, TEXT_MAX_LENGTH);
    text_init(&connection->problem, MAX_PROBLEM_BYTES);
    client_dialogue_init(&connection->dialogue, &settings->options, config->is_tls_implicit);
    enter(connection, CONNECTION_CONNECTING);
    connection->stream = stream_connect(settings->loop, &config->addresses[address_index],
                                        &stream_events, connection);
    stream_set_read_deadline(connection->stream, config->connect_timeout_ms);
    stream_set_write_timeout(connection->stream, config->data_timeout_ms);
    return connection;
}

void connection_set_owner(struct connection *connection, const struct connection_events *events,
                          void *owner)
{
    connection->events = events;
    connection->owner = owner;
}

/* ---- Saying and waiting. */

static void flush(struct connection *connection)
{
    if (connection->out.length == 0)
        return;
    stream_write(connection->stream, text_slice(&connection->out));
    text_reset(&connection->out);
}

static void set_deadline(struct connection *connection)
{
    const struct config_backend *config = connection->settings->config;
    uint64_t ms = 0;

    if (connection->state == CONNECTION_SECURING)
        ms = config->command_timeout_ms;
    else if (client_dialogue_is_waiting(&connection->dialogue))
        ms = connection->dialogue.state == CLIENT_STATE_DOT ? config->dot_timeout_ms
                                                            : config->command_timeout_ms;
    stream_set_read_deadline(connection->stream, ms);
}

static void say(struct connection *connection)
{
    flush(connection);
    set_deadline(connection);
}

/* Tells the owner of the end. The connection may be gone afterwards. */
static void fail(struct connection *connection)
{
    enter(connection, CONNECTION_ENDED);
    connection->events->on_event(connection->owner, connection, CLIENT_EVENT_FAILED);
}

/* ---- Connected and secured. */

static void start_tls(struct connection *connection)
{
    const struct config_backend *config = connection->settings->config;
    const char *name = config->tls_name;
    struct text address;
    bool has_begun;

    text_init(&address, MAX_NAME_BYTES);
    if (name == NULL) {
        ip_print(&address, &config->addresses[connection->address_index].address);
        name = text_string(&address);
    }
    enter(connection, CONNECTION_SECURING);
    has_begun = stream_connect_tls(connection->stream, connection->settings->tls, name);
    text_clear(&address);
    if (has_begun) {
        set_deadline(connection);
        return;
    }
    text_add_string(&connection->problem, "TLS handshake: it could not begin");
    fail(connection);
}

static void on_connected(struct connection *connection)
{
    if (connection->settings->config->is_tls_implicit) {
        start_tls(connection);
        return;
    }
    enter(connection, CONNECTION_TALKING);
    set_deadline(connection);
}

static void on_drained(void *owner)
{
    struct connection *connection = owner;

    if (connection->state == CONNECTION_CONNECTING)
        on_connected(connection);
    else if (connection->state == CONNECTION_TALKING && connection->events->on_drained != NULL)
        connection->events->on_drained(connection->owner);
}

static void on_secured(void *owner)
{
    struct connection *connection = owner;
    bool must_be_verified = connection->settings->config->tls == BACKEND_TLS_VERIFIED;

    if (must_be_verified && !stream_tls_info(connection->stream)->is_verified) {
        text_add_string(&connection->problem, "TLS handshake: the certificate was not verified");
        fail(connection);
        return;
    }
    enter(connection, CONNECTION_TALKING);
    if (connection->dialogue.state == CLIENT_STATE_HANDSHAKE)
        client_dialogue_on_secured(&connection->dialogue, &connection->out);
    say(connection);
}

/* ---- Input. */

static void on_event(struct connection *connection, enum client_event event)
{
    const struct client_dialogue *dialogue = &connection->dialogue;

    if (event == CLIENT_EVENT_START_TLS) {
        start_tls(connection);
    } else if (event == CLIENT_EVENT_FAILED) {
        text_add_format(&connection->problem, "%s: %s", client_state_name(dialogue->answered),
                        client_dialogue_failure_text(dialogue));
        fail(connection);
    } else {
        connection->events->on_event(connection->owner, connection, event);
    }
}

static void on_input(void *owner)
{
    struct connection *connection = owner;
    bool is_gone = false;

    connection->is_gone = &is_gone;
    while (connection->state == CONNECTION_TALKING) {
        size_t reply_count = connection->dialogue.reply_count;
        size_t used;
        enum client_event event =
            client_dialogue_feed(&connection->dialogue, stream_input(connection->stream), &used,
                                 &connection->out);

        stream_consume(connection->stream, used);
        flush(connection);
        if (connection->dialogue.reply_count != reply_count)
            set_deadline(connection);
        if (event == CLIENT_EVENT_NEED_INPUT)
            break;
        on_event(connection, event);
        if (is_gone)
            return;
    }
    connection->is_gone = NULL;
}

/* ---- What the owner says. */

enum client_event connection_start_mail(struct connection *connection,
                                        const struct client_mail *mail)
{
    enum client_event event =
        client_dialogue_start_mail(&connection->dialogue, mail, &connection->out);

    say(connection);
    return event;
}

void connection_add_recipients(struct connection *connection)
{
    client_dialogue_add_recipients(&connection->dialogue, &connection->out);
    say(connection);
}

void connection_start_content(struct connection *connection)
{
    client_dialogue_start_content(&connection->dialogue, &connection->out);
    say(connection);
}

void connection_write_content(struct connection *connection, struct slice bytes)
{
    while (bytes.length > 0)
        stream_write(connection->stream,
                     data_writer_next(&connection->dialogue.writer, &bytes));
}

void connection_end_content(struct connection *connection)
{
    client_dialogue_end_content(&connection->dialogue, &connection->out);
    say(connection);
}

void connection_reset(struct connection *connection)
{
    client_dialogue_reset(&connection->dialogue, &connection->out);
    say(connection);
}

size_t connection_pending_output(const struct connection *connection)
{
    return stream_pending_output(connection->stream);
}

bool connection_can_reset(const struct connection *connection)
{
    return connection->state == CONNECTION_TALKING
           && client_dialogue_can_reset(&connection->dialogue);
}

/* ---- The end. */

static void on_end(void *owner, enum stream_end end, const char *detail)
{
    struct connection *connection = owner;
    const char *phase = client_state_name(connection->dialogue.state);

    if (connection->state == CONNECTION_ENDED)
        return;
    connection->dialogue.has_reply = false;
    if (connection->state == CONNECTION_CONNECTING)
        phase = "connect";
    else if (connection->state == CONNECTION_SECURING)
        phase = "TLS handshake";
    if (end == STREAM_END_READ_TIMEOUT)
        detail = "no answer in time";
    else if (end == STREAM_END_CLOSED)
        detail = reply_parser_is_inside(&connection->dialogue.replies)
                     ? "the server closed within a reply"
                     : "the server closed the connection";
    text_add_format(&connection->problem, "%s: %s", phase, detail);
    fail(connection);
}

void connection_describe(const struct connection *connection, enum forward_class class,
                         struct answer *answer)
{
    const struct tls_info *tls = stream_tls_info(connection->stream);

    answer_reset(answer, class);
    if (connection->state == CONNECTION_ENDED && connection->dialogue.has_reply)
        answer_set_reply(answer, &connection->dialogue.replies);
    if (connection->problem.length > 0)
        answer_set_detail(answer, "%s", text_string(&connection->problem));
    answer->public.address = *stream_peer(connection->stream);
    answer_set_tls_version(answer, tls != NULL ? tls->version : NULL);
    answer->public.is_reused = connection->handed_out > 1;
}

static void destroy(struct connection *connection)
{
    if (connection->is_gone != NULL)
        *connection->is_gone = true;
    list_remove(&connection->link);
    if (connection->idle_timer.loop != NULL)
        loop_timer_cancel(&connection->idle_timer);
    client_dialogue_clear(&connection->dialogue);
    text_clear(&connection->out);
    text_clear(&connection->problem);
    mem_free(connection);
}

void connection_free(struct connection **handle)
{
    struct connection *connection = *handle;

    *handle = NULL;
    if (connection == NULL)
        return;
    stream_free(&connection->stream);
    destroy(connection);
}

void connection_finish(struct connection **handle)
{
    struct connection *connection = *handle;

    *handle = NULL;
    if (connection == NULL)
        return;
    if (connection->state == CONNECTION_TALKING) {
        client_dialogue_quit(&connection->dialogue, &connection->out);
        flush(connection);
        stream_finish(&connection->stream, FINISH_MAX_MS);
    } else {
        stream_free(&connection->stream);
    }
    destroy(connection);
}
