/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern: the command line beside posternd. It checks and explains what people
 * wrote, receives mail for tests (sink) and sends one (send), without a running
 * posternd; about held mail it asks the one that runs.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#include "config.h"

static const struct subcommand *const subcommands[] = {
    &subcommand_check,
    &subcommand_diff,
    &subcommand_effective,
    &subcommand_explain,
    &subcommand_quarantine,
    &subcommand_send,
    &subcommand_sink,
    &subcommand_test,
};

#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

static const struct subcommand *find_subcommand(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(subcommands[i]->name, name) == 0)
            return subcommands[i];
    return NULL;
}

static void print_overview(FILE *out)
{
    fprintf(out, "usage: postern COMMAND [options]\n\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-12s%s\n", subcommands[i]->name, subcommands[i]->summary);
    fprintf(out, "  %-12s%s\n", "help", "say how a command is used");
    fprintf(out, "  %-12s%s\n\n", "version", "say which version this is");
    fprintf(out, "Exit status: 0 done, 1 the answer is no, 2 it could not be done; postern(1) "
                 "says more.\n");
}

static enum tool_exit complain_unknown(const char *name)
{
    tool_complain("", "\"%s\" is no command (postern help lists them)", name);
    return TOOL_UNABLE;
}

/* `postern help [COMMAND]` */
static enum tool_exit help(const char *name)
{
    const struct subcommand *subcommand;

    if (name == NULL) {
        print_overview(stdout);
        return TOOL_DONE;
    }
    subcommand = find_subcommand(name);
    if (subcommand == NULL)
        return complain_unknown(name);
    options_print_help(subcommand);
    return TOOL_DONE;
}

static enum tool_exit run(const struct subcommand *subcommand, const char **words,
                          size_t word_count)
{
    void *values = mem_new(subcommand->values_size);
    enum tool_exit result = TOOL_UNABLE;

    if (subcommand->set_defaults != NULL)
        subcommand->set_defaults(values);
    if (options_parse(subcommand, words, word_count, values))
        result = subcommand->run(values, words);
    options_clear(subcommand, values);
    mem_free(values);
    return result;
}

/* Output that could not be written is a failure, whatever the command made of it. */
static enum tool_exit close_output(enum tool_exit result)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    tool_complain("", "cannot write to standard output");
    return TOOL_UNABLE;
}

static bool is_help_option(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static enum tool_exit dispatch(const char **words, size_t word_count)
{
    const struct subcommand *subcommand;

    if (word_count == 0) {
        print_overview(stderr);
        return TOOL_UNABLE;
    }
    if (strcmp(words[0], "help") == 0 || is_help_option(words[0]))
        return help(word_count > 1 ? words[1] : NULL);
    if (strcmp(words[0], "version") == 0 || strcmp(words[0], "--version") == 0) {
        printf("postern %s\n", PACKAGE_VERSION);
        return TOOL_DONE;
    }
    subcommand = find_subcommand(words[0]);
    if (subcommand == NULL)
        return complain_unknown(words[0]);
    if (word_count > 1 && is_help_option(words[1]))
        return help(words[0]);
    return run(subcommand, words + 1, word_count - 1);
}

int main(int argc, char **argv)
{
    const char **words = mem_new_array((size_t)argc + 1, sizeof *words);
    enum tool_exit result;

    for (int i = 1; i < argc; i++)
        words[i - 1] = argv[i];
    result = close_output(dispatch(words, argc > 0 ? (size_t)argc - 1 : 0));
    mem_free(words);
    return (int)result;
}
