/* SPDX-License-Identifier: BSD-2-Clause */
/* delivery/: mail goes through, connections are shared, envelopes are held and replayed. */
#include "delivery_unit.h"

#define EHLO "1>EHLO gw.example.org\n"
#define MAIL "1>MAIL FROM:<a@b.example>\n"
#define RCPT "1>RCPT TO:<c@d.example>\n"
#define CONTENT "Subject: x\r\n\r\n..Hi\r\n.\r\n"
#define CHUNK "Subject: x\r\n\r\n.Hi\r\n"
#define CHUNKED "250-fake\r\n250-PIPELINING\r\n250 CHUNKING\r\n"

/* ---- one mail ---- */

START_TEST(a_mail_goes_through)
{
    static const struct {
        const char *ehlo;
        bool is_chunking_wanted;
        const char *said;
        const char *content;
    } cases[] = {
        { "250 fake\r\n", true, EHLO MAIL RCPT "1>DATA\n", CONTENT },
        { "250-fake\r\n250 PIPELINING\r\n", true, EHLO MAIL RCPT "1>DATA\n", CONTENT },
        { "250-fake\r\n250 CHUNKING\r\n", true, EHLO MAIL RCPT "1>BDAT 19 LAST\n", CHUNK },
        { CHUNKED, true, EHLO MAIL RCPT "1>BDAT 19 LAST\n", CHUNK },
        { CHUNKED, false, EHLO MAIL RCPT "1>DATA\n", CONTENT },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailer mailer;

        prepare();
        first.ehlo = cases[i].ehlo;
        config.is_chunking_wanted = cases[i].is_chunking_wanted;
        start_known_backend();
        mailer_init(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert(!forward_has_sent_dot(mailer.forward));
        ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
        ck_assert(forward_has_sent_dot(mailer.forward));
        ck_assert_int_eq(mailer.outcome.code, 250);
        ck_assert_str_eq(mailer.outcome.enhanced, "2.0.0");
        ck_assert_str_eq(mailer.outcome.text, "queued as F1");
        ck_assert_str_eq(mailer.outcome.detail, "");
        ck_assert_str_eq(mailer.outcome.tls_version, "");
        ck_assert(mailer.outcome.is_reused);
        ck_assert(ip_endpoint_equals(&mailer.outcome.address, &first.endpoint));
        expect_said(&first, cases[i].said);
        unit_expect_text("content", &first.content, slice_from(cases[i].content));
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

START_TEST(an_envelope_nobody_asked_about_goes_out_at_once)
{
    struct mailer mailer;

    prepare();
    first.ehlo = "250-fake\r\n250-SIZE 100000\r\n250 PIPELINING\r\n";
    start_known_backend();
    mailer_init(&mailer);
    expect_recipient(&mailer, "<c@d.example>");
    expect_recipient(&mailer, "<e@f.example>");
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_said(&first, EHLO "1>MAIL FROM:<a@b.example> SIZE=19\n" RCPT
                "1>RCPT TO:<e@f.example>\n1>DATA\n");
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(a_long_mail_is_one_chunk_and_an_empty_last_one)
{
    struct mailer mailer;
    struct text want, said;

    prepare();
    first.ehlo = CHUNKED;
    start_known_backend();
    mailer_init(&mailer);
    make_large(&mailer);
    message_cut_field(&mailer.message, message_find_field(&mailer.message, SLICE("Subject"), 0));
    message_add_on_top(&mailer.message, SLICE("X-New: yes\r\n"));
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    text_init(&want, 64 << 20);
    text_add_string(&want, "X-New: yes\r\n\r\n.Hi\r\n");
    for (uint64_t at = strlen("Subject: x\r\n\r\n.Hi\r\n"); at < mailer.message.spool.length;) {
        struct slice run = spool_at(&mailer.message.spool, at);

        text_add(&want, run);
        at += run.length;
    }
    ck_assert_uint_eq(first.content.length, want.length);
    ck_assert(slice_equals(text_slice(&first.content), text_slice(&want)));
    text_init(&said, 1000);
    text_add_format(&said, EHLO MAIL RCPT "1>BDAT %zu\n1>BDAT 0 LAST\n", want.length);
    expect_said(&first, text_string(&said));
    ck_assert_int_eq(first.mail_count, 1);
    ck_assert_int_eq(send_mail("<e@f.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 1);
    text_clear(&want);
    text_clear(&said);
    mailer_clear(&mailer);
    tidy();
}
END_TEST

/* Two answers can be awaited only with PIPELINING, so such a backend would be waited for twice. */
START_TEST(a_long_mail_goes_by_data_where_chunks_cannot_be_pipelined)
{
    struct mailer mailer;

    prepare();
    first.ehlo = "250-fake\r\n250 CHUNKING\r\n";
    start_known_backend();
    mailer_init(&mailer);
    make_large(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_said(&first, EHLO MAIL RCPT "1>DATA\n");
    mailer_clear(&mailer);
    tidy();
}
END_TEST

/* From the largest that is held back whole to the smallest that is not, octet by octet. */
START_TEST(sizes_around_one_write_go_whole)
{
    for (size_t bytes = 49152 - 2; bytes <= 49152 + 2; bytes++) {
        struct mailer mailer;
        struct text filler;

        prepare();
        first.ehlo = CHUNKED;
        start_known_backend();
        mailer_init(&mailer);
        text_init(&filler, 1 << 16);
        while (filler.length < bytes - strlen(CHUNK) - 2)
            text_add_byte(&filler, 'x');
        text_add_string(&filler, "\r\n");
        ck_assert_int_eq(message_append(&mailer.message, text_slice(&filler)), MESSAGE_OK);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
        ck_assert_uint_eq(first.content.length, bytes);
        ck_assert_int_eq(strstr(text_string(&first.said), "BDAT 0 LAST") != NULL, bytes > 49152);
        text_clear(&filler);
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

START_TEST(a_refused_recipient_leaves_the_envelope_open_for_the_others)
{
    struct mailer mailer;

    prepare();
    first.rules[0] = (struct rule){ "RCPT", "550 5.1.1 no such user\r\n", 0, 2 };
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(ask(&mailer, "<e@f.example>"), FORWARD_UNKNOWN_USER);
    ck_assert_str_eq(mailer.recipient.text, "no such user");
    ck_assert_int_eq(ask(&mailer, "<g@h.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_said(&first, EHLO MAIL RCPT
                "1>RCPT TO:<e@f.example>\n1>RCPT TO:<g@h.example>\n1>DATA\n");
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(recipients_that_fell_out_make_a_replay)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(ask(&mailer, "<e@f.example>"), FORWARD_OK);
    envelope_clear(&mailer.sender);
    envelope_init(&mailer.sender);
    expect_recipient(&mailer, "<e@f.example>");
    mailer.sender.sender.text = mem_copy(SLICE(""));
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_said(&first, EHLO MAIL RCPT "1>RCPT TO:<e@f.example>\n"
                "1>RSET\n1>MAIL FROM:<>\n1>RCPT TO:<e@f.example>\n1>DATA\n");
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(a_replay_goes_on_to_bdat_behind_its_last_recipient)
{
    static const char *const offers[] = { CHUNKED, "250-fake\r\n250 CHUNKING\r\n" };

    for (size_t i = 0; i < COUNT(offers); i++) {
        struct mailer mailer;

        prepare();
        config.hold_ms = 20;
        first.ehlo = offers[i];
        start_known_backend();
        mailer_init(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(ask(&mailer, "<e@f.example>"), FORWARD_OK);
        net_run_for(loop, 60);
        ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
        expect_said(&first, EHLO MAIL RCPT "1>RCPT TO:<e@f.example>\n1>RSET\n"
                    MAIL RCPT "1>RCPT TO:<e@f.example>\n1>BDAT 19 LAST\n");
        unit_expect_text("content", &first.content, SLICE(CHUNK));
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

START_TEST(a_slow_client_does_not_hold_the_backend)
{
    struct mailer mailer;

    prepare();
    config.hold_ms = 20;
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    net_run_for(loop, 60);
    expect_said(&first, EHLO MAIL RCPT "1>RSET\n");
    ck_assert_int_eq(send_mail("<x@y.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_said(&first, EHLO MAIL RCPT "1>RSET\n" MAIL "1>RCPT TO:<x@y.example>\n1>DATA\n" MAIL RCPT
                "1>DATA\n");
    ck_assert_int_eq(first.connection_count, 1);
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(a_recipient_refused_on_replay_defers_all)
{
    struct mailer mailer;

    prepare();
    config.hold_ms = 20;
    first.rules[0] = (struct rule){ "RCPT", "550 5.1.1 gone\r\n", 0, 3 };
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(ask(&mailer, "<e@f.example>"), FORWARD_OK);
    net_run_for(loop, 60);
    ck_assert_int_eq(deliver(&mailer), FORWARD_DEFERRED);
    ck_assert_int_eq(mailer.outcome.code, 550);
    ck_assert(!forward_has_sent_dot(mailer.forward));
    net_run_for(loop, 20);
    ck_assert_int_eq(first.mail_count, 0);
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(a_backend_that_loses_patience_while_held_gets_a_replay)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    stream_write(first.connections[0].stream, SLICE("421 4.4.2 too slow\r\n"));
    fake_close(&first.connections[0]);
    net_run_for(loop, 20);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 2);
    ck_assert_int_eq(first.mail_count, 1);
    mailer_clear(&mailer);
    tidy();
}
END_TEST

START_TEST(a_dot_may_be_withdrawn)
{
    for (int i = 0; i < 4; i++) {
        bool is_chunked = (i & 1) != 0, is_large = (i & 2) != 0;
        struct mailer mailer;

        prepare();
        if (is_chunked)
            first.ehlo = CHUNKED;
        start_known_backend();
        mailer_init(&mailer);
        if (is_large)
            make_large(&mailer);
        mailer.refuses_dot = true;
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(deliver(&mailer), FORWARD_WITHDRAWN);
        ck_assert(!forward_has_sent_dot(mailer.forward));
        net_run_for(loop, 20);
        ck_assert_int_eq(first.mail_count, 0);
        ck_assert_ptr_null(first.connections[0].stream);
        ck_assert(strstr(text_string(&first.said), "LAST") == NULL);
        ck_assert_msg(!is_chunked || is_large || first.content.length == 0,
                      "octets came of what was held back");
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

/* ---- what the backend can do ---- */

START_TEST(the_backend_is_asked_at_the_start_what_it_can_do)
{
    prepare();
    first.ehlo = "250-fake\r\n250-SIZE 20000\r\n250-8BITMIME\r\n250 DSN\r\n";
    config.assumed = SERVER_SMTPUTF8;
    start_backend();
    ck_assert(!backend_is_known(backend));
    ck_assert_uint_eq(backend_extensions(backend), SERVER_SMTPUTF8);
    ck_assert_uint_eq(backend_max_size(backend), 0);
    net_run_until(loop, "EHLO", is_known, backend);
    ck_assert_uint_eq(backend_extensions(backend),
                      SERVER_SMTPUTF8 | SERVER_SIZE | SERVER_8BITMIME | SERVER_DSN);
    ck_assert_uint_eq(backend_max_size(backend), 20000 - 8192);
    ck_assert_ptr_eq(backend_config(backend), &config);
    tidy();
}
END_TEST

START_TEST(a_backend_that_is_away_is_asked_again)
{
    prepare();
    config.retry_ms = 30;
    first.rules[0] = (struct rule){ "greeting", "554 go away\r\n!close", 1, 0 };
    start_known_backend();
    ck_assert_int_eq(first.connection_count, 2);
    ck_assert_str_eq(text_string(&log_lines), "backend-down backend-up ");
    tidy();
}
END_TEST

START_TEST(mail_that_the_backend_cannot_take_is_not_sent)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    mailer.sender.body = BODY_8BITMIME;
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_NEEDS_8BITMIME);
    ck_assert_int_eq(mailer.recipient.code, 0);
    ck_assert_int_eq(ask(&mailer, "<e@f.example>"), FORWARD_NEEDS_8BITMIME);
    mailer_clear(&mailer);
    mailer_init(&mailer);
    mailer.sender.is_smtputf8 = true;
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_NEEDS_SMTPUTF8);
    mailer_clear(&mailer);
    expect_said(&first, EHLO);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 1);
    tidy();
}
END_TEST

/* ---- identity ---- */

START_TEST(every_client_is_named_by_xclient_also_on_a_used_connection)
{
    prepare();
    first.ehlo = "250-fake\r\n250-XCLIENT NAME ADDR PROTO\r\n250 PIPELINING\r\n";
    config.identity = IDENTITY_XCLIENT;
    start_known_backend();
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    expect_said(&first, EHLO
                "1>XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PROTO=ESMTP\n1>EHLO client.example\n"
                MAIL RCPT "1>DATA\n"
                "1>XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PROTO=ESMTP\n1>EHLO client.example\n"
                MAIL RCPT "1>DATA\n");
    ck_assert_int_eq(first.connection_count, 1);
    tidy();
}
END_TEST

START_TEST(a_client_refused_at_xclient_is_the_clients_matter)
{
    static const struct {
        const char *verb;
        const char *reply;
        int at;
        enum forward_class want;
    } refusals[] = {
        { "XCLIENT", "550 5.7.1 not you\r\n", 1, FORWARD_REFUSED },
        { "XCLIENT", "421 4.7.0 too many of you\r\n!close", 1, FORWARD_DEFERRED },
        { "EHLO", "554 5.7.1 bad name\r\n", 2, FORWARD_REFUSED },
        { "EHLO", "450 4.7.1 later\r\n", 2, FORWARD_DEFERRED },
    };

    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct mailer mailer;

        prepare();
        first.ehlo = "250-fake\r\n250 XCLIENT ADDR\r\n";
        first.rules[0] = (struct rule){ refusals[i].verb, refusals[i].reply, 1, refusals[i].at };
        config.identity = IDENTITY_XCLIENT;
        start_known_backend();
        mailer_init(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), refusals[i].want);
        ck_assert_int_eq(ask(&mailer, "<e@f.example>"), refusals[i].want);
        mailer_clear(&mailer);
        ck_assert_str_eq(text_string(&log_lines), "");
        ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
        tidy();
    }
}
END_TEST

/* ---- cancel ---- */

START_TEST(cancel_is_silent_whenever_it_comes)
{
    static const int turns[] = { 0, 1, 2, 3, 4, 5, 6, 8 };

    for (size_t i = 0; i < COUNT(turns) * 4; i++) {
        struct mailer mailer;

        prepare();
        first.ehlo = (i & 1) != 0 ? "250 fake\r\n" : "250-fake\r\n250 PIPELINING\r\n";
        start_backend();
        if ((i & 2) != 0)
            net_run_until(loop, "EHLO", is_known, backend);
        mailer_init(&mailer);
        start_asking(&mailer, "<c@d.example>");
        for (int turn = 0; turn < turns[i / 4] && mailer.recipients_told == 0; turn++) {
            loop_stop(loop);
            loop_run(loop);
        }
        mailer.recipients_told = 0;
        mailer_clear(&mailer);
        net_run_for(loop, 20);
        ck_assert_int_eq(mailer.recipients_told, 0);
        ck_assert_int_eq(send_mail("<e@f.example>"), FORWARD_OK);
        ck_assert_int_eq(first.mail_count, 1);
        tidy();
    }
}
END_TEST

START_TEST(a_cancelled_delivery_reaches_no_dot)
{
    for (int i = 0; i < 6 * 4; i++) {
        int turns = i / 4;
        struct mailer mailer;
        bool was_sent;

        prepare();
        if ((i & 1) != 0)
            first.ehlo = CHUNKED;
        start_known_backend();
        mailer_init(&mailer);
        if ((i & 2) != 0)
            make_large(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        start_delivering(&mailer);
        for (int turn = 0; turn < turns && mailer.outcomes_told == 0; turn++) {
            loop_stop(loop);
            loop_run(loop);
        }
        was_sent = forward_has_sent_dot(mailer.forward);
        mailer.outcomes_told = 0;
        mailer_clear(&mailer);
        net_run_for(loop, 20);
        ck_assert_int_eq(mailer.outcomes_told, 0);
        ck_assert_msg(first.mail_count == 0 || was_sent, "a dot went out behind our back");
        ck_assert_int_eq(send_mail("<e@f.example>"), FORWARD_OK);
        tidy();
    }
}
END_TEST

START_TEST(an_owner_may_cancel_when_it_is_told)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    mailer.cancels_when_told = true;
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    mailer_clear(&mailer);
    net_run_for(loop, 10); /* for RSET */
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    mailer.cancels_when_told = true;
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    mailer_clear(&mailer);
    ck_assert_int_eq(send_mail("<e@f.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 1);
    tidy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery");
    TCase *mail = tcase_create("mail");
    TCase *offer = tcase_create("offer");
    TCase *cancel = tcase_create("cancel");

    tcase_set_timeout(mail, 30);
    tcase_add_test(mail, a_mail_goes_through);
    tcase_add_test(mail, an_envelope_nobody_asked_about_goes_out_at_once);
    tcase_add_test(mail, a_long_mail_is_one_chunk_and_an_empty_last_one);
    tcase_add_test(mail, a_long_mail_goes_by_data_where_chunks_cannot_be_pipelined);
    tcase_add_test(mail, sizes_around_one_write_go_whole);
    tcase_add_test(mail, a_refused_recipient_leaves_the_envelope_open_for_the_others);
    tcase_add_test(mail, recipients_that_fell_out_make_a_replay);
    tcase_add_test(mail, a_replay_goes_on_to_bdat_behind_its_last_recipient);
    tcase_add_test(mail, a_slow_client_does_not_hold_the_backend);
    tcase_add_test(mail, a_recipient_refused_on_replay_defers_all);
    tcase_add_test(mail, a_backend_that_loses_patience_while_held_gets_a_replay);
    tcase_add_test(mail, a_dot_may_be_withdrawn);
    suite_add_tcase(suite, mail);
    tcase_set_timeout(offer, 30);
    tcase_add_test(offer, the_backend_is_asked_at_the_start_what_it_can_do);
    tcase_add_test(offer, a_backend_that_is_away_is_asked_again);
    tcase_add_test(offer, mail_that_the_backend_cannot_take_is_not_sent);
    tcase_add_test(offer, every_client_is_named_by_xclient_also_on_a_used_connection);
    tcase_add_test(offer, a_client_refused_at_xclient_is_the_clients_matter);
    suite_add_tcase(suite, offer);
    tcase_set_timeout(cancel, 30);
    tcase_add_test(cancel, cancel_is_silent_whenever_it_comes);
    tcase_add_test(cancel, a_cancelled_delivery_reaches_no_dot);
    tcase_add_test(cancel, an_owner_may_cancel_when_it_is_told);
    suite_add_tcase(suite, cancel);
    return unit_run(suite);
}
