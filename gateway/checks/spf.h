/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF (RFC 7208): may this client send for that domain? A plain function over the
 * table of answers. It is run again, from its start, when answers that it missed
 * have come; whatever a record says, one run costs well under a millisecond.
 *
 * Only TXT is asked (3.1). All limits of 4.6.4 hold for the whole evaluation, what is
 * included and redirected to among it.
 */
#ifndef POSTERN_CHECKS_SPF_H
#define POSTERN_CHECKS_SPF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "dns/dns_answers.h"
#include "evidence/finding.h"

/* Terms that need the DNS (RFC 7208 4.6.4), and so how deep includes may lie in each other. */
#define SPF_MAX_LOOKUPS 10
/* Names of one mx term, which is an error past it, and of a client that are looked at (4.6.4). */
#define SPF_MAX_NAMES 10
/* What RFC 7208 4.6.4 recommends for spf_question.max_void_lookups. */
#define SPF_DEFAULT_VOID_LOOKUPS 2
#define SPF_EXPLANATION_MAX_BYTES 300

struct spf_question {
    struct ip_address client;
    struct slice helo; /* as the client said it */
    /* MAIL FROM; no domain, and it is about the HELO identity, postmaster@helo (2.4). A missing
       local part is postmaster as well (4.3). */
    struct slice sender_local;
    struct slice sender_domain;
    bool wants_explanation; /* of a fail, which may cost one more lookup (6.2) */
    struct slice receiver;  /* our own name, for %{r} in an explanation; empty: "unknown" */
    uint64_t now_s;         /* since 1970, for %{t} there */
    unsigned int max_void_lookups;
};

enum spf_progress {
    SPF_MISSING_ANSWERS, /* they are wanted of the table now */
    SPF_DONE,
};

/*
 * `finding` is cleared first, and filled when it is done. The result is none when there is no
 * record, or no domain that could have one (4.3): an address literal, a single label, no name at
 * all. A DNSSEC failure is as any other of the DNS: temperror.
 */
enum spf_progress spf_evaluate(const struct spf_question *question, struct dns_answers *answers,
                               struct spf_finding *finding) __attribute__((warn_unused_result));

#endif
