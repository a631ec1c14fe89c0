/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto; see crypto.h. */
#include "base/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

void crypto_random(void *bytes, size_t count)
{
    unsigned char *next = bytes;

    while (count > 0) {
        size_t wanted = count < 256 ? count : 256;

        /* Up to 256 bytes come whole and uninterrupted (getrandom(2)). */
        if (getrandom(next, wanted, 0) != (ssize_t)wanted)
            abort();
        next += wanted;
        count -= wanted;
    }
}

void crypto_hmac_sha256(struct slice key, struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    static const unsigned char nothing[1];
    const unsigned char *bytes = input.length > 0 ? (const unsigned char *)input.data : nothing;

    if (HMAC(EVP_sha256(), key.length > 0 ? key.data : (const char *)nothing, (int)key.length,
             bytes, input.length, digest, NULL) == NULL)
        abort();
}
