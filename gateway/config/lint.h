/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Warnings about what loads but deserves a second look. Each has an id that a
 * `waive` line can name; they are always warnings, never errors.
 */
#ifndef POSTERN_CONFIG_LINT_H
#define POSTERN_CONFIG_LINT_H

#include <stddef.h>

#include "config/diagnostics.h"

struct lint_info {
    const char *id;
    const char *why; /* one sentence for the manual */
};

/* All lints of the configuration itself; those about policies are policy/'s. */
const struct lint_info *lint_get_table(size_t *count);

/*
 * Reports a warning whose id is in the table; `at` lies in the block it is
 * about, so that a waiver can name that block.
 */
void lint_report(struct diagnostics *diagnostics, const char *id, struct position at,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
