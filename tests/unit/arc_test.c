/* SPDX-License-Identifier: BSD-2-Clause */
/* checks/arc: canonical forms, single fields, the keys it asks for, and what it costs. */
#include "checks/arc.h"
#include "checks/canon.h"
#include "checks/dkim_claim.h"
#include "arc_unit.h"

/* ---- canonical forms ---- */

static void expect_digest_of(const char *what, const uint8_t *digest, struct slice want)
{
    uint8_t wanted[CRYPTO_SHA256_BYTES];

    crypto_sha256(want, wanted);
    ck_assert_msg(memcmp(digest, wanted, sizeof wanted) == 0, "%s: not hashed as \"%.*s\"", what,
                  SLICE_ARGS(want));
}

static const struct {
    const char *field, *simple, *relaxed; /* each with its CRLF */
} fields[] = {
    { "Subject: a", "Subject: a\r\n", "subject:a\r\n" },
    { "SUBJECT \t:\ta  b\t\tc  ", "SUBJECT \t:\ta  b\t\tc  \r\n", "subject:a b c\r\n" },
    { "X: a\r\n\tb\r\n  c", "X: a\r\n\tb\r\n  c\r\n", "x:a b c\r\n" },
    { "X:\r\n a\r\n ", "X:\r\n a\r\n \r\n", "x:a\r\n" },
    { "X:", "X:\r\n", "x:\r\n" },
    { "X: \t ", "X: \t \r\n", "x:\r\n" },
    { "X:a:b", "X:a:b\r\n", "x:a:b\r\n" },
};

START_TEST(fields_are_hashed_in_both_forms)
{
    for (int relaxed = 0; relaxed < 2; relaxed++) {
        uint8_t digest[CRYPTO_SHA256_BYTES];
        struct canon_hash hash;

        canon_hash_init(&hash);
        canon_hash_field(&hash, slice_from(fields[_i].field), relaxed != 0);
        canon_hash_take(&hash, digest);
        expect_digest_of(fields[_i].field, digest,
                         slice_from(relaxed != 0 ? fields[_i].relaxed : fields[_i].simple));
        canon_hash_clear(&hash);
    }
}
END_TEST

static const struct {
    const char *field, *simple, *relaxed;
} signatures[] = {
    { "S: a=1; b=xyz", "S: a=1; b=", "s:a=1; b=" },
    { "S: a=1; b=xyz; c=2", "S: a=1; b=; c=2", "s:a=1; b=; c=2" },
    { "S: b = x\r\n y ;bh=b", "S: b =;bh=b", "s:b =;bh=b" },
    { "S:b=x;", "S:b=;", "s:b=;" },
    { "S: B=x; bb=1", "S: B=; bb=1", "s:B=; bb=1" },
    { "S: bh=x; nb=1", "S: bh=x; nb=1", "s:bh=x; nb=1" },
    { "S:\r\n b=x=y=", "S:\r\n b=", "s:b=" },
};

START_TEST(a_signature_signs_itself_without_its_value)
{
    for (int relaxed = 0; relaxed < 2; relaxed++) {
        uint8_t digest[CRYPTO_SHA256_BYTES];
        struct canon_hash hash;
        struct text want;

        text_init(&want, 1000);
        text_add_format(&want, "x:1\r\n%s",
                        relaxed != 0 ? signatures[_i].relaxed : signatures[_i].simple);
        canon_hash_init(&hash);
        canon_hash_field(&hash, SLICE("x:1"), false);
        /* Twice: it must leave no trace. */
        for (int i = 0; i < 2; i++) {
            canon_hash_sign(&hash, slice_from(signatures[_i].field), relaxed != 0, digest);
            expect_digest_of(signatures[_i].field, digest, text_slice(&want));
        }
        canon_hash_take(&hash, digest);
        expect_digest_of("what came before", digest, SLICE("x:1\r\n"));
        canon_hash_clear(&hash);
        text_clear(&want);
    }
}
END_TEST

static const struct {
    const char *body, *simple, *relaxed;
} bodies[] = {
    { "", "\r\n", "" },
    { "\r\n\r\n", "\r\n", "" },
    { " \t\r\n", " \t\r\n", "" },
    { "a\r\n", "a\r\n", "a\r\n" },
    { "a \t b \r\n \r\n\r\n", "a \t b \r\n \r\n", "a b\r\n" },
    { " a\r\n\r\n\r\nb\r\n\r\n", " a\r\n\r\n\r\nb\r\n", " a\r\n\r\n\r\nb\r\n" },
    { "a\rb\nc\r\r\n", "a\rb\nc\r\r\n", "a\rb\nc\r\r\n" },
    { "a \rb\r\n", "a \rb\r\n", "a \rb\r\n" },
};

START_TEST(bodies_are_hashed_in_both_forms)
{
    for (int relaxed = 0; relaxed < 2; relaxed++) {
        struct slice want = slice_from(relaxed != 0 ? bodies[_i].relaxed : bodies[_i].simple);
        struct slice content = slice_from(bodies[_i].body);

        for (size_t limit = 0; limit <= want.length + 1; limit++) {
            for (size_t piece = 1; piece < 4; piece++) {
                uint8_t digest[CRYPTO_SHA256_BYTES];
                struct canon_body body;

                canon_body_init(&body, relaxed != 0, limit);
                for (struct slice rest = content; rest.length > 0;
                     rest = slice_from_offset(rest, piece))
                    canon_body_add(&body, slice_until(rest, piece));
                canon_body_take(&body, digest);
                expect_digest_of(bodies[_i].body, digest, slice_until(want, limit));
                ck_assert_uint_eq(body.hash.left_bytes > 0, limit > want.length);
                canon_body_clear(&body);
            }
        }
    }
}
END_TEST

START_TEST(long_runs_are_hashed_whole)
{
    for (size_t length = CANON_BUFFER_BYTES - 3; length < CANON_BUFFER_BYTES + 4; length++) {
        uint8_t digest[CRYPTO_SHA256_BYTES];
        struct canon_body body;
        struct text run;
        struct text twice;

        text_init(&run, 10000);
        text_init(&twice, 10000);
        for (size_t i = 0; i < length; i++)
            text_add_byte(&run, (char)('a' + i % 26));
        text_add_string(&run, "\r\n");
        canon_body_init(&body, true, UINT64_MAX);
        canon_body_add(&body, text_slice(&run));
        canon_body_add(&body, text_slice(&run));
        canon_body_take(&body, digest);
        text_add(&twice, text_slice(&run));
        text_add(&twice, text_slice(&run));
        expect_digest_of("runs", digest, text_slice(&twice));
        canon_body_clear(&body);
        text_clear(&run);
        text_clear(&twice);
    }
}
END_TEST

/* ---- single fields ---- */

static const struct {
    enum arc_part part;
    const char *value;
    const char *want; /* the reason's word, or i= and cv= */
} claims[] = {
    { ARC_PART_RESULTS, "i=1; mx.example; none", "1 0" },
    { ARC_PART_RESULTS, "\r\n i\t=\r\n 50 \r\n ;x", "50 0" },
    { ARC_PART_RESULTS, "I=2", "2 0" },
    { ARC_PART_RESULTS, "mx.example; i=1", "instance" },
    { ARC_PART_RESULTS, "i=1 (first); mx", "instance" },
    { ARC_PART_RESULTS, "", "instance" },
    { ARC_PART_SEAL, "i=1; cv=none; b=x", "1 0" },
    { ARC_PART_SEAL, "cv=Pass; i=02", "2 1" },
    { ARC_PART_SEAL, "i=3; cv=fail", "3 2" },
    { ARC_PART_SEAL, "i=3; cv=", "chain-value" },
    { ARC_PART_SEAL, "i=3", "chain-value" },
    { ARC_PART_SEAL, "cv=none", "instance" },
    { ARC_PART_SEAL, "i=51; cv=none", "too-many" },
    { ARC_PART_SEAL, "i=99999; cv=none", "instance" },
    { ARC_PART_SEAL, "i=0; cv=none", "instance" },
    { ARC_PART_SEAL, "i=1; cv=none; h=from", "seal-list" },
    { ARC_PART_SEAL, "i=1;; cv=none", "syntax" },
    { ARC_PART_MESSAGE, "i=1; h=from:to", "1 0" },
    { ARC_PART_MESSAGE, "i=1; h=from: ARC-Seal\r\n :to", "covers-seal" },
    { ARC_PART_MESSAGE, "i=1; i=2", "syntax" },
};

START_TEST(single_fields_are_read_strictly)
{
    struct arc_claim claim;
    struct text got;
    enum arc_reason reason = arc_claim_parse(&claim, claims[_i].part,
                                             slice_from(claims[_i].value));

    text_init(&got, 100);
    if (reason != ARC_REASON_NONE)
        text_add_string(&got, arc_reason_word(reason));
    else
        text_add_format(&got, "%u %d", claim.instance, (int)claim.chain_value);
    unit_expect_text(claims[_i].value, &got, slice_from(claims[_i].want));
    text_clear(&got);
}
END_TEST

START_TEST(every_reason_has_a_word_and_a_sentence)
{
    ck_assert_ptr_null(arc_reason_word(ARC_REASON_NONE));
    for (int i = 1; i < ARC_REASON_COUNT; i++) {
        ck_assert_ptr_nonnull(arc_reason_word((enum arc_reason)i));
        ck_assert_ptr_nonnull(arc_reason_text((enum arc_reason)i));
        for (int j = 1; j < i; j++)
            ck_assert_str_ne(arc_reason_word((enum arc_reason)i),
                             arc_reason_word((enum arc_reason)j));
    }
}
END_TEST

/* ---- the keys that it asks for ---- */

#define MESSAGE_SIGNATURE(i, domain)                                                       \
    "ARC-Message-Signature: i=" i "; a=rsa-sha256; c=relaxed/relaxed; d=" domain "; s=m;" \
    " h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
#define SET(i, cv, domain)                                                           \
    "ARC-Seal: i=" i "; a=rsa-sha256; cv=" cv "; d=" domain "; s=s; b=AAAA\r\n"      \
    MESSAGE_SIGNATURE(i, domain) "ARC-Authentication-Results: i=" i "; none\r\n"

START_TEST(keys_are_wanted_together_once_the_header_is_over)
{
    static const char content[] = SET("2", "pass", "b.example") SET("1", "none", "a.example")
        "From: joe@example.org\r\n\r\nbody\r\n";
    static const char *const wanted[] = { "m._domainkey.b.example", "s._domainkey.b.example",
                                          "s._domainkey.a.example" };
    struct message_limits limits = { .max_header_bytes = 65536, .max_header_fields = 100 };
    struct spool_budget budget = { .max_bytes = 1 << 24 };
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct arc_check *check = arc_check_new(&settings, 10, UNIT_NOW_S);
    struct dns_answers *answers = dns_answers_new(10);
    struct dns_question question;
    struct message message;
    size_t half = sizeof content - 1 - 4;

    message_init(&message, &limits, &budget);
    ck_assert_int_eq(message_append(&message, (struct slice){ content, half }), MESSAGE_OK);
    ck_assert(!arc_check_is_header_taken(check));
    arc_check_take(check, &message, (struct slice){ content, half });
    ck_assert(arc_check_is_header_taken(check));
    ck_assert(!arc_check_want_keys(check, answers));
    for (size_t i = 0; i < COUNT(wanted); i++) {
        ck_assert(dns_answers_take_wanted(answers, &question));
        ck_assert_str_eq(question.name, wanted[i]);
    }
    ck_assert(!dns_answers_take_wanted(answers, &question));
    dns_answers_free(&answers);
    arc_check_free(&check);
    ck_assert_ptr_null(check);
    arc_check_free(&check);
    message_clear(&message);
}
END_TEST

static const char *const hopeless[] = {
    "From: joe@example.org\r\n\r\n",
    SET("2", "pass", "b.example") "From: joe@example.org\r\n\r\n",
    SET("1", "fail", "a.example") "From: joe@example.org\r\n\r\n",
    SET("1", "none", "a.example") "From: joe@example.org\r\nFrom: x@example.org\r\n\r\n",
};

START_TEST(no_key_is_asked_for_where_none_can_help)
{
    struct dkim_settings settings = DKIM_SETTINGS_DEFAULT;
    struct message_limits limits = { .max_header_bytes = 65536, .max_header_fields = 100 };
    struct spool_budget budget = { .max_bytes = 1 << 24 };
    struct arc_check *check = arc_check_new(&settings, 10, UNIT_NOW_S);
    struct dns_answers *answers = dns_answers_new(10);
    struct arc_finding finding;
    struct message message;

    message_init(&message, &limits, &budget);
    ck_assert_int_eq(message_append(&message, slice_from(hopeless[_i])), MESSAGE_OK);
    arc_check_take(check, &message, slice_from(hopeless[_i]));
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);
    arc_check_end(check, &message);
    ck_assert(arc_check_conclude(check, answers, &finding));
    ck_assert_uint_eq(dns_answers_count(answers), 0);
    ck_assert_int_eq(finding.result, _i == 0 ? RESULT_NONE : RESULT_FAIL);
    arc_finding_clear(&finding);
    ck_assert_int_eq(finding.result, RESULT_NOT_RUN);
    dns_answers_free(&answers);
    arc_check_free(&check);
    message_clear(&message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arc");
    TCase *forms = tcase_create("forms");
    TCase *chains = tcase_create("chains");

    tcase_add_loop_test(forms, fields_are_hashed_in_both_forms, 0, COUNT(fields));
    tcase_add_loop_test(forms, a_signature_signs_itself_without_its_value, 0, COUNT(signatures));
    tcase_add_loop_test(forms, bodies_are_hashed_in_both_forms, 0, COUNT(bodies));
    tcase_add_test(forms, long_runs_are_hashed_whole);
    tcase_add_loop_test(chains, single_fields_are_read_strictly, 0, COUNT(claims));
    tcase_add_test(chains, every_reason_has_a_word_and_a_sentence);
    tcase_add_test(chains, keys_are_wanted_together_once_the_header_is_over);
    tcase_add_loop_test(chains, no_key_is_asked_for_where_none_can_help, 0, COUNT(hopeless));
    suite_add_tcase(suite, forms);
    suite_add_tcase(suite, chains);
    return unit_run(suite);
}
