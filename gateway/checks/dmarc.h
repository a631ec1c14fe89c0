/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMARC (RFC 9989): does somebody who may speak for the domain in From vouch for this
 * mail? A plain function over the table of answers, like spf.h, once SPF and DKIM are
 * done. It says what the owner of that domain wants, and not what is done about it.
 */
#ifndef POSTERN_CHECKS_DMARC_H
#define POSTERN_CHECKS_DMARC_H

#include "checks/dmarc_discovery.h"
#include "mail/mailbox.h"

/* Signatures' domains below the author's organization that are looked up; more count for nothing.
 */
#define DMARC_MAX_WALKS 10
/* From the author's domain and the envelope's as well, of eight names each; and one more. */
#define DMARC_MAX_QUESTIONS ((DMARC_MAX_WALKS + 2) * 8 + 1)

struct dmarc_signature {
    struct slice domain;      /* d=, in domain.h's one form */
    enum check_result result; /* only pass and temperror matter */
};

struct dmarc_question {
    const struct mailbox_list *from; /* of all From fields together: facts_parse_from */
    size_t from_field_count;
    /* Of MAIL FROM, or of HELO with the null sender, whose MAIL FROM identity is postmaster@helo.
     */
    const struct spf_finding *spf;
    const struct dmarc_signature *signatures;
    size_t signature_count;
    const struct suffix_list *suffixes; /* by which organizations are known (RFC 7489); NULL: by the
                                           tree walk */
};

/*
 * `finding` is cleared first, and filled when it is done; DMARC_FAILED is never returned. It is
 * temperror where an identifier that failed for now could have made it pass.
 */
enum dmarc_progress dmarc_evaluate(const struct dmarc_question *question,
                                   struct dns_answers *answers, struct dmarc_finding *finding)
    __attribute__((warn_unused_result));

#endif
