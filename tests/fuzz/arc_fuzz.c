/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message whose key record is the first line of the input: every key asked for is
 * that one. In whatever pieces it comes, the finding must be the same, and clean.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checks/arc.h"
#include "mail/domain.h"

#define MAX_FIELDS 300
#define MAX_SETS 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void answer_all(struct dns_answers *answers, struct slice record)
{
    struct dns_record records[] = { { .bytes = record } };
    struct dns_question question;

    while (dns_answers_take_wanted(answers, &question))
        dns_answers_put(answers, &question, dns_answer_new(DNS_FOUND, records, 1));
}

/* False when the message itself is refused. */
static bool stream(struct arc_check *check, struct slice content, size_t piece)
{
    struct message_limits limits = { .max_header_bytes = 65536, .max_header_fields = MAX_FIELDS };
    struct spool_budget budget = { .max_bytes = 1 << 24 };
    struct message message;
    bool is_good = true;

    message_init(&message, &limits, &budget);
    while (is_good && content.length > 0) {
        struct slice bytes = slice_until(content, piece);

        is_good = message_append(&message, bytes) == MESSAGE_OK;
        if (is_good)
            arc_check_take(check, &message, bytes);
        content = slice_from_offset(content, piece);
    }
    if (is_good && message_end(&message) == MESSAGE_OK)
        arc_check_end(check, &message);
    else
        is_good = false;
    message_clear(&message);
    return is_good;
}

static bool verify(struct slice content, struct slice record, size_t piece,
                   struct arc_finding *finding)
{
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct arc_check *check = arc_check_new(&settings, MAX_SETS, 1600000000);
    struct dns_answers *answers = dns_answers_new(20);
    bool is_good = stream(check, content, piece);

    if (is_good && !arc_check_conclude(check, answers, finding)) {
        answer_all(answers, record);
        require(arc_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    arc_check_free(&check);
    return is_good;
}

static void expect_domain(const char *domain)
{
    struct text form;

    text_init(&form, DOMAIN_MAX_BYTES);
    require(domain_normalise(slice_from(domain), &form) == DOMAIN_OK);
    require(slice_equals(text_slice(&form), slice_from(domain)));
    text_clear(&form);
}

static void expect_clean(const struct arc_finding *finding)
{
    bool is_bad = finding->result == RESULT_FAIL || finding->result == RESULT_TEMPERROR;

    require(is_bad || finding->result == RESULT_PASS || finding->result == RESULT_NONE);
    require(is_bad == (finding->reason != NULL) && is_bad == (finding->problem != NULL));
    require(finding->set_count <= ARC_MAX_SETS && finding->sealer_count <= finding->set_count);
    for (size_t i = 0; i < finding->sealer_count; i++)
        expect_domain(finding->sealers[i]);
    if (finding->result == RESULT_PASS)
        require(finding->set_count > 0 && finding->set_count <= MAX_SETS &&
                finding->sealer_count == finding->set_count);
    if (finding->result == RESULT_NONE)
        require(finding->set_count == 0 && finding->sealer_count == 0);
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
        require(whole.result == pieces.result && whole.reason == pieces.reason &&
                whole.set_count == pieces.set_count);
        arc_finding_clear(&pieces);
    }
    arc_finding_clear(&whole);
    return 0;
}
