/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a backend; see channel.h. In the order of its life: new,
 * connected, secured, the dialogue's input, what the owner says, the end.
 *
 * A deadline is set when something is said and anew with each whole reply, never
 * by single bytes: a server that drips gains nothing. The one for the outcome is
 * set once, and not moved by the reply to a chunk that LAST is right behind.
 */
#include "delivery/channel.h"

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
static void enter(struct channel *channel, enum channel_state state)
{
    channel->state = state;
}

/* ---- Life begins. */

bool channel_can_be_plain(const struct channel_settings *settings)
{
    return settings->config->tls == BACKEND_TLS_OPTIONAL && !settings->config->is_tls_implicit;
}

struct channel *channel_new(const struct channel_settings *settings, size_t address_index,
                            bool is_plain, const struct channel_events *events, void *owner)
{
    struct channel *channel = mem_new(sizeof *channel);
    const struct config_backend *config = settings->config;

    channel->settings = settings;
    channel->address_index = address_index;
    channel->events = events;
    channel->owner = owner;
    list_init(&channel->link);
    text_init(&channel->out, TEXT_MAX_LENGTH);
    text_init(&channel->problem, MAX_PROBLEM_BYTES);
    client_dialogue_init(&channel->dialogue, &settings->options, config->is_tls_implicit);
    if (is_plain)
        client_dialogue_stay_plain(&channel->dialogue);
    enter(channel, CHANNEL_CONNECTING);
    channel->stream = stream_connect(settings->loop, &config->addresses[address_index],
                                     &stream_events, channel);
    stream_set_read_deadline(channel->stream, config->connect_timeout_ms);
    stream_set_write_timeout(channel->stream, config->data_timeout_ms);
    return channel;
}

void channel_set_owner(struct channel *channel, const struct channel_events *events, void *owner)
{
    channel->events = events;
    channel->owner = owner;
}

/* ---- Saying and waiting. */

static void flush(struct channel *channel)
{
    if (channel->out.length == 0)
        return;
    stream_write(channel->stream, text_slice(&channel->out));
    text_reset(&channel->out);
}

static void set_deadline(struct channel *channel)
{
    const struct config_backend *config = channel->settings->config;
    uint64_t ms = 0;

    if (channel->state == CHANNEL_SECURING)
        ms = config->command_timeout_ms;
    else if (client_dialogue_is_waiting(&channel->dialogue))
        ms = channel->dialogue.state == CLIENT_STATE_DOT ? config->dot_timeout_ms
                                                         : config->command_timeout_ms;
    stream_set_read_deadline(channel->stream, ms);
}

static void say(struct channel *channel)
{
    flush(channel);
    set_deadline(channel);
}

/* Tells the owner of the end. The channel may be gone afterwards. */
static void fail(struct channel *channel)
{
    enter(channel, CHANNEL_ENDED);
    channel->events->on_event(channel->owner, channel, CLIENT_EVENT_FAILED);
}

/* ---- Connected and secured. */

static void start_tls(struct channel *channel)
{
    const struct config_backend *config = channel->settings->config;
    const char *name = config->tls_name;
    struct text address;
    bool has_begun;

    text_init(&address, MAX_NAME_BYTES);
    if (name == NULL) {
        ip_print(&address, &config->addresses[channel->address_index].address);
        name = text_string(&address);
    }
    enter(channel, CHANNEL_SECURING);
    has_begun = stream_connect_tls(channel->stream, channel->settings->tls, name);
    text_clear(&address);
    if (has_begun) {
        set_deadline(channel);
        return;
    }
    text_add_string(&channel->problem, "TLS handshake: it could not begin");
    fail(channel);
}

static void on_connected(struct channel *channel)
{
    if (channel->settings->config->is_tls_implicit) {
        start_tls(channel);
        return;
    }
    enter(channel, CHANNEL_TALKING);
    set_deadline(channel);
}

static void on_drained(void *owner)
{
    struct channel *channel = owner;

    if (channel->state == CHANNEL_CONNECTING)
        on_connected(channel);
    else if (channel->state == CHANNEL_TALKING && channel->events->on_drained != NULL)
        channel->events->on_drained(channel->owner);
}

static void on_secured(void *owner)
{
    struct channel *channel = owner;
    bool must_be_verified = channel->settings->config->tls == BACKEND_TLS_VERIFIED;

    if (must_be_verified && !stream_tls_info(channel->stream)->is_verified) {
        text_add_string(&channel->problem, "TLS handshake: the certificate was not verified");
        fail(channel);
        return;
    }
    enter(channel, CHANNEL_TALKING);
    if (channel->dialogue.state == CLIENT_STATE_HANDSHAKE)
        client_dialogue_on_secured(&channel->dialogue, &channel->out);
    say(channel);
}

/* ---- Input. */

static void on_event(struct channel *channel, enum client_event event)
{
    const struct client_dialogue *dialogue = &channel->dialogue;

    if (event == CLIENT_EVENT_START_TLS) {
        start_tls(channel);
    } else if (event == CLIENT_EVENT_FAILED) {
        text_add_format(&channel->problem, "%s: %s", client_state_name(dialogue->answered),
                        client_dialogue_failure_text(dialogue));
        fail(channel);
    } else {
        channel->events->on_event(channel->owner, channel, event);
    }
}

static void on_input(void *owner)
{
    struct channel *channel = owner;
    bool is_gone = false;

    channel->is_gone = &is_gone;
    while (channel->state == CHANNEL_TALKING) {
        size_t reply_count = channel->dialogue.reply_count;
        size_t used;
        enum client_event event =
            client_dialogue_feed(&channel->dialogue, stream_input(channel->stream), &used,
                                 &channel->out);

        stream_consume(channel->stream, used);
        flush(channel);
        if (channel->dialogue.reply_count != reply_count
            && channel->dialogue.state != CLIENT_STATE_DOT)
            set_deadline(channel);
        if (event == CLIENT_EVENT_NEED_INPUT)
            break;
        on_event(channel, event);
        if (is_gone)
            return;
    }
    channel->is_gone = NULL;
}

/* ---- What the owner says. */

enum client_event channel_start_mail(struct channel *channel, const struct client_mail *mail)
{
    enum client_event event =
        client_dialogue_start_mail(&channel->dialogue, mail, &channel->out);

    say(channel);
    return event;
}

void channel_add_recipients(struct channel *channel)
{
    client_dialogue_add_recipients(&channel->dialogue, &channel->out);
    say(channel);
}

enum client_event channel_start_content(struct channel *channel, bool is_in_one_go)
{
    enum client_event event =
        client_dialogue_start_content(&channel->dialogue, is_in_one_go, &channel->out);

    say(channel);
    return event;
}

void channel_start_chunk(struct channel *channel, uint64_t bytes, bool is_last)
{
    client_dialogue_start_chunk(&channel->dialogue, bytes, is_last, &channel->out);
    flush(channel);
}

void channel_write_content(struct channel *channel, struct slice bytes)
{
    while (bytes.length > 0)
        stream_write(channel->stream, client_dialogue_take_content(&channel->dialogue, &bytes));
}

void channel_end_content(struct channel *channel)
{
    client_dialogue_end_content(&channel->dialogue, &channel->out);
    say(channel);
}

void channel_reset(struct channel *channel)
{
    client_dialogue_reset(&channel->dialogue, &channel->out);
    say(channel);
}

size_t channel_pending_output(const struct channel *channel)
{
    return stream_pending_output(channel->stream);
}

bool channel_can_reset(const struct channel *channel)
{
    return channel->state == CHANNEL_TALKING
           && client_dialogue_can_reset(&channel->dialogue);
}

/* ---- The end. */

static void on_end(void *owner, enum stream_end end, const char *detail)
{
    struct channel *channel = owner;
    const char *phase = client_state_name(channel->dialogue.state);

    if (channel->state == CHANNEL_ENDED)
        return;
    channel->dialogue.has_reply = false;
    if (channel->state == CHANNEL_CONNECTING) {
        channel->is_failure_ours = stream_has_local_failure(channel->stream);
        phase = channel->is_failure_ours ? "connect, on our side" : "connect";
    } else if (channel->state == CHANNEL_SECURING) {
        phase = "TLS handshake";
        channel->has_failed_tls = channel_can_be_plain(channel->settings);
    }
    if (end == STREAM_END_READ_TIMEOUT)
        detail = "no answer in time";
    else if (end == STREAM_END_CLOSED)
        detail = reply_parser_is_inside(&channel->dialogue.replies)
                     ? "the server closed within a reply"
                     : "the server closed the connection";
    text_add_format(&channel->problem, "%s: %s", phase, detail);
    fail(channel);
}

void channel_describe(const struct channel *channel, enum forward_class class,
                      struct answer *answer)
{
    const struct tls_info *tls = stream_tls_info(channel->stream);

    answer_reset(answer, class);
    if (channel->state == CHANNEL_ENDED && channel->dialogue.has_reply)
        answer_set_reply(answer, &channel->dialogue.replies);
    if (channel->problem.length > 0)
        answer_set_detail(answer, "%s", text_string(&channel->problem));
    answer->public.address = *stream_peer(channel->stream);
    answer_set_tls_version(answer, tls != NULL ? tls->version : NULL);
    answer->public.is_reused = channel->handed_out > 1;
}

void channel_describe_reply(const struct channel *channel, struct answer *answer)
{
    const struct client_dialogue *dialogue = &channel->dialogue;
    const struct reply_parser *reply = &dialogue->replies;

    channel_describe(channel, answer_classify(dialogue->answered, reply->code, reply->enhanced),
                     answer);
    answer_set_reply(answer, reply);
    /* Nobody knows whether this is about the mail. The client comes again, and it goes by DATA. */
    if (client_dialogue_is_bdat_unknown(dialogue)) {
        answer->public.class = FORWARD_DEFERRED;
        answer_set_detail(answer, "BDAT was not understood, though CHUNKING is offered");
    }
}

static void destroy(struct channel *channel)
{
    if (channel->is_gone != NULL)
        *channel->is_gone = true;
    list_remove(&channel->link);
    if (channel->idle_timer.loop != NULL)
        loop_timer_cancel(&channel->idle_timer);
    client_dialogue_clear(&channel->dialogue);
    text_clear(&channel->out);
    text_clear(&channel->problem);
    mem_free(channel);
}

void channel_free(struct channel **handle)
{
    struct channel *channel = *handle;

    *handle = NULL;
    if (channel == NULL)
        return;
    stream_free(&channel->stream);
    destroy(channel);
}

void channel_finish(struct channel **handle)
{
    struct channel *channel = *handle;

    *handle = NULL;
    if (channel == NULL)
        return;
    if (channel->state == CHANNEL_TALKING) {
        client_dialogue_quit(&channel->dialogue, &channel->out);
        flush(channel);
        stream_finish(&channel->stream, FINISH_MAX_MS);
    } else {
        stream_free(&channel->stream);
    }
    destroy(channel);
}
