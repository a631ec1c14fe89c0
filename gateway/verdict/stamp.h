/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What postern writes into a message: the Received field (RFC 5321 4.4), tag
 * fields, and the marks by which it knows its own hand again.
 */
#ifndef POSTERN_VERDICT_STAMP_H
#define POSTERN_VERDICT_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/facts.h"
#include "mail/message.h"
#include "policy/policy.h"

#define STAMP_MAX_RECEIVED 100     /* fields in all (RFC 5321 6.3) */
#define STAMP_MAX_RECEIVED_OWN 5   /* fields that carry our own hostname */
#define STAMP_MAX_TAGS (4 * POLICY_MAX_TAGS)
#define STAMP_TAG_FIELD "X-Postern-Tag"

struct stamp {
    const struct facts *facts;   /* client, helo, TLS version; recipient if there is just one */
    const char *hostname;        /* ours, in the one form of mail/domain.h */
    const char *id;              /* of the transaction */
    const char *tls_cipher;      /* NULL for plain */
    bool is_smtputf8;
    uint64_t wall_us;
    const struct tag *const *tags;
    size_t tag_count;
    /* What stamp_cut_subject gave, and the message that it is in; NULL and NULL without it. */
    const struct message *message;
    const struct header_field *subject;
};

/*
 * "SMTP", "ESMTP", "ESMTPS", "UTF8SMTP" or "UTF8SMTPS" (RFC 3848, RFC 6531 4.3). HELO is SMTP,
 * whatever else was used: there is no registered word for it under TLS.
 */
const char *stamp_protocol(const struct facts *facts, bool is_smtputf8);

/* True when the message has gone round: either of the two ceilings above is reached. */
bool stamp_is_loop(const struct message *message, const char *hostname);

/*
 * Cuts fields that came with the message and that only we write: tags, and Authentication-Results
 * that some reader could take for ours (see verdict/authres.h).
 */
void stamp_cut_foreign(struct message *message, const char *authserv_id);
/*
 * Appends what goes on top: our Received field, and below it our tags. One recipient is named in
 * "for", more are not (they must not learn of each other). A greeting that is no domain and no
 * address literal is written "unknown".
 */
void stamp_print(struct text *out, const struct stamp *stamp);
/* What stamp_print writes at most. */
#define STAMP_MAX_BYTES 4000

/*
 * Where a tag is to stand in the subject: takes that field out of the message, for stamp_print to
 * write it anew for each who gets one, and gives it; NULL where no tag wants it, or there is none.
 */
const struct header_field *stamp_cut_subject(struct message *message,
                                             const struct tag *const *tags, size_t tag_count);
/* What stamp_print writes more for it. */
size_t stamp_subject_max_bytes(const struct message *message, const struct header_field *subject);

#endif
