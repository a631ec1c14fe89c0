/* SPDX-License-Identifier: BSD-2-Clause */
/* record/: the line about a transaction, byte for byte, and what hostile values do to it. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "record/record.h"
#include "unit.h"

/* 2026-11-22T14:03:05.123Z */
#define WALL_US 1795356185123000ull

static struct address sender, first, second;

static void parse(struct address *address, const char *path)
{
    size_t used;

    ck_assert_msg(address_parse(slice_from(path), ADDRESS_FORWARD_PATH, true, address, &used) ==
                      ADDRESS_OK, "cannot read %s", path);
}

static void set_up(void)
{
    memset(&sender, 0, sizeof sender);
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    parse(&sender, "<anna@example.net>");
    parse(&first, "<bob@example.org>");
    parse(&second, "<\"o dd\"@example.org>");
}

static void tear_down(void)
{
    address_clear(&sender);
    address_clear(&first);
    address_clear(&second);
}

static struct ip_endpoint endpoint(const char *text)
{
    struct ip_endpoint result;

    ck_assert(ip_endpoint_parse(slice_from(text), &result));
    return result;
}

static struct record_recipient recipients[2];
static const char *const tags[] = { "bulk", "unsigned" };

/* Every field has a value. */
static struct record full_record(void)
{
    struct record record;

    recipients[0] = (struct record_recipient){ &first, 250, "" };
    recipients[1] = (struct record_recipient){ &second, 550, "recipient.unknown" };
    record_init(&record);
    record.event = RECORD_TRANSACTION;
    record.wall_us = WALL_US;
    record.verdict = RECORD_VERDICT_ACCEPT;
    record.client = endpoint("192.0.2.7:40123");
    record.session_id = "06f8xs00000000a1";
    record.transaction_id = "06f8xs00000000a2";
    record.listener = "inbound";
    record.helo = "mail.example.net";
    record.relay = "printers";
    record.tls_version = "TLSv1.3";
    record.tls_cipher = "TLS_AES_256_GCM_SHA384";
    record.tls_server_name = "mx.example.org";
    record.tls_is_resumed = true;
    record.sender = &sender;
    record.recipients = recipients;
    record.recipient_count = 2;
    record.message_id = "<1@example.net>";
    record.header_from = "anna@example.net";
    record.size_bytes = 2345;
    record.is_8bit = true;
    record.is_smtputf8 = true;
    record.has_broken_header = true;
    record.domain = "example.org";
    record.policy = "strict";
    record.rule = "rule.strict.otherwise";
    record.reason = "policy.reject";
    record.phase = "message";
    record.shadow_rule = "rule.strict.big";
    record.shadow_action = "tempfail";
    record.shadow_phase = "mail";
    record.tags = tags;
    record.tag_count = 2;
    record.reply_code = 250;
    record.reply_enhanced = "2.0.0";
    record.backend = "legacy";
    record.backend_address = endpoint("[2001:db8::25]:25");
    record.backend_tls = "TLSv1.2";
    record.backend_is_reused = true;
    record.backend_code = 250;
    record.backend_reply = "2.0.0 Ok: queued as 4F2";
    record.backend_queue_id = "4F2";
    record.rcpt_ms = 3;
    record.data_ms = 14;
    record.check_ms = 0;
    record.backend_ms = 21;
    record.total_ms = 44;
    record.command_count = 9;
    record.error_count = 1;
    record.foreign = "GET / HTTP/1.1";
    record.generation = 2;
    record.close_reason = "quit";
    record.detail = "Connection reset by peer";
    return record;
}

static void expect_line(const struct record *record, const struct record_style *style,
                        const char *want)
{
    struct text out;

    text_init(&out, TEXT_MAX_LENGTH);
    record_print(&out, record, style);
    unit_expect_text("line", &out, slice_from(want));
    text_clear(&out);
}

START_TEST(every_field_of_logfmt_has_its_place)
{
    struct record record = full_record();
    struct record_style style = { .format = RECORD_LOGFMT };

    expect_line(&record, &style,
                "ts=2026-11-22T14:03:05.123Z v=1 event=transaction verdict=accept "
                "client=192.0.2.7:40123 sid=06f8xs00000000a1 txn=06f8xs00000000a2 "
                "listener=inbound helo=mail.example.net relay=printers "
                "tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=mx.example.org tls_resumed=yes "
                "from=anna@example.net rcpts=\"bob@example.org:250,\\\"o dd\\\"@example.org:550:"
                "recipient.unknown\" rcpt_count=2 msgid=<1@example.net> "
                "header_from=anna@example.net size=2345 8bit=yes smtputf8=yes header_broken=yes "
                "domain=example.org policy=strict rule=rule.strict.otherwise reason=policy.reject "
                "phase=message shadow=rule.strict.big shadow_action=tempfail shadow_phase=mail "
                "tags=\"bulk,unsigned\" reply=250 dsn=2.0.0 "
                "backend=legacy backend_addr=[2001:db8::25]:25 backend_tls=TLSv1.2 "
                "backend_reused=yes backend_code=250 "
                "backend_reply=\"2.0.0 Ok: queued as 4F2\" backend_qid=4F2 "
                "rcpt_ms=3 data_ms=14 check_ms=0 backend_ms=21 total_ms=44 "
                "commands=9 errors=1 foreign=\"GET / HTTP/1.1\" "
                "gen=2 close=quit detail=\"Connection reset by peer\"\n");
}
END_TEST

START_TEST(every_field_of_json_has_its_place)
{
    struct record record = full_record();
    struct record_style style = { .format = RECORD_JSON };

    expect_line(&record, &style,
                "{\"ts\":\"2026-11-22T14:03:05.123Z\",\"v\":1,\"event\":\"transaction\","
                "\"verdict\":\"accept\",\"client\":\"192.0.2.7:40123\","
                "\"sid\":\"06f8xs00000000a1\",\"txn\":\"06f8xs00000000a2\","
                "\"listener\":\"inbound\",\"helo\":\"mail.example.net\",\"relay\":\"printers\","
                "\"tls\":\"TLSv1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\","
                "\"sni\":\"mx.example.org\",\"tls_resumed\":true,\"from\":\"anna@example.net\","
                "\"rcpts\":[\"bob@example.org:250\",\"\\\"o dd\\\"@example.org:550:"
                "recipient.unknown\"],\"rcpt_count\":2,\"msgid\":\"<1@example.net>\","
                "\"header_from\":\"anna@example.net\",\"size\":2345,\"8bit\":true,"
                "\"smtputf8\":true,\"header_broken\":true,"
                "\"domain\":\"example.org\",\"policy\":\"strict\","
                "\"rule\":\"rule.strict.otherwise\",\"reason\":\"policy.reject\","
                "\"phase\":\"message\",\"shadow\":\"rule.strict.big\","
                "\"shadow_action\":\"tempfail\",\"shadow_phase\":\"mail\","
                "\"tags\":[\"bulk\",\"unsigned\"],\"reply\":250,\"dsn\":\"2.0.0\","
                "\"backend\":\"legacy\",\"backend_addr\":\"[2001:db8::25]:25\","
                "\"backend_tls\":\"TLSv1.2\",\"backend_reused\":true,\"backend_code\":250,"
                "\"backend_reply\":\"2.0.0 Ok: queued as 4F2\",\"backend_qid\":\"4F2\","
                "\"rcpt_ms\":3,\"data_ms\":14,\"check_ms\":0,\"backend_ms\":21,\"total_ms\":44,"
                "\"commands\":9,\"errors\":1,\"foreign\":\"GET / HTTP/1.1\",\"gen\":2,"
                "\"close\":\"quit\",\"detail\":\"Connection reset by peer\"}\n");
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
    struct record_style style = { .format = RECORD_LOGFMT };
    struct record record;

    record_init(&record);
    record.event = RECORD_SESSION;
    record.wall_us = WALL_US;
    record.client = endpoint("[2001:db8::7]:1");
    record.helo = "";
    expect_line(&record, &style,
                "ts=2026-11-22T14:03:05.123Z v=1 event=session client=[2001:db8::7]:1\n");
    record.event = RECORD_REPLY_LOST;
    style.format = RECORD_JSON;
    expect_line(&record, &style,
                "{\"ts\":\"2026-11-22T14:03:05.123Z\",\"v\":1,\"event\":\"reply-lost\","
                "\"client\":\"[2001:db8::7]:1\"}\n");
}
END_TEST

/* ---- Addresses. */

static struct record address_record(void)
{
    struct record record;

    record_init(&record);
    record.wall_us = WALL_US;
    record.verdict = RECORD_VERDICT_REJECT;
    record.client = endpoint("192.0.2.7:1");
    record.sender = &sender;
    recipients[0] = (struct record_recipient){ &first, 250, "" };
    record.recipients = recipients;
    record.recipient_count = 1;
    record.header_from = "anna@example.net";
    return record;
}

#define ADDRESS_LINE                                                                            \
    "ts=2026-11-22T14:03:05.123Z v=1 event=transaction verdict=reject client=192.0.2.7:1 "

START_TEST(addresses_can_be_cut_to_their_domain)
{
    struct record record = address_record();
    struct record_style style = { .addresses = RECORD_ADDRESSES_DOMAIN };

    expect_line(&record, &style,
                ADDRESS_LINE "from=@example.net rcpts=\"@example.org:250\" rcpt_count=1 "
                             "header_from=@example.net\n");
}
END_TEST

START_TEST(hashed_addresses_are_equal_where_the_address_is)
{
    struct record record = address_record();
    struct record_style style = { .addresses = RECORD_ADDRESSES_HASH,
                                  .hash_key = SLICE("key one") };
    struct text lines[2];

    /* HMAC-SHA-256 of "anna@example.net" and of "bob@example.org", cut to 8 bytes. */
    expect_line(&record, &style,
                ADDRESS_LINE "from=85372a577a90a7b8@example.net "
                             "rcpts=\"5d9b007e2183ec72@example.org:250\" rcpt_count=1 "
                             "header_from=85372a577a90a7b8@example.net\n");
    for (int i = 0; i < 2; i++) {
        text_init(&lines[i], TEXT_MAX_LENGTH);
        record_print(&lines[i], &record, &style);
        style.hash_key = SLICE("key two");
    }
    ck_assert_msg(!slice_equals(text_slice(&lines[0]), text_slice(&lines[1])),
                  "two keys give the same line: %s", text_string(&lines[0]));
    text_clear(&lines[0]);
    text_clear(&lines[1]);
}
END_TEST

START_TEST(the_null_sender_is_shown_in_every_style)
{
    struct address null = { 0 };
    size_t used;
    struct record record = address_record();

    ck_assert(address_parse(SLICE("<>"), ADDRESS_REVERSE_PATH, false, &null, &used) == ADDRESS_OK);
    record.sender = &null;
    record.recipient_count = 0;
    record.header_from = NULL;
    for (int i = RECORD_ADDRESSES_FULL; i <= RECORD_ADDRESSES_HASH; i++) {
        struct record_style style = { .addresses = (enum record_addresses)i };

        expect_line(&record, &style, ADDRESS_LINE "from=<>\n");
    }
    address_clear(&null);
}
END_TEST

/* ---- Hostile values. */

/* One line: its own newline at the end, and not a byte that a terminal would follow. */
static void expect_harmless(const struct text *out, const char *what)
{
    struct slice line = text_slice(out);

    ck_assert_msg(line.length > 0 && line.data[line.length - 1] == '\n', "%s: no newline", what);
    for (size_t i = 0; i + 1 < line.length; i++)
        ck_assert_msg(ascii_is_printable(line.data[i]) || line.data[i] == '\n' ||
                          (line.data[i] & 0x80) != 0, "%s: byte %02x", what,
                      (unsigned char)line.data[i]);
}

static size_t longest_line(struct slice lines)
{
    size_t longest = 0;
    struct slice line;

    while (slice_next(&lines, '\n', &line))
        if (line.length + 1 > longest)
            longest = line.length + 1;
    return longest;
}

START_TEST(a_value_cannot_pretend_to_be_another_key)
{
    static const struct {
        const char *value;
        const char *logfmt;
        const char *json;
    } cases[] = {
        { "a verdict=accept", "helo=\"a verdict=accept\"", "\"helo\":\"a verdict=accept\"" },
        { "a\nts=1", "helo=\"a\\x0ats=1\"", "\"helo\":\"a\\u000ats=1\"" },
        { "a\r\n", "helo=\"a\\x0d\\x0a\"", "\"helo\":\"a\\u000d\\u000a\"" },
        { "x\" y=\"", "helo=\"x\\\" y=\\\"\"", "\"helo\":\"x\\\" y=\\\"\"" },
        { "x\\", "helo=\"x\\\\\"", "\"helo\":\"x\\\\\"" },
        { "\x1b[2J", "helo=\"\\x1b[2J\"", "\"helo\":\"\\u001b[2J\"" },
        { "\xff\xfe", "helo=\"\\xff\\xfe\"", "\"helo\":\"\\ufffd\\ufffd\"" },
        { "=", "helo=\"=\"", "\"helo\":\"=\"" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int j = RECORD_LOGFMT; j <= RECORD_JSON; j++) {
            struct record_style style = { .format = (enum record_format)j };
            const char *want = j == RECORD_JSON ? cases[i].json : cases[i].logfmt;
            struct record record;
            struct text out;

            record_init(&record);
            record.helo = cases[i].value;
            text_init(&out, TEXT_MAX_LENGTH);
            record_print(&out, &record, &style);
            expect_harmless(&out, want);
            ck_assert_msg(strstr(text_string(&out), want) != NULL,
                          "got %s, want %s in it", text_string(&out), want);
            text_clear(&out);
        }
    }
}
END_TEST

/* A record in which every string is as long as a client or a backend can make it. */
static struct record worst_record(const char *huge)
{
    static const char name[] = "a-name-of-forty-bytes-as-long-as-it-gets";
    static const char reason[] = "rule.a-name-of-forty-bytes-as-long-as-it-gets."
                                 "a-name-of-forty-bytes-as-long-as-it-gets";
    static const char *many[8] = { name, name, name, name, name, name, name, name };
    struct record record = full_record();

    record.client = record.backend_address = endpoint("[1111:2222:3333:4444:5555:6666:7777:8888]:"
                                                      "65535");
    record.listener = record.relay = record.policy = record.backend = name;
    record.helo = record.tls_server_name = record.message_id = record.header_from = huge;
    record.domain = record.backend_reply = record.backend_queue_id = record.foreign = huge;
    record.detail = record.close_reason = huge;
    record.rule = record.reason = record.shadow_rule = reason;
    record.tls_cipher = "DHE-RSA-CHACHA20-POLY1305-SHA256-AND-MORE";
    record.size_bytes = record.generation = record.command_count = record.error_count = UINT64_MAX;
    record.rcpt_ms = record.data_ms = record.check_ms = INT64_MAX;
    record.backend_ms = record.total_ms = INT64_MAX;
    record.tags = many;
    record.tag_count = 8;
    return record;
}

START_TEST(no_line_is_longer_than_promised)
{
    static const char fillers[] = { 'a', '"', '\x01', '\xff', ' ' };
    enum { COUNT_OF_RECIPIENTS = 300 };
    static struct record_recipient many[COUNT_OF_RECIPIENTS];
    struct address long_address = { 0 };
    struct text path;

    text_init(&path, 400);
    text_add_byte(&path, '<');
    for (int i = 0; i < 64; i++)
        text_add_byte(&path, '!');
    text_add_byte(&path, '@');
    for (int i = 0; i < 3; i++)
        text_add_string(&path, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
    text_add_string(&path, "org>");
    parse(&long_address, text_string(&path));
    for (size_t i = 0; i < COUNT_OF_RECIPIENTS; i++)
        many[i] = (struct record_recipient){ &long_address, 550,
                                             "rule.a-name-of-forty-bytes-as-long-as-it-gets.name" };
    for (size_t i = 0; i < COUNT(fillers); i++) {
        char huge[5000];

        memset(huge, fillers[i], sizeof huge - 1);
        huge[sizeof huge - 1] = '\0';
        for (size_t j = 0; j < 6; j++) {
            struct record_style style = { .format = (enum record_format)(j % 2),
                                          .addresses = (enum record_addresses)(j / 2) };
            struct record record = worst_record(huge);
            struct text out;

            record.sender = &long_address;
            record.recipients = many;
            record.recipient_count = COUNT_OF_RECIPIENTS;
            text_init(&out, TEXT_MAX_LENGTH);
            record_print(&out, &record, &style);
            expect_harmless(&out, "worst");
            ck_assert_msg(longest_line(text_slice(&out)) <= RECORD_MAX_BYTES,
                          "filler %02x, style %zu: got %zu bytes, want at most %d",
                          (unsigned char)fillers[i], j, longest_line(text_slice(&out)),
                          RECORD_MAX_BYTES);
            ck_assert_msg(out.length <= record_max_bytes(COUNT_OF_RECIPIENTS),
                          "filler %02x, style %zu: got %zu bytes, want at most %zu",
                          (unsigned char)fillers[i], j, out.length,
                          record_max_bytes(COUNT_OF_RECIPIENTS));
            text_clear(&out);
        }
    }
    address_clear(&long_address);
    text_clear(&path);
}
END_TEST

START_TEST(the_most_that_is_written_grows_by_whole_lines)
{
    ck_assert_uint_eq(record_max_bytes(0), RECORD_MAX_BYTES);
    ck_assert_uint_eq(record_max_bytes(1), RECORD_MAX_BYTES);
    ck_assert_uint_eq(record_max_bytes(2), 2 * RECORD_MAX_BYTES);
    ck_assert_uint_eq(record_max_bytes(15), 2 * RECORD_MAX_BYTES);
    ck_assert_uint_eq(record_max_bytes(16), 3 * RECORD_MAX_BYTES);
    ck_assert_uint_eq(record_max_bytes(100), 9 * RECORD_MAX_BYTES);
}
END_TEST

/* ---- Many recipients. */

START_TEST(recipients_that_do_not_fit_follow_in_lines_of_their_own)
{
    enum { COUNT_OF_RECIPIENTS = 500 };
    static struct record_recipient many[COUNT_OF_RECIPIENTS];
    static struct address addresses[COUNT_OF_RECIPIENTS];
    struct record record = full_record();
    struct record_style style = { .format = RECORD_LOGFMT };
    struct slice rest, line;
    struct text out;
    size_t line_count = 0;

    for (size_t i = 0; i < COUNT_OF_RECIPIENTS; i++) {
        char path[60];

        snprintf(path, sizeof path, "<recipient-%03zu@example.org>", i);
        parse(&addresses[i], path);
        many[i] = (struct record_recipient){ &addresses[i], 250, "" };
    }
    record.recipients = many;
    record.recipient_count = COUNT_OF_RECIPIENTS;
    text_init(&out, TEXT_MAX_LENGTH);
    record_print(&out, &record, &style);
    for (size_t i = 0; i < COUNT_OF_RECIPIENTS; i++) {
        char want[60];
        size_t found = 0;

        snprintf(want, sizeof want, "recipient-%03zu@example.org:250", i);
        for (size_t j = 0; j < out.length; j++)
            found += slice_has_prefix(slice_from_offset(text_slice(&out), j), slice_from(want));
        ck_assert_msg(found == 1, "%s: got it %zu times, want once", want, found);
        address_clear(&addresses[i]);
    }
    rest = text_slice(&out);
    while (slice_next(&rest, '\n', &line)) {
        if (line.length == 0)
            continue;
        line_count++;
        ck_assert_msg(line_count == 1 ||
                          slice_has_prefix(line, SLICE("ts=2026-11-22T14:03:05.123Z v=1 event=rcpt "
                                                       "sid=06f8xs00000000a1 "
                                                       "txn=06f8xs00000000a2 rcpts=\"")),
                      "line %zu: %.*s", line_count, SLICE_ARGS(line));
    }
    ck_assert_msg(line_count > 2 && line_count < 20, "got %zu lines", line_count);
    text_clear(&out);
}
END_TEST

START_TEST(fields_have_a_group_and_a_meaning_and_no_name_twice)
{
    size_t count = 0;

    while (record_field_get(count) != NULL) {
        const struct record_field_info *info = record_field_get(count);

        ck_assert(info->group[0] != '\0' && info->meaning[0] != '\0');
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(strcmp(record_field_get(i)->key, info->key) != 0, "%s is there twice",
                          info->key);
        count++;
    }
    ck_assert_msg(count > 40, "got %zu fields", count);
}
END_TEST

START_TEST(verdicts_have_the_words_of_the_log)
{
    static const char *const want[] = { "none",       "accept",  "reject", "tempfail",
                                        "quarantine", "discard", "abort",  "unknown" };

    for (size_t i = 0; i < COUNT(want); i++)
        ck_assert_str_eq(record_verdict_name((enum record_verdict)i), want[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *lines = tcase_create("lines");

    tcase_add_checked_fixture(lines, set_up, tear_down);
    tcase_add_test(lines, every_field_of_logfmt_has_its_place);
    tcase_add_test(lines, every_field_of_json_has_its_place);
    tcase_add_test(lines, what_is_not_known_is_left_out);
    tcase_add_test(lines, addresses_can_be_cut_to_their_domain);
    tcase_add_test(lines, hashed_addresses_are_equal_where_the_address_is);
    tcase_add_test(lines, the_null_sender_is_shown_in_every_style);
    tcase_add_test(lines, a_value_cannot_pretend_to_be_another_key);
    tcase_add_test(lines, no_line_is_longer_than_promised);
    tcase_set_timeout(lines, 120); /* it prints a great many lines, and sanitizers are slow */
    tcase_add_test(lines, the_most_that_is_written_grows_by_whole_lines);
    tcase_add_test(lines, recipients_that_do_not_fit_follow_in_lines_of_their_own);
    tcase_add_test(lines, fields_have_a_group_and_a_meaning_and_no_name_twice);
    tcase_add_test(lines, verdicts_have_the_words_of_the_log);
    suite_add_tcase(suite, lines);
    return unit_run(suite);
}
