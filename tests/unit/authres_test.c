/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict/authres: what is written of the findings, and which fields that came are ours. */
#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "verdict/authres.h"

#define ID "mx.example.org"

/* ---- written ---- */

static char *own(const char *text)
{
    return (char *)(uintptr_t)text;
}

static char example_net[] = "example.net";
static char mechanism[] = "ip4:192.0.2.0/24";
static struct spf_finding spf_pass = {
    .result = RESULT_PASS, .domain = example_net, .mechanism = mechanism,
};

static void expect_printed(const char *what, const struct authres *authres, struct slice want)
{
    struct text got;

    text_init(&got, 20000);
    authres_print(&got, authres);
    unit_expect_text(what, &got, want);
    text_clear(&got);
}

START_TEST(nothing_run_is_none)
{
    struct authres authres = { .id = ID };

    expect_printed("none", &authres, SLICE("Authentication-Results: mx.example.org; none\r\n"));
}
END_TEST

START_TEST(each_method_says_what_it_looked_at)
{
    struct dkim_signature signatures[] = {
        { .result = RESULT_PASS, .domain = own("example.net"), .selector = own("a"),
          .identity = own("joe@example.net"), .algorithm = "rsa-sha256" },
        { .result = RESULT_FAIL, .domain = own("list.example"), .selector = own("b"),
          .reason = "body", .problem = "the body was changed", .algorithm = "ed25519-sha256",
          .is_testing = true },
        { .result = RESULT_NEUTRAL, .reason = "syntax", .problem = "it cannot be read" },
    };
    struct dkim_finding dkim = { .result = RESULT_PASS, .signatures = signatures,
                                 .signature_count = COUNT(signatures) };
    struct spf_finding helo = { .result = RESULT_NONE, .domain = own("mail.example.net") };
    struct authres authres = {
        .id = ID,
        .mail_from = SLICE("joe@example.net"),
        .helo = SLICE("mail.example.net"),
        .spf_mail = &spf_pass,
        .spf_helo = &helo,
        .dkim = &dkim,
        .dmarc = RESULT_PASS,
        .dmarc_domain = "example.net",
        .dmarc_policy = "reject",
        .arc = &(struct arc_finding){ .result = RESULT_NONE },
    };

    expect_printed("all", &authres, SLICE(
        "Authentication-Results: mx.example.org;\r\n"
        "\tdmarc=pass header.from=example.net policy.dmarc=reject;\r\n"
        "\tspf=pass smtp.mailfrom=joe@example.net;\r\n"
        "\tspf=none smtp.helo=mail.example.net;\r\n"
        "\tarc=none;\r\n"
        "\tdkim=pass header.d=example.net header.s=a header.i=joe@example.net\r\n"
        "\theader.a=rsa-sha256;\r\n"
        "\tdkim=fail (testing) reason=\"the body was changed\" header.d=list.example\r\n"
        "\theader.s=b header.a=ed25519-sha256;\r\n"
        "\tdkim=neutral reason=\"it cannot be read\"\r\n"));
}
END_TEST

START_TEST(of_a_chain_only_what_is_registered_is_said)
{
    char newest[] = "list.example";
    char oldest[] = "old.example";
    char *sealers[] = { newest, oldest };
    struct arc_finding arc = { .result = RESULT_PASS, .set_count = 2, .sealers = sealers,
                               .sealer_count = 2 };
    struct authres authres = { .id = ID, .arc = &arc };

    expect_printed("pass", &authres, SLICE("Authentication-Results: mx.example.org;\r\n"
                                           "\tarc=pass (i=2 d=list.example)\r\n"));
    arc.problem = "the key is revoked";
    arc.problem_field = "ARC-Seal";
    arc.problem_instance = 1;
    arc.result = RESULT_FAIL;
    expect_printed("fail", &authres, SLICE("Authentication-Results: mx.example.org;\r\n"
                                           "\tarc=fail reason=\"the key is revoked (ARC-Seal 1)\""
                                           "\r\n"));
    arc.problem = "the key could not be looked up";
    arc.problem_instance = 0;
    arc.result = RESULT_TEMPERROR;
    expect_printed("temperror", &authres,
                   SLICE("Authentication-Results: mx.example.org;\r\n"
                         "\tarc=fail reason=\"the key could not be looked up (ARC-Seal)\"\r\n"));
    arc.result = RESULT_NOT_RUN;
    expect_printed("not run", &authres, SLICE("Authentication-Results: mx.example.org; none\r\n"));
}
END_TEST

START_TEST(no_signature_is_dkim_none)
{
    struct dkim_finding dkim = { .result = RESULT_NONE };
    struct authres authres = { .id = ID, .dkim = &dkim };

    expect_printed("dkim", &authres, SLICE("Authentication-Results: mx.example.org;\r\n"
                                           "\tdkim=none\r\n"));
}
END_TEST

/* What a client chose as its sender, and what may be written of it. */
static const struct {
    struct slice sender;
    const char *want;
} senders[] = {
    { BYTES("joe@example.net"), "joe@example.net" },
    { BYTES("bounce+a=b@example.net"), "bounce+a=b@example.net" },
    { BYTES(""), "example.net" },
    { BYTES("\"a b\"@example.net"), "example.net" },
    { BYTES("a;dkim=pass@example.net"), "example.net" },
    { BYTES("a(c)@example.net"), "example.net" },
    { BYTES("a\r\nX-Evil: 1@example.net"), "example.net" },
    { BYTES("a\0@example.net"), "example.net" },
    { BYTES("j\xc3\xb6@example.net"), "example.net" },
    { BYTES("joe@exam ple.net"), "example.net" },
    { BYTES("joe@[192.0.2.1]"), "example.net" },
};

START_TEST(a_sender_is_written_only_in_harmless_forms)
{
    struct authres authres = { .id = ID, .mail_from = senders[_i].sender, .spf_mail = &spf_pass };
    struct text want;

    text_init(&want, 1000);
    text_add_format(&want, "Authentication-Results: " ID ";\r\n\tspf=pass smtp.mailfrom=%s\r\n",
                    senders[_i].want);
    expect_printed("sender", &authres, text_slice(&want));
    text_clear(&want);
}
END_TEST

/* Values that a zone or a greeting brought, as a property. */
static const struct {
    struct slice helo;
    const char *want; /* "" when it is left out */
} values[] = {
    { BYTES("mail.example.net"), " smtp.helo=mail.example.net" },
    { BYTES("[192.0.2.1]"), " smtp.helo=\"[192.0.2.1]\"" },
    { BYTES("a b"), " smtp.helo=\"a b\"" },
    { BYTES("a\"; dkim=pass"), " smtp.helo=\"a\\\"; dkim=pass\"" },
    { BYTES("a\\"), " smtp.helo=\"a\\\\\"" },
    { BYTES("(a"), " smtp.helo=\"(a\"" },
    { BYTES(""), "" },
    { BYTES("a\r\n b"), "" },
    { BYTES("a\tb"), "" },
    { BYTES("a\0b"), "" },
    { BYTES("\xc3\xb6"), "" },
    { BYTES("\x7f"), "" },
};

START_TEST(a_value_is_quoted_or_left_out)
{
    struct spf_finding helo = { .result = RESULT_FAIL };
    struct authres authres = { .id = ID, .helo = values[_i].helo, .spf_helo = &helo };
    struct text want;

    text_init(&want, 1000);
    text_add_format(&want, "Authentication-Results: " ID ";\r\n\tspf=fail%s\r\n", values[_i].want);
    expect_printed("value", &authres, text_slice(&want));
    text_clear(&want);
}
END_TEST

static void expect_short_lines(struct slice field, size_t max_bytes)
{
    struct slice line;

    while (slice_next(&field, '\n', &line))
        ck_assert_msg(line.length <= max_bytes + 1, "a line of %zu bytes: %.*s", line.length,
                      SLICE_ARGS(line));
}

START_TEST(a_field_has_a_ceiling_and_ends_whole)
{
    static char domain[251];
    struct dkim_signature signatures[100];
    struct dkim_finding dkim = { .result = RESULT_PASS, .signatures = signatures,
                                 .signature_count = COUNT(signatures) };
    struct authres authres = { .id = ID, .dkim = &dkim, .dmarc = RESULT_PASS };
    struct text got;

    memset(domain, 'a', sizeof domain - 1);
    for (size_t i = 0; i < COUNT(signatures); i++)
        signatures[i] = (struct dkim_signature){ .result = RESULT_PASS, .domain = domain,
                                                 .selector = domain, .algorithm = "rsa-sha256" };
    text_init(&got, 20000);
    authres_print(&got, &authres);
    ck_assert_uint_le(got.length, AUTHRES_MAX_BYTES);
    ck_assert_uint_gt(got.length, AUTHRES_MAX_BYTES - 700);
    ck_assert(unit_ends_with(&got, SLICE("\theader.a=rsa-sha256\r\n")));
    expect_short_lines(text_slice(&got), 998);
    ck_assert(memmem(got.data, got.length, "dmarc=pass", 10) != NULL);
    text_clear(&got);
}
END_TEST

START_TEST(received_spf_names_the_identity_that_was_checked)
{
    struct spf_finding helo = { .result = RESULT_PERMERROR, .problem = own("no \"such\" thing") };
    struct spf_finding not_run = { .result = RESULT_NOT_RUN };
    struct authres authres = { .id = ID, .mail_from = SLICE("j oe@example.net"),
                               .helo = SLICE("mail.example.net"), .spf_mail = &spf_pass,
                               .spf_helo = &helo };
    struct ip_address client;
    struct text got;

    text_init(&got, 4000);
    ck_assert(ip_parse(SLICE("2001:db8::1"), &client));
    authres_print_received_spf(&got, &authres, &client);
    unit_expect_text("mailfrom", &got, SLICE(
        "Received-SPF: pass receiver=mx.example.org; identity=mailfrom;\r\n"
        "\tclient-ip=\"2001:db8::1\"; envelope-from=\"j oe@example.net\";\r\n"
        "\thelo=mail.example.net; mechanism=\"ip4:192.0.2.0/24\";\r\n"));
    text_reset(&got);
    authres.spf_mail = &not_run;
    authres.mail_from = SLICE_EMPTY;
    ck_assert(ip_parse(SLICE("192.0.2.1"), &client));
    authres_print_received_spf(&got, &authres, &client);
    unit_expect_text("helo", &got, SLICE(
        "Received-SPF: permerror receiver=mx.example.org; identity=helo;\r\n"
        "\tclient-ip=192.0.2.1; helo=mail.example.net; problem=\"no \\\"such\\\" thing\";\r\n"));
    text_reset(&got);
    authres.spf_helo = NULL;
    authres_print_received_spf(&got, &authres, &client);
    unit_expect_text("neither", &got, SLICE_EMPTY);
    text_clear(&got);
}
END_TEST

/* All that a client and its DNS can do to make it long: no field may end in its middle. */
START_TEST(both_fields_fit_whatever_is_said_in_them)
{
    static char quotes[AUTHRES_MAX_VALUE_BYTES + 1], letters[AUTHRES_MAX_VALUE_BYTES + 1];
    struct slice said = { quotes, AUTHRES_MAX_VALUE_BYTES };
    struct dkim_signature signatures[50];
    struct dkim_finding dkim = { .result = RESULT_FAIL, .signatures = signatures,
                                 .signature_count = COUNT(signatures) };
    struct spf_finding spf = { .result = RESULT_FAIL, .domain = letters, .mechanism = quotes,
                               .problem = quotes };
    struct authres authres = { .id = ID, .mail_from = said, .helo = said, .spf_mail = &spf,
                               .spf_helo = &spf, .dkim = &dkim };
    struct ip_address client;
    struct text got;
    size_t first;

    memset(quotes, '"', sizeof quotes - 1);
    memset(letters, 'a', sizeof letters - 1);
    for (size_t i = 0; i < COUNT(signatures); i++)
        signatures[i] = (struct dkim_signature){ .result = RESULT_FAIL, .domain = letters,
                                                 .selector = letters };
    ck_assert(ip_parse(SLICE("2001:db8::1"), &client));
    text_init(&got, AUTHRES_BOTH_MAX_BYTES);
    authres_print(&got, &authres);
    first = got.length;
    authres_print_received_spf(&got, &authres, &client);
    ck_assert(!got.is_cut);
    ck_assert_uint_gt(first, AUTHRES_MAX_BYTES - 1000);
    ck_assert_uint_gt(got.length - first, 2000);
    ck_assert_str_eq(text_string(&got) + got.length - 4, "\";\r\n");
    text_clear(&got);
}
END_TEST

/* ---- read ---- */

static void read_cases(struct text *out)
{
    const char *source = getenv("POSTERN_SRCDIR");
    char path[1000];
    char bytes[4096];
    size_t count;
    FILE *file;

    snprintf(path, sizeof path, "%s/tests/cases/authres/00-whose.case",
             source != NULL ? source : ".");
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        text_add(out, (struct slice){ bytes, count });
    fclose(file);
}

/* \xHH is a byte, \\ a backslash; anything else is itself. */
static void unescape(struct text *out, struct slice written)
{
    for (size_t i = 0; i < written.length; i++) {
        char c = written.data[i];

        if (c == '\\' && i + 3 < written.length && written.data[i + 1] == 'x') {
            c = (char)(ascii_hex_value(written.data[i + 2]) << 4 |
                       ascii_hex_value(written.data[i + 3]));
            i += 3;
        } else if (c == '\\') {
            i++;
        }
        text_add_byte(out, c);
    }
}

static void expect_whose(struct slice line)
{
    bool want = slice_has_prefix(line, SLICE("ours "));
    struct text value;

    ck_assert(want || slice_has_prefix(line, SLICE("theirs ")));
    text_init(&value, 1000);
    unescape(&value, slice_from_offset(line, want ? sizeof "ours" : sizeof "theirs"));
    ck_assert_msg(authres_is_ours(text_slice(&value), SLICE(ID)) == want, "%.*s",
                  SLICE_ARGS(line));
    text_clear(&value);
}

START_TEST(fields_that_could_be_taken_for_ours_are_ours)
{
    struct text cases;
    struct slice rest;
    struct slice line;
    size_t count = 0;

    text_init(&cases, 1 << 20);
    read_cases(&cases);
    for (rest = text_slice(&cases); slice_next(&rest, '\n', &line);) {
        if (line.length == 0 || line.data[0] == '#')
            continue;
        expect_whose(line);
        count++;
    }
    ck_assert_uint_gt(count, 50);
    text_clear(&cases);
}
END_TEST

START_TEST(what_we_print_is_ours)
{
    struct authres authres = { .id = ID, .dmarc = RESULT_PASS };
    struct text field;

    text_init(&field, 1000);
    authres_print(&field, &authres);
    ck_assert(authres_is_ours(slice_from_offset(text_slice(&field), sizeof AUTHRES_FIELD),
                              SLICE(ID)));
    text_clear(&field);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("authres");
    TCase *written = tcase_create("written");
    TCase *read = tcase_create("read");

    tcase_add_test(written, nothing_run_is_none);
    tcase_add_test(written, each_method_says_what_it_looked_at);
    tcase_add_test(written, no_signature_is_dkim_none);
    tcase_add_test(written, of_a_chain_only_what_is_registered_is_said);
    tcase_add_loop_test(written, a_sender_is_written_only_in_harmless_forms, 0, COUNT(senders));
    tcase_add_loop_test(written, a_value_is_quoted_or_left_out, 0, COUNT(values));
    tcase_add_test(written, a_field_has_a_ceiling_and_ends_whole);
    tcase_add_test(written, both_fields_fit_whatever_is_said_in_them);
    tcase_add_test(written, received_spf_names_the_identity_that_was_checked);
    suite_add_tcase(suite, written);
    tcase_add_test(read, fields_that_could_be_taken_for_ours_are_ours);
    tcase_add_test(read, what_we_print_is_ours);
    suite_add_tcase(suite, read);
    return unit_run(suite);
}
