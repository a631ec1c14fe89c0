/* SPDX-License-Identifier: BSD-2-Clause */
/* checks/spf_parcel and checks/spf2: what the guard lets through, and what libspf2 makes of it. */
#include <string.h>

#include "base/memory.h"
#include "spf2_unit.h"

#define MAX_QUESTIONS 300

static struct dns_answers *answers;
static struct text request;
static struct spf_question question;
/* Of an evaluation that came to its end. */
static const struct spf_finding settled = { .result = RESULT_FAIL,
                                            .domain = (char *)(uintptr_t) "example.org" };

static void set_up(void)
{
    answers = dns_answers_new(MAX_QUESTIONS);
    text_init(&request, SPF_PARCEL_MAX_BYTES);
    question = (struct spf_question){ .helo = SLICE("mx.example.org"),
                                      .sender_local = SLICE("anna"),
                                      .sender_domain = SLICE("example.org"),
                                      .max_void_lookups = SPF_DEFAULT_VOID_LOOKUPS };
    ck_assert(ip_parse(SLICE("192.0.2.1"), &question.client));
}

static void tear_down(void)
{
    dns_answers_free(&answers);
    text_clear(&request);
}

static void put(const char *name, enum dns_type type, const struct dns_record *records,
                size_t count)
{
    struct dns_question wanted;

    ck_assert_ptr_null(dns_answers_find(answers, slice_from(name), type));
    ck_assert(dns_answers_take_wanted(answers, &wanted));
    dns_answers_put(answers, &wanted, dns_answer_new(DNS_FOUND, records, count));
}

static void put_text(const char *name, struct slice text)
{
    const struct dns_record record = { .bytes = text };

    put(name, DNS_TYPE_TXT, &record, 1);
}

static bool pack(void)
{
    text_reset(&request);
    return spf_parcel_pack(&question, &settled, answers, &request);
}

/* What the library would be given for a TXT question. */
static void expect_text(const char *name, const char *want)
{
    struct spf_parcel parcel;
    const struct dns_answer *answer;

    ck_assert(pack());
    ck_assert(spf_parcel_unpack(text_slice(&request), &parcel));
    answer = dns_answers_find(parcel.answers, slice_from(name), DNS_TYPE_TXT);
    ck_assert_ptr_nonnull(answer);
    if (want != NULL) {
        ck_assert_uint_eq(answer->record_count, 1);
        ck_assert_msg(slice_equals(answer->records[0].bytes, slice_from(want)),
                      "got \"%.*s\", want \"%s\"", SLICE_ARGS(answer->records[0].bytes), want);
    } else {
        ck_assert_int_eq(answer->result, DNS_FAILED);
        ck_assert_str_eq(answer->problem, SPF_PARCEL_REFUSED);
    }
    spf_parcel_clear(&parcel);
}

static struct spf_second ask(void)
{
    struct spf_second second;
    enum spf2_unit_end end;

    ck_assert(pack());
    end = spf2_unit_ask(text_slice(&request), &second);
    ck_assert_msg(end == SPF2_ANSWERED, "it has %s", end == SPF2_DIED ? "died" : "stalled");
    return second;
}

static struct text repeated(const char *front, const char *piece, size_t count)
{
    struct text text;

    text_init(&text, 100000);
    text_add_string(&text, front);
    for (size_t i = 0; i < count; i++)
        text_add_string(&text, piece);
    return text;
}

/* ---- The guard. */

START_TEST(explanations_are_taken_out_and_redirect_goes_to_the_end)
{
    put_text("example.org", SLICE("v=spf1 exp=why.example.org redirect=b.example  a mx"));
    expect_text("example.org", "v=spf1 a mx redirect=b.example");
}
END_TEST

START_TEST(other_texts_are_not_given_away)
{
    const struct dns_record records[] = { { .bytes = SLICE("secret=1") },
                                          { .bytes = SLICE("v=spf1 -all") } };

    put("example.org", DNS_TYPE_TXT, records, 2);
    expect_text("example.org", "v=spf1 -all");
}
END_TEST

START_TEST(records_that_our_parser_refuses_are_kept_back)
{
    static const char *const records[] = {
        "v=spf1 a:%{", "v=spf1 nonsense:x -all", "v=spf1 ip4:1.2.3.4/33", "v=spf1 a:\xff.example",
        "v=spf1 redirect=a.example redirect=b.example",
    };
    char name[30];

    for (size_t i = 0; i < COUNT(records); i++) {
        snprintf(name, sizeof name, "bad-%zu.example", i);
        put_text(name, slice_from(records[i]));
        expect_text(name, NULL);
    }
}
END_TEST

START_TEST(records_above_two_kilobytes_are_kept_back)
{
    struct text good = repeated("v=spf1 -all", " ip4:192.0.2.1", 145);
    struct text bad = repeated("v=spf1 -all", " ip4:192.0.2.1", 146);

    ck_assert_uint_le(good.length, SPF_PARCEL_RECORD_BYTES);
    ck_assert_uint_gt(bad.length, SPF_PARCEL_RECORD_BYTES);
    put_text("good.example", text_slice(&good));
    put_text("bad.example", text_slice(&bad));
    expect_text("good.example", text_string(&good));
    expect_text("bad.example", NULL);
    text_clear(&good);
    text_clear(&bad);
}
END_TEST

START_TEST(ten_names_of_a_client_are_shown)
{
    struct dns_record records[30];
    struct spf_parcel parcel;

    for (size_t i = 0; i < COUNT(records); i++)
        records[i] = (struct dns_record){ .bytes = SLICE("mx.example.org") };
    put("1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, records, COUNT(records));
    ck_assert(pack());
    ck_assert(spf_parcel_unpack(text_slice(&request), &parcel));
    ck_assert_uint_eq(dns_answers_find(parcel.answers, SLICE("1.2.0.192.in-addr.arpa"),
                                       DNS_TYPE_PTR)->record_count, 10);
    spf_parcel_clear(&parcel);
}
END_TEST

START_TEST(what_ended_in_an_error_is_not_given_away)
{
    static const enum check_result errors[] = { RESULT_NOT_RUN, RESULT_NONE, RESULT_TEMPERROR,
                                                RESULT_PERMERROR };

    for (size_t i = 0; i < COUNT(errors); i++) {
        struct spf_finding finding = settled;

        finding.result = errors[i];
        ck_assert(!spf_parcel_pack(&question, &finding, answers, &request));
    }
}
END_TEST

START_TEST(odd_values_of_macros_are_not_given_away)
{
    struct text helo = repeated("", "a", 256);

    question.helo = SLICE("mx\n.example");
    ck_assert(!pack());
    question.helo = text_slice(&helo);
    ck_assert(!pack());
    question.helo = SLICE("mx.example.org");
    question.sender_local = SLICE("\xc3\xa4");
    ck_assert(!pack());
    question.sender_local = slice_until(text_slice(&helo), 65);
    ck_assert(!pack());
    text_clear(&helo);
}
END_TEST

START_TEST(more_answers_than_fit_are_not_given_away)
{
    static struct dns_record records[4000];

    put("example.org", DNS_TYPE_A, records, COUNT(records));
    ck_assert(!pack());
}
END_TEST

/* ---- Bytes that may come from a process that was taken over. */

START_TEST(requests_that_are_cut_are_none)
{
    struct spf_parcel parcel;
    size_t good_count = 0;

    put_text("example.org", SLICE("v=spf1 a -all"));
    put("example.org", DNS_TYPE_A, &(struct dns_record){ .preference = 0 }, 1);
    ck_assert(pack());
    for (size_t i = 0; i < request.length; i++) {
        good_count += spf_parcel_unpack(slice_until(text_slice(&request), i), &parcel);
        spf_parcel_clear(&parcel);
    }
    ck_assert_uint_eq(good_count, 2); /* between its answers */
}
END_TEST

START_TEST(answers_are_looked_at_before_they_are_believed)
{
    struct spf_second second = { .end = SPF_SECOND_MISSING, .type = DNS_TYPE_A,
                                 .name = "b.example" };
    struct text bytes;

    text_init(&bytes, 2000);
    spf_second_pack(&second, &bytes);
    ck_assert(spf_second_unpack(text_slice(&bytes), &second));
    ck_assert_str_eq(second.name, "b.example");
    for (size_t i = 0; i < bytes.length; i++)
        ck_assert(!spf_second_unpack(slice_until(text_slice(&bytes), i), &second));
    second.type = DNS_TYPE_TLSA;
    text_reset(&bytes);
    spf_second_pack(&second, &bytes);
    ck_assert(!spf_second_unpack(text_slice(&bytes), &second));
    second = (struct spf_second){ .end = SPF_SECOND_DONE, .result = RESULT_NOT_RUN };
    text_reset(&bytes);
    spf_second_pack(&second, &bytes);
    ck_assert(!spf_second_unpack(text_slice(&bytes), &second));
    second = (struct spf_second){ .end = SPF_SECOND_MISSING, .type = DNS_TYPE_A, .name = "a..b" };
    text_reset(&bytes);
    spf_second_pack(&second, &bytes);
    ck_assert(!spf_second_unpack(text_slice(&bytes), &second));
    text_clear(&bytes);
}
END_TEST

/* ---- The library. */

START_TEST(result_is_that_of_the_library)
{
    struct spf_second second;

    put_text("example.org", SLICE("v=spf1 ip4:192.0.2.0/24 -all"));
    second = ask();
    ck_assert_int_eq(second.end, SPF_SECOND_DONE);
    ck_assert_int_eq(second.result, RESULT_PASS);
}
END_TEST

/* A record is only ever what it says, whoever the client is. */
START_TEST(loopback_is_no_exception)
{
    put_text("example.org", SLICE("v=spf1 -all"));
    ck_assert(ip_parse(SLICE("127.0.0.1"), &question.client));
    ck_assert_int_eq(ask().result, RESULT_FAIL);
    ck_assert(ip_parse(SLICE("::1"), &question.client));
    ck_assert_int_eq(ask().result, RESULT_FAIL);
}
END_TEST

START_TEST(mapped_client_is_an_ipv4_client)
{
    put_text("example.org", SLICE("v=spf1 ip4:192.0.2.0/24 -all"));
    ck_assert(ip_parse(SLICE("::ffff:192.0.2.1"), &question.client));
    ck_assert_int_eq(ask().result, RESULT_PASS);
}
END_TEST

START_TEST(missing_answer_is_asked_for)
{
    struct spf_second second;

    put_text("example.org", SLICE("v=spf1 a:Host.Example.ORG -all"));
    second = ask();
    ck_assert_int_eq(second.end, SPF_SECOND_MISSING);
    ck_assert_int_eq(second.type, DNS_TYPE_A);
    ck_assert_str_eq(second.name, "host.example.org");
}
END_TEST

START_TEST(what_is_kept_back_ends_the_run)
{
    put_text("example.org", SLICE("v=spf1 include:b.example.org -all"));
    put_text("b.example.org", SLICE("v=spf1 a:%{"));
    ck_assert_int_eq(ask().end, SPF_SECOND_REFUSED);
}
END_TEST

/* ---- Hostile records. CVE-2023-42118 and its kind. */

START_TEST(explanation_of_any_length_does_no_harm)
{
    struct text text = repeated("", "%{i}.", 112);
    struct text long_text = repeated("", "x", 60000);

    put_text("example.org", SLICE("v=spf1 exp=why.example.org -all"));
    put_text("why.example.org", text_slice(&text));
    put_text("long.example.org", text_slice(&long_text));
    ck_assert_int_eq(ask().result, RESULT_FAIL);
    text_clear(&text);
    text_clear(&long_text);
}
END_TEST

/* Each includes the next one, ten times: without a limit of ours a million lookups. */
START_TEST(includes_that_multiply_are_stopped)
{
    char name[30], piece[40];

    put_text("n6.example.org", SLICE("v=spf1 ?all"));
    for (int i = 5; i >= 0; i--) {
        struct text record;

        snprintf(name, sizeof name, "n%d.example.org", i);
        snprintf(piece, sizeof piece, " include:n%d.example.org", i + 1);
        record = repeated("v=spf1", piece, 10);
        text_add_string(&record, " ?all");
        put_text(i > 0 ? name : "example.org", text_slice(&record));
        text_clear(&record);
    }
    ck_assert_int_eq(ask().end, SPF_SECOND_TOO_MUCH);
}
END_TEST

START_TEST(records_of_four_kilobytes_do_no_harm)
{
    static const char *const pieces[] = { " ip4:192.0.2.7", " a:%{d}.example.net", " x=%{s}%{s}",
                                          " exists:%{ir}.%{v}.%{d}", " mx:%{l-}.example.org" };
    char name[30];

    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct text record = repeated("v=spf1", pieces[i], 4400 / strlen(pieces[i]));

        snprintf(name, sizeof name, "n%zu.example.org", i);
        put_text(name, text_slice(&record));
        expect_text(name, NULL);
        text_clear(&record);
    }
}
END_TEST

/* As long as they may be, and as they grow most. */
START_TEST(macros_that_grow_do_no_harm)
{
    static const char *const pieces[] = { "%{s}", "%{l1r-+=_}", "%{S}", "%{d}%{h}", "%{ir}",
                                          "%%%_%-", "%{o}.", "%{v}%{p}" };
    struct text local = repeated("", "%-+=_/", 10);

    question.sender_local = text_slice(&local);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct text record = repeated("v=spf1 exists:", pieces[i], 1900 / strlen(pieces[i]));

        text_add_string(&record, ".example.org ?all");
        dns_answers_free(&answers);
        answers = dns_answers_new(MAX_QUESTIONS);
        put_text("example.org", text_slice(&record));
        (void)ask();
        text_clear(&record);
    }
    text_clear(&local);
}
END_TEST

static uint32_t random_state = 1;

static size_t pick(size_t count)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) % count;
}

/* Records of all kinds of pieces; what our own parser does not take is kept back all the same. */
START_TEST(no_record_ends_or_stalls_it)
{
    static const char *const pieces[] = {
        " a", " mx", " ptr", " all", " -all", " ~", "?", ":", "/", "/24", "//64", "/0", "=", ".",
        " include:", " exists:", " redirect=", " exp=", " ip4:", " ip6:", "192.0.2.1", "::1", "1::",
        "example.org", "%{s}", "%{l}", "%{d2}", "%{ir}", "%{v}", "%{h}", "%{p}", "%{o1r.-}", "%%",
        "%_", "%-", "%{d128r}", "%{S999}", "%{", "}", "x", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", " ",
    };

    for (int i = 0; i < 200; i++) {
        struct text record = repeated("v=spf1", "", 0);

        for (size_t left = pick(60); left > 0; left--)
            text_add_string(&record, pieces[pick(COUNT(pieces))]);
        dns_answers_free(&answers);
        answers = dns_answers_new(MAX_QUESTIONS);
        put_text("example.org", text_slice(&record));
        (void)ask();
        text_clear(&record);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checks/spf2");
    TCase *test_case = tcase_create("all");

    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 60);
    tcase_add_test(test_case, explanations_are_taken_out_and_redirect_goes_to_the_end);
    tcase_add_test(test_case, other_texts_are_not_given_away);
    tcase_add_test(test_case, records_that_our_parser_refuses_are_kept_back);
    tcase_add_test(test_case, records_above_two_kilobytes_are_kept_back);
    tcase_add_test(test_case, ten_names_of_a_client_are_shown);
    tcase_add_test(test_case, what_ended_in_an_error_is_not_given_away);
    tcase_add_test(test_case, odd_values_of_macros_are_not_given_away);
    tcase_add_test(test_case, more_answers_than_fit_are_not_given_away);
    tcase_add_test(test_case, requests_that_are_cut_are_none);
    tcase_add_test(test_case, answers_are_looked_at_before_they_are_believed);
    tcase_add_test(test_case, result_is_that_of_the_library);
    tcase_add_test(test_case, loopback_is_no_exception);
    tcase_add_test(test_case, mapped_client_is_an_ipv4_client);
    tcase_add_test(test_case, missing_answer_is_asked_for);
    tcase_add_test(test_case, what_is_kept_back_ends_the_run);
    tcase_add_test(test_case, explanation_of_any_length_does_no_harm);
    tcase_add_test(test_case, includes_that_multiply_are_stopped);
    tcase_add_test(test_case, records_of_four_kilobytes_do_no_harm);
    tcase_add_test(test_case, macros_that_grow_do_no_harm);
    tcase_add_test(test_case, no_record_ends_or_stalls_it);
    suite_add_tcase(suite, test_case);
    return unit_run(suite);
}
