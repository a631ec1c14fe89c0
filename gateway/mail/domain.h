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

/* Enough for the one form of any name. */
#define DOMAIN_MAX_BYTES 255

enum domain_problem {
    DOMAIN_OK,
    DOMAIN_EMPTY,
    DOMAIN_TOO_LONG,    /* over 253 octets, a label over 63 (RFC 1035 2.3.4), no room in `out` */
    DOMAIN_EMPTY_LABEL, /* "a..b", ".a", "a." */
    DOMAIN_BAD_BYTE,    /* outside letters, digits, hyphen and underscore; a hyphen at an end */
    DOMAIN_BAD_IDN,     /* a label that IDNA 2008 refuses, U-label or A-label; no UTF-8 at all */
};

/*
 * Appends the one form of `s` to `out`. With a problem `out` is as before.
 * U-labels are mapped first (UTS 46, non-transitional: case, width, dots), then
 * held to IDNA 2008 (RFC 5891 5) like the A-labels.
 */
enum domain_problem domain_normalise(struct slice s, struct text *out)
    __attribute__((warn_unused_result));
/*
 * The same for an address literal (RFC 5321 4.1.3), brackets included: IPv4 and
 * IPv6 in the form of ip_print_literal; false for the rest, since nothing is
 * registered for General-address-literal.
 */
bool domain_normalise_literal(struct slice s, struct text *out) __attribute__((warn_unused_result));
/* A sentence part for people: "has an empty label". */
const char *domain_problem_text(enum domain_problem problem);

/* Both in the one form: `domain` lies strictly below `parent`. */
bool domain_is_below(struct slice domain, struct slice parent);

#endif
