/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names with their records from a zone file (RFC 1035 5.1), in place of a network:
 * an administrator's overrides, and what tests and tools work from.
 *
 * A file holds some names and says nothing of others. A name is in it when it has a
 * record, when a name below it has one, or when a wildcard stands for it (RFC 4592:
 * "*." in front of the nearest name above it that is there). Such a name is answered
 * from the file alone.
 *
 *     $ORIGIN example.org.
 *     $TTL 1h
 *     @        MX   10 mx
 *              TXT  "v=spf1 mx -all"
 *     mx  60   A    192.0.2.1
 *     $FAIL broken TXT        ; ours: asked for this, the answer is a failure
 */
#ifndef POSTERN_DNS_ZONE_H
#define POSTERN_DNS_ZONE_H

#include "base/slice.h"
#include "base/text.h"
#include "dns/dns_answer.h"

struct zone;

/* The first mistake in a file. */
struct zone_problem {
    unsigned int line;    /* from 1 */
    unsigned int column;  /* from 1, in bytes */
    struct text sentence; /* init and clear are the caller's */
};

/*
 * Types A, AAAA, MX, TXT, PTR, CNAME and TLSA; NS and SOA are read over; all else, and every
 * class but IN, is a mistake. Names without a last dot are below the origin, which is the root
 * until $ORIGIN says otherwise. Times are seconds, or such as 1h30m; without any, the last one
 * counts, or five minutes. NULL and a problem, its sentence escaped for a log. Nothing of `bytes`
 * is kept.
 */
struct zone *zone_new(struct slice bytes, struct zone_problem *problem)
    __attribute__((warn_unused_result));
/* NULL is fine. */
void zone_free(struct zone **zone);

/*
 * The answer to a name in the one form, held once; NULL when the name is not in the file. Aliases
 * are followed, and one that leads out of the file is a failure: the file is all that is asked.
 */
struct dns_answer *zone_answer(const struct zone *zone, struct slice name, enum dns_type type);

#endif
