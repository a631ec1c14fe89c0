/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message whose key record is the first line of the input: every key asked for is
 * that one. In whatever pieces it comes, the finding must be the same, and clean.
 */
#include <stdint.h>

#include "checks/arc.h"
#include "signed_fuzz.h"

#define MAX_SETS 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *check, const struct message *message, struct slice piece)
{
    arc_check_take(check, message, piece);
}

static void end(void *check, const struct message *message)
{
    arc_check_end(check, message);
}

static bool verify(struct slice content, struct slice record, size_t piece,
                   struct arc_finding *finding)
{
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct arc_check *check = arc_check_new(&settings, MAX_SETS, 1600000000);
    struct dns_answers *answers = dns_answers_new(20);
    const struct fuzz_check to = { check, take, end };
    bool is_good = fuzz_stream(&to, content, piece);

    if (is_good && !arc_check_conclude(check, answers, finding)) {
        fuzz_answer_all(answers, record);
        fuzz_require(arc_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    arc_check_free(&check);
    return is_good;
}

static void expect_clean(const struct arc_finding *finding)
{
    bool is_bad = finding->result == RESULT_FAIL || finding->result == RESULT_TEMPERROR;

    fuzz_require(is_bad || finding->result == RESULT_PASS || finding->result == RESULT_NONE);
    fuzz_require(is_bad == (finding->reason != NULL) && is_bad == (finding->problem != NULL));
    fuzz_require(finding->set_count <= ARC_MAX_SETS && finding->sealer_count <= finding->set_count);
    for (size_t i = 0; i < finding->sealer_count; i++)
        fuzz_expect_domain(finding->sealers[i]);
    if (finding->result == RESULT_PASS)
        fuzz_require(finding->set_count > 0 && finding->set_count <= MAX_SETS &&
                finding->sealer_count == finding->set_count);
    if (finding->result == RESULT_NONE)
        fuzz_require(finding->set_count == 0 && finding->sealer_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = { (const char *)data, size };
    struct arc_finding whole;
    struct arc_finding pieces;
    struct slice record;

    if (!slice_next(&content, '\n', &record) || !verify(content, record, 65536, &whole))
        return 0;
    expect_clean(&whole);
    if (verify(content, record, 5, &pieces)) {
        fuzz_require(whole.result == pieces.result && whole.reason == pieces.reason &&
                whole.set_count == pieces.set_count);
        arc_finding_clear(&pieces);
    }
    arc_finding_clear(&whole);
    return 0;
}
