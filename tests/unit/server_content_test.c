/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp/: messages through the server dialogue, by DATA and by BDAT. */
#include "server_player.h"

/* ---- DATA ---- */

static void set_rewrite(struct player *player)
{
    player->options.line_ends = DATA_LINE_ENDS_REWRITE;
}

START_TEST(data_ends_with_its_dot_and_is_answered_once)
{
    static const struct script_case scripts[] = {
        { "an_empty_message", BYTES(DATA_START ".\r\nNOOP\r\n"), DATA_CODES " 250/2.0.0 250/2.0.0",
          DATA_EVENTS " end", .content = BYTES("") },
        { "commands_behind_the_dot", BYTES(DATA_START "a\r\n..b\r\n.\r\nRSET\r\nQUIT\r\n"),
          DATA_CODES " 250/2.0.0 250/2.0.0 221/2.0.0", DATA_EVENTS " end reset close:quit",
          .content = BYTES("a\r\n.b\r\n") },
        { "commands_inside_are_content", BYTES(DATA_START "QUIT\r\nRSET\r\n.\r\n"),
          DATA_CODES " 250/2.0.0", DATA_EVENTS " end", .content = BYTES("QUIT\r\nRSET\r\n") },
        { "a_smuggled_message",
          BYTES(DATA_START "a\n.\nMAIL FROM:<x@b.example>\r\nRCPT TO:<y@d.example>\r\nDATA\r\n"
                           "b\r\n.\r\nNOOP\r\n"),
          DATA_CODES " 554/5.6.0 250/2.0.0", DATA_EVENTS " lost reset", .content = ANY_CONTENT },
        { "a_smuggled_message_rewritten", BYTES(DATA_START "a\n.\r\nb\r\n.\r\nNOOP\r\n"),
          DATA_CODES " 250/2.0.0 250/2.0.0", DATA_EVENTS " end",
          .content = BYTES("a\r\n.\r\nb\r\n"), .set = set_rewrite },
        { "a_bare_cr_is_refused_in_any_mode", BYTES(DATA_START "\ra\r\n.\r\nNOOP\r\n"),
          DATA_CODES " 554/5.6.0 250/2.0.0", DATA_EVENTS " lost reset", .content = ANY_CONTENT,
          .set = set_rewrite },
        { "the_owner_refuses_at_the_end", BYTES(DATA_START "a\r\n.\r\nDATA\r\n"),
          DATA_CODES " 550/5.7.1 503/5.5.1", DATA_EVENTS " end", .content = BYTES("a\r\n"),
          .mood = OWNER_REFUSES_END },
        { "the_owner_refuses_in_the_middle",
          BYTES(DATA_START "a\r\nQUIT\r\n.\r\n" ENVELOPE "DATA\r\n|.\r\n"),
          DATA_CODES " 552/5.3.4" ENVELOPE_CODES " 354 250/2.0.0",
          DATA_EVENTS " reset" ENVELOPE_EVENTS " data end", .content = BYTES(""),
          .mood = OWNER_REFUSES_CONTENT },
        { "the_owner_refuses_data", BYTES(DATA_START ENVELOPE),
          "250" ENVELOPE_CODES " 451/4.3.0" ENVELOPE_CODES, DATA_EVENTS ENVELOPE_EVENTS,
          .content = BYTES(""), .mood = OWNER_REFUSES_DATA },
        { "the_owner_refuses_mail", BYTES(EHLO ENVELOPE "MAIL FROM:<b@b.example>\r\n"),
          "250 550/5.7.1 503/5.5.1 550/5.7.1", EHLO_EVENTS " mail:a@b.example mail:b@b.example",
          .content = BYTES(""), .mood = OWNER_REFUSES_MAIL },
        { "the_owner_closes", BYTES(EHLO ENVELOPE), "250 421/4.3.2",
          EHLO_EVENTS " mail:a@b.example close:service.shutdown", .content = BYTES(""),
          .mood = OWNER_CLOSES_AT_MAIL },
        { "prdr",
          BYTES(EHLO "MAIL FROM:<a@b.example> PRDR\r\nRCPT TO:<c@d.example>\r\n"
                     "RCPT TO:<no@d.example>\r\nRCPT TO:<e@d.example>\r\n"
                     "DATA\r\n|a\r\n.\r\nNOOP\r\n"),
          "250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 354 353 250/2.0.0 550/5.7.1 250/2.0.0"
          " 250/2.0.0",
          EHLO_EVENTS ENVELOPE_EVENTS " rcpt:no@d.example rcpt:e@d.example data end",
          .content = BYTES("a\r\n"), .mood = OWNER_ANSWERS_EACH },
        { "prdr_is_for_one_transaction",
          BYTES(EHLO "MAIL FROM:<a@b.example> PRDR\r\nRSET\r\n" ENVELOPE "DATA\r\n|.\r\n"),
          "250 250/2.1.0 250/2.0.0" ENVELOPE_CODES " 354 250/2.0.0",
          EHLO_EVENTS " mail:a@b.example reset" ENVELOPE_EVENTS " data end", .content = BYTES(""),
          .mood = OWNER_ANSWERS_EACH },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

/* ---- BDAT ---- */

static void set_no_chunking(struct player *player)
{
    player->options.extensions &= ~(unsigned int)SERVER_CHUNKING;
}

START_TEST(chunks_are_octets_and_make_one_message)
{
    static const struct script_case scripts[] = {
        { "one_chunk", BYTES(BDAT_START "BDAT 5 LAST\r\n.\r\nx\nNOOP\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end",
          .content = BYTES(".\r\nx\r\n") },
        { "several_chunks", BYTES(BDAT_START "BDAT 2\r\naaBDAT 3\r\nb\r\nBDAT 1 LAST\r\ncQUIT\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0 250/2.0.0 221/2.0.0", BDAT_EVENTS " bdat end close:quit",
          .content = BYTES("aab\r\nc\r\n") },
        { "crlf_over_two_chunks", BYTES(BDAT_START "BDAT 2\r\na\rBDAT 1 LAST\r\n\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end", .content = BYTES("a\r\n") },
        { "an_empty_last_chunk", BYTES(BDAT_START "BDAT 1\r\naBDAT 0 LAST\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end", .content = BYTES("a\r\n") },
        { "nothing_but_an_empty_chunk", BYTES(BDAT_START "BDAT 0 last\r\nNOOP\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end", .content = BYTES("") },
        { "empty_chunks", BYTES(BDAT_START "BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end",
          .content = BYTES("") },
        { "other_commands_between_chunks",
          BYTES(BDAT_START "BDAT 1\r\naMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
                           "DATA\r\n|STARTTLS\r\n|NOOP\r\nBDAT 0 LAST\r\n"),
          BDAT_CODES " 250/2.0.0 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0 250/2.0.0",
          BDAT_EVENTS " bdat end", .content = BYTES("a\r\n") },
        { "rset_between_chunks", BYTES(BDAT_START "BDAT 1\r\naRSET\r\n" ENVELOPE "DATA\r\n|.\r\n"),
          BDAT_CODES " 250/2.0.0 250/2.0.0" ENVELOPE_CODES " 354 250/2.0.0",
          BDAT_EVENTS " bdat reset" ENVELOPE_EVENTS " data end", .content = BYTES("a") },
        { "ehlo_between_chunks", BYTES(BDAT_START "BDAT 1\r\na" EHLO "BDAT 1 LAST\r\nb"),
          BDAT_CODES " 250/2.0.0 250 503/5.5.1", BDAT_EVENTS " bdat " EHLO_EVENTS " reset",
          .content = BYTES("a") },
        { "prdr_with_chunks",
          BYTES(EHLO "MAIL FROM:<a@b.example> PRDR\r\nRCPT TO:<c@d.example>\r\n"
                     "BDAT 1 LAST\r\na"),
          "250" ENVELOPE_CODES " 353 250/2.0.0 250/2.0.0", BDAT_EVENTS " bdat end",
          .content = BYTES("a\r\n"), .mood = OWNER_ANSWERS_EACH },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

START_TEST(refused_chunks_are_swallowed_and_the_message_is_lost)
{
    static const struct script_case scripts[] = {
        { "before_mail", BYTES(EHLO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"), "250 503/5.5.1 250/2.0.0",
          EHLO_EVENTS " reset", .content = BYTES("") },
        { "before_hello", BYTES("BDAT 6\r\nQUIT\r\n"), "502/5.5.1", "reset", .content = BYTES("") },
        { "before_rcpt", BYTES(EHLO "MAIL FROM:<a@b.example>\r\nBDAT 1\r\naBDAT 1 LAST\r\nb"),
          "250 250/2.1.0 503/5.5.1 503/5.5.1", EHLO_EVENTS " mail:a@b.example reset reset",
          .content = BYTES("") },
        { "no_valid_recipient_then_one",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<no@d.example>\r\nBDAT 1\r\na"
                     "RCPT TO:<c@d.example>\r\nBDAT 1 LAST\r\nb"),
          "250 250/2.1.0 550/5.1.1 554/5.5.1 503/5.5.1 503/5.5.1",
          EHLO_EVENTS " mail:a@b.example rcpt:no@d.example reset reset", .content = BYTES("") },
        { "bad_octets",
          BYTES(BDAT_START "BDAT 3\r\na\rbBDAT 3\r\nc\r\nBDAT 0 LAST\r\n"
                           "RSET\r\n" ENVELOPE),
          BDAT_CODES " 554/5.6.0 503/5.5.1 503/5.5.1 250/2.0.0" ENVELOPE_CODES,
          BDAT_EVENTS " bdat lost reset reset reset reset" ENVELOPE_EVENTS,
          .content = ANY_CONTENT },
        { "a_nul", BYTES(BDAT_START "BDAT 1 LAST\r\n\0" ENVELOPE),
          BDAT_CODES " 554/5.6.0" ENVELOPE_CODES, BDAT_EVENTS " bdat lost reset" ENVELOPE_EVENTS,
          .content = BYTES("") },
        { "a_bare_cr_at_the_very_end", BYTES(BDAT_START "BDAT 2 LAST\r\na\r"),
          BDAT_CODES " 554/5.6.0", BDAT_EVENTS " bdat lost reset", .content = ANY_CONTENT },
        { "the_owner_refuses_the_first",
          BYTES(BDAT_START "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n"),
          BDAT_CODES " 451/4.3.0 503/5.5.1", BDAT_EVENTS " bdat reset reset", .content = BYTES(""),
          .mood = OWNER_REFUSES_DATA },
        { "the_owner_refuses_the_only_one", BYTES(BDAT_START "BDAT 6 LAST\r\nQUIT\r\n" ENVELOPE),
          BDAT_CODES " 451/4.3.0" ENVELOPE_CODES, BDAT_EVENTS " bdat reset" ENVELOPE_EVENTS,
          .content = BYTES(""), .mood = OWNER_REFUSES_DATA },
        { "the_owner_refuses_in_the_middle",
          BYTES(BDAT_START "BDAT 6\r\nQUIT\r\nBDAT 1 LAST\r\naNOOP\r\n"),
          BDAT_CODES " 552/5.3.4 503/5.5.1 250/2.0.0", BDAT_EVENTS " bdat reset reset",
          .content = BYTES(""), .mood = OWNER_REFUSES_CONTENT },
        { "the_owner_refuses_at_the_end", BYTES(BDAT_START "BDAT 1 LAST\r\na" ENVELOPE),
          BDAT_CODES " 550/5.7.1" ENVELOPE_CODES, BDAT_EVENTS " bdat end" ENVELOPE_EVENTS,
          .content = BYTES("a\r\n"), .mood = OWNER_REFUSES_END },
        { "not_offered", BYTES(BDAT_START "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"),
          BDAT_CODES " 502/5.5.1 250/2.0.0", BDAT_EVENTS " reset", .content = BYTES(""),
          .set = set_no_chunking },
        { "a_size_that_cannot_be_read", BYTES(BDAT_START "BDAT x LAST\r\nQUIT\r\n"),
          BDAT_CODES " 501/5.5.4", BDAT_EVENTS " close:syntax.chunk-size", .content = BYTES("") },
        { "a_size_beyond_all_size", BYTES(BDAT_START "BDAT 9223372036854775808\r\n"),
          BDAT_CODES " 501/5.5.4", BDAT_EVENTS " close:syntax.chunk-size", .content = BYTES("") },
        { "the_largest_size", BYTES(BDAT_START "BDAT 9223372036854775807\r\nQUIT\r\n"), BDAT_CODES,
          BDAT_EVENTS " bdat", .content = BYTES("QUIT\r\n") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

/* Between two chunks there is nothing to swallow yet; the next one gets the owner's reply. */
START_TEST(content_refused_between_chunks_is_answered_with_the_next)
{
    struct reply reply = server_reply_get(REPLY_NO_SPACE);
    struct reply later = server_reply_get(REPLY_INTERNAL);
    struct player player;

    player_init(&player);
    player_play(&player, SLICE(BDAT_START "BDAT 1\r\na"), CUT_WHOLE, 0);
    ck_assert(server_dialogue_has_transaction(&player.dialogue));
    server_dialogue_refuse_content(&player.dialogue, &reply);
    server_dialogue_refuse_content(&player.dialogue, &later);
    ck_assert(!server_dialogue_has_transaction(&player.dialogue));
    text_reset(&player.out);
    text_reset(&player.events);
    player_play(&player, SLICE("BDAT 1\r\nbBDAT 1 LAST\r\ncRSET\r\n" ENVELOPE), CUT_WHOLE, 0);
    unit_expect_text("replies", &player.out,
                     SLICE("452 4.3.1 no room, try again later (system.no-space ref1)\r\n"
                           "503 5.5.1 chunks are open, RSET starts over (sequence.chunks ref1)\r\n"
                           "250 2.0.0 ok\r\n250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n"));
    ck_assert_str_eq(text_string(&player.events),
                     "reset reset reset mail:a@b.example rcpt:c@d.example");
    player_clear(&player);
}
END_TEST

/* The log asks what a refused message was answered with, and what the client wanted. */
START_TEST(the_owner_sees_parameters_and_refusals)
{
    struct player player;
    size_t used;

    player_init(&player);
    player_play(&player, SLICE(DATA_START "a\nb\r\n.\r\n"), CUT_WHOLE, 0);
    ck_assert_str_eq(player.dialogue.own_reply.reason, "data.bare-lf");
    ck_assert_int_eq(player.dialogue.own_reply.code, 554);
    ck_assert_int_eq(
        server_dialogue_feed(&player.dialogue,
                             SLICE("MAIL FROM:<a@b.example> SIZE=7 RET=HDRS ENVID=x\r\n"), &used,
                             &player.out),
        SERVER_EVENT_MAIL);
    ck_assert(server_dialogue_is_answer_owed(&player.dialogue));
    ck_assert(player.dialogue.mail.has_size && player.dialogue.mail.size_bytes == 7);
    ck_assert_int_eq(player.dialogue.mail.ret, DSN_RETURN_HEADERS);
    ck_assert_str_eq(player.dialogue.mail.envid, "x");
    player_clear(&player);
}
END_TEST

static Suite *content_suite(void)
{
    Suite *suite = suite_create("smtp: content in the server dialogue");
    TCase *data = tcase_create("data");
    TCase *chunks = tcase_create("chunks");

    tcase_add_test(data, data_ends_with_its_dot_and_is_answered_once);
    tcase_add_test(data, the_owner_sees_parameters_and_refusals);
    tcase_add_test(chunks, chunks_are_octets_and_make_one_message);
    tcase_add_test(chunks, refused_chunks_are_swallowed_and_the_message_is_lost);
    tcase_add_test(chunks, content_refused_between_chunks_is_answered_with_the_next);
    suite_add_tcase(suite, data);
    suite_add_tcase(suite, chunks);
    return suite;
}

int main(void)
{
    return unit_run(content_suite());
}
