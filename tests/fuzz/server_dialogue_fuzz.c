/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of hostile bytes against the server dialogue. The first byte chooses
 * the options, the second the size of the packets, the third what the owner
 * answers. Every reply must be a line of SMTP; an answer is asked for only in
 * its place; at the end of data the owner has seen every recipient and the
 * content has CRLF only. Where nobody failed to wait, packets of one byte must
 * have the same outcome.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "smtp/server_dialogue.h"
#include "smtp/server_replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
    struct server_options options;
    struct server_dialogue dialogue;
    unsigned int moods;     /* bits that are used up, one an answer */
    size_t recipient_count; /* the owner's own count */
    bool is_mail_open;
    bool is_picky;    /* refuses content of more than 500 bytes */
    bool has_refused; /* content, in this message */
    struct text out;
    struct text content;
};

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static bool next_mood(struct session *session)
{
    bool is_refusal = (session->moods & 1) != 0;

    session->moods = session->moods >> 1 | (is_refusal ? 0x80u : 0);
    return is_refusal;
}

static bool answer(struct session *session, enum server_reply good, enum server_reply bad)
{
    bool is_good = !next_mood(session);
    struct reply reply = server_reply_get(is_good ? good : bad);

    server_dialogue_answer(&session->dialogue, &reply, &session->out);
    return is_good;
}

static void forget_transaction(struct session *session)
{
    session->is_mail_open = false;
    session->recipient_count = 0;
    session->has_refused = false;
    text_reset(&session->content);
}

static void require_clean(struct slice content)
{
    for (size_t i = 0; i < content.length; i++) {
        char c = content.data[i];

        require(c != '\0');
        require(c != '\r' || (i + 1 < content.length && content.data[i + 1] == '\n'));
        require(c != '\n' || (i > 0 && content.data[i - 1] == '\r'));
    }
    require(content.length == 0 || content.data[content.length - 1] == '\n');
}

static void end_message(struct session *session)
{
    struct server_dialogue *dialogue = &session->dialogue;
    struct reply each[16];
    struct reply accepted = server_reply_get(REPLY_MESSAGE_ACCEPTED);

    require(session->is_mail_open && session->recipient_count > 0 && !session->has_refused);
    require(session->recipient_count == dialogue->recipient_count);
    require_clean(text_slice(&session->content));
    for (size_t i = 0; i < 16; i++)
        each[i] = accepted;
    if (dialogue->is_prdr && !next_mood(session))
        server_dialogue_answer_each(dialogue, each, session->recipient_count, &accepted,
                                    &session->out);
    else
        answer(session, REPLY_MESSAGE_ACCEPTED, REPLY_BACKEND_LOST);
    forget_transaction(session);
}

static void take_content(struct session *session)
{
    struct reply reply = server_reply_get(REPLY_NO_SPACE);

    require(session->is_mail_open && session->recipient_count > 0 && !session->has_refused);
    require(session->dialogue.content.length > 0);
    text_add(&session->content, session->dialogue.content);
    if (session->is_picky && session->content.length > 500) {
        server_dialogue_refuse_content(&session->dialogue, &reply);
        session->has_refused = true;
    }
}

static void on_event(struct session *session, enum server_event event)
{
    struct server_dialogue *dialogue = &session->dialogue;

    switch (event) {
    case SERVER_EVENT_MAIL:
        require(dialogue->hello_name != NULL && !session->is_mail_open);
        require(dialogue->is_secured || !session->options.is_tls_required);
        session->is_mail_open = answer(session, REPLY_SENDER_OK, REPLY_SHUTDOWN);
        break;
    case SERVER_EVENT_RCPT:
        require(session->is_mail_open);
        if (answer(session, REPLY_RECIPIENT_OK, REPLY_RECIPIENT_UNKNOWN))
            session->recipient_count++;
        require(session->recipient_count <= session->options.max_recipients);
        break;
    case SERVER_EVENT_DATA:
        require(session->is_mail_open && session->recipient_count > 0);
        if (!answer(session, REPLY_START_CONTENT, REPLY_BACKEND_UNREACHABLE))
            forget_transaction(session);
        break;
    case SERVER_EVENT_END_OF_DATA:
        end_message(session);
        break;
    case SERVER_EVENT_CONTENT:
        take_content(session);
        break;
    case SERVER_EVENT_MAIL_REFUSED:
        require(!session->is_mail_open && dialogue->mail.sender.text != NULL);
        require(!reply_is_success(&dialogue->own_reply));
        break;
    case SERVER_EVENT_RCPT_REFUSED:
        require(session->is_mail_open && dialogue->recipient.address.text != NULL);
        require(!reply_is_success(&dialogue->own_reply));
        break;
    case SERVER_EVENT_CONTENT_LOST:
        require(session->is_mail_open && dialogue->refusal.code == 554);
        forget_transaction(session);
        break;
    case SERVER_EVENT_HELLO:
    case SERVER_EVENT_RESET:
        require(!server_dialogue_has_transaction(dialogue));
        forget_transaction(session);
        break;
    case SERVER_EVENT_START_TLS:
        require(!session->is_mail_open);
        server_dialogue_on_secured(dialogue);
        break;
    case SERVER_EVENT_CLOSE:
        require(dialogue->close_reason != NULL);
        break;
    case SERVER_EVENT_NEED_INPUT:
    case SERVER_EVENT_ANSWERED:
        break;
    }
}

static void require_replies(struct slice out)
{
    struct slice line;

    while (slice_next(&out, '\n', &line)) {
        require(line.length >= 5 && line.data[line.length - 1] == '\r');
        require(line.data[0] >= '2' && line.data[0] <= '5');
        require(line.data[3] == ' ' || line.data[3] == '-');
        for (size_t i = 0; i + 1 < line.length; i++)
            require(ascii_is_printable(line.data[i]));
    }
}

static void session_init(struct session *session, uint8_t options, uint8_t moods)
{
    *session = (struct session){
        .options = { .hostname = "mx.example.org",
                     .greeting = "ESMTP",
                     .extensions = 0x1ff & ~((options & 1u) << 0) & ~((options & 2u) << 5),
                     .line_ends =
                         (options & 4) != 0 ? DATA_LINE_ENDS_REWRITE : DATA_LINE_ENDS_STRICT,
                     .is_tls_required = (options & 8) != 0,
                     .max_data_line_bytes = (options & 16) != 0 ? 100 : 0,
                     .max_recipients = 5,
                     .max_errors = (options & 32) != 0 ? 5 : 0,
                     .max_commands_without_mail = (options & 64) != 0 ? 5 : 0 },
        .moods = moods,
        .is_picky = (options & 128) != 0,
    };
    server_dialogue_init(&session->dialogue, &session->options);
    session->dialogue.offered = 0x1ff;
    session->dialogue.max_size_bytes = 1000;
    session->dialogue.reference = "ref";
    text_init(&session->out, 10000000);
    text_init(&session->content, 10000000);
}

static void session_clear(struct session *session)
{
    server_dialogue_clear(&session->dialogue);
    text_clear(&session->out);
    text_clear(&session->content);
}

/* Sends all, in packets of `packet_bytes`. */
static void play(struct session *session, struct slice input, size_t packet_bytes)
{
    size_t at = 0;

    for (size_t end = 0; end < input.length && session->dialogue.state != SERVER_STATE_CLOSED;) {
        enum server_event event;
        size_t consumed;

        end = packet_bytes < input.length - end ? end + packet_bytes : input.length;
        do {
            struct slice waiting = slice_from_offset(slice_until(input, end), at);

            event = server_dialogue_feed(&session->dialogue, waiting, &consumed, &session->out);
            require(consumed <= waiting.length);
            require(event != SERVER_EVENT_NEED_INPUT ||
                    waiting.length - consumed < SERVER_MAX_LINE_BYTES);
            at += consumed;
            on_event(session, event);
        } while (event != SERVER_EVENT_NEED_INPUT && event != SERVER_EVENT_CLOSE);
    }
    require_replies(text_slice(&session->out));
}

/* Whether the packets matter: input behind a command is seen only where it has come already. */
static bool did_not_wait(const struct session *session)
{
    const char *reason = session->dialogue.close_reason;

    return reason != NULL &&
           (strcmp(reason, "sequence.early-input") == 0 || strcmp(reason, "tls.injection") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_from_offset((struct slice){ (const char *)data, size }, 3);
    struct session session, by_bytes;

    if (size < 3)
        return 0;
    session_init(&session, data[0], data[2]);
    session_init(&by_bytes, data[0], data[2]);
    play(&session, input, data[1] > 0 ? (size_t)data[1] * 8 : 1000000);
    play(&by_bytes, input, 1);
    if (!did_not_wait(&session) && !session.is_picky)
        require(session.dialogue.error_count == by_bytes.dialogue.error_count &&
                session.dialogue.state == by_bytes.dialogue.state &&
                slice_equals(text_slice(&session.out), text_slice(&by_bytes.out)));
    session_clear(&session);
    session_clear(&by_bytes);
    return 0;
}
