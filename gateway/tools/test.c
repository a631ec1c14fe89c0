/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern test: mails that are kept beside the policies, each with the verdict that
 * it is to get. Nothing goes to the network.
 */
#include <stdio.h>

#include "tools/cases.h"
#include "tools/configuration.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#define NAME "test"
#define SENTENCE_BYTES 1000

struct test_values {
    const char *path;       /* NULL: what the files name, or else the default */
    bool is_json;
};

struct tester {
    const struct test_values *values;
    struct text out;
    struct json json;       /* of `out` */
    size_t passed_count;
    size_t failed_count;
    bool is_unable;         /* something could not be tried */
};

/* ---- One case. */

static void report(struct tester *tester, const struct test_case *test,
                   const struct ruling *ruling, bool is_met)
{
    struct text *out = &tester->out;

    text_add_format(out, "%s  %s", is_met ? "passed" : "FAILED", test->name);
    if (!is_met) {
        text_add_format(out, " (%s:%u)\n    got  ", test->at.path, test->at.line);
        ruling_print(out, ruling);
        text_add_string(out, "\n    want ");
        case_print_wish(out, test);
    }
    text_add_byte(out, '\n');
}

static void report_json(struct tester *tester, const struct test_case *test,
                        const struct ruling *ruling, bool is_met)
{
    struct json *json = &tester->json;
    struct text wish;

    text_init(&wish, TEXT_MAX_LENGTH);
    case_print_wish(&wish, test);
    json_open(json, NULL, '{');
    json_add_string(json, "name", test->name);
    json_add_string(json, "file", test->at.path);
    json_add_number(json, "line", test->at.line);
    json_add_bool(json, "passed", is_met);
    ruling_print_json(json, "got", ruling);
    json_add_string(json, "want", text_string(&wish));
    json_close(json, '{');
    text_clear(&wish);
}

static void try(struct tester *tester, const struct test_case *test,
                const struct configuration *configuration)
{
    struct ruling ruling;
    struct text problem;
    bool is_met;

    text_init(&problem, SENTENCE_BYTES);
    if (case_try(test, configuration, &ruling, &problem)) {
        is_met = case_is_met(test, &ruling);
        *(is_met ? &tester->passed_count : &tester->failed_count) += 1;
        (tester->values->is_json ? report_json : report)(tester, test, &ruling, is_met);
        ruling_clear(&ruling);
    } else {
        tool_complain(NAME, "%s:%u: %s", test->at.path, test->at.line, text_string(&problem));
        tester->is_unable = true;
    }
    text_clear(&problem);
}

/* ---- Files. */

static const char *find_configuration(const struct tester *tester, const struct case_file *file)
{
    if (tester->values->path != NULL)
        return tester->values->path;
    return file->configuration_path != NULL ? file->configuration_path : TOOL_DEFAULT_CONFIG;
}

static void try_file(struct tester *tester, const char *path)
{
    struct configuration configuration = { NULL, NULL };
    struct case_file file;
    bool is_good = case_file_open(&file, path) &&
                   configuration_open(&configuration, find_configuration(tester, &file));

    tester->is_unable = tester->is_unable || !is_good;
    for (size_t i = 0; i < file.case_count && is_good; i++)
        try(tester, &file.cases[i], &configuration);
    configuration_close(&configuration);
    case_file_close(&file);
}

static void begin(struct tester *tester)
{
    if (!tester->values->is_json)
        return;
    json_open(&tester->json, NULL, '{');
    json_open(&tester->json, "tests", '[');
}

static void end(struct tester *tester)
{
    if (tester->values->is_json) {
        json_close(&tester->json, '[');
        json_add_number(&tester->json, "passed", tester->passed_count);
        json_add_number(&tester->json, "failed", tester->failed_count);
        json_close(&tester->json, '{');
        text_add_byte(&tester->out, '\n');
    } else {
        text_add_format(&tester->out, "%zu passed, %zu failed\n", tester->passed_count,
                        tester->failed_count);
    }
    fwrite(tester->out.data, 1, tester->out.length, stdout);
}

static enum tool_exit run(const void *values, const char *const *operands)
{
    struct tester tester = { .values = values };

    tester.json.out = &tester.out;
    text_init(&tester.out, TEXT_MAX_LENGTH);
    begin(&tester);
    for (size_t i = 0; operands[i] != NULL; i++)
        try_file(&tester, operands[i]);
    end(&tester);
    text_clear(&tester.out);
    if (tester.is_unable)
        return TOOL_UNABLE;
    return tester.failed_count > 0 ? TOOL_REFUSED : TOOL_DONE;
}

static const struct option options[] = {
    { "-c", OPTION_TEXT, offsetof(struct test_values, path), 0, "FILE",
      "default: what the tests name, or " TOOL_DEFAULT_CONFIG },
    { "--json", OPTION_FLAG, offsetof(struct test_values, is_json), 0, NULL, "one JSON object" },
};

const struct subcommand subcommand_test = {
    .name = NAME,
    .operands = "FILE...",
    .operand_count = 1,
    .has_more_operands = true,
    .summary = "try mails that are kept with the verdict they are to get",
    .description =
        "Runs each test of the files as postern explain would, and compares the verdict\n"
        "with the one that is expected. The DNS is what a test's zone says. A file may\n"
        "name the configuration it is for: configuration FILE;\n"
        "Exit status 1 means that a test failed, 2 that one could not be run.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct test_values),
    .run = run,
};
