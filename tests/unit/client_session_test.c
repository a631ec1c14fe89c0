/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp/client_dialogue used again and again, and data_writer: resets, QUIT, dots,
 * and a mail handed to our own server dialogue.
 */
#include <string.h>

#include "client_player.h"
#include "smtp/server_dialogue.h"
#include "smtp/server_replies.h"

/* ---- Reset, growth, QUIT. */

static const struct {
    const char *name;
    const char *before;  /* replies up to the reset */
    const char *after;   /* replies from then on */
    const char *said;    /* from the reset on */
    bool is_possible;
} resets[] = {
    { "idle", GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|250 ok\r\n", "", "", true },
    { "MAIL, pipelined", GREETING PIPELINED, "250 ok\r\n250 ok\r\n250 reset\r\n", "RSET\r\n",
      true },
    { "MAIL, one by one", GREETING ALONE, "250 ok\r\n|250 reset\r\n", "RSET\r\n", true },
    { "RCPT refused meanwhile", GREETING PIPELINED "250 ok\r\n", "550 no\r\n250 reset\r\n",
      "RSET\r\n", true },
    { "DATA", GREETING PIPELINED "250 ok\r\n250 ok\r\n", "", "", false },
    { "end of data", GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n", "", "", false },
    { "refused at the dot", GREETING PIPELINED "250 ok\r\n250 ok\r\n|354 go\r\n|550 no\r\n",
      "250 reset\r\n", "RSET\r\n", true },
    { "greeting", "", "", "", false },
    { "BDAT", GREETING CHUNKED "250 ok\r\n250 ok\r\n", "", "", false },
    { "refused at BDAT", GREETING CHUNKED "250 ok\r\n250 ok\r\n|550 no\r\n", "250 reset\r\n",
      "RSET\r\n", true },
};

START_TEST(a_reset_waits_for_what_is_under_way)
{
    for (size_t i = 0; i < COUNT(resets); i++) {
        struct player player;
        struct slice rest = slice_from(resets[i].after), packet;

        player_init(&player);
        play(&player, resets[i].before, false);
        ck_assert_msg(client_dialogue_can_reset(&player.dialogue) == resets[i].is_possible, "%s",
                      resets[i].name);
        if (resets[i].is_possible) {
            text_reset(&player.out);
            client_dialogue_reset(&player.dialogue, &player.out);
            while (slice_next(&rest, '|', &packet))
                feed_packet(&player, packet);
            unit_expect_text(resets[i].name, &player.out, slice_from(resets[i].said));
            ck_assert_msg(player.dialogue.state == CLIENT_STATE_READY, "%s: is in %s",
                          resets[i].name, client_state_name(player.dialogue.state));
            ck_assert(!client_dialogue_is_waiting(&player.dialogue));
        }
        player_clear(&player);
    }
}
END_TEST

START_TEST(a_replay_on_the_same_connection_begins_with_rset)
{
    struct player player;

    player_init(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING PIPELINED "250 ok\r\n550 no\r\n", false);
    text_reset(&player.out);
    text_reset(&player.events);
    player.mail.goes_on_to_content = true;
    start_mail(&player);
    unit_expect_text("packet", &player.out, SLICE("RSET\r\n" MAIL RCPT "DATA\r\n"));
    feed_packet(&player, SLICE("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"));
    feed_packet(&player, SLICE("250 queued\r\n"));
    unit_expect_text("events", &player.events, SLICE("rcpt:250 go outcome:250"));
    player_clear(&player);
}
END_TEST

START_TEST(a_replay_on_the_same_connection_may_go_by_bdat)
{
    struct player player;

    player_init(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING CHUNKED "250 ok\r\n550 no\r\n", false);
    text_reset(&player.out);
    text_reset(&player.events);
    player.mail.goes_on_to_content = true;
    player.stops_in_envelope = false;
    start_mail(&player);
    unit_expect_text("packet", &player.out, SLICE("RSET\r\n" MAIL RCPT));
    text_reset(&player.out);
    feed_packet(&player, SLICE("250 reset\r\n250 ok\r\n250 ok\r\n"));
    unit_expect_text("content", &player.out, SLICE("BDAT 13 LAST\r\n" CHUNK));
    feed_packet(&player, SLICE("250 queued\r\n"));
    unit_expect_text("events", &player.events, SLICE("rcpt:250 go outcome:250"));
    player_clear(&player);
}
END_TEST

START_TEST(a_reset_forgets_the_client_and_keeps_the_connection)
{
    struct player player;

    player_init(&player);
    set_xclient(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING XCLIENT_ALL
         "220 mx\r\n|250-mx\r\n250 XCLIENT ADDR\r\n|250 ok\r\n|250 ok\r\n", false);
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_ENVELOPE);
    client_dialogue_reset(&player.dialogue, &player.out);
    feed_packet(&player, SLICE("250 reset\r\n"));
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_READY);
    text_reset(&player.out);
    start_mail(&player);
    unit_expect_text("next client", &player.out, SLICE("XCLIENT ADDR=192.0.2.7\r\n"));
    player_clear(&player);
}
END_TEST

START_TEST(a_connection_without_a_way_back_is_not_reset)
{
    struct player player;

    player_init(&player);
    set_xclient(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING XCLIENT_ALL "220 mx\r\n|250 mx\r\n|250 ok\r\n|250 ok\r\n", false);
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_ENVELOPE);
    ck_assert(!client_dialogue_can_reset(&player.dialogue));
    player_clear(&player);
}
END_TEST

START_TEST(recipients_follow_one_at_a_time)
{
    struct player player;

    player_init(&player);
    player.stops_in_envelope = true;
    play(&player, GREETING PIPELINED "250 ok\r\n250 ok\r\n", false);
    text_reset(&player.out);
    add_recipient(&player.envelope, "<e@f.example>");
    client_dialogue_add_recipients(&player.dialogue, &player.out);
    unit_expect_text("second", &player.out, SLICE("RCPT TO:<e@f.example>\r\n"));
    feed_packet(&player, SLICE("451 later\r\n"));
    unit_expect_text("events", &player.events, SLICE("ready rcpt:250 rcpt:451"));
    ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_ENVELOPE);
    ck_assert_uint_eq(player.dialogue.refusals, 1);
    player_clear(&player);
}
END_TEST

START_TEST(quit_is_said_where_it_can_be_heard)
{
    static const struct {
        const char *before;
        const char *said;
    } quits[] = {
        { "", "" },
        { GREETING, "" },
        { GREETING ALONE "250 ok\r\n|250 ok\r\n|354 go\r\n|250 ok\r\n", "QUIT\r\n" },
        { GREETING ALONE "250 ok\r\n|250 ok\r\n|354 go\r\n", "" },
    };

    for (size_t i = 0; i < COUNT(quits); i++) {
        struct player player;

        player_init(&player);
        play(&player, quits[i].before, false);
        text_reset(&player.out);
        client_dialogue_quit(&player.dialogue, &player.out);
        unit_expect_text(quits[i].before, &player.out, slice_from(quits[i].said));
        ck_assert_int_eq(player.dialogue.state, CLIENT_STATE_OVER);
        player_clear(&player);
    }
}
END_TEST

/* ---- Content. */

static const struct {
    struct slice content;
    struct slice want; /* with the end */
} contents[] = {
    { BYTES(""), BYTES(".\r\n") },
    { BYTES("a\r\n"), BYTES("a\r\n.\r\n") },
    { BYTES("a"), BYTES("a\r\n.\r\n") },
    { BYTES("."), BYTES("..\r\n.\r\n") },
    { BYTES(".\r\n"), BYTES("..\r\n.\r\n") },
    { BYTES("..\r\n"), BYTES("...\r\n.\r\n") },
    { BYTES("...\r\n...\r\n"), BYTES("....\r\n....\r\n.\r\n") },
    { BYTES("a.b\r\n.c\r\nd.\r\n"), BYTES("a.b\r\n..c\r\nd.\r\n.\r\n") },
    { BYTES("a\r\n\r\n.\r\n"), BYTES("a\r\n\r\n..\r\n.\r\n") },
    { BYTES("\r\n.\r\n"), BYTES("\r\n..\r\n.\r\n") },
    { BYTES("a\0.\r\n.\0"), BYTES("a\0.\r\n..\0\r\n.\r\n") },
};

START_TEST(dots_are_doubled_wherever_the_content_is_cut)
{
    for (size_t i = 0; i < COUNT(contents); i++)
        for (size_t piece = 1; piece <= contents[i].content.length + 1; piece++) {
            struct slice rest = contents[i].content;
            struct data_writer writer;
            struct text out;

            text_init(&out, 1000);
            data_writer_init(&writer);
            while (rest.length > 0) {
                struct slice part = slice_until(rest, piece);

                rest = slice_from_offset(rest, piece);
                while (part.length > 0)
                    text_add(&out, data_writer_next(&writer, &part));
            }
            text_add(&out, data_writer_end(&writer));
            unit_expect_text("content", &out, contents[i].want);
            text_clear(&out);
        }
}
END_TEST

/* ---- Talking to our own server. */

struct server {
    struct server_options options;
    struct server_dialogue dialogue;
    struct text out;
    struct text content;
    struct text recipients;
    bool is_chunked;
    bool is_complete;
};

static void answer(struct server *server, enum server_reply id)
{
    struct reply reply = server_reply_get(id);

    server_dialogue_answer(&server->dialogue, &reply, &server->out);
}

static void on_server_event(struct server *server, enum server_event event)
{
    if (event == SERVER_EVENT_CONTENT)
        text_add(&server->content, server->dialogue.content);
    if (event == SERVER_EVENT_MAIL)
        answer(server, REPLY_SENDER_OK);
    if (event == SERVER_EVENT_DATA) {
        server->is_chunked = server->dialogue.is_chunked;
        answer(server, REPLY_START_CONTENT);
    }
    if (event == SERVER_EVENT_RCPT) {
        text_add(&server->recipients, address_text(&server->dialogue.recipient.address));
        text_add_byte(&server->recipients, ' ');
        answer(server, REPLY_RECIPIENT_OK);
    }
    if (event == SERVER_EVENT_END_OF_DATA) {
        server->is_complete = true;
        answer(server, REPLY_MESSAGE_ACCEPTED);
    }
}

static void feed_server(struct server *server, struct text *input)
{
    enum server_event event;

    do {
        size_t used;

        event = server_dialogue_feed(&server->dialogue, text_slice(input), &used, &server->out);
        /* Content lies in the input. */
        on_server_event(server, event);
        unit_drop_front(input, used);
    } while (event != SERVER_EVENT_NEED_INPUT);
}

/* The two, in memory, until neither has anything to say. */
static void converse(struct player *player, struct server *server)
{
    client_dialogue_init(&player->dialogue, &player->options, false);
    server_dialogue_init(&server->dialogue, &server->options);
    server->dialogue.offered = server->options.extensions;
    server->dialogue.reference = "";
    server_dialogue_greet(&server->dialogue, &server->out);
    while (server->out.length > 0) {
        struct slice replies = text_slice(&server->out);
        char *packet = mem_copy(replies);

        replies.data = packet;
        text_reset(&server->out);
        feed_packet(player, replies);
        mem_free(packet);
        feed_server(server, &player->out);
    }
}

START_TEST(a_mail_reaches_our_own_server_byte_for_byte)
{
    static const struct {
        unsigned int offer;
        bool is_long;
        bool is_chunked;
    } cases[] = {
        { 0, false, false },
        { SERVER_PIPELINING, false, false },
        { SERVER_PIPELINING | SERVER_SIZE | SERVER_8BITMIME | SERVER_DSN, true, false },
        { SERVER_ENHANCEDSTATUSCODES | SERVER_SMTPUTF8 | SERVER_CHUNKING, false, true },
        { SERVER_CHUNKING, true, false },
        { SERVER_PIPELINING | SERVER_CHUNKING, false, true },
        { SERVER_PIPELINING | SERVER_CHUNKING, true, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct player player;
        struct server server = {
            .options = { .hostname = "mx.example.org", .greeting = "ESMTP",
                         .extensions = cases[i].offer, .max_recipients = 10 },
        };

        player_init(&player);
        player.is_long = cases[i].is_long;
        add_recipient(&player.envelope, "<e@f.example>");
        text_init(&server.out, 1 << 16);
        text_init(&server.content, 1 << 16);
        text_init(&server.recipients, 1 << 16);
        converse(&player, &server);
        unit_expect_text("events", &player.events, SLICE("ready rcpt:250 rcpt:250 go outcome:250"));
        unit_expect_text("content", &server.content, SLICE(".Hi\r\n.\r\nbye\r\n"));
        unit_expect_text("recipients", &server.recipients, SLICE("c@d.example e@f.example "));
        ck_assert(server.is_complete);
        ck_assert_msg(server.is_chunked == cases[i].is_chunked, "case %zu", i);
        server_dialogue_clear(&server.dialogue);
        text_clear(&server.out);
        text_clear(&server.content);
        text_clear(&server.recipients);
        player_clear(&player);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_session");
    TCase *session = tcase_create("session");
    TCase *content = tcase_create("content");

    tcase_add_test(session, a_reset_waits_for_what_is_under_way);
    tcase_add_test(session, a_replay_on_the_same_connection_begins_with_rset);
    tcase_add_test(session, a_replay_on_the_same_connection_may_go_by_bdat);
    tcase_add_test(session, a_reset_forgets_the_client_and_keeps_the_connection);
    tcase_add_test(session, a_connection_without_a_way_back_is_not_reset);
    tcase_add_test(session, recipients_follow_one_at_a_time);
    tcase_add_test(session, quit_is_said_where_it_can_be_heard);
    suite_add_tcase(suite, session);
    tcase_add_test(content, dots_are_doubled_wherever_the_content_is_cut);
    tcase_add_test(content, a_mail_reaches_our_own_server_byte_for_byte);
    suite_add_tcase(suite, content);
    return unit_run(suite);
}
