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
