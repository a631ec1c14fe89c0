/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads message content: DATA with its dots, or the octets of BDAT chunks. What
 * comes out has CRLF line ends only, no dot-stuffing and no end mark. CRLF is
 * the only line end and CRLF.CRLF the only end of data, for everyone (RFC 5321
 * 2.3.8, 4.1.1.4): what another server might take for an end of data is, here,
 * refused content and nothing more (SMTP smuggling).
 */
#ifndef POSTERN_SMTP_DATA_READER_H
#define POSTERN_SMTP_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * A sensible max_line_bytes. Senders may use 1000 (RFC 5321 4.5.3.1.6), yet real mail has longer
 * lines, and what passes through unchanged costs us nothing; the backend has its own word.
 */
#define DATA_DEFAULT_MAX_LINE_BYTES 65536

/* What a bare LF in DATA gets. Bare CR and NUL are always refused. */
enum data_line_ends {
    DATA_LINE_ENDS_STRICT,  /* the message is refused once it has ended */
    DATA_LINE_ENDS_REWRITE, /* it becomes CRLF; never part of an end of data */
};

enum data_problem {
    DATA_OK,
    DATA_BARE_CR,
    DATA_BARE_LF,
    DATA_NUL,
    DATA_LINE_TOO_LONG, /* longer than max_line_bytes */
};

enum data_step {
    DATA_STEP_MORE,  /* all input was used; no piece */
    DATA_STEP_PIECE, /* *piece holds content; call again with the rest */
    DATA_STEP_END,   /* the end of data was read; only for DATA */
};

enum data_state {
    DATA_STATE_LINE_START, /* behind CRLF, or at the very start */
    DATA_STATE_TEXT,       /* inside a line */
    DATA_STATE_CR,         /* behind a CR */
    DATA_STATE_DOT,        /* behind a dot that opens the line */
    DATA_STATE_DOT_CR,     /* behind dot CR that opens the line */
    DATA_STATE_DONE,
};

struct data_reader {
    /* Settings. */
    enum data_line_ends line_ends;
    bool is_chunked;           /* BDAT: no dots, bare LF is always normalised */
    size_t max_line_bytes;     /* CRLF included, so 2 or more; 0 for no limit */
    /* State. */
    enum data_state state;
    size_t line_length;        /* bytes of the line so far, over pieces, without its end */
    /* Result. */
    enum data_problem problem; /* the first one; from there on no pieces are given */
};

void data_reader_init(struct data_reader *reader, enum data_line_ends line_ends,
                      size_t max_line_bytes, bool is_chunked);
/*
 * Reads from `input`, at most up to the end of one piece; `*used` says how far. A piece may span
 * many lines. It is borrowed from the input, or static. A CR at the very end of the input is held
 * back until the next byte tells what it is. Behind a problem the rest is read for its end only.
 * Not to be called again behind DATA_STEP_END.
 */
enum data_step data_reader_feed(struct data_reader *reader, struct slice input, size_t *used,
                                struct slice *piece);
/*
 * The last chunk has ended: gives what was held back (a final CR is a bare CR), and CRLF where the
 * content did not end with one. Look at `problem` afterwards.
 */
struct slice data_reader_finish(struct data_reader *reader);

#endif
