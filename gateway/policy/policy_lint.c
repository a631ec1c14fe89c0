/* SPDX-License-Identifier: BSD-2-Clause */
/* Doubts about policies; see policy_lint.h. */
#include "policy/policy_lint.h"

#include "mail/domain.h"
#include "policy/policy_book_private.h"
#include "policy/rules.h"

static const struct lint_info lint_table[] = {
    { "lint.never-reached",
      "A rule behind one that decides everything is a mistake in the order." },
    { "lint.held-back",
      "A refusal that waits for a later rule costs the bytes of the message; this "
      "is a note and stands whatever is waived." },
    { "lint.shadow", "A rule, policy or domain left in shadow mode refuses nothing." },
    { "lint.subject-tag",
      "A changed subject breaks the author's DKIM signature for all behind us." },
    { "lint.own-domain-open", "Mail in a domain's own name is believed most, and forged most." },
    { "lint.open-suffix", "Under names such as .co.uk strangers have their domains, and mail for "
                          "strangers is what an open relay takes." },
    { "lint.no-postmaster", "Whoever's mail is refused writes to postmaster, and RFC 5321 wants it "
                            "taken." },
    { "lint.policy-unused", "A policy that no domain names is often a misspelt name." },
    { "lint.no-domain", "A gateway without domains and relays refuses every recipient." },
};

const struct lint_info *policy_lint_get_table(size_t *count)
{
    *count = sizeof lint_table / sizeof lint_table[0];
    return lint_table;
}

/* A policy that many domains share is looked at often and complained of once. */
static bool was_reported(const struct diagnostics *diagnostics, const char *id, struct position at)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];

        if (item->at.line == at.line && item->at.column == at.column &&
            slice_equals(slice_from(item->at.path), slice_from(at.path)) &&
            slice_equals(slice_from(item->id), slice_from(id)))
            return true;
    }
    return false;
}

/* ---- the order of rules ---- */

/* Every mail that comes to `rule` would have met `earlier`, which decides. */
static bool takes_all_of(const struct rule *earlier, const struct rule *rule)
{
    if (!rule_can_decide(earlier) || earlier->exception_count > 0)
        return false;
    for (size_t i = 0; i < earlier->term_count; i++) {
        size_t j = 0;

        if (term_is_always_true(&earlier->terms[i]))
            continue;
        while (j < rule->term_count && !term_covers(&earlier->terms[i], &rule->terms[j]))
            j++;
        if (j == rule->term_count)
            return false;
    }
    return true;
}

/* A domain's rules are first asked at RCPT, so what is known before makes nobody wait. */
static enum phase phase_of_use(const struct rule *rule)
{
    return rule->phase > PHASE_RCPT ? rule->phase : PHASE_RCPT;
}

const struct rule *policy_find_holding_rule(const struct rule *rules, size_t index)
{
    const struct rule *holding = NULL;
    enum phase phase = phase_of_use(&rules[index]);

    for (size_t i = 0; i < index; i++)
        if (rule_can_decide(&rules[i]) && phase_of_use(&rules[i]) > phase) {
            holding = &rules[i];
            phase = holding->phase;
        }
    return holding;
}

static void lint_reach(const struct rule *rules, size_t index, struct diagnostics *diagnostics)
{
    const struct rule *rule = &rules[index];

    if (rule->term_count == 0 || was_reported(diagnostics, "lint.never-reached", rule->at))
        return; /* otherwise has to be there, reached or not */
    for (size_t i = 0; i < index; i++)
        if (takes_all_of(&rules[i], rule)) {
            diagnostics_add(diagnostics, SEVERITY_WARNING, "lint.never-reached", rule->at,
                            "no mail comes to \"%s\": \"%s\" on line %u decides all of it before",
                            rule->name, rules[i].name, rules[i].at.line);
            return;
        }
}

static void lint_order(const struct rule *rules, size_t index, struct diagnostics *diagnostics)
{
    const struct rule *rule = &rules[index];
    const struct rule *holding = policy_find_holding_rule(rules, index);

    if (holding == NULL || rule->term_count == 0 || !rule_can_decide(rule) ||
        (rule->action != ACTION_REJECT && rule->action != ACTION_TEMPFAIL) ||
        was_reported(diagnostics, "lint.held-back", rule->at))
        return;
    diagnostics_add(
        diagnostics, SEVERITY_NOTE, "lint.held-back", rule->at,
        "\"%s\" could refuse at %s, but waits until %s for \"%s\" before it; put it first if "
        "the order does not matter",
        rule->name, phase_name(phase_of_use(rule)), phase_name(holding->phase), holding->name);
}

static void lint_subject(const struct rule *rule, struct diagnostics *diagnostics)
{
    if (rule->action == ACTION_TAG && rule->tag.subject != NULL &&
        !was_reported(diagnostics, "lint.subject-tag", rule->at))
        diagnostics_add(diagnostics, SEVERITY_WARNING, "lint.subject-tag", rule->at,
                        "\"%s\" changes the subject, which breaks the author's DKIM signature for "
                        "whoever checks or forwards the mail behind us; the field X-Postern-Tag "
                        "does not",
                        rule->name);
}

static void lint_rules(const struct rule *rules, size_t count, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < count; i++) {
        lint_subject(&rules[i], diagnostics);
        lint_reach(rules, i, diagnostics);
        lint_order(rules, i, diagnostics);
    }
}

/* ---- shadow ---- */

static void lint_mode(enum mode mode, struct position at, const char *what, const char *name,
                      struct diagnostics *diagnostics)
{
    if (mode == MODE_SHADOW && position_is_set(at) && !was_reported(diagnostics, "lint.shadow", at))
        diagnostics_add(
            diagnostics, SEVERITY_WARNING, "lint.shadow", at,
            "%s \"%s\" is in shadow: it only logs what it would do; take this line away "
            "once the log shows nothing that should have passed",
            what, name);
}

static void lint_rule_modes(const struct rule *rules, size_t count, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < count; i++)
        lint_mode(rules[i].mode, rules[i].mode_at, "rule", rules[i].name, diagnostics);
}

/* ---- own domains ---- */

static bool is_about_own_domain(const struct term *term)
{
    if (term->word->id != TERM_SENDER_DOMAIN && term->word->id != TERM_HEADER_FROM)
        return false;
    for (size_t i = 0; i < term->value_count; i++)
        if (term->values[i].form == VALUE_OWN_DOMAIN)
            return true;
    return false;
}

static bool guards_own_domain(const struct rule *rule)
{
    if (!rule_can_decide(rule) || rule->action == ACTION_ACCEPT)
        return false;
    for (size_t i = 0; i < rule->term_count; i++)
        if (is_about_own_domain(&rule->terms[i]))
            return true;
    return false;
}

static void lint_own_domain(const struct effective_policy *effective,
                            struct diagnostics *diagnostics)
{
    if (effective->mode == MODE_SHADOW)
        return;
    for (size_t i = 0; i < effective->rule_count; i++)
        if (guards_own_domain(&effective->rules[i]))
            return;
    diagnostics_add(
        diagnostics, SEVERITY_WARNING, "lint.own-domain-open", effective->at,
        "anybody may send mail to \"%s\" in its own name; let a rule on \"sender-domain "
        "own-domain\" or \"header-from own-domain\" refuse it",
        effective->domain);
}

/* ---- domains of strangers ---- */

/* What registries of countries put in front of their two letters, to sell names below it. */
static bool is_generic_label(struct slice label)
{
    static const char *const labels[] = {
        "ac",   "asn",  "co",  "com", "ed",  "edu", "firm", "gen", "go",  "gob",
        "gouv", "gov",  "govt", "gv", "id",  "ind", "info", "ltd", "me",  "mil",
        "ne",   "net",  "nic", "nom", "or",  "org", "plc",  "sch", "school", "web",
    };

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (slice_equals(label, slice_from(labels[i])))
            return true;
    return false;
}

/*
 * ".co.uk" and its like. Nothing in such a name tells it from one that a company has registered,
 * and a list of all that there are would be out of date here; so these few forms get a warning,
 * while "*" and ".com", which can be nobody's, are errors of the book.
 */
static bool looks_like_suffix(struct slice name)
{
    struct slice country;
    size_t dot;

    if (!slice_has_prefix(name, SLICE(".")))
        return false;
    name = slice_from_offset(name, 1);
    if (!slice_find_byte(name, '.', &dot))
        return false;
    country = slice_from_offset(name, dot + 1);
    return country.length == 2 && is_generic_label(slice_until(name, dot));
}

static void lint_suffixes(const struct domain_block *domain, struct diagnostics *diagnostics)
{
    if (domain->backend->recipients == RECIPIENTS_FILE)
        return;
    for (size_t i = 0; i < domain->name_count; i++)
        if (looks_like_suffix(slice_from(domain->names[i])))
            diagnostics_add(
                diagnostics, SEVERITY_WARNING, "lint.open-suffix", domain->name_positions[i],
                "strangers seem to have their domains below \"%s\", so that taking mail for all of "
                "them is an open relay; name your own, or give backend \"%s\" its recipients in a "
                "file",
                domain->names[i], domain->backend->name);
}

/* ---- postmaster ---- */

/* Of names that stand for many domains nobody knows here which of these there are. */
static bool lacks_postmaster(const struct domain_block *domain, const char *name)
{
    struct text address;
    bool is_missing;

    if (name[0] == '.' || name[0] == '*')
        return false;
    text_init(&address, sizeof "postmaster@" + DOMAIN_MAX_BYTES);
    text_add_format(&address, "postmaster@%s", name);
    is_missing = !config_backend_has_recipient(domain->backend, text_slice(&address));
    text_clear(&address);
    return is_missing;
}

static void lint_postmaster(const struct domain_block *domain, struct diagnostics *diagnostics)
{
    if (domain->backend->recipients != RECIPIENTS_FILE)
        return;
    for (size_t i = 0; i < domain->name_count; i++)
        if (lacks_postmaster(domain, domain->names[i]))
            diagnostics_add(
                diagnostics, SEVERITY_WARNING, "lint.no-postmaster", domain->name_positions[i],
                "mail to postmaster@%s is refused, since the recipients of backend \"%s\" do not "
                "have it; RFC 5321 wants it taken, and whoever is refused writes to it, so add it "
                "to \"%s\"",
                domain->names[i], domain->backend->name, domain->backend->recipients_path);
}

/* ---- the whole ---- */

static void lint_policy(const struct policy *policy, struct diagnostics *diagnostics)
{
    if (!policy->is_used) {
        diagnostics_add(diagnostics, SEVERITY_WARNING, "lint.policy-unused", policy->at,
                        "no domain and no relay uses policy \"%s\"", policy->name);
        return;
    }
    lint_mode(policy->settings.mode, policy->settings.mode_at, "policy", policy->name, diagnostics);
    lint_rule_modes(policy->rules, policy->rule_count, diagnostics);
    lint_rules(policy->rules, policy->rule_count, diagnostics);
}

static void lint_domain(const struct domain_block *domain, const struct effective_policy *effective,
                        struct diagnostics *diagnostics)
{
    lint_mode(domain->settings.mode, domain->settings.mode_at, "domain", effective->domain,
              diagnostics);
    lint_own_domain(effective, diagnostics);
    lint_suffixes(domain, diagnostics);
    lint_postmaster(domain, diagnostics);
    if (domain->rule_count == 0 && domain->override_count == 0)
        return;
    lint_rule_modes(effective->rules, effective->rule_count, diagnostics);
    lint_rules(effective->rules, effective->rule_count, diagnostics);
}

void policy_book_lint(const struct policy_book *book, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < book->policy_count; i++)
        lint_policy(&book->policies[i], diagnostics);
    for (size_t i = 0; i < book->domain_count; i++)
        lint_domain(&book->domains[i], &book->effectives[i], diagnostics);
    if (book->effective_count == 0)
        diagnostics_add(diagnostics, SEVERITY_WARNING, "lint.no-domain",
                        (struct position){ .path = book->config->path },
                        "there is no domain block and no relay block, so no mail is taken");
}
