/* SPDX-License-Identifier: BSD-2-Clause */
/* flow/spf_link and flow/spf_trial: a worker and a second SPF engine that may do anything. */
#include "base/memory.h"
#include "flow/spf_trial.h"
#include "net/packet.h"
#include "net_unit.h"

#define LARGE_BYTES 60000u
#define CALL_COUNT 50u

static struct loop *loop;
static struct spf_link *the_link;
static int engine; /* its end of the channel */

/* What became of a call. */
struct heard {
    struct spf_call *call;
    bool is_over;
    bool has_answer;
    struct spf_second second;
    const char *problem;
};

static void connect_engine(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    engine = ends[0];
    spf_link_connect(the_link, ends[1]);
}

static void set_up(void)
{
    loop = loop_new();
    the_link = spf_link_new(loop);
    engine = -1;
}

static void tear_down(void)
{
    spf_link_free(&the_link);
    loop_free(&loop);
    if (engine >= 0)
        close(engine);
}

static void on_done(void *owner, const struct spf_second *second, const char *problem)
{
    struct heard *heard = owner;

    ck_assert(!heard->is_over);
    heard->is_over = true;
    heard->has_answer = second != NULL;
    if (second != NULL)
        heard->second = *second;
    heard->problem = problem;
    heard->call = NULL;
}

static void start(struct heard *heard, size_t length)
{
    struct text request;

    *heard = (struct heard){ .is_over = false };
    text_init(&request, SPF_PARCEL_MAX_BYTES);
    for (size_t i = 0; i < length; i++)
        text_add_byte(&request, 'x');
    heard->call = spf_call_start(the_link, &request, on_done, heard);
    ck_assert(!heard->is_over);
}

/* The number of the next request; false when there is none. */
static bool take_request(uint32_t *number)
{
    static char bytes[SPF_PARCEL_MAX_BYTES];
    struct packet packet;
    enum packet_result result = packet_receive(engine, &packet, bytes, sizeof bytes);

    packet_clear(&packet);
    *number = packet.type;
    return result == PACKET_DONE;
}

static void answer(uint32_t number, struct spf_second second)
{
    struct text bytes;

    text_init(&bytes, 2000);
    spf_second_pack(&second, &bytes);
    ck_assert_int_eq(packet_send(engine, number, text_slice(&bytes), NULL, 0), PACKET_DONE);
    text_clear(&bytes);
}

static void wait_for(struct heard *heard)
{
    net_run_until(loop, "the end of a call", net_is_set, &heard->is_over);
}

static const struct spf_second softfail = { .end = SPF_SECOND_DONE, .result = RESULT_SOFTFAIL };

/* ---- The link. */

START_TEST(answer_reaches_its_call)
{
    struct heard first, second;
    uint32_t numbers[2];

    connect_engine();
    start(&first, 10);
    start(&second, 10);
    ck_assert(take_request(&numbers[0]) && take_request(&numbers[1]));
    answer(numbers[1], softfail);
    wait_for(&second);
    ck_assert(second.has_answer && second.second.result == RESULT_SOFTFAIL);
    ck_assert(!first.is_over);
    spf_call_cancel(&first.call);
    ck_assert_ptr_null(first.call);
}
END_TEST

START_TEST(answers_that_nobody_waits_for_are_ignored)
{
    struct heard heard;
    uint32_t number;

    connect_engine();
    start(&heard, 10);
    ck_assert(take_request(&number));
    answer(number + 1, softfail);
    spf_call_cancel(&heard.call);
    answer(number, softfail);
    start(&heard, 10);
    ck_assert(take_request(&number));
    answer(number, softfail);
    answer(number, softfail);
    wait_for(&heard);
    ck_assert(heard.has_answer);
    net_run_for(loop, 20);
}
END_TEST

START_TEST(nonsense_ends_the_engine_for_us)
{
    struct heard heard;
    uint32_t number;

    connect_engine();
    start(&heard, 10);
    ck_assert(take_request(&number));
    ck_assert_int_eq(packet_send(engine, number, SLICE("nonsense"), NULL, 0), PACKET_DONE);
    wait_for(&heard);
    ck_assert(!heard.has_answer);
    ck_assert_str_eq(heard.problem, "the process of libspf2 has died");
    ck_assert_int_eq(packet_send(engine, number, SLICE("more"), NULL, 0), PACKET_GONE);
}
END_TEST

START_TEST(what_a_dead_engine_was_told_is_not_said_to_the_next)
{
    struct heard heard, later;
    uint32_t number, next;

    connect_engine();
    start(&heard, 10);
    ck_assert(take_request(&number));
    close(engine);
    wait_for(&heard);
    ck_assert_str_eq(heard.problem, "the process of libspf2 has died");
    start(&later, 10);
    connect_engine();
    ck_assert(take_request(&next));
    ck_assert_uint_ne(number, next);
    ck_assert(!take_request(&number));
    answer(next, softfail);
    wait_for(&later);
    ck_assert(later.has_answer);
}
END_TEST

START_TEST(time_is_up_with_and_without_an_engine)
{
    struct heard heard;

    for (int i = 0; i < 2; i++) {
        start(&heard, 10);
        wait_for(&heard);
        ck_assert(!heard.has_answer);
        ck_assert_str_eq(heard.problem, "libspf2 gave no answer in time");
        if (engine < 0)
            connect_engine();
    }
}
END_TEST

/* Far more than a channel holds. */
START_TEST(full_channel_is_waited_for)
{
    static struct heard heard[CALL_COUNT];
    size_t count = 0;
    uint32_t number;

    connect_engine();
    for (size_t i = 0; i < CALL_COUNT; i++)
        start(&heard[i], LARGE_BYTES);
    while (count < CALL_COUNT) {
        while (take_request(&number)) {
            answer(number, softfail);
            count++;
        }
        net_run_for(loop, 1);
    }
    for (size_t i = 0; i < CALL_COUNT; i++) {
        wait_for(&heard[i]);
        ck_assert_msg(heard[i].has_answer, "call %d: %s", (int)i, heard[i].problem);
    }
}
END_TEST

/* ---- The trial. */

static struct dns_answers *answers;
static struct spf_finding finding;
static bool is_woken;
static const struct spf_question question = {
    .client = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1 } },
    .helo = { "mx.example.org", 14 },
    .sender_local = { "anna", 4 },
    .sender_domain = { "example.org", 11 },
    .max_void_lookups = SPF_DEFAULT_VOID_LOOKUPS,
};

static void put_all(const char *text)
{
    const struct dns_record record = { .bytes = slice_from(text) };
    struct dns_question wanted;

    while (dns_answers_take_wanted(answers, &wanted))
        dns_answers_put(answers, &wanted, dns_answer_new(DNS_FOUND, &record, 1));
}

/* Up to the engine's first request. */
static struct spf_trial *start_trial(enum spf_engine which, uint32_t *number)
{
    struct spf_trial *trial = spf_trial_new(which, the_link, net_set_flag, &is_woken);

    connect_engine();
    answers = dns_answers_new(100);
    ck_assert(!spf_trial_step(trial, &question, answers, &finding));
    put_all("v=spf1 -all");
    ck_assert(!spf_trial_step(trial, &question, answers, &finding));
    ck_assert(take_request(number));
    ck_assert(!spf_trial_step(trial, &question, answers, &finding));
    return trial;
}

static void wait_for_word(void)
{
    is_woken = false;
    net_run_until(loop, "word of the engine", net_is_set, &is_woken);
}

static void end_trial(struct spf_trial **trial)
{
    spf_trial_free(trial);
    spf_finding_clear(&finding);
    dns_answers_free(&answers);
    close(engine);
    engine = -1;
}

static void expect_trial(enum spf_engine which, struct spf_second second,
                         enum check_result result, enum check_result other)
{
    uint32_t number;
    struct spf_trial *trial = start_trial(which, &number);

    answer(number, second);
    wait_for_word();
    ck_assert(spf_trial_step(trial, &question, answers, &finding));
    ck_assert_str_eq(result_word(finding.result), result_word(result));
    ck_assert_str_eq(result_word(finding.second_result), result_word(other));
    ck_assert_str_eq(finding.domain, "example.org");
    ck_assert(finding.mechanism == NULL || result == RESULT_FAIL);
    ck_assert_int_eq(finding.problem != NULL,
                     result == RESULT_PERMERROR || result == RESULT_TEMPERROR);
    end_trial(&trial);
}

START_TEST(results_of_the_second_engine_count_as_the_setting_says)
{
    const struct spf_second same = { .end = SPF_SECOND_DONE, .result = RESULT_FAIL };
    const struct spf_second refused = { .end = SPF_SECOND_REFUSED };
    const struct spf_second too_much = { .end = SPF_SECOND_TOO_MUCH };
    const struct spf_second failed = { .end = SPF_SECOND_DONE, .result = RESULT_TEMPERROR };

    expect_trial(SPF_ENGINE_BOTH, same, RESULT_FAIL, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_BOTH, softfail, RESULT_FAIL, RESULT_SOFTFAIL);
    expect_trial(SPF_ENGINE_BOTH, refused, RESULT_FAIL, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_BOTH, too_much, RESULT_FAIL, RESULT_PERMERROR);
    expect_trial(SPF_ENGINE_LIBSPF2, same, RESULT_FAIL, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_LIBSPF2, softfail, RESULT_SOFTFAIL, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_LIBSPF2, refused, RESULT_FAIL, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_LIBSPF2, too_much, RESULT_PERMERROR, RESULT_NOT_RUN);
    expect_trial(SPF_ENGINE_LIBSPF2, failed, RESULT_TEMPERROR, RESULT_NOT_RUN);
}
END_TEST

START_TEST(engine_that_dies_is_a_temperror)
{
    uint32_t number;
    struct spf_trial *trial = start_trial(SPF_ENGINE_LIBSPF2, &number);

    shutdown(engine, SHUT_RDWR);
    wait_for_word();
    ck_assert(spf_trial_step(trial, &question, answers, &finding));
    ck_assert_int_eq(finding.result, RESULT_TEMPERROR);
    ck_assert_str_eq(finding.problem, "the process of libspf2 has died");
    end_trial(&trial);
}
END_TEST

START_TEST(missing_answer_is_asked_for_and_handed_in)
{
    struct spf_second missing = { .end = SPF_SECOND_MISSING, .type = DNS_TYPE_TXT,
                                  .name = "b.example.org" };
    uint32_t number;
    struct spf_trial *trial = start_trial(SPF_ENGINE_LIBSPF2, &number);

    answer(number, missing);
    wait_for_word();
    ck_assert(!spf_trial_step(trial, &question, answers, &finding));
    ck_assert(!take_request(&number));
    put_all("v=spf1 ~all");
    ck_assert(!spf_trial_step(trial, &question, answers, &finding));
    ck_assert(take_request(&number));
    answer(number, softfail);
    wait_for_word();
    ck_assert(spf_trial_step(trial, &question, answers, &finding));
    ck_assert_int_eq(finding.result, RESULT_SOFTFAIL);
    end_trial(&trial);
}
END_TEST

/* One that was taken over may ask for ever. */
START_TEST(engine_that_asks_without_end_is_a_temperror)
{
    struct spf_second missing = { .end = SPF_SECOND_MISSING, .type = DNS_TYPE_TXT };
    uint32_t number;
    struct spf_trial *trial = start_trial(SPF_ENGINE_LIBSPF2, &number);
    bool has_ended = false;

    for (int i = 0; !has_ended; i++) {
        ck_assert_int_lt(i, 100);
        snprintf(missing.name, sizeof missing.name, "n%d.example.org", i);
        answer(number, missing);
        wait_for_word();
        has_ended = spf_trial_step(trial, &question, answers, &finding);
        put_all("v=spf1 ~all");
        has_ended = has_ended || spf_trial_step(trial, &question, answers, &finding);
        ck_assert(has_ended || take_request(&number));
    }
    ck_assert_int_eq(finding.result, RESULT_TEMPERROR);
    ck_assert_str_eq(finding.problem, "libspf2 has asked for too many answers");
    end_trial(&trial);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow/spf_link");
    TCase *test_case = tcase_create("all");

    tcase_add_checked_fixture(test_case, set_up, tear_down);
    tcase_set_timeout(test_case, 20);
    tcase_add_test(test_case, answer_reaches_its_call);
    tcase_add_test(test_case, answers_that_nobody_waits_for_are_ignored);
    tcase_add_test(test_case, nonsense_ends_the_engine_for_us);
    tcase_add_test(test_case, what_a_dead_engine_was_told_is_not_said_to_the_next);
    tcase_add_test(test_case, time_is_up_with_and_without_an_engine);
    tcase_add_test(test_case, full_channel_is_waited_for);
    tcase_add_test(test_case, results_of_the_second_engine_count_as_the_setting_says);
    tcase_add_test(test_case, engine_that_dies_is_a_temperror);
    tcase_add_test(test_case, missing_answer_is_asked_for_and_handed_in);
    tcase_add_test(test_case, engine_that_asks_without_end_is_a_temperror);
    suite_add_tcase(suite, test_case);
    return unit_run(suite);
}
