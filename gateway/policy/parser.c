/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy and domain blocks; see parser.h for the grammar. */
#include "policy/parser.h"

#include "base/memory.h"
#include "base/number.h"
#include "mail/domain.h"
#include "policy/rule_parser.h"

#define MAX_KNOWN 64 /* names offered as suggestions */

static void parse_max_size(struct policy_settings *settings, const struct statement *statement,
                           const struct policy_parser *parser)
{
    static const char wanted[] = "a size such as 25M, or none";
    const struct word *word;

    if (!block_set_once(&settings->max_size_at, statement, parser))
        return;
    word = block_get_value(statement, wanted, parser);
    if (word == NULL)
        return;
    if (slice_equals(word->text, SLICE("none")))
        settings->max_size_bytes = 0;
    else if (!number_parse_size(word->text, UINT64_MAX, &settings->max_size_bytes) ||
             settings->max_size_bytes == 0)
        block_report(parser, "config.value", word->at, "max-size takes %s, not \"%.*s\"", wanted,
                     SLICE_ARGS(word->text));
}

/* "on dns-temperror ACTION;" */
static void parse_on(struct policy_settings *settings, const struct statement *statement,
                     const struct policy_parser *parser)
{
    static const enum temperror_action actions[] = { TEMPERROR_TEMPFAIL, TEMPERROR_QUARANTINE,
                                                     TEMPERROR_IGNORE };

    if (!block_set_once(&settings->on_temperror_at, statement, parser))
        return;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (statement->word_count == 3 && statement_has_word(statement, 1, "dns-temperror") &&
            statement_has_word(statement, 2, temperror_action_name(actions[i]))) {
            settings->on_temperror = actions[i];
            return;
        }
    block_report(parser, "config.value", statement->words[0].at,
                 "write \"on dns-temperror\" and tempfail, quarantine or ignore");
}

/* True when a rule of this name may come behind those that are there. */
static bool can_add_rule(const struct rule *rules, size_t count, const struct rule *rule,
                         const struct policy_parser *parser)
{
    if (count == POLICY_MAX_RULES) {
        block_report(parser, "config.too-many", rule->at, "a block has at most %d rules",
                     POLICY_MAX_RULES);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (slice_equals(slice_from(rules[i].name), slice_from(rule->name))) {
            block_report(parser, "config.duplicate", rule->at,
                         "there is a rule \"%s\" on line %u already", rule->name, rules[i].at.line);
            return false;
        }
    return true;
}

/* Every list of rules has room for one more than the ceiling: the policy's otherwise. */
static void add_rule(struct rule **rules, size_t *count, size_t *capacity, struct rule *take_rule,
                     const struct policy_parser *parser)
{
    if (!can_add_rule(*rules, *count, take_rule, parser)) {
        rule_clear(take_rule);
        return;
    }
    *rules = mem_grow(*rules, *count, capacity, sizeof **rules);
    (*rules)[(*count)++] = *take_rule;
}

/* ---- policy blocks ---- */

static void parse_policy_mode(void *owner, const struct statement *statement,
                              const struct policy_parser *parser)
{
    struct policy *policy = owner;

    (void)block_parse_mode(&policy->settings.mode, &policy->settings.mode_at, statement, parser);
}

static void parse_policy_max_size(void *owner, const struct statement *statement,
                                  const struct policy_parser *parser)
{
    struct policy *policy = owner;

    parse_max_size(&policy->settings, statement, parser);
}

static void parse_policy_rule(void *owner, const struct statement *statement,
                              const struct policy_parser *parser)
{
    struct policy *policy = owner;
    struct rule rule;

    if (position_is_set(policy->otherwise_at))
        block_report(
            parser, "policy.after-otherwise", statement->words[0].at,
            "no mail comes to a rule behind \"otherwise\" (line %u); put the rule before it",
            policy->otherwise_at.line);
    else if (rule_parse(&rule, statement, policy->name, parser))
        add_rule(&policy->rules, &policy->rule_count, &policy->rule_capacity, &rule, parser);
}

static void parse_otherwise(void *owner, const struct statement *statement,
                            const struct policy_parser *parser)
{
    struct policy *policy = owner;
    struct rule rule;

    if (!block_set_once(&policy->otherwise_at, statement, parser) ||
        !rule_parse_otherwise(&rule, statement, policy->name, parser))
        return;
    policy->rules =
        mem_grow(policy->rules, policy->rule_count, &policy->rule_capacity, sizeof *policy->rules);
    policy->rules[policy->rule_count++] = rule;
}

static void parse_policy_on(void *owner, const struct statement *statement,
                            const struct policy_parser *parser)
{
    struct policy *policy = owner;

    parse_on(&policy->settings, statement, parser);
}

static const struct block_key policy_keys[] = {
    { "max-size", false, parse_policy_max_size },
    { "mode", false, parse_policy_mode },
    { "on", false, parse_policy_on },
    { "rule", true, parse_policy_rule },
    { "otherwise", false, parse_otherwise },
};

static void parse_policy_name(struct policy *policy, const struct statement *block,
                              const struct policy_parser *parser)
{
    const char *name = NULL;

    if (block->word_count == 2)
        name = block_keep_name(&block->words[1], "policy", parser);
    else
        block_report(parser, "config.name", block->words[0].at,
                     "a policy has one name: \"policy NAME { ... }\"");
    policy->name = name != NULL ? name : ""; /* the book is not made then */
}

void policy_parse(struct policy *policy, const struct statement *block,
                  const struct policy_parser *parser)
{
    *policy = (struct policy){ .at = block->words[0].at };
    parse_policy_name(policy, block, parser);
    block_read(block, policy_keys, sizeof policy_keys / sizeof policy_keys[0], "policy", policy,
               parser);
    if (!position_is_set(policy->otherwise_at))
        block_report(parser, "policy.no-otherwise", policy->at,
                     "policy \"%s\" does not say what becomes of mail that no rule decides; end it "
                     "with \"otherwise accept;\" or \"otherwise reject;\"",
                     policy->name);
}

/* ---- domain blocks ---- */

static void parse_domain_mode(void *owner, const struct statement *statement,
                              const struct policy_parser *parser)
{
    struct domain_block *domain = owner;

    (void)block_parse_mode(&domain->settings.mode, &domain->settings.mode_at, statement, parser);
}

static void parse_domain_max_size(void *owner, const struct statement *statement,
                                  const struct policy_parser *parser)
{
    struct domain_block *domain = owner;

    parse_max_size(&domain->settings, statement, parser);
}

static void parse_domain_on(void *owner, const struct statement *statement,
                            const struct policy_parser *parser)
{
    struct domain_block *domain = owner;

    parse_on(&domain->settings, statement, parser);
}

static void parse_domain_policy(void *owner, const struct statement *statement,
                                const struct policy_parser *parser)
{
    struct domain_block *domain = owner;
    const struct word *word;

    if (!block_set_once(&domain->policy_at, statement, parser))
        return;
    word = block_get_value(statement, "the name of a policy", parser);
    if (word != NULL)
        domain->policy_word = word;
}

static void parse_domain_backend(void *owner, const struct statement *statement,
                                 const struct policy_parser *parser)
{
    struct domain_block *domain = owner;
    const struct config *config = parser->config;
    const struct word *word;
    const char *known[MAX_KNOWN];
    size_t count = 0;

    if (!block_set_once(&domain->backend_at, statement, parser))
        return;
    word = block_get_value(statement, "the name of a backend", parser);
    if (word == NULL)
        return;
    domain->backend = config_find_backend(config, word->text);
    if (domain->backend != NULL)
        return;
    for (size_t i = 0; i < config->backend_count && count < MAX_KNOWN; i++)
        known[count++] = config->backends[i].name;
    block_report_unknown(parser->diagnostics, "config.unknown-name", word, "there is no backend",
                         known, count, "");
}

/* A block that only sets the mode is about the policy's rule of that name. */
static bool is_override(const struct statement *block)
{
    for (size_t i = 0; i < block->child_count; i++)
        if (!statement_has_word(&block->children[i], 0, "mode"))
            return false;
    return block->child_count > 0;
}

static void parse_override_mode(void *owner, const struct statement *statement,
                                const struct policy_parser *parser)
{
    struct rule_override *override = owner;

    (void)block_parse_mode(&override->mode, &override->mode_at, statement, parser);
}

static void parse_override(struct domain_block *domain, const struct statement *statement,
                           const struct policy_parser *parser)
{
    static const struct block_key keys[] = { { "mode", false, parse_override_mode } };
    struct rule_override override = { .at = statement->words[0].at };

    override.rule = rule_parse_name(statement, parser);
    block_read(statement, keys, 1, "rule", &override, parser);
    if (override.rule == NULL)
        return;
    for (size_t i = 0; i < domain->override_count; i++)
        if (slice_equals(slice_from(domain->overrides[i].rule), slice_from(override.rule))) {
            block_report(parser, "config.duplicate", override.at,
                         "the mode of rule \"%s\" is set on line %u already", override.rule,
                         domain->overrides[i].at.line);
            return;
        }
    domain->overrides = mem_grow(domain->overrides, domain->override_count,
                                 &domain->override_capacity, sizeof *domain->overrides);
    domain->overrides[domain->override_count++] = override;
}

static void parse_domain_rule(void *owner, const struct statement *statement,
                              const struct policy_parser *parser)
{
    struct domain_block *domain = owner;
    struct rule rule;

    if (is_override(statement))
        parse_override(domain, statement, parser);
    else if (rule_parse(&rule, statement, domain->names[0], parser))
        add_rule(&domain->rules, &domain->rule_count, &domain->rule_capacity, &rule, parser);
}

static const struct block_key domain_keys[] = {
    { "backend", false, parse_domain_backend },
    { "policy", false, parse_domain_policy },
    { "max-size", false, parse_domain_max_size },
    { "mode", false, parse_domain_mode },
    { "on", false, parse_domain_on },
    { "rule", true, parse_domain_rule },
};

/* One of the block's names in its one form; NULL after an error. */
static const char *parse_domain_name(const struct word *word, const struct policy_parser *parser)
{
    bool is_below = slice_has_prefix(word->text, SLICE("."));
    enum domain_problem problem;
    const char *kept = NULL;
    struct text name;

    if (slice_equals(word->text, SLICE("*")))
        return "*";
    if (slice_has_prefix(word->text, SLICE("*."))) {
        block_report(parser, "domain.bad-name", word->at,
                     "write \"%.*s\" for everything below that domain",
                     SLICE_ARGS(slice_from_offset(word->text, 1)));
        return NULL;
    }
    text_init(&name, DOMAIN_MAX_BYTES + 1);
    if (is_below)
        text_add_byte(&name, '.');
    problem = domain_normalise(slice_from_offset(word->text, is_below ? 1 : 0), &name);
    if (problem == DOMAIN_OK)
        kept = string_pool_keep(parser->pool, text_slice(&name));
    else
        block_report(parser, "domain.bad-name", word->at, "\"%.*s\" is no domain: it %s",
                     SLICE_ARGS(word->text), domain_problem_text(problem));
    text_clear(&name);
    return kept;
}

/* A comma may stand between two names. */
static bool is_separator(const struct statement *block, size_t index)
{
    return index > 1 && index + 1 < block->word_count && statement_has_word(block, index, ",") &&
           !statement_has_word(block, index - 1, ",");
}

static void parse_domain_names(struct domain_block *domain, const struct statement *block,
                               const struct policy_parser *parser)
{
    domain->names = mem_new_array(block->word_count, sizeof *domain->names);
    domain->name_positions = mem_new_array(block->word_count, sizeof *domain->name_positions);
    for (size_t i = 1; i < block->word_count; i++) {
        const char *name;

        if (is_separator(block, i))
            continue;
        name = parse_domain_name(&block->words[i], parser);
        if (name == NULL)
            continue;
        domain->names[domain->name_count] = name;
        domain->name_positions[domain->name_count++] = block->words[i].at;
    }
    if (block->word_count == 1)
        block_report(parser, "domain.bad-name", block->words[0].at,
                     "a domain block needs names: \"domain example.org { ... }\"");
    if (domain->name_count == 0)
        domain->names[0] = ""; /* reasons of its rules begin with it; the book is not made */
}

void domain_block_parse(struct domain_block *domain, const struct statement *block,
                        const struct policy_parser *parser)
{
    *domain = (struct domain_block){ .at = block->words[0].at };
    parse_domain_names(domain, block, parser);
    block_read(block, domain_keys, sizeof domain_keys / sizeof domain_keys[0], "domain", domain,
               parser);
    if (!position_is_set(domain->backend_at))
        block_report(parser, "domain.no-backend", domain->at,
                     "this domain has no backend, so its mail has nowhere to go; add \"backend "
                     "NAME;\"");
    if (!position_is_set(domain->policy_at))
        block_report(parser, "domain.no-policy", domain->at,
                     "this domain has no policy; add \"policy NAME;\"");
}
