/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the replies of an SMTP server (RFC 5321 4.2). A backend is trusted with
 * mail, not with our memory: every reply has a ceiling, and what does not follow
 * the grammar is garbage, never a guess.
 *
 *     Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *
 * Line ends may be LF alone, since a reply holds nothing that could be smuggled.
 */
#ifndef POSTERN_SMTP_REPLY_PARSER_H
#define POSTERN_SMTP_REPLY_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/text.h"

#define REPLY_PARSER_MAX_LINE_BYTES 2048 /* of a line; the rest of it is dropped */
#define REPLY_PARSER_MAX_LINES 200       /* of a reply; more are garbage */
#define REPLY_PARSER_MAX_BYTES 65536     /* of a reply as it came; likewise */
#define REPLY_PARSER_MAX_ENHANCED_BYTES 11 /* "5.999.999" and a little */

enum reply_step {
    REPLY_STEP_MORE,    /* all input was used; the reply is not complete */
    REPLY_STEP_REPLY,   /* one reply is there; the input behind it was not touched */
    REPLY_STEP_GARBAGE, /* no SMTP reply; `problem` says why. The parser is of no more use */
};

struct reply_parser {
    /* Results of a REPLY_STEP_REPLY, borrowed until the next call. */
    int code;            /* 200 to 599 */
    /* "5.1.1" (RFC 2034), of the first line; "" for none. */
    char enhanced[REPLY_PARSER_MAX_ENHANCED_BYTES + 1];
    struct text lines;   /* raw text of all lines without codes, LF between them */
    const char *problem; /* one phrase, static */
    /* State. */
    struct text partial; /* the start of a line whose end has not come, cut */
    size_t line_count;   /* whole lines of the reply so far */
    size_t byte_count;   /* bytes of the reply so far, as they came */
    bool is_complete;    /* the next byte begins a new reply */
};

/* Clear gives back the memory; the parser is then as after init. */
void reply_parser_init(struct reply_parser *parser);
void reply_parser_clear(struct reply_parser *parser);

/* Reads at most to the end of one reply; `*consumed` says how far it came. */
enum reply_step reply_parser_feed(struct reply_parser *parser, struct slice input,
                                  size_t *consumed);

/* True while a reply has begun and not ended. */
bool reply_parser_is_inside(const struct reply_parser *parser);

#endif
