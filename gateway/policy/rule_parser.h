/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads rules and actions:
 *
 *     rule      = "rule" name "{" [ mode ] when { except } then "}"
 *     when      = "when" terms ";"
 *     except    = "except" term ";"
 *     then      = "then" action ";"
 *     action    = "accept" / "discard" / ( "reject" / "tempfail" ) [ quoted ] / "tag" name
 */
#ifndef POSTERN_POLICY_RULE_PARSER_H
#define POSTERN_POLICY_RULE_PARSER_H

#include <stdbool.h>

#include "policy/block_reader.h"

/*
 * All of these report mistakes. `owner` is the policy or domain that the rule's reason id begins
 * with: "rule.OWNER.NAME".
 */

/* True when `rule` holds a whole rule; free it with rule_clear. Else it is empty. */
bool rule_parse(struct rule *rule, const struct statement *statement, const char *owner,
                const struct policy_parser *parser) __attribute__((warn_unused_result));
/* The name in front of a rule's block, or NULL. */
const char *rule_parse_name(const struct statement *statement, const struct policy_parser *parser);
/* `otherwise ACTION;` */
bool rule_parse_otherwise(struct rule *rule, const struct statement *statement, const char *owner,
                          const struct policy_parser *parser) __attribute__((warn_unused_result));

#endif
