/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checks/spf: the cases of tests/cases/spf, or of the files named. Words of a case:
 * client, helo, sender (empty: the null sender); want (several: any of these will do),
 * and where it matters domain, mechanism, problem, explanation ("-": none) and rounds,
 * the most that may be needed.
 */
#include <stdio.h>

#include "base/number.h"
#include "check_cases.h"
#include "checks/spf.h"
#include "unit.h"

/* More than any evaluation may ask. */
#define MAX_QUESTIONS 200
#define MAX_ROUNDS 30

static struct spf_question question_of(const struct check_case *one)
{
    struct slice sender = case_word(one, "sender");
    struct spf_question question = {
        .helo = case_word(one, "helo"),
        .receiver = case_word(one, "receiver"),
        .now_s = 1700000000,
        .wants_explanation = case_has(one, "explanation"),
        .max_void_lookups = SPF_DEFAULT_VOID_LOOKUPS,
    };
    size_t at;

    ck_assert_msg(ip_parse(case_word(one, "client"), &question.client), "%s: no client",
                  case_name(one));
    if (slice_find_last_byte(sender, '@', &at)) {
        question.sender_local = slice_until(sender, at);
        question.sender_domain = slice_from_offset(sender, at + 1);
    }
    return question;
}

static void expect_word(const struct check_case *one, const char *word, const char *got)
{
    struct slice want = case_word(one, word);
    struct slice have = got != NULL ? slice_from(got) : SLICE("-");

    ck_assert_msg(!case_has(one, word) || slice_equals(have, want),
                  "%s: %s: got \"%.*s\", want \"%.*s\"", case_name(one), word, SLICE_ARGS(have),
                  SLICE_ARGS(want));
}

static void expect_result(const struct check_case *one, const struct spf_finding *finding)
{
    struct slice rest = case_word(one, "want");
    struct slice word;
    bool is_wanted = false;

    while (slice_next(&rest, ' ', &word))
        is_wanted = is_wanted || slice_equals(word, slice_from(result_word(finding->result)));
    rest = case_word(one, "want");
    ck_assert_msg(is_wanted, "%s: got %s (%s), want %.*s", case_name(one),
                  result_word(finding->result),
                  finding->problem != NULL ? finding->problem : "no problem", SLICE_ARGS(rest));
}

static void run(const struct check_case *one)
{
    struct spf_question question = question_of(one);
    struct dns_answers *answers = dns_answers_new(MAX_QUESTIONS);
    struct spf_finding finding = { .result = RESULT_NOT_RUN };
    uint64_t rounds = 0, max_rounds = MAX_ROUNDS;

    while (spf_evaluate(&question, answers, &finding) == SPF_MISSING_ANSWERS) {
        ck_assert_msg(case_answer(one, answers) > 0, "%s: nothing is wanted", case_name(one));
        rounds++;
        ck_assert_msg(rounds <= MAX_ROUNDS, "%s: no end", case_name(one));
    }
    expect_result(one, &finding);
    expect_word(one, "domain", finding.domain);
    expect_word(one, "mechanism", finding.mechanism);
    expect_word(one, "problem", finding.problem);
    expect_word(one, "explanation", finding.explanation);
    ck_assert(!case_has(one, "rounds") || number_parse(case_word(one, "rounds"), 99, &max_rounds));
    ck_assert_msg(rounds <= max_rounds, "%s: %d rounds", case_name(one), (int)rounds);
    if (getenv("POSTERN_SHOW_ROUNDS") != NULL)
        fprintf(stderr, "%d rounds, %zu questions: %s\n", (int)rounds, dns_answers_count(answers),
                case_name(one));
    spf_finding_clear(&finding);
    dns_answers_free(&answers);
}

int main(int argc, char **argv)
{
    return check_cases_main(argc, argv, "spf cases", "tests/cases/spf", run);
}
