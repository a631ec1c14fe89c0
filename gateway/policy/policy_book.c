/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The book: reads all policy and domain blocks, puts the two levels together for
 * each domain and relay, and looks them up; see policy_book.h.
 */
#include "policy/policy_book_private.h"

#include "base/memory.h"
#include "policy/parser.h"
#include "policy/rules.h"

#define MAX_KNOWN 256 /* names offered as suggestions */

/* ---- reading the blocks ---- */

static bool is_block(const struct statement *statement, const char *kind,
                     const struct policy_parser *parser)
{
    if (!statement_has_word(statement, 0, kind))
        return false;
    if (statement->has_block)
        return true;
    block_report(parser, "config.block", statement->words[0].at,
                 "%s needs a block: \"%s NAME { ... }\"", kind, kind);
    return false;
}

static struct policy *find_policy(const struct policy_book *book, struct slice name)
{
    for (size_t i = 0; i < book->policy_count; i++)
        if (slice_equals(name, slice_from(book->policies[i].name)))
            return &book->policies[i];
    return NULL;
}

static void add_policy(struct policy_book *book, const struct statement *block,
                       const struct policy_parser *parser)
{
    struct policy policy;
    const struct policy *same;

    policy_parse(&policy, block, parser);
    same = find_policy(book, slice_from(policy.name));
    if (same != NULL && policy.name[0] != '\0')
        block_report(parser, "config.duplicate", policy.at,
                     "there is a policy \"%s\" already, on line %u of %s", policy.name,
                     same->at.line, same->at.path);
    book->policies = mem_grow(book->policies, book->policy_count, &book->policy_capacity,
                              sizeof *book->policies);
    book->policies[book->policy_count++] = policy;
}

static void add_domain(struct policy_book *book, const struct statement *block,
                       const struct policy_parser *parser)
{
    book->domains =
        mem_grow(book->domains, book->domain_count, &book->domain_capacity, sizeof *book->domains);
    domain_block_parse(&book->domains[book->domain_count++], block, parser);
}

static void read_blocks(struct policy_book *book, const struct policy_parser *parser)
{
    const struct syntax_tree *tree = &parser->config->tree;

    for (size_t i = 0; i < tree->statement_count; i++)
        if (is_block(&tree->statements[i], "policy", parser))
            add_policy(book, &tree->statements[i], parser);
        else if (is_block(&tree->statements[i], "domain", parser))
            add_domain(book, &tree->statements[i], parser);
}

/* ---- two levels into one ---- */

/* `mode shadow;` outside all blocks. */
static struct position find_gateway_mode(const struct config *config)
{
    for (size_t i = 0; i < config->tree.statement_count; i++)
        if (statement_has_word(&config->tree.statements[i], 0, "mode"))
            return config->tree.statements[i].words[0].at;
    return (struct position){ .path = config->path };
}

static void merge_settings(struct effective_policy *effective, const struct config *config,
                           const struct policy_settings *settings)
{
    if (position_is_set(settings->max_size_at)) {
        effective->max_size_bytes = settings->max_size_bytes;
        effective->max_size_at = settings->max_size_at;
    }
    if (position_is_set(settings->on_temperror_at)) {
        effective->on_temperror = settings->on_temperror;
        effective->on_temperror_at = settings->on_temperror_at;
    }
    if (position_is_set(settings->mode_at) && config->mode == MODE_ENFORCE) {
        effective->mode = settings->mode;
        effective->mode_at = settings->mode_at;
    }
}

static bool has_own_domain_value(const struct term *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < terms[i].value_count; j++)
            if (terms[i].values[j].form == VALUE_OWN_DOMAIN)
                return true;
    return false;
}

/* Of "*" the own domain is the recipient's, so a rule on it differs from recipient to recipient. */
static void note_own_domains(struct effective_policy *effective)
{
    bool is_any = false;

    for (size_t i = 0; i < effective->own_domain_count; i++)
        is_any = is_any || slice_equals(slice_from(effective->own_domains[i]), SLICE("*"));
    for (size_t i = 0; i < effective->rule_count && is_any; i++) {
        struct rule *rule = &effective->rules[i];

        if (has_own_domain_value(rule->terms, rule->term_count) ||
            has_own_domain_value(rule->exceptions, rule->exception_count))
            rule->has_recipient_term = true;
    }
}

static void copy_rules(struct effective_policy *effective, const struct policy *policy,
                       const struct domain_block *domain)
{
    size_t own = domain != NULL ? domain->rule_count : 0;

    effective->rules = mem_new_array(own + policy->rule_count, sizeof *effective->rules);
    for (size_t i = 0; i < own; i++)
        effective->rules[effective->rule_count++] = domain->rules[i];
    for (size_t i = 0; i < policy->rule_count; i++)
        effective->rules[effective->rule_count++] = policy->rules[i];
}

static void note_checks(struct effective_policy *effective)
{
    for (size_t i = 0; i < effective->rule_count; i++)
        effective->checks |= effective->rules[i].checks;
}

static void apply_override(struct effective_policy *effective, const struct policy *policy,
                           const struct rule_override *override, const struct policy_parser *parser)
{
    size_t first = effective->rule_count - policy->rule_count; /* behind the domain's own */

    for (size_t i = first; i < effective->rule_count; i++)
        if (slice_equals(slice_from(effective->rules[i].name), slice_from(override->rule))) {
            effective->rules[i].mode = override->mode;
            effective->rules[i].mode_at = override->mode_at;
            return;
        }
    block_report(parser, "config.unknown-name", override->at,
                 "policy \"%s\" has no rule \"%s\" whose mode could be set; a rule of the domain "
                 "itself needs \"when\" and \"then\"",
                 policy->name, override->rule);
}

/* A domain's rule comes before the policy's, never in the place of one. */
static void refuse_same_names(const struct policy *policy, const struct domain_block *domain,
                              const struct policy_parser *parser)
{
    for (size_t i = 0; i < domain->rule_count; i++) {
        const struct rule *rule = &domain->rules[i];
        const struct rule *same = policy_find_rule(policy, slice_from(rule->name));

        if (same != NULL)
            block_report(parser, "config.duplicate", rule->at,
                         "policy \"%s\" has a rule \"%s\" too (line %u of %s), and both would be "
                         "walked; take another name, or only set its mode here",
                         policy->name, rule->name, same->at.line, same->at.path);
    }
}

static void count_tags(const struct effective_policy *effective, const struct policy_parser *parser)
{
    const char *tags[POLICY_MAX_TAGS];
    size_t count = 0;

    for (size_t i = 0; i < effective->rule_count; i++) {
        const struct rule *rule = &effective->rules[i];
        size_t j = 0;

        if (rule->action != ACTION_TAG)
            continue;
        while (j < count && !slice_equals(slice_from(tags[j]), slice_from(rule->tag.name)))
            j++;
        if (j == POLICY_MAX_TAGS) {
            block_report(parser, "config.too-many", rule->at,
                         "a mail gets at most %d different tags, and \"%s\" is one more",
                         POLICY_MAX_TAGS, rule->tag.name);
            return;
        }
        if (j == count)
            tags[count++] = rule->tag.name;
    }
}

/* Held mail has to lie somewhere, and its owner has to say where. Shadow holds nothing. */
static void check_quarantine(const struct effective_policy *effective,
                             const struct policy_parser *parser)
{
    if (parser->config->quarantine.is_set || effective->mode == MODE_SHADOW)
        return;
    if (effective->on_temperror == TEMPERROR_QUARANTINE)
        block_report(parser, "quarantine.missing", effective->on_temperror_at,
                     "this holds mail, and there is no quarantine block that says where; write: "
                     "quarantine { folder /var/lib/postern/quarantine; }");
    for (size_t i = 0; i < effective->rule_count; i++) {
        const struct rule *rule = &effective->rules[i];

        if (rule->action != ACTION_QUARANTINE || rule->mode == MODE_SHADOW)
            continue;
        block_report(parser, "quarantine.missing", effective->policy_at,
                     "\"%s\" on line %u of %s holds mail, and there is no quarantine block that "
                     "says where; write: quarantine { folder /var/lib/postern/quarantine; }",
                     rule->name, rule->at.line, rule->at.path);
        return;
    }
}

/* `domain` is NULL for a relay. */
static void merge(struct effective_policy *effective, struct policy *policy,
                  const struct domain_block *domain, const struct policy_parser *parser)
{
    const struct config *config = parser->config;

    effective->policy = policy->name;
    effective->max_size_bytes = POLICY_DEFAULT_MAX_SIZE_BYTES;
    effective->mode = config->mode;
    if (config->mode == MODE_SHADOW)
        effective->mode_at = find_gateway_mode(config);
    merge_settings(effective, config, &policy->settings);
    copy_rules(effective, policy, domain);
    policy->is_used = true;
    if (domain != NULL) {
        merge_settings(effective, config, &domain->settings);
        refuse_same_names(policy, domain, parser);
        for (size_t i = 0; i < domain->override_count; i++)
            apply_override(effective, policy, &domain->overrides[i], parser);
    }
    note_own_domains(effective);
    note_checks(effective);
    count_tags(effective, parser);
    check_quarantine(effective, parser);
}

static struct policy *get_policy(const struct policy_book *book, const struct word *word,
                                 const struct policy_parser *parser)
{
    struct policy *policy = find_policy(book, word->text);
    const char *known[MAX_KNOWN];
    size_t count = 0;

    if (policy != NULL)
        return policy;
    for (size_t i = 0; i < book->policy_count && count < MAX_KNOWN; i++)
        known[count++] = book->policies[i].name;
    block_report_unknown(parser->diagnostics, "config.unknown-name", word, "there is no policy",
                         known, count, "");
    return NULL;
}

/* ---- domains ---- */

static void add_names(struct policy_book *book, const struct domain_block *domain,
                      struct effective_policy *effective, const struct policy_parser *parser)
{
    for (size_t i = 0; i < domain->name_count; i++) {
        struct slice name = slice_from(domain->names[i]);
        const struct effective_policy *same = map_find(&book->names, name);

        if (same != NULL)
            block_report(parser, "domain.duplicate", domain->name_positions[i],
                         "\"%s\" is named already in the domain block on line %u of %s",
                         domain->names[i], same->at.line, same->at.path);
        else
            map_set(&book->names, name, effective);
    }
}

/* Names that nobody can register, below which a private network may put what it likes. */
static bool is_private_suffix(struct slice label)
{
    static const char *const labels[] = { "corp",      "example", "home",        "internal",
                                          "intranet",  "invalid", "lan",         "local",
                                          "localhost", "private", "localdomain", "test",
                                          "onion" };

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (slice_equals(label, slice_from(labels[i])))
            return true;
    return false;
}

/* "*", or everything below a top-level domain: names of strangers. */
static bool is_open_name(struct slice name)
{
    size_t dot;

    if (slice_equals(name, SLICE("*")))
        return true;
    if (!slice_has_prefix(name, SLICE(".")))
        return false;
    name = slice_from_offset(name, 1);
    return !slice_find_byte(name, '.', &dot) && !is_private_suffix(name);
}

/*
 * Everybody's domain is a recipient's domain then, and the only thing that keeps this from being an
 * open relay is a list of the recipients there are.
 */
static void refuse_open_domain(const struct domain_block *domain,
                               const struct policy_parser *parser)
{
    if (domain->backend == NULL || domain->backend->recipients == RECIPIENTS_FILE)
        return;
    for (size_t i = 0; i < domain->name_count; i++)
        if (is_open_name(slice_from(domain->names[i])))
            block_report(parser, "relay.open-domain", domain->name_positions[i],
                         "\"%s\" takes mail for domains of strangers, which is an open relay; name "
                         "your domains, or give backend \"%s\" its recipients in a file",
                         domain->names[i], domain->backend->name);
}

static void merge_domain(struct policy_book *book, size_t index, const struct policy_parser *parser)
{
    const struct domain_block *domain = &book->domains[index];
    struct effective_policy *effective = &book->effectives[index];
    struct policy *policy;

    *effective = (struct effective_policy){
        .policy = "",
        .domain = domain->names[0],
        .at = domain->at,
        .policy_at = domain->policy_at,
        .backend = domain->backend,
        .backend_at = domain->backend_at,
        .own_domains = domain->names,
        .own_domain_count = domain->name_count,
    };
    add_names(book, domain, effective, parser);
    refuse_open_domain(domain, parser);
    if (domain->policy_word == NULL)
        return;
    policy = get_policy(book, domain->policy_word, parser);
    if (policy != NULL)
        merge(effective, policy, domain, parser);
}

/* ---- relays ---- */

/* All that is ours, for the rules of a relay: "*" names nothing. */
static void collect_names(struct policy_book *book)
{
    size_t count = 0;

    for (size_t i = 0; i < book->domain_count; i++)
        count += book->domains[i].name_count;
    book->all_names = mem_new_array(count + 1, sizeof *book->all_names);
    for (size_t i = 0; i < book->domain_count; i++)
        for (size_t j = 0; j < book->domains[i].name_count; j++)
            if (!slice_equals(slice_from(book->domains[i].names[j]), SLICE("*")))
                book->all_names[book->all_name_count++] = book->domains[i].names[j];
}

static void merge_relay(struct policy_book *book, size_t index, const struct policy_parser *parser)
{
    const struct config_relay *relay = &parser->config->relays[index];
    struct effective_policy *effective = &book->effectives[book->domain_count + index];
    struct word name = { .text = slice_from(relay->policy), .at = relay->at };
    struct policy *policy;

    *effective = (struct effective_policy){
        .policy = "",
        .domain = "",
        .at = relay->at,
        .policy_at = config_find_place(parser->config, relay->at, "policy"),
        .backend = relay->backend,
        .backend_at = config_find_place(parser->config, relay->at, "backend"),
        .own_domains = book->all_names,
        .own_domain_count = book->all_name_count,
    };
    policy = get_policy(book, &name, parser);
    if (policy != NULL)
        merge(effective, policy, NULL, parser);
}

/* ---- life ---- */

static void number_terms(struct term *terms, size_t term_count, size_t *count)
{
    for (size_t i = 0; i < term_count; i++)
        if (term_is_about_header(&terms[i]))
            terms[i].memo = ++*count;
}

static void number_rules(struct rule *rules, size_t rule_count, size_t *count)
{
    for (size_t i = 0; i < rule_count; i++) {
        number_terms(rules[i].terms, rules[i].term_count, count);
        number_terms(rules[i].exceptions, rules[i].exception_count, count);
    }
}

/* A place in facts.memo for each term that can have one. */
static void number_book(struct policy_book *book)
{
    size_t count = 0;

    for (size_t i = 0; i < book->policy_count; i++)
        number_rules(book->policies[i].rules, book->policies[i].rule_count, &count);
    for (size_t i = 0; i < book->domain_count; i++)
        number_rules(book->domains[i].rules, book->domains[i].rule_count, &count);
    for (size_t i = 0; i < book->effective_count; i++)
        book->effectives[i].memo_count = count;
}

struct policy_book *policy_book_new(const struct config *config, struct diagnostics *diagnostics)
{
    struct policy_book *book = mem_new(sizeof *book);
    struct policy_parser parser = { config, diagnostics, &book->pool };

    book->config = config;
    map_init(&book->names);
    read_blocks(book, &parser);
    collect_names(book);
    book->effective_count = book->domain_count + config->relay_count;
    book->effectives = mem_new_array(book->effective_count + 1, sizeof *book->effectives);
    for (size_t i = 0; i < book->domain_count; i++)
        merge_domain(book, i, &parser);
    for (size_t i = 0; i < config->relay_count; i++)
        merge_relay(book, i, &parser);
    number_book(book);
    if (diagnostics->error_count > 0)
        policy_book_free(&book);
    return book;
}

void policy_book_free(struct policy_book **book)
{
    struct policy_book *old = *book;

    *book = NULL;
    if (old == NULL)
        return;
    for (size_t i = 0; i < old->effective_count; i++)
        mem_free(old->effectives[i].rules);
    for (size_t i = 0; i < old->policy_count; i++)
        policy_clear(&old->policies[i]);
    for (size_t i = 0; i < old->domain_count; i++)
        domain_block_clear(&old->domains[i]);
    map_clear(&old->names);
    mem_free(old->effectives);
    mem_free(old->policies);
    mem_free(old->domains);
    mem_free(old->all_names);
    string_pool_clear(&old->pool);
    mem_free(old);
}

/* ---- looking up ---- */

const struct effective_policy *policy_book_find_domain(const struct policy_book *book,
                                                       struct slice domain)
{
    const struct effective_policy *found;
    size_t dot;

    if (domain.length == 0 || domain.data[0] == '[')
        return NULL;
    found = map_find(&book->names, domain);
    while (found == NULL && slice_find_byte(domain, '.', &dot)) {
        domain = slice_from_offset(domain, dot);
        found = map_find(&book->names, domain);
        domain = slice_from_offset(domain, 1);
    }
    return found != NULL ? found : map_find(&book->names, SLICE("*"));
}

const struct effective_policy *policy_book_get_relay(const struct policy_book *book,
                                                     const struct config_relay *relay)
{
    size_t index = (size_t)(relay - book->config->relays);

    return &book->effectives[book->domain_count + index];
}

const struct effective_policy *policy_book_at(const struct policy_book *book, size_t index)
{
    return index < book->effective_count ? &book->effectives[index] : NULL;
}

uint64_t policy_book_largest_size(const struct policy_book *book)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < book->effective_count; i++) {
        uint64_t size = book->effectives[i].max_size_bytes;

        if (size == 0)
            return 0;
        if (size > largest)
            largest = size;
    }
    return largest;
}

bool policy_book_reaches(const struct policy_book *book, const struct config_backend *backend)
{
    for (size_t i = 0; i < book->effective_count; i++)
        if (book->effectives[i].backend == backend)
            return true;
    return false;
}
