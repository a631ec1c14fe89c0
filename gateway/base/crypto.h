/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto: randomness, digests, and signatures of others. */
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
/* Another one that all was added to that was added to this. */
struct crypto_sha256 *crypto_sha256_copy(const struct crypto_sha256 *sha256)
    __attribute__((returns_nonnull));

#define CRYPTO_MAX_RSA_BYTES 512 /* of a modulus: 4096 bits */
#define CRYPTO_ED25519_KEY_BYTES 32

/*
 * PKCS #1 v1.5 with SHA-256 (RFC 8017 8.2.2), by the two numbers of a public key, the highest byte
 * first. False for a signature that does not fit and for numbers that are no key; both are at most
 * CRYPTO_MAX_RSA_BYTES, and who calls says how long a key may be.
 */
bool crypto_rsa_verifies(struct slice modulus, struct slice exponent,
                         const uint8_t digest[CRYPTO_SHA256_BYTES], struct slice signature);
/* PureEdDSA (RFC 8032 5.1.7) of `message`. */
bool crypto_ed25519_verifies(const uint8_t key[CRYPTO_ED25519_KEY_BYTES], struct slice message,
                             struct slice signature);

/* In a time that says nothing about where they differ. */
bool crypto_equals(const void *a, const void *b, size_t count);

#endif
