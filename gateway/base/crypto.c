/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto; see crypto.h. */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"

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

struct crypto_sha256 {
    EVP_MD_CTX *context; /* owned */
};

void crypto_sha256(struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    static const char nothing[1];

    if (EVP_Digest(input.length > 0 ? input.data : nothing, input.length, digest, NULL,
                   EVP_sha256(), NULL) != 1)
        abort();
}

struct crypto_sha256 *crypto_sha256_new(void)
{
    struct crypto_sha256 *sha256 = mem_new(sizeof *sha256);

    sha256->context = EVP_MD_CTX_new();
    if (sha256->context == NULL || EVP_DigestInit_ex(sha256->context, EVP_sha256(), NULL) != 1)
        abort();
    return sha256;
}

void crypto_sha256_add(struct crypto_sha256 *sha256, struct slice input)
{
    if (input.length > 0 && EVP_DigestUpdate(sha256->context, input.data, input.length) != 1)
        abort();
}

void crypto_sha256_take(struct crypto_sha256 *sha256, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    if (EVP_DigestFinal_ex(sha256->context, digest, NULL) != 1 ||
        EVP_DigestInit_ex(sha256->context, EVP_sha256(), NULL) != 1)
        abort();
}

void crypto_sha256_free(struct crypto_sha256 **handle)
{
    struct crypto_sha256 *sha256 = *handle;

    *handle = NULL;
    if (sha256 == NULL)
        return;
    EVP_MD_CTX_free(sha256->context);
    mem_free(sha256);
}

bool crypto_equals(const void *a, const void *b, size_t count)
{
    return CRYPTO_memcmp(a, b, count) == 0;
}
