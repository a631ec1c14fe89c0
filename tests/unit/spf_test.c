/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checks/spf: what the cases in tests/cases/spf do not show: terms as they are parsed, macros as
 * text, which questions are asked when, ceilings, and what the costliest records cost.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "checks/spf.h"
#include "checks/spf_macro.h"
#include "checks/spf_record.h"
#include "base/memory.h"
#include "unit.h"

/* ---- Terms. */

static const struct {
    const char *term;
    enum spf_kind kind;
    enum check_result result;
    const char *domain;
    unsigned int v4_length, v6_length; /* of a and mx */
} terms[] = {
    { "all", SPF_ALL, RESULT_PASS, "", 0, 0 },
    { "-ALL", SPF_ALL, RESULT_FAIL, "", 0, 0 },
    { "?include:a.b", SPF_INCLUDE, RESULT_NEUTRAL, "a.b", 0, 0 },
    { "~a", SPF_A, RESULT_SOFTFAIL, "", 128, 128 },
    { "a/24", SPF_A, RESULT_PASS, "", 120, 128 },
    { "a//64", SPF_A, RESULT_PASS, "", 128, 64 },
    { "a:x/y.b/0//0", SPF_A, RESULT_PASS, "x/y.b", 96, 0 },
    { "a:%{d/}/24", SPF_A, RESULT_PASS, "%{d/}", 120, 128 },
    { "mx:a.b//128", SPF_MX, RESULT_PASS, "a.b", 128, 128 },
    { "ptr", SPF_PTR, RESULT_PASS, "", 0, 0 },
    { "exists:%{i}", SPF_EXISTS, RESULT_PASS, "%{i}", 0, 0 },
    { "redirect=%{d}", SPF_REDIRECT, RESULT_NOT_RUN, "%{d}", 0, 0 },
    { "EXP=a.b", SPF_EXPLANATION, RESULT_NOT_RUN, "a.b", 0, 0 },
    { "a-b_c.d=", SPF_OTHER_MODIFIER, RESULT_NOT_RUN, "", 0, 0 },
    { "include=a.b", SPF_OTHER_MODIFIER, RESULT_NOT_RUN, "", 0, 0 },
};

static const char *parse(const char *term, struct spf_record *record)
{
    static char text[400];
    struct slice bad;

    snprintf(text, sizeof text, "v=spf1 %s", term);
    return spf_record_parse(slice_from(text), record, &bad);
}

START_TEST(term_is_read_as_it_is_meant)
{
    struct spf_record record;
    struct spf_term term;
    const char *problem = parse(terms[_i].term, &record);

    ck_assert_msg(problem == NULL, "%s: %s", terms[_i].term, problem);
    ck_assert(spf_record_next(&record.terms, &term));
    ck_assert_msg(term.kind == terms[_i].kind, "%s: kind %d", terms[_i].term, (int)term.kind);
    ck_assert_int_eq(term.result, terms[_i].result);
    ck_assert_msg(slice_equals(term.domain, slice_from(terms[_i].domain)), "%s: domain %.*s",
                  terms[_i].term, SLICE_ARGS(term.domain));
    ck_assert_uint_eq(term.v4_length, terms[_i].v4_length);
    ck_assert_uint_eq(term.v6_length, terms[_i].v6_length);
    ck_assert(!spf_record_next(&record.terms, &term));
}
END_TEST

static const char *const bad_terms[] = {
    "a:",          "a:/24",        "a/",           "a//",         "a/24/",       "a/024",
    "a/33",        "a///64",       "a:b.c/24x",    "mx/",         "mx:",         "ptr:",
    "ptr/24",      "all/",         "all:",         "ip4",         "ip4:",        "ip4:/24",
    "ip4:1.2.3.4/", "ip4:1.2.3.4/+1", "ip4/1.2.3.4", "ip4:::1",   "ip6:1::2::3", "ip6::1/64",
    "ip6:::1/129", "ip6:fe80::1%1", "exists:",     "exists",      "include:a",   "include/a.b",
    "+",           "+redirect=a.b", "=a",          "1a=b",        "a+b=c",       "x=%",
    "redirect=",   "exp=",         "redirect=a",   "a:%{d",       "a:%{d}.c%",   "a:a.b c.d/",
    "a:.",         "a:a.1",        "a:a.b-",       "a:a.-b",      "a:a..",       "a:%{d}.",
    "a:%{c}",      "a:%{d0}",      "a:%{dd}",      "a:%{drr}",    "a:%{d!}",     "a:%%",
};

START_TEST(bad_term_is_refused)
{
    struct spf_record record;

    /* Of the last one: %% is a macro-expand, and may end a name. */
    if (strcmp(bad_terms[_i], "a:%%") == 0)
        ck_assert_ptr_null(parse(bad_terms[_i], &record));
    else
        ck_assert_msg(parse(bad_terms[_i], &record) != NULL, "%s is taken", bad_terms[_i]);
}
END_TEST

START_TEST(record_has_a_ceiling)
{
    char *text = mem_new(SPF_RECORD_MAX_BYTES + 2);
    struct spf_record record;
    struct slice bad;

    memset(text, ' ', SPF_RECORD_MAX_BYTES + 1);
    memcpy(text, "v=spf1", 6);
    ck_assert_ptr_null(
        spf_record_parse((struct slice){ text, SPF_RECORD_MAX_BYTES }, &record, &bad));
    ck_assert_str_eq(
        spf_record_parse((struct slice){ text, SPF_RECORD_MAX_BYTES + 1 }, &record, &bad),
        "is too long");
    mem_free(text);
}
END_TEST

/* ---- Macros. */

/* The examples of RFC 7208 7.4, and edges. */
static const struct {
    const char *text, *want;
} expansions[] = {
    { "%{s}", "strong-bad@email.example.com" },
    { "%{o}", "email.example.com" },
    { "%{d}", "email.example.com" },
    { "%{d4}", "email.example.com" },
    { "%{d3}", "email.example.com" },
    { "%{d2}", "example.com" },
    { "%{d1}", "com" },
    { "%{dr}", "com.example.email" },
    { "%{d2r}", "example.email" },
    { "%{l}", "strong-bad" },
    { "%{l-}", "strong.bad" },
    { "%{lr}", "strong-bad" },
    { "%{lr-}", "bad.strong" },
    { "%{l1r-}", "strong" },
    { "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
    { "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
    { "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
      "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
    { "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net" },
    { "%{h}", ".a..b." },
    { "%{h1}", "" },
    { "%{h2}", "b." },
    { "%{hr}", ".b..a." },
    { "%{h2r}", "a." },
    { "%{h5r}", ".b..a." },
    { "%{h9r}", ".b..a." },
    { "%{S}%%%_%-", "strong-bad%40email.example.com% %20" },
    { "%{p}", "" },
    { "%{p1r-}", "" },
    { "", "" },
};

static struct spf_macro_values example_values(void)
{
    struct spf_macro_values values = { .letters = { { NULL, 0 } } };

    values.letters['s' - 'a'] = SLICE("strong-bad@email.example.com");
    values.letters['l' - 'a'] = SLICE("strong-bad");
    values.letters['o' - 'a'] = SLICE("email.example.com");
    values.letters['d' - 'a'] = SLICE("email.example.com");
    values.letters['i' - 'a'] = SLICE("192.0.2.3");
    values.letters['v' - 'a'] = SLICE("in-addr");
    values.letters['h' - 'a'] = SLICE(".a..b.");
    return values;
}

START_TEST(macros_stand_for_what_the_rfc_says)
{
    struct spf_macro_values values = example_values();
    struct slice text = slice_from(expansions[_i].text);
    size_t work = 10000;
    struct text out;

    text_init(&out, 200);
    ck_assert(spf_macro_is_valid(text, SPF_MACRO_STRING));
    spf_macro_expand(text, &values, &out, &work);
    unit_expect_text(expansions[_i].text, &out, slice_from(expansions[_i].want));
    text_clear(&out);
}
END_TEST

START_TEST(expansion_ends_at_its_ceilings)
{
    struct spf_macro_values values = example_values();
    size_t work = 10000;
    struct text out;

    text_init(&out, 20);
    spf_macro_expand(SLICE("%{d}%{d}%{dr}"), &values, &out, &work);
    ck_assert(out.is_cut);
    ck_assert_uint_gt(work, 9000);
    text_clear(&out);
    text_init(&out, 200);
    work = 50;
    spf_macro_expand(SLICE("%{d}%{d}%{d}"), &values, &out, &work);
    ck_assert(!out.is_cut);
    ck_assert_uint_eq(work, 0);
    text_clear(&out);
}
END_TEST

START_TEST(letters_of_macros_are_found)
{
    ck_assert(spf_macro_uses(SLICE("a.%{P}"), "p"));
    ck_assert(spf_macro_uses(SLICE("%{d}.%{l1r-}"), "sl"));
    ck_assert(!spf_macro_uses(SLICE("p%%p.%{d}"), "p"));
    ck_assert(!spf_macro_uses(SLICE_EMPTY, "p"));
}
END_TEST

/* ---- Questions. */

static struct spf_question question_from(const char *client)
{
    struct spf_question question = {
        .helo = SLICE("mail.example.org"),
        .sender_local = SLICE("anna"),
        .sender_domain = SLICE("example.org"),
        .wants_explanation = true,
        .max_void_lookups = SPF_DEFAULT_VOID_LOOKUPS,
    };

    ck_assert(ip_parse(slice_from(client), &question.client));
    return question;
}

static void put_text(struct dns_answers *answers, const char *name, struct slice text)
{
    const struct dns_record record = { .bytes = text };
    struct dns_question question;

    ck_assert(dns_answers_take_wanted(answers, &question));
    ck_assert_str_eq(question.name, name);
    ck_assert_int_eq(question.type, DNS_TYPE_TXT);
    dns_answers_put(answers, &question, dns_answer_new(DNS_FOUND, &record, 1));
}

static void expect_wanted(struct dns_answers *answers, const char *name, enum dns_type type)
{
    struct dns_question question;

    ck_assert_msg(dns_answers_take_wanted(answers, &question), "%s is not wanted", name);
    ck_assert_str_eq(question.name, name);
    ck_assert_int_eq(question.type, type);
}

START_TEST(what_a_record_names_is_wanted_at_once)
{
    struct spf_question question = question_from("192.0.2.1");
    struct dns_answers *answers = dns_answers_new(50);
    struct spf_finding finding = { .result = RESULT_NOT_RUN };
    struct dns_question left;

    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    ck_assert_int_eq(finding.result, RESULT_NOT_RUN);
    put_text(answers, "example.org",
             SLICE("v=spf1 ip4:10.0.0.1 include:a.b exists:%{p}.x.y a mx ptr exists:%{l}.z.y "
                   "ip4:192.0.2.0/24 a:never.asked redirect=never.asked"));
    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    expect_wanted(answers, "a.b", DNS_TYPE_TXT);
    expect_wanted(answers, "example.org", DNS_TYPE_A);
    expect_wanted(answers, "example.org", DNS_TYPE_MX);
    expect_wanted(answers, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR);
    expect_wanted(answers, "anna.z.y", DNS_TYPE_A);
    ck_assert(!dns_answers_take_wanted(answers, &left));
    dns_answers_free(&answers);
}
END_TEST

START_TEST(no_more_is_wanted_than_may_be_asked)
{
    struct spf_question question = question_from("2001:db8::1");
    struct dns_answers *answers = dns_answers_new(50);
    struct spf_finding finding = { .result = RESULT_NOT_RUN };
    struct dns_question wanted;
    size_t count = 0;

    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    put_text(answers, "example.org",
             SLICE("v=spf1 a:a.a a:b.a a:c.a a:d.a a:e.a a:f.a a:g.a a:h.a a:i.a a:j.a a:k.a a:l.a "
                   "redirect=m.a"));
    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    while (dns_answers_take_wanted(answers, &wanted)) {
        ck_assert_int_eq(wanted.type, DNS_TYPE_AAAA);
        count++;
    }
    ck_assert_uint_eq(count, SPF_MAX_LOOKUPS);
    dns_answers_free(&answers);
}
END_TEST

START_TEST(void_limit_is_a_setting)
{
    struct spf_question question = question_from("192.0.2.1");
    struct spf_finding finding = { .result = RESULT_NOT_RUN };

    for (question.max_void_lookups = 0; question.max_void_lookups <= 3;
         question.max_void_lookups++) {
        struct dns_answers *answers = dns_answers_new(50);
        struct dns_question wanted;

        ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
        put_text(answers, "example.org", SLICE("v=spf1 a:a.a a:b.a -all"));
        ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
        while (dns_answers_take_wanted(answers, &wanted))
            dns_answers_put(answers, &wanted, dns_answer_new(DNS_NO_NAME, NULL, 0));
        ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_DONE);
        ck_assert_int_eq(finding.result,
                         question.max_void_lookups < 2 ? RESULT_PERMERROR : RESULT_FAIL);
        dns_answers_free(&answers);
    }
    spf_finding_clear(&finding);
}
END_TEST

START_TEST(when_time_is_up_it_is_a_temperror)
{
    struct spf_question question = question_from("192.0.2.1");
    struct dns_answers *answers = dns_answers_new(50);
    struct spf_finding finding = { .result = RESULT_NOT_RUN };

    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    put_text(answers, "example.org", SLICE("v=spf1 include:a.a -all"));
    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_MISSING_ANSWERS);
    dns_answers_give_up(answers, "timeout");
    ck_assert_int_eq(spf_evaluate(&question, answers, &finding), SPF_DONE);
    ck_assert_int_eq(finding.result, RESULT_TEMPERROR);
    ck_assert_str_eq(finding.problem, "no usable answer to TXT a.a (timeout)");
    spf_finding_clear(&finding);
    dns_answers_free(&answers);
}
END_TEST

/* ---- Cost. The figures are printed, for people: what a machine needs is no matter of luck. */

#define ADDRESS_COUNT 4000

struct world {
    const char *first;         /* the record of example.org */
    const char *rest;          /* of every other name */
    size_t address_count;      /* of every name */
    size_t name_count;         /* of mail servers, and names of the client */
    size_t padding;            /* each record is filled up to so many bytes with this: */
    const char *filling;
};

static struct dns_answer *world_answer(const struct world *world,
                                       const struct dns_question *question)
{
    static struct dns_record records[ADDRESS_COUNT];
    static char names[10][48];
    size_t count = 1;
    struct dns_answer *answer;
    struct text text;

    text_init(&text, SPF_RECORD_MAX_BYTES);
    memset(records, 0, sizeof records);
    if (question->type == DNS_TYPE_TXT) {
        text_add_string(&text, strcmp(question->name, "example.org") == 0 ? world->first
                                                                          : world->rest);
        while (text.length + strlen(world->filling) < world->padding)
            text_add_string(&text, world->filling);
        records[0].bytes = text_slice(&text);
    } else if (question->type == DNS_TYPE_A || question->type == DNS_TYPE_AAAA) {
        count = world->address_count;
    } else {
        count = world->name_count;
        for (size_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "h%zu.%.20s", i, question->name);
            records[i].bytes = slice_from(names[i]);
        }
    }
    answer = dns_answer_new(DNS_FOUND, records, count);
    text_clear(&text);
    return answer;
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static const char long_local[] = "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd"
                                 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd";

/* Evaluates until it is done; the costliest run and all runs together, without the DNS. */
static void measure(const char *what, const struct world *world)
{
    struct spf_question question = question_from("192.0.2.1");
    struct spf_finding finding = { .result = RESULT_NOT_RUN };
    struct dns_answers *answers = dns_answers_new(300);
    double all = 0, worst = 0;
    int rounds = 0;

    question.sender_local = slice_from(long_local);
    for (;;) {
        double start = now_us();
        enum spf_progress progress = spf_evaluate(&question, answers, &finding);
        double used = now_us() - start;
        struct dns_question wanted;

        all += used;
        worst = used > worst ? used : worst;
        if (progress == SPF_DONE)
            break;
        ck_assert_int_lt(++rounds, 30);
        while (dns_answers_take_wanted(answers, &wanted))
            dns_answers_put(answers, &wanted, world_answer(world, &wanted));
    }
    printf("%-28s %8.1f us in all, %7.1f us the costliest of %2d runs, %3zu questions: %s (%s)\n",
           what, all, worst, rounds + 1, dns_answers_count(answers), result_word(finding.result),
           finding.problem != NULL ? finding.problem : "-");
    spf_finding_clear(&finding);
    dns_answers_free(&answers);
}

static const struct {
    const char *what;
    struct world world;
} worlds[] = {
    { "ip4 and all", { "v=spf1 ip4:10.0.0.1 -all", "", 1, 1, 0, "" } },
    { "three includes and mx",
      { "v=spf1 mx include:a.example include:b.example include:c.example -all",
        "v=spf1 ip4:10.0.0.0/24 ip4:10.0.1.0/24 ip4:10.0.2.0/24 ip6:2001:db8::/32 ~all", 2, 2, 0,
        "" } },
    { "ten deep, 8 KiB each",
      { "v=spf1 include:i.%{d} ", "v=spf1 include:i.%{d} ", 1, 1, SPF_RECORD_MAX_BYTES,
        "ip6:2001:db8:1234:5678::1 " } },
    { "ten deep, short terms",
      { "v=spf1 include:i.%{d} ", "v=spf1 include:i.%{d} ", 1, 1, SPF_RECORD_MAX_BYTES, "x= " } },
    { "ten deep, all macros",
      { "v=spf1 include:i.%{d} ", "v=spf1 include:i.%{d} ", 1, 1, SPF_RECORD_MAX_BYTES,
        "x=%{s1r.-+,/_=} " } },
    { "exists of many macros",
      { "v=spf1 exists:", "v=spf1", 1, 10, SPF_RECORD_MAX_BYTES, "%{l1r}" } },
    { "exists of many names",
      { "v=spf1 exists:", "v=spf1", ADDRESS_COUNT, 10, SPF_RECORD_MAX_BYTES, "%{p1}" } },
    { "ten a of 4,000 addresses",
      { "v=spf1 a:a.a a:b.a a:c.a a:d.a a:e.a a:f.a a:g.a a:h.a a:i.a a:j.a -all", "v=spf1",
        ADDRESS_COUNT, 10, 0, "" } },
    { "ten mx of ten hosts",
      { "v=spf1 mx:a.a mx:b.a mx:c.a mx:d.a mx:e.a mx:f.a mx:g.a mx:h.a mx:i.a mx:j.a -all",
        "v=spf1", 1, 10, 0, "" } },
    { "the same, 4,000 addresses",
      { "v=spf1 mx:a.a mx:b.a mx:c.a mx:d.a mx:e.a mx:f.a mx:g.a mx:h.a mx:i.a mx:j.a -all",
        "v=spf1", ADDRESS_COUNT, 10, 0, "" } },
};

START_TEST(costly_records_end)
{
    measure(worlds[_i].what, &worlds[_i].world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spf");
    TCase *text_case = tcase_create("terms and macros");
    TCase *question_case = tcase_create("questions");
    TCase *cost_case = tcase_create("cost");

    tcase_add_loop_test(text_case, term_is_read_as_it_is_meant, 0, (int)COUNT(terms));
    tcase_add_loop_test(text_case, bad_term_is_refused, 0, (int)COUNT(bad_terms));
    tcase_add_test(text_case, record_has_a_ceiling);
    tcase_add_loop_test(text_case, macros_stand_for_what_the_rfc_says, 0, (int)COUNT(expansions));
    tcase_add_test(text_case, expansion_ends_at_its_ceilings);
    tcase_add_test(text_case, letters_of_macros_are_found);
    suite_add_tcase(suite, text_case);
    tcase_add_test(question_case, what_a_record_names_is_wanted_at_once);
    tcase_add_test(question_case, no_more_is_wanted_than_may_be_asked);
    tcase_add_test(question_case, void_limit_is_a_setting);
    tcase_add_test(question_case, when_time_is_up_it_is_a_temperror);
    suite_add_tcase(suite, question_case);
    tcase_add_loop_test(cost_case, costly_records_end, 0, (int)COUNT(worlds));
    suite_add_tcase(suite, cost_case);
    return unit_run(suite);
}
