/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the DNS, asked without waiting. Local data is looked at first, then a
 * cache, then the servers; DNSSEC is proved here where trust anchors are given.
 *
 * Equal questions at the same time are asked once. Only so many are with the servers
 * at a time, some more wait, and past that an answer is a failure at once: a flood
 * of senders cannot make a worker busy with nothing but their names.
 */
#ifndef POSTERN_NET_RESOLVER_H
#define POSTERN_NET_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "dns/dns_answer.h"
#include "dns/zone.h"
#include "net/loop.h"

struct resolver;

struct resolver_settings {
    /* Servers that resolve for us. None: nothing is sent, and a name that no zone has does not
       exist. */
    const struct ip_endpoint *addresses;
    size_t address_count;
    struct slice trust_anchors; /* DS or DNSKEY records, a line each; empty: nothing is validated */
    const struct zone *local_data; /* kept until the end; NULL: none */
    const struct zone *overrides;  /* likewise, and looked at before the local data */
    uint64_t timeout_ms;        /* of a question, waiting for its turn included */
    uint64_t cache_bytes;
    uint64_t max_questions;     /* that are with the servers at a time */
};

/* So many questions for each of `max_questions` may wait for their turn. */
#define RESOLVER_WAITING_FACTOR 5

/*
 * What it points to, but for the local data, is lent for the call. No file is read, and nothing is
 * sent before the first question. NULL and a sentence when there can be none: a trust anchor that
 * is no record.
 */
struct resolver *resolver_new(struct loop *loop, const struct resolver_settings *settings,
                              struct text *problem) __attribute__((warn_unused_result));
/* Lookups that are still out get no answer, and may not be used any more. Not from a `done`. */
void resolver_free(struct resolver **resolver);

/* A handle ends with its `done`. */
struct dns_lookup;
/* The answer is lent; who keeps it holds it (dns_answer_ref). */
typedef void (*resolver_done_fn)(void *owner, struct dns_answer *answer);

/*
 * `name` in any form; one that cannot be asked for does not exist (DNS_NO_NAME). `done` comes once,
 * from the loop. Problems of a DNS_FAILED: those of dns/dns_wire.h and dns/zone.h, and
 * "timeout", "bogus", "overloaded" and "resolver" (the library refused).
 */
struct dns_lookup *resolver_start(struct resolver *resolver, struct slice name,
                                  enum dns_type type, resolver_done_fn done, void *owner);
/* No `done` comes; the handle becomes NULL, and NULL is fine. */
void resolver_cancel(struct dns_lookup **lookup);

/* Since its start. */
struct resolver_counts {
    uint64_t lookups;    /* calls of resolver_start */
    uint64_t local;      /* answered from local data */
    uint64_t joined;     /* that had the same question as one before */
    uint64_t cached;     /* questions that the cache knew */
    uint64_t asked;      /* questions that it did not */
    uint64_t failed;     /* questions that ended as DNS_FAILED, those of local data left out */
};
const struct resolver_counts *resolver_get_counts(const struct resolver *resolver);

#endif
