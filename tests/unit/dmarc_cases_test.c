/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checks/dmarc: the cases of tests/cases/dmarc, or of the files named. Words of a case:
 * from (the field's value; a second line is a second field), spf and dkim (lines of a
 * result and a domain), want, and where it matters policy, testing, record, organization,
 * aligned ("spf", "dkim", "spf dkim", "-"), author, problem, rounds and questions, the
 * most that may be needed. With suffixes, a list of public suffixes, organizations are
 * known by that, and else by the tree walk.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "check_cases.h"
#include "checks/dmarc.h"
#include "unit.h"

#define MAX_QUESTIONS 200
#define MAX_SIGNATURES 30
#define MAX_ROUNDS 5

static enum check_result read_result(struct slice word)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        if (slice_equals(word, slice_from(result_word((enum check_result)i))))
            return (enum check_result)i;
    ck_abort_msg("%.*s is no result", SLICE_ARGS(word));
}

static size_t read_from(const struct check_case *one, struct mailbox_list *from)
{
    struct slice lines = case_word(one, "from");
    struct slice line;
    size_t count = 0;

    *from = (struct mailbox_list){ 0 };
    while (slice_next(&lines, '\n', &line)) {
        mailbox_list_clear(from);
        mailbox_list_parse(from, line);
        count++;
    }
    return count;
}

static size_t read_signatures(const struct check_case *one, struct dmarc_signature *signatures)
{
    struct slice lines = case_word(one, "dkim");
    struct slice line, word;
    size_t count = 0;

    while (slice_next(&lines, '\n', &line) && slice_next(&line, ' ', &word)) {
        ck_assert_uint_lt(count, MAX_SIGNATURES);
        signatures[count].result = read_result(word);
        signatures[count++].domain = line;
    }
    return count;
}

static void read_spf(const struct check_case *one, struct spf_finding *spf)
{
    struct slice line = case_word(one, "spf");
    struct slice word;

    *spf = (struct spf_finding){ .result = RESULT_NONE };
    if (!slice_next(&line, ' ', &word))
        return;
    spf->result = read_result(word);
    spf->domain = mem_copy(line);
}

static void expect_word(const struct check_case *one, const char *word, const char *got)
{
    struct slice want = case_word(one, word);
    struct slice have = got != NULL ? slice_from(got) : SLICE("-");

    ck_assert_msg(!case_has(one, word) || slice_equals(have, want),
                  "%s: %s: got \"%.*s\", want \"%.*s\"", case_name(one), word, SLICE_ARGS(have),
                  SLICE_ARGS(want));
}

static const char *aligned_word(const struct dmarc_finding *finding)
{
    if (finding->is_spf_aligned)
        return finding->is_dkim_aligned ? "spf dkim" : "spf";
    return finding->is_dkim_aligned ? "dkim" : "-";
}

static void expect_finding(const struct check_case *one, const struct dmarc_finding *finding)
{
    static const char *const authors[] = {
        [DMARC_AUTHOR_ONE] = "one",
        [DMARC_AUTHOR_NONE] = "none",
        [DMARC_AUTHOR_SEVERAL] = "several",
        [DMARC_AUTHOR_MALFORMED] = "malformed",
    };

    expect_word(one, "want", result_word(finding->result));
    expect_word(one, "policy", dmarc_policy_word(finding->policy));
    expect_word(one, "testing", finding->is_testing ? "yes" : "no");
    expect_word(one, "aligned", aligned_word(finding));
    expect_word(one, "author", authors[finding->author]);
    expect_word(one, "domain", finding->domain);
    expect_word(one, "record", finding->record_domain);
    expect_word(one, "organization", finding->organization);
    expect_word(one, "problem", finding->problem);
}

static void expect_at_most(const struct check_case *one, const char *word, size_t got)
{
    uint64_t max;

    if (!case_has(one, word))
        return;
    ck_assert(number_parse(case_word(one, word), 1000, &max));
    ck_assert_msg(got <= max, "%s: %zu %s, at most %d", case_name(one), got, word, (int)max);
}

static void run(const struct check_case *one)
{
    struct dmarc_signature signatures[MAX_SIGNATURES];
    struct spf_finding spf;
    struct mailbox_list from;
    struct dmarc_question question = { .from = &from, .spf = &spf, .signatures = signatures };
    struct dns_answers *answers = dns_answers_new(MAX_QUESTIONS);
    struct dmarc_finding finding = { .result = RESULT_NOT_RUN };
    size_t rounds = 0;
    struct suffix_list *suffixes = suffix_list_new(case_word(one, "suffixes"));

    ck_assert_msg((suffixes != NULL) == case_has(one, "suffixes"), "%s: no list of suffixes",
                  case_name(one));
    question.suffixes = suffixes;
    question.from_field_count = read_from(one, &from);
    question.signature_count = read_signatures(one, signatures);
    read_spf(one, &spf);
    while (dmarc_evaluate(&question, answers, &finding) == DMARC_MISSING_ANSWERS) {
        ck_assert_msg(case_answer(one, answers) > 0, "%s: nothing is wanted", case_name(one));
        ck_assert_msg(++rounds <= MAX_ROUNDS, "%s: no end", case_name(one));
    }
    ck_assert_msg(case_has(one, "want"), "%s: no want", case_name(one));
    expect_finding(one, &finding);
    expect_at_most(one, "rounds", rounds);
    expect_at_most(one, "questions", dns_answers_count(answers));
    dmarc_finding_clear(&finding);
    spf_finding_clear(&spf);
    suffix_list_free(&suffixes);
    mailbox_list_clear(&from);
    dns_answers_free(&answers);
}

int main(int argc, char **argv)
{
    return check_cases_main(argc, argv, "dmarc cases", "tests/cases/dmarc", run);
}
