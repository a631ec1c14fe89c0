/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence/: phases, the vocabulary, and who a message is from. */
#include <string.h>

#include "evidence/facts.h"
#include "evidence/vocabulary.h"
#include "unit.h"

START_TEST(every_phase_has_a_name_of_its_own)
{
    static const char *const want[PHASE_COUNT] = { "connect", "helo", "mail",
                                                   "rcpt",    "data", "message" };

    for (int i = 0; i < PHASE_COUNT; i++)
        ck_assert_str_eq(phase_name((enum phase)i), want[i]);
}
END_TEST

/* ---- vocabulary ---- */

START_TEST(every_term_is_whole_and_found_by_its_word)
{
    for (size_t i = 0; i < vocabulary_count(); i++) {
        const struct vocabulary_term *term = vocabulary_at(i);
        bool is_available = term->id != TERM_UNAVAILABLE;

        ck_assert_msg(vocabulary_find(slice_from(term->word)) == term, "\"%s\" is there twice",
                      term->word);
        ck_assert_msg((term->forms != 0) == is_available, "\"%s\": its forms", term->word);
        ck_assert_msg((term->values[0] != '\0') == is_available, "\"%s\": its values", term->word);
        ck_assert_msg(term->meaning[0] != '\0', "\"%s\": no meaning", term->word);
        ck_assert_msg((term->keywords != NULL) == ((term->forms & VALUE_KEYWORD) != 0),
                      "\"%s\": its keywords", term->word);
        ck_assert_msg(term->phase < PHASE_COUNT, "\"%s\": phase", term->word);
    }
}
END_TEST

START_TEST(every_available_term_is_in_the_table_once)
{
    size_t seen[TERM_UNAVAILABLE] = { 0 };

    for (size_t i = 0; i < vocabulary_count(); i++)
        if (vocabulary_at(i)->id != TERM_UNAVAILABLE)
            seen[vocabulary_at(i)->id]++;
    for (size_t i = 0; i < TERM_UNAVAILABLE; i++)
        ck_assert_msg(seen[i] == 1, "term %zu is in the table %zu times", i, seen[i]);
}
END_TEST

START_TEST(words_are_matched_exactly)
{
    static const char *const unknown[] = { "", "Client", "clien", "clients", "client ", "sizes" };

    for (size_t i = 0; i < COUNT(unknown); i++)
        ck_assert_msg(vocabulary_find(slice_from(unknown[i])) == NULL, "\"%s\"", unknown[i]);
    ck_assert_ptr_nonnull(vocabulary_find(SLICE("client")));
}
END_TEST

START_TEST(words_of_later_versions_are_known_as_such)
{
    static const char *const later[] = {
        "auth", "greylist", "dnsbl", "milter", "ptr", "rate",
    };

    for (size_t i = 0; i < COUNT(later); i++) {
        const struct vocabulary_term *term = vocabulary_find(slice_from(later[i]));

        ck_assert_msg(term != NULL && term->id == TERM_UNAVAILABLE, "\"%s\"", later[i]);
    }
}
END_TEST

START_TEST(keywords_are_numbered_in_order)
{
    static const struct {
        const char *term;
        const char *word;
        bool ok;
        size_t want;
    } cases[] = {
        { "tls", "none", true, 0 },        { "tls", "any", true, 1 },
        { "tls", "1.0", true, 2 },         { "tls", "1.3", true, 5 },
        { "tls", "1.4", false, 0 },        { "tls", "", false, 0 },
        { "tls", "none any", false, 0 },   { "sender", "null", true, 0 },
        { "header-from", "missing", true, 0 },
        { "header-from", "malformed", true, 2 },
        { "client", "none", false, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t got = 0;
        bool ok = vocabulary_find_keyword(vocabulary_find(slice_from(cases[i].term)),
                                          slice_from(cases[i].word), &got);

        ck_assert_msg(ok == cases[i].ok && (!ok || got == cases[i].want),
                      "%s %s: got %d %zu, want %d %zu", cases[i].term, cases[i].word, ok, got,
                      cases[i].ok, cases[i].want);
    }
}
END_TEST

/* ---- authors ---- */

static void expect_authors(const char *header, const char *want, bool is_malformed)
{
    static const struct message_limits limits = {
        .max_header_bytes = 100000, .max_header_fields = 1000,
    };
    struct spool_budget budget = { .max_bytes = 1 << 20 };
    struct mailbox_list list = { 0 };
    struct message message;
    struct text got;

    message_init(&message, &limits, &budget);
    ck_assert_int_eq(message_append(&message, slice_from(header)), MESSAGE_OK);
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);
    facts_parse_from(&list, &message);
    text_init(&got, 10000);
    for (size_t i = 0; i < list.count; i++)
        text_add_format(&got, "%s%s", i > 0 ? " " : "", list.mailboxes[i].address);
    unit_expect_text(header, &got, slice_from(want));
    ck_assert_msg(list.is_malformed == is_malformed, "%s: is_malformed", header);
    text_clear(&got);
    mailbox_list_clear(&list);
    message_clear(&message);
}

START_TEST(authors_come_from_every_from_field)
{
    expect_authors("Subject: x\r\n\r\n", "", false);
    expect_authors("From: a@example.org\r\n\r\n", "a@example.org", false);
    expect_authors("from: a@EXAMPLE.org\r\nSender: s@example.org\r\nFROM: b@example.net\r\n\r\n",
                   "a@example.org b@example.net", false);
    expect_authors("From: a@example.org, \"b@example.com\" <c@example.net>\r\n\r\n",
                   "a@example.org c@example.net", false);
    expect_authors("From: \"unclosed\r\nFrom: b@example.net\r\n\r\n", "b@example.net", true);
    expect_authors("Subject: x\r\n\r\nFrom: body@example.org\r\n", "", false);
}
END_TEST

START_TEST(authors_are_bounded_however_many_fields_there_are)
{
    struct mailbox_list list = { 0 };
    static const struct message_limits limits = {
        .max_header_bytes = 100000, .max_header_fields = 1000,
    };
    struct spool_budget budget = { .max_bytes = 1 << 20 };
    struct message message;

    message_init(&message, &limits, &budget);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(message_append(&message, SLICE("From: a@example.org\r\n")), MESSAGE_OK);
    ck_assert_int_eq(message_end(&message), MESSAGE_OK);
    facts_parse_from(&list, &message);
    ck_assert_uint_eq(list.count, MAILBOX_MAX_COUNT);
    ck_assert(list.is_malformed);
    mailbox_list_clear(&list);
    message_clear(&message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evidence");
    TCase *terms = tcase_create("vocabulary");
    TCase *authors = tcase_create("authors");

    tcase_add_test(terms, every_phase_has_a_name_of_its_own);
    tcase_add_test(terms, every_term_is_whole_and_found_by_its_word);
    tcase_add_test(terms, every_available_term_is_in_the_table_once);
    tcase_add_test(terms, words_are_matched_exactly);
    tcase_add_test(terms, words_of_later_versions_are_known_as_such);
    tcase_add_test(terms, keywords_are_numbered_in_order);
    suite_add_tcase(suite, terms);
    tcase_add_test(authors, authors_come_from_every_from_field);
    tcase_add_test(authors, authors_are_bounded_however_many_fields_there_are);
    suite_add_tcase(suite, authors);
    return unit_run(suite);
}
