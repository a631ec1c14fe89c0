/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the words of a command line by the rows of a table; see subcommand.h.
 * "--name value" and "--name=value" are the same; "--" ends the options.
 */
#include "tools/subcommand.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "tools/output.h"

#define MAX_NUMBER 1000000000u
#define MAX_SIZE_BYTES (UINT64_C(1) << 40)
#define MAX_DURATION_MS (UINT64_C(3650) * 24 * 3600 * 1000)
#define HELP_COLUMN 30

/* ---- Reading ---- */

static bool takes_argument(const struct option *option)
{
    return option->kind != OPTION_FLAG && option->kind != OPTION_BIT;
}

static const struct option *find_option(const struct subcommand *subcommand, struct slice name)
{
    for (size_t i = 0; i < subcommand->option_count; i++)
        if (slice_equals(slice_from(subcommand->options[i].name), name))
            return &subcommand->options[i];
    return NULL;
}

static void add_text(struct option_texts *texts, const char *value)
{
    texts->items = mem_grow(texts->items, texts->count, &texts->capacity, sizeof *texts->items);
    texts->items[texts->count++] = value;
}

/* False when `value` is not of the option's kind. */
static bool store(const struct option *option, const char *value, void *values)
{
    void *field = (char *)values + option->offset;

    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case OPTION_BIT:
        *(unsigned int *)field |= option->bit;
        return true;
    case OPTION_TEXT:
        *(const char **)field = value;
        return true;
    case OPTION_TEXTS:
        add_text(field, value);
        return true;
    case OPTION_NUMBER:
        return number_parse(slice_from(value), MAX_NUMBER, field);
    case OPTION_SIZE:
        return number_parse_size(slice_from(value), MAX_SIZE_BYTES, field);
    case OPTION_DURATION:
        return number_parse_duration(slice_from(value), MAX_DURATION_MS, field);
    case OPTION_ENDPOINT:
        return ip_endpoint_parse(slice_from(value), field);
    }
    return false;
}

/* One option, whose words begin at words[*index]; moves the index behind them. */
static bool read_option(const struct subcommand *subcommand, const char *const *words,
                        size_t word_count, size_t *index, void *values)
{
    const char *word = words[(*index)++];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    struct slice name = { word, equals != NULL ? (size_t)(equals - word) : strlen(word) };
    const struct option *option = find_option(subcommand, name);
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (option == NULL) {
        tool_complain(subcommand->name, "unknown option %.*s (see: postern help %s)",
                      SLICE_ARGS(name), subcommand->name);
        return false;
    }
    if (!takes_argument(option) && value != NULL) {
        tool_complain(subcommand->name, "%s takes no value", option->name);
        return false;
    }
    if (takes_argument(option) && value == NULL) {
        if (*index == word_count) {
            tool_complain(subcommand->name, "%s needs %s behind it", option->name,
                          option->argument);
            return false;
        }
        value = words[(*index)++];
    }
    if (store(option, value, values))
        return true;
    tool_complain(subcommand->name, "%s takes %s, and \"%s\" is none", option->name,
                  option->argument, value);
    return false;
}

bool options_parse(const struct subcommand *subcommand, const char **words, size_t word_count,
                   void *values)
{
    bool is_option_possible = true;
    size_t operand_count = 0;
    size_t index = 0;

    while (index < word_count) {
        const char *word = words[index];

        if (is_option_possible && strcmp(word, "--") == 0) {
            is_option_possible = false;
            index++;
        } else if (is_option_possible && word[0] == '-' && word[1] != '\0') {
            if (!read_option(subcommand, words, word_count, &index, values))
                return false;
        } else {
            words[operand_count++] = word;
            index++;
        }
    }
    words[operand_count] = NULL;
    if (operand_count == subcommand->operand_count ||
        (subcommand->has_more_operands && operand_count > subcommand->operand_count))
        return true;
    if (operand_count > subcommand->operand_count)
        tool_complain(subcommand->name, "\"%s\" is one word too many (see: postern help %s)",
                      words[subcommand->operand_count], subcommand->name);
    else
        tool_complain(subcommand->name, "%s is missing (see: postern help %s)",
                      subcommand->operands, subcommand->name);
    return false;
}

void options_clear(const struct subcommand *subcommand, void *values)
{
    for (size_t i = 0; i < subcommand->option_count; i++)
        if (subcommand->options[i].kind == OPTION_TEXTS) {
            struct option_texts *texts =
                (void *)((char *)values + subcommand->options[i].offset);

            mem_free(texts->items);
            *texts = (struct option_texts){ 0 };
        }
}

/* ---- Help ---- */

static void print_option(const struct option *option)
{
    bool has_argument = takes_argument(option);
    int length = printf("  %s%s%s", option->name, has_argument ? " " : "",
                        has_argument ? option->argument : "");

    printf("%*s%s%s\n", length < HELP_COLUMN ? HELP_COLUMN - length : 1, "", option->doc,
           option->kind == OPTION_TEXTS ? " (may be repeated)" : "");
}

void options_print_help(const struct subcommand *subcommand)
{
    printf("usage: postern %s%s%s%s\n\n%s\n", subcommand->name,
           subcommand->option_count > 0 ? " [options]" : "",
           subcommand->operands[0] != '\0' ? " " : "", subcommand->operands,
           subcommand->description);
    if (subcommand->option_count > 0)
        printf("\noptions:\n");
    for (size_t i = 0; i < subcommand->option_count; i++)
        print_option(&subcommand->options[i]);
}
