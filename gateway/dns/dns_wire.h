/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers as they come over the network (RFC 1035 4), read into values. The bytes
 * are a stranger's: whoever owns a domain chooses what is in them.
 */
#ifndef POSTERN_DNS_DNS_WIRE_H
#define POSTERN_DNS_DNS_WIRE_H

#include "base/slice.h"
#include "dns/dns_answer.h"

/* More than this makes an answer a failure, never a part of one: half of a policy is another. */
#define DNS_WIRE_MAX_RECORDS 256      /* of the type that was asked for */
#define DNS_WIRE_MAX_BYTES 65536      /* of them all, as values */
#define DNS_WIRE_MAX_SECTION 1024     /* records in the answer, or in the authority section */
#define DNS_WIRE_MAX_ALIASES 10       /* CNAME after CNAME */

/*
 * What `packet` says to the question, whose name is in the one form. Aliases are followed inside of
 * the packet (a question for CNAME follows none). `ttl_s` is the least of the records that led to
 * the answer; where there are none, what RFC 2308 5 makes of the SOA record, or 0 without one. A
 * packet that is damaged, cut short or not the answer to this question is DNS_FAILED, as is every
 * code but NOERROR and NXDOMAIN. DNSSEC is not looked at. Held once.
 */
struct dns_answer *dns_wire_read(struct slice packet, struct slice name, enum dns_type type);

#endif
