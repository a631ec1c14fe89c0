/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp/reply_parser: replies of good, odd and hostile servers. */
#include <string.h>

#include "smtp/reply_parser.h"
#include "unit.h"

struct reply_case {
    struct slice input;
    enum reply_step step;
    int code;
    const char *enhanced;
    const char *lines; /* or the problem, for garbage */
    size_t left;       /* bytes behind the reply */
};

static const struct reply_case cases[] = {
    { BYTES("250 ok\r\n"), REPLY_STEP_REPLY, 250, "", "ok", 0 },
    { BYTES("250\r\n"), REPLY_STEP_REPLY, 250, "", "", 0 },
    { BYTES("250 \r\n"), REPLY_STEP_REPLY, 250, "", "", 0 },
    { BYTES("250 ok\n"), REPLY_STEP_REPLY, 250, "", "ok", 0 },
    { BYTES("200 a\r\n"), REPLY_STEP_REPLY, 200, "", "a", 0 },
    { BYTES("599 a\r\n"), REPLY_STEP_REPLY, 599, "", "a", 0 },
    { BYTES("250 ok\r\n354 go\r\n"), REPLY_STEP_REPLY, 250, "", "ok", 8 },
    { BYTES("250-a\r\n250-b\r\n250 c\r\n"), REPLY_STEP_REPLY, 250, "", "a\nb\nc", 0 },
    { BYTES("250-a\n250-\n250\n"), REPLY_STEP_REPLY, 250, "", "a\n\n", 0 },
    { BYTES("550 5.1.1 no such user\r\n"), REPLY_STEP_REPLY, 550, "5.1.1", "no such user", 0 },
    { BYTES("550-5.1.1 no\r\n550 5.1.1 user\r\n"), REPLY_STEP_REPLY, 550, "5.1.1", "no\nuser", 0 },
    { BYTES("550-5.1.1 no\r\n550 5.7.1 user\r\n"), REPLY_STEP_REPLY, 550, "5.1.1",
      "no\n5.7.1 user", 0 },
    { BYTES("550-no\r\n550 5.7.1 user\r\n"), REPLY_STEP_REPLY, 550, "", "no\n5.7.1 user", 0 },
    { BYTES("250 2.1.5\r\n"), REPLY_STEP_REPLY, 250, "2.1.5", "", 0 },
    { BYTES("250 2.999.999 x\r\n"), REPLY_STEP_REPLY, 250, "2.999.999", "x", 0 },
    { BYTES("250 2.1000.1 x\r\n"), REPLY_STEP_REPLY, 250, "", "2.1000.1 x", 0 },
    { BYTES("250 2.1.1000 x\r\n"), REPLY_STEP_REPLY, 250, "", "2.1.1000 x", 0 },
    { BYTES("250 5.1.1 x\r\n"), REPLY_STEP_REPLY, 250, "", "5.1.1 x", 0 },
    { BYTES("250 2.1. x\r\n"), REPLY_STEP_REPLY, 250, "", "2.1. x", 0 },
    { BYTES("250 2..1 x\r\n"), REPLY_STEP_REPLY, 250, "", "2..1 x", 0 },
    { BYTES("250 2.1.5x\r\n"), REPLY_STEP_REPLY, 250, "", "2.1.5x", 0 },
    { BYTES("250 a\rb\r\n"), REPLY_STEP_REPLY, 250, "", "a\rb", 0 },
    { BYTES("250 a\tb\x80\xff\r\n"), REPLY_STEP_REPLY, 250, "", "a\tb\x80\xff", 0 },
    { BYTES(""), REPLY_STEP_MORE, 0, "", "", 0 },
    { BYTES("250 ok"), REPLY_STEP_MORE, 0, "", "", 0 },
    { BYTES("250 ok\r"), REPLY_STEP_MORE, 0, "", "", 0 },
    { BYTES("250-ok\r\n250-"), REPLY_STEP_MORE, 0, "", "", 0 },
    { BYTES("ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES("\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES("25 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES(" 250 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES("HTTP/1.0 400 Bad\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES("2500 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a reply code that runs into its text", 0 },
    { BYTES("250_ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a reply code that runs into its text", 0 },
    { BYTES("000 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a reply code outside of 200 to 599", 0 },
    { BYTES("199 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a reply code outside of 200 to 599", 0 },
    { BYTES("600 ok\r\n"), REPLY_STEP_GARBAGE, 0, "", "a reply code outside of 200 to 599", 0 },
    { BYTES("250-ok\r\n550 no\r\n"), REPLY_STEP_GARBAGE, 0, "",
      "a reply whose lines differ in their codes", 0 },
    { BYTES("250-ok\r\nno\r\n"), REPLY_STEP_GARBAGE, 0, "", "a line without a reply code", 0 },
    { BYTES("250 o\0k\r\n"), REPLY_STEP_GARBAGE, 0, "", "a NUL in a reply", 0 },
};

/* Feeds the input in pieces of `piece` bytes, up to the first reply or the end. */
static enum reply_step feed(struct reply_parser *parser, struct slice input, size_t piece,
                            size_t *left)
{
    enum reply_step step = REPLY_STEP_MORE;
    size_t offset = 0;

    while (offset < input.length && step == REPLY_STEP_MORE) {
        size_t used;

        step = reply_parser_feed(parser, slice_until(slice_from_offset(input, offset), piece),
                                 &used);
        offset += used;
    }
    *left = input.length - offset;
    return step;
}

static void try_case(const struct reply_case *c, size_t piece)
{
    struct reply_parser parser;
    size_t left;
    enum reply_step step;

    reply_parser_init(&parser);
    step = feed(&parser, c->input, piece, &left);
    ck_assert_msg(step == c->step, "%.*s by %zu: got step %d, want %d", SLICE_ARGS(c->input), piece,
                  step, c->step);
    if (step == REPLY_STEP_GARBAGE)
        ck_assert_str_eq(parser.problem, c->lines);
    if (step == REPLY_STEP_REPLY) {
        ck_assert_msg(parser.code == c->code && left == c->left,
                      "%.*s by %zu: got %d and %zu left, want %d and %zu", SLICE_ARGS(c->input),
                      piece, parser.code, left, c->code, c->left);
        ck_assert_str_eq(parser.enhanced, c->enhanced);
        unit_expect_text("lines", &parser.lines, slice_from(c->lines));
    }
    ck_assert(reply_parser_is_inside(&parser)
              == (step == REPLY_STEP_GARBAGE || (step == REPLY_STEP_MORE && c->input.length > 0)));
    reply_parser_clear(&parser);
}

START_TEST(a_reply_reads_the_same_however_it_is_cut)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 1; piece <= cases[i].input.length + 1; piece++)
            try_case(&cases[i], piece);
}
END_TEST

START_TEST(replies_follow_each_other)
{
    static const struct slice input =
        BYTES("250-a\r\n250 b\r\n354 go\r\n550 5.1.1 no\r\n250 ok\r\n");
    static const int codes[] = { 250, 354, 550, 250 };
    struct slice rest = input;
    struct reply_parser parser;

    reply_parser_init(&parser);
    for (size_t i = 0; i < COUNT(codes); i++) {
        size_t used;

        ck_assert_int_eq(reply_parser_feed(&parser, rest, &used), REPLY_STEP_REPLY);
        ck_assert_int_eq(parser.code, codes[i]);
        ck_assert(!reply_parser_is_inside(&parser));
        rest = slice_from_offset(rest, used);
    }
    ck_assert_str_eq(parser.enhanced, "");
    unit_expect_text("lines", &parser.lines, SLICE("ok"));
    ck_assert_uint_eq(rest.length, 0);
    reply_parser_clear(&parser);
}
END_TEST

/* `lines` lines of `length` bytes of text each, and then the last one. */
static void fill(struct text *out, size_t lines, size_t length)
{
    for (size_t i = 0; i <= lines; i++) {
        text_add_string(out, i < lines ? "250-" : "250 ");
        for (size_t k = 0; k < length; k++)
            text_add_byte(out, 'x');
        text_add_string(out, "\r\n");
    }
}

START_TEST(a_long_line_is_cut_and_read_to_its_end)
{
    static const size_t lengths[] = { 2044, 2045, 2046, 2047, 3000, 60000 };

    for (size_t i = 0; i < COUNT(lengths); i++)
        for (size_t piece = 1000; piece <= 70000; piece += 23000) {
            struct text input;
            struct reply_parser parser;
            size_t left, want = lengths[i] < 2044 ? lengths[i] : 2044;

            text_init(&input, 1 << 20);
            fill(&input, 0, lengths[i]);
            reply_parser_init(&parser);
            ck_assert_int_eq(feed(&parser, text_slice(&input), piece, &left), REPLY_STEP_REPLY);
            ck_assert_msg(parser.lines.length == want, "%zu by %zu: got %zu, want %zu", lengths[i],
                          piece, parser.lines.length, want);
            reply_parser_clear(&parser);
            text_clear(&input);
        }
}
END_TEST

START_TEST(a_reply_has_a_ceiling_in_lines_and_bytes)
{
    static const struct {
        size_t lines, length;
        const char *problem; /* NULL where it is still a reply */
    } ceilings[] = {
        { 199, 10, NULL },
        { 200, 10, "a reply with too many lines" },
        { 30, 2000, NULL },
        { 40, 2000, "a reply without end" },
        { 0, 65529, NULL }, /* with code, separator and CRLF below the ceiling */
        { 0, 65531, "a reply without end" },
    };

    for (size_t i = 0; i < COUNT(ceilings); i++) {
        struct text input;
        struct reply_parser parser;
        size_t left;
        enum reply_step step;

        text_init(&input, 1 << 20);
        fill(&input, ceilings[i].lines, ceilings[i].length);
        reply_parser_init(&parser);
        step = feed(&parser, text_slice(&input), 777, &left);
        ck_assert_msg((step == REPLY_STEP_REPLY) == (ceilings[i].problem == NULL),
                      "%zu lines of %zu: got step %d (%s)", ceilings[i].lines, ceilings[i].length,
                      step, parser.problem != NULL ? parser.problem : "");
        if (ceilings[i].problem != NULL)
            ck_assert_str_eq(parser.problem, ceilings[i].problem);
        reply_parser_clear(&parser);
        text_clear(&input);
    }
}
END_TEST

START_TEST(garbage_stays_garbage)
{
    struct reply_parser parser;
    size_t used;

    reply_parser_init(&parser);
    ck_assert_int_eq(reply_parser_feed(&parser, SLICE("hello\r\n"), &used), REPLY_STEP_GARBAGE);
    ck_assert_int_eq(reply_parser_feed(&parser, SLICE("250 ok\r\n"), &used), REPLY_STEP_GARBAGE);
    ck_assert_uint_eq(used, 0);
    reply_parser_clear(&parser);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply_parser");
    TCase *replies = tcase_create("replies");

    tcase_add_test(replies, a_reply_reads_the_same_however_it_is_cut);
    tcase_add_test(replies, replies_follow_each_other);
    tcase_add_test(replies, a_long_line_is_cut_and_read_to_its_end);
    tcase_add_test(replies, a_reply_has_a_ceiling_in_lines_and_bytes);
    tcase_add_test(replies, garbage_stays_garbage);
    suite_add_tcase(suite, replies);
    return unit_run(suite);
}
