/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header fields from a stream; see header_parser.h. Every byte is copied to
 * `text` when it is read, so positions are offsets into that copy and nothing
 * needs to be held back between two pieces. A line that turns out to be no
 * field stays in the copy behind `length`, where nobody looks.
 */
#include "mail/header_parser.h"

#include <string.h>

#include "base/memory.h"

void header_parser_init(struct header_parser *parser, size_t max_bytes, size_t max_fields)
{
    *parser = (struct header_parser){
        .max_bytes = max_bytes < UINT32_MAX ? max_bytes : UINT32_MAX,
        .max_fields = max_fields,
    };
    /* Room for the first bytes of what ends the section, which do not count. */
    text_init(&parser->text, parser->max_bytes + 2);
}

void header_parser_clear(struct header_parser *parser)
{
    text_clear(&parser->text);
    mem_free(parser->fields);
    header_parser_init(parser, parser->max_bytes, parser->max_fields);
}

static void enter_over(struct header_parser *parser, enum header_end end)
{
    parser->is_in_field = false;
    parser->end = end;
    parser->state = HEADER_STATE_OVER;
}

/* The field that was read is whole and ends at `end`. False when it is one too many. */
static bool keep_field(struct header_parser *parser, size_t end)
{
    if (!parser->is_in_field)
        return true;
    parser->is_in_field = false;
    if (parser->field_count == parser->max_fields) {
        enter_over(parser, HEADER_END_TOO_LARGE);
        return false;
    }
    parser->fields = mem_grow(parser->fields, parser->field_count, &parser->field_capacity,
                              sizeof *parser->fields);
    parser->field.length = (uint32_t)(end - parser->field.start);
    parser->fields[parser->field_count++] = parser->field;
    parser->length = end;
    return true;
}

static bool is_name_byte(char c)
{
    return c > ' ' && c <= '~' && c != ':';
}

/* The first byte of a line tells whether the field before it goes on. */
static enum header_state on_line_start(struct header_parser *parser, char c)
{
    if (ascii_is_blank(c) && parser->is_in_field)
        return HEADER_STATE_VALUE;
    if (!keep_field(parser, parser->line_start))
        return HEADER_STATE_OVER;
    if (c == '\r')
        return HEADER_STATE_LINE_CR;
    if (is_name_byte(c))
        return HEADER_STATE_NAME;
    enter_over(parser, HEADER_END_NO_FIELD);
    return HEADER_STATE_OVER;
}

/* `at` is the place of `c`: the name ended there or before, with the colon the value begins. */
static enum header_state on_name(struct header_parser *parser, char c, size_t at)
{
    bool was_in_name = parser->state == HEADER_STATE_NAME;

    if (was_in_name && is_name_byte(c))
        return HEADER_STATE_NAME;
    if (was_in_name)
        parser->field = (struct header_field){
            .start = (uint32_t)parser->line_start,
            .name_length = (uint32_t)(at - parser->line_start),
        };
    if (c == ':') {
        parser->field.value_start = (uint32_t)(at + 1);
        parser->is_in_field = true;
        return HEADER_STATE_VALUE;
    }
    if (ascii_is_blank(c))
        return HEADER_STATE_NAME_BLANK;
    enter_over(parser, HEADER_END_NO_FIELD);
    return HEADER_STATE_OVER;
}

/* One byte that is not inside a value; it stands at `at` of the copy. */
static void step(struct header_parser *parser, char c, size_t at)
{
    switch (parser->state) {
    case HEADER_STATE_LINE_START:
        parser->state = on_line_start(parser, c);
        break;
    case HEADER_STATE_LINE_CR:
        enter_over(parser, c == '\n' ? HEADER_END_EMPTY_LINE : HEADER_END_NO_FIELD);
        break;
    case HEADER_STATE_NAME:
    case HEADER_STATE_NAME_BLANK:
        parser->state = on_name(parser, c, at);
        break;
    case HEADER_STATE_VALUE:
    case HEADER_STATE_OVER:
        break;
    }
}

/* Copies value bytes up to and with the next LF; the line is at its end if that LF follows a CR. */
static size_t take_value(struct header_parser *parser, struct slice bytes)
{
    size_t position;
    bool has_line_feed = slice_find_byte(bytes, '\n', &position);
    struct text *text = &parser->text;

    if (has_line_feed)
        bytes = slice_until(bytes, position + 1);
    text_add(text, bytes);
    /* At least the colon, or the blank of a folded line, stands before these bytes. */
    if (has_line_feed && text->data[text->length - 2] == '\r') {
        parser->line_start = text->length;
        parser->state = HEADER_STATE_LINE_START;
    }
    return bytes.length;
}

void header_parser_feed(struct header_parser *parser, struct slice bytes)
{
    while (bytes.length > 0 && !header_parser_is_over(parser)) {
        size_t used = 1;

        if (parser->state == HEADER_STATE_VALUE) {
            used = take_value(parser, slice_until(bytes, parser->text.max_length));
        } else {
            text_add_byte(&parser->text, bytes.data[0]);
            step(parser, bytes.data[0], parser->text.length - 1);
        }
        bytes = slice_from_offset(bytes, used);
        /* The line that is read now may still be the empty one that does not count. */
        if (!header_parser_is_over(parser) && parser->state != HEADER_STATE_LINE_CR &&
            parser->text.length > parser->max_bytes)
            enter_over(parser, HEADER_END_TOO_LARGE);
    }
}

void header_parser_end(struct header_parser *parser)
{
    if (!header_parser_is_over(parser) && keep_field(parser, parser->text.length))
        enter_over(parser, HEADER_END_OF_INPUT);
}

size_t header_parser_memory_bytes(const struct header_parser *parser)
{
    return parser->text.capacity + parser->field_capacity * sizeof *parser->fields;
}

struct slice header_parser_name(const struct header_parser *parser,
                                const struct header_field *field)
{
    return slice_until(slice_from_offset(text_slice(&parser->text), field->start),
                       field->name_length);
}

struct slice header_parser_value(const struct header_parser *parser,
                                 const struct header_field *field)
{
    struct slice whole =
        slice_until(text_slice(&parser->text), (size_t)field->start + field->length);

    return slice_trim(slice_from_offset(whole, field->value_start));
}
