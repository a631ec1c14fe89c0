/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the DMARC record of a domain is, and what organization the domain belongs to:
 * the DNS tree walk (RFC 9989 4.10). RFC 7489 knew the latter from a list of public
 * suffixes: a discovery by such a list fills the same struct.
 */
#ifndef POSTERN_CHECKS_DMARC_DISCOVERY_H
#define POSTERN_CHECKS_DMARC_DISCOVERY_H

#include "checks/dmarc_record.h"
#include "checks/suffix_list.h"
#include "dns/dns_answers.h"

/* Names that one walk asks for (RFC 9989 4.10). */
#define DMARC_MAX_QUERIES 8

struct dmarc_discovery {
    /* The domain itself, the one it belongs to, or the registry's; empty: there is no record. A
       part of the domain that was given, and so is the organization. */
    struct slice record_domain;
    struct dmarc_record record;
    struct slice organization; /* the domain itself where no record says otherwise */
    /* An answer failed, so the organization might be another; the record is the domain's own. */
    bool is_uncertain;
    const char *failed_problem; /* of the answer that failed: "timeout" */
    struct slice failed_domain;
};

enum dmarc_progress {
    DMARC_MISSING_ANSWERS, /* they are wanted of the table now, all at once */
    DMARC_DONE,
    DMARC_FAILED, /* whether there is a record cannot be known */
};

/* `domain` is in domain.h's one form, and kept until the discovery is done with. */
enum dmarc_progress dmarc_discover(struct dns_answers *answers, struct slice domain,
                                   struct dmarc_discovery *discovery)
    __attribute__((warn_unused_result));

/*
 * The same by the list (RFC 7489 6.6.3): the record of the domain, else of its organization. Of
 * psd= it knows nothing, and the organization is never uncertain.
 */
enum dmarc_progress dmarc_discover_by_list(struct dns_answers *answers,
                                           const struct suffix_list *suffixes,
                                           struct slice domain, struct dmarc_discovery *discovery)
    __attribute__((warn_unused_result));

/* Wants what dmarc_discover would ask. */
void dmarc_discovery_prefetch(struct dns_answers *answers, struct slice domain);

#endif
