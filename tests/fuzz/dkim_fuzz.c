/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message whose key record is the first line of the input: every key asked for is
 * that one. In whatever pieces it comes, the finding must be the same, and clean.
 */
#include <stdint.h>

#include "checks/dkim.h"
#include "signed_fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dkim_library *library;

static void take(void *check, const struct message *message, struct slice piece)
{
    dkim_check_take(check, message, piece);
}

static void end(void *check, const struct message *message)
{
    dkim_check_end(check, message);
}

static bool verify(struct slice content, struct slice record, size_t piece,
                   struct dkim_finding *finding)
{
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct dkim_check *check = dkim_check_new(library, &settings, 1600000000);
    struct dns_answers *answers = dns_answers_new(20);
    const struct fuzz_check to = { check, take, end };
    bool is_good = fuzz_stream(&to, content, piece);

    if (is_good && !dkim_check_conclude(check, answers, finding)) {
        fuzz_answer_all(answers, record);
        fuzz_require(dkim_check_conclude(check, answers, finding));
    }
    dns_answers_free(&answers);
    dkim_check_free(&check);
    return is_good;
}

static void expect_clean(const struct dkim_signature *signature)
{
    fuzz_expect_domain(signature->domain);
    fuzz_expect_domain(signature->selector);
    fuzz_require((signature->reason == NULL) == (signature->result == RESULT_PASS));
    fuzz_require(signature->result != RESULT_NOT_RUN && signature->result != RESULT_NONE);
    for (const char *c = signature->identity; c != NULL && *c != '\0'; c++)
        fuzz_require(ascii_is_printable(*c));
    if (signature->result == RESULT_PASS)
        fuzz_require(signature->domain != NULL && signature->algorithm != NULL &&
                signature->key_bits >= 256);
}

static void expect_same(const struct dkim_finding *a, const struct dkim_finding *b)
{
    fuzz_require(a->result == b->result && a->signature_count == b->signature_count);
    for (size_t i = 0; i < a->signature_count; i++)
        fuzz_require(a->signatures[i].reason == b->signatures[i].reason);
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
