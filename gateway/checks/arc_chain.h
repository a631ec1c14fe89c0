/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ARC sets of one message (RFC 8617 4.2), put in order and held to its rules, and
 * what each of its signatures signs: all of ARC but keys and mathematics. It is read
 * once, when the header section is over; nothing of the message is kept.
 */
#ifndef POSTERN_CHECKS_ARC_CHAIN_H
#define POSTERN_CHECKS_ARC_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/text.h"
#include "checks/arc_claim.h"
#include "checks/dkim_entries.h"
#include "checks/dkim_settings.h"
#include "mail/message.h"

/* Bytes of a header section with ARC fields in it; each is hashed twice at most. */
#define ARC_MAX_HEADER_BYTES (DKIM_MAX_HEADER_WORK / 2)

/* Why a chain is no good, and which of its fields shows it. */
struct arc_fault {
    const char *reason;    /* a stable word, a literal; NULL while nothing is wrong */
    const char *problem;   /* the same as a sentence part, likewise */
    enum check_result result;
    enum arc_part part;
    size_t instance;       /* 0 where it is not known */
};

/* What one signature is. */
struct arc_proof {
    uint8_t digest[CRYPTO_SHA256_BYTES]; /* of what it signs */
    struct text signature;               /* b=, decoded */
    enum arc_part part;
    size_t instance;
};

/* All zero is a message that has none. */
struct arc_chain {
    size_t set_count;           /* the highest instance */
    struct arc_fault fault;
    /* Without a fault: the newest set's ARC-Message-Signature, then all seals, the newest first. */
    struct dkim_entries fields;
    struct arc_proof *proofs;   /* owned; as many */
    uint8_t body_hash[CRYPTO_SHA256_BYTES]; /* bh= of the first */
};

/* `max_sets` is at most ARC_MAX_SETS; a longer chain is a fault. `now_s` is the wall clock's. */
void arc_chain_read(struct arc_chain *chain, const struct message *message,
                    const struct dkim_settings *settings, size_t max_sets, uint64_t now_s);
void arc_chain_clear(struct arc_chain *chain);

/* There is a chain, and nothing is wrong with it so far. */
static inline bool arc_chain_is_alive(const struct arc_chain *chain)
{
    return chain->set_count > 0 && chain->fault.reason == NULL;
}

/* The first fault counts. */
void arc_chain_fail(struct arc_chain *chain, enum arc_reason reason, enum arc_part part,
                    size_t instance);
/* For what is wrong with the signature at `index`. A failure replaces a temporary one. */
void arc_chain_fail_field(struct arc_chain *chain, size_t index, enum dkim_reason reason);

#endif
