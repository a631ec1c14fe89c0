/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend's word comes to: its class, and an answer that keeps its own
 * strings, since it is told later than it came.
 */
#ifndef POSTERN_DELIVERY_ANSWER_H
#define POSTERN_DELIVERY_ANSWER_H

#include "base/text.h"
#include "delivery/forward.h"
#include "smtp/client_state.h"
#include "smtp/reply_parser.h"

#define ANSWER_MAX_TEXT_BYTES 400
#define ANSWER_MAX_DETAIL_BYTES 400
#define ANSWER_MAX_TLS_VERSION_BYTES 15

/* An answer and what its pointers point to. */
struct answer {
    struct forward_answer public;
    char tls_version[ANSWER_MAX_TLS_VERSION_BYTES + 1];
    char enhanced[REPLY_PARSER_MAX_ENHANCED_BYTES + 1];
    struct text text;
    struct text detail;
};

void answer_init(struct answer *answer);
void answer_clear(struct answer *answer);
/* As fresh, with a class; the memory is kept. */
void answer_reset(struct answer *answer, enum forward_class class);
void answer_copy(struct answer *to, const struct answer *from);

/* Takes over the words of a reply, lines joined by "/". */
void answer_set_reply(struct answer *answer, const struct reply_parser *reply);
/* Our own words, for the log. */
void answer_set_detail(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "TLSv1.3"; "" or NULL for plain. */
void answer_set_tls_version(struct answer *answer, const char *version);
/* The public part with its pointers set; borrowed until the answer changes. */
const struct forward_answer *answer_get(struct answer *answer);

/* The class of a reply with `code` and `enhanced` ("" for none) to what was said in `state`. */
enum forward_class answer_classify(enum client_state state, int code, const char *enhanced);

#endif
