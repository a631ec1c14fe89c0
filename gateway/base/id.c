/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for sessions and transactions; see id.h. Two workers would have to draw
 * the same 32-bit value in the same millisecond to clash; each steps through
 * its values with an odd random stride from a random start, so that a clash in
 * one millisecond does not repeat in the next.
 */
#include "base/id.h"

#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static uint32_t counter;
static uint32_t stride; /* odd, so that all 2^32 values come; 0 before the first id */

struct id id_new(void)
{
    uint64_t milliseconds = clock_wall_us() / 1000 & 0xffffffffffffull;
    unsigned __int128 all;
    struct id id;

    if (stride == 0) {
        crypto_random(&counter, sizeof counter);
        crypto_random(&stride, sizeof stride);
        stride |= 1;
    }
    counter += stride;
    /* 80 bits, 5 at a time: 48 of time from the top, then 32 of the counter. */
    all = (unsigned __int128)milliseconds << 32 | counter;
    for (int i = 0; i < ID_LENGTH; i++)
        id.text[i] = alphabet[(unsigned int)(all >> (75 - 5 * i)) & 31];
    id.text[ID_LENGTH] = '\0';
    return id;
}

bool id_find_time(struct slice s, uint64_t *wall_us)
{
    unsigned __int128 all = 0;

    if (s.length < ID_LENGTH)
        return false;
    for (size_t i = 0; i < ID_LENGTH; i++) {
        const char *at = memchr(alphabet, s.data[i], sizeof alphabet - 1);

        if (at == NULL)
            return false;
        all = all << 5 | (unsigned int)(at - alphabet);
    }
    *wall_us = (uint64_t)(all >> 32) * 1000;
    return true;
}
