/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the checks found to be true of a mail, never what to do about it. Results
 * are the words of RFC 8601 2.7, which log line, policy and Authentication-Results
 * share.
 */
#ifndef POSTERN_EVIDENCE_FINDING_H
#define POSTERN_EVIDENCE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

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

/* The checks, by what they look at. */
enum check_id { CHECK_SPF, CHECK_SPF_HELO, CHECK_DKIM, CHECK_DMARC };
#define CHECK_COUNT 4
/* For sets of checks. */
#define CHECK_BIT(id) (1u << (id))

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

/* What is published for the author's domain (RFC 9989 4.7): what a mail that fails is to suffer. */
enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

struct dkim_signature {
    enum check_result result;
    char *domain; /* d=, in domain.h's one form; owned; NULL: it has none */
};

struct dkim_finding {
    enum check_result result; /* pass when any signature passes */
    struct dkim_signature *signatures; /* owned */
    size_t signature_count;
};

struct dmarc_finding {
    enum check_result result;
    bool has_record;
    enum dmarc_policy policy; /* what the record wants for this mail, with has_record */
};

/* As spf_finding_clear. */
void dkim_finding_clear(struct dkim_finding *finding);
void dmarc_finding_clear(struct dmarc_finding *finding);

/* Of one mail. */
struct findings {
    unsigned int done;  /* CHECK_BIT of each check that has ended */
    struct spf_finding spf;
    struct spf_finding spf_helo;
    struct dkim_finding dkim;
    struct dmarc_finding dmarc;
};

/* Frees what they own. */
void findings_clear(struct findings *findings);
/* Of a check that has ended; else RESULT_NOT_RUN. */
enum check_result findings_result(const struct findings *findings, enum check_id check);

#endif
