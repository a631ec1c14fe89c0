/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto: randomness and digests. */
#ifndef POSTERN_BASE_CRYPTO_H
#define POSTERN_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define CRYPTO_SHA256_BYTES 32

/* Unpredictable bytes. A system that has none ends the process. */
void crypto_random(void *bytes, size_t count);
/* RFC 2104 over SHA-256. */
void crypto_hmac_sha256(struct slice key, struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES]);

#endif
