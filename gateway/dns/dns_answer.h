/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A question to the DNS and the answer to it, as values: who asks, and whom, is
 * not known here. An answer is counted, so that many may hold one and the same.
 *
 * Names are in presentation form (RFC 1035 5.1): lower case, without the last dot,
 * every byte that is no letter, digit, hyphen or underscore as \DDD. So there is
 * one way to write a name, and no byte in it that a log must fear.
 */
#ifndef POSTERN_DNS_DNS_ANSWER_H
#define POSTERN_DNS_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"

/* By their numbers in the protocol (RFC 1035 3.2.2, RFC 3596 2.1, RFC 6698 7.1). */
enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_TLSA = 52,
};

/* "A", "MX"; NULL for a number that is not in the list above. */
const char *dns_type_word(enum dns_type type);

/* Of a name in presentation form: 255 octets, each of which may be four characters. */
#define DNS_NAME_MAX_BYTES 1020

/*
 * Appends the one form of a name that was written by people or put together from what a client
 * says: letters to lower case, one dot at the end dropped. False, and nothing appended, when it is
 * no name that can be asked for: empty, an empty label, a label over 63 or a name over 253 octets.
 */
bool dns_name_normalise(struct slice name, struct text *out) __attribute__((warn_unused_result));

/* Appends one octet of a label as the one form has it. */
void dns_name_add_octet(struct text *out, unsigned char octet);

/* How a question ended. */
enum dns_result {
    DNS_FOUND,    /* there are records */
    DNS_NO_DATA,  /* the name exists and has none of this type */
    DNS_NO_NAME,  /* it does not exist (NXDOMAIN) */
    DNS_FAILED,   /* no answer that could be used: see `problem` */
};

struct dns_record {
    struct ip_address address; /* A, AAAA */
    uint16_t preference;       /* MX */
    /* PTR, MX, CNAME: a name, empty for the root (RFC 7505). TXT: its strings, joined without
       anything between them (RFC 7208 3.3, RFC 6376 3.6.2.2), any bytes. TLSA: the data of the
       record. Empty for the rest. */
    struct slice bytes;
};

struct dns_answer {
    enum dns_result result;
    const char *problem;        /* of DNS_FAILED, a literal: "timeout", "servfail"; else NULL */
    bool is_secure;             /* DNSSEC proved it */
    bool is_bogus;              /* DNSSEC proved it wrong: then it is DNS_FAILED */
    uint32_t ttl_s;             /* how long it may be kept; 0 when not at all */
    struct dns_record *records; /* owned */
    char *bytes;                /* owned: what the records' bytes point into */
    size_t record_count;        /* 0 unless DNS_FOUND */
    size_t reference_count;
};

/*
 * A new answer, held once. Records are copied, their bytes as well; no records with DNS_FOUND makes
 * DNS_NO_DATA of it.
 */
struct dns_answer *dns_answer_new(enum dns_result result, const struct dns_record *records,
                                  size_t record_count);
/* A failure, held once; `problem` is a literal. */
struct dns_answer *dns_answer_new_failed(const char *problem);
struct dns_answer *dns_answer_ref(struct dns_answer *answer);
/* What it takes of memory. */
size_t dns_answer_bytes(const struct dns_answer *answer);
/* NULL is fine. */
void dns_answer_unref(struct dns_answer *answer);

/* Neither records nor a failure: what RFC 7208 4.6.4 calls a void lookup. */
static inline bool dns_answer_is_void(const struct dns_answer *answer)
{
    return answer->result == DNS_NO_DATA || answer->result == DNS_NO_NAME;
}

#endif
