/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp/: the data reader. Beside tables, every content of up to seven bytes from
 * a hostile alphabet is held against a second description of what should come
 * out, whole and cut at every place.
 */
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "smtp/data_reader.h"
#include "unit.h"

struct outcome {
    struct text content;
    enum data_problem problem;
    bool is_ended;
    size_t used;
};

static void outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){ .problem = DATA_OK };
    text_init(&outcome->content, 1 << 20);
}

/* As ck_assert_msg, which writes to a pipe whenever it holds: too slow for millions of times. */
static void require(bool is_true, const char *what, struct slice input)
{
    struct text shown;

    if (is_true)
        return;
    text_init(&shown, 1000);
    escape_add_ascii(&shown, input);
    ck_abort_msg("%s: \"%s\"", what, text_string(&shown));
}

/* Feeds one piece of input; stops at the end of data. */
static void feed(struct data_reader *reader, struct slice input, struct outcome *outcome)
{
    size_t at = 0;
    enum data_step step = DATA_STEP_MORE;

    while (!outcome->is_ended && (at < input.length || step == DATA_STEP_PIECE)) {
        struct slice piece;
        size_t used;

        step = data_reader_feed(reader, slice_from_offset(input, at), &used, &piece);
        require(used <= input.length - at, "more used than given", input);
        require(used > 0 || step == DATA_STEP_MORE, "a step without progress", input);
        require(step != DATA_STEP_MORE || used == input.length - at, "bytes left over", input);
        require((step == DATA_STEP_PIECE) == (piece.length > 0), "piece and step differ", input);
        text_add(&outcome->content, piece);
        at += used;
        outcome->is_ended = step == DATA_STEP_END;
    }
    outcome->used += at;
    outcome->problem = reader->problem;
}

/* The whole input in pieces of at most `piece` bytes, the first one of `first`. */
static void read_cut(struct slice input, enum data_line_ends line_ends, bool is_chunked,
                     size_t first, size_t piece, struct outcome *outcome)
{
    struct data_reader reader;

    data_reader_init(&reader, line_ends, 0, is_chunked);
    feed(&reader, slice_until(input, first), outcome);
    for (size_t at = first; at < input.length; at += piece)
        feed(&reader, slice_until(slice_from_offset(input, at), piece), outcome);
    if (is_chunked) {
        text_add(&outcome->content, data_reader_finish(&reader));
        outcome->problem = reader.problem;
        outcome->is_ended = true;
    }
}

/* ---- A second description ---- */

/* Where CRLF "." CRLF ends first, given that a CRLF stood before the content; 0 for nowhere. */
static size_t find_end(struct slice input)
{
    char all[64] = "\r\n";

    memcpy(all + 2, input.data, input.length);
    for (size_t i = 0; i + 5 <= input.length + 2; i++)
        if (memcmp(all + i, "\r\n.\r\n", 5) == 0)
            return i + 3;
    return 0;
}

static bool is_crlf_at(struct slice s, size_t i)
{
    return i + 1 < s.length && s.data[i] == '\r' && s.data[i + 1] == '\n';
}

static bool is_bare(struct slice s, size_t i)
{
    if (s.data[i] == '\r')
        return !is_crlf_at(s, i);
    return s.data[i] == '\n' && (i == 0 || s.data[i - 1] != '\r');
}

/* What the content of an ended message should read as; false where it should be refused. */
static bool describe(struct slice raw, enum data_line_ends line_ends, bool is_chunked,
                     struct text *want)
{
    for (size_t i = 0; i < raw.length; i++) {
        bool is_opening = i == 0 || (i >= 2 && is_crlf_at(raw, i - 2));

        if (raw.data[i] == '\0' || (raw.data[i] == '\r' && is_bare(raw, i)))
            return false;
        if (raw.data[i] == '.' && is_opening && !is_chunked)
            continue;
        if (raw.data[i] == '\n' && is_bare(raw, i)) {
            if (line_ends == DATA_LINE_ENDS_STRICT && !is_chunked)
                return false;
            text_add_byte(want, '\r');
        }
        text_add_byte(want, raw.data[i]);
    }
    if (is_chunked && want->length > 0 && want->data[want->length - 1] != '\n')
        text_add(want, SLICE("\r\n"));
    return true;
}

static void expect_as_described(struct slice input, enum data_line_ends line_ends, bool is_chunked,
                                size_t first, size_t piece)
{
    size_t end = is_chunked ? input.length : find_end(input);
    bool is_ended = is_chunked || end > 0;
    struct text want;
    struct outcome got;
    bool is_fine;

    text_init(&want, 100);
    outcome_init(&got);
    read_cut(input, line_ends, is_chunked, first, piece, &got);
    require(got.is_ended == is_ended, is_ended ? "did not end" : "ended", input);
    if (is_ended) {
        require(got.used == end, "ended elsewhere", input);
        is_fine = describe(is_chunked ? input : slice_until(input, end - 3), line_ends, is_chunked,
                           &want);
        require(is_fine == (got.problem == DATA_OK), is_fine ? "refused" : "not refused", input);
        require(!is_fine || slice_equals(text_slice(&got.content), text_slice(&want)),
                "other content", input);
    }
    text_clear(&want);
    text_clear(&got.content);
}

static void expect_whole_and_cut(struct slice input, enum data_line_ends line_ends, bool is_chunked)
{
    expect_as_described(input, line_ends, is_chunked, input.length, 1);
    expect_as_described(input, line_ends, is_chunked, 0, 1);
    for (size_t first = 1; first < input.length; first++)
        expect_as_described(input, line_ends, is_chunked, first, input.length);
}

START_TEST(every_short_content_reads_as_described)
{
    static const char alphabet[] = { 'a', '.', '\r', '\n', '\0' };
    char bytes[7];
    size_t count = 1;

    for (size_t length = 0; length <= sizeof bytes; length++) {
        for (size_t number = 0; number < count; number++) {
            size_t rest = number;

            for (size_t i = 0; i < length; i++) {
                bytes[i] = alphabet[rest % sizeof alphabet];
                rest /= sizeof alphabet;
            }
            expect_whole_and_cut((struct slice){ bytes, length }, _i, false);
            if (length < sizeof bytes)
                expect_whole_and_cut((struct slice){ bytes, length }, _i, true);
        }
        count *= sizeof alphabet;
    }
}
END_TEST

/* ---- By name ---- */

START_TEST(no_way_of_smuggling_ends_the_data)
{
    static const struct {
        const char *name;
        struct slice input; /* between a line of text and a true end */
        enum data_problem strict, rewritten;
        struct slice want; /* when rewritten */
    } cases[] = {
        { "lf_dot_lf", BYTES("\n.\n"), DATA_BARE_LF, DATA_OK, BYTES("\r\n.\r\n") },
        { "lf_dot_crlf", BYTES("\n.\r\n"), DATA_BARE_LF, DATA_OK, BYTES("\r\n.\r\n") },
        { "crlf_dot_lf", BYTES("\r\n.\n"), DATA_BARE_LF, DATA_OK, BYTES("\r\n\r\n") },
        { "cr_dot_cr", BYTES("\r.\r"), DATA_BARE_CR, DATA_BARE_CR, BYTES("") },
        { "cr_dot_crlf", BYTES("\r.\r\n"), DATA_BARE_CR, DATA_BARE_CR, BYTES("") },
        { "crlf_dot_cr", BYTES("\r\n.\r"), DATA_BARE_CR, DATA_BARE_CR, BYTES("") },
        { "crlf_dot_cr_crlf", BYTES("\r\n.\r\r\n"), DATA_BARE_CR, DATA_BARE_CR, BYTES("") },
        { "crlf_cr_dot_crlf", BYTES("\r\n\r.\r\n"), DATA_BARE_CR, DATA_BARE_CR, BYTES("") },
        { "crlf_nul_dot_crlf", BYTES("\r\n\0.\r\n"), DATA_NUL, DATA_NUL, BYTES("") },
        { "crlf_dot_nul_crlf", BYTES("\r\n.\0\r\n"), DATA_NUL, DATA_NUL, BYTES("") },
        { "lf_lf_dot_lf_lf", BYTES("\n\n.\n\n"), DATA_BARE_LF, DATA_OK,
          BYTES("\r\n\r\n.\r\n\r\n") },
        { "crlf_dot_dot_crlf", BYTES("\r\n..\r\n"), DATA_OK, DATA_OK, BYTES("\r\n.\r\n") },
        { "crlf_dot_blank_crlf", BYTES("\r\n. \r\n"), DATA_OK, DATA_OK, BYTES("\r\n \r\n") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int line_ends = DATA_LINE_ENDS_STRICT; line_ends <= DATA_LINE_ENDS_REWRITE;
             line_ends++) {
            bool is_strict = line_ends == DATA_LINE_ENDS_STRICT;
            enum data_problem want = is_strict ? cases[i].strict : cases[i].rewritten;
            struct text input, content;
            struct outcome got;

            text_init(&input, 100);
            text_init(&content, 100);
            text_add(&input, SLICE("a"));
            text_add(&input, cases[i].input);
            text_add(&input, SLICE("MAIL FROM:<b>\r\n.\r\n"));
            text_add(&content, SLICE("a"));
            text_add(&content, cases[i].want);
            text_add(&content, SLICE("MAIL FROM:<b>\r\n"));
            outcome_init(&got);
            read_cut(text_slice(&input), line_ends, false, 0, 1, &got);
            ck_assert_msg(got.is_ended && got.used == input.length, "%s: ended at %zu of %zu",
                          cases[i].name, got.used, input.length);
            ck_assert_msg(got.problem == want, "%s: problem %d, want %d", cases[i].name,
                          got.problem, want);
            if (want == DATA_OK)
                unit_expect_text(cases[i].name, &got.content, text_slice(&content));
            text_clear(&input);
            text_clear(&content);
            text_clear(&got.content);
        }
    }
}
END_TEST

START_TEST(what_follows_the_end_is_left_alone)
{
    struct data_reader reader;
    struct slice piece;
    size_t used;

    data_reader_init(&reader, DATA_LINE_ENDS_STRICT, 0, false);
    ck_assert_int_eq(data_reader_feed(&reader, SLICE(".\r\nQUIT\r\n"), &used, &piece),
                     DATA_STEP_END);
    ck_assert_uint_eq(used, 3);
    ck_assert_uint_eq(piece.length, 0);
    ck_assert_int_eq(reader.problem, DATA_OK);
}
END_TEST

/* Many lines leave as one piece, without a copy. */
START_TEST(a_piece_spans_lines_and_lies_in_the_input)
{
    struct slice input = SLICE("one\r\ntwo\r\n\r\nthree\r\n..four\r\n");
    struct data_reader reader;
    struct slice piece;
    size_t used;

    data_reader_init(&reader, DATA_LINE_ENDS_STRICT, 0, false);
    ck_assert_int_eq(data_reader_feed(&reader, input, &used, &piece), DATA_STEP_PIECE);
    ck_assert_ptr_eq(piece.data, input.data);
    ck_assert(slice_equals(piece, SLICE("one\r\ntwo\r\n\r\nthree\r\n")));
    ck_assert_uint_eq(used, piece.length);
    input = slice_from_offset(input, used);
    ck_assert_int_eq(data_reader_feed(&reader, input, &used, &piece), DATA_STEP_PIECE);
    ck_assert_ptr_eq(piece.data, input.data + 1);
    ck_assert(slice_equals(piece, SLICE(".four\r\n")));
}
END_TEST

START_TEST(a_line_is_measured_with_its_crlf_and_over_pieces)
{
    static const struct {
        struct slice input;
        size_t max_line_bytes;
        bool is_chunked;
        enum data_problem want;
    } cases[] = {
        { BYTES("12345678\r\n"), 10, false, DATA_OK },
        { BYTES("123456789\r\n"), 10, false, DATA_LINE_TOO_LONG },
        { BYTES("123456789"), 10, false, DATA_LINE_TOO_LONG },
        { BYTES("..2345678\r\n"), 10, false, DATA_OK }, /* the stuffed dot is not of the line */
        { BYTES("..23456789\r\n"), 10, false, DATA_LINE_TOO_LONG },
        { BYTES("1234\r\n1234\r\n1234\r\n"), 6, false, DATA_OK },
        { BYTES("12345678\n12345678\n1"), 10, true, DATA_OK },
        { BYTES("12345678\n123456789\n1"), 10, true, DATA_LINE_TOO_LONG },
        { BYTES("123456789\r\n"), 0, false, DATA_OK },
        { BYTES("\r\n\r\n"), 2, false, DATA_OK },
        { BYTES("a\r\n"), 2, false, DATA_LINE_TOO_LONG },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t piece = 1; piece <= cases[i].input.length; piece++) {
            struct data_reader reader;
            struct outcome got;

            data_reader_init(&reader, DATA_LINE_ENDS_STRICT, cases[i].max_line_bytes,
                             cases[i].is_chunked);
            outcome_init(&got);
            for (size_t at = 0; at < cases[i].input.length; at += piece)
                feed(&reader, slice_until(slice_from_offset(cases[i].input, at), piece), &got);
            ck_assert_msg(got.problem == cases[i].want, "case %zu by %zu: problem %d, want %d", i,
                          piece, got.problem, cases[i].want);
            text_clear(&got.content);
        }
    }
}
END_TEST

START_TEST(the_first_problem_stands_and_nothing_is_given_behind_it)
{
    struct outcome got;

    outcome_init(&got);
    read_cut(SLICE("a\r\nb\0\r\nc\rd\n\r\n.\r\n"), DATA_LINE_ENDS_STRICT, false, 0, 1, &got);
    ck_assert(got.is_ended);
    ck_assert_int_eq(got.problem, DATA_NUL);
    unit_expect_text("content", &got.content, SLICE("a\r\nb"));
    text_clear(&got.content);
}
END_TEST

static Suite *data_reader_suite(void)
{
    Suite *suite = suite_create("smtp: data reader");
    TCase *data = tcase_create("data");
    TCase *every = tcase_create("every");

    tcase_add_test(data, no_way_of_smuggling_ends_the_data);
    tcase_add_test(data, what_follows_the_end_is_left_alone);
    tcase_add_test(data, a_piece_spans_lines_and_lies_in_the_input);
    tcase_add_test(data, a_line_is_measured_with_its_crlf_and_over_pieces);
    tcase_add_test(data, the_first_problem_stands_and_nothing_is_given_behind_it);
    tcase_add_loop_test(every, every_short_content_reads_as_described, DATA_LINE_ENDS_STRICT,
                        DATA_LINE_ENDS_REWRITE + 1);
    tcase_set_timeout(every, 60);
    suite_add_tcase(suite, data);
    suite_add_tcase(suite, every);
    return suite;
}

int main(void)
{
    return unit_run(data_reader_suite());
}
