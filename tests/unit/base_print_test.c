/* SPDX-License-Identifier: BSD-2-Clause */
/* base/: what people read and write (escape, number, log). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/number.h"
#include "base/slice.h"
#include "base/text.h"
#include "unit.h"

/* ---- escape ---- */

typedef void (*escape_fn)(struct text *out, struct slice bytes);

struct escape_case {
    struct slice in;
    struct slice want;
};

static void expect_escaped(const char *what, escape_fn escape, const struct escape_case *cases,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct text out;

        text_init(&out, 1000);
        escape(&out, cases[i].in);
        unit_expect_text(what, &out, cases[i].want);
        text_clear(&out);
    }
}

START_TEST(escape_ascii_leaves_nothing_that_could_act)
{
    static const struct escape_case cases[] = {
        { BYTES("plain text ~!"), BYTES("plain text ~!") },
        { BYTES("a\"b\\c"), BYTES("a\\\"b\\\\c") },
        { BYTES("\r\n\t\0\x1b[2J\x7f"), BYTES("\\x0d\\x0a\\x09\\x00\\x1b[2J\\x7f") },
        { BYTES("\xc3\xa9\xff"), BYTES("\\xc3\\xa9\\xff") },
        { BYTES(""), BYTES("") },
    };

    expect_escaped("ascii", escape_add_ascii, cases, COUNT(cases));
}
END_TEST

START_TEST(escape_logfmt_quotes_what_needs_it)
{
    static const struct escape_case cases[] = {
        { BYTES("<a+b@example.org>"), BYTES("<a+b@example.org>") },
        { BYTES("[IPv6:2001:db8::1]"), BYTES("[IPv6:2001:db8::1]") },
        { BYTES(""), BYTES("\"\"") },
        { BYTES("two words"), BYTES("\"two words\"") },
        { BYTES("a=b"), BYTES("\"a=b\"") },
        { BYTES("say \"x\""), BYTES("\"say \\\"x\\\"\"") },
        { BYTES("a\\b"), BYTES("\"a\\\\b\"") },
        { BYTES("a\0b"), BYTES("\"a\\x00b\"") },
        { BYTES("a\nevent=forged"), BYTES("\"a\\x0aevent=forged\"") },
        { BYTES("\xc3\xa9"), BYTES("\"\\xc3\\xa9\"") },
    };

    expect_escaped("logfmt", escape_add_logfmt, cases, COUNT(cases));
}
END_TEST

START_TEST(escape_json_is_always_a_valid_string)
{
    static const struct escape_case cases[] = {
        { BYTES(""), BYTES("\"\"") },
        { BYTES("a\"b\\c/"), BYTES("\"a\\\"b\\\\c/\"") },
        { BYTES("\r\n\0\x7f"), BYTES("\"\\u000d\\u000a\\u0000\\u007f\"") },
        { BYTES("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
          BYTES("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"") },
        { BYTES("\xc3"), BYTES("\"\\ufffd\"") },
        { BYTES("\xffz\xc0\xaf"), BYTES("\"\\ufffdz\\ufffd\\ufffd\"") },
    };

    expect_escaped("json", escape_add_json, cases, COUNT(cases));
}
END_TEST

/* Every byte, and every pair of those that mean something. */
START_TEST(what_was_escaped_reads_back)
{
    static const char signs[] = "\"\\x0a 9=\n\xff~";
    struct text out;
    struct text back;

    text_init(&out, 100);
    text_init(&back, 100);
    for (unsigned int i = 0; i < 256 + sizeof signs * sizeof signs; i++) {
        char pair[2] = { (char)i, 0 };
        struct slice in = { pair, 1 };
        struct slice rest;

        if (i >= 256) {
            pair[0] = signs[(i - 256) / sizeof signs];
            pair[1] = signs[(i - 256) % sizeof signs];
            in.length = 2;
        }
        escape_add_ascii(&out, in);
        ck_assert(escape_parse_ascii(&back, text_slice(&out)));
        unit_expect_text("ascii", &back, in);
        text_reset(&out);
        text_reset(&back);
        escape_add_logfmt(&out, in);
        text_add_string(&out, " next");
        rest = text_slice(&out);
        ck_assert(escape_next_logfmt(&rest, &back));
        unit_expect_text("logfmt", &back, in);
        ck_assert(slice_equals(rest, SLICE(" next")));
        text_reset(&out);
        text_reset(&back);
    }
    text_clear(&out);
    text_clear(&back);
}
END_TEST

START_TEST(what_no_escape_wrote_is_not_read)
{
    static const struct slice ascii[] = {
        BYTES("\\"), BYTES("a\\"), BYTES("\\n"), BYTES("\\x"), BYTES("\\x0"), BYTES("\\x0g"),
        BYTES("\\x0A"), BYTES("\\x41"), BYTES("\\x22"), BYTES("\""), BYTES("a\nb"),
        BYTES("\xc3\xa9"), BYTES("\0"),
    };
    static const struct slice logfmt[] = {
        BYTES(""), BYTES(" a"), BYTES("\""), BYTES("\"a b"), BYTES("\"a b\"c"), BYTES("\"bare\""),
        BYTES("\"a b\\\""), BYTES("a=b"), BYTES("a\"b"), BYTES("a\tb"), BYTES("\"a b\\x41\""),
    };
    struct text out;

    text_init(&out, 100);
    for (size_t i = 0; i < COUNT(ascii); i++)
        ck_assert_msg(!escape_parse_ascii(&out, ascii[i]), "ascii %zu is read", i);
    for (size_t i = 0; i < COUNT(logfmt); i++) {
        struct slice rest = logfmt[i];

        ck_assert_msg(!escape_next_logfmt(&rest, &out), "logfmt %zu is read", i);
    }
    text_clear(&out);
    text_init(&out, 3);
    ck_assert(!escape_parse_ascii(&out, SLICE("four")));
    text_clear(&out);
}
END_TEST

/*
 * Whatever the ceiling, a cut text ends between two whole characters and a
 * quoted one is closed: a reader never takes our own quote for an escaped one.
 */
START_TEST(escape_cuts_between_characters_and_closes_quotes)
{
    static const char *const pieces[] = { "\"", "a", "\\x0a", "\\\"", "\\\\", "b", "\"" };
    struct slice in = SLICE("a\n\"\\b");

    for (size_t ceiling = 0; ceiling <= 15; ceiling++) {
        struct text out;
        struct text want;

        text_init(&out, ceiling);
        text_init(&want, ceiling);
        escape_add_logfmt(&out, in);
        if (ceiling >= 2) {
            size_t used = 2;

            text_add_string(&want, pieces[0]);
            for (size_t i = 1; i < 6 && used + strlen(pieces[i]) <= ceiling; i++) {
                used += strlen(pieces[i]);
                text_add_string(&want, pieces[i]);
            }
            text_add_string(&want, pieces[6]);
        }
        unit_expect_text("cut logfmt", &out, text_slice(&want));
        ck_assert_msg(out.is_cut == (ceiling < 12), "ceiling %zu: is_cut", ceiling);
        text_clear(&out);
        text_clear(&want);
    }
}
END_TEST

START_TEST(escape_json_cuts_between_characters_and_closes_quotes)
{
    static const struct {
        size_t ceiling;
        struct slice want;
    } cases[] = {
        { 0, BYTES("") },           { 1, BYTES("") },
        { 2, BYTES("\"\"") },       { 4, BYTES("\"\"") },
        { 5, BYTES("\"\xe2\x82\xac\"") }, { 6, BYTES("\"\xe2\x82\xac\"") },
        { 10, BYTES("\"\xe2\x82\xac\"") }, { 11, BYTES("\"\xe2\x82\xac\\u0001\"") },
        { 99, BYTES("\"\xe2\x82\xac\\u0001z\"") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text out;

        text_init(&out, cases[i].ceiling);
        escape_add_json(&out, SLICE("\xe2\x82\xac\x01z"));
        unit_expect_text("cut json", &out, cases[i].want);
        ck_assert_uint_eq(out.max_length, cases[i].ceiling);
        text_clear(&out);
    }
}
END_TEST

START_TEST(utf8_sequences_follow_rfc_3629)
{
    static const struct {
        struct slice in;
        size_t want;
    } cases[] = {
        { BYTES(""), 0 },
        { BYTES("\0"), 1 },
        { BYTES("\x7f"), 1 },
        { BYTES("\x80"), 0 },
        { BYTES("\xbf\x80"), 0 },
        { BYTES("\xc0\x80"), 0 },         /* overlong NUL */
        { BYTES("\xc1\xbf"), 0 },         /* overlong */
        { BYTES("\xc2\x80"), 2 },
        { BYTES("\xc2"), 0 },
        { BYTES("\xc2z"), 0 },
        { BYTES("\xdf\xbf"), 2 },
        { BYTES("\xe0\x9f\xbf"), 0 },     /* overlong */
        { BYTES("\xe0\xa0\x80"), 3 },
        { BYTES("\xe2\x82"), 0 },
        { BYTES("\xed\x9f\xbf"), 3 },
        { BYTES("\xed\xa0\x80"), 0 },     /* surrogate */
        { BYTES("\xed\xbf\xbf"), 0 },     /* surrogate */
        { BYTES("\xef\xbf\xbf"), 3 },
        { BYTES("\xf0\x8f\xbf\xbf"), 0 }, /* overlong */
        { BYTES("\xf0\x90\x80\x80"), 4 },
        { BYTES("\xf4\x8f\xbf\xbf"), 4 },
        { BYTES("\xf4\x90\x80\x80"), 0 }, /* past U+10FFFF */
        { BYTES("\xf5\x80\x80\x80"), 0 },
        { BYTES("\xff"), 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t got = utf8_sequence_length(cases[i].in);

        ck_assert_msg(got == cases[i].want, "case %zu: got %zu, want %zu", i, got, cases[i].want);
        ck_assert_msg(utf8_is_valid(cases[i].in) == (cases[i].in.length == got), "case %zu", i);
    }
    ck_assert(utf8_is_valid(SLICE("a\xc3\xa9z")));
    ck_assert(!utf8_is_valid(SLICE("a\xc3\xa9\xc3")));
}
END_TEST

/* ---- number ---- */

typedef bool (*number_fn)(struct slice s, uint64_t max, uint64_t *value);

struct number_case {
    const char *in;
    uint64_t max;
    bool ok;
    uint64_t want;
};

static void expect_numbers(number_fn parse, const struct number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t got = 4711;
        bool ok = parse(slice_from(cases[i].in), cases[i].max, &got);
        uint64_t want = cases[i].ok ? cases[i].want : 4711;

        ck_assert_msg(ok == cases[i].ok && got == want, "\"%s\": got %d %llu, want %d %llu",
                      cases[i].in, ok, (unsigned long long)got, cases[i].ok,
                      (unsigned long long)want);
    }
}

START_TEST(number_takes_digits_up_to_the_ceiling_and_nothing_else)
{
    static const struct number_case cases[] = {
        { "0", 0, true, 0 },
        { "00012", 99, true, 12 },
        { "99", 99, true, 99 },
        { "100", 99, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999999", UINT64_MAX, false, 0 },
        { "", 99, false, 0 },
        { "-1", 99, false, 0 },
        { "+1", 99, false, 0 },
        { " 1", 99, false, 0 },
        { "1 ", 99, false, 0 },
        { "0x1", 99, false, 0 },
        { "1\xb2", 99, false, 0 },
    };

    expect_numbers(number_parse, cases, COUNT(cases));
}
END_TEST

START_TEST(size_takes_an_optional_unit)
{
    static const struct number_case cases[] = {
        { "0", 0, true, 0 },
        { "10", 10, true, 10 },
        { "25M", UINT64_MAX, true, 25 << 20 },
        { "25m", UINT64_MAX, true, 25 << 20 },
        { "1K", 1024, true, 1024 },
        { "1K", 1023, false, 0 },
        { "4G", 1ull << 32, true, 1ull << 32 },
        { "17179869183G", UINT64_MAX, true, 17179869183ull << 30 },
        { "17179869184G", UINT64_MAX, false, 0 },
        { "M", UINT64_MAX, false, 0 },
        { "1MB", UINT64_MAX, false, 0 },
        { "1T", UINT64_MAX, false, 0 },
        { "1.5M", UINT64_MAX, false, 0 },
        { "1 M", UINT64_MAX, false, 0 },
        { "-1K", UINT64_MAX, false, 0 },
        { "", UINT64_MAX, false, 0 },
    };

    expect_numbers(number_parse_size, cases, COUNT(cases));
}
END_TEST

START_TEST(duration_needs_its_unit)
{
    static const struct number_case cases[] = {
        { "0s", 0, true, 0 },
        { "500ms", 500, true, 500 },
        { "500ms", 499, false, 0 },
        { "10s", UINT64_MAX, true, 10000 },
        { "5m", UINT64_MAX, true, 300000 },
        { "2h", UINT64_MAX, true, 7200000 },
        { "3d", UINT64_MAX, true, 259200000 },
        { "213503982334d", UINT64_MAX, true, 213503982334ull * 86400000 },
        { "213503982335d", UINT64_MAX, false, 0 },
        { "10", UINT64_MAX, false, 0 },
        { "0", UINT64_MAX, false, 0 },
        { "s", UINT64_MAX, false, 0 },
        { "10 s", UINT64_MAX, false, 0 },
        { "10sec", UINT64_MAX, false, 0 },
        { "1h30m", UINT64_MAX, false, 0 },
        { "", UINT64_MAX, false, 0 },
    };

    expect_numbers(number_parse_duration, cases, COUNT(cases));
}
END_TEST

typedef void (*number_print_fn)(struct text *out, uint64_t value);

static void expect_printed(number_print_fn print, number_fn parse, uint64_t value, const char *want)
{
    struct text out;
    uint64_t back = value + 1;

    text_init(&out, 40);
    print(&out, value);
    unit_expect_text("number", &out, slice_from(want));
    ck_assert_msg(parse(text_slice(&out), UINT64_MAX, &back) && back == value,
                  "\"%s\" is not read back", want);
    text_clear(&out);
}

START_TEST(sizes_and_durations_print_short_and_read_back)
{
    static const struct {
        uint64_t value;
        const char *size, *duration;
    } cases[] = {
        { 0, "0", "0s" },
        { 1, "1", "1ms" },
        { 1000, "1000", "1s" },
        { 1024, "1K", "1024ms" },
        { 1025, "1025", "1025ms" },
        { 60000, "60000", "1m" },
        { 90000, "90000", "90s" },
        { 5400000, "5400000", "90m" },
        { 172800000, "168750K", "2d" },
        { 26214400, "25M", "26214400ms" },
        { 1ull << 40, "1024G", "1099511627776ms" },
        { UINT64_MAX, "18446744073709551615", "18446744073709551615ms" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_printed(number_print_size, number_parse_size, cases[i].value, cases[i].size);
        expect_printed(number_print_duration, number_parse_duration, cases[i].value,
                       cases[i].duration);
    }
}
END_TEST

/* ---- log ---- */

struct seen_line {
    int count;
    enum log_level level;
    char event[40];
    struct text message;
};

static void remember_line(void *owner, enum log_level level, const char *event,
                          struct slice message)
{
    struct seen_line *seen = owner;

    seen->count++;
    seen->level = level;
    memcpy(seen->event, event, strlen(event) + 1);
    text_reset(&seen->message);
    text_add(&seen->message, message);
}

static struct seen_line seen;

static void watch_log(void)
{
    seen = (struct seen_line){ 0 };
    text_init(&seen.message, 10000);
    log_set_sink(remember_line, &seen);
    log_set_level(LOG_LEVEL_NOTICE);
}

static void leave_log(void)
{
    log_set_sink(NULL, NULL);
    text_clear(&seen.message);
}

START_TEST(log_sink_gets_level_event_and_escaped_text)
{
    log_error("config-refused", "%s:%u: %s", "a b.conf", 7u, "say \"x\"\r\nevent=forged\xff");
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.level, LOG_LEVEL_ERROR);
    ck_assert_str_eq(seen.event, "config-refused");
    unit_expect_text("message", &seen.message,
                SLICE("a b.conf:7: say \\\"x\\\"\\x0d\\x0aevent=forged\\xff"));
    log_warning("w", "x");
    ck_assert_int_eq(seen.level, LOG_LEVEL_WARNING);
    log_notice("n", "x");
    ck_assert_int_eq(seen.level, LOG_LEVEL_NOTICE);
    ck_assert_int_eq(seen.count, 3);
}
END_TEST

START_TEST(log_level_drops_what_lies_above_it)
{
    log_debug("d", "x");
    ck_assert_int_eq(seen.count, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("d", "x");
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.level, LOG_LEVEL_DEBUG);
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("w", "x");
    log_notice("n", "x");
    ck_assert_int_eq(seen.count, 1);
    log_error("e", "x");
    ck_assert_int_eq(seen.count, 2);
}
END_TEST

START_TEST(log_message_is_cut_at_2000_bytes_and_never_inside_an_escape)
{
    char noise[3000];

    memset(noise, '\n', sizeof noise - 1);
    noise[0] = 'x';
    noise[sizeof noise - 1] = '\0';
    log_error("long", "%s", noise);
    ck_assert_uint_eq(seen.message.length, 1 + 499 * 4);
    memset(noise, '\\', sizeof noise - 1);
    noise[0] = 'x';
    log_error("long", "%s", noise);
    ck_assert_uint_eq(seen.message.length, 1 + 999 * 2);
}
END_TEST

START_TEST(log_levels_have_names)
{
    ck_assert_str_eq(log_level_name(LOG_LEVEL_ERROR), "error");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_WARNING), "warning");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_NOTICE), "notice");
    ck_assert_str_eq(log_level_name(LOG_LEVEL_DEBUG), "debug");
}
END_TEST

START_TEST(log_without_a_sink_writes_logfmt_to_stderr)
{
    uint64_t now = 1709210096987654;
    FILE *file = tmpfile();
    char line[200] = "";

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    log_set_sink(NULL, NULL);
    clock_set_source(&now);
    log_warning("worker-died", "pid %d: \"%s\"", 7, "x\n");
    clock_set_source(NULL);
    rewind(file);
    ck_assert_uint_gt(fread(line, 1, sizeof line - 1, file), 0);
    ck_assert_str_eq(line, "ts=2024-02-29T12:34:56.987Z v=1 event=worker-died level=warning "
                           "text=\"pid 7: \\\"x\\x0a\\\"\"\n");
    fclose(file);
}
END_TEST

static Suite *print_suite(void)
{
    Suite *suite = suite_create("base: escape, number, log");
    TCase *escape = tcase_create("escape");
    TCase *number = tcase_create("number");
    TCase *log = tcase_create("log");

    tcase_add_test(escape, escape_ascii_leaves_nothing_that_could_act);
    tcase_add_test(escape, escape_logfmt_quotes_what_needs_it);
    tcase_add_test(escape, escape_json_is_always_a_valid_string);
    tcase_add_test(escape, what_was_escaped_reads_back);
    tcase_add_test(escape, what_no_escape_wrote_is_not_read);
    tcase_add_test(escape, escape_cuts_between_characters_and_closes_quotes);
    tcase_add_test(escape, escape_json_cuts_between_characters_and_closes_quotes);
    tcase_add_test(escape, utf8_sequences_follow_rfc_3629);
    tcase_add_test(number, number_takes_digits_up_to_the_ceiling_and_nothing_else);
    tcase_add_test(number, size_takes_an_optional_unit);
    tcase_add_test(number, duration_needs_its_unit);
    tcase_add_test(number, sizes_and_durations_print_short_and_read_back);
    tcase_add_checked_fixture(log, watch_log, leave_log);
    tcase_add_test(log, log_sink_gets_level_event_and_escaped_text);
    tcase_add_test(log, log_level_drops_what_lies_above_it);
    tcase_add_test(log, log_message_is_cut_at_2000_bytes_and_never_inside_an_escape);
    tcase_add_test(log, log_levels_have_names);
    tcase_add_test(log, log_without_a_sink_writes_logfmt_to_stderr);
    suite_add_tcase(suite, escape);
    suite_add_tcase(suite, number);
    suite_add_tcase(suite, log);
    return suite;
}

int main(void)
{
    return unit_run(print_suite());
}
