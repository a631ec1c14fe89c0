/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the second SPF engine is given, and what it says: as bytes, since it is another
 * process. And the guard in front of it, because the bytes of records are anybody's, and
 * libspf2 as it is packaged writes behind its buffers and knows no limits (see spf2.h):
 *
 * - the native evaluation is done, within all limits, and no error;
 * - no value of a macro is longer than SMTP has it, or is not printable;
 * - of TXT answers it sees SPF records alone, which our own parser takes, and which are
 *   no longer than SPF_PARCEL_RECORD_BYTES; without exp=, with redirect= at their end;
 * - of names for a client ten, of mail servers eleven: one more than are allowed.
 *
 * A record that does not get through is marked as refused: whoever reads it stops there.
 */
#ifndef POSTERN_CHECKS_SPF_PARCEL_H
#define POSTERN_CHECKS_SPF_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "checks/spf.h"
#include "dns/dns_answers.h"
#include "evidence/finding.h"

#define SPF_PARCEL_RECORD_BYTES 2048
/* Of a request; larger ones are not made. One packet of a socket pair takes it. */
#define SPF_PARCEL_MAX_BYTES (64u * 1024)
/* dns_answer.problem of a record that the guard keeps back. */
#define SPF_PARCEL_REFUSED "refused"

/*
 * Appends a request: the question, and all answers that are there, guarded. `native` is what
 * spf_evaluate has found. False when it must not be given away at all: there was an error or no
 * record, a value is odd, or there are more answers than fit. `out` is of no use then.
 */
bool spf_parcel_pack(const struct spf_question *question, const struct spf_finding *native,
                     const struct dns_answers *answers, struct text *out)
    __attribute__((warn_unused_result));

/* A request as it was received. */
struct spf_parcel {
    struct spf_question question; /* what the engine needs of it; its slices are in the bytes */
    struct dns_answers *answers;  /* owned */
};

/* False when it is none. spf_parcel_clear is to be called in every case. */
bool spf_parcel_unpack(struct slice bytes, struct spf_parcel *parcel)
    __attribute__((warn_unused_result));
void spf_parcel_clear(struct spf_parcel *parcel);

/* How a run of the second engine ended. */
enum spf_second_end {
    SPF_SECOND_DONE,     /* with a result */
    SPF_SECOND_MISSING,  /* it asks for an answer that was not among those */
    SPF_SECOND_REFUSED,  /* it has come to what the guard keeps back */
    SPF_SECOND_TOO_MUCH, /* it was stopped: more questions than an evaluation may have */
};
#define SPF_SECOND_END_COUNT 4

struct spf_second {
    enum spf_second_end end;
    enum check_result result; /* of SPF_SECOND_DONE */
    enum dns_type type;       /* of SPF_SECOND_MISSING, and its name, in the one form */
    char name[DNS_NAME_MAX_BYTES + 1];
};

/* Appends the answer to a request. */
void spf_second_pack(const struct spf_second *second, struct text *out);
/* False when it is none: whoever sent it may have been taken over. */
bool spf_second_unpack(struct slice bytes, struct spf_second *second)
    __attribute__((warn_unused_result));

#endif
