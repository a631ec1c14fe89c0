/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF with hostile records and answers. The first line of the input is the client, HELO
 * and sender; each further line is an answer, which goes round to the questions in the
 * order in which they are asked: "F" a failure, "N" no name, "0" no record, and
 * otherwise records parted by tabs, as the type of the question reads them.
 *
 * Whatever is answered: it ends, after a bounded number of rounds and questions, within
 * the limits of RFC 7208 4.6.4, and what is told of it is clean. A second run over the
 * same answers finds the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checks/spf.h"
#include "checks/spf_run.h"
#include "answers_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_RECORDS 30
/*
 * Ten terms that count, each with ten names; the names of the client; what each of eleven records
 * may want early; the record itself and an explanation.
 */
#define MAX_QUESTIONS (10 * 11 + 11 + 11 * 10 + 2)
#define MAX_ROUNDS 40

/* What is no address is one all the same, so that answers of names are not lost on it. */
static void read_address(struct slice data, bool is_v4, struct ip_address *address)
{
    if (!ip_parse(data, address))
        fuzz_require(ip_parse(is_v4 ? SLICE("192.0.2.1") : SLICE("2001:db8::1"), address));
}

static void set_record(struct dns_record *record, struct text *bytes, enum dns_type type,
                       struct slice data)
{
    text_init(bytes, 70000);
    *record = (struct dns_record){ .preference = 10 };
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        read_address(data, type == DNS_TYPE_A, &record->address);
    } else if (type == DNS_TYPE_TXT) {
        text_add(bytes, data);
    } else if (!dns_name_normalise(data, bytes)) {
        text_reset(bytes);
    }
    record->bytes = text_slice(bytes);
}

static struct dns_answer *make_answer(enum dns_type type, struct slice line)
{
    struct dns_record records[MAX_RECORDS];
    struct text bytes[MAX_RECORDS];
    struct dns_answer *answer;
    struct slice data;
    size_t count = 0;

    for (; count < MAX_RECORDS && slice_next(&line, '\t', &data); count++)
        set_record(&records[count], &bytes[count], type, data);
    answer = dns_answer_new(DNS_FOUND, records, count);
    for (size_t i = 0; i < count; i++)
        text_clear(&bytes[i]);
    return answer;
}

static void expect_clean(const char *text, size_t max_length)
{
    if (text == NULL)
        return;
    fuzz_require(text[0] != '\0' && strlen(text) <= max_length);
    for (; *text != '\0'; text++)
        fuzz_require(ascii_is_printable(*text));
}

static void expect_sound(const struct spf_finding *finding)
{
    bool is_error = finding->result == RESULT_TEMPERROR || finding->result == RESULT_PERMERROR;

    fuzz_require(finding->result != RESULT_NOT_RUN && finding->result != RESULT_POLICY);
    fuzz_require((finding->problem != NULL) == is_error);
    fuzz_require(finding->explanation == NULL || finding->result == RESULT_FAIL);
    fuzz_require(finding->mechanism == NULL || !is_error);
    expect_clean(finding->domain, 255);
    expect_clean(finding->mechanism, 255);
    expect_clean(finding->problem, 400);
    expect_clean(finding->explanation, SPF_EXPLANATION_MAX_BYTES);
}

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The walk itself, for the counters that a finding does not show. */
static void expect_within_limits(const struct spf_question *question, struct dns_answers *answers)
{
    struct spf_run run;

    spf_run_init(&run, question, answers, SLICE("postmaster"), SLICE("example.org"));
    (void)spf_check_host(&run, SLICE("example.org"));
    fuzz_require(run.lookups <= SPF_MAX_LOOKUPS + 1);
    fuzz_require(run.void_lookups <= question->max_void_lookups + 1);
    fuzz_require(run.work <= SPF_MAX_WORK && run.depth == 0);
    spf_run_clear(&run);
}

static void evaluate(const struct spf_question *question, struct slice lines)
{
    struct dns_answers *answers = dns_answers_new(MAX_QUESTIONS + 1);
    struct spf_finding finding = { .result = RESULT_NOT_RUN };
    struct spf_finding again = { .result = RESULT_NOT_RUN };
    struct slice rest = lines;
    size_t rounds = 0;

    while (spf_evaluate(question, answers, &finding) == SPF_MISSING_ANSWERS) {
        fuzz_require(dns_answers_is_waiting(answers) && ++rounds <= MAX_ROUNDS);
        fuzz_answer_in_turn(answers, lines, &rest, make_answer);
    }
    fuzz_require(dns_answers_count(answers) <= MAX_QUESTIONS);
    expect_sound(&finding);
    fuzz_require(spf_evaluate(question, answers, &again) == SPF_DONE);
    fuzz_require(again.result == finding.result && is_same(again.problem, finding.problem) &&
            is_same(again.mechanism, finding.mechanism) &&
            is_same(again.explanation, finding.explanation));
    expect_within_limits(question, answers);
    spf_finding_clear(&finding);
    spf_finding_clear(&again);
    dns_answers_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice lines = { (const char *)data, size };
    struct spf_question question = { .wants_explanation = true,
                                     .now_s = 1700000000,
                                     .max_void_lookups = SPF_DEFAULT_VOID_LOOKUPS };
    struct slice line, word;

    if (!slice_next(&lines, '\n', &line) || !slice_next(&line, '\t', &word))
        return 0;
    read_address(word, true, &question.client);
    (void)slice_next(&line, '\t', &question.helo);
    (void)slice_next(&line, '\t', &question.sender_local);
    (void)slice_next(&line, '\t', &question.sender_domain);
    evaluate(&question, lines);
    return 0;
}
