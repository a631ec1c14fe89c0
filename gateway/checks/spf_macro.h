/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The macros of SPF (RFC 7208 7): `%{ir}.%{v}._spf.%{d2}` and what it stands for.
 * Text only: whoever expands has the values ready, and asks before whether there
 * are any that it would cost something to find.
 */
#ifndef POSTERN_CHECKS_SPF_MACRO_H
#define POSTERN_CHECKS_SPF_MACRO_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"

enum spf_macro_use {
    SPF_MACRO_NAME,        /* domain-spec: ends like a name, no %{c}, %{r} and %{t} */
    SPF_MACRO_STRING,      /* macro-string: of a modifier that nobody knows */
    SPF_MACRO_EXPLANATION, /* explain-string: the same, and spaces */
};

/* The text follows the grammar of its use. Only such text may be expanded. */
bool spf_macro_is_valid(struct slice text, enum spf_macro_use use);

/* Some macro of the valid `text` has one of these letters, in any case. */
bool spf_macro_uses(struct slice text, const char *letters);

/* By letter: values->letters['d' - 'a']. One that is not there is empty. */
struct spf_macro_values {
    struct slice letters[26];
};

/*
 * Appends what the valid `text` stands for. It ends early when `out` is full, which is marked as
 * cut then, or when *work, which goes down with what there is to do, would fall below 0: then it is
 * 0, and what was appended is worth nothing.
 */
void spf_macro_expand(struct slice text, const struct spf_macro_values *values, struct text *out,
                      size_t *work);

#endif
