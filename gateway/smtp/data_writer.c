/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message content on its way out; see data_writer.h. Dots are rare (base64 has
 * none), so memchr looks for them and not for line ends, and the bytes before a
 * dot say whether it opens a line. To double it, a run ends behind the dot and
 * the next one begins with the same dot: no byte is copied and no run is short.
 */
#include "smtp/data_writer.h"

#include <string.h>

void data_writer_init(struct data_writer *writer)
{
    writer->state = DATA_WRITER_LINE_START;
}

/* Does the byte at `position` open a line? `state` is that in front of `s`. */
static bool opens_line(enum data_writer_state state, struct slice s, size_t position)
{
    if (position == 0)
        return state == DATA_WRITER_LINE_START;
    if (s.data[position - 1] != '\n')
        return false;
    return position == 1 ? state == DATA_WRITER_CR : s.data[position - 2] == '\r';
}

/* Where the first dot to be doubled stands, or the length of `s`. */
static size_t find_dot(enum data_writer_state state, struct slice s)
{
    size_t position = state == DATA_WRITER_DOT_DOUBLED ? 1 : 0;

    while (position < s.length) {
        const char *dot = memchr(s.data + position, '.', s.length - position);

        if (dot == NULL)
            break;
        position = (size_t)(dot - s.data);
        if (opens_line(state, s, position))
            return position;
        position++;
    }
    return s.length;
}

struct slice data_writer_next(struct data_writer *writer, struct slice *content)
{
    size_t length = find_dot(writer->state, *content);
    struct slice run = *content;

    if (length < content->length) {
        run.length = length + 1;
        *content = slice_from_offset(*content, length);
        writer->state = DATA_WRITER_DOT_DOUBLED;
        return run;
    }
    *content = SLICE_EMPTY;
    if (opens_line(writer->state, run, run.length))
        writer->state = DATA_WRITER_LINE_START;
    else if (run.data[run.length - 1] == '\r')
        writer->state = DATA_WRITER_CR;
    else
        writer->state = DATA_WRITER_TEXT;
    return run;
}

struct slice data_writer_end(const struct data_writer *writer)
{
    return writer->state == DATA_WRITER_LINE_START ? SLICE(".\r\n") : SLICE("\r\n.\r\n");
}
