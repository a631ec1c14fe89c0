/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages with what must be found in them; see message_cases.h. */
#include "message_cases.h"

#include <dirent.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"

#define MAX_CASES 300

static void (*verify_case)(struct message_case *message);
static char folder[1000];
static char *names[MAX_CASES]; /* without ".expected" */
static size_t name_count;

static void read_file(const char *name, const char *ending, struct text *out)
{
    char path[1500];
    char bytes[4096];
    size_t count;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        text_add(out, (struct slice){ bytes, count });
    fclose(file);
}

static void add_with_crlf(struct text *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        if (bytes.data[i] == '\n')
            text_add_byte(out, '\r');
        text_add_byte(out, bytes.data[i]);
    }
}

static uint64_t number_of(struct slice word)
{
    uint64_t number;

    ck_assert_msg(number_parse(word, UINT32_MAX, &number), "no number: %.*s", SLICE_ARGS(word));
    return number;
}

static enum dkim_length_policy length_policy_of(struct slice word)
{
    if (slice_equals(word, SLICE("accept")))
        return DKIM_LENGTH_ACCEPT;
    return slice_equals(word, SLICE("refuse")) ? DKIM_LENGTH_REFUSE : DKIM_LENGTH_IGNORE;
}

/* True when the line is one of the head. */
static bool take_setting(struct slice line, struct message_case *message)
{
    struct dkim_settings *settings = &message->settings;
    struct slice word;

    if (line.length == 0 || line.data[0] == '#')
        return true;
    (void)slice_next(&line, ' ', &word);
    if (slice_equals(word, SLICE("now")))
        message->now_s = number_of(line);
    else if (slice_equals(word, SLICE("length")))
        settings->length_policy = length_policy_of(line);
    else if (slice_equals(word, SLICE("min-rsa-bits")))
        settings->min_rsa_bits = (unsigned int)number_of(line);
    else if (slice_equals(word, SLICE("max-signatures")))
        settings->max_signatures = (size_t)number_of(line);
    else if (slice_equals(word, SLICE("max-sets")))
        message->max_sets = (size_t)number_of(line);
    else
        return false;
    return true;
}

START_TEST(messages_give_what_their_case_expects)
{
    struct message_case message = { .name = names[_i], .settings = DKIM_SETTINGS_DEFAULT,
                                    .max_sets = 10, .now_s = 1600000000 };
    struct text file, expected;
    struct slice rest;
    struct slice line;

    text_init(&file, 1 << 22);
    text_init(&message.content, 1 << 22);
    text_init(&message.zone, 1 << 20);
    text_init(&expected, 1 << 20);
    text_init(&message.got, 1 << 20);
    read_file(message.name, ".eml", &file);
    add_with_crlf(&message.content, text_slice(&file));
    read_file(message.name, ".zone", &message.zone);
    read_file(message.name, ".expected", &expected);
    rest = text_slice(&expected);
    for (struct slice next = rest; slice_next(&next, '\n', &line); rest = next)
        if (!take_setting(line, &message))
            break;
    verify_case(&message);
    unit_expect_text(message.name, &message.got, rest);
    text_clear(&file);
    text_clear(&message.content);
    text_clear(&message.zone);
    text_clear(&expected);
    text_clear(&message.got);
}
END_TEST

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_cases(const char *suite, const char *variable)
{
    const char *named = getenv(variable);
    const char *source = getenv("POSTERN_SRCDIR");
    DIR *entries;
    struct dirent *entry;

    if (named != NULL)
        snprintf(folder, sizeof folder, "%s", named);
    else
        snprintf(folder, sizeof folder, "%s/tests/cases/%s", source != NULL ? source : ".",
                 suite);
    entries = opendir(folder);
    while (entries != NULL && (entry = readdir(entries)) != NULL && name_count < MAX_CASES) {
        struct text name;

        text_init(&name, 300);
        text_add_string(&name, entry->d_name);
        if (unit_ends_with(&name, SLICE(".expected")))
            names[name_count++] = mem_copy(slice_until(text_slice(&name),
                                                       name.length - sizeof ".expected" + 1));
        text_clear(&name);
    }
    if (entries != NULL)
        closedir(entries);
    qsort(names, name_count, sizeof names[0], by_name);
}

START_TEST(there_are_cases)
{
    ck_assert_msg(name_count > 0, "no cases in %s", folder);
}
END_TEST

int message_cases_run(const char *name, const char *variable,
                      void (*verify)(struct message_case *message))
{
    Suite *suite;
    TCase *cases = tcase_create("cases");
    char title[100];
    int status;

    snprintf(title, sizeof title, "%s: cases", name);
    suite = suite_create(title);
    verify_case = verify;
    find_cases(name, variable);
    tcase_add_test(cases, there_are_cases);
    tcase_add_loop_test(cases, messages_give_what_their_case_expects, 0, (int)name_count);
    suite_add_tcase(suite, cases);
    status = unit_run(suite);
    for (size_t i = 0; i < name_count; i++)
        mem_free(names[i]);
    return status;
}
