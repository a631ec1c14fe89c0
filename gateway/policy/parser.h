/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads policy and domain blocks from the statements of config/syntax; for rule and action see
 * rule_parser.h:
 *
 *     policy    = "policy" name "{" { setting / rule / otherwise } "}"
 *     otherwise = "otherwise" action ";"
 *     domain    = "domain" 1*name "{" { setting / backend / policy-name / rule } "}"
 *
 * Each block is read to its end, so one run shows all mistakes.
 */
#ifndef POSTERN_POLICY_PARSER_H
#define POSTERN_POLICY_PARSER_H

#include "policy/block_reader.h"

/* Both fill an empty structure as far as they get; what is wrong goes to the diagnostics. */
void policy_parse(struct policy *policy, const struct statement *block,
                  const struct policy_parser *parser);
void domain_block_parse(struct domain_block *domain, const struct statement *block,
                        const struct policy_parser *parser);

#endif
