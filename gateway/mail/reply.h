/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SMTP reply of ours, and how it is written. Every word of it is ours: what
 * a backend said goes to the log, never to a client.
 */
#ifndef POSTERN_MAIL_REPLY_H
#define POSTERN_MAIL_REPLY_H

#include <stdbool.h>

#include "base/text.h"

/* With code and CRLF (RFC 5321 4.5.3.1.5). */
#define REPLY_MAX_BYTES 512

struct reply {
    int code;             /* 200 to 599 (RFC 5321 4.2.1) */
    const char *enhanced; /* "5.7.1" (RFC 3463); "" where RFC 2034 wants none */
    const char *text;     /* one line; static, or owned by whoever made the reply */
    const char *reason;   /* reason id; "" for a plain success. As `text`. */
};

/* By the first digit of the code: 2, 4 and 5. */
static inline bool reply_is_success(const struct reply *reply) { return reply->code / 100 == 2; }
static inline bool reply_is_temporary(const struct reply *reply) { return reply->code / 100 == 4; }
static inline bool reply_is_permanent(const struct reply *reply) { return reply->code / 100 == 5; }

/*
 * "550 5.7.1 text (relay.denied 06b3k2m9q1z4h7xa-1)\r\n": the reason id and `reference`, the
 * session's or transaction's id, let a sender name the one log line that explains it. Either is
 * left out when empty; NULL counts as empty everywhere. In all four strings a control byte becomes
 * a space and a byte above 127 a question mark. At most REPLY_MAX_BYTES: the text is cut, never
 * what stands behind it (a reason of up to 255 bytes, a reference of up to 64).
 * The whole reply or, where `out` has no room for it, nothing, and `out` is marked as cut.
 */
void reply_print(struct text *out, const struct reply *reply, const char *reference);

#endif
