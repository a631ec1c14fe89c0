/* SPDX-License-Identifier: BSD-2-Clause */
/* Canonical lengths of a body; see body_length.h. */
#include "checks/body_length.h"

#define CRLF_BYTES 2

static void end_line(uint64_t *bytes, uint64_t *empty_lines, uint64_t *line)
{
    if (*line == 0) {
        ++*empty_lines;
        return;
    }
    *bytes += *empty_lines * CRLF_BYTES + *line + CRLF_BYTES;
    *empty_lines = 0;
    *line = 0;
}

static void add_byte(struct body_length *length, char c)
{
    if (c == '\n') {
        end_line(&length->simple_bytes, &length->simple_empty_lines, &length->simple_line);
        end_line(&length->relaxed_bytes, &length->relaxed_empty_lines, &length->relaxed_line);
        length->is_blank_pending = false;
        return;
    }
    if (c == '\r')
        return;
    length->simple_line++;
    if (ascii_is_blank(c)) {
        length->is_blank_pending = true;
        return;
    }
    length->relaxed_line += length->is_blank_pending ? 2 : 1;
    length->is_blank_pending = false;
}

void body_length_add(struct body_length *length, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        add_byte(length, bytes.data[i]);
}

uint64_t body_length_simple(const struct body_length *length)
{
    /* A body of nothing is one CRLF. */
    return length->simple_bytes > 0 ? length->simple_bytes : CRLF_BYTES;
}

uint64_t body_length_relaxed(const struct body_length *length)
{
    return length->relaxed_bytes;
}
