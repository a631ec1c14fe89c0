/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto; see crypto.h. */
#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
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

struct crypto_sha256 *crypto_sha256_copy(const struct crypto_sha256 *sha256)
{
    struct crypto_sha256 *copy = mem_new(sizeof *copy);

    copy->context = EVP_MD_CTX_new();
    if (copy->context == NULL || EVP_MD_CTX_copy_ex(copy->context, sha256->context) != 1)
        abort();
    return copy;
}

/* The parameters of a key have numbers in the machine's own order. */
static void turn_number(struct slice number, unsigned char out[CRYPTO_MAX_RSA_BYTES])
{
    for (size_t i = 0; i < number.length; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        out[i] = (unsigned char)number.data[number.length - 1 - i];
#else
        out[i] = (unsigned char)number.data[i];
#endif
    }
}

/*
 * From the numbers themselves: to have the library read the same key out of its DER takes longer
 * than to verify with it. NULL when it is none.
 */
static EVP_PKEY *make_rsa_key(struct slice modulus, struct slice exponent)
{
    unsigned char n[CRYPTO_MAX_RSA_BYTES];
    unsigned char e[CRYPTO_MAX_RSA_BYTES];
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    turn_number(modulus, n);
    turn_number(exponent, e);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, modulus.length),
            OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, exponent.length),
            OSSL_PARAM_construct_end(),
        };

        if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
            key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

bool crypto_rsa_verifies(struct slice modulus, struct slice exponent,
                         const uint8_t digest[CRYPTO_SHA256_BYTES], struct slice signature)
{
    EVP_PKEY_CTX *context;
    EVP_PKEY *key;
    bool is_good;

    if (modulus.length == 0 || modulus.length > CRYPTO_MAX_RSA_BYTES || exponent.length == 0 ||
        exponent.length > CRYPTO_MAX_RSA_BYTES || signature.length == 0)
        return false;
    key = make_rsa_key(modulus, exponent);
    context = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    is_good = context != NULL && EVP_PKEY_verify_init(context) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(context, (const unsigned char *)signature.data, signature.length,
                              digest, CRYPTO_SHA256_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    /* What went wrong with a stranger's key must not be taken for trouble with a TLS session. */
    ERR_clear_error();
    return is_good;
}

bool crypto_ed25519_verifies(const uint8_t key_bytes[CRYPTO_ED25519_KEY_BYTES],
                             struct slice message, struct slice signature)
{
    static const char nothing[1];
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key_bytes,
                                                CRYPTO_ED25519_KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const char *bytes = message.length > 0 ? message.data : nothing;
    bool is_good = key != NULL && context != NULL && signature.length > 0 &&
                   EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                   EVP_DigestVerify(context, (const unsigned char *)signature.data,
                                    signature.length, (const unsigned char *)bytes,
                                    message.length) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return is_good;
}

bool crypto_equals(const void *a, const void *b, size_t count)
{
    return CRYPTO_memcmp(a, b, count) == 0;
}
