/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ARC header field by itself (RFC 8617 4.1): which of the three it is, which set
 * it belongs to, and what must not be in it. What it shares with DKIM-Signature is
 * read by dkim_claim.
 */
#ifndef POSTERN_CHECKS_ARC_CLAIM_H
#define POSTERN_CHECKS_ARC_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Sets that a message may have at all (RFC 8617 4.2.1). */
#define ARC_MAX_SETS 50

enum arc_part { ARC_PART_RESULTS, ARC_PART_MESSAGE, ARC_PART_SEAL };
#define ARC_PART_COUNT 3

/* "ARC-Seal" and so on. */
const char *arc_part_name(enum arc_part part);
/* False when `name` is that of another field. */
bool arc_part_find(struct slice name, enum arc_part *part);

/* What is wrong with a chain, apart from its signatures. */
enum arc_reason {
    ARC_REASON_NONE,
    ARC_REASON_SYNTAX,
    ARC_REASON_INSTANCE,
    ARC_REASON_TOO_MANY,
    ARC_REASON_TWICE,
    ARC_REASON_INCOMPLETE,
    ARC_REASON_SEAL_LIST,
    ARC_REASON_COVERS_SEAL,
    ARC_REASON_CHAIN_VALUE,
    ARC_REASON_BROKEN,
    ARC_REASON_FROM,
    ARC_REASON_COSTLY,
};
#define ARC_REASON_COUNT 12

/* "incomplete": a stable word, for logs. NULL for ARC_REASON_NONE. */
const char *arc_reason_word(enum arc_reason reason);
/* The same as a sentence part for the owner. */
const char *arc_reason_text(enum arc_reason reason);

/* cv=: what the sealer found of the chain before it. */
enum arc_chain_value { ARC_CHAIN_NONE, ARC_CHAIN_PASS, ARC_CHAIN_FAIL };

struct arc_claim {
    unsigned int instance;            /* i=; 1 to ARC_MAX_SETS; 0 where it cannot be read */
    enum arc_chain_value chain_value; /* of ARC_PART_SEAL */
};

/* `claim` is initialised here; `value` is that of the field, folded as it came. */
enum arc_reason arc_claim_parse(struct arc_claim *claim, enum arc_part part, struct slice value)
    __attribute__((warn_unused_result));

#endif
