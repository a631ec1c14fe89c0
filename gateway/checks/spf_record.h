/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SPF record cut into its terms (RFC 7208 4.6.1, 5, 6). A record is read twice:
 * once to see whether all of it follows the grammar, since one bad term spoils the
 * whole (4.6), and then term by term while it is evaluated. Nothing is stored, so a
 * record costs no memory however many terms it has.
 */
#ifndef POSTERN_CHECKS_SPF_RECORD_H
#define POSTERN_CHECKS_SPF_RECORD_H

#include <stdbool.h>

#include "base/ip.h"
#include "base/slice.h"
#include "evidence/finding.h"

/* Several times what anyone publishes. Longer records are permerror: they cost each receiver. */
#define SPF_RECORD_MAX_BYTES 8192

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXPLANATION,
    SPF_OTHER_MODIFIER, /* is to be ignored (6) */
};

struct spf_term {
    struct slice text; /* as published */
    enum spf_kind kind;
    enum check_result result; /* of a mechanism: what it is when it matches */
    struct slice domain;      /* domain-spec, with macros; empty: the domain of the record */
    struct ip_prefix network; /* ip4, ip6 */
    unsigned int v4_length;   /* a, mx: of the prefixes, as in struct ip_prefix */
    unsigned int v6_length;
};

/* "v=spf1" in any case, and then a space or nothing: the text is an SPF record (4.5). */
bool spf_record_is_one(struct slice text);

struct spf_record {
    struct slice terms;       /* all behind the version; for spf_record_next */
    struct slice redirect;    /* the domain-spec of redirect=; empty: there is none */
    struct slice explanation; /* the same of exp= */
};

/*
 * Reads what spf_record_is_one. NULL when all of it is good; else what is wrong, a literal such as
 * "is no mechanism", and the term that it is said of (empty: of the record).
 */
const char *spf_record_parse(struct slice text, struct spf_record *record, struct slice *bad_term)
    __attribute__((warn_unused_result));

/* Cuts the next term off the terms of a good record; false at its end. */
bool spf_record_next(struct slice *rest, struct spf_term *term);

/* The term asks the DNS, and so counts towards the ten of 4.6.4. */
bool spf_kind_needs_dns(enum spf_kind kind);

#endif
