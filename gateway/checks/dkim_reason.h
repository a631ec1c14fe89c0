/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a DKIM signature got its result: one table of words, sentences and results. */
#ifndef POSTERN_CHECKS_DKIM_REASON_H
#define POSTERN_CHECKS_DKIM_REASON_H

#include "evidence/finding.h"

enum dkim_reason {
    DKIM_REASON_NONE, /* nothing against it: it passes */
    /* The signature field cannot be read or is not for us (neutral). */
    DKIM_REASON_SYNTAX,
    DKIM_REASON_TOO_LONG,
    DKIM_REASON_VERSION,
    DKIM_REASON_MISSING_TAG,
    DKIM_REASON_DOMAIN,
    DKIM_REASON_SELECTOR,
    DKIM_REASON_IDENTITY,
    DKIM_REASON_ALGORITHM,
    DKIM_REASON_CANON,
    DKIM_REASON_QUERY,
    DKIM_REASON_HEADER_LIST,
    DKIM_REASON_LENGTH,
    DKIM_REASON_TIMES,
    DKIM_REASON_BASE64,
    DKIM_REASON_HEADER,
    DKIM_REASON_COVERS_SIGNATURES,
    DKIM_REASON_UNREADABLE,
    /* What was signed or published cannot hold (permerror). */
    DKIM_REASON_SHA1,
    DKIM_REASON_FROM_NOT_SIGNED,
    DKIM_REASON_KEY_MISSING,
    DKIM_REASON_KEY_SEVERAL,
    DKIM_REASON_KEY_SYNTAX,
    DKIM_REASON_KEY_VERSION,
    DKIM_REASON_KEY_TYPE,
    DKIM_REASON_KEY_HASH,
    DKIM_REASON_KEY_SERVICE,
    DKIM_REASON_KEY_REVOKED,
    DKIM_REASON_KEY_UNREADABLE,
    DKIM_REASON_KEY_STRICT,
    /* It may be found out another time (temperror). */
    DKIM_REASON_KEY_DNS,
    DKIM_REASON_INTERNAL,
    /* It does not verify (fail). */
    DKIM_REASON_MISMATCH,
    DKIM_REASON_BODY,
    DKIM_REASON_BODY_SHORT,
    /* Our own settings and limits do not take it (policy). */
    DKIM_REASON_KEY_SHORT,
    DKIM_REASON_KEY_LARGE,
    DKIM_REASON_COSTLY,
    DKIM_REASON_EXPIRED,
    DKIM_REASON_FUTURE,
    DKIM_REASON_LENGTH_REFUSED,
    DKIM_REASON_BODY_UNSIGNED,
};
#define DKIM_REASON_COUNT 43

/* "key-missing": a stable word, for logs. NULL for DKIM_REASON_NONE. */
const char *dkim_reason_word(enum dkim_reason reason);
/* For people, as in Authentication-Results: "no key is published". NULL likewise. */
const char *dkim_reason_text(enum dkim_reason reason);
/* What a signature with it gets; pass for DKIM_REASON_NONE. */
enum check_result dkim_reason_result(enum dkim_reason reason);

#endif
