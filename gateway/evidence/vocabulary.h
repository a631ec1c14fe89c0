/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one table of the terms that a rule may use: the word, the values it takes,
 * the phase from which it is always known, and a line that explains it. Parser,
 * evaluation, error messages, manual and `make check-docs` all read this table.
 *
 * Words of later versions are in it too, so that a policy written for one of
 * those is refused with a reason and not as a misspelling.
 */
#ifndef POSTERN_EVIDENCE_VOCABULARY_H
#define POSTERN_EVIDENCE_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "evidence/facts.h"

enum term_id {
    TERM_CLIENT,
    TERM_LISTENER,
    TERM_TLS,
    TERM_HELO,
    TERM_SENDER,
    TERM_SENDER_DOMAIN,
    TERM_RECIPIENT,
    TERM_RECIPIENT_DOMAIN,
    TERM_RECIPIENTS,
    TERM_SIZE,
    TERM_HEADER_FROM,
    TERM_HEADER,
    TERM_SPF,
    TERM_SPF_HELO,
    TERM_DKIM,
    TERM_DKIM_DOMAIN,
    TERM_DMARC,
    TERM_DMARC_POLICY,
    TERM_ARC,
    TERM_ARC_SEALER,
    TERM_DNS_TEMPERROR,
    TERM_UNAVAILABLE, /* a word of a later version */
};

/* The forms that a term's values may take: a set of bits. */
enum value_form {
    VALUE_NETWORK = 1 << 0,    /* 192.0.2.0/24 */
    VALUE_LISTENER = 1 << 1,   /* name of a listener block */
    VALUE_KEYWORD = 1 << 2,    /* one of the term's own words */
    VALUE_DOMAIN = 1 << 3,     /* example.org, or .example.org for what is below it */
    VALUE_LITERAL = 1 << 4,    /* [192.0.2.1] */
    VALUE_ADDRESS = 1 << 5,    /* user@example.org */
    VALUE_OWN_DOMAIN = 1 << 6, /* own-domain */
    VALUE_LIST = 1 << 7,       /* in LIST */
    VALUE_SIZE = 1 << 8,       /* > 10M */
    VALUE_NUMBER = 1 << 9,     /* > 20 */
    VALUE_HEADER = 1 << 10,    /* NAME present, NAME absent, NAME contains "text" */
};

struct vocabulary_term {
    const char *word;
    enum term_id id;
    unsigned int forms;      /* bits of enum value_form; 0 when unavailable */
    const char *keywords;    /* of VALUE_KEYWORD, with a space between them; NULL for none */
    enum phase phase;        /* from this on it is known in every case, its checks having ended */
    unsigned int checks;     /* CHECK_BIT of those that it needs */
    const char *values;      /* for people: what may follow the word */
    const char *meaning;     /* one line; of an unavailable term, why */
};

size_t vocabulary_count(void);
const struct vocabulary_term *vocabulary_at(size_t index);
/* Words are lower case and matched exactly. NULL when there is none. */
const struct vocabulary_term *vocabulary_find(struct slice word);
/* The number of `word` among the term's keywords. False when it is none of them. */
bool vocabulary_find_keyword(const struct vocabulary_term *term, struct slice word, size_t *index);

#endif
