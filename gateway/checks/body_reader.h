/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which bytes of a message that streams are its body, for those who hash it. The
 * header section ends where mail/header_parser says so, and what is hashed ends in
 * CRLF, as what is passed on does.
 */
#ifndef POSTERN_CHECKS_BODY_READER_H
#define POSTERN_CHECKS_BODY_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "mail/message.h"

/* All zero is a message of which nothing has come. */
struct body_reader {
    bool is_header_over;
    uint64_t taken_bytes; /* while the header section goes on */
    uint64_t body_bytes;
    char last_bytes[2];   /* of the body */
};

/*
 * The piece that message_append has just taken without a problem: what of the body has come with
 * it, in up to two runs, one behind the other; borrowed from message and piece.
 */
void body_reader_take(struct body_reader *reader, const struct message *message,
                      struct slice piece, struct slice runs[2]);
/* After message_end: what the last line lacks, CRLF or nothing. */
struct slice body_reader_end(struct body_reader *reader);

#endif
