/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/: header fields found in a stream, whatever the pieces it comes in. */
#include <string.h>

#include "mail/header_parser.h"
#include "unit.h"

#define MAX_BYTES 1000
#define MAX_FIELDS 8

/*
 * `fields` has one "name=value;" for each, the value trimmed and otherwise raw; `body` is the
 * offset where the body begins.
 */
static const struct {
    struct slice input;
    const char *fields;
    enum header_end end;
    size_t body;
} cases[] = {
    { BYTES(""), "", HEADER_END_OF_INPUT, 0 },
    { BYTES("\r\n"), "", HEADER_END_EMPTY_LINE, 2 },
    { BYTES("\r\nA: b\r\n"), "", HEADER_END_EMPTY_LINE, 2 },
    { BYTES("A: b\r\n\r\nbody\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 8 },
    { BYTES("A: b\r\nC: d\r\n\r\nE: f\r\n"), "A=b;C=d;", HEADER_END_EMPTY_LINE, 14 },
    { BYTES("A:\r\n\r\n"), "A=;", HEADER_END_EMPTY_LINE, 6 },
    { BYTES("A:b\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 7 },
    { BYTES("A:\t b \t\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 11 },
    { BYTES("A: b: c\r\n\r\n"), "A=b: c;", HEADER_END_EMPTY_LINE, 11 },
    { BYTES("A: b\r\nA: c\r\n\r\n"), "A=b;A=c;", HEADER_END_EMPTY_LINE, 14 },
    /* Blanks between name and colon are the old form. */
    { BYTES("A : b\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 9 },
    { BYTES("A \t : b\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 11 },
    { BYTES("A :\r\n\r\n"), "A=;", HEADER_END_EMPTY_LINE, 7 },
    /* Folding. */
    { BYTES("A: b\r\n c\r\n\r\n"), "A=b\r\n c;", HEADER_END_EMPTY_LINE, 12 },
    { BYTES("A: b\r\n\tc\r\n\td\r\nE: f\r\n\r\n"), "A=b\r\n\tc\r\n\td;E=f;",
      HEADER_END_EMPTY_LINE, 22 },
    { BYTES("A:\r\n b\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 10 },
    { BYTES("A: b\r\n \r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 11 },
    { BYTES("A: b\r\n \r\n c\r\n\r\n"), "A=b\r\n \r\n c;", HEADER_END_EMPTY_LINE, 15 },
    { BYTES("A: b\r\n :c\r\n\r\n"), "A=b\r\n :c;", HEADER_END_EMPTY_LINE, 13 },
    /* A line that is no field ends the section and opens the body. */
    { BYTES("A: b\r\nbody\r\nC: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("body\r\nA: b\r\n\r\n"), "", HEADER_END_NO_FIELD, 0 },
    { BYTES(" A: b\r\nC: d\r\n\r\n"), "", HEADER_END_NO_FIELD, 0 },
    { BYTES("\tA: b\r\n\r\n"), "", HEADER_END_NO_FIELD, 0 },
    { BYTES("A: b\r\nC d: e\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\n: c\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\nFrom x@y Mon\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("From x@y Mon Jan 1 00:00:00 2026\r\nA: b\r\n\r\n"), "", HEADER_END_NO_FIELD, 0 },
    { BYTES(">From: b\r\n\r\n"), ">From=b;", HEADER_END_EMPTY_LINE, 12 },
    { BYTES("A: b\r\nC\r\n: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\nC \r\n : d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\nC\0: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\n\0C: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\nC\x7f: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\nC\xc3\xbc: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\n\nC: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\n\rC: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    { BYTES("A: b\r\n\r\r\nC: d\r\n\r\n"), "A=b;", HEADER_END_NO_FIELD, 6 },
    /* Only CRLF ends a line; what else there is belongs to the value. */
    { BYTES("A: b\nC: d\r\n\r\n"), "A=b\nC: d;", HEADER_END_EMPTY_LINE, 13 },
    { BYTES("A: b\rC: d\r\n\r\n"), "A=b\rC: d;", HEADER_END_EMPTY_LINE, 13 },
    { BYTES("A: b\n\nC: d\r\n\r\n"), "A=b\n\nC: d;", HEADER_END_EMPTY_LINE, 14 },
    { BYTES("A: b\r\r\n\r\n"), "A=b;", HEADER_END_EMPTY_LINE, 9 },
    { BYTES("A:\nC: d\r\n\r\n"), "A=C: d;", HEADER_END_EMPTY_LINE, 11 },
    { BYTES("A: \xff\xfe\x80\r\n\r\n"), "A=\xff\xfe\x80;", HEADER_END_EMPTY_LINE, 10 },
    /* No body. */
    { BYTES("A: b\r\n"), "A=b;", HEADER_END_OF_INPUT, 6 },
    { BYTES("A: b"), "A=b;", HEADER_END_OF_INPUT, 4 },
    { BYTES("A: b\r"), "A=b;", HEADER_END_OF_INPUT, 5 },
    { BYTES("A:"), "A=;", HEADER_END_OF_INPUT, 2 },
    { BYTES("A: b\r\n c"), "A=b\r\n c;", HEADER_END_OF_INPUT, 8 },
    { BYTES("A: b\r\n\r"), "A=b;", HEADER_END_OF_INPUT, 6 },
    { BYTES("A: b\r\nC"), "A=b;", HEADER_END_OF_INPUT, 6 },
    { BYTES("A: b\r\nC "), "A=b;", HEADER_END_OF_INPUT, 6 },
    /* Ceilings: eight fields, and one more. */
    { BYTES("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n\r\n"), "A=;B=;C=;D=;E=;F=;G=;H=;",
      HEADER_END_EMPTY_LINE, 34 },
    { BYTES("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\n\r\n"),
      "A=;B=;C=;D=;E=;F=;G=;H=;", HEADER_END_TOO_LARGE, 32 },
    { BYTES("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:"), "A=;B=;C=;D=;E=;F=;G=;H=;",
      HEADER_END_TOO_LARGE, 32 },
};

/* What came out, in the form of the table. */
static void print_fields(struct text *out, const struct header_parser *parser)
{
    for (size_t i = 0; i < parser->field_count; i++) {
        text_add(out, header_parser_name(parser, &parser->fields[i]));
        text_add_byte(out, '=');
        text_add(out, header_parser_value(parser, &parser->fields[i]));
        text_add_byte(out, ';');
    }
}

/* The fields lie one behind the other and are what the input has there. */
static void expect_whole_fields(const struct header_parser *parser, struct slice input)
{
    size_t offset = 0;

    for (size_t i = 0; i < parser->field_count; i++) {
        const struct header_field *field = &parser->fields[i];

        ck_assert_uint_eq(field->start, offset);
        ck_assert_uint_gt(field->name_length, 0);
        ck_assert_uint_lt(field->start + field->name_length, field->value_start);
        ck_assert_uint_le(field->value_start, offset + field->length);
        offset += field->length;
    }
    ck_assert_uint_eq(offset, parser->length);
    ck_assert_uint_le(offset, input.length);
    ck_assert(slice_equals(slice_until(text_slice(&parser->text), offset),
                           slice_until(input, offset)));
}

static void expect_case(size_t i, const struct header_parser *parser, const char *how)
{
    size_t body = parser->length + (parser->end == HEADER_END_EMPTY_LINE ? 2 : 0);
    struct text got;

    text_init(&got, 4096);
    print_fields(&got, parser);
    unit_expect_text(how, &got, slice_from(cases[i].fields));
    ck_assert_msg(parser->end == cases[i].end, "case %zu, %s: ended by %d, want %d", i, how,
                  parser->end, cases[i].end);
    ck_assert_msg(body == cases[i].body, "case %zu, %s: body at %zu, want %zu", i, how, body,
                  cases[i].body);
    ck_assert(header_parser_is_over(parser));
    expect_whole_fields(parser, cases[i].input);
    text_clear(&got);
}

START_TEST(a_header_section_gives_its_fields)
{
    struct header_parser parser;

    header_parser_init(&parser, MAX_BYTES, MAX_FIELDS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        header_parser_feed(&parser, cases[i].input);
        header_parser_end(&parser);
        expect_case(i, &parser, "whole");
        header_parser_clear(&parser);
    }
}
END_TEST

START_TEST(pieces_make_no_difference)
{
    struct header_parser parser;

    header_parser_init(&parser, MAX_BYTES, MAX_FIELDS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice input = cases[i].input;

        for (size_t first = 0; first <= input.length; first++)
            for (size_t second = first; second <= input.length; second++) {
                header_parser_feed(&parser, slice_until(input, first));
                header_parser_feed(&parser, slice_from_offset(slice_until(input, second), first));
                header_parser_feed(&parser, SLICE_EMPTY);
                header_parser_feed(&parser, slice_from_offset(input, second));
                header_parser_end(&parser);
                expect_case(i, &parser, "in three pieces");
                header_parser_clear(&parser);
            }
        for (size_t at = 0; at < input.length; at++)
            header_parser_feed(&parser, slice_until(slice_from_offset(input, at), 1));
        header_parser_end(&parser);
        expect_case(i, &parser, "byte by byte");
        header_parser_clear(&parser);
    }
}
END_TEST

START_TEST(a_field_is_seen_once_it_is_whole)
{
    struct header_parser parser;

    header_parser_init(&parser, MAX_BYTES, MAX_FIELDS);
    header_parser_feed(&parser, SLICE("A: b\r\n"));
    ck_assert_uint_eq(parser.field_count, 0);
    header_parser_feed(&parser, SLICE(" c\r\n"));
    ck_assert_uint_eq(parser.field_count, 0);
    header_parser_feed(&parser, SLICE("D"));
    ck_assert_uint_eq(parser.field_count, 1);
    ck_assert(!header_parser_is_over(&parser));
    header_parser_feed(&parser, SLICE(": e\r\n\r"));
    ck_assert_uint_eq(parser.field_count, 2);
    ck_assert(!header_parser_is_over(&parser));
    header_parser_feed(&parser, SLICE("\nF: g\r\n"));
    ck_assert(header_parser_is_over(&parser));
    header_parser_feed(&parser, SLICE("H: i\r\n\r\n"));
    header_parser_end(&parser);
    ck_assert_uint_eq(parser.field_count, 2);
    ck_assert_int_eq(parser.end, HEADER_END_EMPTY_LINE);
    header_parser_clear(&parser);
    ck_assert_uint_eq(parser.field_count, 0);
    ck_assert(!header_parser_is_over(&parser));
}
END_TEST

/* A section of exactly `length` bytes in `field_length`-byte fields, without an end. */
static void make_section(struct text *section, size_t length, size_t field_length)
{
    text_reset(section);
    while (section->length < length) {
        size_t rest = length - section->length;
        size_t bytes = rest < 2 * field_length ? rest : field_length;

        text_add_string(section, "N:");
        for (size_t i = 4; i < bytes; i++)
            text_add_byte(section, 'v');
        text_add_string(section, "\r\n");
    }
}

START_TEST(the_section_has_a_ceiling_that_its_end_does_not_count_to)
{
    static const struct {
        size_t length;
        const char *tail;
        enum header_end want;
    } limits[] = {
        { 100, "\r\nbody\r\n", HEADER_END_EMPTY_LINE },
        { 101, "\r\nbody\r\n", HEADER_END_TOO_LARGE },
        { 100, "", HEADER_END_OF_INPUT },
        { 101, "", HEADER_END_TOO_LARGE },
        { 100, " \r\n\r\n", HEADER_END_TOO_LARGE },
        { 100, "A: b\r\n\r\n", HEADER_END_TOO_LARGE },
        { 5000, "\r\n", HEADER_END_TOO_LARGE },
    };
    struct header_parser parser;
    struct text section;

    text_init(&section, 10000);
    header_parser_init(&parser, 100, 1000);
    for (size_t i = 0; i < COUNT(limits); i++)
        for (size_t piece = 1; piece < 120; piece++) {
            struct slice rest;

            make_section(&section, limits[i].length, 20);
            ck_assert_uint_eq(section.length, limits[i].length);
            text_add_string(&section, limits[i].tail);
            rest = text_slice(&section);
            for (; rest.length > 0; rest = slice_from_offset(rest, piece))
                header_parser_feed(&parser, slice_until(rest, piece));
            header_parser_end(&parser);
            ck_assert_msg(parser.end == limits[i].want, "case %zu, pieces of %zu: %d, want %d", i,
                          piece, parser.end, limits[i].want);
            ck_assert_uint_le(parser.length, 100);
            ck_assert_uint_le(parser.text.capacity, 103);
            header_parser_clear(&parser);
        }
    text_clear(&section);
}
END_TEST

START_TEST(an_endless_line_stops_at_the_ceiling)
{
    static const char *const starts[] = { "", "A:", "A: b\r\n ", "A " };
    struct header_parser parser;
    struct text line;

    text_init(&line, 4096);
    while (!line.is_cut)
        text_add_string(&line, "xxxxxxxxxxxxxxxx");
    header_parser_init(&parser, MAX_BYTES, MAX_FIELDS);
    for (size_t i = 0; i < COUNT(starts); i++) {
        bool is_field = i != 3;

        header_parser_feed(&parser, slice_from(starts[i]));
        for (int k = 0; k < 100; k++)
            header_parser_feed(&parser, text_slice(&line));
        ck_assert_int_eq(parser.end, is_field ? HEADER_END_TOO_LARGE : HEADER_END_NO_FIELD);
        ck_assert_uint_le(parser.text.length, MAX_BYTES + 2);
        header_parser_clear(&parser);
    }
    text_clear(&line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("header_parser");
    TCase *parser = tcase_create("parser");

    tcase_add_test(parser, a_header_section_gives_its_fields);
    tcase_add_test(parser, pieces_make_no_difference);
    tcase_add_test(parser, a_field_is_seen_once_it_is_whole);
    tcase_add_test(parser, the_section_has_a_ceiling_that_its_end_does_not_count_to);
    tcase_add_test(parser, an_endless_line_stops_at_the_ceiling);
    suite_add_tcase(suite, parser);
    return unit_run(suite);
}
