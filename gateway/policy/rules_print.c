/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules and terms as they stand in a policy file; see rules.h. */
#include "base/number.h"
#include "policy/rules.h"

const char *comparison_sign(enum comparison comparison)
{
    static const char *const signs[] = {
        [COMPARISON_OVER] = ">",
        [COMPARISON_AT_LEAST] = ">=",
        [COMPARISON_UNDER] = "<",
        [COMPARISON_AT_MOST] = "<=",
    };

    return signs[comparison];
}

static void print_quoted(struct text *out, const char *text)
{
    text_add_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            text_add_byte(out, '\\');
        text_add_byte(out, *text);
    }
    text_add_byte(out, '"');
}

static void value_print(struct text *out, const struct term_value *value)
{
    switch (value->form) {
    case VALUE_NETWORK:
        ip_prefix_print(out, &value->network);
        break;
    case VALUE_OWN_DOMAIN:
        text_add_string(out, "own-domain");
        break;
    case VALUE_LIST:
        text_add_format(out, "in %s", value->list->name);
        break;
    case VALUE_SIZE:
        text_add_format(out, "%s ", comparison_sign(value->comparison));
        number_print_size(out, value->number);
        break;
    case VALUE_NUMBER:
        text_add_format(out, "%s %llu", comparison_sign(value->comparison),
                        (unsigned long long)value->number);
        break;
    case VALUE_HEADER:
        print_quoted(out, value->text);
        break;
    case VALUE_LISTENER:
    case VALUE_KEYWORD:
    case VALUE_DOMAIN:
    case VALUE_LITERAL:
    case VALUE_ADDRESS:
        text_add_string(out, value->text);
        break;
    }
}

void term_print(struct text *out, const struct term *term)
{
    static const char *const tests[] = { " present", " absent", " contains" };

    text_add_string(out, term->word->word);
    if (term->word->id == TERM_HEADER)
        text_add_format(out, " %s%s", term->header_name, tests[term->header_test]);
    for (size_t i = 0; i < term->value_count; i++) {
        text_add_string(out, i == 0 ? " " : ", ");
        value_print(out, &term->values[i]);
    }
}

void rule_print_action(struct text *out, const struct rule *rule)
{
    text_add_string(out, action_name(rule->action));
    if (rule->action == ACTION_TAG)
        text_add_format(out, " %s", rule->tag.name);
    if (rule->action == ACTION_TAG && rule->tag.subject != NULL) {
        text_add_string(out, " subject ");
        print_quoted(out, rule->tag.subject);
    }
    if (rule->words != NULL) {
        text_add_byte(out, ' ');
        print_quoted(out, rule->words);
    }
    if (rule->tells_spf_explanation)
        text_add_string(out, " spf-explanation");
}
