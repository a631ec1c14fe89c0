/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks found; see finding.h. */
#include "evidence/finding.h"

#include "base/memory.h"

const char *result_word(enum check_result result)
{
    static const char *const words[RESULT_COUNT] = {
        [RESULT_NOT_RUN] = "-",           [RESULT_NONE] = "none",
        [RESULT_PASS] = "pass",           [RESULT_FAIL] = "fail",
        [RESULT_SOFTFAIL] = "softfail",   [RESULT_NEUTRAL] = "neutral",
        [RESULT_POLICY] = "policy",       [RESULT_TEMPERROR] = "temperror",
        [RESULT_PERMERROR] = "permerror",
    };

    return words[result];
}

const char *dmarc_policy_word(enum dmarc_policy policy)
{
    static const char *const words[DMARC_POLICY_COUNT] = {
        [DMARC_POLICY_NONE] = "none",
        [DMARC_POLICY_QUARANTINE] = "quarantine",
        [DMARC_POLICY_REJECT] = "reject",
    };

    return words[policy];
}

void spf_finding_clear(struct spf_finding *finding)
{
    mem_free(finding->domain);
    mem_free(finding->mechanism);
    mem_free(finding->problem);
    mem_free(finding->explanation);
    *finding = (struct spf_finding){ .result = RESULT_NOT_RUN };
}

void dmarc_finding_clear(struct dmarc_finding *finding)
{
    mem_free(finding->domain);
    mem_free(finding->record_domain);
    mem_free(finding->organization);
    mem_free(finding->problem);
    *finding = (struct dmarc_finding){ .result = RESULT_NOT_RUN };
}

void dkim_signature_clear(struct dkim_signature *signature)
{
    mem_free(signature->domain);
    mem_free(signature->selector);
    mem_free(signature->identity);
    *signature = (struct dkim_signature){ .result = RESULT_NOT_RUN };
}

void dkim_finding_clear(struct dkim_finding *finding)
{
    for (size_t i = 0; i < finding->signature_count; i++)
        dkim_signature_clear(&finding->signatures[i]);
    mem_free(finding->signatures);
    *finding = (struct dkim_finding){ .result = RESULT_NOT_RUN };
}

void arc_finding_clear(struct arc_finding *finding)
{
    for (size_t i = 0; i < finding->sealer_count; i++)
        mem_free(finding->sealers[i]);
    mem_free(finding->sealers);
    *finding = (struct arc_finding){ .result = RESULT_NOT_RUN };
}

void arc_finding_print_problem(const struct arc_finding *finding, struct text *out)
{
    if (finding->problem == NULL)
        return;
    text_add_format(out, "%s (%s", finding->problem, finding->problem_field);
    if (finding->problem_instance > 0)
        text_add_format(out, " %zu", finding->problem_instance);
    text_add_byte(out, ')');
}

void findings_clear(struct findings *findings)
{
    spf_finding_clear(&findings->spf);
    spf_finding_clear(&findings->spf_helo);
    dkim_finding_clear(&findings->dkim);
    dmarc_finding_clear(&findings->dmarc);
    arc_finding_clear(&findings->arc);
    findings->done = 0;
}

enum check_result findings_result(const struct findings *findings, enum check_id check)
{
    if ((findings->done & CHECK_BIT(check)) == 0)
        return RESULT_NOT_RUN;
    switch (check) {
    case CHECK_SPF: return findings->spf.result;
    case CHECK_SPF_HELO: return findings->spf_helo.result;
    case CHECK_DKIM: return findings->dkim.result;
    case CHECK_DMARC: return findings->dmarc.result;
    case CHECK_ARC: return findings->arc.result;
    }
    return RESULT_NOT_RUN;
}
