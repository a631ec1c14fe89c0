/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern diff: what changes between two configurations, for mails that are kept as
 * tests and for those that the log remembers. Nothing goes to the network.
 */
#include <stdio.h>
#include <string.h>

#include "tools/cases.h"
#include "tools/configuration.h"
#include "tools/files.h"
#include "tools/log_line.h"
#include "tools/logged_mail.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#define NAME "diff"
#define SENTENCE_BYTES 1000
#define MAX_LOG_BYTES ((size_t)4 << 30)

struct diff_values {
    struct option_texts tests;
    const char *log_path;
    bool is_json;
};

/* The two sides. */
enum { OLD, NEW, SIDES };

enum change {
    CHANGE_NONE,
    CHANGE_VERDICT,
    CHANGE_DETAIL,  /* the reason, phase, tags or shadow alone */
    CHANGE_UNKNOWN, /* it depends on what the log does not have */
    CHANGE_COUNT,
};

/* Of the tests, or of the log. */
struct tally {
    size_t counts[CHANGE_COUNT];
};

struct differ {
    const struct diff_values *values;
    struct configuration sides[SIDES];
    struct zone *nothing;     /* a DNS without names */
    struct bench benches[SIDES];
    struct text out;
    struct json json;         /* of `out` */
    struct tally tests;
    struct tally mails;
    size_t other_count;       /* lines of the log about no mail */
    size_t hidden_count;      /* lines without addresses */
    size_t unlike_count;      /* mails to which OLD does not give the verdict that was logged */
    bool is_unable;
};

/* ---- What has changed. */

static const char *const change_words[CHANGE_COUNT] = {
    [CHANGE_NONE] = "same",
    [CHANGE_VERDICT] = "verdict",
    [CHANGE_DETAIL] = "detail",
    [CHANGE_UNKNOWN] = "unknown",
};

/* A remembered mail that nothing is decided about was decided by what nobody has any more. */
static enum change compare(const struct ruling *rulings, bool is_remembered)
{
    bool is_open = ruling_is_undecided(&rulings[OLD]) || ruling_is_undecided(&rulings[NEW]);

    if (is_open && is_remembered)
        return CHANGE_UNKNOWN;
    if (ruling_equals(&rulings[OLD], &rulings[NEW]))
        return CHANGE_NONE;
    return strcmp(rulings[OLD].verdict, rulings[NEW].verdict) == 0 ? CHANGE_DETAIL
                                                                   : CHANGE_VERDICT;
}

static void report(struct differ *differ, const char *kind, const char *name,
                   struct position at, const struct ruling *rulings, enum change change)
{
    struct text *out = &differ->out;
    struct json *json = &differ->json;

    if (change == CHANGE_NONE)
        return;
    if (differ->values->is_json) {
        json_open(json, NULL, '{');
        json_add_string(json, "kind", kind);
        json_add_string(json, "name", name);
        json_add_string(json, "file", at.path);
        json_add_number(json, "line", at.line);
        json_add_string(json, "change", change_words[change]);
        ruling_print_json(json, "old", &rulings[OLD]);
        ruling_print_json(json, "new", &rulings[NEW]);
        json_close(json, '{');
        return;
    }
    text_add_format(out, "%s:%u: %s %s: %s\n    old  ", at.path, at.line, kind, name,
                    change == CHANGE_UNKNOWN ? "not known" : "changes");
    ruling_print(out, &rulings[OLD]);
    text_add_string(out, "\n    new  ");
    ruling_print(out, &rulings[NEW]);
    text_add_byte(out, '\n');
}

/* ---- Tests. */

static void diff_test(struct differ *differ, const struct test_case *test)
{
    struct ruling rulings[SIDES];
    struct text problem;
    enum change change;

    text_init(&problem, SENTENCE_BYTES);
    if (!case_try(test, &differ->sides[OLD], &rulings[OLD], &problem)) {
        differ->is_unable = true;
    } else if (!case_try(test, &differ->sides[NEW], &rulings[NEW], &problem)) {
        differ->is_unable = true;
        ruling_clear(&rulings[OLD]);
    } else {
        change = compare(rulings, false);
        differ->tests.counts[change]++;
        report(differ, "test", test->name, test->at, rulings, change);
        ruling_clear(&rulings[OLD]);
        ruling_clear(&rulings[NEW]);
    }
    if (problem.length > 0)
        tool_complain(NAME, "%s:%u: %s", test->at.path, test->at.line, text_string(&problem));
    text_clear(&problem);
}

static void diff_tests(struct differ *differ)
{
    const struct option_texts *paths = &differ->values->tests;

    for (size_t i = 0; i < paths->count; i++) {
        struct case_file file;
        bool is_good = case_file_open(&file, paths->items[i]);

        differ->is_unable = differ->is_unable || !is_good;
        for (size_t j = 0; j < file.case_count && is_good; j++)
            diff_test(differ, &file.cases[j]);
        case_file_close(&file);
    }
}

/* ---- The log. */

static bool try_logged(const struct differ *differ, int side, const struct logged_mail *logged,
                       struct ruling *ruling, struct text *problem)
{
    struct trial trial;

    if (!trial_run(&trial, &differ->benches[side], &logged->mail, problem))
        return false;
    ruling_init(ruling, &trial);
    trial_clear(&trial);
    return true;
}

static void judge_logged(struct differ *differ, const struct logged_mail *logged,
                         const struct log_line *line, struct position at)
{
    const char *name = log_line_find(line, "txn");
    struct ruling rulings[SIDES];
    struct text problem;
    enum change change;

    text_init(&problem, SENTENCE_BYTES);
    if (!try_logged(differ, OLD, logged, &rulings[OLD], &problem)) {
        differ->mails.counts[CHANGE_UNKNOWN]++;
    } else if (!try_logged(differ, NEW, logged, &rulings[NEW], &problem)) {
        differ->mails.counts[CHANGE_UNKNOWN]++;
        ruling_clear(&rulings[OLD]);
    } else {
        change = compare(rulings, logged->memory.has_content);
        differ->mails.counts[change]++;
        differ->unlike_count += !ruling_is_undecided(&rulings[OLD]) &&
                                strcmp(rulings[OLD].verdict, log_line_find(line, "verdict")) != 0;
        report(differ, "mail", name != NULL ? name : "", at, rulings, change);
        ruling_clear(&rulings[OLD]);
        ruling_clear(&rulings[NEW]);
    }
    if (problem.length > 0)
        tool_complain(NAME, "%s:%u: %s", at.path, at.line, text_string(&problem));
    text_clear(&problem);
}

static void diff_line(struct differ *differ, struct slice text, struct position at)
{
    struct logged_mail logged;
    struct log_line line;

    if (!log_line_parse(&line, text)) {
        differ->other_count++;
        return;
    }
    switch (logged_mail_init(&logged, &line)) {
    case LOGGED_OK: judge_logged(differ, &logged, &line, at); break;
    case LOGGED_OTHER: differ->other_count++; break;
    case LOGGED_HIDDEN: differ->hidden_count++; break;
    }
    logged_mail_clear(&logged);
    log_line_clear(&line);
}

static bool diff_log(struct differ *differ, struct text *problem)
{
    struct position at = { .path = differ->values->log_path };
    struct text bytes;
    struct slice rest;
    struct slice line;

    if (at.path == NULL)
        return true;
    text_init(&bytes, MAX_LOG_BYTES);
    if (file_read(at.path, &bytes, problem)) {
        rest = text_slice(&bytes);
        for (at.line = 1; slice_next(&rest, '\n', &line); at.line++)
            if (line.length > 0)
                diff_line(differ, line, at);
    }
    text_clear(&bytes);
    return problem->length == 0;
}

/* ---- The sum. */

static size_t total(const struct tally *tally)
{
    size_t sum = 0;

    for (int i = 0; i < CHANGE_COUNT; i++)
        sum += tally->counts[i];
    return sum;
}

static void print_tally(struct text *out, const char *name, const struct tally *tally)
{
    text_add_format(out, "%s: %zu tried, %zu with another verdict, %zu with another reason, phase, "
                         "tags or shadow, %zu not known\n",
                    name, total(tally), tally->counts[CHANGE_VERDICT],
                    tally->counts[CHANGE_DETAIL], tally->counts[CHANGE_UNKNOWN]);
}

static void add_tally(struct json *json, const char *key, const struct tally *tally)
{
    json_open(json, key, '{');
    json_add_number(json, "tried", total(tally));
    for (int i = 0; i < CHANGE_COUNT; i++)
        json_add_number(json, change_words[i], tally->counts[i]);
    json_close(json, '{');
}

static void print_sum(struct differ *differ)
{
    struct text *out = &differ->out;

    if (differ->values->tests.count > 0)
        print_tally(out, "tests", &differ->tests);
    if (differ->values->log_path == NULL)
        return;
    print_tally(out, "mails of the log", &differ->mails);
    if (differ->other_count > 0)
        text_add_format(out, "%zu lines of the log are about no mail that had recipients\n",
                        differ->other_count);
    if (differ->hidden_count > 0)
        text_add_format(out, "%zu lines have no addresses (log-addresses), so nothing is said of "
                             "them\n", differ->hidden_count);
    if (differ->unlike_count > 0)
        text_add_format(out, "%zu mails were logged with another verdict than the old "
                             "configuration gives: the backend's, or that of yet another one\n",
                        differ->unlike_count);
}

static void add_sum(struct differ *differ)
{
    struct json *json = &differ->json;

    json_close(json, '[');
    add_tally(json, "tests", &differ->tests);
    add_tally(json, "mails", &differ->mails);
    json_add_number(json, "other_lines", differ->other_count);
    json_add_number(json, "hidden_lines", differ->hidden_count);
    json_add_number(json, "logged_otherwise", differ->unlike_count);
    json_close(json, '{');
    text_add_byte(&differ->out, '\n');
}

static enum tool_exit exit_of(const struct differ *differ)
{
    const size_t *tests = differ->tests.counts;
    const size_t *mails = differ->mails.counts;

    if (differ->is_unable)
        return TOOL_UNABLE;
    return tests[CHANGE_VERDICT] + tests[CHANGE_DETAIL] + mails[CHANGE_VERDICT] +
                       mails[CHANGE_DETAIL] > 0
               ? TOOL_REFUSED
               : TOOL_DONE;
}

/* ---- The command. */

static bool open_sides(struct differ *differ, const char *const *operands, struct text *problem)
{
    differ->nothing = bench_read_zone("", SLICE_EMPTY, problem);
    for (int side = 0; side < SIDES; side++)
        if (!configuration_open(&differ->sides[side], operands[side]) ||
            !bench_open(&differ->benches[side], &differ->sides[side], differ->nothing, problem))
            return false;
    return true;
}

static void close_sides(struct differ *differ)
{
    for (int side = 0; side < SIDES; side++) {
        bench_close(&differ->benches[side]);
        configuration_close(&differ->sides[side]);
    }
    zone_free(&differ->nothing);
}

static enum tool_exit compare_all(struct differ *differ, struct text *problem)
{
    bool is_json = differ->values->is_json;

    if (is_json) {
        json_open(&differ->json, NULL, '{');
        json_open(&differ->json, "changes", '[');
    }
    diff_tests(differ);
    if (!diff_log(differ, problem))
        return TOOL_UNABLE;
    (is_json ? add_sum : print_sum)(differ);
    fwrite(differ->out.data, 1, differ->out.length, stdout);
    return exit_of(differ);
}

static enum tool_exit run(const void *memory, const char *const *operands)
{
    const struct diff_values *values = memory;
    struct differ differ = { .values = values };
    enum tool_exit result = TOOL_UNABLE;
    struct text problem;

    differ.json.out = &differ.out;
    text_init(&differ.out, TEXT_MAX_LENGTH);
    text_init(&problem, SENTENCE_BYTES);
    if (values->tests.count == 0 && values->log_path == NULL)
        text_add_string(&problem, "nothing to compare by: give --tests FILE, --log FILE or both");
    else if (open_sides(&differ, operands, &problem))
        result = compare_all(&differ, &problem);
    if (problem.length > 0)
        tool_complain(NAME, "%s", text_string(&problem));
    close_sides(&differ);
    text_clear(&problem);
    text_clear(&differ.out);
    return result;
}

static const struct option options[] = {
    { "--tests", OPTION_TEXTS, offsetof(struct diff_values, tests), 0, "FILE",
      "tests, as for postern test" },
    { "--log", OPTION_TEXT, offsetof(struct diff_values, log_path), 0, "FILE",
      "a log of posternd; - is stdin" },
    { "--json", OPTION_FLAG, offsetof(struct diff_values, is_json), 0, NULL, "one JSON object" },
};

const struct subcommand subcommand_diff = {
    .name = NAME,
    .operands = "OLD NEW",
    .operand_count = 2,
    .summary = "say for which mails a new configuration changes something",
    .description =
        "Tries mails on two configurations and prints those that get another verdict,\n"
        "reason, tag or note of a rule in shadow: tests with what they expect left aside,\n"
        "and mails of a log with the findings that were logged. What a rule asks for and\n"
        "the log does not have makes a mail \"not known\".\n"
        "Exit status 1 means that something changes.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct diff_values),
    .run = run,
};
