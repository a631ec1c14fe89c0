/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of mails with their expected verdicts; see cases.h. The lexer, the tree and
 * the tables of settings are those of the configuration, so mistakes have their place
 * and a suggestion.
 */
#include "tools/cases.h"

#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "daemon/disk.h"
#include "tools/configuration.h"
#include "tools/files.h"

/* ---- Values that are written in a way of their own. */

static void read_words(const struct settings_reader *reader, const struct setting *setting,
                       const struct statement *statement, void *target)
{
    struct case_words *words = (void *)((char *)target + setting->offset);
    const struct word *word;
    size_t index = 1;

    words->is_given = true;
    while ((word = setting_next_value(reader, statement, 1, &index)) != NULL) {
        words->items =
            mem_grow(words->items, words->count, &words->capacity, sizeof *words->items);
        words->items[words->count++] = word->text.data;
    }
    if (words->count == 0)
        (void)setting_only_value(reader, setting, statement); /* which complains */
}

static void read_ip(const struct settings_reader *reader, const struct setting *setting,
                    const struct statement *statement, void *target)
{
    struct ip_address *address = (void *)((char *)target + setting->offset);
    const struct word *word = setting_only_value(reader, setting, statement);

    if (word != NULL && !ip_parse(word->text, address))
        setting_refuse(reader, setting, word);
}

/*
 * FILE, or quoted lines. Gives the path, or NULL for lines; false, and a diagnostic, where there is
 * nothing to read.
 */
static bool collect(const struct settings_reader *reader, const struct setting *setting,
                    const struct statement *statement, struct text *out, const char **path)
{
    const struct word *word = &statement->words[statement->word_count > 1 ? 1 : 0];
    struct slice bytes;
    struct text problem;
    bool is_read;

    *path = NULL;
    if (word != &statement->words[0] && word->is_quoted) {
        for (size_t i = 1; i < statement->word_count; i++) {
            text_add(out, statement->words[i].text);
            text_add_byte(out, '\n');
        }
        return true;
    }
    word = setting_only_value(reader, setting, statement);
    if (word == NULL)
        return false;
    *path = sources_resolve_path(reader->sources, word->at.path, word->text);
    text_init(&problem, 500);
    is_read = sources_get_file(reader->sources, *path, &bytes, &problem);
    if (is_read)
        text_add(out, bytes);
    else
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "test.file", word->at,
                        "cannot read \"%s\": %s", *path, text_string(&problem));
    text_clear(&problem);
    return is_read;
}

static void read_message(const struct settings_reader *reader, const struct setting *setting,
                         const struct statement *statement, void *target)
{
    struct test_case *test = target;
    const char *path;
    struct text lines;

    text_init(&lines, TEXT_MAX_LENGTH);
    if (collect(reader, setting, statement, &lines, &path)) {
        file_add_with_crlf(&test->content, text_slice(&lines));
        test->has_content = true;
    }
    text_clear(&lines);
}

/* In quoted lines a mistake is at its word. */
static void read_zone(const struct settings_reader *reader, const struct setting *setting,
                      const struct statement *statement, void *target)
{
    struct test_case *test = target;
    struct zone_problem problem = { .line = 0 };
    struct position at = statement->words[0].at;
    const char *path;
    struct text lines;

    text_init(&lines, TEXT_MAX_LENGTH);
    text_init(&problem.sentence, 500);
    if (collect(reader, setting, statement, &lines, &path)) {
        zone_free(&test->zone);
        test->zone = zone_new(text_slice(&lines), &problem);
        if (path != NULL)
            at = (struct position){ path, problem.line, problem.column };
        else if (problem.line > 0 && problem.line < statement->word_count)
            at = statement->words[problem.line].at;
        if (test->zone == NULL)
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "test.zone", at, "%s",
                            text_string(&problem.sentence));
    }
    text_clear(&problem.sentence);
    text_clear(&lines);
}

/* ---- The tables. */

static const struct setting_word verdict_words[] = {
    { .name = "accept", .value = RECORD_VERDICT_ACCEPT },
    { .name = "quarantine", .value = RECORD_VERDICT_QUARANTINE },
    { .name = "reject", .value = RECORD_VERDICT_REJECT },
    { .name = "tempfail", .value = RECORD_VERDICT_TEMPFAIL },
    { .name = "discard", .value = RECORD_VERDICT_DISCARD },
    { .name = RULING_UNDECIDED, .value = RECORD_VERDICT_NONE },
    { .name = NULL },
};

#define FIELD(field) .offset = offsetof(struct test_case, field)

static const struct setting test_settings[] = {
    { .key = "from", .type = SETTING_TEXT, FIELD(sender), .is_required = true,
      .form = "an address, or <>", .doc = "The envelope's sender." },
    { .key = "rcpt", .type = SETTING_OTHER, FIELD(recipients), .read = read_words,
      .is_required = true, .form = "one address or more", .doc = "The recipients." },
    { .key = "ip", .type = SETTING_OTHER, FIELD(client), .read = read_ip, .is_required = true,
      .form = "an IP address", .doc = "Of the client." },
    { .key = "helo", .type = SETTING_TEXT, FIELD(helo), .is_required = true, .form = "a name",
      .doc = "What the client calls itself." },
    { .key = "listener", .type = SETTING_TEXT, FIELD(listener), .form = "the name of a listener",
      .doc = "Where it comes in." },
    { .key = "tls", .type = SETTING_TEXT, FIELD(tls), .form = "1.0, 1.1, 1.2 or 1.3",
      .doc = "The client's TLS." },
    { .key = "message", .type = SETTING_OTHER, .read = read_message,
      .form = "a file, or lines in quotes", .doc = "The message." },
    { .key = "zone", .type = SETTING_OTHER, .read = read_zone,
      .form = "a zone file, or its lines in quotes", .doc = "All that the DNS knows." },
    { .key = "expect", .type = SETTING_WORD, FIELD(verdict), .words = verdict_words,
      .is_required = true, .doc = "The verdict." },
    { .key = "reason", .type = SETTING_TEXT, FIELD(reason), .form = "a reason id",
      .doc = "Of the refusal, or of the rule that decides." },
    { .key = "phase", .type = SETTING_TEXT, FIELD(phase), .form = "a phase, such as rcpt",
      .doc = "In which the rule decides." },
    { .key = "tags", .type = SETTING_OTHER, FIELD(tags), .read = read_words,
      .form = "tags, or none", .doc = "That the message gets." },
    { .key = "shadow", .type = SETTING_TEXT, FIELD(shadow), .form = "a reason id, or none",
      .doc = "Of the rule in shadow that would have decided." },
};

static const struct settings_block test_block = {
    .kind = "test",
    .settings = test_settings,
    .count = sizeof test_settings / sizeof test_settings[0],
};

static const struct setting file_settings[] = {
    { .key = "configuration", .type = SETTING_PATH,
      .offset = offsetof(struct case_file, configuration_path),
      .doc = "What is tried, unless -c says otherwise." },
};

static const struct settings_block file_block = {
    .kind = "",
    .settings = file_settings,
    .count = sizeof file_settings / sizeof file_settings[0],
};

static const struct settings_block *const all_blocks[] = { &file_block, &test_block };

/* ---- A file. */

static const struct test_case *find_case(const struct case_file *file, const char *name)
{
    for (size_t i = 0; i < file->case_count; i++)
        if (strcmp(file->cases[i].name, name) == 0)
            return &file->cases[i];
    return NULL;
}

static void check_case(const struct settings_reader *reader, const struct test_case *test)
{
    if (test->tls != NULL && trial_tls_version(test->tls) == NULL)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", test->at,
                        "tls takes 1.0, 1.1, 1.2 or 1.3, not \"%s\"", test->tls);
}

static void read_case(const struct settings_reader *reader, struct case_file *file,
                      const struct statement *statement)
{
    const struct word *words = statement->words;
    struct test_case *test = &file->cases[file->case_count];
    struct zone_problem nothing = { .line = 0 };
    const struct test_case *same;

    if (!statement->has_block || statement->word_count != 2) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "test.form", words[0].at,
                        "a test is written so: test NAME { from ...; rcpt ...; expect ...; }");
        return;
    }
    same = find_case(file, words[1].text.data);
    if (same != NULL)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.duplicate", words[1].at,
                        "there is a test \"%s\" already, on line %u", same->name, same->at.line);
    test->name = words[1].text.data;
    test->at = words[0].at;
    text_init(&test->content, TEXT_MAX_LENGTH);
    test->zone = zone_new(SLICE_EMPTY, &nothing);
    file->case_count++;
    settings_read(reader, &test_block, statement->children, statement->child_count, words[0].at,
                  test);
    check_case(reader, test);
}

static void read_file(struct case_file *file, struct diagnostics *diagnostics)
{
    struct settings_reader reader = {
        .sources = file->sources,
        .diagnostics = diagnostics,
        .blocks = all_blocks,
        .block_count = sizeof all_blocks / sizeof all_blocks[0],
    };
    const struct syntax_tree *tree = &file->tree;

    settings_read(&reader, &file_block, tree->statements, tree->statement_count,
                  (struct position){ .path = file->path }, file);
    file->cases = mem_new_array(tree->statement_count + 1, sizeof *file->cases);
    for (size_t i = 0; i < tree->statement_count; i++)
        if (statement_has_word(&tree->statements[i], 0, "test"))
            read_case(&reader, file, &tree->statements[i]);
}

bool case_file_open(struct case_file *file, const char *path)
{
    struct diagnostics diagnostics;
    bool is_good;

    *file = (struct case_file){ .sources = sources_new(disk_fetch, NULL), .path = path };
    diagnostics_init(&diagnostics);
    if (syntax_parse(&file->tree, file->sources, path, &diagnostics))
        read_file(file, &diagnostics);
    is_good = diagnostics.error_count == 0;
    configuration_print_errors(&diagnostics);
    diagnostics_clear(&diagnostics);
    return is_good;
}

void case_file_close(struct case_file *file)
{
    for (size_t i = 0; i < file->case_count; i++) {
        struct test_case *test = &file->cases[i];

        mem_free(test->recipients.items);
        mem_free(test->tags.items);
        text_clear(&test->content);
        zone_free(&test->zone);
    }
    mem_free(file->cases);
    syntax_clear(&file->tree);
    sources_free(&file->sources);
}

/* ---- One case. */

bool case_try(const struct test_case *test, const struct configuration *configuration,
              struct ruling *ruling, struct text *problem)
{
    struct trial_mail mail = {
        .sender = test->sender,
        .recipients = test->recipients.items,
        .recipient_count = test->recipients.count,
        .client = test->client,
        .helo = test->helo,
        .listener = test->listener,
        .tls = test->tls,
        .content = text_slice(&test->content),
        .has_content = test->has_content,
    };
    struct bench bench;
    struct trial trial;
    bool is_done = false;

    if (bench_open(&bench, configuration, test->zone, problem) &&
        trial_run(&trial, &bench, &mail, problem)) {
        ruling_init(ruling, &trial);
        trial_clear(&trial);
        is_done = true;
    }
    bench_close(&bench);
    return is_done;
}

static const char *verdict_word(const struct test_case *test)
{
    enum record_verdict verdict = (enum record_verdict)test->verdict;

    return verdict == RECORD_VERDICT_NONE ? RULING_UNDECIDED : record_verdict_name(verdict);
}

static void join(struct text *out, const struct case_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        text_add_format(out, "%s%s", i > 0 ? "," : "", words->items[i]);
}

/* "none" is for what is empty. */
static bool is_as_wished(const char *wish, const char *got)
{
    return wish == NULL || strcmp(strcmp(wish, "none") == 0 ? "" : wish, got) == 0;
}

bool case_is_met(const struct test_case *test, const struct ruling *ruling)
{
    struct text tags;
    bool is_met;

    text_init(&tags, TEXT_MAX_LENGTH);
    join(&tags, &test->tags);
    is_met = strcmp(verdict_word(test), ruling->verdict) == 0 &&
             is_as_wished(test->reason, ruling->reason) &&
             is_as_wished(test->phase, ruling->phase) &&
             is_as_wished(test->shadow, ruling->shadow) &&
             (!test->tags.is_given || is_as_wished(text_string(&tags), ruling->tags));
    text_clear(&tags);
    return is_met;
}

void case_print_wish(struct text *out, const struct test_case *test)
{
    text_add_string(out, verdict_word(test));
    if (test->reason != NULL)
        text_add_format(out, " by %s", test->reason);
    if (test->phase != NULL)
        text_add_format(out, " at %s", test->phase);
    if (test->tags.is_given) {
        text_add_string(out, ", tags ");
        join(out, &test->tags);
    }
    if (test->shadow != NULL)
        text_add_format(out, ", shadow %s", test->shadow);
}
