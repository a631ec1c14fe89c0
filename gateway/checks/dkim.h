/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DKIM (RFC 6376, RFC 8301, RFC 8463) of one message, verified while it streams.
 *
 *     message_append(message, piece);   dkim_check_take(check, message, piece);   ...
 *     message_end(message);             dkim_check_end(check, message);
 *
 * Once dkim_check_is_header_taken, dkim_check_want_keys asks for all keys at once, so that they
 * come while the body does. dkim_check_conclude says what was found; the keys come from a table of
 * answers and from nowhere else, so nothing here waits.
 *
 * libopendkim does the canonical forms and the mathematics. It is shown only fields and keys that
 * our own readers (dkim_claim, dkim_record) have taken, and no more work than the ceilings in
 * dkim_settings.h.
 */
#ifndef POSTERN_CHECKS_DKIM_H
#define POSTERN_CHECKS_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "checks/dkim_settings.h"
#include "dns/dns_answers.h"
#include "evidence/finding.h"
#include "mail/message.h"

/*
 * What all checks of a process share. NULL when the library cannot be used. It reads
 * /etc/resolv.conf, though it never asks anybody: before a sandbox shuts.
 */
struct dkim_library *dkim_library_new(void);
/* After the last check. */
void dkim_library_free(struct dkim_library **library);

struct dkim_check;

/*
 * `library` and `settings` are kept until dkim_check_free; `now_s` is the wall clock's.
 */
struct dkim_check *dkim_check_new(struct dkim_library *library,
                                  const struct dkim_settings *settings, uint64_t now_s);
void dkim_check_free(struct dkim_check **check);
/*
 * The most that a check of this message, whose header section is over, holds until it has given its
 * finding: a copy of that section, and some 10 KiB for each signature. 0 where there is none.
 */
uint64_t dkim_check_bytes(const struct dkim_settings *settings, const struct message *message);

/*
 * The piece that message_append has just taken without a problem. After a problem of the message
 * the check is of no use. Each byte costs up to DKIM_MAX_BODY_HASHES hashes: at most 64 KiB in one
 * turn of a loop.
 */
void dkim_check_take(struct dkim_check *check, const struct message *message, struct slice piece);
/* After message_end. */
void dkim_check_end(struct dkim_check *check, const struct message *message);

/* The header section has been read: it is known which keys are needed. */
bool dkim_check_is_header_taken(const struct dkim_check *check);
/* Makes all of them wanted. True when none is missing. */
bool dkim_check_want_keys(const struct dkim_check *check, struct dns_answers *answers);

/*
 * After dkim_check_end. False while keys are missing: they are wanted then, call again. True once,
 * with the finding, which is initialised here: dkim_finding_clear it. The check is used up then.
 */
bool dkim_check_conclude(struct dkim_check *check, struct dns_answers *answers,
                         struct dkim_finding *finding) __attribute__((warn_unused_result));

#endif
