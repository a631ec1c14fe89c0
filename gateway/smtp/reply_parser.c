/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies of an SMTP server; see reply_parser.h. A whole line in the input is
 * read where it lies; only a line cut by the network is copied. What a hostile
 * server could try is to never end: a line without end, a reply without a last
 * line, both in small drips. The counts here end it by size, the owner's
 * deadline by time.
 */
#include "smtp/reply_parser.h"

#include <string.h>

void reply_parser_init(struct reply_parser *parser)
{
    *parser = (struct reply_parser){ 0 };
    text_init(&parser->lines, REPLY_PARSER_MAX_BYTES);
    text_init(&parser->partial, REPLY_PARSER_MAX_LINE_BYTES);
}

void reply_parser_clear(struct reply_parser *parser)
{
    text_clear(&parser->lines);
    text_clear(&parser->partial);
    reply_parser_init(parser);
}

bool reply_parser_is_inside(const struct reply_parser *parser)
{
    return !parser->is_complete && parser->byte_count > 0;
}

static enum reply_step fail(struct reply_parser *parser, const char *problem)
{
    parser->problem = problem;
    return REPLY_STEP_GARBAGE;
}

/* Digits at the start of `s`, at most `max`. */
static size_t count_digits(struct slice s, size_t max)
{
    size_t count = 0;

    while (count < s.length && count < max && ascii_is_digit(s.data[count]))
        count++;
    return count;
}

/*
 * Length of the enhanced code at the start of `text`, 0 when there is none (RFC 3463 2):
 *     status-code = class "." subject "." detail
 * Its class must be that of the reply, as RFC 2034 4 wants.
 */
static size_t enhanced_length(int code, struct slice text)
{
    size_t subject, detail, length;

    if (text.length < 5 || text.data[0] != '0' + code / 100 || text.data[1] != '.')
        return 0;
    subject = count_digits(slice_from_offset(text, 2), 3);
    if (subject == 0 || 2 + subject >= text.length || text.data[2 + subject] != '.')
        return 0;
    detail = count_digits(slice_from_offset(text, 3 + subject), 3);
    length = 3 + subject + detail;
    if (detail == 0 || (length < text.length && text.data[length] != ' '))
        return 0;
    return length;
}

static void take_text(struct reply_parser *parser, struct slice text)
{
    size_t length = enhanced_length(parser->code, text);
    struct slice enhanced = slice_until(text, length);

    if (parser->line_count == 0 && length > 0) {
        memcpy(parser->enhanced, enhanced.data, length);
        parser->enhanced[length] = '\0';
    }
    if (length > 0 && slice_equals(enhanced, slice_from(parser->enhanced)))
        text = slice_from_offset(text, length + 1);
    if (parser->line_count > 0)
        text_add_byte(&parser->lines, '\n');
    text_add(&parser->lines, text);
}

/* One line without its LF. */
static enum reply_step take_line(struct reply_parser *parser, struct slice line)
{
    int code = 0;
    char separator;

    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    line = slice_until(line, REPLY_PARSER_MAX_LINE_BYTES);
    if (count_digits(line, 3) < 3)
        return fail(parser, "a line without a reply code");
    for (size_t i = 0; i < 3; i++)
        code = code * 10 + (line.data[i] - '0');
    if (code < 200 || code > 599)
        return fail(parser, "a reply code outside of 200 to 599");
    separator = line.length > 3 ? line.data[3] : ' ';
    if (separator != ' ' && separator != '-')
        return fail(parser, "a reply code that runs into its text");
    if (parser->line_count > 0 && code != parser->code)
        return fail(parser, "a reply whose lines differ in their codes");
    if (parser->line_count == REPLY_PARSER_MAX_LINES)
        return fail(parser, "a reply with too many lines");
    if (memchr(line.data, '\0', line.length) != NULL)
        return fail(parser, "a NUL in a reply");
    parser->code = code;
    take_text(parser, slice_from_offset(line, 4));
    parser->line_count++;
    parser->is_complete = separator == ' ';
    return parser->is_complete ? REPLY_STEP_REPLY : REPLY_STEP_MORE;
}

static void start_reply(struct reply_parser *parser)
{
    parser->code = 0;
    parser->enhanced[0] = '\0';
    text_reset(&parser->lines);
    parser->line_count = 0;
    parser->byte_count = 0;
    parser->is_complete = false;
}

/* Up to and with the next line end, or all there is. */
static enum reply_step feed_line(struct reply_parser *parser, struct slice input, size_t *used)
{
    size_t length = 0;
    bool is_whole = slice_find_byte(input, '\n', &length);
    struct slice line = is_whole ? slice_until(input, length) : input;
    enum reply_step step;

    *used = is_whole ? length + 1 : input.length;
    parser->byte_count += *used;
    if (parser->byte_count > REPLY_PARSER_MAX_BYTES)
        return fail(parser, "a reply without end");
    if (is_whole && parser->partial.length == 0)
        return take_line(parser, line);
    text_add(&parser->partial, line);
    if (!is_whole)
        return REPLY_STEP_MORE;
    step = take_line(parser, text_slice(&parser->partial));
    text_reset(&parser->partial);
    return step;
}

enum reply_step reply_parser_feed(struct reply_parser *parser, struct slice input,
                                  size_t *consumed)
{
    enum reply_step step = REPLY_STEP_MORE;

    *consumed = 0;
    if (parser->problem != NULL)
        return REPLY_STEP_GARBAGE;
    if (parser->is_complete && input.length > 0)
        start_reply(parser);
    while (*consumed < input.length && step == REPLY_STEP_MORE) {
        size_t used;

        step = feed_line(parser, slice_from_offset(input, *consumed), &used);
        *consumed += used;
    }
    return step;
}
