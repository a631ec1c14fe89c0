/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/: names, answers, and the table that the checks work from. */
#include <string.h>

#include "dns/dns_answers.h"
#include "unit.h"

#define L50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 L50 "aaaaaaaaaaaaa"
#define L253 L63 "." L63 "." L63 "." L50 "aaaaaaaaaaa"

static const struct {
    struct slice name, want; /* empty: it is no name */
} names[] = {
    { BYTES("example.org"), BYTES("example.org") },
    { BYTES("EXAMPLE.Org."), BYTES("example.org") },
    { BYTES("_spf.a-b.example"), BYTES("_spf.a-b.example") },
    { BYTES("a\\032b.c"), BYTES("a\\032b.c") },
    { BYTES("a b.c"), BYTES("a\\032b.c") },
    { BYTES("a\\065.c"), BYTES("aa.c") },
    { BYTES("a\0b"), BYTES("a\\000b") },
    { BYTES("\xff.c"), BYTES("\\255.c") },
    { BYTES(L253), BYTES(L253) },
    { BYTES(L253 "."), BYTES(L253) },
    { BYTES(L253 "a"), BYTES("") },
    { BYTES("a" L63), BYTES("") },
    { BYTES(""), BYTES("") },
    { BYTES("."), BYTES("") },
    { BYTES(".a"), BYTES("") },
    { BYTES("a..b"), BYTES("") },
    { BYTES("a.."), BYTES("") },
    { BYTES("a\\"), BYTES("") },
    { BYTES("a\\0"), BYTES("") },
    { BYTES("a\\00"), BYTES("") },
    { BYTES("a\\0x0"), BYTES("") },
    { BYTES("a\\256"), BYTES("") },
};

START_TEST(a_name_has_one_form_or_is_none)
{
    struct text out;

    text_init(&out, DNS_NAME_MAX_BYTES);
    text_add_string(&out, ">");
    ck_assert_int_eq(dns_name_normalise(names[_i].name, &out), names[_i].want.length > 0);
    ck_assert_msg(slice_equals(slice_from_offset(text_slice(&out), 1), names[_i].want),
                  "got \"%s\", want \"%.*s\"", text_string(&out), SLICE_ARGS(names[_i].want));
    text_clear(&out);
}
END_TEST

START_TEST(a_name_that_does_not_fit_is_left_out_whole)
{
    struct text out;

    text_init(&out, 10);
    ck_assert(!dns_name_normalise(SLICE("example.org"), &out));
    unit_expect_text("no name", &out, SLICE_EMPTY);
    text_clear(&out);
}
END_TEST

START_TEST(an_answer_owns_its_records_and_is_held_by_many)
{
    char bytes[] = "v=spf1 -all";
    struct dns_record records[] = { { .bytes = SLICE("first") },
                                    { .bytes = { bytes, strlen(bytes) } } };
    struct dns_answer *answer = dns_answer_new(DNS_FOUND, records, 2);

    bytes[0] = 'x';
    ck_assert_ptr_eq(dns_answer_ref(answer), answer);
    dns_answer_unref(answer);
    ck_assert_uint_eq(answer->record_count, 2);
    ck_assert(slice_equals(answer->records[0].bytes, SLICE("first")));
    ck_assert(slice_equals(answer->records[1].bytes, SLICE("v=spf1 -all")));
    dns_answer_unref(answer);
}
END_TEST

START_TEST(found_without_records_is_no_data)
{
    struct dns_answer *answer = dns_answer_new(DNS_FOUND, NULL, 0);

    ck_assert_int_eq(answer->result, DNS_NO_DATA);
    ck_assert(dns_answer_is_void(answer));
    dns_answer_unref(answer);
}
END_TEST

/* ---- The table. */

START_TEST(what_is_missing_is_wanted_once)
{
    struct dns_answers *answers = dns_answers_new(10);
    const struct dns_record record = { .bytes = SLICE("x") };
    struct dns_question question;

    ck_assert_ptr_null(dns_answers_find(answers, SLICE("Example.org"), DNS_TYPE_TXT));
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("example.org."), DNS_TYPE_TXT));
    ck_assert(dns_answers_is_waiting(answers));
    ck_assert(dns_answers_take_wanted(answers, &question));
    ck_assert_str_eq(question.name, "example.org");
    ck_assert_int_eq(question.type, DNS_TYPE_TXT);
    ck_assert(dns_answers_is_waiting(answers));
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("example.org"), DNS_TYPE_MX));
    dns_answers_put(answers, &question, dns_answer_new(DNS_FOUND, &record, 1));
    ck_assert_int_eq(dns_answers_find(answers, SLICE("EXAMPLE.ORG"), DNS_TYPE_TXT)->result,
                     DNS_FOUND);
    ck_assert(dns_answers_take_wanted(answers, &question));
    ck_assert_int_eq(question.type, DNS_TYPE_MX);
    ck_assert(!dns_answers_take_wanted(answers, &question));
    dns_answers_put(answers, &question, dns_answer_new(DNS_NO_NAME, NULL, 0));
    ck_assert(!dns_answers_is_waiting(answers));
    ck_assert_uint_eq(dns_answers_count(answers), 2);
    dns_answers_free(&answers);
    ck_assert_ptr_null(answers);
}
END_TEST

START_TEST(the_first_answer_to_a_question_stays)
{
    struct dns_answers *answers = dns_answers_new(10);
    struct dns_question question;

    dns_answers_find(answers, SLICE("a"), DNS_TYPE_A);
    dns_answers_take_wanted(answers, &question);
    dns_answers_put(answers, &question, dns_answer_new(DNS_NO_NAME, NULL, 0));
    dns_answers_put(answers, &question, dns_answer_new_failed("late"));
    ck_assert_int_eq(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A)->result, DNS_NO_NAME);
    dns_answers_free(&answers);
}
END_TEST

START_TEST(too_many_questions_fail_and_bad_names_do_not_exist)
{
    struct dns_answers *answers = dns_answers_new(1);
    const struct dns_answer *answer;

    ck_assert_ptr_null(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A));
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A));
    answer = dns_answers_find(answers, SLICE("b"), DNS_TYPE_A);
    ck_assert_int_eq(answer->result, DNS_FAILED);
    ck_assert_str_eq(answer->problem, "too many questions");
    ck_assert_int_eq(dns_answers_find(answers, SLICE("a..b"), DNS_TYPE_A)->result, DNS_NO_NAME);
    ck_assert_uint_eq(dns_answers_count(answers), 1);
    dns_answers_free(&answers);
}
END_TEST

START_TEST(when_time_is_up_everything_missing_has_failed)
{
    struct dns_answers *answers = dns_answers_new(10);
    struct dns_question question, late;

    dns_answers_find(answers, SLICE("a"), DNS_TYPE_A);
    dns_answers_find(answers, SLICE("b"), DNS_TYPE_A);
    dns_answers_take_wanted(answers, &late);
    dns_answers_give_up(answers, "timeout");
    ck_assert(!dns_answers_is_waiting(answers));
    ck_assert(!dns_answers_take_wanted(answers, &question));
    ck_assert_str_eq(dns_answers_find(answers, SLICE("b"), DNS_TYPE_A)->problem, "timeout");
    ck_assert_str_eq(dns_answers_find(answers, SLICE("c"), DNS_TYPE_A)->problem, "timeout");
    dns_answers_put(answers, &late, dns_answer_new(DNS_NO_NAME, NULL, 0));
    ck_assert_str_eq(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A)->problem, "timeout");
    ck_assert(!dns_answers_is_waiting(answers));
    dns_answers_free(&answers);
}
END_TEST

START_TEST(what_is_forgotten_is_asked_again_and_has_been_counted)
{
    struct dns_answers *answers = dns_answers_new(2);
    struct dns_question question;

    ck_assert_ptr_null(dns_answers_find(answers, SLICE("a.example"), DNS_TYPE_A));
    ck_assert(dns_answers_take_wanted(answers, &question));
    dns_answers_put(answers, &question, dns_answer_new(DNS_NO_NAME, NULL, 0));
    dns_answers_forget(answers);
    ck_assert_uint_eq(dns_answers_count(answers), 1);
    ck_assert(!dns_answers_is_waiting(answers));
    ck_assert(!dns_answers_take_wanted(answers, &question));
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("a.example"), DNS_TYPE_A));
    ck_assert(dns_answers_take_wanted(answers, &question));
    ck_assert_str_eq(question.name, "a.example");
    ck_assert_uint_eq(dns_answers_count(answers), 2);
    ck_assert_int_eq(dns_answers_find(answers, SLICE("b.example"), DNS_TYPE_A)->result,
                     DNS_FAILED);
    dns_answers_free(&answers);
}
END_TEST

START_TEST(room_is_made_whatever_was_asked_before_and_after_time_was_up)
{
    struct dns_answers *answers = dns_answers_new(1);

    ck_assert_ptr_null(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A));
    dns_answers_give_up(answers, "timeout");
    dns_answers_make_room(answers, 2);
    ck_assert_str_eq(dns_answers_find(answers, SLICE("a"), DNS_TYPE_A)->problem, "timeout");
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("b"), DNS_TYPE_A));
    ck_assert_ptr_null(dns_answers_find(answers, SLICE("c"), DNS_TYPE_A));
    ck_assert_str_eq(dns_answers_find(answers, SLICE("d"), DNS_TYPE_A)->problem,
                     "too many questions");
    dns_answers_free(&answers);
    answers = dns_answers_new(10);
    dns_answers_make_room(answers, 2);
    for (char name[] = "a"; name[0] < 'k'; name[0]++)
        ck_assert_ptr_null(dns_answers_find(answers, slice_from(name), DNS_TYPE_A));
    dns_answers_free(&answers);
}
END_TEST

START_TEST(an_answer_takes_as_much_as_its_records)
{
    struct dns_record records[] = { { .bytes = SLICE("0123456789") }, { .bytes = SLICE("abc") } };
    struct dns_answer *none = dns_answer_new(DNS_NO_NAME, NULL, 0);
    struct dns_answer *two = dns_answer_new(DNS_FOUND, records, 2);

    ck_assert_uint_eq(dns_answer_bytes(none), sizeof *none);
    ck_assert_uint_eq(dns_answer_bytes(two), sizeof *two + sizeof records + 13);
    dns_answer_unref(none);
    dns_answer_unref(two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dns");
    TCase *names_case = tcase_create("names and answers");
    TCase *table_case = tcase_create("table");

    tcase_add_loop_test(names_case, a_name_has_one_form_or_is_none, 0, (int)COUNT(names));
    tcase_add_test(names_case, a_name_that_does_not_fit_is_left_out_whole);
    tcase_add_test(names_case, an_answer_owns_its_records_and_is_held_by_many);
    tcase_add_test(names_case, an_answer_takes_as_much_as_its_records);
    tcase_add_test(names_case, found_without_records_is_no_data);
    suite_add_tcase(suite, names_case);
    tcase_add_test(table_case, what_is_missing_is_wanted_once);
    tcase_add_test(table_case, the_first_answer_to_a_question_stays);
    tcase_add_test(table_case, too_many_questions_fail_and_bad_names_do_not_exist);
    tcase_add_test(table_case, what_is_forgotten_is_asked_again_and_has_been_counted);
    tcase_add_test(table_case, room_is_made_whatever_was_asked_before_and_after_time_was_up);
    tcase_add_test(table_case, when_time_is_up_everything_missing_has_failed);
    suite_add_tcase(suite, table_case);
    return unit_run(suite);
}
