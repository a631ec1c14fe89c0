/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes message content behind DATA: the counterpart of data_reader. A dot that
 * opens a line is doubled (RFC 5321 4.5.2), and the end is CRLF.CRLF whatever
 * the content ends in. The content has CRLF line ends only; data_reader saw to it.
 */
#ifndef POSTERN_SMTP_DATA_WRITER_H
#define POSTERN_SMTP_DATA_WRITER_H

#include <stdbool.h>

#include "base/slice.h"

enum data_writer_state {
    DATA_WRITER_LINE_START,  /* behind CRLF, or at the very start */
    DATA_WRITER_TEXT,        /* inside a line */
    DATA_WRITER_CR,          /* behind a CR */
    DATA_WRITER_DOT_DOUBLED, /* the extra dot was given; its own dot comes next */
};

struct data_writer {
    enum data_writer_state state;
};

/* At the start of the content. */
void data_writer_init(struct data_writer *writer);

/*
 * The next run to be written as it is, taken off the front of `*content`, which must
 * not be empty. Call it until `*content` is. Runs lie in the content: nothing is copied.
 */
struct slice data_writer_next(struct data_writer *writer, struct slice *content);

/* What ends the content, a missing CRLF included. Static. */
struct slice data_writer_end(const struct data_writer *writer);

#endif
