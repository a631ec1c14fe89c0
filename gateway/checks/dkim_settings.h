/* SPDX-License-Identifier: BSD-2-Clause */
/* What an owner may choose of DKIM, and the ceilings that nobody chooses. */
#ifndef POSTERN_CHECKS_DKIM_SETTINGS_H
#define POSTERN_CHECKS_DKIM_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

/* What a signature that covers only a part of the body (l=) is worth. */
enum dkim_length_policy {
    DKIM_LENGTH_IGNORE, /* it must cover all of the body nonetheless: else RESULT_POLICY */
    DKIM_LENGTH_ACCEPT, /* as RFC 6376 has it; the finding says what was not signed */
    DKIM_LENGTH_REFUSE, /* nothing: RESULT_POLICY, whatever it covers */
};

struct dkim_settings {
    size_t max_signatures;     /* further ones are counted and not looked at */
    unsigned int min_rsa_bits; /* a shorter key's signature is RESULT_POLICY (RFC 8301 3.2) */
    enum dkim_length_policy length_policy;
    uint64_t clock_drift_s;    /* so far may t= lie ahead of us, and x= behind */
};
#define DKIM_SETTINGS_DEFAULT                                           \
    ((struct dkim_settings){ .max_signatures = 8, .min_rsa_bits = 1024, \
                             .length_policy = DKIM_LENGTH_IGNORE, .clock_drift_s = 300 })

/* Ceilings on the work that one message can make; a signature past them is RESULT_POLICY. */
#define DKIM_MAX_BODY_HASHES 3            /* different ways in which a body is hashed */
#define DKIM_MAX_HEADER_WORK (192 * 1024) /* bytes of header hashed, all signatures together */
#define DKIM_MAX_COMPARISONS 100000       /* of field names, likewise */
/* The library looks for addresses in From, which takes it 3 ms for each 100 KiB. */
#define DKIM_MAX_FROM_BYTES 32768

#endif
