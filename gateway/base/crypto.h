/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto: randomness, digests, base64. */
#ifndef POSTERN_BASE_CRYPTO_H
#define POSTERN_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

#define CRYPTO_SHA256_BYTES 32

/* Unpredictable bytes. A system that has none ends the process. */
void crypto_random(void *bytes, size_t count);
void crypto_sha256(struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES]);
/* RFC 2104 over SHA-256. */
void crypto_hmac_sha256(struct slice key, struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES]);
/* True when equal; the time taken says nothing about where they differ. */
bool crypto_equals(const void *a, const void *b, size_t count);

/* RFC 4648 section 4, with padding, no line breaks. */
void crypto_print_base64(struct text *out, struct slice bytes);
/*
 * Strict: padding required, no white space, no stray bits. False for anything
 * else, and when it does not fit; `out` is then valid, but what it holds is not
 * specified.
 */
bool crypto_parse_base64(struct slice encoded, struct text *out)
    __attribute__((warn_unused_result));

#endif
