/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs cases of SPF (see spf_cases_test.c) through both engines, the second behind its
 * guard, and prints a line for each: "engines: ", the case, the result of the native
 * engine and that of libspf2, which may also be "guarded", "died" or "stalled".
 */
#include <string.h>

#include "check_cases.h"
#include "spf2_unit.h"

#define MAX_QUESTIONS 300
#define MAX_ROUNDS 30

static struct spf_question question_of(const struct check_case *one)
{
    struct slice sender = case_word(one, "sender");
    struct spf_question question = {
        .helo = case_word(one, "helo"),
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

/* Round by round, as answers are missing. */
static const char *ask_second(const struct check_case *one, const struct spf_question *question,
                              const struct spf_finding *native, struct dns_answers *answers)
{
    struct spf_second second = { .end = SPF_SECOND_MISSING };
    enum spf2_unit_end end = SPF2_ANSWERED;
    struct text request;

    text_init(&request, SPF_PARCEL_MAX_BYTES);
    for (int i = 0; end == SPF2_ANSWERED && second.end == SPF_SECOND_MISSING; i++) {
        text_reset(&request);
        end = spf_parcel_pack(question, native, answers, &request)
                  ? spf2_unit_ask(text_slice(&request), &second)
                  : SPF2_GUARDED;
        ck_assert_msg(i < MAX_ROUNDS, "%s: no end", case_name(one));
        if (end != SPF2_ANSWERED || second.end != SPF_SECOND_MISSING)
            break;
        ck_assert_msg(dns_answers_find(answers, slice_from(second.name), second.type) == NULL,
                      "%s: asks again for %s", case_name(one), second.name);
        case_answer(one, answers);
    }
    text_clear(&request);
    if (end == SPF2_GUARDED || second.end == SPF_SECOND_REFUSED)
        return "guarded";
    if (end != SPF2_ANSWERED)
        return end == SPF2_DIED ? "died" : "stalled";
    return second.end == SPF_SECOND_DONE ? result_word(second.result) : "permerror";
}

static void run(const struct check_case *one)
{
    struct spf_question question = question_of(one);
    struct dns_answers *answers = dns_answers_new(MAX_QUESTIONS);
    struct spf_finding native = { .result = RESULT_NOT_RUN };
    const char *word;

    while (spf_evaluate(&question, answers, &native) == SPF_MISSING_ANSWERS)
        ck_assert(case_answer(one, answers) > 0);
    word = ask_second(one, &question, &native, answers);
    printf("engines: %s %s %s\n", strrchr(case_name(one), ' ') + 1, result_word(native.result),
           word);
    spf_finding_clear(&native);
    dns_answers_free(&answers);
}

int main(int argc, char **argv)
{
    return check_cases_main(argc, argv, "spf engines", "tests/cases/spf", run);
}
