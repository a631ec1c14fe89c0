/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/copy: what is kept of a held mail, as text and back. */
#include "quarantine/copy.h"

#include "base/memory.h"
#include "quarantine_unit.h"

static struct copy copy;
static struct copy back;
static struct text text;
static struct text problem;

static void set_up(void)
{
    copy_init(&copy);
    copy_init(&back);
    text_init(&text, TEXT_MAX_LENGTH);
    text_init(&problem, 1000);
}

static void tear_down(void)
{
    copy_clear(&copy);
    copy_clear(&back);
    text_clear(&text);
    text_clear(&problem);
}

static void expect_string(const char *what, const char *got, const char *want)
{
    ck_assert_msg((got == NULL) == (want == NULL), "%s: got %s, want %s", what,
                  got != NULL ? got : "none", want != NULL ? want : "none");
    if (want != NULL)
        ck_assert_msg(strcmp(got, want) == 0, "%s: got %s, want %s", what, got, want);
}

static void expect_same_envelope(const struct envelope *got, const struct envelope *want)
{
    expect_string("sender", got->sender.text, want->sender.text);
    ck_assert_int_eq(got->has_size, want->has_size);
    ck_assert_uint_eq(got->size_bytes, want->size_bytes);
    ck_assert_int_eq(got->body, want->body);
    ck_assert_int_eq(got->is_smtputf8, want->is_smtputf8);
    ck_assert_int_eq(got->ret, want->ret);
    expect_string("envid", got->envid, want->envid);
    ck_assert_uint_eq(got->recipient_count, want->recipient_count);
    for (size_t i = 0; i < want->recipient_count; i++) {
        const struct recipient *one = &got->recipients[i];
        const struct recipient *other = &want->recipients[i];

        expect_string("recipient", one->address.text, other->address.text);
        ck_assert_uint_eq(one->address.local_length, other->address.local_length);
        ck_assert_uint_eq(one->address.domain_length, other->address.domain_length);
        ck_assert_int_eq(one->address.is_literal, other->address.is_literal);
        ck_assert_uint_eq(one->notify, other->notify);
        expect_string("orcpt", one->orcpt, other->orcpt);
    }
}

static void expect_same(const struct copy *got, const struct copy *want)
{
    expect_string("id", got->id, want->id);
    expect_string("claim", got->claim, want->claim);
    ck_assert_uint_eq(got->held_us, want->held_us);
    ck_assert_uint_eq(got->owner, want->owner);
    ck_assert_int_eq(got->is_pending, want->is_pending);
    expect_same_envelope(&got->envelope, &want->envelope);
    ck_assert(ip_endpoint_equals(&got->client, &want->client));
    ck_assert(ip_endpoint_equals(&got->local, &want->local));
    expect_string("helo", got->helo, want->helo);
    ck_assert_int_eq(got->is_extended, want->is_extended);
    expect_string("backend", got->backend, want->backend);
    for (size_t i = 0; i < want->envelope.recipient_count; i++)
        expect_string("reason", got->reasons[i], want->reasons[i]);
    expect_string("listener", got->listener, want->listener);
    expect_string("tls", got->tls_version, want->tls_version);
    expect_string("domain", got->domain, want->domain);
    expect_string("policy", got->policy, want->policy);
    expect_string("message-id", got->message_id, want->message_id);
    expect_string("header-from", got->header_from, want->header_from);
    expect_string("subject", got->subject, want->subject);
}

/* Printed, read, and printed again as the same bytes. */
static void expect_round_trip(void)
{
    struct text again;

    text_reset(&text);
    copy_print(&text, &copy);
    copy_clear(&back);
    ck_assert_msg(copy_parse(&back, text_slice(&text), &problem), "%s:\n%s",
                  text_string(&problem), text_string(&text));
    expect_same(&back, &copy);
    text_init(&again, TEXT_MAX_LENGTH);
    copy_print(&again, &back);
    unit_expect_text("printed again", &again, text_slice(&text));
    text_clear(&again);
    ck_assert_uint_le(text.length, copy_max_bytes(copy.envelope.recipient_count));
}

START_TEST(the_text_of_a_copy_is_this)
{
    unit_make_full_copy(&copy);
    copy_print(&text, &copy);
    unit_expect_text(
        "copy", &text,
        SLICE("postern-copy 1\n"
              "id 06h0x6s1zxfdk76x-1\n"
              "claim " CLAIM "\n"
              "held-us 1795633242123456\n"
              "held 2026-11-25T19:00:42.123Z\n"
              "owner 7\n"
              "pending yes\n"
              "client [2001:db8::1]:25\n"
              "local [2001:db8::2]:65535\n"
              "extended yes\n"
              "helo [IPv6:2001:db8::1]\n"
              "backend legacy\n"
              "listener inbound\n"
              "tls TLSv1.3\n"
              "domain example.org\n"
              "policy strict\n"
              "message-id <1@example.org>\n"
              "header-from \\\"Bank\\\" <info@bank.example>\n"
              "subject an \\x1b[2J odd\\x0a\\x09 one \\\\ \\xc3\\xa9\\xff \n"
              "smtputf8 yes\n"
              "sender <\\\"odd \\\\\\\" one\\\"@example.org>\n"
              "size 18446744073709551615\n"
              "body 8bitmime\n"
              "ret headers\n"
              "envid QQ+3D314\n"
              "recipient <j\\xc3\\xb6rg@xn--bcher-kva.example>\n"
              "reason rule.strict.spf-fail\n"
              "notify success,failure,delay\n"
              "orcpt utf-8;j\\\\x{F6}rg@example.org\n"
              "recipient <PostMaster>\n"
              "notify never\n"
              "recipient <a@[IPv6:2001:db8::7]>\n"
              "reason mixed.reject\n"));
}
END_TEST

START_TEST(every_field_comes_back)
{
    unit_make_full_copy(&copy);
    expect_round_trip();
    copy_clear(&copy);
    unit_make_copy(&copy, 4294967295u, "<>");
    copy.claim[0] = '\0';
    unit_add_recipient(&copy, "<\"a@b\"@example.org>", "", 0, "");
    expect_round_trip();
    ck_assert(address_is_null(&back.envelope.sender));
    for (int body = BODY_NONE; body <= BODY_BINARYMIME; body++) {
        for (int ret = DSN_RETURN_NONE; ret <= DSN_RETURN_HEADERS; ret++) {
            copy.envelope.body = (enum body_type)body;
            copy.envelope.ret = (enum dsn_return)ret;
            expect_round_trip();
        }
    }
}
END_TEST

START_TEST(a_hundred_recipients_come_back_in_their_order)
{
    unit_make_copy(&copy, 1, "<a@example.org>");
    for (unsigned int i = 0; i < 100; i++) {
        char path[40];

        snprintf(path, sizeof path, "<user%u@example.org>", i);
        unit_add_recipient(&copy, path, i % 2 ? path : NULL, i % 16, i % 3 ? path : NULL);
    }
    expect_round_trip();
}
END_TEST

START_TEST(what_is_too_long_is_cut_and_still_reads)
{
    char *longest = mem_new(COPY_VALUE_MAX_BYTES + 10);

    memset(longest, 0xff, COPY_VALUE_MAX_BYTES + 9);
    unit_make_full_copy(&copy);
    mem_free(copy.subject);
    mem_free(copy.envelope.envid);
    copy.subject = unit_string(longest);
    copy.envelope.envid = unit_string(longest);
    copy_print(&text, &copy);
    ck_assert(copy_parse(&back, text_slice(&text), &problem));
    ck_assert_uint_eq(strlen(back.subject), COPY_VALUE_MAX_BYTES);
    ck_assert_uint_eq(strlen(back.envelope.envid), COPY_WORD_MAX_BYTES);
    mem_free(longest);
}
END_TEST

/* Each is the full copy with `to` in place of `from`. */
static const struct {
    const char *from;
    const char *to;
} wrong_cases[] = {
    { "postern-copy 1", "postern-copy 2" },
    { "postern-copy 1\n", "" },
    { "postern-copy 1\n", "\npostern-copy 1\n" },
    { "id 06h0x6s1zxfdk76x-1\n", "" },
    { "id 06h0x6s1zxfdk76x-1\n", "id 06h0x6s1zxfdk76x-1\nid 06h0x6s1zxfdk76x-1\n" },
    { "id 06h0x6s1zxfdk76x-1", "id ../../etc/passwd" },
    { "id 06h0x6s1zxfdk76x-1", "id 06h0x6s1zxfdk76x-01" },
    { "id 06h0x6s1zxfdk76x-1", "id .06h0x6s1zxfdk76-1" },
    { "id 06h0", "id  06h0" },
    { "claim 0", "claim g" },
    { "claim 0", "claim " },
    { "claim 0", "claim 00" },
    { "claim " CLAIM "\n", "" },
    { "held-us 1795633242123456", "held-us 1795633242123457000" },
    { "held-us 1795633242123456", "held-us 01795633242123456" },
    { "held-us 1795633242123456", "held-us 99999999999999999999" },
    { "held-us 1795633242123456\n", "" },
    { "held 2026", "held 2027" },
    { "held 2026-11-25T19:00:42.123Z\n", "" },
    { "owner 7", "owner 0" },
    { "owner 7", "owner -7" },
    { "pending yes", "pending no" },
    { "pending yes", "pending Yes" },
    { "client [2001:db8::1]:25", "client [2001:DB8::1]:25" },
    { "client [2001:db8::1]:25", "client 192.0.2.1" },
    { "client [2001:db8::1]:25\n", "" },
    { "local [2001:db8::2]:65535", "local [::]:0" },
    { "backend legacy\n", "" },
    { "backend legacy\nlistener inbound\n", "listener inbound\nbackend legacy\n" },
    { "subject an", "subject an\n" },
    { "subject an", "subject an\\x00" },
    { "subject an", "subject \\x61n" },
    { "subject an", "subject an\r" },
    { "subject an", "Subject an" },
    { "\\xc3\\xa9\\xff", "\xc3\xa9" },
    { "policy strict\n", "policy strict\nunknown x\n" },
    { "smtputf8 yes\n", "" },
    { "sender <", "sender " },
    { "sender <", "sender <@example.net:" },
    { "sender <\\\"odd \\\\\\\" one\\\"@example.org>", "sender <a@EXAMPLE.org>" },
    { "sender <\\\"odd \\\\\\\" one\\\"@example.org>", "sender <a@example.org> " },
    { "sender <\\\"odd \\\\\\\" one\\\"@example.org>", "sender a@example.org" },
    { "sender <\\\"odd \\\\\\\" one\\\"@example.org>\n", "" },
    { "size 18446744073709551615", "size 18446744073709551616" },
    { "body 8bitmime", "body none" },
    { "body 8bitmime", "body 8BITMIME" },
    { "ret headers", "ret" },
    { "envid QQ", "envid  QQ\n" },
    { "recipient <PostMaster>", "recipient <>" },
    { "recipient <PostMaster>", "recipient <user>" },
    { "notify never", "notify never,never" },
    { "notify never", "notify sometimes" },
    { "notify never", "notify " },
    { "notify success,failure,delay", "notify failure,success,delay" },
    { "notify never\n", "notify never\nnotify never\n" },
    { "reason mixed.reject\n", "reason mixed.reject" },
    { "reason mixed.reject\n", "reason mixed.reject\n\n" },
    { "reason mixed.reject\n", "orcpt x\nreason mixed.reject\n" },
};

START_TEST(what_was_not_printed_so_is_not_read)
{
    struct text changed;

    unit_make_full_copy(&copy);
    copy_print(&text, &copy);
    text_init(&changed, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < COUNT(wrong_cases); i++) {
        const char *at = strstr(text_string(&text), wrong_cases[i].from);

        ck_assert_msg(at != NULL, "case %zu is about nothing", i);
        text_reset(&changed);
        text_reset(&problem);
        text_add(&changed, slice_until(text_slice(&text), (size_t)(at - text.data)));
        text_add_string(&changed, wrong_cases[i].to);
        text_add_string(&changed, at + strlen(wrong_cases[i].from));
        ck_assert_msg(!copy_parse(&back, text_slice(&changed), &problem),
                      "case %zu: \"%s\" is read", i, wrong_cases[i].to);
        ck_assert_msg(problem.length > 0, "case %zu: no sentence", i);
        ck_assert_uint_eq(back.envelope.recipient_count, 0);
        ck_assert_ptr_null(back.backend);
    }
    text_clear(&changed);
}
END_TEST

START_TEST(a_text_cut_anywhere_is_not_read_as_another_one)
{
    size_t whole_recipients = 0;

    unit_make_full_copy(&copy);
    copy_print(&text, &copy);
    for (size_t length = 0; length < text.length; length++) {
        struct slice cut = slice_until(text_slice(&text), length);

        /* Behind a whole line of a recipient nothing is missing; the checksum sees to that. */
        if (!copy_parse(&back, cut, &problem))
            continue;
        ck_assert_msg(cut.data[length - 1] == '\n', "cut at %zu", length);
        whole_recipients++;
    }
    ck_assert_uint_eq(whole_recipients, 7);
}
END_TEST

START_TEST(there_is_a_ceiling_for_recipients)
{
    static const char line[] = "recipient <a@b>\n";

    unit_make_copy(&copy, 1, "<>");
    copy_print(&text, &copy);
    ck_assert_msg(!copy_parse(&back, text_slice(&text), &problem), "no recipient at all");
    for (size_t i = 0; i < COPY_MAX_RECIPIENTS; i++)
        text_add_string(&text, line);
    ck_assert_msg(copy_parse(&back, text_slice(&text), &problem), "%s", text_string(&problem));
    copy_clear(&back);
    text_add_string(&text, line);
    ck_assert(!copy_parse(&back, text_slice(&text), &problem));
}
END_TEST

START_TEST(only_the_id_of_a_transaction_names_a_file)
{
    static const struct {
        struct slice id;
        bool is_valid;
    } cases[] = {
        { BYTES("06h0x6s1zxfdk76x-1"), true },
        { BYTES("zzzzzzzzzzzzzzzz-9999999999"), true },
        { BYTES("06h0x6s1zxfdk76x-10"), true },
        { BYTES("06h0x6s1zxfdk76x-99999999999"), false },
        { BYTES("06h0x6s1zxfdk76x-0"), false },
        { BYTES("06h0x6s1zxfdk76x-"), false },
        { BYTES("06h0x6s1zxfdk76x"), false },
        { BYTES("06h0x6s1zxfdk76-11"), false },
        { BYTES("06h0x6s1zxfdk76i-1"), false },
        { BYTES("06H0X6S1ZXFDK76X-1"), false },
        { BYTES("../x6s1zxfdk76x/-1"), false },
        { BYTES("06h0x6s1zxfdk76x-1/"), false },
        { BYTES("06h0x6s1zxfdk76x-1\0"), false },
        { BYTES("06h0x6s1zxfdk7\0x-1"), false },
        { BYTES("06h0x6s1zxfdk76x-1a"), false },
        { BYTES(""), false },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(copy_id_is_valid(cases[i].id) == cases[i].is_valid, "case %zu", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: copy");
    TCase *tests = tcase_create("copy");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_text_of_a_copy_is_this);
    tcase_add_test(tests, every_field_comes_back);
    tcase_add_test(tests, a_hundred_recipients_come_back_in_their_order);
    tcase_add_test(tests, what_is_too_long_is_cut_and_still_reads);
    tcase_add_test(tests, what_was_not_printed_so_is_not_read);
    tcase_add_test(tests, a_text_cut_anywhere_is_not_read_as_another_one);
    tcase_add_test(tests, there_is_a_ceiling_for_recipients);
    tcase_add_test(tests, only_the_id_of_a_transaction_names_a_file);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
