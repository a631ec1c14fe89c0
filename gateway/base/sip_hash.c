/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-1-3; see sip_hash.h. One round for each 8 bytes, three at the end. */
#include "base/sip_hash.h"

#include <string.h>

static uint64_t rotate(uint64_t value, unsigned int bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t sip_hash(const uint64_t secret[2], struct slice input)
{
    uint64_t v[4];
    size_t offset = 0;
    uint64_t word;

    v[0] = secret[0] ^ 0x736f6d6570736575ull;
    v[1] = secret[1] ^ 0x646f72616e646f6dull;
    v[2] = secret[0] ^ 0x6c7967656e657261ull;
    v[3] = secret[1] ^ 0x7465646279746573ull;
    for (; offset + 8 <= input.length; offset += 8) {
        memcpy(&word, input.data + offset, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)input.length << 56;
    for (size_t i = 0; offset + i < input.length; i++)
        word |= (uint64_t)(unsigned char)input.data[offset + i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
