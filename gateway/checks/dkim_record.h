/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a domain publishes of a key, "v=DKIM1; k=rsa; p=..." (RFC 6376 3.6.1, RFC
 * 8463). It is read here, down to the numbers of an RSA key, before any library
 * sees it: what a zone says may be meant to be slow, or to break something.
 */
#ifndef POSTERN_CHECKS_DKIM_RECORD_H
#define POSTERN_CHECKS_DKIM_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "checks/dkim_reason.h"

#define DKIM_MAX_RECORD_BYTES 4096
/* Keys of 4096 bits with the exponent that all use verify in a tenth of a millisecond here. */
#define DKIM_MAX_RSA_BITS 4096
#define DKIM_MAX_EXPONENT_BITS 33
#define DKIM_ED25519_BYTES 32

struct dkim_record {
    char *key;             /* p= in base64 without white space; owned; NULL with a problem */
    bool is_ed25519;       /* else RSA */
    unsigned int key_bits; /* of the modulus; 256 for Ed25519; 0 while unknown */
    bool is_testing;       /* t=y */
    bool is_strict;        /* t=s: i= must be of d= itself */
};

/*
 * `record` is initialised here. DKIM_REASON_NONE for a key that may be tried; else why it may not
 * be. g= is no part of DKIM any more and is ignored, as RFC 6376 has it.
 */
enum dkim_reason dkim_record_parse(struct dkim_record *record, struct slice text)
    __attribute__((warn_unused_result));
void dkim_record_clear(struct dkim_record *record);

/*
 * The two numbers of an RSA key, out of the bytes that its p= stands for: the highest byte first,
 * no zeros in front, borrowed from `der`. False when it is no such key.
 */
bool dkim_record_find_numbers(struct slice der, struct slice *modulus, struct slice *exponent)
    __attribute__((warn_unused_result));

/* It is meant to be a key, well-formed or not: other TXT records may stand at the same name. */
bool dkim_record_is_meant(struct slice text);

#endif
