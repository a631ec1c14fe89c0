/* SPDX-License-Identifier: BSD-2-Clause */
/* policy/: the book that policies and domains make up, and how it is printed. */
#include <stdio.h>

#include "policy/policy_lint.h"
#include "policy/rules.h"
#include "policy_unit.h"

/* ---- the book ---- */

START_TEST(most_specific_domain_wins)
{
    static const struct {
        const char *domain;
        const char *want; /* first name of the block; NULL: not ours */
    } cases[] = {
        { "example.org", "example.org" },
        { "example.eu", "example.org" },
        { "a.example.org", ".example.org" },
        { "a.b.example.org", ".example.org" },
        { "mail.example.org", "mail.example.org" },
        { "x.mail.example.org", ".example.org" },
        { "x.deep.example.org", ".deep.example.org" },
        { "deep.example.org", ".example.org" },
        { "xn--bcher-kva.example", "mail.example.org" },
        { "notexample.org", "*" },
        { "org", "*" },
        { "", NULL },
        { "[192.0.2.1]", NULL },
    };
    struct book_fixture books;

    book_load_good(&books, "policy p { otherwise accept; }\n"
                           "domain * { backend listed; policy p; }\n"
                           "domain .example.org { backend legacy; policy p; }\n"
                           "domain Example.ORG, example.eu { backend legacy; policy p; }\n"
                           "domain mail.example.org b\xc3\xbc"
                           "cher.example {\n"
                           "    backend legacy; policy p;\n}\n"
                           "domain b\xc3\xbc"
                           "cher.test { backend legacy; policy p; }\n"
                           "domain .deep.example.org { backend legacy; policy p; }\n");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct effective_policy *found =
            policy_book_find_domain(books.book, slice_from(cases[i].domain));
        const char *got = found == NULL ? "nobody's" : found->domain;
        const char *want = cases[i].want != NULL ? cases[i].want : "nobody's";

        ck_assert_msg(strcmp(got, want) == 0, "%s: got %s, want %s", cases[i].domain, got, want);
    }
    book_unload(&books);
}
END_TEST

START_TEST(without_a_block_for_all_others_a_domain_is_not_ours)
{
    struct book_fixture books;

    book_load_good(&books, "policy p { otherwise accept; }\n"
                           "domain example.org { backend legacy; policy p; }\n");
    ck_assert_ptr_null(policy_book_find_domain(books.book, SLICE("example.net")));
    ck_assert_ptr_null(policy_book_find_domain(books.book, SLICE("sub.example.org")));
    ck_assert_ptr_null(policy_book_find_domain(books.book, SLICE("org")));
    ck_assert_ptr_null(policy_book_find_domain(books.book, SLICE(".")));
    ck_assert_ptr_null(policy_book_find_domain(books.book, SLICE("*")));
    book_unload(&books);
}
END_TEST

START_TEST(domain_settings_go_over_those_of_the_policy)
{
    struct book_fixture books;
    const struct effective_policy *a;
    const struct effective_policy *b;
    const struct effective_policy *c;
    const struct effective_policy *d;

    book_load_good(&books,
                   "policy p { max-size 10M; mode shadow; otherwise accept; }\n"
                   "policy q { otherwise accept; }\n"
                   "domain a.example { backend legacy; policy p; }\n"
                   "domain b.example { backend legacy; policy p; max-size 20M; mode enforce; }\n"
                   "domain c.example { backend legacy; policy q; mode shadow; }\n"
                   "domain d.example { backend other; policy q; }\n");
    a = policy_book_find_domain(books.book, SLICE("a.example"));
    b = policy_book_find_domain(books.book, SLICE("b.example"));
    c = policy_book_find_domain(books.book, SLICE("c.example"));
    d = policy_book_find_domain(books.book, SLICE("d.example"));
    ck_assert_int_eq(a->mode, MODE_SHADOW);
    ck_assert_uint_eq(a->max_size_bytes, 10 << 20);
    ck_assert_int_eq(b->mode, MODE_ENFORCE);
    ck_assert_uint_eq(b->max_size_bytes, 20 << 20);
    ck_assert_int_eq(c->mode, MODE_SHADOW);
    ck_assert_uint_eq(c->max_size_bytes, POLICY_DEFAULT_MAX_SIZE_BYTES);
    ck_assert_int_eq(d->mode, MODE_ENFORCE);
    ck_assert_uint_eq(d->mode_at.line, 0);
    ck_assert_str_eq(d->backend->name, "other");
    ck_assert_uint_eq(policy_book_largest_size(books.book), POLICY_DEFAULT_MAX_SIZE_BYTES);
    ck_assert(policy_book_reaches(books.book, &books.config->backends[0]));
    ck_assert(policy_book_reaches(books.book, &books.config->backends[1]));
    ck_assert(!policy_book_reaches(books.book, &books.config->backends[2]));
    book_unload(&books);
}
END_TEST

START_TEST(a_domain_without_limit_makes_the_largest_size_none)
{
    struct book_fixture books;

    book_load_good(&books, "policy p { otherwise accept; }\n"
                           "domain a.example { backend legacy; policy p; max-size none; }\n"
                           "domain b.example { backend legacy; policy p; max-size 1G; }\n");
    ck_assert_uint_eq(policy_book_largest_size(books.book), 0);
    book_unload(&books);
}
END_TEST

START_TEST(gateway_in_shadow_wins_over_everything)
{
    struct book_fixture books;

    book_load_good(&books, "mode shadow;\n"
                           "policy p { mode enforce; otherwise accept; }\n"
                           "domain a.example { backend legacy; policy p; mode enforce; }\n");
    ck_assert_int_eq(policy_book_at(books.book, 0)->mode, MODE_SHADOW);
    ck_assert_uint_eq(policy_book_at(books.book, 0)->mode_at.line, 16);
    book_unload(&books);
}
END_TEST

START_TEST(domain_rules_come_first_and_modes_are_overridden_there_alone)
{
    struct book_fixture books;
    const struct effective_policy *plain;
    const struct effective_policy *special;

    book_load_good(&books, "policy p {\n"
                           "    rule one { when tls none; then reject; }\n"
                           "    rule two { mode shadow; when size > 1M; then reject; }\n"
                           "    otherwise accept;\n}\n"
                           "domain a.example { backend legacy; policy p; }\n"
                           "domain .b.example {\n"
                           "    backend legacy; policy p;\n"
                           "    rule mine { when helo localhost; then accept; }\n"
                           "    rule one { mode shadow; }\n"
                           "    rule two { mode enforce; }\n}\n");
    plain = policy_book_at(books.book, 0);
    special = policy_book_at(books.book, 1);
    ck_assert_uint_eq(plain->rule_count, 3);
    ck_assert_str_eq(plain->rules[0].reason, "rule.p.one");
    ck_assert_int_eq(plain->rules[0].mode, MODE_ENFORCE);
    ck_assert_int_eq(plain->rules[1].mode, MODE_SHADOW);
    ck_assert_str_eq(plain->rules[2].reason, "rule.p.otherwise");
    ck_assert_uint_eq(special->rule_count, 4);
    ck_assert_str_eq(special->rules[0].reason, "rule.*.b.example.mine");
    ck_assert_str_eq(special->rules[1].reason, "rule.p.one");
    ck_assert_int_eq(special->rules[1].mode, MODE_SHADOW);
    ck_assert_int_eq(special->rules[2].mode, MODE_ENFORCE);
    book_unload(&books);
}
END_TEST

START_TEST(a_relay_knows_all_our_domains_as_its_own)
{
    struct book_fixture books;
    const struct effective_policy *relay;

    book_load_good(&books,
                   "relay printers { from 10.0.0.0/28; policy out; backend other; }\n"
                   "policy out { rule strange { when sender-domain example.org; then accept; }\n"
                   "    otherwise reject; }\n"
                   "domain * { backend listed; policy out; }\n"
                   "domain a.example .b.example { backend legacy; policy out; }\n");
    relay = policy_book_get_relay(books.book, &books.config->relays[0]);
    ck_assert_str_eq(relay->policy, "out");
    ck_assert_str_eq(relay->domain, "");
    ck_assert_str_eq(relay->backend->name, "other");
    ck_assert_uint_eq(relay->own_domain_count, 2);
    ck_assert_str_eq(relay->own_domains[0], "a.example");
    ck_assert_str_eq(relay->own_domains[1], ".b.example");
    book_unload(&books);
}
END_TEST

START_TEST(own_domain_of_the_block_for_all_others_is_the_recipients)
{
    struct facts_fixture fixture;
    struct book_fixture books;
    const struct effective_policy *policy;

    book_load_good(&books, "policy p { rule r { when sender-domain own-domain; then reject; }\n"
                           "    otherwise accept; }\n"
                           "domain * { backend listed; policy p; }\n");
    policy = policy_book_at(books.book, 0);
    ck_assert(policy->rules[0].has_recipient_term);
    facts_make(&fixture, "<a@mail.one.example>", "<b@one.example>", "\r\n");
    ck_assert_int_eq(rule_evaluate(&policy->rules[0], &fixture.facts, policy), TERM_TRUE);
    facts_set_recipient(&fixture, "<b@two.example>");
    ck_assert_int_eq(rule_evaluate(&policy->rules[0], &fixture.facts, policy), TERM_FALSE);
    facts_clear(&fixture);
    book_unload(&books);
}
END_TEST

/* ---- printing ---- */

static const char printed_book[] =
    "relay printers { from 10.0.0.0/28;\n"
    "    policy out; backend other; } policy out { otherwise accept; }\n"
    "policy std {\n"
    "    max-size 25M;\n"
    "    rule own { when sender-domain own-domain; except client in partners;\n"
    "               except client 192.0.2.0/24; then reject \"say \\\"no\\\"\"; }\n"
    "    rule big { when size > 10M and tls none; then tempfail; }\n"
    "    rule late { when recipients > 50; then discard; }\n"
    "    rule odd { when header X-Odd present; then tag odd; }\n"
    "    otherwise accept;\n"
    "}\n"
    "domain example.org example.eu { backend legacy; policy std; mode shadow; }\n"
    "domain .example.org {\n"
    "    backend legacy; policy std; max-size none;\n"
    "    rule mine { when helo localhost; then accept; }\n"
    "    rule big { mode shadow; }\n"
    "}\n"
    "domain example.com { backend other; policy std; }\n";

START_TEST(effective_policy_names_the_origin_of_every_value)
{
    static const char want_first[] =
        "domain example.org example.eu {                         # t:27\n"
        "    backend legacy;                                     # t:27\n"
        "    policy std;                                         # t:27\n"
        "    mode shadow;                                        # t:27\n"
        "    max-size 25M;                                       # t:19\n"
        "    rule own {                                          # t:20\n"
        "        when sender-domain own-domain;\n"
        "        except client in partners;\n"
        "        except client 192.0.2.0/24;\n"
        "        then reject \"say \\\"no\\\"\";\n"
        "    }\n"
        "    rule big {                                          # t:22\n"
        "        when size > 10M and tls none;\n"
        "        then tempfail;\n"
        "    }\n"
        "    rule late {                                         # t:23\n"
        "        when recipients > 50;\n"
        "        then discard;\n"
        "    }\n"
        "    rule odd {                                          # t:24\n"
        "        when header X-Odd present;\n"
        "        then tag odd;\n"
        "    }\n"
        "    otherwise accept;                                   # t:25\n"
        "}\n";
    static const char want_second[] =
        "domain .example.org {                                   # t:28\n"
        "    backend legacy;                                     # t:29\n"
        "    policy std;                                         # t:29\n"
        "    mode enforce;                                       # built in\n"
        "    max-size none;                                      # t:29\n"
        "    rule mine {                                         # t:30\n"
        "        when helo localhost;\n"
        "        then accept;\n"
        "    }\n";
    static const char want_override[] =
        "    rule big {                                          # t:22\n"
        "        mode shadow;                                    # t:31\n";
    static const char want_relay[] =
        "relay printers {                                        # t:16\n"
        "    backend other;                                      # t:17\n"
        "    policy out;                                         # t:17\n"
        "    mode enforce;                                       # built in\n"
        "    max-size 50M;                                       # built in\n"
        "    otherwise accept;                                   # t:17\n"
        "}\n";
    struct book_fixture books;
    struct text got;

    book_load_good(&books, printed_book);
    text_init(&got, 100000);
    policy_book_print_effective(books.book, policy_book_at(books.book, 0), &got);
    unit_expect_text("first", &got, slice_from(want_first));
    text_reset(&got);
    policy_book_print_effective(books.book, policy_book_at(books.book, 1), &got);
    ck_assert_msg(slice_has_prefix(text_slice(&got), slice_from(want_second)), "%s",
                  text_string(&got));
    ck_assert_msg(strstr(text_string(&got), want_override) != NULL, "%s", text_string(&got));
    text_reset(&got);
    policy_book_print_effective(books.book, policy_book_at(books.book, 3), &got);
    unit_expect_text("relay", &got, slice_from(want_relay));
    ck_assert_ptr_null(policy_book_at(books.book, 4));
    text_clear(&got);
    book_unload(&books);
}
END_TEST

START_TEST(phases_name_the_rules_that_are_held_back)
{
    static const char want[] =
        "policy std, for domain example.org example.eu, domain example.com\n"
        "    own                      mail     reject\n"
        "    big                      message  tempfail\n"
        "    late                     data     discard, held back until message by big\n"
        "    odd                      message  tag odd\n"
        "    otherwise                message  accept\n"
        "policy std, for domain .example.org\n"
        "    mine                     helo     accept\n"
        "    own                      mail     reject\n"
        "    big                      message  tempfail, in shadow\n"
        "    late                     data     discard\n"
        "    odd                      message  tag odd\n"
        "    otherwise                data     accept\n"
        "policy out, for relay printers\n"
        "    otherwise                connect  accept\n";
    struct book_fixture books;
    struct text got;

    book_load_good(&books, printed_book);
    text_init(&got, 100000);
    policy_book_print_phases(books.book, &got);
    unit_expect_text("phases", &got, slice_from(want));
    text_clear(&got);
    book_unload(&books);
}
END_TEST

/* ---- shipped files ---- */

static void add_file(struct text *text, const char *name)
{
    const char *folder = getenv("POSTERN_SRCDIR");
    char path[1000];
    char line[1000];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : ".", name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s; set POSTERN_SRCDIR to the source folder", path);
    while (fgets(line, sizeof line, file) != NULL)
        text_add_string(text, line);
    fclose(file);
}

START_TEST(manual_has_every_word_of_the_language)
{
    struct text manual;
    const struct lint_info *lints;
    size_t count;

    text_init(&manual, 100000);
    add_file(&manual, "gateway/policy/postern-policy.5");
    for (size_t i = 0; i < vocabulary_count(); i++) {
        const struct vocabulary_term *term = vocabulary_at(i);
        char line[100];

        snprintf(line, sizeof line, term->id != TERM_UNAVAILABLE ? "\n.It Ic %s Ta " : " %s ",
                 term->word);
        ck_assert_msg(strstr(text_string(&manual), line) != NULL, "no \"%s\"", line);
    }
    lints = policy_lint_get_table(&count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(strstr(text_string(&manual), lints[i].id) != NULL, "no %s", lints[i].id);
    for (int i = 0; i < ACTION_COUNT; i++)
        ck_assert_msg(strstr(text_string(&manual), action_name((enum action)i)) != NULL, "no %s",
                      action_name((enum action)i));
    text_clear(&manual);
}
END_TEST

START_TEST(shipped_policies_load_and_get_no_warning_of_their_own)
{
    static const char *const names[] = { "observe", "standard", "strict" };

    for (size_t i = 0; i < COUNT(names); i++) {
        struct book_fixture books;
        struct text path;
        struct text text;

        text_init(&path, 100);
        text_init(&text, 100000);
        text_add_format(&path, "policies/%s.policy", names[i]);
        add_file(&text, text_string(&path));
        text_clear(&path);
        text_add_format(&text, "domain example.org { backend legacy; policy %s; }\n", names[i]);
        book_load_good(&books, text_string(&text));
        policy_book_lint(books.book, &books.diagnostics);
        ck_assert_uint_eq(books.diagnostics.count, i == 0 ? 1 : 0);
        for (size_t j = 0; j < books.diagnostics.count; j++) {
            const struct diagnostic *item = &books.diagnostics.items[j];
            bool is_expected = i == 0 && strcmp(item->id, "lint.shadow") == 0;

            ck_assert_msg(is_expected, "%s: %s", names[i], item->sentence);
        }
        ck_assert_str_eq(policy_book_at(books.book, 0)->policy, names[i]);
        book_unload(&books);
        text_clear(&text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *book = tcase_create("book");

    tcase_add_test(book, most_specific_domain_wins);
    tcase_add_test(book, without_a_block_for_all_others_a_domain_is_not_ours);
    tcase_add_test(book, domain_settings_go_over_those_of_the_policy);
    tcase_add_test(book, a_domain_without_limit_makes_the_largest_size_none);
    tcase_add_test(book, gateway_in_shadow_wins_over_everything);
    tcase_add_test(book, domain_rules_come_first_and_modes_are_overridden_there_alone);
    tcase_add_test(book, a_relay_knows_all_our_domains_as_its_own);
    tcase_add_test(book, own_domain_of_the_block_for_all_others_is_the_recipients);
    tcase_add_test(book, effective_policy_names_the_origin_of_every_value);
    tcase_add_test(book, phases_name_the_rules_that_are_held_back);
    tcase_add_test(book, manual_has_every_word_of_the_language);
    tcase_add_test(book, shipped_policies_load_and_get_no_warning_of_their_own);
    suite_add_tcase(suite, book);
    return unit_run(suite);
}
