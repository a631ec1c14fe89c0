/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second SPF engine: libspf2, behind the guard of spf_parcel.h. For a process of
 * its own, without files and network, which may die at any time:
 *
 * - CVE-2023-42118: the packaged library (1.2.10) writes behind a buffer while it
 *   reads a macro of an exp= text of half a kilobyte, or of a record of four;
 * - its limit of ten lookups begins anew in each include: six names can make millions;
 * - whatever it takes for a bug of its own ends the process.
 *
 * It asks no DNS. Where an answer is missing the run is thrown away, and begun anew when
 * the answer is there (dns/dns_answers.h).
 */
#ifndef POSTERN_CHECKS_SPF2_H
#define POSTERN_CHECKS_SPF2_H

#include "checks/spf_parcel.h"

struct spf2;

/* NULL when the library does not start. One for many runs. */
struct spf2 *spf2_new(void);
void spf2_free(struct spf2 **engine);

/*
 * One run over a request of spf_parcel_pack; its answer is appended to `out`. False when it is no
 * request. The time that it takes, the caller has to limit.
 */
bool spf2_run(struct spf2 *engine, struct slice request, struct text *out)
    __attribute__((warn_unused_result));

#endif
