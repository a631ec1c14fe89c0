/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One client of the sink; see sink_session.h. The dialogue reads and answers;
 * here is only what a mail server adds to it: who is known, and where mail goes.
 * While a mail goes to disk the stream is paused.
 *
 * A stored file is "Return-Path: <...>", one "Delivered-To: ..." for each
 * recipient, and then the content byte for byte. There is no Received field: the
 * file shows what came, and a test compares it.
 */
#include "tools/sink_session.h"

#include "base/id.h"
#include "base/memory.h"
#include "net/stream.h"
#include "smtp/server_replies.h"

#define IDLE_TIMEOUT_MS 300000
#define LAST_WORDS_MS 1000
#define QUEUED_MAX_BYTES 40 /* "queued as ", an id */

enum sink_state {
    SINK_READING,  /* input goes to the dialogue */
    SINK_STORING,  /* the stream is paused; ends with on_stored */
    SINK_SECURING, /* a TLS handshake; ends with on_secured or on_end */
};

struct sink_session {
    struct list_link link;
    struct sink_site *site;     /* lent */
    struct stream *stream;      /* owned */
    enum sink_state state;
    struct server_dialogue dialogue;
    /* The transaction. */
    struct envelope envelope;   /* as accepted */
    struct id id;               /* in the file's name and in the final reply */
    struct maildir_file *file;  /* NULL before the content, and where mail is thrown away */
    uint64_t content_bytes;
};

static void drop_transaction(struct sink_session *session)
{
    maildir_file_free(&session->file);
    envelope_clear(&session->envelope);
    session->content_bytes = 0;
}

static void free_session(struct sink_session *session)
{
    list_remove(&session->link);
    drop_transaction(session);
    server_dialogue_clear(&session->dialogue);
    stream_free(&session->stream);
    mem_free(session);
}

static void write_out(struct sink_session *session)
{
    struct text *out = &session->site->scratch;

    if (out->length == 0)
        return;
    stream_write(session->stream, text_slice(out));
    text_reset(out);
}

/* Last words, and the end. */
static void finish(struct sink_session *session)
{
    write_out(session);
    stream_finish(&session->stream, LAST_WORDS_MS);
    free_session(session);
}

static void answer(struct sink_session *session, enum server_reply id)
{
    struct reply reply = server_reply_get(id);

    server_dialogue_answer(&session->dialogue, &reply, &session->site->scratch);
}

/* ---- The envelope ---- */

static bool is_rejected(const struct sink_session *session, const struct address *address)
{
    const struct option_texts *users = session->site->rejected_users;
    size_t at;

    for (size_t i = 0; i < users->count; i++) {
        struct slice user = slice_from(users->items[i]);
        bool has_domain = slice_find_byte(user, '@', &at);

        if (slice_equals_nocase(user, has_domain ? address_text(address) : address_local(address)))
            return true;
    }
    return false;
}

static void on_mail(struct sink_session *session)
{
    drop_transaction(session);
    envelope_copy_sender(&session->envelope, &session->dialogue.mail);
    answer(session, REPLY_SENDER_OK);
}

static void on_rcpt(struct sink_session *session)
{
    if (is_rejected(session, &session->dialogue.recipient.address)) {
        answer(session, REPLY_RECIPIENT_UNKNOWN);
        return;
    }
    envelope_add_recipient(&session->envelope, &session->dialogue.recipient);
    answer(session, REPLY_RECIPIENT_OK);
}

/* ---- The content ---- */

/* Addresses were parsed strictly: no byte of theirs can end a line. */
static void add_trace(struct sink_session *session)
{
    struct text trace;

    text_init(&trace, TEXT_MAX_LENGTH);
    text_add_format(&trace, "Return-Path: <%s>\r\n", session->envelope.sender.text);
    for (size_t i = 0; i < session->envelope.recipient_count; i++)
        text_add_format(&trace, "Delivered-To: %s\r\n",
                        session->envelope.recipients[i].address.text);
    maildir_file_add(session->file, text_slice(&trace));
    text_clear(&trace);
}

static void on_data(struct sink_session *session)
{
    session->id = id_new();
    if (session->site->maildir != NULL) {
        session->file = maildir_file_new(session->site->maildir, session->id.text);
        add_trace(session);
    }
    answer(session, REPLY_START_CONTENT);
}

static void on_content(struct sink_session *session)
{
    struct slice content = session->dialogue.content;
    uint64_t limit = session->site->max_message_bytes;

    session->content_bytes += content.length;
    if (limit > 0 && session->content_bytes > limit) {
        struct reply reply = server_reply_get(REPLY_MESSAGE_TOO_LARGE);

        maildir_file_free(&session->file);
        server_dialogue_refuse_content(&session->dialogue, &reply);
    } else if (session->file != NULL) {
        maildir_file_add(session->file, content);
    }
}

static void answer_final(struct sink_session *session, const struct reply *reply)
{
    struct server_dialogue *dialogue = &session->dialogue;
    size_t count = session->envelope.recipient_count;
    struct reply *each;

    if (!dialogue->is_prdr) {
        server_dialogue_answer(dialogue, reply, &session->site->scratch);
        return;
    }
    each = mem_new_array(count, sizeof *each);
    for (size_t i = 0; i < count; i++)
        each[i] = *reply;
    server_dialogue_answer_each(dialogue, each, count, reply, &session->site->scratch);
    mem_free(each);
}

/* The message is where it shall be. */
static void accept_message(struct sink_session *session)
{
    struct sink_site *site = session->site;
    struct reply reply = server_reply_get(REPLY_MESSAGE_ACCEPTED);
    struct text words;

    text_init(&words, QUEUED_MAX_BYTES);
    text_add_format(&words, "queued as %s", session->id.text);
    reply.text = text_string(&words);
    answer_final(session, &reply);
    text_clear(&words);
    site->message_count++;
    site->byte_count += session->content_bytes;
    drop_transaction(session);
    site->on_message(site->owner);
}

static void on_stored(void *owner, enum maildir_result result)
{
    struct sink_session *session = owner;
    struct reply reply =
        server_reply_get(result == MAILDIR_FULL ? REPLY_NO_SPACE : REPLY_INTERNAL);

    session->state = SINK_READING;
    if (result == MAILDIR_STORED) {
        accept_message(session);
    } else {
        answer_final(session, &reply);
        drop_transaction(session);
    }
    write_out(session);
    stream_resume(session->stream);
}

static void on_end_of_data(struct sink_session *session)
{
    if (session->file == NULL) {
        accept_message(session);
        return;
    }
    session->state = SINK_STORING;
    stream_pause(session->stream);
    maildir_file_start(session->file, on_stored, session);
}

/* ---- Bytes in, bytes out ---- */

/* One event; false when there is nothing more to do with this input now. */
static bool carry_out(struct sink_session *session, enum server_event event)
{
    switch (event) {
    case SERVER_EVENT_MAIL: on_mail(session); return true;
    case SERVER_EVENT_RCPT: on_rcpt(session); return true;
    case SERVER_EVENT_DATA: on_data(session); return true;
    case SERVER_EVENT_CONTENT: on_content(session); return true;
    case SERVER_EVENT_END_OF_DATA: on_end_of_data(session); return session->state == SINK_READING;
    case SERVER_EVENT_HELLO:
    case SERVER_EVENT_RESET: drop_transaction(session); return true;
    case SERVER_EVENT_ANSWERED:
    case SERVER_EVENT_MAIL_REFUSED:
    case SERVER_EVENT_RCPT_REFUSED:
    case SERVER_EVENT_CONTENT_LOST: return true;
    case SERVER_EVENT_START_TLS:
    case SERVER_EVENT_CLOSE:
    case SERVER_EVENT_NEED_INPUT: break;
    }
    return false;
}

static void start_tls(struct sink_session *session)
{
    session->state = SINK_SECURING;
    write_out(session);
    if (!stream_accept_tls(session->stream, session->site->tls))
        free_session(session);
}

/* All that one read brought; the stream's own ceiling keeps a turn short. */
static void pump(struct sink_session *session)
{
    enum server_event event;
    bool goes_on;

    do {
        size_t consumed;

        event = server_dialogue_feed(&session->dialogue, stream_input(session->stream), &consumed,
                                     &session->site->scratch);
        /* Content lies in the input: it is used up before the input is. */
        goes_on = carry_out(session, event);
        stream_consume(session->stream, consumed);
    } while (goes_on);
    if (event == SERVER_EVENT_CLOSE) {
        finish(session);
    } else if (event == SERVER_EVENT_START_TLS) {
        start_tls(session);
    } else {
        write_out(session);
        stream_set_read_deadline(session->stream, IDLE_TIMEOUT_MS);
    }
}

static void on_input(void *owner)
{
    struct sink_session *session = owner;

    if (session->state == SINK_READING)
        pump(session);
}

static void on_secured(void *owner)
{
    struct sink_session *session = owner;

    session->state = SINK_READING;
    server_dialogue_on_secured(&session->dialogue);
    drop_transaction(session);
}

static void on_end(void *owner, enum stream_end end, const char *detail)
{
    (void)end;
    (void)detail;
    free_session(owner);
}

static const struct stream_events stream_events = {
    .on_input = on_input,
    .on_secured = on_secured,
    .on_end = on_end,
};

/* ---- Beginning and end ---- */

void sink_session_start(struct sink_site *site, int take_fd)
{
    struct sink_session *session = mem_new(sizeof *session);

    session->site = site;
    session->state = SINK_READING;
    list_add_last(&site->sessions, &session->link);
    envelope_init(&session->envelope);
    server_dialogue_init(&session->dialogue, &site->options);
    session->dialogue.offered = site->options.extensions;
    session->dialogue.max_size_bytes = site->max_message_bytes;
    session->dialogue.reference = "";
    session->stream = stream_new(site->loop, take_fd, &stream_events, session);
    stream_set_read_deadline(session->stream, IDLE_TIMEOUT_MS);
    server_dialogue_greet(&session->dialogue, &site->scratch);
    write_out(session);
}

void sink_sessions_end(struct sink_site *site)
{
    struct reply reply = server_reply_get(REPLY_SHUTDOWN);

    while (!list_is_empty(&site->sessions)) {
        struct sink_session *session =
            LIST_OWNER(site->sessions.next, struct sink_session, link);

        if (session->state == SINK_SECURING) {
            free_session(session);
        } else {
            server_dialogue_close(&session->dialogue, &reply, &site->scratch);
            finish(session);
        }
    }
}
