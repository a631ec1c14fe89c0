/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto: randomness and digests. */
#ifndef POSTERN_BASE_CRYPTO_H
#define POSTERN_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define CRYPTO_SHA256_BYTES 32

/* Unpredictable bytes. A system that has none ends the process. */
void crypto_random(void *bytes, size_t count);
/* RFC 2104 over SHA-256. */
void crypto_hmac_sha256(struct slice key, struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES]);

/* FIPS 180-4, of all bytes at once. */
void crypto_sha256(struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES]);

/* The same of bytes that come one run after the other. */
struct crypto_sha256 *crypto_sha256_new(void) __attribute__((returns_nonnull));
void crypto_sha256_add(struct crypto_sha256 *sha256, struct slice input);
/* The digest of all that was added since the start, or since the last digest. */
void crypto_sha256_take(struct crypto_sha256 *sha256, uint8_t digest[CRYPTO_SHA256_BYTES]);
void crypto_sha256_free(struct crypto_sha256 **sha256);

/* In a time that says nothing about where they differ. */
bool crypto_equals(const void *a, const void *b, size_t count);

#endif
