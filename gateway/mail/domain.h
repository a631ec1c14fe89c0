/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domain names as postern compares, logs and routes by: lower case, A-labels
 * (RFC 5890), no trailing dot. Whatever way a name was written, there is one
 * form, so a policy cannot be walked around by spelling.
 */
#ifndef POSTERN_MAIL_DOMAIN_H
#define POSTERN_MAIL_DOMAIN_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"

#define DOMAIN_MAX_BYTES 255

enum domain_problem {
    DOMAIN_OK,
    DOMAIN_EMPTY,
    DOMAIN_TOO_LONG,     /* over 253 octets, or a label over 63 (RFC 1035 2.3.4) */
    DOMAIN_EMPTY_LABEL,  /* "a..b", ".a", "a." */
    DOMAIN_BAD_BYTE,     /* outside letters, digits, hyphen (and underscore), or a hyphen at an end */
    DOMAIN_BAD_IDN,      /* a U-label that IDNA 2008 refuses, or bytes that are no UTF-8 */
};

/* Appends the one form of `s` to `out`. With a problem `out` is as before. */
enum domain_problem domain_normalise(struct slice s, struct text *out)
    __attribute__((warn_unused_result));
/* A sentence part for people: "has an empty label". */
const char *domain_problem_text(enum domain_problem problem);

/* Both in the one form: `domain` lies strictly below `parent`. */
bool domain_is_below(struct slice domain, struct slice parent);

#endif
