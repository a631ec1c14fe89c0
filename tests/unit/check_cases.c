/* SPDX-License-Identifier: BSD-2-Clause */
/* Cases of the checks, as files; see check_cases.h. */
#include "check_cases.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "unit.h"

#define MAX_FILE_BYTES (4u << 20)
#define MAX_WORDS 24
#define MAX_RECORDS 2000
#define MAX_ALIASES 8

struct word {
    char name[24];
    struct text value;
};

struct check_case {
    char name[300];
    struct word words[MAX_WORDS];
    size_t word_count;
};

static struct check_case *cases;
static size_t case_count;
static size_t case_capacity;
static case_run_fn run_one;

/* ---- Files. */

static void read_whole(const char *path, struct text *out)
{
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t length;

    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(EXIT_FAILURE);
    }
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(out, (struct slice){ block, length });
    fclose(file);
}

/* one->word_count when there is none. */
static size_t find_word(const struct check_case *one, struct slice name)
{
    size_t i = 0;

    while (i < one->word_count && !slice_equals(slice_from(one->words[i].name), name))
        i++;
    return i;
}

static struct word *set_word(struct check_case *one, struct slice name)
{
    size_t place = find_word(one, name);
    struct word *word = &one->words[place];

    if (place < one->word_count) {
        if (!slice_equals(name, SLICE("zone")))
            text_reset(&word->value);
        return word;
    }
    if (one->word_count == MAX_WORDS || name.length >= sizeof word->name) {
        fprintf(stderr, "%s: what is \"%.*s\"?\n", one->name, SLICE_ARGS(name));
        exit(EXIT_FAILURE);
    }
    one->word_count++;
    memcpy(word->name, name.data, name.length);
    text_init(&word->value, MAX_FILE_BYTES);
    return word;
}

static struct check_case *add_case(const char *path, struct slice name,
                                   const struct check_case *common)
{
    struct check_case *one;

    cases = mem_grow(cases, case_count, &case_capacity, sizeof *cases);
    one = &cases[case_count++];
    *one = (struct check_case){ .word_count = 0 };
    snprintf(one->name, sizeof one->name, "%s: %.*s", path, SLICE_ARGS(name));
    for (size_t i = 0; i < common->word_count; i++)
        text_add(&set_word(one, slice_from(common->words[i].name))->value,
                 text_slice(&common->words[i].value));
    return one;
}

static void add_line(struct word *word, struct slice line)
{
    if (word->value.length > 0)
        text_add_byte(&word->value, '\n');
    text_add(&word->value, line);
}

static void read_cases(const char *path)
{
    struct check_case common = { .word_count = 0 };
    struct check_case *current = &common;
    struct word *word = NULL;
    struct text file;
    struct slice rest, line;
    size_t colon;

    text_init(&file, MAX_FILE_BYTES);
    read_whole(path, &file);
    rest = text_slice(&file);
    while (slice_next(&rest, '\n', &line)) {
        if (slice_has_prefix(line, SLICE("== "))) {
            current = add_case(path, slice_from_offset(line, 3), &common);
            word = NULL;
        } else if (line.length > 0 && line.data[0] == ' ' && word != NULL) {
            add_line(word, slice_trim(line));
        } else if (line.length > 0 && line.data[0] != '#') {
            if (!slice_find_byte(line, ':', &colon)) {
                fprintf(stderr, "%s: no word in \"%.*s\"\n", path, SLICE_ARGS(line));
                exit(EXIT_FAILURE);
            }
            word = set_word(current, slice_until(line, colon));
            line = slice_trim(slice_from_offset(line, colon + 1));
            if (line.length > 0)
                add_line(word, line);
        }
    }
    for (size_t i = 0; i < common.word_count; i++)
        text_clear(&common.words[i].value);
    text_clear(&file);
}

struct slice case_word(const struct check_case *one, const char *name)
{
    size_t place = find_word(one, slice_from(name));

    return place < one->word_count ? text_slice(&one->words[place].value) : SLICE_EMPTY;
}

bool case_has(const struct check_case *one, const char *name)
{
    return find_word(one, slice_from(name)) < one->word_count;
}

const char *case_name(const struct check_case *one)
{
    return one->name;
}

/* ---- The zone. */

/* \DDD is a byte, \ and another character is that one. */
static void add_unescaped(struct text *out, struct slice s)
{
    for (size_t i = 0; i < s.length; i++) {
        if (s.data[i] == '\\' && i + 3 < s.length && ascii_is_digit(s.data[i + 1])) {
            text_add_byte(out, (char)((s.data[i + 1] - '0') * 100 + (s.data[i + 2] - '0') * 10 +
                                      (s.data[i + 3] - '0')));
            i += 3;
        } else if (s.data[i] == '\\' && i + 1 < s.length) {
            text_add_byte(out, s.data[++i]);
        } else {
            text_add_byte(out, s.data[i]);
        }
    }
}

/* "one" "two": the strings of a TXT record, one behind the other. */
static void add_strings(struct text *out, struct slice data)
{
    size_t start = 0;
    bool is_inside = false;

    for (size_t i = 0; i < data.length; i++) {
        if (is_inside && data.data[i] == '\\') {
            i++;
        } else if (data.data[i] == '"') {
            if (is_inside)
                add_unescaped(out, slice_from_offset(slice_until(data, i), start));
            is_inside = !is_inside;
            start = i + 1;
        }
    }
}

static void add_name(struct text *out, struct slice name)
{
    if (!dns_name_normalise(name, out))
        text_reset(out);
}

static void set_record(struct dns_record *record, struct text *bytes, enum dns_type type,
                       struct slice data)
{
    struct slice word;
    uint64_t preference = 0;

    text_init(bytes, MAX_FILE_BYTES);
    *record = (struct dns_record){ .preference = 0 };
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        ck_assert_msg(ip_parse(data, &record->address), "no address: %.*s", SLICE_ARGS(data));
    } else if (type == DNS_TYPE_TXT) {
        add_strings(bytes, data);
    } else {
        if (type == DNS_TYPE_MX && slice_next(&data, ' ', &word))
            ck_assert(number_parse(word, UINT16_MAX, &preference));
        record->preference = (uint16_t)preference;
        add_name(bytes, data);
    }
    record->bytes = text_slice(bytes);
}

struct lookup {
    struct dns_record records[MAX_RECORDS];
    struct text bytes[MAX_RECORDS];
    size_t count;
    bool has_name;
    bool is_failed;
    struct text alias;
};

/* Everything that the zone says of one name and type. */
static void look_up(struct lookup *lookup, struct slice zone, struct slice name, enum dns_type type)
{
    struct slice line, owner, word;
    struct text owner_form;

    text_init(&owner_form, DNS_NAME_MAX_BYTES);
    while (slice_next(&zone, '\n', &line)) {
        size_t start;

        if (!slice_next(&line, ' ', &owner) || !slice_next(&line, ' ', &word))
            continue;
        text_reset(&owner_form);
        add_name(&owner_form, owner);
        start = owner_form.length - name.length;
        if (owner_form.length > name.length &&
            slice_equals(slice_from_offset(text_slice(&owner_form), start), name))
            lookup->has_name = lookup->has_name || owner_form.data[start - 1] == '.';
        if (!slice_equals(text_slice(&owner_form), name))
            continue;
        lookup->has_name = true;
        if (slice_equals(word, SLICE("FAIL"))) {
            lookup->is_failed = true;
        } else if (slice_equals(word, slice_from(dns_type_word(type)))) {
            ck_assert_uint_lt(lookup->count, MAX_RECORDS);
            set_record(&lookup->records[lookup->count], &lookup->bytes[lookup->count], type, line);
            lookup->count++;
        } else if (slice_equals(word, SLICE("CNAME"))) {
            text_reset(&lookup->alias);
            add_name(&lookup->alias, line);
        }
    }
    text_clear(&owner_form);
}

static struct dns_answer *make_answer(struct lookup *lookup)
{
    if (lookup->count > 0)
        return dns_answer_new(DNS_FOUND, lookup->records, lookup->count);
    if (lookup->is_failed)
        return dns_answer_new_failed("timeout");
    return dns_answer_new(lookup->has_name ? DNS_NO_DATA : DNS_NO_NAME, NULL, 0);
}

static struct dns_answer *answer_from(struct slice zone, const struct dns_question *question)
{
    struct lookup *lookup = mem_new(sizeof *lookup);
    struct dns_answer *answer;
    struct text name;
    size_t hops = 0;

    text_init(&name, DNS_NAME_MAX_BYTES);
    text_init(&lookup->alias, DNS_NAME_MAX_BYTES);
    text_add_string(&name, question->name);
    do {
        if (lookup->alias.length > 0) {
            text_reset(&name);
            text_add(&name, text_slice(&lookup->alias));
            text_reset(&lookup->alias);
        }
        lookup->has_name = false;
        look_up(lookup, zone, text_slice(&name), question->type);
    } while (lookup->count == 0 && lookup->alias.length > 0 && ++hops < MAX_ALIASES);
    lookup->is_failed = lookup->is_failed || hops == MAX_ALIASES;
    answer = make_answer(lookup);
    for (size_t i = 0; i < lookup->count; i++)
        text_clear(&lookup->bytes[i]);
    text_clear(&lookup->alias);
    text_clear(&name);
    mem_free(lookup);
    return answer;
}

size_t case_answer(const struct check_case *one, struct dns_answers *answers)
{
    struct dns_question question;
    size_t count = 0;

    while (dns_answers_take_wanted(answers, &question)) {
        dns_answers_put(answers, &question, answer_from(case_word(one, "zone"), &question));
        count++;
    }
    return count;
}

/* ---- Running. */

START_TEST(case_ends_as_it_says)
{
    ck_assert_msg(case_has(&cases[_i], "why"), "%s: no why", cases[_i].name);
    run_one(&cases[_i]);
}
END_TEST

static void read_folder(const char *folder)
{
    const char *source_folder = getenv("POSTERN_SRCDIR");
    glob_t found;

    if (chdir(source_folder != NULL ? source_folder : ".") != 0 || chdir(folder) != 0 ||
        glob("[0-9]*.case", 0, NULL, &found) != 0) {
        fprintf(stderr, "no cases in %s; set POSTERN_SRCDIR to the source folder\n", folder);
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        read_cases(found.gl_pathv[i]);
    globfree(&found);
}

int check_cases_main(int argc, char **argv, const char *name, const char *folder, case_run_fn run)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("cases");
    int status;

    run_one = run;
    for (int i = 1; i < argc; i++)
        read_cases(argv[i]);
    if (argc < 2)
        read_folder(folder);
    tcase_add_loop_test(tcase, case_ends_as_it_says, 0, (int)case_count);
    suite_add_tcase(suite, tcase);
    status = unit_run(suite);
    for (size_t i = 0; i < case_count; i++)
        for (size_t k = 0; k < cases[i].word_count; k++)
            text_clear(&cases[i].words[k].value);
    mem_free(cases);
    return status;
}
