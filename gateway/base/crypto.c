/* SPDX-License-Identifier: BSD-2-Clause */
/* The one door to libcrypto; see crypto.h. */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
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

void crypto_sha256(struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    if (EVP_Digest(input.data, input.length, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
}

void crypto_hmac_sha256(struct slice key, struct slice input, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    static const unsigned char nothing[1];
    const unsigned char *bytes = input.length > 0 ? (const unsigned char *)input.data : nothing;

    if (HMAC(EVP_sha256(), key.length > 0 ? key.data : (const char *)nothing, (int)key.length,
             bytes, input.length, digest, NULL) == NULL)
        abort();
}

bool crypto_equals(const void *a, const void *b, size_t count)
{
    return CRYPTO_memcmp(a, b, count) == 0;
}

void crypto_print_base64(struct text *out, struct slice bytes)
{
    while (bytes.length > 0) {
        /* 48 bytes make 64 characters: whole groups until the last. */
        unsigned char group[65];
        struct slice part = slice_until(bytes, 48);
        int length = EVP_EncodeBlock(group, (const unsigned char *)part.data, (int)part.length);

        text_add(out, (struct slice){ (const char *)group, (size_t)length });
        bytes = slice_from_offset(bytes, part.length);
    }
}

static int base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

    return found != NULL ? (int)(found - alphabet) : -1;
}

/*
 * By hand, since EVP_DecodeBlock skips white space, ignores what stands behind
 * the padding and does not say how long the padding was.
 */
bool crypto_parse_base64(struct slice encoded, struct text *out)
{
    if (encoded.length % 4 != 0)
        return false;
    for (size_t i = 0; i < encoded.length; i += 4) {
        const char *group = encoded.data + i;
        bool is_last = i + 4 == encoded.length;
        size_t padding = 0;
        uint32_t bits = 0;

        if (is_last)
            padding = group[3] != '=' ? 0 : group[2] != '=' ? 1 : 2;
        for (size_t k = 0; k < 4; k++) {
            int value = k < 4 - padding ? base64_value(group[k]) : 0;

            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        /* Bits that the padding cuts off must be zero: one text, one reading. */
        if ((bits & ((1u << (8 * padding)) - 1)) != 0)
            return false;
        for (size_t k = 0; k < 3 - padding; k++)
            text_add_byte(out, (char)(bits >> (16 - 8 * k)));
    }
    return !out->is_cut;
}
