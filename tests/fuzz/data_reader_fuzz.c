/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message content from hostile bytes. The first byte chooses the settings, the
 * second the size of the pieces. Cut or whole, the outcome must be the same;
 * what was taken holds CRLF only, and DATA ends behind CRLF.CRLF and nowhere else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "smtp/data_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_CONTENT_BYTES 1000000

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* Reads all, in pieces of `piece_bytes`; gives the bytes used, and adds the content. */
static size_t read_all(struct data_reader *reader, struct slice input, size_t piece_bytes,
                       struct text *content)
{
    size_t at = 0;
    size_t end = 0;

    while (at < input.length && reader->state != DATA_STATE_DONE) {
        struct slice piece;
        enum data_step step;
        size_t used;

        if (at == end)
            end = piece_bytes < input.length - at ? at + piece_bytes : input.length;
        step =
            data_reader_feed(reader, slice_from_offset(slice_until(input, end), at), &used, &piece);
        require(used <= end - at && (used > 0 || step == DATA_STEP_MORE));
        require(step != DATA_STEP_MORE || used == end - at);
        text_add(content, piece);
        at += used;
    }
    if (reader->is_chunked)
        text_add(content, data_reader_finish(reader));
    return at;
}

static void require_clean(struct slice content, size_t max_line_bytes)
{
    size_t line_start = 0;

    for (size_t i = 0; i < content.length; i++) {
        char c = content.data[i];

        require(c != '\0');
        require(c != '\r' || (i + 1 < content.length && content.data[i + 1] == '\n'));
        require(c != '\n' || (i > 0 && content.data[i - 1] == '\r'));
        if (c != '\n')
            continue;
        require(max_line_bytes == 0 || i + 1 - line_start <= max_line_bytes);
        line_start = i + 1;
    }
}

/* The bytes in front of `used` end the data, and nothing before them did. */
static void require_true_end(struct slice input, size_t used)
{
    size_t i = 0;

    require(used >= 3 && memcmp(input.data + used - 3, ".\r\n", 3) == 0);
    require(used == 3 || (used >= 5 && memcmp(input.data + used - 5, "\r\n", 2) == 0));
    require(used == 3 || !slice_has_prefix(input, SLICE(".\r\n")));
    for (; i + 5 < used; i++)
        require(memcmp(input.data + i, "\r\n.\r\n", 5) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_chunked = size > 0 && (data[0] & 1) != 0;
    enum data_line_ends line_ends =
        size > 0 && (data[0] & 2) != 0 ? DATA_LINE_ENDS_REWRITE : DATA_LINE_ENDS_STRICT;
    size_t max_line_bytes = size > 0 && data[0] >> 2 != 1 ? data[0] >> 2 : 0;
    size_t piece_bytes = size > 1 && data[1] > 0 ? data[1] : 1;
    struct slice input = slice_from_offset((struct slice){ (const char *)data, size }, 2);
    struct data_reader whole_reader, cut_reader;
    struct text whole, cut;
    size_t used;

    data_reader_init(&whole_reader, line_ends, max_line_bytes, is_chunked);
    data_reader_init(&cut_reader, line_ends, max_line_bytes, is_chunked);
    text_init(&whole, MAX_CONTENT_BYTES);
    text_init(&cut, MAX_CONTENT_BYTES);
    used = read_all(&whole_reader, input, input.length, &whole);
    require(read_all(&cut_reader, input, piece_bytes, &cut) == used);
    require(whole_reader.state == cut_reader.state);
    require((whole_reader.problem == DATA_OK) == (cut_reader.problem == DATA_OK));
    if (whole_reader.problem == DATA_OK)
        require(slice_equals(text_slice(&whole), text_slice(&cut)));
    if (whole_reader.problem == DATA_OK && whole_reader.state == DATA_STATE_DONE)
        require_clean(text_slice(&whole), max_line_bytes);
    if (!is_chunked && whole_reader.state == DATA_STATE_DONE)
        require_true_end(input, used);
    text_clear(&whole);
    text_clear(&cut);
    return 0;
}
