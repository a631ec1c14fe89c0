/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash (Aumasson and Bernstein 2012), for tables whose keys come from outside. */
#ifndef POSTERN_BASE_SIP_HASH_H
#define POSTERN_BASE_SIP_HASH_H

#include <stdint.h>

#include "base/slice.h"

/*
 * SipHash-1-3: nobody without the secret can aim at a value, or at two alike. For places in tables;
 * crypto.h has digests for what must stay hidden.
 */
uint64_t sip_hash(const uint64_t secret[2], struct slice input);

#endif
