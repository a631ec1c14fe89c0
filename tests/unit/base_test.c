/* SPDX-License-Identifier: BSD-2-Clause */
/* base/: runs of bytes, borrowed (slice) and owned (text). */
#include <stdint.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "unit.h"

/* ---- slice ---- */

START_TEST(slice_from_takes_a_string_or_nothing)
{
    ck_assert_uint_eq(slice_from("abc").length, 3);
    ck_assert_uint_eq(slice_from("").length, 0);
    ck_assert_uint_eq(slice_from(NULL).length, 0);
    ck_assert(slice_equals(SLICE("a\0b"), (struct slice){ "a\0bc", 3 }));
}
END_TEST

START_TEST(slice_comparison_follows_the_bytes)
{
    static const struct {
        struct slice a, b;
        bool equals, equals_nocase;
    } cases[] = {
        { BYTES(""), BYTES(""), true, true },
        { BYTES("a"), BYTES(""), false, false },
        { BYTES("a"), BYTES("A"), false, true },
        { BYTES("abc"), BYTES("abd"), false, false },
        { BYTES("ab"), BYTES("abc"), false, false },
        { BYTES("a\0b"), BYTES("a\0c"), false, false },
        { BYTES("\xff"), BYTES("a"), false, false },
        /* 32 apart, yet no letters of ASCII */
        { BYTES("[@"), BYTES("{`"), false, false },
        { BYTES("\xc3\x84"), BYTES("\xc3\xa4"), false, false },
        { BYTES("x-Y-9"), BYTES("X-y-9"), false, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_msg(slice_equals(cases[i].a, cases[i].b) == cases[i].equals, "case %zu", i);
        ck_assert_msg(slice_equals_nocase(cases[i].a, cases[i].b) == cases[i].equals_nocase,
                      "case %zu without case", i);
        ck_assert_msg(slice_equals(cases[i].b, cases[i].a) == cases[i].equals &&
                      slice_equals_nocase(cases[i].b, cases[i].a) == cases[i].equals_nocase,
                      "case %zu: turned round", i);
    }
    ck_assert(slice_equals(SLICE_EMPTY, SLICE("")));
}
END_TEST

START_TEST(slice_prefixes_are_found)
{
    static const struct {
        struct slice s, prefix;
        bool is_one, is_one_nocase;
    } cases[] = {
        { BYTES("Mail From:"), BYTES("Mail"), true, true },
        { BYTES("Mail From:"), BYTES("mAIL"), false, true },
        { BYTES("Mail From:"), BYTES("From:"), false, false },
        { BYTES("ab"), BYTES("ab"), true, true },
        { BYTES("ab"), BYTES("abc"), false, false },
        { BYTES("ab"), BYTES(""), true, true },
        { BYTES(""), BYTES(""), true, true },
        { BYTES(""), BYTES("a"), false, false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice s = cases[i].s;
        struct slice prefix = cases[i].prefix;

        ck_assert_msg(slice_has_prefix(s, prefix) == cases[i].is_one, "case %zu", i);
        ck_assert_msg(slice_has_prefix_nocase(s, prefix) == cases[i].is_one_nocase,
                      "case %zu without case", i);
    }
}
END_TEST

START_TEST(slice_cuts_fit_whatever_is_asked)
{
    struct slice s = SLICE("abcdef");

    ck_assert(slice_equals(slice_from_offset(s, 0), s));
    ck_assert(slice_equals(slice_from_offset(s, 4), SLICE("ef")));
    ck_assert_uint_eq(slice_from_offset(s, 6).length, 0);
    ck_assert_uint_eq(slice_from_offset(s, SIZE_MAX).length, 0);
    ck_assert(slice_equals(slice_until(s, 2), SLICE("ab")));
    ck_assert(slice_equals(slice_until(s, SIZE_MAX), s));
    ck_assert_uint_eq(slice_until(SLICE_EMPTY, 1).length, 0);
}
END_TEST

START_TEST(slice_bytes_are_found_from_both_ends)
{
    size_t position = 99;

    ck_assert(slice_find_byte(SLICE("a:b:c"), ':', &position));
    ck_assert_uint_eq(position, 1);
    ck_assert(slice_find_last_byte(SLICE("a:b:c"), ':', &position));
    ck_assert_uint_eq(position, 3);
    ck_assert(slice_find_byte(SLICE("a\0b"), '\0', &position));
    ck_assert_uint_eq(position, 1);
    ck_assert(slice_find_last_byte(SLICE("\xff"), '\xff', &position));
    ck_assert_uint_eq(position, 0);
    ck_assert(!slice_find_byte(SLICE("abc"), 'd', &position));
    ck_assert(!slice_find_byte(SLICE_EMPTY, '\0', &position));
    ck_assert(!slice_find_last_byte(SLICE_EMPTY, '\0', &position));
}
END_TEST

START_TEST(slice_trim_takes_space_from_the_ends_only)
{
    static const struct {
        struct slice in, want;
    } cases[] = {
        { BYTES(" \t\r\n a b \n"), BYTES("a b") },
        { BYTES("a"), BYTES("a") },
        { BYTES(" \t\r\n"), BYTES("") },
        { BYTES(""), BYTES("") },
        { BYTES("\va\f"), BYTES("\va\f") },
        { BYTES("\0 "), BYTES("\0") },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(slice_equals(slice_trim(cases[i].in), cases[i].want), "case %zu", i);
}
END_TEST

START_TEST(slice_next_gives_every_word_once)
{
    static const struct {
        struct slice in;
        const char *want; /* the words, each followed by '|' */
    } cases[] = {
        { BYTES("a,,b"), "a||b|" }, { BYTES("a"), "a|" },  { BYTES(""), "" },
        { BYTES(","), "|" },        { BYTES(",a"), "|a|" }, { BYTES("ab,cd,"), "ab|cd|" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice rest = cases[i].in;
        struct slice word;
        struct text got;

        text_init(&got, 100);
        while (slice_next(&rest, ',', &word)) {
            text_add(&got, word);
            text_add_byte(&got, '|');
        }
        unit_expect_text("words", &got, slice_from(cases[i].want));
        text_clear(&got);
    }
}
END_TEST

START_TEST(ascii_classes_hold_for_every_byte)
{
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool digit = i >= 48 && i <= 57;
        bool upper = i >= 65 && i <= 90;
        bool lower = i >= 97 && i <= 122;

        ck_assert_msg(ascii_is_digit(c) == digit, "digit %d", i);
        ck_assert_msg(ascii_is_upper(c) == upper, "upper %d", i);
        ck_assert_msg(ascii_is_lower(c) == lower, "lower %d", i);
        ck_assert_msg(ascii_is_alpha(c) == (upper || lower), "alpha %d", i);
        ck_assert_msg(ascii_is_alnum(c) == (upper || lower || digit), "alnum %d", i);
        ck_assert_msg(ascii_is_blank(c) == (i == 32 || i == 9), "blank %d", i);
        ck_assert_msg(ascii_is_printable(c) == (i >= 32 && i <= 126), "printable %d", i);
        ck_assert_msg(ascii_lower(c) == (char)(upper ? i + 32 : i), "lower of %d", i);
    }
    for (int i = 0; i < 256; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *found = i != 0 ? strchr(digits, i) : NULL;
        int want = found != NULL ? (int)(found - digits) % 16 : -1;

        ck_assert_msg(ascii_hex_value((char)i) == want, "hexadecimal value of %d", i);
    }
}
END_TEST

/* ---- text ---- */

START_TEST(text_is_empty_before_and_after)
{
    struct text text;

    text_init(&text, 10);
    ck_assert_str_eq(text_string(&text), "");
    ck_assert_uint_eq(text_slice(&text).length, 0);
    text_reset(&text);
    text_add(&text, SLICE_EMPTY);
    ck_assert_str_eq(text_string(&text), "");
    text_add_string(&text, "abc");
    text_clear(&text);
    ck_assert_str_eq(text_string(&text), "");
    ck_assert_uint_eq(text.max_length, 10);
    text_clear(&text);
}
END_TEST

START_TEST(text_grows_to_its_ceiling_and_says_when_it_cut)
{
    static const struct {
        size_t ceiling;
        const char *first, *second, *want;
        bool is_cut;
    } cases[] = {
        { 6, "abc", "def", "abcdef", false }, { 5, "abc", "def", "abcde", true },
        { 3, "abc", "def", "abc", true },     { 3, "abc", "", "abc", false },
        { 2, "abc", "def", "ab", true },      { 0, "abc", "", "", true },
        { 0, "", "", "", false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text text;

        text_init(&text, cases[i].ceiling);
        text_add_string(&text, cases[i].first);
        text_add_format(&text, "%s", cases[i].second);
        unit_expect_text("after two", &text, slice_from(cases[i].want));
        ck_assert_msg(text.is_cut == cases[i].is_cut, "case %zu: is_cut", i);
        ck_assert_msg(text.capacity <= cases[i].ceiling + 1, "case %zu: %zu bytes for %zu", i,
                      text.capacity, cases[i].ceiling);
        text_reset(&text);
        ck_assert(!text.is_cut);
        unit_expect_text("after the reset", &text, SLICE(""));
        text_clear(&text);
    }
}
END_TEST

START_TEST(text_takes_any_byte_many_times)
{
    struct text text;

    text_init(&text, 100000);
    for (size_t i = 0; i < 70000; i++)
        text_add_byte(&text, (char)(i % 251));
    ck_assert_uint_eq(text.length, 70000);
    ck_assert(!text.is_cut);
    for (size_t i = 0; i < 70000; i++)
        ck_assert_msg(text.data[i] == (char)(i % 251), "byte %zu", i);
    text_clear(&text);
}
END_TEST

START_TEST(text_without_a_practical_ceiling_is_still_safe)
{
    struct text text;

    text_init(&text, SIZE_MAX);
    text_add_string(&text, "abc");
    text_add_format(&text, "-%d", 7);
    unit_expect_text("large ceiling", &text, SLICE("abc-7"));
    ck_assert_uint_ge(text.capacity, 6);
    text_clear(&text);
}
END_TEST

START_TEST(text_adds_whole_or_nothing_on_request)
{
    struct text text;

    text_init(&text, 5);
    ck_assert(text_add_whole(&text, SLICE("abc")));
    ck_assert(!text.is_cut);
    ck_assert(!text_add_whole(&text, SLICE("def")));
    ck_assert(text.is_cut);
    unit_expect_text("whole", &text, SLICE("abc"));
    ck_assert(text_add_whole(&text, SLICE("de")));
    unit_expect_text("whole", &text, SLICE("abcde"));
    text_clear(&text);
}
END_TEST

START_TEST(text_format_prints_past_any_small_buffer)
{
    struct text text;
    char long_string[5000];

    memset(long_string, 'x', sizeof long_string - 1);
    long_string[sizeof long_string - 1] = '\0';
    text_init(&text, 6000);
    text_add_format(&text, "%d %s %.*s", -5, long_string, SLICE_ARGS(SLICE("ab")));
    ck_assert_uint_eq(text.length, 3 + 4999 + 3);
    ck_assert(slice_has_prefix(text_slice(&text), SLICE("-5 xxx")));
    ck_assert(unit_ends_with(&text, SLICE("xxx ab")));
    text_add_format(&text, "%s", "");
    ck_assert_uint_eq(text.length, 3 + 4999 + 3);
    text_clear(&text);
}
END_TEST

static Suite *bytes_suite(void)
{
    Suite *suite = suite_create("base: bytes");
    TCase *slice = tcase_create("slice");
    TCase *text = tcase_create("text");

    tcase_add_test(slice, slice_from_takes_a_string_or_nothing);
    tcase_add_test(slice, slice_comparison_follows_the_bytes);
    tcase_add_test(slice, slice_prefixes_are_found);
    tcase_add_test(slice, slice_cuts_fit_whatever_is_asked);
    tcase_add_test(slice, slice_bytes_are_found_from_both_ends);
    tcase_add_test(slice, slice_trim_takes_space_from_the_ends_only);
    tcase_add_test(slice, slice_next_gives_every_word_once);
    tcase_add_test(slice, ascii_classes_hold_for_every_byte);
    tcase_add_test(text, text_is_empty_before_and_after);
    tcase_add_test(text, text_grows_to_its_ceiling_and_says_when_it_cut);
    tcase_add_test(text, text_takes_any_byte_many_times);
    tcase_add_test(text, text_without_a_practical_ceiling_is_still_safe);
    tcase_add_test(text, text_adds_whole_or_nothing_on_request);
    tcase_add_test(text, text_format_prints_past_any_small_buffer);
    suite_add_tcase(suite, slice);
    suite_add_tcase(suite, text);
    return suite;
}

int main(void)
{
    return unit_run(bytes_suite());
}
