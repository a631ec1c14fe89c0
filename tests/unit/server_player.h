/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays the server dialogue in memory. A script is what the client sends; "|"
 * stands where it waits for replies. The owner takes every mail, but recipients
 * "no..." get 550 and "later..." 451. Each script is played with its parts
 * whole, byte by byte and cut in two at every place: the outcome must be the
 * same, since TCP may cut anywhere.
 */
#ifndef POSTERN_TESTS_SERVER_PLAYER_H
#define POSTERN_TESTS_SERVER_PLAYER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/server_dialogue.h"
#include "smtp/server_replies.h"
#include "unit.h"

#define ALL_EXTENSIONS 0x1ffu
#define EHLO "EHLO c.example\r\n|"
#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
#define EHLO_EVENTS "hello:c.example"
#define ENVELOPE_EVENTS " mail:a@b.example rcpt:c@d.example"
#define ENVELOPE_CODES " 250/2.1.0 250/2.1.5"
/* Of a refused message as much is given as was in the input before the problem. */
#define ANY_CONTENT { NULL, 0 }

#define DATA_START EHLO ENVELOPE "DATA\r\n|"
#define DATA_CODES "250" ENVELOPE_CODES " 354"
#define DATA_EVENTS EHLO_EVENTS ENVELOPE_EVENTS " data"
#define BDAT_START EHLO ENVELOPE
#define BDAT_CODES "250" ENVELOPE_CODES
#define BDAT_EVENTS EHLO_EVENTS ENVELOPE_EVENTS

/* ---- The player ---- */

/* What this owner does with a message, beside taking it. */
enum owner_mood {
    OWNER_TAKES,
    OWNER_REFUSES_MAIL,    /* 550 to MAIL */
    OWNER_CLOSES_AT_MAIL,  /* 421 to MAIL */
    OWNER_REFUSES_DATA,    /* 451 to DATA or the first BDAT */
    OWNER_REFUSES_CONTENT, /* with the first piece: message too large */
    OWNER_REFUSES_END,     /* 550 to the end of data */
    OWNER_ANSWERS_EACH,    /* where PRDR was asked for: 250 and 550 by turns */
};

struct player {
    struct server_options options;
    struct server_dialogue dialogue;
    enum owner_mood mood;
    struct text input; /* sent and not yet taken */
    struct text out;
    struct text events;
    struct text content;
    bool is_waiting; /* NEED_INPUT, CLOSE or START_TLS came */
};

static inline void player_init(struct player *player)
{
    *player = (struct player){
        .options = {
            .hostname = "mx.example.org",
            .greeting = "ESMTP",
            .extensions = ALL_EXTENSIONS,
            .max_recipients = 3,
            .max_data_line_bytes = 100,
        },
    };
    text_init(&player->input, 1 << 20);
    text_init(&player->out, 1 << 20);
    text_init(&player->events, 1 << 16);
    text_init(&player->content, 1 << 20);
    server_dialogue_init(&player->dialogue, &player->options);
    player->dialogue.offered = ALL_EXTENSIONS;
    player->dialogue.max_size_bytes = 1000;
    player->dialogue.reference = "ref1";
}

static inline void player_clear(struct player *player)
{
    server_dialogue_clear(&player->dialogue);
    text_clear(&player->input);
    text_clear(&player->out);
    text_clear(&player->events);
    text_clear(&player->content);
}

static inline void note(struct player *player, const char *event, const char *detail)
{
    text_add_format(&player->events, "%s%s%s", player->events.length > 0 ? " " : "", event, detail);
}

static inline void answer(struct player *player, enum server_reply id)
{
    struct reply reply = server_reply_get(id);

    server_dialogue_answer(&player->dialogue, &reply, &player->out);
}

static inline void answer_recipient(struct player *player)
{
    const char *address = player->dialogue.recipient.address.text;

    if (strncmp(address, "no", 2) == 0)
        answer(player, REPLY_RECIPIENT_UNKNOWN);
    else if (strncmp(address, "later", 5) == 0)
        answer(player, REPLY_BACKEND_DEFERRED);
    else
        answer(player, REPLY_RECIPIENT_OK);
}

static inline void answer_end(struct player *player)
{
    struct reply accepted = server_reply_get(REPLY_MESSAGE_ACCEPTED);
    struct reply refused = server_reply_get(REPLY_POLICY_REJECT);

    if (player->mood == OWNER_ANSWERS_EACH && player->dialogue.is_prdr) {
        struct reply each[3] = { accepted, refused, accepted };

        server_dialogue_answer_each(&player->dialogue, each, player->dialogue.recipient_count,
                                    &accepted, &player->out);
    } else {
        answer(player,
               player->mood == OWNER_REFUSES_END ? REPLY_POLICY_REJECT : REPLY_MESSAGE_ACCEPTED);
    }
}

static inline void take_content(struct player *player)
{
    struct reply reply = server_reply_get(REPLY_MESSAGE_TOO_LARGE);

    if (player->mood == OWNER_REFUSES_CONTENT)
        server_dialogue_refuse_content(&player->dialogue, &reply);
    else
        text_add(&player->content, player->dialogue.content);
}

static inline void on_event(struct player *player, enum server_event event)
{
    struct server_dialogue *dialogue = &player->dialogue;

    switch (event) {
    case SERVER_EVENT_HELLO:
        note(player, dialogue->is_extended ? "hello:" : "helo:", dialogue->hello_name);
        break;
    case SERVER_EVENT_MAIL:
        note(player, "mail:", dialogue->mail.sender.text);
        answer(player, player->mood == OWNER_REFUSES_MAIL     ? REPLY_POLICY_REJECT
                       : player->mood == OWNER_CLOSES_AT_MAIL ? REPLY_SHUTDOWN
                                                              : REPLY_SENDER_OK);
        break;
    case SERVER_EVENT_MAIL_REFUSED:
        note(player, "mail-refused:", dialogue->mail.sender.text);
        break;
    case SERVER_EVENT_RCPT_REFUSED:
        note(player, "rcpt-refused:", dialogue->recipient.address.text);
        break;
    case SERVER_EVENT_RCPT:
        note(player, "rcpt:", dialogue->recipient.address.text);
        answer_recipient(player);
        break;
    case SERVER_EVENT_DATA:
        note(player, dialogue->is_chunked ? "bdat" : "data", "");
        answer(player, player->mood == OWNER_REFUSES_DATA ? REPLY_BACKEND_UNREACHABLE
                                                          : REPLY_START_CONTENT);
        break;
    case SERVER_EVENT_END_OF_DATA:
        note(player, "end", "");
        answer_end(player);
        break;
    case SERVER_EVENT_CONTENT:
        take_content(player);
        break;
    case SERVER_EVENT_CONTENT_LOST:
        ck_assert(reply_is_permanent(&dialogue->refusal));
        note(player, "lost", "");
        break;
    case SERVER_EVENT_RESET:
        note(player, "reset", "");
        break;
    case SERVER_EVENT_START_TLS:
        note(player, "tls", "");
        server_dialogue_on_secured(dialogue);
        break;
    case SERVER_EVENT_CLOSE:
        note(player, "close:", dialogue->close_reason);
        break;
    case SERVER_EVENT_NEED_INPUT:
    case SERVER_EVENT_ANSWERED:
        break;
    }
}

/* The client sends `bytes`; the dialogue takes what it can. */
static inline void player_send(struct player *player, struct slice bytes)
{
    enum server_event event;
    size_t steps = 0;

    if (player->dialogue.state == SERVER_STATE_CLOSED)
        return;
    text_add(&player->input, bytes);
    do {
        size_t consumed;

        event = server_dialogue_feed(&player->dialogue, text_slice(&player->input), &consumed,
                                     &player->out);
        ck_assert_uint_le(consumed, player->input.length);
        ck_assert_msg(event != SERVER_EVENT_NEED_INPUT ||
                          !server_dialogue_has_work(&player->dialogue),
                      "it waits for input and has work without");
        on_event(player, event);
        unit_drop_front(&player->input, consumed);
        ck_assert_msg(++steps < 100000, "the dialogue does not come to rest");
    } while (event != SERVER_EVENT_NEED_INPUT && event != SERVER_EVENT_CLOSE);
}

enum cut { CUT_WHOLE, CUT_BYTES, CUT_AT };

/* Plays the script; with CUT_AT its parts are cut at `position`, counted over the whole script. */
static inline void player_play(struct player *player, struct slice script, enum cut cut,
                               size_t position)
{
    size_t start = 0;

    for (size_t i = 0; i <= script.length; i++) {
        bool is_wait = i == script.length || script.data[i] == '|';
        bool is_cut = cut == CUT_BYTES || (cut == CUT_AT && i == position);

        if ((is_wait || is_cut) && i > start)
            player_send(player, slice_from_offset(slice_until(script, i), start));
        if (is_wait)
            start = i + 1;
        else if (is_cut)
            start = i;
    }
}

/* "250-..." lines are left out, "250 2.1.0 ok" becomes "250/2.1.0". */
static inline void print_codes(struct text *codes, struct slice out)
{
    struct slice line;

    while (slice_next(&out, '\n', &line)) {
        ck_assert_msg(line.length >= 5 && line.data[line.length - 1] == '\r', "line \"%.*s\"",
                      SLICE_ARGS(line));
        if (line.data[3] == '-')
            continue;
        if (codes->length > 0)
            text_add_byte(codes, ' ');
        text_add(codes, slice_until(line, 3));
        if (line.length > 9 && line.data[5] == '.' && line.data[7] == '.') {
            text_add_byte(codes, '/');
            text_add(codes, slice_until(slice_from_offset(line, 4), 5));
        }
    }
}

struct script_case {
    const char *name;
    struct slice input;
    const char *codes; /* of all replies */
    const char *events;
    struct slice content; /* what the owner was given */
    enum owner_mood mood;
    void (*set)(struct player *player); /* NULL for the usual options */
    bool is_whole_only; /* input that waits behind a command is seen only when it has come */
};

static inline void expect_script(const struct script_case *script, enum cut cut, size_t position)
{
    struct player player;
    struct text codes;

    player_init(&player);
    player.mood = script->mood;
    if (script->set != NULL)
        script->set(&player);
    text_init(&codes, 10000);
    player_play(&player, script->input, cut, position);
    print_codes(&codes, text_slice(&player.out));
    ck_assert_msg(strcmp(text_string(&codes), script->codes) == 0,
                  "%s (cut %d at %zu): codes\n got \"%s\",\nwant \"%s\"", script->name, cut,
                  position, text_string(&codes), script->codes);
    ck_assert_msg(strcmp(text_string(&player.events), script->events) == 0,
                  "%s (cut %d at %zu): events\n got \"%s\",\nwant \"%s\"", script->name, cut,
                  position, text_string(&player.events), script->events);
    ck_assert_msg(script->content.data == NULL ||
                      slice_equals(text_slice(&player.content), script->content),
                  "%s (cut %d at %zu): content got \"%.*s\", want \"%.*s\"", script->name, cut,
                  position, SLICE_ARGS(text_slice(&player.content)), SLICE_ARGS(script->content));
    text_clear(&codes);
    player_clear(&player);
}

static inline void expect_scripts(const struct script_case *scripts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect_script(&scripts[i], CUT_WHOLE, 0);
        if (scripts[i].is_whole_only)
            continue;
        expect_script(&scripts[i], CUT_BYTES, 0);
        for (size_t at = 1; at < scripts[i].input.length; at++)
            expect_script(&scripts[i], CUT_AT, at);
    }
}

#endif
