/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern effective: what is in force for one domain, and which line of which
 * file each part of it came from. It needs the configuration alone: no keys, no
 * certificates, so whoever may read the policies may ask.
 */
#include <stdio.h>

#include "mail/domain.h"
#include "policy/policy_book.h"
#include "tools/configuration.h"
#include "tools/output.h"
#include "tools/subcommand.h"

struct effective_values {
    const char *path;
};

static void print_effective(const struct policy_book *book,
                            const struct effective_policy *effective)
{
    struct text out;

    text_init(&out, TEXT_MAX_LENGTH);
    policy_book_print_effective(book, effective, &out);
    fputs(text_string(&out), stdout);
    text_clear(&out);
}

static enum tool_exit look_up(const struct policy_book *book, const char *name)
{
    const struct effective_policy *effective;
    enum domain_problem problem;
    struct text domain;

    text_init(&domain, DOMAIN_MAX_BYTES);
    problem = domain_normalise(slice_from(name), &domain);
    effective = policy_book_find_domain(book, text_slice(&domain));
    if (problem != DOMAIN_OK)
        tool_complain("effective", "\"%s\" is no domain: it %s", name,
                      domain_problem_text(problem));
    else if (effective == NULL)
        printf("%s is not ours: no domain block covers it, so mail for it is refused as relaying "
               "(relay.denied),\nunless a relay block lets the client send anywhere.\n",
               text_string(&domain));
    else
        print_effective(book, effective);
    text_clear(&domain);
    if (problem != DOMAIN_OK)
        return TOOL_UNABLE;
    return effective != NULL ? TOOL_DONE : TOOL_REFUSED;
}

static enum tool_exit run(const void *memory, const char *const *operands)
{
    const struct effective_values *values = memory;
    enum tool_exit result = TOOL_UNABLE;
    struct configuration configuration;

    if (configuration_open(&configuration, values->path))
        result = look_up(configuration.book, operands[0]);
    configuration_close(&configuration);
    return result;
}

static void set_defaults(void *memory)
{
    struct effective_values *values = memory;

    values->path = TOOL_DEFAULT_CONFIG;
}

static const struct option options[] = {
    { "-c", OPTION_TEXT, offsetof(struct effective_values, path), 0, "FILE",
      "default " TOOL_DEFAULT_CONFIG },
};

const struct subcommand subcommand_effective = {
    .name = "effective",
    .operands = "DOMAIN",
    .operand_count = 1,
    .summary = "print what is in force for a domain, and where it was written",
    .description =
        "Prints the settings and rules for mail to DOMAIN, merged, each with the file and\n"
        "line it came from. Exit status 1 means that no domain block covers it: mail for\n"
        "it is refused as relaying.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct effective_values),
    .set_defaults = set_defaults,
    .run = run,
};
