/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMARC with hostile From fields, records and signatures. The first line of the input is
 * the From field, the second the domain that SPF is about, the third the domains that
 * signed, parted by tabs; each further line is an answer, which goes round to the
 * questions in their order: "F" a failure, "N" no name, "0" no record, and otherwise
 * records parted by tabs.
 *
 * Whatever is answered: it ends after three rounds at most, within the ceilings, with a
 * finding that does not contradict itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checks/dmarc.h"
#include "answers_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_RECORDS 10
#define MAX_SIGNATURES 20
/* The walk from the author, those from SPF and the signatures, also those early; existence. */
#define MAX_QUESTIONS (DMARC_MAX_QUERIES * (2 * DMARC_MAX_WALKS + 2) + 1)
#define MAX_ROUNDS 3

static struct dns_answer *make_answer(enum dns_type type, struct slice line)
{
    struct dns_record records[MAX_RECORDS] = { { .preference = 0 } };
    size_t count = 0;

    (void)type; /* DMARC asks for TXT, and whether a name exists */
    while (count < MAX_RECORDS && slice_next(&line, '\t', &records[count].bytes))
        count++;
    return dns_answer_new(DNS_FOUND, records, count);
}

static void expect_sound(const struct dmarc_finding *finding)
{
    bool is_error = finding->result == RESULT_TEMPERROR || finding->result == RESULT_PERMERROR;
    bool is_aligned = finding->is_spf_aligned || finding->is_dkim_aligned;

    fuzz_require(finding->result != RESULT_NOT_RUN);
    fuzz_require((finding->problem != NULL) == is_error);
    fuzz_require((finding->result == RESULT_PASS) == is_aligned);
    fuzz_require(finding->result != RESULT_FAIL || finding->record_domain != NULL);
    fuzz_require(finding->policy == DMARC_POLICY_NONE || finding->record_domain != NULL);
    fuzz_require((finding->author == DMARC_AUTHOR_ONE) == (finding->domain != NULL));
    if (finding->organization == NULL)
        return;
    /* It is the end of the author's domain. */
    fuzz_require(strlen(finding->organization) <= strlen(finding->domain));
    fuzz_require(strcmp(finding->domain + strlen(finding->domain) - strlen(finding->organization),
                   finding->organization) == 0);
}

static void evaluate(const struct dmarc_question *question, struct slice lines)
{
    struct dns_answers *answers = dns_answers_new(MAX_QUESTIONS + 1);
    struct dmarc_finding finding = { .result = RESULT_NOT_RUN };
    struct slice rest = lines;
    size_t rounds = 0;

    while (dmarc_evaluate(question, answers, &finding) == DMARC_MISSING_ANSWERS) {
        fuzz_require(dns_answers_is_waiting(answers) && ++rounds <= MAX_ROUNDS);
        fuzz_answer_in_turn(answers, lines, &rest, make_answer);
    }
    fuzz_require(dns_answers_count(answers) <= MAX_QUESTIONS);
    expect_sound(&finding);
    dmarc_finding_clear(&finding);
    dns_answers_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice lines = { (const char *)data, size };
    struct dmarc_signature signatures[MAX_SIGNATURES];
    struct spf_finding spf = { .result = RESULT_PASS };
    struct mailbox_list from = { 0 };
    struct dmarc_question question = { .from = &from, .spf = &spf, .signatures = signatures };
    struct slice line, word;

    if (!slice_next(&lines, '\n', &line))
        return 0;
    mailbox_list_parse(&from, line);
    question.from_field_count = 1;
    if (slice_next(&lines, '\n', &line) && line.length > 0)
        spf.domain = mem_copy(line);
    (void)slice_next(&lines, '\n', &line);
    while (question.signature_count < MAX_SIGNATURES && slice_next(&line, '\t', &word)) {
        bool is_late = slice_has_prefix(word, SLICE("?"));
        struct dmarc_signature *one = &signatures[question.signature_count++];

        one->domain = is_late ? slice_from_offset(word, 1) : word;
        one->result = is_late ? RESULT_TEMPERROR : RESULT_PASS;
    }
    evaluate(&question, lines);
    spf_finding_clear(&spf);
    mailbox_list_clear(&from);
    return 0;
}
