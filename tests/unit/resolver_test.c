/* SPDX-License-Identifier: BSD-2-Clause */
/* net/resolver: with a server that does what servers do, and with none. */
#include "net/resolver.h"

#include <string.h>

#include "resolver_unit.h"

static struct loop *loop;
static struct dns_server server;
static struct resolver *resolver;
static bool is_starting;

/* One lookup and what came of it. */
struct asking {
    struct dns_lookup *lookup;
    unsigned int calls;
    struct dns_answer *answer;
    void (*on_done)(struct asking *asking); /* may be NULL */
};

static void on_done(void *owner, struct dns_answer *answer)
{
    struct asking *asking = owner;

    ck_assert_msg(!is_starting, "called from inside resolver_start");
    asking->calls++;
    asking->lookup = NULL;
    asking->answer = dns_answer_ref(answer);
    if (asking->on_done != NULL)
        asking->on_done(asking);
}

static bool has_answer(void *owner)
{
    return ((struct asking *)owner)->calls > 0;
}

static void start(struct asking *asking, const char *name, enum dns_type type)
{
    is_starting = true;
    asking->lookup = resolver_start(resolver, slice_from(name), type, on_done, asking);
    is_starting = false;
}

static void finish(struct asking *asking)
{
    net_run_until(loop, "an answer", has_answer, asking);
    ck_assert_uint_eq(asking->calls, 1);
}

/* The answer, which lives until the next. */
static const struct dns_answer *ask(const char *name, enum dns_type type)
{
    static struct asking asking;

    dns_answer_unref(asking.answer);
    asking = (struct asking){ .calls = 0 };
    start(&asking, name, type);
    finish(&asking);
    return asking.answer;
}

static void expect_failure(const char *name, const char *problem)
{
    const struct dns_answer *answer = ask(name, DNS_TYPE_A);

    ck_assert_msg(answer->result == DNS_FAILED, "%s did not fail", name);
    ck_assert_msg(problem == NULL || strcmp(answer->problem, problem) == 0,
                  "%s: got \"%s\", want \"%s\"", name, answer->problem, problem);
}

static void expect_address(const struct dns_answer *answer)
{
    ck_assert_msg(answer->result == DNS_FOUND, "%s", answer->problem != NULL ? answer->problem
                                                                             : "nothing");
    ck_assert_uint_eq(answer->record_count, 1);
    ck_assert_uint_eq(answer->records[0].address.bytes[12], 192);
}

static struct resolver_settings settings_with(uint64_t timeout_ms, uint64_t max_questions)
{
    return (struct resolver_settings){ .addresses = &server.address, .address_count = 1,
                                       .timeout_ms = timeout_ms, .cache_bytes = 1 << 20,
                                       .max_questions = max_questions };
}

static void set_up(struct resolver_settings settings)
{
    struct text problem;

    text_init(&problem, 300);
    resolver = resolver_new(loop, &settings, &problem);
    ck_assert_msg(resolver != NULL, "%s", text_string(&problem));
    text_clear(&problem);
}

static void before(void)
{
    loop = loop_new();
    server_start(&server, loop);
}

static void after(void)
{
    resolver_free(&resolver);
    server_stop(&server);
    loop_free(&loop);
}

START_TEST(an_answer_comes_once_and_is_kept_for_its_time)
{
    const struct dns_answer *answer;

    set_up(settings_with(5000, 200));
    answer = ask("A.example.net.", DNS_TYPE_A);
    expect_address(answer);
    ck_assert_uint_le(answer->ttl_s, 60);
    ck_assert_uint_ge(answer->ttl_s, 59);
    ck_assert(!answer->is_secure && !answer->is_bogus);
    expect_address(ask("a.example.net", DNS_TYPE_A));
    ck_assert_uint_eq(resolver_get_counts(resolver)->asked, 1);
    ck_assert_uint_eq(resolver_get_counts(resolver)->cached, 1);
    ck_assert_uint_eq(resolver_get_counts(resolver)->lookups, 2);
}
END_TEST

START_TEST(what_is_there_for_a_second_is_asked_for_again)
{
    set_up(settings_with(5000, 200));
    ask("brief.example.net", DNS_TYPE_A);
    ck_assert_int_eq(ask("nx.example.net", DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_int_eq(ask("nodata.example.net", DNS_TYPE_MX)->result, DNS_NO_DATA);
    ck_assert_uint_eq(resolver_get_counts(resolver)->asked, 3);
    net_run_for(loop, 2100);
    ck_assert_uint_eq(ask("brief.example.net", DNS_TYPE_A)->ttl_s, 1);
    ck_assert_int_eq(ask("nx.example.net", DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_uint_eq(ask("nodata.example.net", DNS_TYPE_MX)->ttl_s, 1);
    ck_assert_uint_eq(resolver_get_counts(resolver)->asked, 6);
}
END_TEST

START_TEST(an_answer_that_was_cut_is_fetched_by_tcp)
{
    const struct dns_answer *answer;

    set_up(settings_with(5000, 200));
    answer = ask("big.example.net", DNS_TYPE_TXT);
    ck_assert_int_eq(answer->result, DNS_FOUND);
    ck_assert_uint_eq(answer->record_count, 2);
    ck_assert_uint_eq(answer->records[0].bytes.length, 600);
    ck_assert_uint_ge(server.tcp_questions, 1);
}
END_TEST

START_TEST(a_server_that_says_nothing_useful_is_a_failure_in_time)
{
    set_up(settings_with(300, 200));
    expect_failure("silent.example.net", "timeout");
    expect_failure("strange.example.net", "timeout");
    expect_failure("garbage.example.net", NULL);
    expect_failure("other.example.net", NULL);
    expect_failure("broken.example.net", "servfail");
    ck_assert_uint_eq(resolver_get_counts(resolver)->failed, 5);
}
END_TEST

/* The library keeps in mind for long who did not answer; a gateway must not. */
START_TEST(a_server_that_comes_back_is_asked_again)
{
    struct asking asking = { .calls = 0 };
    char name[40];

    set_up(settings_with(5000, 200));
    server.is_silent = true;
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "a%d.example.net", i);
        start(&asking, name, DNS_TYPE_A);
        net_run_for(loop, 300);
        resolver_cancel(&asking.lookup);
    }
    server.is_silent = false;
    expect_address(ask("a.example.net", DNS_TYPE_A));
}
END_TEST

START_TEST(equal_questions_are_asked_once)
{
    struct asking askings[3] = { { .calls = 0 } };

    set_up(settings_with(5000, 200));
    start(&askings[0], "a.example.net", DNS_TYPE_A);
    start(&askings[1], "A.Example.NET", DNS_TYPE_A);
    start(&askings[2], "a.example.net", DNS_TYPE_MX);
    for (size_t i = 0; i < COUNT(askings); i++)
        finish(&askings[i]);
    ck_assert_ptr_eq(askings[0].answer, askings[1].answer);
    ck_assert_uint_eq(resolver_get_counts(resolver)->asked, 2);
    ck_assert_uint_eq(resolver_get_counts(resolver)->joined, 1);
    for (size_t i = 0; i < COUNT(askings); i++)
        dns_answer_unref(askings[i].answer);
}
END_TEST

START_TEST(who_cancels_hears_nothing_and_others_do)
{
    struct asking askings[4] = { { .calls = 0 } };

    set_up(settings_with(5000, 200));
    start(&askings[0], "a.example.net", DNS_TYPE_A);
    start(&askings[1], "a.example.net", DNS_TYPE_A);
    start(&askings[2], "a2.example.net", DNS_TYPE_A);
    resolver_cancel(&askings[0].lookup);
    resolver_cancel(&askings[2].lookup);
    ck_assert_ptr_null(askings[0].lookup);
    finish(&askings[1]);
    /* From the cache, and so answered already. */
    start(&askings[3], "a.example.net", DNS_TYPE_A);
    resolver_cancel(&askings[3].lookup);
    resolver_cancel(&askings[3].lookup);
    net_run_for(loop, 100);
    ck_assert_uint_eq(askings[0].calls + askings[2].calls + askings[3].calls, 0);
    dns_answer_unref(askings[1].answer);
}
END_TEST

static struct asking *other;

static void cancel_other(struct asking *asking)
{
    (void)asking;
    resolver_cancel(&other->lookup);
}

START_TEST(an_answer_may_end_other_lookups_of_the_same_question)
{
    struct asking askings[3] = { { .on_done = cancel_other }, { .calls = 0 }, { .calls = 0 } };

    set_up(settings_with(5000, 200));
    other = &askings[1];
    for (size_t i = 0; i < COUNT(askings); i++)
        start(&askings[i], "a.example.net", DNS_TYPE_A);
    finish(&askings[2]);
    ck_assert_uint_eq(askings[0].calls, 1);
    ck_assert_uint_eq(askings[1].calls, 0);
    dns_answer_unref(askings[0].answer);
    dns_answer_unref(askings[2].answer);
}
END_TEST

static void start_other(struct asking *asking)
{
    (void)asking;
    start(other, "a.example.net", DNS_TYPE_A);
}

START_TEST(an_answer_may_lead_to_the_same_question)
{
    struct asking asking = { .on_done = start_other };
    struct asking next = { .calls = 0 };

    set_up(settings_with(5000, 200));
    other = &next;
    start(&asking, "a.example.net", DNS_TYPE_A);
    finish(&asking);
    finish(&next);
    expect_address(next.answer);
    dns_answer_unref(asking.answer);
    dns_answer_unref(next.answer);
}
END_TEST

/* Two with the server, ten that wait, and one too many. */
START_TEST(past_the_ceiling_questions_wait_and_then_fail_at_once)
{
    struct asking askings[2 + 2 * RESOLVER_WAITING_FACTOR] = { { .calls = 0 } };
    char name[40];

    set_up(settings_with(400, 2));
    server.is_silent = true;
    for (size_t i = 0; i < COUNT(askings); i++) {
        snprintf(name, sizeof name, "a%zu.example.net", i);
        start(&askings[i], name, DNS_TYPE_A);
    }
    expect_failure("one-more.example.net", "overloaded");
    ck_assert_uint_eq(askings[0].calls, 0);
    net_run_for(loop, 50);
    ck_assert_ptr_nonnull(strstr(server.labels, " a1 "));
    ck_assert_ptr_null(strstr(server.labels, " a2 "));
    server.is_silent = false;
    /* Both places are given back by the clock; all waited as long, and are over by then. */
    for (size_t i = 0; i < COUNT(askings); i++) {
        finish(&askings[i]);
        dns_answer_unref(askings[i].answer);
    }
    expect_address(ask("a99.example.net", DNS_TYPE_A));
}
END_TEST

START_TEST(a_place_that_becomes_free_goes_to_who_waits)
{
    struct asking first = { .calls = 0 };
    struct asking second = { .calls = 0 };
    struct asking third = { .calls = 0 };

    set_up(settings_with(5000, 1));
    start(&first, "silent.example.net", DNS_TYPE_A);
    start(&second, "a.example.net", DNS_TYPE_A);
    start(&third, "a2.example.net", DNS_TYPE_A);
    net_run_for(loop, 50);
    ck_assert_uint_eq(second.calls, 0);
    resolver_cancel(&first.lookup);
    finish(&third);
    ck_assert_uint_eq(second.calls, 1);
    dns_answer_unref(second.answer);
    dns_answer_unref(third.answer);
}
END_TEST

/* With one place and a factor of four: what was given up is still work. */
START_TEST(questions_that_were_given_up_have_a_ceiling_too)
{
    struct asking asking = { .calls = 0 };
    char name[40];

    set_up(settings_with(200, 1));
    server.is_silent = true;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "a%d.example.net", i);
        start(&asking, name, DNS_TYPE_A);
        net_run_for(loop, 2);
        resolver_cancel(&asking.lookup);
    }
    ck_assert_ptr_nonnull(strstr(server.labels, " a3 "));
    ck_assert_ptr_null(strstr(server.labels, " a4 "));
    ck_assert_uint_eq(asking.calls, 0);
    server.is_silent = false;
}
END_TEST

START_TEST(names_in_the_local_data_are_answered_from_it_alone)
{
    struct resolver_settings settings = settings_with(5000, 200);
    struct zone_problem problem;
    struct zone *zone;

    text_init(&problem.sentence, 300);
    zone = zone_new(SLICE("a.example.net. A 192.0.2.7\n$FAIL bad.example.net."), &problem);
    settings.local_data = zone;
    set_up(settings);
    expect_address(ask("a.EXAMPLE.net", DNS_TYPE_A));
    ck_assert_int_eq(ask("a.example.net", DNS_TYPE_MX)->result, DNS_NO_DATA);
    expect_failure("bad.example.net", "local data");
    ck_assert_uint_eq(server.udp_questions, 0);
    expect_address(ask("a2.example.net", DNS_TYPE_A));
    ck_assert_uint_eq(resolver_get_counts(resolver)->local, 3);
    resolver_free(&resolver);
    zone_free(&zone);
    text_clear(&problem.sentence);
}
END_TEST

START_TEST(without_servers_what_no_zone_has_does_not_exist)
{
    struct resolver_settings settings = settings_with(5000, 200);
    struct zone_problem problem;
    struct zone *first;
    struct zone *second;

    text_init(&problem.sentence, 300);
    first = zone_new(SLICE("a.example.net. A 192.0.2.7\n"), &problem);
    second = zone_new(SLICE("a.example.net. TXT \"second\"\nb.example.net. A 192.0.2.8\n"),
                      &problem);
    settings.address_count = 0;
    settings.overrides = first;
    settings.local_data = second;
    set_up(settings);
    expect_address(ask("a.example.net", DNS_TYPE_A));
    ck_assert_int_eq(ask("a.example.net", DNS_TYPE_TXT)->result, DNS_NO_DATA);
    expect_address(ask("b.example.net", DNS_TYPE_A));
    ck_assert_int_eq(ask("c.example.org", DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_uint_eq(server.udp_questions, 0);
    resolver_free(&resolver);
    zone_free(&first);
    zone_free(&second);
    text_clear(&problem.sentence);
}
END_TEST

START_TEST(a_name_that_cannot_be_asked_for_does_not_exist)
{
    set_up(settings_with(5000, 200));
    ck_assert_int_eq(ask("a..b", DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_int_eq(ask("", DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_uint_eq(server.udp_questions, 0);
    expect_address(ask("a\\000 b.example.net", DNS_TYPE_A));
}
END_TEST

START_TEST(names_that_are_special_elsewhere_are_asked_for_like_others)
{
    static const char *const names[] = {
        "a.test", "localhost", "a.invalid", "a.home.arpa", "1.0.0.10.in-addr.arpa",
        "1.2.168.192.in-addr.arpa", "1.0.16.172.in-addr.arpa", "1.0.0.127.in-addr.arpa",
        "1.2.0.192.in-addr.arpa", "1.0.64.100.in-addr.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    };

    set_up(settings_with(5000, 200));
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct dns_answer *answer = ask(names[i], DNS_TYPE_A);

        ck_assert_msg(answer->result == DNS_FOUND && answer->records[0].address.bytes[12] == 192,
                      "%s: %d", names[i], (int)answer->result);
    }
}
END_TEST

#define ANCHOR "; of no one\n\nexample.net. IN DS 1 13 2 " /* and a digest of 64 digits */       \
    "0000000000000000000000000000000000000000000000000000000000000000\n"

START_TEST(an_answer_that_is_not_signed_where_it_must_be_is_bogus)
{
    struct resolver_settings settings = settings_with(5000, 200);

    settings.trust_anchors = SLICE(ANCHOR);
    set_up(settings);
    expect_failure("a.example.net", "bogus");
    ck_assert(ask("a.example.net", DNS_TYPE_A)->is_bogus);
    expect_address(ask("a.example.org", DNS_TYPE_A));
}
END_TEST

START_TEST(a_trust_anchor_that_is_no_record_is_refused_at_the_start)
{
    struct resolver_settings settings = settings_with(5000, 200);
    struct text problem;

    text_init(&problem, 300);
    settings.trust_anchors = SLICE("what is this\n");
    ck_assert_ptr_null(resolver_new(loop, &settings, &problem));
    ck_assert_msg(strstr(text_string(&problem), "trust anchor") != NULL, "%s",
                  text_string(&problem));
    text_clear(&problem);
}
END_TEST

START_TEST(it_may_end_with_questions_in_flight)
{
    struct asking askings[5] = { { .calls = 0 } };

    set_up(settings_with(5000, 2));
    start(&askings[0], "silent.example.net", DNS_TYPE_A);
    start(&askings[1], "a.example.net", DNS_TYPE_A);
    start(&askings[2], "a.example.net", DNS_TYPE_A);
    start(&askings[3], "a3.example.net", DNS_TYPE_A);
    start(&askings[4], "", DNS_TYPE_A);
    resolver_free(&resolver);
    net_run_for(loop, 50);
    for (size_t i = 0; i < COUNT(askings); i++)
        ck_assert_uint_eq(askings[i].calls, 0);
}
END_TEST

static Suite *resolver_suite(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tests = tcase_create("resolver");

    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, before, after);
    tcase_add_test(tests, an_answer_comes_once_and_is_kept_for_its_time);
    tcase_add_test(tests, what_is_there_for_a_second_is_asked_for_again);
    tcase_add_test(tests, an_answer_that_was_cut_is_fetched_by_tcp);
    tcase_add_test(tests, a_server_that_says_nothing_useful_is_a_failure_in_time);
    tcase_add_test(tests, a_server_that_comes_back_is_asked_again);
    tcase_add_test(tests, equal_questions_are_asked_once);
    tcase_add_test(tests, who_cancels_hears_nothing_and_others_do);
    tcase_add_test(tests, an_answer_may_end_other_lookups_of_the_same_question);
    tcase_add_test(tests, an_answer_may_lead_to_the_same_question);
    tcase_add_test(tests, past_the_ceiling_questions_wait_and_then_fail_at_once);
    tcase_add_test(tests, a_place_that_becomes_free_goes_to_who_waits);
    tcase_add_test(tests, questions_that_were_given_up_have_a_ceiling_too);
    tcase_add_test(tests, names_in_the_local_data_are_answered_from_it_alone);
    tcase_add_test(tests, without_servers_what_no_zone_has_does_not_exist);
    tcase_add_test(tests, a_name_that_cannot_be_asked_for_does_not_exist);
    tcase_add_test(tests, names_that_are_special_elsewhere_are_asked_for_like_others);
    tcase_add_test(tests, an_answer_that_is_not_signed_where_it_must_be_is_bogus);
    tcase_add_test(tests, a_trust_anchor_that_is_no_record_is_refused_at_the_start);
    tcase_add_test(tests, it_may_end_with_questions_in_flight);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return unit_run(resolver_suite());
}
