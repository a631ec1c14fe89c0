/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a message body is in DKIM's two canonical forms (RFC 6376 3.4.3, 3.4.4),
 * counted as it streams: what l= is held against. The library knows where a
 * signature ends, and not how much comes behind it.
 */
#ifndef POSTERN_CHECKS_BODY_LENGTH_H
#define POSTERN_CHECKS_BODY_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* All zero is a body of which nothing has come. */
struct body_length {
    /* Whole lines up to the last that is not empty. */
    uint64_t simple_bytes;
    uint64_t relaxed_bytes;
    /* Behind those. */
    uint64_t simple_empty_lines;
    uint64_t relaxed_empty_lines;
    /* The line that is read now, without its CRLF. */
    uint64_t simple_line;
    uint64_t relaxed_line;
    bool is_blank_pending; /* white space that counts once something follows on the line */
};

/* More of it, with CRLF line ends; the last line must have one. */
void body_length_add(struct body_length *length, struct slice bytes);
uint64_t body_length_simple(const struct body_length *length);
uint64_t body_length_relaxed(const struct body_length *length);

#endif
