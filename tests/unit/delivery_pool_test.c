/* SPDX-License-Identifier: BSD-2-Clause */
/* delivery/: connections that are shared, kept, given up and waited for; large mails. */
#include "delivery_unit.h"

static size_t count_open(const struct fake *fake)
{
    size_t count = 0;

    for (int i = 0; i < fake->connection_count; i++)
        count += fake->connections[i].stream != NULL;
    return count;
}

/* ---- keeping ---- */

START_TEST(one_connection_carries_many_mails)
{
    prepare();
    start_known_backend();
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 1);
    ck_assert_int_eq(first.mail_count, 10);
    tidy();
}
END_TEST

START_TEST(a_connection_is_closed_after_so_many_mails)
{
    prepare();
    config.max_transactions = 3;
    start_known_backend();
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    net_run_for(loop, 10);
    /* Learning counts as one on the first connection. */
    ck_assert_int_eq(first.connection_count, 3);
    ck_assert_ptr_nonnull(strstr(text_string(&first.said), "1>QUIT\n"));
    ck_assert_uint_eq(count_open(&first), 1);
    tidy();
}
END_TEST

START_TEST(an_idle_connection_is_closed_in_time)
{
    prepare();
    config.idle_timeout_ms = 30;
    start_known_backend();
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    net_run_for(loop, 80);
    ck_assert_ptr_nonnull(strstr(text_string(&first.said), "1>DATA\n1>QUIT\n"));
    ck_assert_uint_eq(count_open(&first), 0);
    tidy();
}
END_TEST

START_TEST(no_more_than_so_many_lie_idle_for_long)
{
    struct mailer mailers[4];

    prepare();
    config.max_idle = 2;
    start_known_backend();
    for (size_t i = 0; i < COUNT(mailers); i++) {
        mailer_init(&mailers[i]);
        ck_assert_int_eq(ask(&mailers[i], "<c@d.example>"), FORWARD_OK);
    }
    ck_assert_int_eq(first.connection_count, 4);
    for (size_t i = 0; i < COUNT(mailers); i++)
        mailer_clear(&mailers[i]);
    net_run_for(loop, 20);
    ck_assert_msg(count_open(&first) == 4, "the next mails of a crowd find none");
    net_run_for(loop, 1200);
    ck_assert_uint_eq(count_open(&first), 2);
    tidy();
}
END_TEST

START_TEST(a_connection_with_three_refusals_is_not_kept)
{
    struct mailer mailer;

    prepare();
    first.rules[0] = (struct rule){ "RCPT", "550 5.1.1 no\r\n", 1, 0 };
    start_known_backend();
    mailer_init(&mailer);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_UNKNOWN_USER);
    mailer_clear(&mailer);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 2);
    net_run_for(loop, 10);
    ck_assert_uint_eq(count_open(&first), 1);
    tidy();
}
END_TEST

START_TEST(a_connection_is_clean_before_it_is_given_out_again)
{
    struct mailer mailer;

    prepare();
    first.rules[0] = (struct rule){ "RSET", "500 what?\r\n", 1, 0 };
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    mailer_clear(&mailer);
    net_run_for(loop, 20);
    ck_assert_uint_eq(count_open(&first), 0);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 2);
    tidy();
}
END_TEST

START_TEST(a_refused_mail_is_reset_and_the_connection_kept)
{
    prepare();
    first.rules[0] = (struct rule){ ".", "550 5.7.1 spam\r\n", 0, 1 };
    start_known_backend();
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_REFUSED);
    net_run_for(loop, 10);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_ptr_nonnull(strstr(text_string(&first.said), "1>DATA\n1>RSET\n1>MAIL"));
    ck_assert_int_eq(first.connection_count, 1);
    tidy();
}
END_TEST

START_TEST(a_used_connection_that_fails_is_replaced_once)
{
    static const struct rule faults[] = {
        { "MAIL", "!close", 1, 0 }, { "MAIL", "421 4.4.2 idle too long\r\n!close", 1, 0 },
        { "MAIL", "!stall", 1, 0 },
    };

    for (size_t i = 0; i < COUNT(faults); i++) {
        struct mailer mailer;

        prepare();
        config.command_timeout_ms = 150;
        first.rules[0] = faults[i];
        start_known_backend();
        ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(first.connection_count, 2);
        ck_assert_str_eq(text_string(&log_lines), "");
        tidy();

        prepare();
        config.command_timeout_ms = 150;
        first.rules[0] = faults[i];
        first.rules[0].connection = 0;
        start_known_backend();
        mailer_init(&mailer);
        expect_recipient(&mailer, "<c@d.example>");
        ck_assert_int_eq(deliver(&mailer), FORWARD_UNREACHABLE);
        ck_assert_int_eq(first.connection_count, 2);
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

START_TEST(idle_connections_that_the_backend_closes_are_forgotten)
{
    prepare();
    start_known_backend();
    stream_write(first.connections[0].stream, SLICE("421 4.3.2 shutting down\r\n"));
    fake_close(&first.connections[0]);
    net_run_for(loop, 20);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 2);
    ck_assert_str_eq(text_string(&log_lines), "");
    tidy();
}
END_TEST

START_TEST(a_draining_backend_keeps_nothing)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    backend_drain(backend);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    mailer_clear(&mailer);
    net_run_for(loop, 20);
    ck_assert_uint_eq(count_open(&first), 0);
    ck_assert_ptr_nonnull(strstr(text_string(&first.said), "1>DATA\n1>QUIT\n"));
    tidy();
}
END_TEST

/* ---- waiting ---- */

/* The mail whose dot the backend leaves unanswered at first is answered now. */
static void answer_first(struct mailer *mailer)
{
    stream_write(first.connections[0].stream, SLICE("250 2.0.0 ok\r\n"));
    net_run_until(loop, "the first", is_outcome_told, mailer);
    ck_assert_int_eq(mailer->outcome.class, FORWARD_OK);
}

START_TEST(who_finds_no_room_waits_for_it_in_order)
{
    struct mailer mailers[3];

    prepare();
    config.max_connections = 1;
    first.rules[0] = (struct rule){ ".", "", 1, 1 };
    start_known_backend();
    for (size_t i = 0; i < COUNT(mailers); i++)
        mailer_init(&mailers[i]);
    ck_assert_int_eq(ask(&mailers[0], "<c@d.example>"), FORWARD_OK);
    start_delivering(&mailers[0]);
    start_asking(&mailers[1], "<e@f.example>");
    start_asking(&mailers[2], "<g@h.example>");
    net_run_for(loop, 30);
    ck_assert_int_eq(mailers[1].recipients_told + mailers[2].recipients_told, 0);
    answer_first(&mailers[0]);
    net_run_until(loop, "the second", is_recipient_told, &mailers[1]);
    ck_assert_int_eq(mailers[2].recipients_told, 0);
    ck_assert_int_eq(mailers[1].recipient.class, FORWARD_OK);
    mailer_clear(&mailers[1]);
    net_run_until(loop, "the third", is_recipient_told, &mailers[2]);
    ck_assert_int_eq(mailers[2].recipient.class, FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 1);
    mailer_clear(&mailers[0]);
    mailer_clear(&mailers[2]);
    tidy();
}
END_TEST

START_TEST(waiting_has_an_end)
{
    struct mailer mailers[2];

    prepare();
    config.max_connections = 1;
    config.wait_ms = 30;
    first.rules[0] = (struct rule){ ".", "", 1, 1 };
    start_known_backend();
    mailer_init(&mailers[0]);
    mailer_init(&mailers[1]);
    ck_assert_int_eq(ask(&mailers[0], "<c@d.example>"), FORWARD_OK);
    start_delivering(&mailers[0]);
    ck_assert_int_eq(ask(&mailers[1], "<e@f.example>"), FORWARD_BUSY);
    ck_assert_str_eq(mailers[1].recipient.detail, "all 1 connections are in use");
    mailer_clear(&mailers[0]);
    mailer_clear(&mailers[1]);
    tidy();
}
END_TEST

START_TEST(a_backend_that_takes_no_more_connections_is_used_by_turns)
{
    struct mailer mailers[2];

    prepare();
    first.rules[0] = (struct rule){ "greeting", "421 4.7.0 too many\r\n!close", 2, 0 };
    first.rules[1] = (struct rule){ ".", "", 1, 1 };
    start_known_backend();
    mailer_init(&mailers[0]);
    mailer_init(&mailers[1]);
    ck_assert_int_eq(ask(&mailers[0], "<c@d.example>"), FORWARD_OK);
    start_delivering(&mailers[0]);
    start_asking(&mailers[1], "<e@f.example>");
    net_run_for(loop, 30);
    ck_assert_int_eq(mailers[1].recipients_told, 0);
    answer_first(&mailers[0]);
    net_run_until(loop, "the second", is_recipient_told, &mailers[1]);
    ck_assert_int_eq(mailers[1].recipient.class, FORWARD_OK);
    ck_assert_int_eq(first.connection_count, 2);
    mailer_clear(&mailers[0]);
    mailer_clear(&mailers[1]);
    tidy();
}
END_TEST

/* Envelopes of clients that fall silent are given back as fast as others ask for connections. */
START_TEST(holds_are_given_up_for_those_who_wait)
{
    struct mailer mailers[12];

    prepare();
    config.max_connections = 2;
    config.max_idle = 2;
    config.wait_ms = NET_PATIENCE_MS;
    config.hold_ms = 60000;
    start_known_backend();
    for (size_t i = 0; i < COUNT(mailers); i++) {
        mailer_init(&mailers[i]);
        start_asking(&mailers[i], "<c@d.example>");
    }
    for (size_t i = 0; i < COUNT(mailers); i++) {
        net_run_until(loop, "an answer", is_recipient_told, &mailers[i]);
        ck_assert_int_eq(mailers[i].recipient.class, FORWARD_OK);
        expect_recipient(&mailers[i], "<c@d.example>");
    }
    ck_assert_int_eq(first.connection_count, 2);
    /* And they are opened again when the message is there. */
    for (size_t i = 0; i < COUNT(mailers); i++)
        ck_assert_int_eq(deliver(&mailers[i]), FORWARD_OK);
    for (size_t i = 0; i < COUNT(mailers); i++)
        mailer_clear(&mailers[i]);
    ck_assert_int_eq(first.mail_count, COUNT(mailers));
    tidy();
}
END_TEST

/* ---- large ---- */

static void make_block(struct text *block)
{
    text_init(block, 1 << 21);
    while (block->length < 1 << 20)
        text_add_format(block, ".%07zu is a line that begins with a dot and ends in one.\r\n",
                        block->length);
}

/* `megabytes` of lines that begin with a dot. */
static void append_large(struct mailer *mailer, int megabytes)
{
    struct text block;

    make_block(&block);
    for (int i = 0; i < megabytes; i++)
        ck_assert_int_eq(message_append(&mailer->message, text_slice(&block)), MESSAGE_OK);
    text_clear(&block);
}

/* Without the doubled dots and the end mark, what came is what was sent. */
static void expect_large(const struct fake *fake, int megabytes)
{
    struct slice rest = text_slice(&fake->content);
    struct slice start = SLICE("Subject: x\r\n\r\n..Hi\r\n");
    struct text block;
    size_t lines = 0;

    make_block(&block);
    ck_assert(slice_has_prefix(rest, start));
    rest = slice_from_offset(rest, start.length);
    for (int i = 0; i < megabytes; i++) {
        struct slice wanted = text_slice(&block), line;

        while (slice_next(&wanted, '\n', &line)) {
            lines++;
            ck_assert_msg(rest.length > line.length + 2 && rest.data[0] == '.'
                              && memcmp(rest.data + 1, line.data, line.length) == 0,
                          "line %zu differs", lines);
            rest = slice_from_offset(rest, line.length + 2);
        }
    }
    ck_assert(slice_equals(rest, SLICE(".\r\n")));
    text_clear(&block);
}

START_TEST(a_large_message_arrives_as_it_was)
{
    struct mailer mailer;

    prepare();
    start_known_backend();
    mailer_init(&mailer);
    append_large(&mailer, 5);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_large(&first, 5);
    mailer_clear(&mailer);
    tidy();
}
END_TEST

static void on_written(void *owner, enum spill_result result)
{
    ck_assert_int_eq(result, SPILL_DONE);
    *(bool *)owner = true;
}

START_TEST(a_message_on_disk_arrives_as_it_was)
{
    struct mailer mailer;
    struct spill *spill;
    bool is_written = false;
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    prepare();
    spill = spill_new(loop, folder, 100 << 20);
    backend = backend_new(loop, &config, NULL, spill, "gw.example.org");
    mailer_init(&mailer);
    append_large(&mailer, 4);
    ck_assert_ptr_nonnull(spill_write_start(spill, &mailer.message.spool, on_written, &is_written));
    net_run_until(loop, "the disk", net_is_set, &is_written);
    ck_assert_uint_gt(mailer.message.spool.file_length, 4000000);
    append_large(&mailer, 1);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_OK);
    expect_large(&first, 5);
    mailer_clear(&mailer);
    backend_free(&backend);
    spill_free(&spill);
    close(folder);
    tidy();
}
END_TEST

START_TEST(a_message_that_the_disk_lost_gets_no_dot)
{
    struct mailer mailer;
    struct spill *spill;
    bool is_written = false;
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    prepare();
    spill = spill_new(loop, folder, 100 << 20);
    backend = backend_new(loop, &config, NULL, spill, "gw.example.org");
    mailer_init(&mailer);
    append_large(&mailer, 2);
    ck_assert_ptr_nonnull(spill_write_start(spill, &mailer.message.spool, on_written, &is_written));
    net_run_until(loop, "the disk", net_is_set, &is_written);
    ck_assert_int_eq(ftruncate(mailer.message.spool.file->fd, 1000000), 0);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(deliver(&mailer), FORWARD_BROKEN);
    ck_assert_str_eq(mailer.outcome.detail, "the message could not be read from the spool");
    net_run_for(loop, 20);
    ck_assert_int_eq(first.mail_count, 0);
    mailer_clear(&mailer);
    backend_free(&backend);
    spill_free(&spill);
    close(folder);
    tidy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery_pool");
    TCase *keep = tcase_create("keep");
    TCase *wait = tcase_create("wait");
    TCase *large = tcase_create("large");

    tcase_set_timeout(keep, 30);
    tcase_add_test(keep, one_connection_carries_many_mails);
    tcase_add_test(keep, a_connection_is_closed_after_so_many_mails);
    tcase_add_test(keep, an_idle_connection_is_closed_in_time);
    tcase_add_test(keep, no_more_than_so_many_lie_idle_for_long);
    tcase_add_test(keep, a_connection_with_three_refusals_is_not_kept);
    tcase_add_test(keep, a_connection_is_clean_before_it_is_given_out_again);
    tcase_add_test(keep, a_refused_mail_is_reset_and_the_connection_kept);
    tcase_add_test(keep, a_used_connection_that_fails_is_replaced_once);
    tcase_add_test(keep, idle_connections_that_the_backend_closes_are_forgotten);
    tcase_add_test(keep, a_draining_backend_keeps_nothing);
    suite_add_tcase(suite, keep);
    tcase_set_timeout(wait, 30);
    tcase_add_test(wait, who_finds_no_room_waits_for_it_in_order);
    tcase_add_test(wait, waiting_has_an_end);
    tcase_add_test(wait, holds_are_given_up_for_those_who_wait);
    tcase_add_test(wait, a_backend_that_takes_no_more_connections_is_used_by_turns);
    suite_add_tcase(suite, wait);
    tcase_set_timeout(large, 60);
    tcase_add_test(large, a_large_message_arrives_as_it_was);
    tcase_add_test(large, a_message_on_disk_arrives_as_it_was);
    tcase_add_test(large, a_message_that_the_disk_lost_gets_no_dot);
    suite_add_tcase(suite, large);
    return unit_run(suite);
}
