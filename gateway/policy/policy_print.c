/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A book as people read it: what is in force for a domain and where each part of
 * it was written (`postern effective`), and when each rule can be decided
 * (`postern check`).
 */
#include <stdarg.h>

#include "base/number.h"
#include "policy/policy_book_private.h"
#include "policy/policy_lint.h"
#include "policy/rules.h"

#define ORIGIN_COLUMN 56

/* One line, with where it comes from as a comment behind it. Line 0: from no file. */
static void print_line(struct text *out, struct position at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void print_line(struct text *out, struct position at, const char *format, ...)
{
    size_t start = out->length;
    va_list arguments;

    va_start(arguments, format);
    text_add_format_list(out, format, arguments);
    va_end(arguments);
    do
        text_add_byte(out, ' ');
    while (out->length - start < ORIGIN_COLUMN && !out->is_cut);
    if (position_is_set(at))
        text_add_format(out, "# %s:%u\n", at.path, at.line);
    else
        text_add_string(out, "# built in\n");
}

/* ---- postern effective ---- */

static const char *relay_name(const struct policy_book *book,
                              const struct effective_policy *effective)
{
    return book->config->relays[effective - book->effectives - (ptrdiff_t)book->domain_count].name;
}

/* "domain example.org .example.org", "relay printers" */
static void print_owner(const struct policy_book *book, const struct effective_policy *effective,
                        struct text *out)
{
    if (effective->domain[0] == '\0') {
        text_add_format(out, "relay %s", relay_name(book, effective));
        return;
    }
    text_add_string(out, "domain");
    for (size_t i = 0; i < effective->own_domain_count; i++)
        text_add_format(out, " %s", effective->own_domains[i]);
}

static void print_terms(struct text *out, const struct rule *rule)
{
    text_add_string(out, "        when ");
    for (size_t i = 0; i < rule->term_count; i++) {
        if (i > 0)
            text_add_string(out, " and ");
        term_print(out, &rule->terms[i]);
    }
    text_add_string(out, ";\n");
    for (size_t i = 0; i < rule->exception_count; i++) {
        text_add_string(out, "        except ");
        term_print(out, &rule->exceptions[i]);
        text_add_string(out, ";\n");
    }
}

static void print_rule(struct text *out, const struct rule *rule)
{
    struct text action;

    text_init(&action, 2 * POLICY_MAX_WORDS_BYTES + POLICY_MAX_NAME_BYTES);
    rule_print_action(&action, rule);
    if (rule->term_count == 0) {
        print_line(out, rule->at, "    otherwise %s;", text_string(&action));
    } else {
        print_line(out, rule->at, "    rule %s {", rule->name);
        if (position_is_set(rule->mode_at))
            print_line(out, rule->mode_at, "        mode %s;", mode_name(rule->mode));
        print_terms(out, rule);
        text_add_format(out, "        then %s;\n    }\n", text_string(&action));
    }
    text_clear(&action);
}

void policy_book_print_effective(const struct policy_book *book,
                                 const struct effective_policy *effective, struct text *out)
{
    struct text part;

    text_init(&part, TEXT_MAX_LENGTH);
    print_owner(book, effective, &part);
    print_line(out, effective->at, "%s {", text_string(&part));
    print_line(out, effective->backend_at, "    backend %s;", effective->backend->name);
    print_line(out, effective->policy_at, "    policy %s;", effective->policy);
    print_line(out, effective->mode_at, "    mode %s;", mode_name(effective->mode));
    text_reset(&part);
    if (effective->max_size_bytes == 0)
        text_add_string(&part, "none");
    else
        number_print_size(&part, effective->max_size_bytes);
    print_line(out, effective->max_size_at, "    max-size %s;", text_string(&part));
    if (effective->checks != 0 || position_is_set(effective->on_temperror_at))
        print_line(out, effective->on_temperror_at, "    on dns-temperror %s;",
                   temperror_action_name(effective->on_temperror));
    for (size_t i = 0; i < effective->rule_count; i++)
        print_rule(out, &effective->rules[i]);
    text_add_string(out, "}\n");
    text_clear(&part);
}

/* ---- postern check ---- */

/* The phase from which a rule is known; `otherwise` is when all before it that can decide are. */
static enum phase phase_of(const struct rule *rules, size_t index)
{
    enum phase phase = rules[index].phase;

    for (size_t i = 0; i < index && rules[index].term_count == 0; i++)
        if (rule_can_decide(&rules[i]) && rules[i].phase > phase)
            phase = rules[i].phase;
    return phase;
}

static void print_phase_line(struct text *out, const struct rule *rules, size_t index)
{
    const struct rule *rule = &rules[index];
    const struct rule *holding = policy_find_holding_rule(rules, index);

    text_add_format(out, "    %-24s %-8s %s", rule->name, phase_name(phase_of(rules, index)),
                    action_name(rule->action));
    if (rule->action == ACTION_TAG)
        text_add_format(out, " %s", rule->tag.name);
    if (rule->mode == MODE_SHADOW)
        text_add_string(out, ", in shadow");
    if (holding != NULL && rule->term_count > 0)
        text_add_format(out, ", held back until %s by %s", phase_name(holding->phase),
                        holding->name);
    text_add_byte(out, '\n');
}

/* A domain that has no rules and rule modes of its own shares its policy's table. */
static bool is_plain(const struct policy_book *book, size_t index)
{
    return index >= book->domain_count ||
           (book->domains[index].rule_count == 0 && book->domains[index].override_count == 0);
}

static bool same_table(const struct policy_book *book, size_t a, size_t b)
{
    return is_plain(book, a) && is_plain(book, b) &&
           slice_equals(slice_from(book->effectives[a].policy),
                        slice_from(book->effectives[b].policy));
}

static void print_owners(const struct policy_book *book, size_t index, struct text *out)
{
    text_add_format(out, "policy %s, for ", book->effectives[index].policy);
    print_owner(book, &book->effectives[index], out);
    for (size_t i = index + 1; i < book->effective_count; i++)
        if (same_table(book, index, i)) {
            text_add_string(out, ", ");
            print_owner(book, &book->effectives[i], out);
        }
    text_add_byte(out, '\n');
}

void policy_book_print_phases(const struct policy_book *book, struct text *out)
{
    for (size_t i = 0; i < book->effective_count; i++) {
        const struct effective_policy *effective = &book->effectives[i];
        size_t first = 0;

        while (first < i && !same_table(book, first, i))
            first++;
        if (first < i)
            continue;
        print_owners(book, i, out);
        for (size_t j = 0; j < effective->rule_count; j++)
            print_phase_line(out, effective->rules, j);
    }
}
