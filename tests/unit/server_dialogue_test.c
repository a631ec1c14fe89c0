/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp/: the server dialogue: order of commands, lines, TLS, limits. */
#include "server_player.h"

/* ---- A whole session ---- */

START_TEST(a_session_reads_like_this)
{
    struct player player;

    player_init(&player);
    server_dialogue_greet(&player.dialogue, &player.out);
    player_play(&player,
                SLICE("EHLO client.example\r\n|MAIL FROM:<a@b.example> SIZE=10\r\n"
                      "RCPT TO:<c@d.example>\r\nRCPT TO:<nobody@d.example>\r\nDATA\r\n|"
                      "Subject: x\r\n\r\n..dot\r\n.\r\nVRFY root\r\nQUIT\r\n"),
                CUT_WHOLE, 0);
    unit_expect_text("session", &player.out,
                     SLICE("220 mx.example.org ESMTP\r\n"
                           "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
                           "250-STARTTLS\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n"
                           "250-SMTPUTF8\r\n250-CHUNKING\r\n250 PRDR\r\n"
                           "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n"
                           "550 5.1.1 no such recipient (recipient.unknown ref1)\r\n"
                           "354 go on, and end with a dot on a line by itself\r\n"
                           "250 2.0.0 accepted (ref1)\r\n"
                           "252 2.0.0 cannot say, mail will be tried\r\n"
                           "221 2.0.0 goodbye\r\n"));
    unit_expect_text("content", &player.content, SLICE("Subject: x\r\n\r\n.dot\r\n"));
    ck_assert_str_eq(player.dialogue.close_reason, "quit");
    player_clear(&player);
}
END_TEST

/* ---- Order of commands ---- */

static void set_tls_required(struct player *player)
{
    player->options.is_tls_required = true;
}

START_TEST(commands_out_of_order_are_refused)
{
    static const struct script_case scripts[] = {
        { "mail_before_hello", BYTES("MAIL FROM:<a@b.example>\r\n"), "503/5.5.1", "",
          .content = BYTES("") },
        { "rcpt_before_mail", BYTES(EHLO "RCPT TO:<c@d.example>\r\n"), "250 503/5.5.1", EHLO_EVENTS,
          .content = BYTES("") },
        { "rcpt_before_hello", BYTES("RCPT TO:<c@d.example>\r\n"), "503/5.5.1", "",
          .content = BYTES("") },
        { "data_before_mail", BYTES(EHLO "DATA\r\n"), "250 503/5.5.1", EHLO_EVENTS,
          .content = BYTES("") },
        { "data_before_rcpt", BYTES(EHLO "MAIL FROM:<a@b.example>\r\nDATA\r\n"),
          "250 250/2.1.0 503/5.5.1", EHLO_EVENTS " mail:a@b.example", .content = BYTES("") },
        { "data_with_every_recipient_refused",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<no@d.example>\r\nDATA\r\n"),
          "250 250/2.1.0 550/5.1.1 554/5.5.1", EHLO_EVENTS " mail:a@b.example rcpt:no@d.example",
          .content = BYTES("") },
        { "a_malformed_recipient_is_a_refused_one",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<d>\r\nDATA\r\n"),
          "250 250/2.1.0 501/5.1.3 554/5.5.1",
          EHLO_EVENTS " mail:a@b.example rcpt-refused:<d>", .content = BYTES("") },
        { "mail_inside_a_transaction",
          BYTES(EHLO ENVELOPE "MAIL FROM:<a@b.example>\r\nDATA\r\n|x\r\n.\r\n"),
          "250" ENVELOPE_CODES " 503/5.5.1 354 250/2.0.0", EHLO_EVENTS ENVELOPE_EVENTS " data end",
          .content = BYTES("x\r\n") },
        { "nested_mail_before_rcpt",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nMAIL FROM:<b@b.example>\r\n"),
          "250 250/2.1.0 503/5.5.1", EHLO_EVENTS " mail:a@b.example", .content = BYTES("") },
        { "mail_again_after_a_message",
          BYTES(EHLO ENVELOPE "DATA\r\n|x\r\n.\r\n" ENVELOPE "DATA\r\n|y\r\n.\r\n"),
          "250" ENVELOPE_CODES " 354 250/2.0.0" ENVELOPE_CODES " 354 250/2.0.0",
          EHLO_EVENTS ENVELOPE_EVENTS " data end" ENVELOPE_EVENTS " data end",
          .content = BYTES("x\r\ny\r\n") },
        { "rset_voids_the_transaction", BYTES(EHLO ENVELOPE "RSET\r\nDATA\r\n"),
          "250" ENVELOPE_CODES " 250/2.0.0 503/5.5.1", EHLO_EVENTS ENVELOPE_EVENTS " reset",
          .content = BYTES("") },
        { "rset_before_hello_starts_nothing", BYTES("RSET\r\nMAIL FROM:<a@b.example>\r\n"),
          "250/2.0.0 503/5.5.1", "reset", .content = BYTES("") },
        { "ehlo_voids_the_transaction", BYTES(EHLO ENVELOPE EHLO "DATA\r\n"),
          "250" ENVELOPE_CODES " 250 503/5.5.1", EHLO_EVENTS ENVELOPE_EVENTS " " EHLO_EVENTS,
          .content = BYTES("") },
        { "a_malformed_ehlo_voids_nothing", BYTES(EHLO ENVELOPE "EHLO\r\n|DATA\r\n|x\r\n.\r\n"),
          "250" ENVELOPE_CODES " 501/5.5.4 354 250/2.0.0", EHLO_EVENTS ENVELOPE_EVENTS " data end",
          .content = BYTES("x\r\n") },
        { "helo_has_no_extensions", BYTES("HELO c.example\r\n|MAIL FROM:<a@b.example> SIZE=1\r\n"),
          "250 555/5.5.4", "helo:c.example mail-refused:a@b.example", .content = BYTES("") },
        { "mail_before_required_tls", BYTES(EHLO "MAIL FROM:<a@b.example>\r\nNOOP\r\n"),
          "250 530/5.7.0 250/2.0.0", EHLO_EVENTS " mail-refused:a@b.example",
          .content = BYTES(""), .set = set_tls_required },
        { "the_null_sender", BYTES(EHLO "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n"),
          "250" ENVELOPE_CODES, EHLO_EVENTS " mail: rcpt:Postmaster", .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

static void set_probes_refused(struct player *player)
{
    player->options.vrfy = SERVER_PROBE_REFUSE;
    player->options.expn = SERVER_PROBE_HIDE;
}

START_TEST(simple_commands_say_what_they_say)
{
    static const struct script_case scripts[] = {
        { "any_case_and_blanks_at_the_end", BYTES("ehLO  c.example \t\r\n|noop x y\r\nQuit \r\n"),
          "250 250/2.0.0 221/2.0.0", "hello:c.example close:quit", .content = BYTES("") },
        { "an_address_literal_as_a_name", BYTES("EHLO [192.0.2.1]\r\n"), "250", "hello:[192.0.2.1]",
          .content = BYTES("") },
        { "a_name_of_two_words", BYTES("EHLO a b\r\n|HELO\r\n"), "501/5.5.4 501/5.5.4", "",
          .content = BYTES("") },
        { "probes_are_hidden_without_asking", BYTES("VRFY\r\nVRFY root\r\nVRFY <a@b>\r\n"),
          "252/2.0.0 252/2.0.0 252/2.0.0", "", .content = BYTES("") },
        { "probes_the_other_way", BYTES("VRFY root\r\nEXPN staff\r\n"), "502/5.5.1 252/2.0.0", "",
          .content = BYTES(""), .set = set_probes_refused },
        { "help_helps_alike", BYTES("HELP\r\nHELP MAIL\r\n"), "214/2.0.0 214/2.0.0", "",
          .content = BYTES("") },
        { "never_done_here", BYTES("ETRN x\r\nTURN\r\nATRN\r\nAUTH PLAIN\r\nSEND FROM:<a@b>\r\n"),
          "502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1", "", .content = BYTES("") },
        { "no_command", BYTES("FOO\r\n\r\n  NOOP\r\nMAILFROM:<a@b>\r\n"),
          "500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2", "", .content = BYTES("") },
        { "no_argument_wanted", BYTES(EHLO ENVELOPE "DATA now\r\n|RSET x\r\nQUIT x\r\n"),
          "250" ENVELOPE_CODES " 501/5.5.4 501/5.5.4 501/5.5.4", EHLO_EVENTS ENVELOPE_EVENTS,
          .content = BYTES("") },
        { "nothing_is_read_behind_quit", BYTES("QUIT\r\nNOOP\r\n"), "221/2.0.0", "close:quit",
          .content = BYTES("") },
        { "bytes_that_no_command_holds",
          BYTES("NOOP \x01\r\nNOOP \x7f\r\nNOOP \xc3\xa9\r\nNOOP\ta\r\nNO\0OP\r\n"),
          "500/5.5.2 500/5.5.2 500/5.5.2 250/2.0.0 500/5.5.2", "", .content = BYTES("") },
        { "text_above_ascii_only_in_addresses",
          BYTES(EHLO "MAIL FROM:<\xc3\xa9@b.example> SMTPUTF8\r\nRCPT TO:<\xc3\xa9@d.example>\r\n"
                     "RSET\r\nMAIL FROM:<\xc3\xa9@b.example>\r\nMAIL FROM:<a@b.example>\r\n"
                     "RCPT TO:<\xc3\xa9@d.example>\r\nRCPT TO:<\xc3@d.example>\r\n"),
          "250 250/2.1.0 250/2.1.5 250/2.0.0 553/5.6.7 250/2.1.0 553/5.6.7 500/5.5.2",
          EHLO_EVENTS " mail:\xc3\xa9@b.example rcpt:\xc3\xa9@d.example reset"
                      " mail-refused:\xc3\xa9@b.example mail:a@b.example"
                      " rcpt-refused:<\xc3\xa9@d.example>",
          .content = BYTES("") },
        { "the_announced_size",
          BYTES(EHLO "MAIL FROM:<a@b.example> SIZE=1001\r\n"
                     "MAIL FROM:<a@b.example> SIZE=1000\r\n"),
          "250 552/5.3.4 250/2.1.0",
          EHLO_EVENTS " mail-refused:a@b.example mail:a@b.example", .content = BYTES("") },
        { "more_recipients_than_allowed",
          BYTES(EHLO ENVELOPE "RCPT TO:<2@d.example>\r\nRCPT TO:<no@d.example>\r\n"
                              "RCPT TO:<3@d.example>\r\nRCPT TO:<4@d.example>\r\n"
                              "DATA\r\n|.\r\n"),
          "250" ENVELOPE_CODES " 250/2.1.5 550/5.1.1 250/2.1.5 452/4.5.3 354 250/2.0.0",
          EHLO_EVENTS ENVELOPE_EVENTS
          " rcpt:2@d.example rcpt:no@d.example rcpt:3@d.example rcpt-refused:4@d.example"
          " data end",
          .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

/* ---- Lines ---- */

static void set_no_pipelining(struct player *player)
{
    player->options.extensions &= ~(unsigned int)SERVER_PIPELINING;
}

START_TEST(a_line_ends_with_crlf_and_nothing_else)
{
    static const struct script_case scripts[] = {
        { "a_bare_lf_ends_no_line", BYTES("NOOP\nNOOP\r\nRSET\r\n"), "500/5.5.2 250/2.0.0", "reset",
          .content = BYTES("") },
        { "many_bare_lf_get_one_reply", BYTES("EHLO x\nMAIL\nRCPT\n\n\nDATA\n\r\nNOOP\r\n"),
          "500/5.5.2 250/2.0.0", "", .content = BYTES("") },
        { "a_bare_cr_is_a_bad_byte", BYTES("NOOP\rNOOP\r\nNOOP\r\r\nNOOP\r\n"),
          "500/5.5.2 500/5.5.2 250/2.0.0", "", .content = BYTES("") },
        { "lf_cr_is_no_line_end", BYTES("NOOP\n\rNOOP\r\nNOOP\r\n"), "500/5.5.2 250/2.0.0", "",
          .content = BYTES("") },
        { "a_hidden_recipient",
          BYTES(EHLO "MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\r\nRCPT TO:<c@d.example>\r\n"),
          "250 500/5.5.2 503/5.5.1", EHLO_EVENTS, .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

START_TEST(input_that_does_not_wait_is_cut_off)
{
    static const struct script_case scripts[] = {
        { "behind_ehlo", BYTES("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n"), "554/5.5.1",
          "close:sequence.early-input", .content = BYTES(""), .is_whole_only = true },
        { "behind_helo", BYTES("HELO c.example\r\nM"), "554/5.5.1", "close:sequence.early-input",
          .content = BYTES(""), .is_whole_only = true },
        { "behind_data", BYTES(EHLO ENVELOPE "DATA\r\nx\r\n.\r\n"),
          "250" ENVELOPE_CODES " 554/5.5.1",
          EHLO_EVENTS ENVELOPE_EVENTS " close:sequence.early-input", .content = BYTES(""),
          .is_whole_only = true },
        { "behind_data_out_of_place", BYTES(EHLO "DATA\r\nx\r\n"), "250 554/5.5.1",
          EHLO_EVENTS " close:sequence.early-input", .content = BYTES(""), .is_whole_only = true },
        { "behind_starttls", BYTES(EHLO "STARTTLS\r\nEHLO c.example\r\n"), "250 554/5.5.1",
          EHLO_EVENTS " close:tls.injection", .content = BYTES(""), .is_whole_only = true },
        { "behind_anything_without_pipelining", BYTES("NOOP\r\nNOOP\r\n"), "554/5.5.1",
          "close:sequence.early-input", .content = BYTES(""), .set = set_no_pipelining,
          .is_whole_only = true },
        { "a_chunk_is_not_early",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\n|RCPT TO:<c@d.example>\r\n|"
                     "BDAT 3 LAST\r\nx\r\n"),
          "250" ENVELOPE_CODES " 250/2.0.0", EHLO_EVENTS ENVELOPE_EVENTS " bdat end",
          .content = BYTES("x\r\n"), .set = set_no_pipelining },
        { "the_rest_may_be_pipelined",
          BYTES("VRFY x\r\nEXPN x\r\nNOOP\r\nHELP\r\nRSET\r\nFOO\r\nQUIT\r\n"),
          "252/2.0.0 252/2.0.0 250/2.0.0 214/2.0.0 250/2.0.0 500/5.5.2 221/2.0.0",
          "reset close:quit", .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

/* A line of `length` bytes in all, its CRLF included. */
static void add_long_noop(struct text *input, size_t length)
{
    text_add(input, SLICE("NOOP "));
    while (input->length % length != length - 2)
        text_add_byte(input, 'x');
    text_add(input, SLICE("\r\n"));
}

START_TEST(a_line_may_have_2048_bytes_and_not_one_more)
{
    for (size_t length = SERVER_MAX_LINE_BYTES - 2; length <= SERVER_MAX_LINE_BYTES + 3; length++) {
        bool is_fine = length <= SERVER_MAX_LINE_BYTES;

        for (size_t piece = 1; piece <= length; piece += piece < 8 ? 1 : 509) {
            struct text input;
            struct player player;

            text_init(&input, 10000);
            add_long_noop(&input, length);
            player_init(&player);
            for (size_t at = 0; at < length; at += piece)
                player_send(&player, slice_until(slice_from_offset(text_slice(&input), at), piece));
            player_send(&player, SLICE("RSET\r\n"));
            unit_expect_text("replies", &player.out,
                             is_fine ? SLICE("250 2.0.0 ok\r\n250 2.0.0 ok\r\n")
                                     : SLICE("500 5.5.2 line too long (syntax.line-too-long ref1)"
                                             "\r\n250 2.0.0 ok\r\n"));
            player_clear(&player);
            text_clear(&input);
        }
    }
}
END_TEST

START_TEST(a_line_without_end_is_dropped_and_then_cut_off)
{
    for (size_t piece = 1; piece <= 100000; piece *= 10) {
        struct player player;
        struct text bytes;
        size_t sent = 0;

        text_init(&bytes, 100000);
        while (bytes.length < piece)
            text_add(&bytes, SLICE("xy"));
        player_init(&player);
        while (player.dialogue.state != SERVER_STATE_CLOSED && sent < 1000000) {
            player_send(&player, text_slice(&bytes));
            sent += bytes.length;
            ck_assert_uint_lt(player.input.length, SERVER_MAX_LINE_BYTES);
        }
        ck_assert_uint_gt(sent, SERVER_MAX_DROPPED_BYTES);
        ck_assert_uint_le(sent, SERVER_MAX_DROPPED_BYTES + bytes.length);
        unit_expect_text("replies", &player.out,
                         SLICE("500 5.5.2 line too long (syntax.line-too-long ref1)\r\n"
                               "421 4.5.0 line without an end (syntax.line-endless ref1)\r\n"));
        ck_assert_str_eq(player.dialogue.close_reason, "syntax.line-endless");
        player_clear(&player);
        text_clear(&bytes);
    }
}
END_TEST

START_TEST(other_protocols_are_cut_off_at_once)
{
    static const struct script_case scripts[] = {
        { "http", BYTES("GET / HTTP/1.1\r\nHost: x\r\n"), "554/5.5.1", "close:foreign.http",
          .content = BYTES("") },
        { "http_connect", BYTES("CONNECT mx:25 HTTP/1.0\r\n"), "554/5.5.1", "close:foreign.http",
          .content = BYTES("") },
        { "http_2", BYTES("PRI * HTTP/2.0\r\n"), "554/5.5.1", "close:foreign.http",
          .content = BYTES("") },
        { "http_with_bare_lf", BYTES("POST / HTTP/1.0\n\nMAIL FROM:<a@b>\n"), "554/5.5.1",
          "close:foreign.http", .content = BYTES("") },
        { "http_later", BYTES("NOOP\r\nPUT /x HTTP/1.1\r\n"), "250/2.0.0 554/5.5.1",
          "close:foreign.http", .content = BYTES("") },
        { "header_of_a_browser", BYTES("FOO\r\nUser-Agent: x\r\n"), "500/5.5.2 554/5.5.1",
          "close:foreign.header", .content = BYTES("") },
        { "message_behind_refused_data", BYTES(EHLO "DATA\r\n|Subject: x\r\nRSET\r\n"),
          "250 503/5.5.1 554/5.5.1", EHLO_EVENTS " close:foreign.header", .content = BYTES("") },
        { "tls", BYTES("\x16\x03\x01\x02\x00\x01"), "554/5.5.1", "close:foreign.tls",
          .content = BYTES("") },
        { "tls_later", BYTES("NOOP\r\n\x16\x03\x01"), "250/2.0.0 554/5.5.1", "close:foreign.tls",
          .content = BYTES("") },
        { "ssh", BYTES("SSH-2.0-x\r\n"), "554/5.5.1", "close:foreign.ssh", .content = BYTES("") },
        { "proxy_header", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 5 25\r\n"), "554/5.5.1",
          "close:foreign.proxy", .content = BYTES("") },
        { "socks_5", BYTES("\x05\x01\x00"), "554/5.5.1", "close:foreign.socks",
          .content = BYTES("") },
        { "rdp", BYTES("\x03\x00\x00\x2f"), "554/5.5.1", "close:foreign.rdp",
          .content = BYTES("") },
        { "something_binary", BYTES("\x80\x2e\x01"), "554/5.5.1", "close:foreign.binary",
          .content = BYTES("") },
        { "bad_bytes_later_are_only_that", BYTES("NOOP\r\n\x05\x01\r\n"), "250/2.0.0 500/5.5.2", "",
          .content = BYTES("") },
        { "words_that_only_look_so", BYTES("GET\r\nMAIL:\r\n"), "500/5.5.2 554/5.5.1",
          "close:foreign.header", .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

/* ---- TLS, extensions, limits ---- */

static void set_nothing_offered(struct player *player)
{
    player->dialogue.offered = 0;
}

START_TEST(starttls_forgets_what_was_said_before)
{
    static const struct script_case scripts[] = {
        { "all_is_forgotten",
          BYTES(EHLO "STARTTLS\r\n|MAIL FROM:<a@b.example>\r\n" EHLO
                     "MAIL FROM:<a@b.example>\r\nSTARTTLS\r\n"),
          "250 220/2.0.0 503/5.5.1 250 250/2.1.0 503/5.5.1",
          EHLO_EVENTS " tls " EHLO_EVENTS " mail:a@b.example", .content = BYTES(""),
          .set = set_tls_required },
        { "inside_a_transaction", BYTES(EHLO ENVELOPE "STARTTLS\r\n|DATA\r\n|.\r\n"),
          "250" ENVELOPE_CODES " 503/5.5.1 354 250/2.0.0", DATA_EVENTS " end",
          .content = BYTES("") },
        { "with_an_argument", BYTES(EHLO "STARTTLS now\r\n"), "250 501/5.5.4", EHLO_EVENTS,
          .content = BYTES("") },
        { "without_ehlo", BYTES("STARTTLS\r\n|NOOP\r\n"), "220/2.0.0 250/2.0.0", "tls",
          .content = BYTES("") },
        { "not_offered", BYTES(EHLO "STARTTLS\r\n|NOOP\r\n"), "250 502/5.5.1 250/2.0.0",
          EHLO_EVENTS, .content = BYTES(""), .set = set_nothing_offered },
        { "another_protocol_inside_tls", BYTES(EHLO "STARTTLS\r\n|\x05\x01"),
          "250 220/2.0.0 554/5.5.1", EHLO_EVENTS " tls close:foreign.socks", .content = BYTES("") },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

START_TEST(ehlo_names_what_is_offered_and_allowed)
{
    static const struct {
        unsigned int allowed, offered;
        bool is_secured;
        uint64_t max_size_bytes;
        struct slice want;
    } cases[] = {
        { 0, ALL_EXTENSIONS, false, 5, BYTES("250 mx.example.org\r\n") },
        { ALL_EXTENSIONS, 0, false, 5, BYTES("250 mx.example.org\r\n") },
        { SERVER_SIZE, ALL_EXTENSIONS, false, 0, BYTES("250-mx.example.org\r\n250 SIZE\r\n") },
        { ALL_EXTENSIONS, SERVER_SIZE, false, UINT64_MAX,
          BYTES("250-mx.example.org\r\n250 SIZE 18446744073709551615\r\n") },
        { ALL_EXTENSIONS, SERVER_STARTTLS, false, 5,
          BYTES("250-mx.example.org\r\n250 STARTTLS\r\n") },
        { ALL_EXTENSIONS, SERVER_STARTTLS, true, 5, BYTES("250 mx.example.org\r\n") },
        { ALL_EXTENSIONS, SERVER_STARTTLS | SERVER_PRDR | SERVER_8BITMIME, true, 5,
          BYTES("250-mx.example.org\r\n250-8BITMIME\r\n250 PRDR\r\n") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct player player;

        player_init(&player);
        player.options.extensions = cases[i].allowed;
        player.dialogue.offered = cases[i].offered;
        player.dialogue.max_size_bytes = cases[i].max_size_bytes;
        if (cases[i].is_secured)
            server_dialogue_on_secured(&player.dialogue);
        player_send(&player, SLICE("EHLO c.example\r\n"));
        unit_expect_text("EHLO", &player.out, cases[i].want);
        player_clear(&player);
    }
}
END_TEST

/* What was named in EHLO holds for the session, even where the backends have changed since. */
START_TEST(extensions_stay_as_they_were_named)
{
    struct player player;

    player_init(&player);
    player.dialogue.offered = SERVER_8BITMIME;
    player_play(&player, SLICE(EHLO), CUT_WHOLE, 0);
    text_reset(&player.out);
    player.dialogue.offered = SERVER_SIZE;
    player_play(&player,
                SLICE("MAIL FROM:<a@b.example> SIZE=1\r\n"
                      "MAIL FROM:<a@b.example> BODY=8BITMIME\r\n"),
                CUT_WHOLE, 0);
    unit_expect_text("replies", &player.out,
                     SLICE("555 5.5.4 parameter not known here (parameter.unknown ref1)\r\n"
                           "250 2.1.0 sender ok\r\n"));
    player_clear(&player);
}
END_TEST

START_TEST(without_the_extension_there_are_no_enhanced_codes)
{
    struct player player;

    player_init(&player);
    player.options.extensions &= ~(unsigned int)SERVER_ENHANCEDSTATUSCODES;
    player_play(&player, SLICE("FOO\r\nNOOP\r\n"), CUT_WHOLE, 0);
    unit_expect_text("replies", &player.out,
                     SLICE("500 unknown command (command.unknown ref1)\r\n250 ok\r\n"));
    player_clear(&player);
}
END_TEST

static void set_three_errors(struct player *player)
{
    player->options.max_errors = 3;
}

static void set_three_commands(struct player *player)
{
    player->options.max_commands_without_mail = 3;
}

START_TEST(errors_and_commands_are_counted)
{
    static const struct script_case scripts[] = {
        { "errors_of_every_kind", BYTES("FOO\r\nRCPT TO:<x@y>\r\nNOOP\n\r\nNOOP\r\nNOOP\r\n"),
          "500/5.5.2 503/5.5.1 500/5.5.2 421/4.7.0", "close:limit.errors", .content = BYTES(""),
          .set = set_three_errors },
        { "refused_recipients_are_errors",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<no1@d.example>\r\nRCPT TO:<no2@d.example>"
                     "\r\nRCPT TO:<no3@d.example>\r\nRCPT TO:<c@d.example>\r\n"),
          "250 250/2.1.0 550/5.1.1 550/5.1.1 550/5.1.1 421/4.7.0",
          EHLO_EVENTS " mail:a@b.example rcpt:no1@d.example rcpt:no2@d.example rcpt:no3@d.example"
                      " close:limit.errors",
          .content = BYTES(""), .set = set_three_errors },
        { "deferred_recipients_are_not",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRCPT TO:<later@d.example>\r\n"
                     "RCPT TO:<later@d.example>\r\nRCPT TO:<later@d.example>\r\nNOOP\r\n"),
          "250 250/2.1.0 451/4.3.0 451/4.3.0 451/4.3.0 250/2.0.0",
          EHLO_EVENTS " mail:a@b.example rcpt:later@d.example rcpt:later@d.example"
                      " rcpt:later@d.example",
          .content = BYTES(""), .set = set_three_errors },
        { "lines_with_bare_lf", BYTES("a\n\r\nb\n\r\nc\n\r\nd\n"),
          "500/5.5.2 500/5.5.2 500/5.5.2 421/4.7.0", "close:limit.errors", .content = BYTES(""),
          .set = set_three_errors },
        { "commands_without_mail", BYTES("NOOP\r\nRSET\r\nVRFY x\r\nNOOP\r\n"),
          "250/2.0.0 250/2.0.0 252/2.0.0 421/4.7.0", "reset close:limit.commands",
          .content = BYTES(""), .set = set_three_commands },
        { "mail_that_is_given_up_is_no_mail",
          BYTES(EHLO "MAIL FROM:<a@b.example>\r\nRSET\r\nMAIL FROM:<a@b.example>\r\n"),
          "250 250/2.1.0 250/2.0.0 421/4.7.0",
          EHLO_EVENTS " mail:a@b.example reset close:limit.commands", .content = BYTES(""),
          .set = set_three_commands },
        { "content_starts_the_count_anew",
          BYTES(DATA_START ".\r\nNOOP\r\nNOOP\r\nRSET\r\nNOOP\r\n"),
          DATA_CODES " 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 421/4.7.0",
          DATA_EVENTS " end reset close:limit.commands", .content = BYTES(""),
          .set = set_three_commands },
    };

    expect_scripts(scripts, COUNT(scripts));
}
END_TEST

START_TEST(the_owner_may_close_in_any_state)
{
    static const char *const scripts[] = {
        "", EHLO, EHLO ENVELOPE, DATA_START "a", BDAT_START "BDAT 5\r\na", "NOOP\nNO",
    };

    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct reply reply = server_reply_get(REPLY_IDLE_TIMEOUT);
        struct player player;

        player_init(&player);
        player_play(&player, slice_from(scripts[i]), CUT_WHOLE, 0);
        text_reset(&player.out);
        text_reset(&player.events);
        server_dialogue_close(&player.dialogue, &reply, &player.out);
        ck_assert(!server_dialogue_has_transaction(&player.dialogue));
        unit_expect_text("closing", &player.out,
                         SLICE("421 4.4.2 nothing heard for too long (timeout.idle ref1)\r\n"));
        ck_assert_str_eq(player.dialogue.close_reason, "timeout.idle");
        ck_assert_int_eq(
            server_dialogue_feed(&player.dialogue, SLICE("NOOP\r\n"), &(size_t){ 0 }, &player.out),
            SERVER_EVENT_CLOSE);
        player_clear(&player);
    }
}
END_TEST

static Suite *server_suite(void)
{
    Suite *suite = suite_create("smtp: server dialogue");
    TCase *commands = tcase_create("commands");
    TCase *lines = tcase_create("lines");
    TCase *session = tcase_create("session");

    tcase_add_test(commands, a_session_reads_like_this);
    tcase_add_test(commands, commands_out_of_order_are_refused);
    tcase_add_test(commands, simple_commands_say_what_they_say);
    tcase_add_test(lines, a_line_ends_with_crlf_and_nothing_else);
    tcase_add_test(lines, input_that_does_not_wait_is_cut_off);
    tcase_add_test(lines, a_line_may_have_2048_bytes_and_not_one_more);
    tcase_add_test(lines, a_line_without_end_is_dropped_and_then_cut_off);
    tcase_add_test(lines, other_protocols_are_cut_off_at_once);
    tcase_add_test(session, starttls_forgets_what_was_said_before);
    tcase_add_test(session, ehlo_names_what_is_offered_and_allowed);
    tcase_add_test(session, extensions_stay_as_they_were_named);
    tcase_add_test(session, without_the_extension_there_are_no_enhanced_codes);
    tcase_add_test(session, errors_and_commands_are_counted);
    tcase_add_test(session, the_owner_may_close_in_any_state);
    suite_add_tcase(suite, commands);
    suite_add_tcase(suite, lines);
    suite_add_tcase(suite, session);
    return suite;
}

int main(void)
{
    return unit_run(server_suite());
}
