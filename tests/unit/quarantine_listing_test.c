/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/listing: held mail for people and for programs. */
#include "quarantine/listing.h"

#include <string.h>

#include "unit.h"

#define HELD_US 1795633241123456u

static struct text out;

static void set_up(void)
{
    text_init(&out, TEXT_MAX_LENGTH);
}

static void tear_down(void)
{
    text_clear(&out);
}

/* Held for one, released to another; a subject that would clear the terminal. */
static const struct index_recipient recipients[] = {
    { 0, "u@one.example", "rule.standard.spf-fail", COPY_RELEASED, HELD_US + 5000000u,
      18446744073709551615u, "uid 1000", "10.0.0.5:25 said \"250 ok\"" },
    { 1, "j\xc3\xb6rg@two.example", "mixed.reject", COPY_HELD, HELD_US, 0, "", "" },
    { 2, "w@three.example", "mixed.reject", COPY_HELD, 0, 0, "", "" },
};

static const struct index_mail full = {
    .id = "06h0x6s1zxfdk76x-1",
    .held_us = HELD_US,
    .file_bytes = 12345,
    .owner = 7,
    .claim = "the claim is secret",
    .sender = "sender@example.org",
    .client = "192.0.2.1:4242",
    .helo = "client.example",
    .listener = "inbound",
    .domain = "one.example",
    .policy = "standard",
    .backend = "legacy",
    .message_id = "<1@example.org>",
    .header_from = "\"Bank\" <info@bank.example>",
    .subject = "an \x1b[2J odd\none \xc3\xa9\xff",
    .recipients = recipients,
    .recipient_count = 3,
};

static const struct index_mail bare = {
    .id = "06h0x6s1zxfdk76x-2147483647",
    .claim = "", .sender = "", .client = "", .helo = "", .listener = "", .domain = "",
    .policy = "", .backend = "", .message_id = "", .header_from = "", .subject = "",
};

START_TEST(a_line_is_this)
{
    struct index_mail damaged = bare;

    damaged.is_damaged = true;
    damaged.held_us = HELD_US;
    damaged.sender = "<>";
    listing_print_head(&out);
    listing_print_line(&out, &full);
    listing_print_line(&out, &damaged);
    unit_expect_text(
        "lines", &out,
        SLICE("ID                   HELD (UTC)        STATE       SIZE  FROM  TO  REASON  SUBJECT\n"
              "06h0x6s1zxfdk76x-1   2026-11-25 19:00  held,released   13K  sender@example.org"
              "  u@one.example +2  rule.standard.spf-fail +1"
              "  an \\x1b[2J odd\\x0aone \\xc3\\xa9\\xff\n"
              "06h0x6s1zxfdk76x-2147483647  2026-11-25 19:00                 -  <>  -  -"
              "  (damaged)\n"));
}
END_TEST

START_TEST(a_size_takes_five_columns)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = {
        { 1, "    1" },        { 9999, " 9999" },       { 10000, "  10K" },
        { 10240, "  10K" },    { 10241, "  11K" },      { 10238976, "9999K" },
        { 10238977, "  10M" }, { 1ull << 40, "1024G" }, { UINT64_MAX, "  16E" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct index_mail mail = bare;
        size_t column = strlen(bare.id) + 2 + 16 + 2 + 10 + 1;
        struct slice got;

        mail.file_bytes = cases[i].bytes;
        text_reset(&out);
        listing_print_line(&out, &mail);
        got = slice_until(slice_from_offset(text_slice(&out), column), 5);
        ck_assert_msg(slice_equals(got, slice_from(cases[i].want)), "%llu: got \"%.*s\"",
                      (unsigned long long)cases[i].bytes, SLICE_ARGS(got));
    }
}
END_TEST

START_TEST(all_of_it_is_a_line_for_each_value_that_is_known)
{
    listing_print_all(&out, &full);
    unit_expect_text("all", &out,
                     SLICE("id          06h0x6s1zxfdk76x-1\n"
                           "held        2026-11-25T19:00:41.123Z\n"
                           "file        12345 bytes\n"
                           "sender      sender@example.org\n"
                           "client      192.0.2.1:4242\n"
                           "helo        client.example\n"
                           "listener    inbound\n"
                           "domain      one.example\n"
                           "policy      standard\n"
                           "backend     legacy\n"
                           "message-id  <1@example.org>\n"
                           "from        \\\"Bank\\\" <info@bank.example>\n"
                           "subject     an \\x1b[2J odd\\x0aone \\xc3\\xa9\\xff\n"
                           "recipient   u@one.example\n"
                           "  state     released since 2026-11-25T19:00:46.123Z\n"
                           "  reason    rule.standard.spf-fail\n"
                           "  attempt   18446744073709551615\n"
                           "  by        uid 1000\n"
                           "  said      10.0.0.5:25 said \\\"250 ok\\\"\n"
                           "recipient   j\\xc3\\xb6rg@two.example\n"
                           "  state     held since 2026-11-25T19:00:41.123Z\n"
                           "  reason    mixed.reject\n"
                           "recipient   w@three.example\n"
                           "  state     held\n"
                           "  reason    mixed.reject\n"));
    text_reset(&out);
    listing_print_all(&out, &bare);
    unit_expect_text("nothing", &out,
                     SLICE("id          06h0x6s1zxfdk76x-2147483647\n"
                           "held        1970-01-01T00:00:00.000Z\n"
                           "file        gone\n"));
}
END_TEST

START_TEST(json_is_one_object_on_one_line)
{
    listing_print_json(&out, &full);
    unit_expect_text(
        "json", &out,
        SLICE("{\"id\":\"06h0x6s1zxfdk76x-1\",\"held\":\"2026-11-25T19:00:41.123Z\","
              "\"file_bytes\":12345,\"damaged\":false,\"sender\":\"sender@example.org\","
              "\"client\":\"192.0.2.1:4242\",\"helo\":\"client.example\",\"listener\":\"inbound\","
              "\"domain\":\"one.example\",\"policy\":\"standard\",\"backend\":\"legacy\","
              "\"message_id\":\"<1@example.org>\","
              "\"header_from\":\"\\\"Bank\\\" <info@bank.example>\","
              "\"subject\":\"an \\u001b[2J odd\\u000aone \xc3\xa9\\ufffd\",\"recipients\":["
              "{\"number\":0,\"address\":\"u@one.example\",\"reason\":\"rule.standard.spf-fail\","
              "\"state\":\"released\",\"changed\":\"2026-11-25T19:00:46.123Z\","
              "\"attempt\":\"18446744073709551615\",\"by\":\"uid 1000\","
              "\"said\":\"10.0.0.5:25 said \\\"250 ok\\\"\"},"
              "{\"number\":1,\"address\":\"j\xc3\xb6rg@two.example\",\"reason\":\"mixed.reject\","
              "\"state\":\"held\",\"changed\":\"2026-11-25T19:00:41.123Z\",\"attempt\":\"\","
              "\"by\":\"\",\"said\":\"\"},"
              "{\"number\":2,\"address\":\"w@three.example\",\"reason\":\"mixed.reject\","
              "\"state\":\"held\",\"changed\":\"\",\"attempt\":\"\",\"by\":\"\","
              "\"said\":\"\"}]}\n"));
    text_reset(&out);
    listing_print_json(&out, &bare);
    ck_assert_ptr_nonnull(strstr(text_string(&out), ",\"recipients\":[]}\n"));
}
END_TEST

START_TEST(nothing_foreign_acts_and_nothing_takes_more_than_was_said)
{
    static void (*const prints[])(struct text *, const struct index_mail *) = {
        listing_print_line, listing_print_all, listing_print_json,
    };
    char odd[600];
    struct index_recipient recipient = { 4294967295u, odd, odd, COPY_UNCERTAIN, UINT64_MAX,
                                         UINT64_MAX, odd, odd };
    struct index_mail mail = bare;

    mail.sender = mail.client = mail.helo = mail.listener = mail.domain = mail.policy = odd;
    mail.backend = mail.message_id = mail.header_from = mail.subject = odd;
    mail.held_us = mail.file_bytes = UINT64_MAX;
    mail.recipients = &recipient;
    mail.recipient_count = 1;
    for (size_t length = 0; length < sizeof odd; length += 299) {
        for (size_t i = 0; i < length; i++)
            odd[i] = (char)(1 + i % 31);
        odd[length] = '\0';
        for (size_t i = 0; i < COUNT(prints); i++) {
            text_reset(&out);
            prints[i](&out, &mail);
            ck_assert_uint_le(out.length, listing_max_bytes(&mail));
            for (size_t at = 0; at < out.length; at++)
                ck_assert(ascii_is_printable(out.data[at]) || out.data[at] == '\n');
            ck_assert_int_eq(out.data[out.length - 1], '\n');
        }
    }
}
END_TEST

START_TEST(the_claim_is_shown_to_nobody)
{
    listing_print_line(&out, &full);
    listing_print_all(&out, &full);
    listing_print_json(&out, &full);
    ck_assert_ptr_null(strstr(text_string(&out), "secret"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: listing");
    TCase *tests = tcase_create("listing");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_line_is_this);
    tcase_add_test(tests, a_size_takes_five_columns);
    tcase_add_test(tests, all_of_it_is_a_line_for_each_value_that_is_known);
    tcase_add_test(tests, json_is_one_object_on_one_line);
    tcase_add_test(tests, nothing_foreign_acts_and_nothing_takes_more_than_was_said);
    tcase_add_test(tests, the_claim_is_shown_to_nobody);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
