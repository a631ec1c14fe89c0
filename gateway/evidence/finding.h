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

#include "base/text.h"

/* How one check ended. Each check uses those that its RFC has. */
enum check_result {
    RESULT_NOT_RUN, /* nobody wanted to know, or there was nothing to look at */
    RESULT_NONE,    /* nothing was claimed: no record, no signature */
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
    /* What the second engine says, where it was only asked for comparison and differs; else
       RESULT_NOT_RUN. */
    enum check_result second_result;
};

/* Frees what it owns; it is RESULT_NOT_RUN then. */
void spf_finding_clear(struct spf_finding *finding);

/* What the owner of a domain wants of mail that fails DMARC (RFC 9989 4.7). */
enum dmarc_policy {
    DMARC_POLICY_NONE, /* also where there is no record */
    DMARC_POLICY_QUARANTINE,
    DMARC_POLICY_REJECT,
};
#define DMARC_POLICY_COUNT 3

/* "none", "quarantine", "reject". */
const char *dmarc_policy_word(enum dmarc_policy policy);

/* Whose mail it says it is: DMARC is about exactly one author domain (RFC 9989 5.3.1). */
enum dmarc_author {
    DMARC_AUTHOR_ONE,       /* one domain, perhaps of several mailboxes */
    DMARC_AUTHOR_NONE,      /* no mailbox, or no domain name in it: an empty group, a literal */
    DMARC_AUTHOR_SEVERAL,   /* mailboxes of different domains: a reader sees one, we another */
    DMARC_AUTHOR_MALFORMED, /* From cannot be read, or is there more than once */
};

struct dmarc_finding {
    /* none: there is no record. With an author that is not one: none for DMARC_AUTHOR_NONE,
       permerror for the other two, which no honest mail has. */
    enum check_result result;
    enum dmarc_author author;
    enum dmarc_policy policy; /* what is wanted now of a fail: after sp=, np= and t= */
    bool is_testing;          /* t=y has made it weaker */
    bool is_spf_aligned;      /* passed, and speaks for the author domain; so it is for DKIM */
    bool is_dkim_aligned;
    char *domain;        /* of the author, in domain.h's one form; owned; NULL: none */
    char *record_domain; /* whose record it is; owned; NULL: none */
    char *organization;  /* the organizational domain; owned; NULL: not known */
    char *problem;       /* of temperror and permerror, a sentence part; owned */
};

/* Frees what it owns; it is RESULT_NOT_RUN then. */
void dmarc_finding_clear(struct dmarc_finding *finding);

/* RFC 6376, of one signature. */
struct dkim_signature {
    enum check_result result;
    const char *reason;    /* a stable word, "key-missing"; a literal; NULL of pass */
    const char *problem;   /* the same as a sentence part for the owner; a literal; NULL of pass */
    char *domain;          /* d=, in domain.h's one form; owned; NULL when it is no domain */
    char *selector;        /* s=, likewise */
    char *identity;        /* i=, printable ASCII, its domain in the one form; owned; NULL when it
                              was not given or is not within d= */
    const char *algorithm; /* a=, "rsa-sha256"; a literal; NULL when it is unknown */
    unsigned int key_bits; /* of the modulus; 256 for Ed25519; 0 while the key is not known */
    bool is_testing;       /* the key says t=y: the signer asks that a failure be ignored */
    bool is_secure;        /* DNSSEC proved the key */
    bool has_length_limit; /* l= */
    bool has_unsigned_body; /* and more of the body came than that */
};

struct dkim_finding {
    /*
     * Of all signatures together: pass if one passes; else the first of temperror, policy, fail,
     * permerror, neutral that one has. One that a key in testing made fail does not count (RFC 6376
     * 3.6.1, t=y). None where nothing counts.
     */
    enum check_result result;
    struct dkim_signature *signatures; /* owned; in the order of the message, the topmost first */
    size_t signature_count;
    size_t ignored_count; /* more signatures, past the ceiling, which nobody looked at */
    size_t from_count;    /* From fields of the message: with more than one, no pass means much */
};

/* Frees what it owns; it is RESULT_NOT_RUN then. */
void dkim_signature_clear(struct dkim_signature *signature);
void dkim_finding_clear(struct dkim_finding *finding);

/* RFC 8617: the chain of those who handled a message and sealed what they found of it. */
struct arc_finding {
    enum check_result result;  /* none, pass, fail; temperror where a key could not be looked up and
                                  all else holds */
    size_t set_count;          /* the highest instance that is claimed */
    /*
     * d= of the seals, the newest first, in domain.h's one form; owned, and there as far as they
     * could be read. Only of a chain that passes do they say who sealed, and of those only the
     * newest stands for the message as it is.
     */
    char **sealers;
    size_t sealer_count;
    const char *reason;        /* of temperror and fail, a stable word; a literal; else NULL */
    const char *problem;       /* the same as a sentence part for the owner; likewise */
    const char *problem_field; /* the name of the field that shows it; likewise */
    size_t problem_instance;   /* and its i=; 0 where that is not known */
};

/* Frees what it owns; it is RESULT_NOT_RUN then. */
void arc_finding_clear(struct arc_finding *finding);
/* Appends "the key is revoked (ARC-Seal 2)"; nothing where there is no problem. */
void arc_finding_print_problem(const struct arc_finding *finding, struct text *out);

/* The checks, by what they look at. */
enum check_id { CHECK_SPF, CHECK_SPF_HELO, CHECK_DKIM, CHECK_DMARC, CHECK_ARC };
#define CHECK_COUNT 5
/* For sets of checks. */
#define CHECK_BIT(id) (1u << (id))
/* In such a set: what SPF's domain says of a fail is wanted as well (RFC 7208 6.2). */
#define CHECK_EXPLAINED CHECK_BIT(CHECK_COUNT)

/* Of one mail. */
struct findings {
    unsigned int done; /* CHECK_BIT of each check that has ended */
    struct spf_finding spf;
    struct spf_finding spf_helo;
    struct dkim_finding dkim;
    struct dmarc_finding dmarc;
    struct arc_finding arc;
};

/* Frees what they own. */
void findings_clear(struct findings *findings);
/* Of a check that has ended; else RESULT_NOT_RUN. */
enum check_result findings_result(const struct findings *findings, enum check_id check);

#endif
