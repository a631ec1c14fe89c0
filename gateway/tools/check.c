/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern check: a configuration judged by the code that the daemon loads it
 * with, and what people should know of it besides: doubts, and when each rule
 * can decide. It also prints the tables that the manuals are held against.
 */
#include <stdio.h>

#include "daemon/load.h"
#include "tools/lists.h"
#include "tools/subcommand.h"

struct check_values {
    const char *path;
    bool is_strict;
    unsigned int lists; /* bits of enum list */
};

/* How many diagnostics there are that nobody waived. */
static size_t count(const struct diagnostics *diagnostics, enum severity severity)
{
    size_t found = 0;

    for (size_t i = 0; i < diagnostics->count; i++)
        found += diagnostics->items[i].severity == severity &&
                 diagnostics->items[i].waived_because == NULL;
    return found;
}

static size_t count_waived(const struct diagnostics *diagnostics)
{
    size_t found = 0;

    for (size_t i = 0; i < diagnostics->count; i++)
        found += diagnostics->items[i].waived_because != NULL;
    return found;
}

static void print_diagnostics(const struct diagnostics *diagnostics)
{
    struct text line;

    text_init(&line, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < diagnostics->count; i++) {
        diagnostic_print(&line, &diagnostics->items[i]);
        fputs(text_string(&line), stdout);
        text_reset(&line);
    }
    text_clear(&line);
}

static void print_phases(const struct policy_book *book)
{
    struct text phases;

    text_init(&phases, TEXT_MAX_LENGTH);
    policy_book_print_phases(book, &phases);
    if (phases.length > 0)
        printf("When each rule is decided:\n%s\n", text_string(&phases));
    text_clear(&phases);
}

static void print_count(size_t number, const char *word, const char *end)
{
    printf("%zu %s%s%s", number, word, number == 1 ? "" : "s", end);
}

static enum tool_exit judge(const struct check_values *values,
                            const struct diagnostics *diagnostics)
{
    size_t warning_count = count(diagnostics, SEVERITY_WARNING);

    printf("%s: ", values->path);
    print_count(diagnostics->error_count, "error", ", ");
    print_count(warning_count, "warning", ", ");
    print_count(count(diagnostics, SEVERITY_NOTE), "note", ", ");
    printf("%zu waived\n", count_waived(diagnostics));
    if (diagnostics->error_count > 0)
        return TOOL_UNABLE;
    return values->is_strict && warning_count > 0 ? TOOL_REFUSED : TOOL_DONE;
}

static enum tool_exit run(const void *memory, const char *const *operands)
{
    const struct check_values *values = memory;
    struct diagnostics diagnostics;
    struct loaded *loaded;
    enum tool_exit result;

    (void)operands;
    if (values->lists != 0) {
        lists_print(values->lists);
        return TOOL_DONE;
    }
    diagnostics_init(&diagnostics);
    loaded = load_from_disk(values->path, &diagnostics);
    print_diagnostics(&diagnostics);
    if (loaded != NULL)
        print_phases(loaded->book);
    result = judge(values, &diagnostics);
    loaded_free(&loaded);
    diagnostics_clear(&diagnostics);
    return result;
}

static void set_defaults(void *memory)
{
    struct check_values *values = memory;

    values->path = TOOL_DEFAULT_CONFIG;
}

#define FIELD(field) offsetof(struct check_values, field)
#define LIST(name, bit, doc) { "--list-" name, OPTION_BIT, FIELD(lists), bit, NULL, doc }

static const struct option options[] = {
    { "-c", OPTION_TEXT, FIELD(path), 0, "FILE", "default " TOOL_DEFAULT_CONFIG },
    { "--strict", OPTION_FLAG, FIELD(is_strict), 0, NULL, "exit status 1 when there are warnings" },
    LIST("settings", LIST_SETTINGS, "print all settings instead, tab-separated"),
    LIST("terms", LIST_TERMS, "print the words of the policy language"),
    LIST("lints", LIST_LINTS, "print the warnings there are"),
    LIST("reasons", LIST_REASONS, "print the reasons that clients can hear"),
    LIST("log-fields", LIST_LOG_FIELDS, "print the keys of a log line"),
};

const struct subcommand subcommand_check = {
    .name = "check",
    .operands = "",
    .summary = "say what is wrong or doubtful in a configuration",
    .description =
        "Reads a configuration as posternd does and prints errors, warnings and notes,\n"
        "and the phase of the dialogue in which each rule can be decided. Warnings are\n"
        "silenced by a line in the configuration: waive LINT-ID \"why\";\n"
        "Exit status 2 means that posternd would not load it.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct check_values),
    .set_defaults = set_defaults,
    .run = run,
};
