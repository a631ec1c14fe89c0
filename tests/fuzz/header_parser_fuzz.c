/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header sections with hostile bytes, in hostile pieces. The first two bytes of
 * the input are the length of the pieces and the ceilings; whatever they are,
 * the fields must be those that a reader of the whole would find.
 */
#include <stdint.h>
#include <stdlib.h>

#include "mail/header_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Fields lie one behind the other from the start; names are clean; values end as they should. */
static void expect_consistent(const struct header_parser *parser, struct slice input)
{
    size_t offset = 0;

    require(header_parser_is_over(parser) && parser->end != HEADER_END_NONE);
    require(parser->field_count <= parser->max_fields && parser->length <= parser->max_bytes);
    for (size_t i = 0; i < parser->field_count; i++) {
        const struct header_field *field = &parser->fields[i];
        struct slice name = header_parser_name(parser, field);
        bool is_last = i + 1 == parser->field_count;
        size_t end = offset + field->length;

        require(field->start == offset && name.length > 0);
        for (size_t k = 0; k < name.length; k++)
            require(name.data[k] > ' ' && name.data[k] <= '~' && name.data[k] != ':');
        require(input.data[field->value_start - 1] == ':' && field->value_start <= end);
        require((is_last && end == input.length) || input.data[end - 1] == '\n');
        /* No line inside but those that fold. */
        for (size_t k = offset; k + 2 < end; k++)
            require(input.data[k] != '\r' || input.data[k + 1] != '\n' ||
                    ascii_is_blank(input.data[k + 2]));
        (void)header_parser_value(parser, field);
        offset = end;
    }
    require(parser->length == offset);
    require(slice_equals(slice_until(text_slice(&parser->text), offset),
                         slice_until(input, offset)));
    if (parser->end == HEADER_END_EMPTY_LINE)
        require(slice_has_prefix(slice_from_offset(input, offset), SLICE("\r\n")));
}

static void expect_same(const struct header_parser *a, const struct header_parser *b)
{
    require(a->end == b->end && a->length == b->length && a->field_count == b->field_count);
    for (size_t i = 0; i < a->field_count; i++)
        require(a->fields[i].start == b->fields[i].start &&
                a->fields[i].name_length == b->fields[i].name_length &&
                a->fields[i].value_start == b->fields[i].value_start &&
                a->fields[i].length == b->fields[i].length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header_parser whole;
    struct header_parser pieces;
    struct slice input;
    size_t piece;
    size_t max_bytes;
    size_t max_fields;

    if (size < 2)
        return 0;
    piece = data[0] % 64 + 1;
    max_bytes = data[1] < 128 ? 100000 : data[1] - 127u;
    max_fields = data[1] % 16 + 1;
    input = (struct slice){ (const char *)data + 2, size - 2 };

    header_parser_init(&whole, max_bytes, max_fields);
    header_parser_feed(&whole, input);
    header_parser_end(&whole);
    expect_consistent(&whole, input);

    header_parser_init(&pieces, max_bytes, max_fields);
    for (struct slice rest = input; rest.length > 0; rest = slice_from_offset(rest, piece))
        header_parser_feed(&pieces, slice_until(rest, piece));
    header_parser_end(&pieces);
    expect_same(&whole, &pieces);

    header_parser_clear(&whole);
    header_parser_clear(&pieces);
    return 0;
}
