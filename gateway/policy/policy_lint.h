/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is doubtful in policies that are written correctly. Errors stop a load,
 * these do not: `postern check` shows them, and a waiver silences a warning.
 */
#ifndef POSTERN_POLICY_POLICY_LINT_H
#define POSTERN_POLICY_POLICY_LINT_H

#include "config/diagnostics.h"
#include "config/lint.h"
#include "policy/policy_book.h"

/* Every lint of policies, for the manual. */
const struct lint_info *policy_lint_get_table(size_t *count);
/* Of a book without errors. Adds warnings and notes, each once for a place. */
void policy_book_lint(const struct policy_book *book, struct diagnostics *diagnostics);
/*
 * The earlier rule that holds `rules[index]` back longest: it can decide, and is known only after
 * RCPT and after this one. NULL for none.
 */
const struct rule *policy_find_holding_rule(const struct rule *rules, size_t index);

#endif
