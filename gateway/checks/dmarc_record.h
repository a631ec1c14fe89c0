/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DMARC policy record (RFC 9989 4.7, 4.8). The opposite of SPF: but for the version,
 * whatever cannot be read counts as if it were not there, so a record that we would not
 * have written still protects its domain.
 */
#ifndef POSTERN_CHECKS_DMARC_RECORD_H
#define POSTERN_CHECKS_DMARC_RECORD_H

#include <stdbool.h>

#include "base/slice.h"
#include "evidence/finding.h"

/* psd=: does the name belong to a registry, or is it where an organization begins? */
enum dmarc_psd {
    DMARC_PSD_UNKNOWN,
    DMARC_PSD_YES, /* organizations are right below it */
    DMARC_PSD_NO,  /* it is an organizational domain */
};

struct dmarc_record {
    enum dmarc_policy policy;           /* p= */
    enum dmarc_policy subdomain_policy; /* sp=, else p= */
    enum dmarc_policy missing_policy;   /* np=, else sp=, else p=: of names that do not exist */
    enum dmarc_psd psd;
    bool is_spf_strict;  /* aspf=s */
    bool is_dkim_strict; /* adkim=s */
    bool is_testing;     /* t=y */
    /* p=, sp= or np= says what is no policy, and nobody wants reports: 4.10.1 has no DMARC then.
       Where somebody does, all three policies are none. */
    bool is_useless;
};

/*
 * False when it is no DMARC record. Of a tag that is there twice the first counts. Without p= the
 * policy is none (4.7). Tags of before (pct, rf, ri) and unknown ones are ignored, and of rua=
 * only whether some of it is a URI is looked at.
 */
bool dmarc_record_parse(struct slice text, struct dmarc_record *record)
    __attribute__((warn_unused_result));

/* One step down, which is what t=y asks for (4.7). */
enum dmarc_policy dmarc_policy_weaken(enum dmarc_policy policy);

#endif
