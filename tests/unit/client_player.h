/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays the client dialogue in memory: an owner that sends one mail and writes
 * down what it saw. A script is what the server sends; "|" stands between its
 * packets, and in what was said it marks that the next one came.
 */
#ifndef POSTERN_TESTS_CLIENT_PLAYER_H
#define POSTERN_TESTS_CLIENT_PLAYER_H

#include "base/memory.h"
#include "mail/address.h"
#include "smtp/client_dialogue.h"
#include "smtp/command.h"
#include "unit.h"

#define GREETING "220 mx ESMTP\r\n|"
#define ALONE "250 mx\r\n|"
#define PIPELINED "250-mx\r\n250 PIPELINING\r\n|"
#define CHUNKED "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n|"
#define EHLO "EHLO gw.example.org\r\n|"
#define MAIL "MAIL FROM:<a@b.example>\r\n"
#define RCPT "RCPT TO:<c@d.example>\r\n"
#define CONTENT "..Hi\r\n..\r\nbye\r\n.\r\n"
#define CHUNK ".Hi\r\n.\r\nbye\r\n" /* the same behind BDAT */
#define XCLIENT_ALL "250-mx\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n|"

struct player {
    struct client_options options;
    struct client_dialogue dialogue;
    struct envelope envelope;
    struct client_identity identity;
    struct client_mail mail;
    struct text out;
    struct text events;
    bool stops_in_envelope; /* leaves the envelope open instead of DATA or BDAT */
    bool is_long;           /* the content is written bit by bit, as a large one is */
    bool stops_in_content;  /* does not write its last bit, nor its end */
};

/* Adds a recipient that must parse. */
static inline void add_recipient(struct envelope *envelope, const char *path)
{
    struct recipient recipient = { 0 };
    size_t used;

    ck_assert_int_eq(address_parse(slice_from(path), ADDRESS_FORWARD_PATH, true,
                                   &recipient.address, &used), ADDRESS_OK);
    envelope_add_recipient(envelope, &recipient);
    recipient_clear(&recipient);
}

/* One mail from a@b.example to c@d.example. */
/* A new dialogue, and the whole script. */
static inline void player_init(struct player *player)
{
    size_t used;

    *player = (struct player){
        .options = { .hostname = "gw.example.org", .is_chunking_wanted = true },
    };
    envelope_init(&player->envelope);
    ck_assert_int_eq(address_parse(SLICE("<a@b.example>"), ADDRESS_REVERSE_PATH, true,
                                   &player->envelope.sender, &used), ADDRESS_OK);
    add_recipient(&player->envelope, "<c@d.example>");
    player->mail.sender = &player->envelope;
    player->mail.to = &player->envelope;
    text_init(&player->out, TEXT_MAX_LENGTH);
    text_init(&player->events, TEXT_MAX_LENGTH);
}

/* Frees everything. */
static inline void player_clear(struct player *player)
{
    client_dialogue_clear(&player->dialogue);
    envelope_clear(&player->envelope);
    text_clear(&player->out);
    text_clear(&player->events);
}

/* Writes a word down, and with note_code the reply's code. */
static inline void note(struct player *player, const char *word)
{
    if (player->events.length > 0)
        text_add_byte(&player->events, ' ');
    text_add_string(&player->events, word);
}

/* See note. */
static inline void note_code(struct player *player, const char *word)
{
    note(player, word);
    text_add_format(&player->events, ":%d", player->dialogue.replies.code);
}

/* What this owner does on an event. */
static inline void on_event(struct player *player, enum client_event event);

/* Begins the mail. */
static inline void start_mail(struct player *player)
{
    enum client_event event =
        client_dialogue_start_mail(&player->dialogue, &player->mail, &player->out);

    if (event != CLIENT_EVENT_NEED_INPUT)
        on_event(player, event);
}

/* The content and its end, in the order in which forward.c does it. */
static inline void write_content(struct player *player)
{
    struct client_dialogue *dialogue = &player->dialogue;
    struct slice content = SLICE(CHUNK);

    if (dialogue->is_chunked)
        client_dialogue_start_chunk(dialogue, content.length, !player->is_long, &player->out);
    while (content.length > (player->stops_in_content ? 1 : 0)) {
        struct slice part = slice_until(content, player->is_long ? 3 : content.length);

        content = slice_from_offset(content, part.length);
        while (part.length > 0)
            text_add(&player->out, client_dialogue_take_content(dialogue, &part));
    }
    if (!player->stops_in_content)
        client_dialogue_end_content(dialogue, &player->out);
}

/* DATA or BDAT. */
static inline void start_content(struct player *player)
{
    enum client_event event = client_dialogue_start_content(&player->dialogue, !player->is_long,
                                                            &player->out);

    if (event != CLIENT_EVENT_NEED_INPUT)
        on_event(player, event);
}

/* What this owner does on an event. */
static inline void on_event(struct player *player, enum client_event event)
{
    struct client_dialogue *dialogue = &player->dialogue;

    switch (event) {
    case CLIENT_EVENT_NEED_INPUT:
        break;
    case CLIENT_EVENT_START_TLS:
        note(player, "start-tls");
        client_dialogue_on_secured(dialogue, &player->out);
        break;
    case CLIENT_EVENT_READY:
        note(player, "ready");
        if (dialogue->answered != CLIENT_STATE_RSET)
            start_mail(player);
        break;
    case CLIENT_EVENT_LACKS:
        note(player, dialogue->lacking == SERVER_8BITMIME ? "lacks-8bitmime" : "lacks-smtputf8");
        break;
    case CLIENT_EVENT_RECIPIENT:
        note_code(player, "rcpt");
        if (dialogue->state == CLIENT_STATE_ENVELOPE && !player->stops_in_envelope)
            start_content(player);
        break;
    case CLIENT_EVENT_GO_AHEAD:
        note(player, "go");
        write_content(player);
        break;
    case CLIENT_EVENT_REFUSED:
        note_code(player, "refused");
        text_add_format(&player->events, "(%s)", client_state_name(dialogue->answered));
        break;
    case CLIENT_EVENT_OUTCOME:
        note_code(player, "outcome");
        break;
    case CLIENT_EVENT_FAILED:
        note(player, "failed");
        text_add_format(&player->events, "(%s: %s)", client_state_name(dialogue->answered),
                        client_dialogue_failure_text(dialogue));
        break;
    }
}

/* All of a packet, event by event. */
static inline void feed_packet(struct player *player, struct slice packet)
{
    for (;;) {
        size_t used;
        enum client_event event =
            client_dialogue_feed(&player->dialogue, packet, &used, &player->out);

        packet = slice_from_offset(packet, used);
        if (event == CLIENT_EVENT_NEED_INPUT)
            break;
        on_event(player, event);
    }
    ck_assert_uint_eq(packet.length, 0);
}

static inline void play(struct player *player, const char *script, bool by_bytes)
{
    struct slice rest = slice_from(script);
    struct slice packet;

    client_dialogue_init(&player->dialogue, &player->options, false);
    while (slice_next(&rest, '|', &packet)) {
        for (size_t i = 0; by_bytes && i + 1 < packet.length; i++)
            feed_packet(player, (struct slice){ packet.data + i, 1 });
        if (by_bytes)
            packet = slice_from_offset(packet, packet.length - 1);
        feed_packet(player, packet);
        if (rest.length > 0)
            text_add_byte(&player->out, '|');
    }
}

/* A client at 192.0.2.7, and a server that must be told so. */
static inline void set_xclient(struct player *player)
{
    player->options.is_xclient_needed = true;
    player->identity.helo = "cli+ent =1";
    player->identity.is_extended = true;
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.7:4711"), &player->identity.client));
    ck_assert(ip_endpoint_parse(SLICE("[2001:db8::1]:25"), &player->identity.listener));
    player->mail.identity = &player->identity;
}

#endif
