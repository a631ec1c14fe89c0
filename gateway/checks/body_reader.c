/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies, told from headers; see body_reader.h. */
#include "checks/body_reader.h"

static void count(struct body_reader *reader, struct slice run)
{
    if (run.length == 0)
        return;
    reader->body_bytes += run.length;
    reader->last_bytes[0] = run.length > 1 ? run.data[run.length - 2] : reader->last_bytes[1];
    reader->last_bytes[1] = run.data[run.length - 1];
}

/*
 * The header parser's copy holds the content up to the byte that showed the section to be over. A
 * line that is no field belongs to the body, and it may have begun in an earlier piece.
 */
static void find_first_runs(const struct body_reader *reader, const struct message *message,
                            struct slice piece, struct slice runs[2])
{
    const struct header_parser *header = &message->header;
    size_t start = header->length + (header->end == HEADER_END_EMPTY_LINE ? 2 : 0);

    runs[0] = slice_from_offset(text_slice(&header->text), start);
    runs[1] = slice_from_offset(piece, header->text.length - reader->taken_bytes);
}

void body_reader_take(struct body_reader *reader, const struct message *message,
                      struct slice piece, struct slice runs[2])
{
    runs[0] = runs[1] = SLICE_EMPTY;
    if (reader->is_header_over) {
        runs[0] = piece;
    } else if (message_is_header_complete(message)) {
        reader->is_header_over = true;
        find_first_runs(reader, message, piece, runs);
    } else {
        reader->taken_bytes += piece.length;
    }
    count(reader, runs[0]);
    count(reader, runs[1]);
}

struct slice body_reader_end(struct body_reader *reader)
{
    bool is_whole = reader->body_bytes == 0 ||
                    (reader->last_bytes[0] == '\r' && reader->last_bytes[1] == '\n');

    reader->is_header_over = true;
    return is_whole ? SLICE_EMPTY : SLICE("\r\n");
}
