/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the checks found to be true of a mail, never what to do about it. Results
 * are the words of RFC 8601 2.7, which log line, policy and Authentication-Results
 * share.
 */
#ifndef POSTERN_EVIDENCE_FINDING_H
#define POSTERN_EVIDENCE_FINDING_H

#include <stdbool.h>

/* How one check ended. Each check uses those that its RFC has. */
enum check_result {
    RESULT_NOT_RUN,   /* nobody wanted to know, or there was nothing to look at */
    RESULT_NONE,      /* nothing was claimed: no record, no signature */
    RESULT_PASS,
    RESULT_FAIL,
    RESULT_SOFTFAIL,  /* spf */
    RESULT_NEUTRAL,   /* spf; dkim: a signature that cannot be read */
    RESULT_POLICY,    /* dkim: it verifies, and our own settings do not take it (RFC 8601 2.7.1) */
    RESULT_TEMPERROR, /* it could not be found out now; another time it may be */
    RESULT_PERMERROR, /* what was published cannot be read */
};
#define RESULT_COUNT 9

/* "pass", "softfail"; "-" for RESULT_NOT_RUN. */
const char *result_word(enum check_result result);

/* RFC 7208, of one identity: MAIL FROM or HELO. */
struct spf_finding {
    enum check_result result;
    char *domain;      /* whose record was asked for, in domain.h's one form; owned; NULL: none */
    char *mechanism;   /* the term that decided, as published: "-all", "ip4:192.0.2.0/24"; owned;
                          NULL where none did */
    char *problem;     /* of temperror and permerror, a sentence part for the owner; owned */
    char *explanation; /* of fail, if it was asked for: one line of printable ASCII; owned */
};

/* Frees what it owns; it is RESULT_NOT_RUN then. */
void spf_finding_clear(struct spf_finding *finding);

#endif
