/* SPDX-License-Identifier: BSD-2-Clause */
/* One SMTP session; see session.h. */
#include "flow/session.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"
#include "flow/transaction.h"
#include "smtp/server_dialogue.h"
#include "smtp/server_replies.h"

struct session {
    /* Identity. */
    struct id id;
    uint64_t started_ms;
    /* Lent. */
    struct shared *shared;
    size_t listener_index;
    const struct config_relay *relay;   /* of the client's address; NULL for none */
    const struct tls_info *tls;         /* NULL while plain */
    const struct session_events *events;
    void *owner;
    /* State. */
    char *helo;                         /* own copy: lines about the past are written with it */
    struct server_dialogue dialogue;
    struct facts facts;                 /* up to PHASE_HELO */
    struct forward_identity identity;
    struct transaction *transaction;    /* NULL between transactions */
    unsigned int transaction_count;
    unsigned int command_count;
    bool is_waiting;                    /* SESSION_STEP_WAIT was given, on_ready is owed */
    bool is_lost;                       /* the client has gone */
    bool is_told_to_close;              /* for no fault of the client: a deadline, a shutdown */
};

static const struct transaction_events transaction_events;

static void refresh_offer(struct session *session)
{
    struct shared_offer offer =
        shared_offer_for(session->shared, session->listener_index, session->relay);

    session->dialogue.offered = offer.extensions;
    session->dialogue.max_size_bytes = offer.max_size_bytes;
}

struct session *session_new(struct shared *shared, size_t listener_index,
                            const struct ip_endpoint *client, const struct ip_endpoint *local,
                            const struct session_events *events, void *owner)
{
    const struct config *config = shared->settings.config;
    struct session *session = mem_new(sizeof *session);

    session->id = id_new();
    session->started_ms = clock_monotonic_ms();
    session->shared = shared;
    session->listener_index = listener_index;
    session->relay = config_find_relay(config, &client->address);
    session->events = events;
    session->owner = owner;
    server_dialogue_init(&session->dialogue, &shared->options[listener_index]);
    session->dialogue.reference = session->id.text;
    session->facts = (struct facts){ .phase = PHASE_CONNECT,
                                     .client = *client,
                                     .listener = config->listeners[listener_index].name };
    session->identity = (struct forward_identity){ .client = *client };
    if (local != NULL)
        session->identity.listener = *local;
    return session;
}

void session_greet(struct session *session, struct text *out)
{
    server_dialogue_greet(&session->dialogue, out);
    refresh_offer(session);
}

/* ---- The end of a transaction, and the session's own line. */

static void end_transaction(struct session *session, const char *reason)
{
    transaction_free(&session->transaction, reason);
    session->dialogue.reference = session->id.text;
}

static void log_session(struct session *session, const char *reason, const char *detail)
{
    struct record record;

    record_init(&record);
    record.event = RECORD_SESSION;
    record.wall_us = clock_wall_us();
    record.client = session->facts.client;
    record.session_id = session->id.text;
    record.listener = session->facts.listener;
    record.helo = session->facts.helo;
    record.relay = session->relay != NULL ? session->relay->name : NULL;
    record.tls_version = session->facts.tls_version;
    record.tls_cipher = session->tls != NULL ? session->tls->cipher : NULL;
    record.tls_server_name = session->tls != NULL ? session->tls->server_name : NULL;
    record.tls_is_resumed = session->tls != NULL && session->tls->is_resumed;
    record.total_ms = (int64_t)(clock_monotonic_ms() - session->started_ms);
    record.command_count = session->command_count;
    record.error_count = session->dialogue.error_count;
    record.generation = session->shared->settings.generation;
    record.close_reason = reason;
    record.detail = detail;
    shared_log(session->shared, &record);
}

/* Cut off for what the client did: behind mails of its own it would be in no line of theirs. */
static bool was_cut_off(const struct session *session)
{
    const struct server_dialogue *dialogue = &session->dialogue;
    bool is_ended_by_reply = dialogue->close_reason != NULL &&
                             slice_equals(slice_from(dialogue->close_reason),
                                          slice_from(dialogue->own_reply.reason));

    return is_ended_by_reply && !session->is_told_to_close;
}

void session_free(struct session **handle, const char *reason, const char *detail)
{
    struct session *session = *handle;

    if (session == NULL)
        return;
    end_transaction(session, reason);
    if (session->transaction_count == 0 || was_cut_off(session))
        log_session(session, reason, detail);
    server_dialogue_clear(&session->dialogue);
    mem_free(session->helo);
    mem_free(session);
    *handle = NULL;
}

/* ---- What the dialogue asks for. */

static void answer(struct session *session, const struct reply *reply, struct text *out)
{
    server_dialogue_answer(&session->dialogue, reply, out);
}

static enum session_step wait_for_transaction(struct session *session)
{
    session->is_waiting = true;
    return SESSION_STEP_WAIT;
}

/* A new name, or none. No transaction is open that could still speak of the old one. */
static void set_helo(struct session *session, struct slice name)
{
    mem_free(session->helo);
    session->helo = name.length > 0 ? mem_copy(name) : NULL;
    session->facts.helo = session->helo;
    session->identity.helo = session->helo;
}

static enum session_step on_hello(struct session *session)
{
    end_transaction(session, "reset");
    set_helo(session, slice_from(session->dialogue.hello_name));
    session->facts.phase = PHASE_HELO;
    session->facts.is_extended = session->dialogue.is_extended;
    session->identity.is_extended = session->dialogue.is_extended;
    return SESSION_STEP_GO_ON;
}

static void open_transaction(struct session *session)
{
    struct party party = {
        .shared = session->shared,
        .listener_index = session->listener_index,
        .relay = session->relay,
        .facts = &session->facts,
        .identity = &session->identity,
        .session_id = session->id.text,
        .tls_cipher = session->tls != NULL ? session->tls->cipher : NULL,
        .tls_server_name = session->tls != NULL ? session->tls->server_name : NULL,
        .tls_is_resumed = session->tls != NULL && session->tls->is_resumed,
        .is_prdr = session->dialogue.is_prdr,
    };

    end_transaction(session, "reset");
    session->transaction = transaction_new(&party, &session->dialogue.mail,
                                           ++session->transaction_count, &transaction_events,
                                           session);
    session->dialogue.reference = transaction_id(session->transaction);
}

static enum session_step on_mail(struct session *session, struct text *out)
{
    struct reply reply = server_reply_get(REPLY_SENDER_OK);

    open_transaction(session);
    answer(session, &reply, out);
    return SESSION_STEP_GO_ON;
}

/* The owner is to find this mail too. */
static enum session_step on_mail_refused(struct session *session)
{
    open_transaction(session);
    transaction_on_refused(session->transaction, &session->dialogue.own_reply);
    end_transaction(session, "");
    return SESSION_STEP_GO_ON;
}

static enum session_step on_rcpt_refused(struct session *session)
{
    transaction_on_recipient_refused(session->transaction, &session->dialogue.recipient,
                                     &session->dialogue.own_reply);
    return SESSION_STEP_GO_ON;
}

static enum session_step on_rcpt(struct session *session, struct text *out)
{
    struct reply reply;

    if (!transaction_add_recipient(session->transaction, &session->dialogue.recipient, &reply))
        return wait_for_transaction(session);
    answer(session, &reply, out);
    return SESSION_STEP_GO_ON;
}

static enum session_step on_data(struct session *session, struct text *out)
{
    struct reply reply = transaction_start_content(session->transaction);

    answer(session, &reply, out);
    if (!server_dialogue_has_transaction(&session->dialogue)) {
        transaction_on_refused(session->transaction, &reply);
        /* A chunk is swallowed first, and its reply still names the transaction. */
        if (!session_is_receiving(session))
            end_transaction(session, "");
    }
    return SESSION_STEP_GO_ON;
}

static enum session_step on_content(struct session *session)
{
    struct reply reply;

    if (!transaction_take_content(session->transaction, session->dialogue.content, &reply))
        server_dialogue_refuse_content(&session->dialogue, &reply);
    else if (transaction_wants_pause(session->transaction))
        return wait_for_transaction(session);
    return SESSION_STEP_GO_ON;
}

static enum session_step on_content_lost(struct session *session)
{
    transaction_on_refused(session->transaction, &session->dialogue.refusal);
    return SESSION_STEP_GO_ON;
}

static enum session_step on_end_of_data(struct session *session)
{
    transaction_finish(session->transaction);
    return wait_for_transaction(session);
}

/* RSET, or content that was refused (too large, a bare LF) and has been answered by now. */
static enum session_step on_reset(struct session *session)
{
    if (session->transaction != NULL && !reply_is_success(&session->dialogue.own_reply))
        transaction_on_refused(session->transaction, &session->dialogue.own_reply);
    end_transaction(session, "reset");
    return SESSION_STEP_GO_ON;
}

enum session_step session_feed(struct session *session, struct slice input, size_t *consumed,
                               struct text *out)
{
    enum server_event event =
        server_dialogue_feed(&session->dialogue, input, consumed, out);

    if (event != SERVER_EVENT_NEED_INPUT && event != SERVER_EVENT_CONTENT &&
        event != SERVER_EVENT_CONTENT_LOST) {
        session->command_count++;
        refresh_offer(session);
    }
    switch (event) {
    case SERVER_EVENT_NEED_INPUT: return SESSION_STEP_NEED_INPUT;
    case SERVER_EVENT_ANSWERED: return SESSION_STEP_GO_ON;
    case SERVER_EVENT_HELLO: return on_hello(session);
    case SERVER_EVENT_MAIL: return on_mail(session, out);
    case SERVER_EVENT_MAIL_REFUSED: return on_mail_refused(session);
    case SERVER_EVENT_RCPT: return on_rcpt(session, out);
    case SERVER_EVENT_RCPT_REFUSED: return on_rcpt_refused(session);
    case SERVER_EVENT_DATA: return on_data(session, out);
    case SERVER_EVENT_CONTENT: return on_content(session);
    case SERVER_EVENT_CONTENT_LOST: return on_content_lost(session);
    case SERVER_EVENT_END_OF_DATA: return on_end_of_data(session);
    case SERVER_EVENT_RESET: return on_reset(session);
    case SERVER_EVENT_START_TLS: return SESSION_STEP_START_TLS;
    case SERVER_EVENT_CLOSE: return SESSION_STEP_CLOSE;
    }
    return SESSION_STEP_CLOSE;
}

bool session_has_work(const struct session *session)
{
    return server_dialogue_has_work(&session->dialogue);
}

void session_on_secured(struct session *session, const struct tls_info *info)
{
    end_transaction(session, "reset");
    session->tls = info;
    session->facts.tls_version = info->version;
    session->facts.phase = PHASE_CONNECT;
    set_helo(session, SLICE_EMPTY);
    server_dialogue_on_secured(&session->dialogue);
    refresh_offer(session);
}

/* ---- What the transaction found out. */

/* Sends what was printed and lets the connection feed on. The session may be gone afterwards. */
static void ready(struct session *session, struct text *out)
{
    bool is_closing = session->dialogue.state == SERVER_STATE_CLOSED;

    session->is_waiting = false;
    session->events->on_ready(session->owner, text_slice(out), is_closing);
}

static void on_recipient(void *owner, const struct reply *reply)
{
    struct session *session = owner;
    struct text out;

    text_init(&out, REPLY_MAX_BYTES);
    answer(session, reply, &out);
    ready(session, &out);
    text_clear(&out);
}

static bool client_has_left(void *owner)
{
    struct session *session = owner;

    return session->is_lost || session->events->client_has_left(session->owner);
}

static void on_final(void *owner, const struct reply *overall, const struct reply *each,
                     size_t count)
{
    struct session *session = owner;
    struct text out;

    text_init(&out, REPLY_MAX_BYTES * (count + 2));
    /* Of a success the owner wants to know: the client will send the mail again. */
    if (session->is_lost || (reply_is_success(overall) && client_has_left(session)))
        transaction_on_reply_lost(session->transaction);
    if (!session->is_lost && each != NULL)
        server_dialogue_answer_each(&session->dialogue, each, count, overall, &out);
    else if (!session->is_lost)
        answer(session, overall, &out);
    end_transaction(session, "");
    ready(session, &out);
    text_clear(&out);
}

static void on_room(void *owner)
{
    struct session *session = owner;
    struct text nothing;

    if (!session->is_waiting)
        return;
    text_init(&nothing, 0);
    ready(session, &nothing);
}

static const struct transaction_events transaction_events = {
    .on_recipient = on_recipient,
    .on_final = on_final,
    .on_room = on_room,
    .client_has_left = client_has_left,
};

/* ---- The end. */

bool session_on_lost(struct session *session)
{
    session->is_lost = true;
    session->tls = NULL; /* goes with the stream */
    return session->transaction == NULL || !transaction_is_committed(session->transaction);
}

void session_close(struct session *session, const struct reply *reply, struct text *out)
{
    session->is_told_to_close = true;
    server_dialogue_close(&session->dialogue, reply, out);
}

bool session_is_idle(const struct session *session)
{
    return session->transaction == NULL;
}

bool session_has_begun(const struct session *session)
{
    return session->transaction_count > 0;
}

bool session_is_costly(const struct session *session)
{
    return session->transaction != NULL && transaction_is_costly(session->transaction);
}

bool session_is_receiving(const struct session *session)
{
    enum server_state state = session->dialogue.state;

    return state == SERVER_STATE_DATA || state == SERVER_STATE_DATA_REFUSED ||
           state == SERVER_STATE_CHUNK || state == SERVER_STATE_CHUNK_REFUSED;
}

const char *session_close_reason(const struct session *session)
{
    return session->dialogue.close_reason != NULL ? session->dialogue.close_reason : "";
}

bool session_has_quit(const struct session *session)
{
    return slice_equals(slice_from(session->dialogue.close_reason), SLICE("quit"));
}
