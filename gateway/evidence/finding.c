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

void spf_finding_clear(struct spf_finding *finding)
{
    mem_free(finding->domain);
    mem_free(finding->mechanism);
    mem_free(finding->problem);
    mem_free(finding->explanation);
    *finding = (struct spf_finding){ .result = RESULT_NOT_RUN };
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
