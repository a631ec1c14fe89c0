/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message whose key record is the first line of the input: every key asked for is
 * that one. In whatever pieces it comes, the finding must be the same, and clean.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checks/dkim.h"
#include "mail/domain.h"

#define MAX_FIELDS 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dkim_library *library;

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
static bool stream(struct dkim_check *check, struct slice content, size_t piece)
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
            dkim_check_take(check, &message, bytes);
        content = slice_from_offset(content, piece);
    }
    if (is_good && message_end(&message) == MESSAGE_OK)
        dkim_check_end(check, &message);
    else
        is_good = false;
    message_clear(&message);
    return is_good;
}

static bool verify(struct slice content, struct slice record, size_t piece,
                   struct dkim_finding *finding)
{
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct dkim_check *check = dkim_check_new(library, &settings, 1600000000);
    struct dns_answers *answers = dns_answers_new(20);
    bool is_good = stream(check, content, piece);

    if (is_good && !dkim_check_conclude(check, answers, finding)) {
        answer_all(answers, record);
        require(dkim_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    dkim_check_free(&check);
    return is_good;
}

static void expect_domain(const char *domain)
{
    struct text form;

    if (domain == NULL)
        return;
    text_init(&form, DOMAIN_MAX_BYTES);
    require(domain_normalise(slice_from(domain), &form) == DOMAIN_OK);
    require(slice_equals(text_slice(&form), slice_from(domain)));
    text_clear(&form);
}

static void expect_clean(const struct dkim_signature *signature)
{
    expect_domain(signature->domain);
    expect_domain(signature->selector);
    require((signature->reason == NULL) == (signature->result == RESULT_PASS));
    require(signature->result != RESULT_NOT_RUN && signature->result != RESULT_NONE);
    for (const char *c = signature->identity; c != NULL && *c != '\0'; c++)
        require(ascii_is_printable(*c));
    if (signature->result == RESULT_PASS)
        require(signature->domain != NULL && signature->algorithm != NULL &&
                signature->key_bits >= 256);
}

static void expect_same(const struct dkim_finding *a, const struct dkim_finding *b)
{
    require(a->result == b->result && a->signature_count == b->signature_count);
    for (size_t i = 0; i < a->signature_count; i++)
        require(a->signatures[i].reason == b->signatures[i].reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = { (const char *)data, size };
    struct dkim_finding whole;
    struct dkim_finding pieces;
    struct slice record;

    if (library == NULL)
        library = dkim_library_new();
    if (!slice_next(&content, '\n', &record) || !verify(content, record, 65536, &whole))
        return 0;
    for (size_t i = 0; i < whole.signature_count; i++)
        expect_clean(&whole.signatures[i]);
    if (verify(content, record, 5, &pieces)) {
        expect_same(&whole, &pieces);
        dkim_finding_clear(&pieces);
    }
    dkim_finding_clear(&whole);
    return 0;
}
