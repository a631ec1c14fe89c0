/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one DKIM-Signature field claims (RFC 6376 3.5), read by ourselves before the
 * library: what this reader refuses, the library never sees. It also reads the two
 * signatures of ARC, which are made of the same tags (RFC 8617 4.1).
 */
#ifndef POSTERN_CHECKS_DKIM_CLAIM_H
#define POSTERN_CHECKS_DKIM_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "checks/dkim_reason.h"
#include "evidence/finding.h"

/* libopendkim cuts longer lists of names in silence; z= may make a field long. */
#define DKIM_MAX_FIELD_BYTES 16384
#define DKIM_MAX_HEADER_LIST_BYTES 4000
#define DKIM_MAX_HEADER_NAMES 200
#define DKIM_MAX_IDENTITY_BYTES 250
#define DKIM_MAX_SIGNATURE_BYTES 512 /* of b=: that of an RSA key of 4096 bits */

enum dkim_claim_kind {
    DKIM_CLAIM_SIGNATURE,   /* DKIM-Signature */
    DKIM_CLAIM_ARC_MESSAGE, /* ARC-Message-Signature: i= is none of its own, v= means nothing */
    DKIM_CLAIM_ARC_SEAL,    /* ARC-Seal: signs no body and needs no list of fields */
};

struct dkim_claim {
    struct dkim_signature said; /* what the finding gets: domain, selector, identity, algorithm */
    enum dkim_reason reason;    /* why it is refused already; DKIM_REASON_NONE if it is not */
    char *key_name;             /* "selector._domainkey.domain"; owned; NULL if it is refused */
    bool is_ed25519;            /* else RSA; both with SHA-256 */
    bool is_header_relaxed;     /* c= */
    bool is_body_relaxed;
    bool is_identity_below;     /* the domain of i= is below d= */
    bool covers_signatures;     /* h= names DKIM-Signature */
    size_t name_count;          /* in h= */
    uint64_t length;            /* l=; only with said.has_length_limit */
    uint64_t signed_s;          /* t=; 0 for none */
    uint64_t expires_s;         /* x=; 0 for none */
};

/* `claim` is initialised here; `value` is that of the field, folded as it came. */
void dkim_claim_parse(struct dkim_claim *claim, enum dkim_claim_kind kind, struct slice value);
void dkim_claim_clear(struct dkim_claim *claim);

#endif
