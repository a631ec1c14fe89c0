/* SPDX-License-Identifier: BSD-2-Clause */
/* checks/dmarc: what the cases in tests/cases/dmarc do not show: records as text, and ceilings. */
#include <stdio.h>

#include "checks/dmarc.h"
#include "unit.h"

/* ---- Records. */

static const struct {
    const char *text;
    bool is_record;
    enum dmarc_policy policy, subdomain_policy, missing_policy;
    enum dmarc_psd psd;
    bool is_spf_strict, is_dkim_strict, is_testing, is_useless;
} records[] = {
    { "v=DMARC1", true, 0, 0, 0, 0, false, false, false, false },
    { "v=DMARC1;", true, 0, 0, 0, 0, false, false, false, false },
    { "V\t=\tDMARC1\t;\tP\t=\tREJECT", true, 2, 2, 2, 0, false, false, false, false },
    { "v=DMARC1;p=reject;sp=none", true, 2, 0, 0, 0, false, false, false, false },
    { "v=DMARC1;p=reject;np=none", true, 2, 2, 0, 0, false, false, false, false },
    { "v=DMARC1;sp=quarantine;np=reject", true, 0, 1, 2, 0, false, false, false, false },
    { "v=DMARC1;psd=y;t=y;adkim=s;aspf=s", true, 0, 0, 0, 1, true, true, true, false },
    { "v=DMARC1;psd=n;t=n;adkim=r;aspf=r", true, 0, 0, 0, 2, false, false, false, false },
    { "v=DMARC1;psd=x;t=x;adkim=x;aspf=x", true, 0, 0, 0, 0, false, false, false, false },
    { "v=DMARC1;p=", true, 0, 0, 0, 0, false, false, false, true },
    { "v=DMARC1;p=reject;np=x", true, 0, 0, 0, 0, false, false, false, true },
    { "v=DMARC1;p=reject;np=x;rua= , mailto:a@b!10m", true, 0, 0, 0, 0, false, false, false,
      false },
    { "v=DMARC1;p=x;rua=:a,mailto:,1x:y,a b:c", true, 0, 0, 0, 0, false, false, false, true },
    { "v=DMARC1;p=re\001ject", true, 0, 0, 0, 0, false, false, false, true },
    { "", false, 0, 0, 0, 0, false, false, false, false },
    { "v", false, 0, 0, 0, 0, false, false, false, false },
    { "v=", false, 0, 0, 0, 0, false, false, false, false },
    { " v=DMARC1", false, 0, 0, 0, 0, false, false, false, false },
    { ";v=DMARC1", false, 0, 0, 0, 0, false, false, false, false },
    { "v;v=DMARC1", false, 0, 0, 0, 0, false, false, false, false },
    { "v=DMARC1 p=reject", false, 0, 0, 0, 0, false, false, false, false },
    { "vv=DMARC1", false, 0, 0, 0, 0, false, false, false, false },
    { "v=spf1 -all", false, 0, 0, 0, 0, false, false, false, false },
};

START_TEST(record_says_what_it_says)
{
    struct dmarc_record record;
    const char *text = records[_i].text;

    ck_assert_msg(dmarc_record_parse(slice_from(text), &record) == records[_i].is_record, "%s",
                  text);
    if (!records[_i].is_record)
        return;
    ck_assert_msg(record.policy == records[_i].policy, "%s: p", text);
    ck_assert_msg(record.subdomain_policy == records[_i].subdomain_policy, "%s: sp", text);
    ck_assert_msg(record.missing_policy == records[_i].missing_policy, "%s: np", text);
    ck_assert_msg(record.psd == records[_i].psd, "%s: psd", text);
    ck_assert_msg(record.is_spf_strict == records[_i].is_spf_strict, "%s: aspf", text);
    ck_assert_msg(record.is_dkim_strict == records[_i].is_dkim_strict, "%s: adkim", text);
    ck_assert_msg(record.is_testing == records[_i].is_testing, "%s: t", text);
    ck_assert_msg(record.is_useless == records[_i].is_useless, "%s: useless", text);
}
END_TEST

START_TEST(policy_goes_down_by_one)
{
    ck_assert_int_eq(dmarc_policy_weaken(DMARC_POLICY_REJECT), DMARC_POLICY_QUARANTINE);
    ck_assert_int_eq(dmarc_policy_weaken(DMARC_POLICY_QUARANTINE), DMARC_POLICY_NONE);
    ck_assert_int_eq(dmarc_policy_weaken(DMARC_POLICY_NONE), DMARC_POLICY_NONE);
    ck_assert_str_eq(dmarc_policy_word(DMARC_POLICY_QUARANTINE), "quarantine");
}
END_TEST

/* ---- Ceilings. */

#define SIGNATURE_COUNT 100

/* Every name below example.org has a record that speaks for itself alone. */
static void answer_all(struct dns_answers *answers)
{
    const struct dns_record record = { .bytes = SLICE("v=DMARC1; p=reject") };
    const struct dns_record own = { .bytes = SLICE("v=DMARC1; psd=n") };
    struct dns_question question;

    while (dns_answers_take_wanted(answers, &question)) {
        bool is_top = slice_equals(slice_from(question.name), SLICE("_dmarc.example.org"));

        dns_answers_put(answers, &question,
                        dns_answer_new(DNS_FOUND, is_top ? &record : &own, 1));
    }
}

START_TEST(many_signatures_cost_no_more_than_ten)
{
    static char names[SIGNATURE_COUNT][80];
    struct dmarc_signature signatures[SIGNATURE_COUNT];
    struct spf_finding spf = { .result = RESULT_NONE };
    struct mailbox_list from = { 0 };
    struct dmarc_question question = {
        .from = &from, .from_field_count = 1, .spf = &spf, .signatures = signatures
    };
    struct dmarc_finding finding = { .result = RESULT_NOT_RUN };
    struct dns_answers *answers = dns_answers_new(1000);

    for (size_t i = 0; i < SIGNATURE_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "a.b.c.d.e.f.g.x%zu.example.org", i);
        signatures[i] = (struct dmarc_signature){ slice_from(names[i]), RESULT_PASS };
    }
    question.signature_count = SIGNATURE_COUNT;
    mailbox_list_parse(&from, SLICE("a@example.org"));
    while (dmarc_evaluate(&question, answers, &finding) == DMARC_MISSING_ANSWERS)
        answer_all(answers);
    ck_assert_int_eq(finding.result, RESULT_FAIL);
    ck_assert_uint_le(dns_answers_count(answers), 2 + DMARC_MAX_WALKS * DMARC_MAX_QUERIES);
    dmarc_finding_clear(&finding);
    mailbox_list_clear(&from);
    dns_answers_free(&answers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dmarc");
    TCase *record_case = tcase_create("records");
    TCase *ceiling_case = tcase_create("ceilings");

    tcase_add_loop_test(record_case, record_says_what_it_says, 0, (int)COUNT(records));
    tcase_add_test(record_case, policy_goes_down_by_one);
    suite_add_tcase(suite, record_case);
    tcase_add_test(ceiling_case, many_signatures_cost_no_more_than_ten);
    suite_add_tcase(suite, ceiling_case);
    return unit_run(suite);
}
