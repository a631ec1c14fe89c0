/* SPDX-License-Identifier: BSD-2-Clause */
/* For the targets that verify signatures: a message in pieces, and one record for every key. */
#ifndef POSTERN_TESTS_SIGNED_FUZZ_H
#define POSTERN_TESTS_SIGNED_FUZZ_H

#include "answers_fuzz.h"
#include "mail/domain.h"
#include "mail/message.h"

/* How the check at hand takes what has come, and the end. */
struct fuzz_check {
    void *check;
    void (*take)(void *check, const struct message *message, struct slice piece);
    void (*end)(void *check, const struct message *message);
};

/* False when the message itself is refused. */
static inline bool fuzz_stream(const struct fuzz_check *to, struct slice content, size_t piece)
{
    struct message_limits limits = { .max_header_bytes = 65536, .max_header_fields = 300 };
    struct spool_budget budget = { .max_bytes = 1 << 24 };
    struct message message;
    bool is_good = true;

    message_init(&message, &limits, &budget);
    while (is_good && content.length > 0) {
        struct slice bytes = slice_until(content, piece);

        is_good = message_append(&message, bytes) == MESSAGE_OK;
        if (is_good)
            to->take(to->check, &message, bytes);
        content = slice_from_offset(content, piece);
    }
    is_good = is_good && message_end(&message) == MESSAGE_OK;
    if (is_good)
        to->end(to->check, &message);
    message_clear(&message);
    return is_good;
}

/* Whatever is wanted, the answer is this record. */
static inline void fuzz_answer_all(struct dns_answers *answers, struct slice record)
{
    struct dns_record records[] = { { .bytes = record } };
    struct dns_question question;

    while (dns_answers_take_wanted(answers, &question))
        dns_answers_put(answers, &question, dns_answer_new(DNS_FOUND, records, 1));
}

/* In its one form, or not there. */
static inline void fuzz_expect_domain(const char *domain)
{
    struct text form;

    if (domain == NULL)
        return;
    text_init(&form, DOMAIN_MAX_BYTES);
    fuzz_require(domain_normalise(slice_from(domain), &form) == DOMAIN_OK);
    fuzz_require(slice_equals(text_slice(&form), slice_from(domain)));
    text_clear(&form);
}

#endif
