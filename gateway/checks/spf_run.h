/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of an evaluation, as its two halves share it: spf.c walks records and
 * their terms, spf_match.c asks the DNS whether a term matches. For nobody else.
 */
#ifndef POSTERN_CHECKS_SPF_RUN_H
#define POSTERN_CHECKS_SPF_RUN_H

#include "base/text.h"
#include "checks/spf.h"
#include "checks/spf_macro.h"
#include "checks/spf_record.h"

/* Of a name before it is cut to size; one that is longer still is none. */
#define SPF_EXPANSION_MAX_BYTES 4096
/*
 * What one run may cost, in bytes that are copied. Ten records of 1 KB, more than is published
 * anywhere, take half of it; a hostile record has spent it before it has cost a millisecond.
 */
#define SPF_MAX_WORK 120000
/* What it costs to read a byte of a record, a term, an address; to look up a question. */
#define SPF_BYTE_WORK 4
#define SPF_TERM_WORK 24
#define SPF_ADDRESS_WORK 4
#define SPF_QUESTION_WORK 256

struct spf_run {
    /* Lent. */
    const struct spf_question *question;
    struct dns_answers *answers;
    /* For macros. */
    struct spf_macro_values values;
    struct text sender;  /* local@domain */
    struct text dotted;  /* the client for %{i} */
    struct text reverse; /* its name for PTR */
    struct text printed; /* the client for %{c} */
    struct text now;     /* for %{t} */
    bool has_odd_local;  /* it is not ASCII: %{s} and %{l} match nothing (RFC 8616 4) */
    /* How far it came. */
    unsigned int lookups;
    unsigned int void_lookups;
    unsigned int depth;   /* of includes */
    size_t work;          /* what is left of it */
    size_t prefetch_work; /* and for what is only wanted early: it must not change the result */
    /* Results. */
    struct text problem;    /* of the error that ended it */
    struct slice mechanism; /* what decided; in the table of answers */
    struct text explanation;
};

/* A record that is being evaluated. Redirect and include begin another one. */
struct spf_level {
    struct spf_run *run;
    struct slice domain;   /* <domain> of RFC 7208 4.1, as it was written */
    struct text validated; /* %{p} for this domain, once somebody wanted it; else empty */
};

enum spf_match {
    SPF_MATCH_NO,
    SPF_MATCH_YES,
    SPF_MATCH_MISSING,   /* an answer is */
    SPF_MATCH_TEMPERROR, /* and run->problem says which, as below */
    SPF_MATCH_PERMERROR,
};

/* How the expansion of a domain-spec ended. */
enum spf_name {
    SPF_NAME_GOOD,    /* though perhaps none that the DNS can have */
    SPF_NAME_NONE,    /* there is nothing to ask for, so nothing matches */
    SPF_NAME_MISSING, /* an answer is, for %{p} */
};

/*
 * Sets the name that a domain-spec stands for (7.3): no dot at its end, cut from the left to 253
 * octets; of an empty spec the level's own domain.
 */
enum spf_name spf_expand_name(struct spf_level *level, struct slice spec, struct text *name);

/* The answer; NULL when it is missing. `name` may hold any bytes. */
const struct dns_answer *spf_find(struct spf_run *run, struct slice name, enum dns_type type);

/* Says what the answer, which is DNS_FAILED, is an answer to. */
void spf_blame_answer(struct spf_run *run, const struct dns_answer *answer, struct slice name,
                      enum dns_type type);

/* Takes `amount` off the work; false when there was not so much left: then the run must end. */
bool spf_spend(struct spf_run *run, size_t amount);

/* Whether a term matches that needs the DNS, or ip4 or ip6; not for include. */
enum spf_match spf_match_term(struct spf_level *level, const struct spf_term *term);
/* Wants whatever the term will ask first, as far as that is known without asking. */
void spf_prefetch_term(struct spf_level *level, const struct spf_term *term);

/* The values of all macros but %{d} and %{p}; the texts of the run are ready for it. */
void spf_run_init(struct spf_run *run, const struct spf_question *question,
                  struct dns_answers *answers, struct slice sender_local,
                  struct slice sender_domain);
void spf_run_clear(struct spf_run *run);

/* check_host() of RFC 7208 4 for a domain; RESULT_NOT_RUN when an answer is missing. */
enum check_result spf_check_host(struct spf_run *run, struct slice domain);

#endif
