/* SPDX-License-Identifier: BSD-2-Clause */
/* tools/log_line and tools/logged_mail: lines of the log read back. */
#include "tools/log_line.h"

#include "record/record.h"
#include "tools/logged_mail.h"
#include "unit.h"

static const char *get(const struct log_line *line, const char *key)
{
    const char *value = log_line_find(line, key);

    return value != NULL ? value : "(none)";
}

static void parse_address(struct address *address, const char *path, enum address_form form)
{
    size_t used;

    ck_assert_int_eq(address_parse(slice_from(path), form, true, address, &used), ADDRESS_OK);
}

START_TEST(what_record_prints_is_read_back_in_either_form)
{
    static const char *const tags[] = { "unsigned", "no-tls" };
    struct record_style style = { .format = _i == 0 ? RECORD_LOGFMT : RECORD_JSON };
    struct address sender = { .text = NULL };
    struct address recipient = { .text = NULL };
    struct record_recipient recipients[2] = { { &recipient, 250, "" },
                                              { &recipient, 550, "relay.denied" } };
    struct log_line line;
    struct record record;
    struct text out;

    parse_address(&sender, "<>", ADDRESS_REVERSE_PATH);
    parse_address(&recipient, "<\"a,b\"@example.org>", ADDRESS_FORWARD_PATH);
    record_init(&record);
    record.verdict = RECORD_VERDICT_ACCEPT;
    record.helo = "say \"hi\"\\ \x01 \xc3\xa4 = ";
    record.sender = &sender;
    record.recipients = recipients;
    record.recipient_count = 2;
    record.size_bytes = 4000;
    record.is_8bit = true;
    record.spf = "fail";
    record.tags = tags;
    record.tag_count = 2;
    text_init(&out, record_max_bytes(2));
    record_print(&out, &record, &style);
    ck_assert(log_line_parse(&line, text_slice(&out)));
    ck_assert_str_eq(get(&line, "event"), "transaction");
    ck_assert_str_eq(get(&line, "verdict"), "accept");
    ck_assert_str_eq(get(&line, "helo"), record.helo);
    ck_assert_str_eq(get(&line, "from"), "<>");
    ck_assert_str_eq(get(&line, "rcpts"),
                     "\"a,b\"@example.org:250,\"a,b\"@example.org:550:relay.denied");
    ck_assert_str_eq(get(&line, "size"), "4000");
    ck_assert_str_eq(get(&line, "spf"), "fail");
    ck_assert_str_eq(get(&line, "tags"), "unsigned,no-tls");
    ck_assert_str_eq(get(&line, "dkim"), "(none)");
    log_line_clear(&line);
    text_clear(&out);
    address_clear(&sender);
    address_clear(&recipient);
}
END_TEST

START_TEST(what_is_no_line_of_ours_is_refused)
{
    static const char *const lines[] = {
        "", " ", "hello", "event", "=x", "ts=1", "event=", "event=\"x", "event=x rcpts=a",
        "event=x rcpts=\"", "{", "{}", "{\"event\"", "{\"event\":", "{\"event\":}",
        "{\"event\":\"x\"", "{\"event\":\"x\" \"a\":1}", "{\"event\":[\"x\"", "{\"event\":[1]}",
        "{\"event\":\"\\u12\"}", "{\"event\":\"\\q\"}", "{\"a\":{\"event\":1}}",
    };

    for (size_t i = 0; i < COUNT(lines); i++) {
        struct log_line line;

        if (log_line_parse(&line, slice_from(lines[i]))) {
            /* What is left has to be whole. */
            ck_assert_msg(false, "taken: %s", lines[i]);
            log_line_clear(&line);
        }
    }
}
END_TEST

static void expect_recipients(const char *rcpts, const char *want)
{
    struct logged_mail logged;
    struct log_line line;
    struct text text;
    struct text got;

    text_init(&text, 2000);
    text_init(&got, 2000);
    text_add_format(&text, "event=transaction verdict=accept client=[2001:db8::1]:25 helo=x "
                           "from=<> rcpts=\"%s\" size=4",
                    rcpts);
    ck_assert(log_line_parse(&line, text_slice(&text)));
    ck_assert_int_eq(logged_mail_init(&logged, &line), LOGGED_OK);
    for (size_t i = 0; i < logged.mail.recipient_count; i++)
        text_add_format(&got, "%s|", logged.mail.recipients[i]);
    ck_assert_str_eq(text_string(&got), want);
    logged_mail_clear(&logged);
    log_line_clear(&line);
    text_clear(&got);
    text_clear(&text);
}

START_TEST(recipients_are_told_from_their_codes)
{
    expect_recipients("a@example.org:250", "a@example.org|");
    expect_recipients("a@example.org", "a@example.org|");
    expect_recipients("postmaster:250,a@b.example:451:dns.temperror", "postmaster|a@b.example|");
    expect_recipients("a@[IPv6:2001:db8::1]:550:relay.denied", "a@[IPv6:2001:db8::1]|");
    expect_recipients("\\\"a:1,b\\\"@b.example:250,c@d.example:250",
                      "\"a:1,b\"@b.example|c@d.example|");
}
END_TEST

START_TEST(findings_are_those_of_the_line)
{
    struct logged_mail logged;
    struct log_line line;

    ck_assert(log_line_parse(&line, SLICE("event=transaction verdict=reject client=192.0.2.1:25 "
                                          "helo=x from=a@b.example rcpts=\"c@d.example:550\" "
                                          "header_from=a@b.example size=77 spf=fail "
                                          "spf_dom=b.example dkim=pass "
                                          "dkim_dom=e.example,f.example dmarc=fail "
                                          "dmarc_p=reject")));
    ck_assert_int_eq(logged_mail_init(&logged, &line), LOGGED_OK);
    ck_assert_uint_eq(logged.findings.done, CHECK_BIT(CHECK_SPF) | CHECK_BIT(CHECK_DKIM) |
                                                CHECK_BIT(CHECK_DMARC));
    ck_assert_int_eq(logged.findings.spf.result, RESULT_FAIL);
    ck_assert_str_eq(logged.findings.spf.domain, "b.example");
    ck_assert_uint_eq(logged.findings.dkim.signature_count, 2);
    ck_assert_str_eq(logged.findings.dkim.signatures[1].domain, "f.example");
    ck_assert_int_eq(logged.findings.dmarc.policy, DMARC_POLICY_REJECT);
    ck_assert(logged.memory.has_content);
    ck_assert_uint_eq(logged.memory.size_bytes, 77);
    logged_mail_clear(&logged);
    log_line_clear(&line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_line");
    TCase *tests = tcase_create("lines");

    tcase_add_loop_test(tests, what_record_prints_is_read_back_in_either_form, 0, 2);
    tcase_add_test(tests, what_is_no_line_of_ours_is_refused);
    tcase_add_test(tests, recipients_are_told_from_their_codes);
    tcase_add_test(tests, findings_are_those_of_the_line);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
