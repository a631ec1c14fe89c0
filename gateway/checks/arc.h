/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARC (RFC 8617) of one message: whether the chain of those who handled it holds,
 * and who was the last of them. Verified while it streams, like DKIM:
 *
 *     message_append(message, piece);   arc_check_take(check, message, piece);   ...
 *     message_end(message);             arc_check_end(check, message);
 *
 * Once arc_check_is_header_taken, arc_check_want_keys asks for all keys at once.
 * arc_check_conclude says what was found. Nothing here waits.
 *
 * libopendkim knows no ARC: forms, hashes and order are ours, tags and keys are read
 * by what reads those of DKIM, and the same ceilings hold the work down. RSA and
 * Ed25519 are known (RFC 8301, RFC 8463).
 */
#ifndef POSTERN_CHECKS_ARC_H
#define POSTERN_CHECKS_ARC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "checks/arc_claim.h"
#include "checks/dkim_settings.h"
#include "dns/dns_answers.h"
#include "evidence/finding.h"
#include "mail/message.h"

/*
 * What all signatures of one chain may cost to verify, in microseconds here: each costs its share
 * for the key, and by an RSA key a third of the square of its bits in units of 256. So 20 sets with
 * keys of 2048 bits are within it. A header section at its ceiling takes up to a millisecond more.
 */
#define ARC_MAX_KEY_WORK 1100
#define ARC_KEY_WORK 30
#define ARC_ED25519_WORK 90

struct arc_check;

/*
 * `settings` are kept until arc_check_free; `max_sets` is at most ARC_MAX_SETS. A message without
 * ARC costs next to nothing, one with it 2 KiB for each set; nothing of the message is kept.
 */
struct arc_check *arc_check_new(const struct dkim_settings *settings, size_t max_sets,
                                uint64_t now_s);
void arc_check_free(struct arc_check **check);

/*
 * The piece that message_append has just taken without a problem. After a problem of the message
 * the check is of no use. Each byte is hashed once: at most 64 KiB in one turn of a loop.
 */
void arc_check_take(struct arc_check *check, const struct message *message, struct slice piece);
/* After message_end. */
void arc_check_end(struct arc_check *check, const struct message *message);

/* What a check of it will hold at most, once the header section of the message is over. */
uint64_t arc_check_bytes(size_t max_sets, const struct message *message);
/* The header section has been read: it is known which keys are needed. */
bool arc_check_is_header_taken(const struct arc_check *check);
/* Makes all of them wanted. True when none is missing. */
bool arc_check_want_keys(const struct arc_check *check, struct dns_answers *answers);

/*
 * After arc_check_end. False while keys are missing: they are wanted then, call again. True once,
 * with the finding, which is initialised here: arc_finding_clear it. The check is used up then.
 */
bool arc_check_conclude(struct arc_check *check, struct dns_answers *answers,
                        struct arc_finding *finding) __attribute__((warn_unused_result));

#endif
