/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server side of SMTP; see server_dialogue.h. Here are the three ways to
 * read what a client sends, as lines, as DATA and as octets of a chunk, and the
 * owner's answers; server_commands.c has what a line does.
 *
 *   feed -> read_line  -> server_commands_run -> replies, or an event
 *        -> read_data  -> data_reader         -> CONTENT, END_OF_DATA
 *        -> read_chunk -> data_reader         -> the same, chunk by chunk
 *
 * What an attacker could try here: lines without end or with ends of their own
 * making, commands hidden in content and content passed off as commands, input
 * sent before TLS to be executed inside it. So a line ends with CRLF and with
 * nothing else, and whoever is to wait and does not is cut off.
 */
#include "smtp/server_dialogue.h"

#include <assert.h>

#include "base/memory.h"
#include "smtp/server_commands.h"
#include "smtp/server_state.h"

void server_dialogue_init(struct server_dialogue *dialogue, const struct server_options *options)
{
    *dialogue = (struct server_dialogue){
        .options = options,
        .reference = "",
        .state = SERVER_STATE_FRESH,
        .owed = SERVER_EVENT_NEED_INPUT,
        .line = SERVER_LINE_READ,
    };
    envelope_init(&dialogue->mail);
}

void server_dialogue_clear(struct server_dialogue *dialogue)
{
    server_state_end_transaction(dialogue);
    mem_free(dialogue->hello_name);
    dialogue->hello_name = NULL;
}

void server_dialogue_greet(struct server_dialogue *dialogue, struct text *out)
{
    text_add_format(out, "220 %s %s\r\n", dialogue->options->hostname,
                    dialogue->options->greeting);
}

/* ---- Command lines ---- */

/* From here on the line is dropped; `length` of its bytes are, and end with CR or not. */
static void start_dropping(struct server_dialogue *dialogue, struct slice dropped)
{
    dialogue->dropped_bytes = (uint32_t)dropped.length;
    dialogue->line = dropped.data[dropped.length - 1] == '\r' ? SERVER_LINE_DROPPED_CR
                                                              : SERVER_LINE_DROPPED;
}

/* Length of the rest of a dropped line with its CRLF, in the input; 0 when that is not in there. */
static size_t find_dropped_end(const struct server_dialogue *dialogue, struct slice input)
{
    size_t at = 0;
    size_t lf;

    while (slice_find_byte(slice_from_offset(input, at), '\n', &lf)) {
        at += lf + 1;
        if (at > 1 ? input.data[at - 2] == '\r' : dialogue->line == SERVER_LINE_DROPPED_CR)
            return at;
    }
    return 0;
}

static enum server_event drop_line(struct server_dialogue *dialogue, struct slice input,
                                   size_t *consumed, struct text *out)
{
    size_t end = find_dropped_end(dialogue, input);
    size_t room = SERVER_MAX_DROPPED_BYTES - dialogue->dropped_bytes;

    if (input.length == 0)
        return SERVER_EVENT_NEED_INPUT;
    *consumed = end > 0 ? end : input.length;
    if (*consumed > room)
        return server_state_say(dialogue, REPLY_LINE_ENDLESS, out);
    if (end > 0) {
        dialogue->line = SERVER_LINE_READ;
        return SERVER_EVENT_ANSWERED;
    }
    dialogue->dropped_bytes += (uint32_t)input.length;
    dialogue->line = input.data[input.length - 1] == '\r' ? SERVER_LINE_DROPPED_CR
                                                          : SERVER_LINE_DROPPED;
    return SERVER_EVENT_NEED_INPUT;
}

/* A line that is not read as a command: answered at once, since its end may be far away. */
static enum server_event refuse_line(struct server_dialogue *dialogue, struct slice start,
                                     enum server_reply id, struct text *out)
{
    dialogue->has_read_line = true;
    if (server_commands_close_foreign(dialogue, start, out) ||
        server_commands_close_spent(dialogue, out))
        return SERVER_EVENT_CLOSE;
    start_dropping(dialogue, start);
    return server_state_say(dialogue, id, out);
}

/*
 * A bare LF ends no line, yet gets its refusal before the CRLF has come, so that a person with a
 * tool that sends LF learns why nothing happens.
 */
static enum server_event read_line(struct server_dialogue *dialogue, struct slice input,
                                   size_t *consumed, struct text *out)
{
    const char *foreign;
    size_t lf;

    if (input.length == 0)
        return SERVER_EVENT_NEED_INPUT;
    foreign = command_find_foreign_byte(input.data[0], !dialogue->has_read_line);
    if (foreign != NULL) {
        struct reply reply = server_reply_get(REPLY_FOREIGN_PROTOCOL);

        *consumed = input.length;
        reply.reason = foreign;
        return server_state_close(dialogue, &reply, foreign, out);
    }
    if (!slice_find_byte(slice_until(input, SERVER_MAX_LINE_BYTES), '\n', &lf)) {
        if (input.length < SERVER_MAX_LINE_BYTES)
            return SERVER_EVENT_NEED_INPUT;
        *consumed = SERVER_MAX_LINE_BYTES;
        return refuse_line(dialogue, slice_until(input, *consumed), REPLY_LINE_TOO_LONG, out);
    }
    *consumed = lf + 1;
    if (lf == 0 || input.data[lf - 1] != '\r')
        return refuse_line(dialogue, slice_until(input, *consumed), REPLY_BAD_BYTES, out);
    dialogue->has_read_line = true;
    return server_commands_run(dialogue, slice_until(input, lf - 1), *consumed < input.length, out);
}

/* ---- Content ---- */

static enum server_reply find_data_reply(enum data_problem problem)
{
    switch (problem) {
    case DATA_BARE_CR:
        return REPLY_BARE_CR;
    case DATA_BARE_LF:
        return REPLY_BARE_LF;
    case DATA_NUL:
        return REPLY_NUL;
    case DATA_LINE_TOO_LONG:
        return REPLY_CONTENT_LINE_TOO_LONG;
    case DATA_OK:
        break;
    }
    return REPLY_INTERNAL;
}

static void start_content(struct server_dialogue *dialogue, enum server_state state)
{
    const struct server_options *options = dialogue->options;

    data_reader_init(&dialogue->reader, options->line_ends, options->max_data_line_bytes,
                     dialogue->is_chunked);
    server_state_enter(dialogue, state);
}

/* The end of refused content: the reply that was kept for it. */
static enum server_event end_refused(struct server_dialogue *dialogue, enum server_state next,
                                     struct text *out)
{
    struct reply reply = dialogue->refusal;

    server_state_end_transaction(dialogue);
    server_state_enter(dialogue, next);
    dialogue->own_reply = reply;
    server_state_write(dialogue, &reply, out);
    return SERVER_EVENT_RESET;
}

/* At once, since the rest may be long: the owner need not keep what came so far. */
static enum server_event lose_content(struct server_dialogue *dialogue)
{
    struct reply reply = server_reply_get(find_data_reply(dialogue->reader.problem));

    server_dialogue_refuse_content(dialogue, &reply);
    return SERVER_EVENT_CONTENT_LOST;
}

static enum server_event end_content(struct server_dialogue *dialogue)
{
    dialogue->owed = SERVER_EVENT_END_OF_DATA;
    return SERVER_EVENT_END_OF_DATA;
}

static enum server_event read_data(struct server_dialogue *dialogue, struct slice input,
                                   size_t *consumed, struct text *out)
{
    enum data_step step;

    if (dialogue->reader.state == DATA_STATE_DONE) /* the end came with what was refused */
        return end_refused(dialogue, SERVER_STATE_READY, out);
    do {
        size_t used;

        step = data_reader_feed(&dialogue->reader, slice_from_offset(input, *consumed), &used,
                                &dialogue->content);
        *consumed += used;
        if (step == DATA_STEP_PIECE && dialogue->state == SERVER_STATE_DATA)
            return SERVER_EVENT_CONTENT;
    } while (step == DATA_STEP_PIECE);
    if (dialogue->state == SERVER_STATE_DATA && dialogue->reader.problem != DATA_OK)
        return lose_content(dialogue);
    if (step == DATA_STEP_MORE)
        return SERVER_EVENT_NEED_INPUT;
    if (dialogue->state == SERVER_STATE_DATA)
        return end_content(dialogue);
    return end_refused(dialogue, SERVER_STATE_READY, out);
}

static enum server_state find_state_after_refused(const struct server_dialogue *dialogue)
{
    return dialogue->is_last_chunk ? SERVER_STATE_READY : SERVER_STATE_CHUNKS_LOST;
}

/* All octets of a good chunk are read. */
static enum server_event end_chunk(struct server_dialogue *dialogue, struct text *out)
{
    struct data_reader *reader = &dialogue->reader;

    if (dialogue->is_last_chunk && reader->state != DATA_STATE_DONE) {
        dialogue->content = data_reader_finish(reader);
        if (dialogue->content.length > 0)
            return SERVER_EVENT_CONTENT;
    }
    if (reader->problem != DATA_OK)
        return lose_content(dialogue);
    if (dialogue->is_last_chunk)
        return end_content(dialogue);
    server_state_enter(dialogue, SERVER_STATE_CHUNKING);
    return server_state_say(dialogue, REPLY_CHUNK_OK, out);
}

static enum server_event read_chunk(struct server_dialogue *dialogue, struct slice input,
                                    size_t *consumed, struct text *out)
{
    while (dialogue->chunk_left > 0) {
        struct slice rest = slice_from_offset(input, *consumed);
        enum data_step step;
        size_t used;

        if (rest.length == 0)
            return SERVER_EVENT_NEED_INPUT;
        if (rest.length > dialogue->chunk_left)
            rest.length = (size_t)dialogue->chunk_left;
        step = data_reader_feed(&dialogue->reader, rest, &used, &dialogue->content);
        *consumed += used;
        dialogue->chunk_left -= used;
        if (step == DATA_STEP_PIECE)
            return SERVER_EVENT_CONTENT;
        if (dialogue->reader.problem != DATA_OK)
            return lose_content(dialogue);
    }
    return end_chunk(dialogue, out);
}

static enum server_event swallow_chunk(struct server_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out)
{
    *consumed = input.length < dialogue->chunk_left ? input.length : (size_t)dialogue->chunk_left;
    dialogue->chunk_left -= *consumed;
    return dialogue->chunk_left > 0 ? SERVER_EVENT_NEED_INPUT
                                    : end_refused(dialogue, dialogue->after_chunk, out);
}

/* ---- The owner's side ---- */

enum server_event server_dialogue_feed(struct server_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out)
{
    assert(!server_dialogue_is_answer_owed(dialogue));
    *consumed = 0;
    switch (dialogue->state) {
    case SERVER_STATE_FRESH:
    case SERVER_STATE_READY:
    case SERVER_STATE_MAIL:
    case SERVER_STATE_RCPT:
    case SERVER_STATE_CHUNKING:
    case SERVER_STATE_CHUNKS_LOST:
        return dialogue->line == SERVER_LINE_READ ? read_line(dialogue, input, consumed, out)
                                                  : drop_line(dialogue, input, consumed, out);
    case SERVER_STATE_DATA:
    case SERVER_STATE_DATA_REFUSED:
        return read_data(dialogue, input, consumed, out);
    case SERVER_STATE_CHUNK:
        return read_chunk(dialogue, input, consumed, out);
    case SERVER_STATE_CHUNK_REFUSED:
        return swallow_chunk(dialogue, input, consumed, out);
    case SERVER_STATE_SECURING:
        return SERVER_EVENT_NEED_INPUT;
    case SERVER_STATE_CLOSED:
        break;
    }
    *consumed = input.length;
    return SERVER_EVENT_CLOSE;
}

bool server_dialogue_has_work(const struct server_dialogue *dialogue)
{
    switch (dialogue->state) {
    case SERVER_STATE_CHUNK:
    case SERVER_STATE_CHUNK_REFUSED:
        return dialogue->chunk_left == 0;
    case SERVER_STATE_DATA_REFUSED:
        return dialogue->reader.state == DATA_STATE_DONE;
    case SERVER_STATE_CLOSED:
        return true;
    case SERVER_STATE_FRESH:
    case SERVER_STATE_READY:
    case SERVER_STATE_MAIL:
    case SERVER_STATE_RCPT:
    case SERVER_STATE_DATA:
    case SERVER_STATE_CHUNKING:
    case SERVER_STATE_CHUNKS_LOST:
    case SERVER_STATE_SECURING:
        break;
    }
    return false;
}

void server_dialogue_close(struct server_dialogue *dialogue, const struct reply *reply,
                           struct text *out)
{
    server_state_close(dialogue, reply, reply->reason, out);
}

static void answer_mail(struct server_dialogue *dialogue, const struct reply *reply,
                        struct text *out)
{
    bool is_smtputf8 = dialogue->mail.is_smtputf8;
    bool is_prdr = dialogue->is_prdr;

    server_state_end_transaction(dialogue);
    if (reply_is_success(reply)) {
        dialogue->is_smtputf8 = is_smtputf8;
        dialogue->is_prdr = is_prdr;
        server_state_enter(dialogue, SERVER_STATE_MAIL);
    }
    server_state_write(dialogue, reply, out);
}

static void answer_rcpt(struct server_dialogue *dialogue, const struct reply *reply,
                        struct text *out)
{
    recipient_clear(&dialogue->recipient);
    if (reply_is_success(reply)) {
        dialogue->recipient_count++;
        server_state_enter(dialogue, SERVER_STATE_RCPT);
    } else {
        dialogue->was_recipient_refused = true;
    }
    server_state_write(dialogue, reply, out);
}

static void answer_data(struct server_dialogue *dialogue, const struct reply *reply,
                        struct text *out)
{
    bool is_opened = reply->code / 100 == 3;

    if (is_opened)
        dialogue->idle_command_count = 0;
    if (is_opened && dialogue->is_chunked) {
        start_content(dialogue, SERVER_STATE_CHUNK);
    } else if (is_opened) {
        struct reply start = server_reply_get(REPLY_START_CONTENT);

        start_content(dialogue, SERVER_STATE_DATA);
        server_state_write(dialogue, &start, out);
    } else if (dialogue->is_chunked && reply->code != 421) {
        dialogue->refusal = *reply;
        dialogue->after_chunk = find_state_after_refused(dialogue);
        server_state_enter(dialogue, SERVER_STATE_CHUNK_REFUSED);
    } else {
        server_state_end_transaction(dialogue);
        server_state_enter(dialogue, SERVER_STATE_READY);
        server_state_write(dialogue, reply, out);
    }
}

static void answer_end(struct server_dialogue *dialogue, const struct reply *reply,
                       struct text *out)
{
    server_state_end_transaction(dialogue);
    server_state_enter(dialogue, SERVER_STATE_READY);
    server_state_write_final(dialogue, reply, out);
}

void server_dialogue_answer(struct server_dialogue *dialogue, const struct reply *reply,
                            struct text *out)
{
    enum server_event owed = dialogue->owed;

    assert(server_dialogue_is_answer_owed(dialogue));
    assert(owed == SERVER_EVENT_DATA || reply->code / 100 != 3);
    dialogue->owed = SERVER_EVENT_NEED_INPUT;
    if (owed == SERVER_EVENT_MAIL)
        answer_mail(dialogue, reply, out);
    else if (owed == SERVER_EVENT_RCPT)
        answer_rcpt(dialogue, reply, out);
    else if (owed == SERVER_EVENT_DATA)
        answer_data(dialogue, reply, out);
    else
        answer_end(dialogue, reply, out);
}

void server_dialogue_answer_each(struct server_dialogue *dialogue, const struct reply *replies,
                                 size_t count, const struct reply *overall, struct text *out)
{
    struct reply follows = server_reply_get(REPLY_EACH_FOLLOWS);

    assert(dialogue->owed == SERVER_EVENT_END_OF_DATA);
    assert(dialogue->is_prdr && count == dialogue->recipient_count);
    server_state_write(dialogue, &follows, out);
    for (size_t i = 0; i < count; i++) {
        assert(replies[i].code != 421);
        server_state_write_final(dialogue, &replies[i], out);
    }
    dialogue->owed = SERVER_EVENT_NEED_INPUT;
    answer_end(dialogue, overall, out);
}

void server_dialogue_refuse_content(struct server_dialogue *dialogue, const struct reply *reply)
{
    assert(!server_dialogue_is_answer_owed(dialogue));
    if (dialogue->state == SERVER_STATE_DATA) {
        server_state_enter(dialogue, SERVER_STATE_DATA_REFUSED);
    } else if (dialogue->state == SERVER_STATE_CHUNK) {
        dialogue->after_chunk = find_state_after_refused(dialogue);
        server_state_enter(dialogue, SERVER_STATE_CHUNK_REFUSED);
    } else if (dialogue->state == SERVER_STATE_CHUNKING) {
        server_state_enter(dialogue, SERVER_STATE_CHUNKS_LOST);
    } else {
        return;
    }
    dialogue->refusal = *reply;
}

void server_dialogue_on_secured(struct server_dialogue *dialogue)
{
    server_state_end_transaction(dialogue);
    mem_free(dialogue->hello_name);
    dialogue->hello_name = NULL;
    dialogue->is_extended = false;
    dialogue->extensions = 0;
    dialogue->is_secured = true;
    dialogue->has_read_line = false;
    server_state_enter(dialogue, SERVER_STATE_FRESH);
}

bool server_dialogue_has_transaction(const struct server_dialogue *dialogue)
{
    switch (dialogue->state) {
    case SERVER_STATE_MAIL:
    case SERVER_STATE_RCPT:
    case SERVER_STATE_DATA:
    case SERVER_STATE_CHUNK:
    case SERVER_STATE_CHUNKING:
        return true;
    case SERVER_STATE_FRESH:
    case SERVER_STATE_READY:
    case SERVER_STATE_DATA_REFUSED:
    case SERVER_STATE_CHUNK_REFUSED:
    case SERVER_STATE_CHUNKS_LOST:
    case SERVER_STATE_SECURING:
    case SERVER_STATE_CLOSED:
        break;
    }
    return false;
}

bool server_dialogue_is_answer_owed(const struct server_dialogue *dialogue)
{
    return dialogue->owed != SERVER_EVENT_NEED_INPUT;
}
