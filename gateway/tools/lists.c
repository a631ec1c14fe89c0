/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program's own tables say, for scripts; see lists.h. */
#include "tools/lists.h"

#include <stdio.h>

#include "config/config.h"
#include "config/lint.h"
#include "evidence/vocabulary.h"
#include "policy/policy.h"
#include "policy/policy_lint.h"
#include "record/record.h"
#include "smtp/command.h"
#include "smtp/server_replies.h"

static void print_setting(void *owner, const struct setting_info *info)
{
    (void)owner;
    printf("%s\t%s\t%s\t%s\t%s\t%s\n", info->block, info->key, info->form,
           info->default_text != NULL ? info->default_text : "",
           info->is_required ? "required" : "", info->doc);
}

static void print_terms(void)
{
    for (size_t i = 0; i < vocabulary_count(); i++) {
        const struct vocabulary_term *term = vocabulary_at(i);

        if (term->id == TERM_UNAVAILABLE)
            printf("later\t%s\t%s\n", term->word, term->meaning);
        else
            printf("term\t%s\t%s\t%s\t%s\n", term->word, term->values, phase_name(term->phase),
                   term->meaning);
    }
    for (int action = 0; action < ACTION_COUNT; action++)
        printf("action\t%s\n", action_name((enum action)action));
}

static void print_lints(const struct lint_info *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s\t%s\n", table[i].id, table[i].why);
}

static void print_all_lints(void)
{
    const struct lint_info *table;
    size_t count;

    table = lint_get_table(&count);
    print_lints(table, count);
    table = policy_lint_get_table(&count);
    print_lints(table, count);
}

static void print_reason(const char *id, enum server_reply from)
{
    struct reply reply = server_reply_get(from);

    printf("%s\t%d\t%s\t%s\n", id, reply.code, reply.enhanced, server_reply_meaning(from));
}

/* The reply to other protocols has one row, and an id for each of them. */
static void print_reasons(void)
{
    for (int id = 0; id < REPLY_COUNT; id++) {
        struct reply reply = server_reply_get((enum server_reply)id);

        if (reply.reason[0] != '\0' && id != REPLY_FOREIGN_PROTOCOL)
            print_reason(reply.reason, (enum server_reply)id);
    }
    for (size_t i = 0; command_foreign_reason(i) != NULL; i++)
        print_reason(command_foreign_reason(i), REPLY_FOREIGN_PROTOCOL);
}

static void print_log_fields(void)
{
    const struct record_field_info *field;

    for (size_t i = 0; (field = record_field_get(i)) != NULL; i++)
        printf("%s\t%s\t%s\n", field->key, field->group, field->meaning);
}

void lists_print(unsigned int lists)
{
    if ((lists & LIST_SETTINGS) != 0)
        config_each_setting(print_setting, NULL);
    if ((lists & LIST_TERMS) != 0)
        print_terms();
    if ((lists & LIST_LINTS) != 0)
        print_all_lints();
    if ((lists & LIST_REASONS) != 0)
        print_reasons();
    if ((lists & LIST_LOG_FIELDS) != 0)
        print_log_fields();
}
