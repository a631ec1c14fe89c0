/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side of SMTP; see client_dialogue.h. Two lists with the same states
 * in the same order: `enter` has what is said on entering a state, `on_reply`
 * what a reply in it leads to. A command that was already said ahead of its
 * state (PIPELINING) is not said again.
 *
 * A reply is believed only where it can be one: of a class that fits the state,
 * and to a command that was said. Everything else ends the connection, since
 * from then on nobody knows which reply belongs to what.
 */
#include "smtp/client_dialogue.h"

#include <assert.h>

#include "smtp/client_say.h"
#include "smtp/command.h"

void client_dialogue_init(struct client_dialogue *dialogue, const struct client_options *options,
                          bool is_secured)
{
    *dialogue = (struct client_dialogue){ .options = options, .is_secured = is_secured };
    reply_parser_init(&dialogue->replies);
    dialogue->state = CLIENT_STATE_GREETING;
    dialogue->awaited = 1;
}

void client_dialogue_clear(struct client_dialogue *dialogue)
{
    reply_parser_clear(&dialogue->replies);
    dialogue->state = CLIENT_STATE_OVER;
}

void client_dialogue_stay_plain(struct client_dialogue *dialogue)
{
    assert(dialogue->options->tls == CLIENT_TLS_OPTIONAL);
    dialogue->stays_plain = true;
}

/* ---- What is said on entering a state. */

static void enter(struct client_dialogue *dialogue, enum client_state state, struct text *out)
{
    dialogue->state = state;
    switch (state) {
    case CLIENT_STATE_GREETING:
        break;
    case CLIENT_STATE_EHLO:
        client_say(dialogue, "EHLO", dialogue->options->hostname, out);
        break;
    case CLIENT_STATE_HELO:
        client_say(dialogue, "HELO", dialogue->options->hostname, out);
        break;
    case CLIENT_STATE_STARTTLS:
        client_say(dialogue, "STARTTLS", NULL, out);
        break;
    case CLIENT_STATE_HANDSHAKE:
    case CLIENT_STATE_READY:
        break;
    case CLIENT_STATE_XCLIENT:
        client_say_xclient(dialogue, out);
        break;
    case CLIENT_STATE_XCLIENT_EHLO:
        client_say_client_hello(dialogue, out);
        break;
    case CLIENT_STATE_MAIL:
        client_say_mail(dialogue, out);
        client_say_rest(dialogue, out);
        break;
    case CLIENT_STATE_RCPT:
        client_say_recipients(dialogue, out);
        break;
    case CLIENT_STATE_ENVELOPE:
        break;
    case CLIENT_STATE_DATA:
        client_say_data(dialogue, out);
        break;
    case CLIENT_STATE_CONTENT:
        data_writer_init(&dialogue->writer);
        break;
    case CLIENT_STATE_DOT:
        client_say_end(dialogue, out);
        break;
    case CLIENT_STATE_SPENT:
        break;
    case CLIENT_STATE_RSET:
        client_say_reset(dialogue, out);
        if (dialogue->mail.sender != NULL && !client_needs_xclient(dialogue)
            && client_has(dialogue, SERVER_PIPELINING)) {
            client_say_mail(dialogue, out);
            client_say_rest(dialogue, out);
        }
        break;
    case CLIENT_STATE_OVER:
        break;
    }
}

/* ---- What a reply leads to. */

static enum client_event fail(struct client_dialogue *dialogue, enum client_failure failure)
{
    dialogue->failure = failure;
    dialogue->state = CLIENT_STATE_OVER;
    return CLIENT_EVENT_FAILED;
}

/* The reply is none of those that the state knows. */
static enum client_event fail_by_code(struct client_dialogue *dialogue)
{
    int code = dialogue->replies.code;

    if (code == 421)
        return fail(dialogue, CLIENT_FAILURE_CLOSING);
    return fail(dialogue, code >= 400 ? CLIENT_FAILURE_REFUSED : CLIENT_FAILURE_UNEXPECTED);
}

/* In a clean session: the present client's name first, where that is wanted. */
static void open_transaction(struct client_dialogue *dialogue, struct text *out)
{
    enter(dialogue, client_needs_xclient(dialogue) ? CLIENT_STATE_XCLIENT : CLIENT_STATE_MAIL,
          out);
}

static void end_transaction(struct client_dialogue *dialogue)
{
    dialogue->mail = (struct client_mail){ 0 };
}

/* A 4xx or 5xx to the transaction. 421 also says goodbye. */
static enum client_event refuse(struct client_dialogue *dialogue, struct text *out)
{
    dialogue->refusals++;
    end_transaction(dialogue);
    enter(dialogue, dialogue->replies.code == 421 ? CLIENT_STATE_OVER : CLIENT_STATE_SPENT, out);
    return CLIENT_EVENT_REFUSED;
}

/* Greeted, and secured as far as wanted. */
static enum client_event become_ready(struct client_dialogue *dialogue, struct text *out)
{
    bool has_xclient = (dialogue->offer.xclient & XCLIENT_ADDR) != 0;

    if (dialogue->options->is_xclient_needed && !has_xclient)
        return fail(dialogue, CLIENT_FAILURE_NO_XCLIENT);
    enter(dialogue, CLIENT_STATE_READY, out);
    return CLIENT_EVENT_READY;
}

static enum client_event go_on_from_hello(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->is_secured || dialogue->stays_plain
        || dialogue->options->tls == CLIENT_TLS_OFF)
        return become_ready(dialogue, out);
    if (client_has(dialogue, SERVER_STARTTLS)) {
        enter(dialogue, CLIENT_STATE_STARTTLS, out);
        return CLIENT_EVENT_NEED_INPUT;
    }
    if (dialogue->options->tls == CLIENT_TLS_REQUIRED)
        return fail(dialogue, CLIENT_FAILURE_NO_TLS);
    return become_ready(dialogue, out);
}

/* SERVER_* bits that the mail needs and the server has not; 0 for none. */
static unsigned int find_lacking(const struct client_dialogue *dialogue,
                                 const struct client_mail *mail)
{
    unsigned int there = dialogue->offer.extensions | dialogue->options->assumed;
    enum body_type body = mail->sender->body;

    if (mail->sender->is_smtputf8 && (there & SERVER_SMTPUTF8) == 0)
        return SERVER_SMTPUTF8;
    if (body == BODY_BINARYMIME || (body == BODY_8BITMIME && (there & SERVER_8BITMIME) == 0))
        return SERVER_8BITMIME;
    return 0;
}

static enum client_event on_greeting(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->replies.code != 220)
        return fail_by_code(dialogue);
    enter(dialogue, CLIENT_STATE_EHLO, out);
    return CLIENT_EVENT_NEED_INPUT;
}

static enum client_event on_ehlo(struct client_dialogue *dialogue, struct text *out)
{
    int code = dialogue->replies.code;

    if (code / 100 == 5) {
        enter(dialogue, CLIENT_STATE_HELO, out);
        return CLIENT_EVENT_NEED_INPUT;
    }
    if (code / 100 != 2)
        return fail_by_code(dialogue);
    client_offer_parse(&dialogue->offer, text_slice(&dialogue->replies.lines));
    return go_on_from_hello(dialogue, out);
}

static enum client_event on_helo(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->replies.code / 100 != 2)
        return fail_by_code(dialogue);
    return go_on_from_hello(dialogue, out);
}

static enum client_event on_starttls(struct client_dialogue *dialogue, bool is_input_left,
                                     struct text *out)
{
    int code = dialogue->replies.code;

    if (code == 220 && is_input_left)
        return fail(dialogue, CLIENT_FAILURE_INJECTION);
    if (code == 220) {
        enter(dialogue, CLIENT_STATE_HANDSHAKE, out);
        return CLIENT_EVENT_START_TLS;
    }
    if (code < 400 || code == 421 || dialogue->options->tls == CLIENT_TLS_REQUIRED)
        return fail_by_code(dialogue);
    return become_ready(dialogue, out);
}

static enum client_event on_xclient(struct client_dialogue *dialogue, struct text *out)
{
    unsigned int left = dialogue->offer.xclient >> dialogue->xclient_next;

    if (dialogue->replies.code >= 400)
        return refuse(dialogue, out);
    if (dialogue->replies.code / 100 != 2)
        return fail_by_code(dialogue);
    enter(dialogue, left != 0 ? CLIENT_STATE_XCLIENT : CLIENT_STATE_XCLIENT_EHLO, out);
    return CLIENT_EVENT_NEED_INPUT;
}

static enum client_event on_xclient_ehlo(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->replies.code >= 400)
        return refuse(dialogue, out);
    if (dialogue->replies.code / 100 != 2)
        return fail_by_code(dialogue);
    client_offer_parse(&dialogue->offer, text_slice(&dialogue->replies.lines));
    dialogue->is_identified = true;
    dialogue->lacking = find_lacking(dialogue, &dialogue->mail);
    if (dialogue->lacking != 0) {
        end_transaction(dialogue);
        enter(dialogue, CLIENT_STATE_READY, out);
        return CLIENT_EVENT_LACKS;
    }
    enter(dialogue, CLIENT_STATE_MAIL, out);
    return CLIENT_EVENT_NEED_INPUT;
}

static enum client_event on_mail(struct client_dialogue *dialogue, struct text *out)
{
    int code = dialogue->replies.code;

    if (code >= 400 && code != 421)
        return refuse(dialogue, out);
    if (code / 100 != 2)
        return fail_by_code(dialogue);
    dialogue->is_mail_accepted = true;
    dialogue->mails_accepted++;
    enter(dialogue, CLIENT_STATE_RCPT, out);
    return CLIENT_EVENT_NEED_INPUT;
}

/*
 * Behind the last recipient of a replay content may go out with nothing in between: what came along
 * with the reply must not pass for the answer to it.
 */
static enum client_event on_recipient(struct client_dialogue *dialogue, bool is_input_left,
                                      struct text *out)
{
    int code = dialogue->replies.code;
    bool goes_on_to_chunk = dialogue->mail.goes_on_to_content && client_uses_chunking(dialogue);

    if (code / 100 == 3)
        return fail_by_code(dialogue);
    if (goes_on_to_chunk && dialogue->awaited == 0 && is_input_left)
        return fail(dialogue, CLIENT_FAILURE_UNEXPECTED);
    if (code >= 400)
        dialogue->refusals++;
    dialogue->recipients_answered++;
    if (code == 421)
        enter(dialogue, CLIENT_STATE_OVER, out);
    else if (dialogue->recipients_answered < dialogue->mail.to->recipient_count)
        enter(dialogue, CLIENT_STATE_RCPT, out);
    else if (dialogue->mail.goes_on_to_content && !goes_on_to_chunk)
        enter(dialogue, CLIENT_STATE_DATA, out);
    else
        enter(dialogue, CLIENT_STATE_ENVELOPE, out);
    return CLIENT_EVENT_RECIPIENT;
}

/* What stands behind a 354 cannot be the answer to a dot that was not said yet. */
static enum client_event on_data(struct client_dialogue *dialogue, bool is_input_left,
                                 struct text *out)
{
    if (dialogue->replies.code >= 400)
        return refuse(dialogue, out);
    if (dialogue->replies.code != 354)
        return fail_by_code(dialogue);
    if (is_input_left)
        return fail(dialogue, CLIENT_FAILURE_UNEXPECTED);
    enter(dialogue, CLIENT_STATE_CONTENT, out);
    return CLIENT_EVENT_GO_AHEAD;
}

/*
 * Before the dot or LAST: the server is tired of it. What we sent is half a message, so nothing
 * follows. To accept what it has not got yet is no answer to anything.
 */
static enum client_event on_content(struct client_dialogue *dialogue)
{
    if (dialogue->replies.code < 400)
        return fail_by_code(dialogue);
    dialogue->refusals++;
    end_transaction(dialogue);
    dialogue->state = CLIENT_STATE_OVER;
    return CLIENT_EVENT_REFUSED;
}

/*
 * Also to the chunk in front of LAST, which is then still to be answered: to accept it says nothing
 * yet, to refuse it is the end of the transaction (RFC 3030 2). A server that refuses LAST as well,
 * or has not understood BDAT, may read our mail as commands: nothing more is said to it.
 */
static enum client_event on_dot(struct client_dialogue *dialogue, struct text *out)
{
    int code = dialogue->replies.code;
    bool is_out_of_step = dialogue->awaited > 0 || client_dialogue_is_bdat_unknown(dialogue);

    if (code / 100 == 3)
        return fail_by_code(dialogue);
    if (code < 400 && dialogue->awaited > 0)
        return CLIENT_EVENT_NEED_INPUT;
    if (code >= 400)
        (void)refuse(dialogue, out);
    else
        enter(dialogue, CLIENT_STATE_READY, out);
    if (is_out_of_step)
        enter(dialogue, CLIENT_STATE_OVER, out);
    end_transaction(dialogue);
    return CLIENT_EVENT_OUTCOME;
}

/* To a command of a transaction that has ended. A server that opens content now is past mending. */
static enum client_event on_stale(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->replies.code == 421 || dialogue->replies.code / 100 == 3)
        return fail_by_code(dialogue);
    if (dialogue->state == CLIENT_STATE_RSET && --dialogue->stale == 0)
        enter(dialogue, CLIENT_STATE_RSET, out);
    return CLIENT_EVENT_NEED_INPUT;
}

static enum client_event on_reset(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->stale > 0)
        return on_stale(dialogue, out);
    if (dialogue->replies.code / 100 != 2)
        return fail_by_code(dialogue);
    if (dialogue->mail.sender == NULL) {
        enter(dialogue, CLIENT_STATE_READY, out);
        return CLIENT_EVENT_READY;
    }
    open_transaction(dialogue, out);
    return CLIENT_EVENT_NEED_INPUT;
}

static enum client_event on_reply(struct client_dialogue *dialogue, bool is_input_left,
                                  struct text *out)
{
    dialogue->answered = dialogue->state;
    dialogue->has_reply = true;
    dialogue->reply_count++;
    if (dialogue->awaited == 0 && dialogue->state != CLIENT_STATE_CONTENT)
        return fail(dialogue, dialogue->replies.code == 421 ? CLIENT_FAILURE_CLOSING
                                                            : CLIENT_FAILURE_UNEXPECTED);
    if (dialogue->awaited > 0)
        dialogue->awaited--;
    switch (dialogue->state) {
    case CLIENT_STATE_GREETING:
        return on_greeting(dialogue, out);
    case CLIENT_STATE_EHLO:
        return on_ehlo(dialogue, out);
    case CLIENT_STATE_HELO:
        return on_helo(dialogue, out);
    case CLIENT_STATE_STARTTLS:
        return on_starttls(dialogue, is_input_left, out);
    case CLIENT_STATE_HANDSHAKE:
    case CLIENT_STATE_READY:
        break;
    case CLIENT_STATE_XCLIENT:
        return on_xclient(dialogue, out);
    case CLIENT_STATE_XCLIENT_EHLO:
        return on_xclient_ehlo(dialogue, out);
    case CLIENT_STATE_MAIL:
        return on_mail(dialogue, out);
    case CLIENT_STATE_RCPT:
        return on_recipient(dialogue, is_input_left, out);
    case CLIENT_STATE_ENVELOPE:
        break;
    case CLIENT_STATE_DATA:
        return on_data(dialogue, is_input_left, out);
    case CLIENT_STATE_CONTENT:
        return on_content(dialogue);
    case CLIENT_STATE_DOT:
        return on_dot(dialogue, out);
    case CLIENT_STATE_SPENT:
        return on_stale(dialogue, out);
    case CLIENT_STATE_RSET:
        return on_reset(dialogue, out);
    case CLIENT_STATE_OVER:
        break;
    }
    return fail(dialogue, CLIENT_FAILURE_UNEXPECTED);
}

enum client_event client_dialogue_feed(struct client_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out)
{
    enum client_event event = CLIENT_EVENT_NEED_INPUT;

    *consumed = 0;
    while (event == CLIENT_EVENT_NEED_INPUT && *consumed < input.length
           && dialogue->state != CLIENT_STATE_OVER) {
        size_t used;
        enum reply_step step =
            reply_parser_feed(&dialogue->replies, slice_from_offset(input, *consumed), &used);

        *consumed += used;
        if (step == REPLY_STEP_MORE)
            break;
        if (step == REPLY_STEP_REPLY) {
            event = on_reply(dialogue, *consumed < input.length, out);
        } else {
            dialogue->has_reply = false;
            dialogue->answered = dialogue->state;
            event = fail(dialogue, CLIENT_FAILURE_GARBAGE);
        }
    }
    if (dialogue->state == CLIENT_STATE_OVER)
        *consumed = input.length;
    return event;
}

/* ---- What the owner asks for. */

void client_dialogue_on_secured(struct client_dialogue *dialogue, struct text *out)
{
    assert(dialogue->state == CLIENT_STATE_HANDSHAKE);
    dialogue->is_secured = true;
    dialogue->offer = (struct client_offer){ 0 };
    enter(dialogue, CLIENT_STATE_EHLO, out);
}

enum client_event client_dialogue_start_mail(struct client_dialogue *dialogue,
                                             const struct client_mail *mail, struct text *out)
{
    bool is_first = dialogue->state == CLIENT_STATE_READY;

    assert(is_first || dialogue->state == CLIENT_STATE_ENVELOPE
           || dialogue->state == CLIENT_STATE_SPENT);
    assert(mail->to->recipient_count > 0);
    dialogue->mail = *mail;
    dialogue->is_mail_accepted = false;
    dialogue->has_said_mail = false;
    dialogue->has_said_data = false;
    dialogue->is_chunked = false;
    dialogue->recipients_said = 0;
    dialogue->recipients_answered = 0;
    dialogue->xclient_next = 0;
    dialogue->lacking = client_needs_xclient(dialogue) ? 0 : find_lacking(dialogue, mail);
    if (dialogue->lacking != 0) {
        end_transaction(dialogue);
        return CLIENT_EVENT_LACKS;
    }
    if (!is_first) {
        dialogue->stale = dialogue->awaited;
        dialogue->has_said_reset = false;
        enter(dialogue, CLIENT_STATE_RSET, out);
    } else {
        open_transaction(dialogue, out);
    }
    return CLIENT_EVENT_NEED_INPUT;
}

void client_dialogue_add_recipients(struct client_dialogue *dialogue, struct text *out)
{
    assert(dialogue->state == CLIENT_STATE_ENVELOPE);
    assert(dialogue->recipients_answered < dialogue->mail.to->recipient_count);
    enter(dialogue, CLIENT_STATE_RCPT, out);
}

enum client_event client_dialogue_start_content(struct client_dialogue *dialogue, bool is_in_one_go,
                                                struct text *out)
{
    assert(dialogue->state == CLIENT_STATE_ENVELOPE);
    dialogue->is_chunked = client_uses_chunking(dialogue)
                           && (is_in_one_go || client_has(dialogue, SERVER_PIPELINING));
    dialogue->has_said_last = false;
    dialogue->chunk_left = 0;
    enter(dialogue, dialogue->is_chunked ? CLIENT_STATE_CONTENT : CLIENT_STATE_DATA, out);
    return dialogue->is_chunked ? CLIENT_EVENT_GO_AHEAD : CLIENT_EVENT_NEED_INPUT;
}

void client_dialogue_start_chunk(struct client_dialogue *dialogue, uint64_t bytes, bool is_last,
                                 struct text *out)
{
    assert(dialogue->state == CLIENT_STATE_CONTENT && dialogue->is_chunked);
    assert(dialogue->awaited == 0);
    client_say_chunk(dialogue, bytes, is_last, out);
}

struct slice client_dialogue_take_content(struct client_dialogue *dialogue, struct slice *content)
{
    struct slice run = *content;

    assert(dialogue->state == CLIENT_STATE_CONTENT);
    if (!dialogue->is_chunked)
        return data_writer_next(&dialogue->writer, content);
    assert(run.length <= dialogue->chunk_left);
    dialogue->chunk_left -= run.length;
    *content = SLICE_EMPTY;
    return run;
}

void client_dialogue_end_content(struct client_dialogue *dialogue, struct text *out)
{
    assert(dialogue->state == CLIENT_STATE_CONTENT);
    assert(!dialogue->is_chunked || (dialogue->awaited == 1 && dialogue->chunk_left == 0));
    enter(dialogue, CLIENT_STATE_DOT, out);
}

bool client_dialogue_is_bdat_unknown(const struct client_dialogue *dialogue)
{
    bool is_answer = dialogue->answered == CLIENT_STATE_CONTENT
                     || dialogue->answered == CLIENT_STATE_DOT;

    return dialogue->is_chunked && is_answer && dialogue->has_reply
           && dialogue->replies.code / 10 == 50;
}

bool client_dialogue_can_reset(const struct client_dialogue *dialogue)
{
    /* It may offer XCLIENT to us and not to the client it takes us for: then no way leads back. */
    if (dialogue->options->is_xclient_needed && (dialogue->offer.xclient & XCLIENT_ADDR) == 0)
        return false;
    if (dialogue->state == CLIENT_STATE_MAIL || dialogue->state == CLIENT_STATE_RCPT)
        return !dialogue->has_said_data;
    return dialogue->state == CLIENT_STATE_READY || dialogue->state == CLIENT_STATE_ENVELOPE
           || dialogue->state == CLIENT_STATE_SPENT;
}

void client_dialogue_reset(struct client_dialogue *dialogue, struct text *out)
{
    assert(client_dialogue_can_reset(dialogue));
    end_transaction(dialogue);
    dialogue->is_identified = false;
    if (dialogue->state == CLIENT_STATE_READY)
        return;
    dialogue->stale = dialogue->awaited;
    dialogue->has_said_reset = false;
    enter(dialogue, CLIENT_STATE_RSET, out);
}

void client_dialogue_quit(struct client_dialogue *dialogue, struct text *out)
{
    bool is_fit = client_dialogue_can_reset(dialogue) || dialogue->state == CLIENT_STATE_RSET;

    end_transaction(dialogue);
    if (is_fit && client_may_say(dialogue))
        client_say(dialogue, "QUIT", NULL, out);
    enter(dialogue, CLIENT_STATE_OVER, out);
}

bool client_dialogue_is_waiting(const struct client_dialogue *dialogue)
{
    return dialogue->awaited > 0 && dialogue->state != CLIENT_STATE_OVER
           && dialogue->state != CLIENT_STATE_CONTENT;
}

const char *client_dialogue_failure_text(const struct client_dialogue *dialogue)
{
    if (dialogue->failure == CLIENT_FAILURE_GARBAGE)
        return dialogue->replies.problem;
    return client_failure_text(dialogue->failure);
}
