/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/index_query: what a filter finds, in order, page by page. */
#include "quarantine_index_unit.h"

static struct hold hold;

struct mail_case {
    unsigned int number;
    const char *sender;
    const char *client;
    const char *subject;
    const char *header_from;
    const char *recipients[3];
    const char *reasons[3];
};

static const struct mail_case mails[] = {
    { 1, "<a@example.org>", "192.0.2.1:1", "Your invoice", "\"Bank\" <bank@example.org>",
      { "<u@one.example>", "<v@one.example>" }, { "rule.standard.spf-fail", "mixed.reject" } },
    { 2, "<A@Example.Org>", "192.0.2.255:2", NULL, NULL, { "<u@two.example>" },
      { "rule.strict.spf-fail" } },
    { 3, "<>", "[2001:db8::1]:3", "INVOICE \xc3\xa9", "b@sub.example.org", { "<w@one.example>" },
      { "rule.standard.own-domain" } },
    { 4, "<b@sub.example.org>", "198.51.100.1:4", "hello", "\"a % _ ' quote\" <x@example.org>",
      { "<u@one.example>", "<v@two.example>", "<PostMaster>" },
      { "rule.standard.spf-fail", NULL, "mixed.reject" } },
};

static void add_mail(const struct mail_case *mail)
{
    struct copy copy;

    unit_make_copy(&copy, mail->number, mail->sender);
    ck_assert(ip_endpoint_parse(slice_from(mail->client), &copy.client));
    copy.subject = unit_string(mail->subject);
    copy.header_from = unit_string(mail->header_from);
    for (size_t i = 0; i < 3 && mail->recipients[i] != NULL; i++)
        unit_add_recipient(&copy, mail->recipients[i], mail->reasons[i], 0, NULL);
    index_add(hold.index, &copy, true, 100);
    copy_clear(&copy);
}

/* 1: held, held. 2: deleted. 3: releasing. 4: held, released, held. */
static void set_up(void)
{
    unit_set_up_folder();
    hold = unit_open_hold();
    for (size_t i = COUNT(mails); i-- > 0;)
        add_mail(&mails[i]);
    unit_say(&hold, 2, AUDIT_DELETE, 0, 0, "u@two.example");
    unit_say(&hold, 3, AUDIT_RELEASE, 0, 1, "w@one.example");
    unit_say(&hold, 4, AUDIT_RELEASE, 1, 1, "v@two.example");
    unit_say(&hold, 4, AUDIT_RELEASED, 1, 1, "v@two.example");
    index_catch_up(hold.index);
}

static void tear_down(void)
{
    unit_close_hold(&hold);
    unit_tear_down_folder();
}

static bool add_number(void *owner, const struct index_mail *mail)
{
    text_add_string(owner, mail->id + strlen("06h0x6s1zxfdk76x-"));
    return true;
}

/* The numbers of the mails that are found. */
static void expect_found(size_t line, const struct index_filter *filter, const char *want)
{
    struct text got;

    text_init(&got, 100);
    index_each(hold.index, filter, add_number, &got);
    ck_assert_msg(strcmp(text_string(&got), want) == 0, "case %zu: got %s, want %s", line,
                  text_string(&got), want);
    text_clear(&got);
}

#define AT(number) (HELD_US + (number) * 1000000u)

static const struct {
    struct index_filter filter;
    const char *want;
} cases[] = {
    { { .limit = 0 }, "134" },
    { { .id = "06h0x6s1zxfdk76x-3" }, "3" },
    { { .id = "06h0x6s1zxfdk76x-2" }, "" },
    { { .id = "06h0x6s1zxfdk76x-2", .states = ALL_STATES }, "2" },
    { { .id = "' OR 1 --" }, "" },
    { { .id = "" }, "134" },
    { { .states = ALL_STATES }, "1234" },
    { { .states = 1u << COPY_DELETED }, "2" },
    { { .states = 1u << COPY_RELEASING | 1u << COPY_RELEASED }, "34" },
    { { .states = 1u << COPY_PENDING }, "" },
    { { .states = ALL_STATES, .sender = "a@example.org" }, "12" },
    { { .states = ALL_STATES, .sender = "a@EXAMPLE.ORG" }, "12" },
    { { .states = ALL_STATES, .sender = "@example.org" }, "12" },
    { { .states = ALL_STATES, .sender = "@sub.example.org" }, "4" },
    { { .states = ALL_STATES, .sender = "@org" }, "" },
    { { .states = ALL_STATES, .sender = "example.org" }, "" },
    { { .states = ALL_STATES, .sender = "<>" }, "3" },
    { { .states = ALL_STATES, .sender = "" }, "1234" },
    { { .states = ALL_STATES, .sender = "%" }, "" },
    { { .recipient = "u@one.example" }, "14" },
    { { .recipient = "@one.example" }, "134" },
    { { .recipient = "postmaster" }, "4" },
    { { .recipient = "v@two.example" }, "" },
    { { .recipient = "v@two.example", .states = 1u << COPY_RELEASED }, "4" },
    { { .recipient = "u@one.example", .states = 1u << COPY_RELEASED }, "" },
    { { .client = "192.0.2.1" }, "1" },
    { { .client = "192.0.2.0/24", .states = ALL_STATES }, "12" },
    { { .client = "192.0.2.0/25", .states = ALL_STATES }, "1" },
    { { .client = "2001:db8::/32" }, "3" },
    { { .client = "0.0.0.0/0" }, "14" },
    { { .client = "::/0" }, "3" },
    { { .client = "192.0.2.1/24" }, "" },
    { { .client = "nonsense" }, "" },
    { { .reason = "rule.standard.spf-fail" }, "14" },
    { { .reason = "RULE.standard.*" }, "134" },
    { { .reason = "rule.*", .states = ALL_STATES }, "1234" },
    { { .reason = "rule.standard" }, "" },
    { { .reason = "*" }, "134" },
    { { .reason = "mixed.reject", .recipient = "v@one.example" }, "1" },
    { { .reason = "mixed.reject", .recipient = "u@one.example" }, "" },
    { { .text = "invoice" }, "13" },
    { { .text = "BANK" }, "1" },
    { { .text = "% _ ' quote" }, "4" },
    { { .text = "\xc3\xa9" }, "3" },
    { { .text = "nothing of the kind" }, "" },
    { { .since_us = AT(3) }, "34" },
    { { .before_us = AT(3) }, "1" },
    { { .since_us = AT(1), .before_us = AT(1) }, "" },
    { { .since_us = UINT64_MAX }, "" },
    { { .before_us = UINT64_MAX }, "134" },
    { { .limit = 2 }, "13" },
    { { .limit = 1, .sender = "@sub.example.org" }, "4" },
    { { .after_held_us = AT(1), .after_id = "06h0x6s1zxfdk76x-1" }, "34" },
    { { .after_held_us = AT(1), .after_id = "06h0x6s1zxfdk76x-0" }, "134" },
    { { .after_held_us = AT(4), .after_id = "06h0x6s1zxfdk76x-4" }, "" },
    { { .after_held_us = UINT64_MAX, .after_id = "06h0x6s1zxfdk76x-4" }, "" },
    { { .after_held_us = AT(1), .after_id = "06h0x6s1zxfdk76x-1", .limit = 1 }, "3" },
    { { .sender = "a@example.org", .client = "192.0.2.0/24", .reason = "rule.*",
        .text = "invoice", .since_us = AT(1), .recipient = "@one.example" }, "1" },
    { { .sender = "a@example.org", .client = "192.0.2.0/24", .reason = "rule.*",
        .text = "invoice", .since_us = AT(2), .recipient = "@one.example" }, "" },
};

START_TEST(filters_find_what_they_should)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_found(i, &cases[i].filter, cases[i].want);
}
END_TEST

static bool stop_at_second(void *owner, const struct index_mail *mail)
{
    unsigned int *count = owner;

    (void)mail;
    return ++*count < 2;
}

START_TEST(a_walk_ends_when_it_is_told_to_and_the_next_one_begins_anew)
{
    struct index_filter filter = { .limit = 0 };

    for (int i = 0; i < 3; i++) {
        unsigned int count = 0;

        index_each(hold.index, &filter, stop_at_second, &count);
        ck_assert_uint_eq(count, 2);
    }
    expect_found(0, &filter, "134");
}
END_TEST

/* Two keepers: one is in the middle of a walk while the other writes. */
static bool delete_next(void *owner, const struct index_mail *mail)
{
    struct hold *other = owner;

    (void)mail;
    unit_say(other, 1, AUDIT_DELETE, 0, 0, "u@one.example");
    unit_say(other, 4, AUDIT_DELETE, 0, 0, "u@one.example");
    index_catch_up(other->index);
    index_remove(other->index, "06h0x6s1zxfdk76x-3");
    return true;
}

START_TEST(a_walk_sees_one_moment)
{
    struct hold other = unit_open_hold();
    struct index_filter filter = { .limit = 0 };

    text_reset(&logged);
    /* Opening it has forgotten all mails, for there are no files. */
    for (size_t i = 0; i < COUNT(mails); i++)
        add_mail(&mails[i]);
    expect_found(0, &filter, "1234");
    index_each(hold.index, &filter, delete_next, &other);
    expect_found(1, &filter, "124");
    ck_assert_str_eq(text_string(&logged), "");
    unit_close_hold(&other);
}
END_TEST

START_TEST(totals_count_what_is_there)
{
    struct index_totals totals = index_get_totals(hold.index);

    ck_assert_uint_eq(totals.mail_count, 4);
    ck_assert_uint_eq(totals.file_bytes, 400);
    ck_assert_uint_eq(totals.oldest_us, AT(1));
    index_remove(hold.index, "06h0x6s1zxfdk76x-1");
    index_remove(hold.index, "06h0x6s1zxfdk76x-77");
    totals = index_get_totals(hold.index);
    ck_assert_uint_eq(totals.mail_count, 3);
    ck_assert_uint_eq(totals.oldest_us, AT(2));
    for (unsigned int number = 2; number <= 4; number++) {
        char id[COPY_ID_MAX_BYTES + 1];

        snprintf(id, sizeof id, "06h0x6s1zxfdk76x-%u", number);
        index_remove(hold.index, id);
    }
    totals = index_get_totals(hold.index);
    ck_assert_uint_eq(totals.mail_count + totals.file_bytes + totals.oldest_us, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: index_query");
    TCase *tests = tcase_create("index_query");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, filters_find_what_they_should);
    tcase_add_test(tests, a_walk_ends_when_it_is_told_to_and_the_next_one_begins_anew);
    tcase_add_test(tests, a_walk_sees_one_moment);
    tcase_add_test(tests, totals_count_what_is_there);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
