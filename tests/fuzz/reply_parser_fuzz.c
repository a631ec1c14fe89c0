/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies of a hostile server: whatever comes, results stay below their
 * ceilings, and the way the bytes are cut changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void require_sane(const struct reply_parser *parser)
{
    require(parser->code >= 200 && parser->code <= 599);
    require(strlen(parser->enhanced) <= REPLY_PARSER_MAX_ENHANCED_BYTES);
    require(parser->enhanced[0] == '\0' || parser->enhanced[0] == '0' + parser->code / 100);
    require(parser->lines.length <= REPLY_PARSER_MAX_BYTES);
    require(parser->line_count <= REPLY_PARSER_MAX_LINES);
    require(memchr(text_string(&parser->lines), '\0', parser->lines.length) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct reply_parser whole, cut;
    size_t offset = 0;
    enum reply_step step = REPLY_STEP_REPLY;

    reply_parser_init(&whole);
    reply_parser_init(&cut);
    while (offset < size && step == REPLY_STEP_REPLY) {
        enum reply_step cut_step = REPLY_STEP_MORE;
        size_t used, end = offset;

        step = reply_parser_feed(&whole, slice_from_offset(input, offset), &used);
        offset += used;
        while (end < offset && cut_step == REPLY_STEP_MORE) {
            cut_step = reply_parser_feed(&cut, (struct slice){ input.data + end, 1 }, &used);
            end += used;
        }
        require(cut_step == step && whole.code == cut.code);
        require(slice_equals(text_slice(&whole.lines), text_slice(&cut.lines)));
        require(strcmp(whole.enhanced, cut.enhanced) == 0);
        if (step == REPLY_STEP_REPLY)
            require_sane(&whole);
    }
    reply_parser_clear(&whole);
    reply_parser_clear(&cut);
    return 0;
}
