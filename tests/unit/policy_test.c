/* SPDX-License-Identifier: BSD-2-Clause */
/* policy/: what each term comes to in each phase, and the book that rules make up. */
#include <stdio.h>

#include "policy/policy_lint.h"
#include "policy/rules.h"
#include "policy_unit.h"

/* ---- terms ---- */

#define HEADER "From: Ann <ann@example.net>\r\nSubject: Cheap\r\n watches\r\nX-Spam: yes\r\n"

struct term_case {
    const char *rule; /* the inside of the rule */
    const char *want; /* one letter a phase, connect to message: T, F, or ? for not known yet */
    /* What differs from the ordinary mail; NULL and 0 for nothing. */
    const char *sender;
    const char *recipient;
    const char *header;
    const char *helo;
    const char *client;
    const char *tls; /* "" for none */
    uint64_t announced;
    uint64_t recipients;
};

static void make_case_facts(struct facts_fixture *fixture, const struct term_case *c)
{
    facts_make(fixture, c->sender != NULL ? c->sender : "<ann@example.net>",
               c->recipient != NULL ? c->recipient : "<joe@example.org>",
               c->header != NULL ? c->header : HEADER "\r\nbody\r\n");
    if (c->helo != NULL)
        fixture->facts.helo = c->helo;
    if (c->client != NULL)
        ck_assert(ip_parse(slice_from(c->client), &fixture->facts.client.address));
    if (c->tls != NULL)
        fixture->facts.tls_version = c->tls[0] != '\0' ? c->tls : NULL;
    fixture->facts.announced_size_bytes = c->announced;
    if (c->recipients > 0)
        fixture->facts.recipient_count = c->recipients;
}

static void expect_case(const struct term_case *c)
{
    static const char letters[] = { [TERM_FALSE] = 'F', [TERM_UNKNOWN] = '?', [TERM_TRUE] = 'T' };
    struct facts_fixture fixture;
    struct book_fixture books;
    const struct effective_policy *policy;
    struct text text;
    char got[PHASE_COUNT + 1] = "";

    text_init(&text, 10000);
    text_add_format(&text,
                    "policy p { rule r { %s then reject; } otherwise accept; }\n"
                    "domain example.org example.eu .sub.example.com {\n"
                    "    backend legacy; policy p;\n}\n",
                    c->rule);
    book_load_good(&books, text_string(&text));
    policy = policy_book_find_domain(books.book, SLICE("example.org"));
    make_case_facts(&fixture, c);
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct facts facts = facts_until(&fixture, (enum phase)phase);

        got[phase] = letters[rule_evaluate(&policy->rules[0], &facts, policy)];
    }
    ck_assert_msg(strcmp(got, c->want) == 0, "%s\ngot  %s\nwant %s", c->rule, got, c->want);
    facts_clear(&fixture);
    book_unload(&books);
    text_clear(&text);
}

static void expect_cases(const struct term_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_case(&cases[i]);
}

START_TEST(client_and_listener_are_known_at_once)
{
    static const struct term_case cases[] = {
        { .rule = "when client 192.0.2.1;", .want = "TTTTTT" },
        { .rule = "when client 192.0.2.0/24;", .want = "TTTTTT" },
        { .rule = "when client 192.0.2.2;", .want = "FFFFFF" },
        { .rule = "when client 192.0.2.2, 192.0.2.1;", .want = "TTTTTT" },
        { .rule = "when client ::/0;", .want = "FFFFFF" },
        { .rule = "when client ::/0;", .want = "TTTTTT", .client = "2001:db8::1" },
        { .rule = "when client 0.0.0.0/0;", .want = "FFFFFF", .client = "2001:db8::1" },
        { .rule = "when client in partners;", .want = "FFFFFF" },
        { .rule = "when client in partners;", .want = "TTTTTT", .client = "198.51.100.7" },
        { .rule = "when client 192.0.2.9, in partners;",
          .want = "TTTTTT",
          .client = "198.51.100.7" },
        { .rule = "when listener inbound;", .want = "TTTTTT" },
        { .rule = "when listener second;", .want = "FFFFFF" },
        { .rule = "when listener second, inbound;", .want = "TTTTTT" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(helo_is_compared_in_its_one_form)
{
    static const struct term_case cases[] = {
        { .rule = "when helo mail.sender.example;", .want = "?TTTTT" },
        { .rule = "when helo MAIL.Sender.Example;", .want = "?TTTTT" },
        { .rule = "when helo .sender.example;", .want = "?TTTTT" },
        { .rule = "when helo .mail.sender.example;", .want = "?FFFFF" },
        { .rule = "when helo sender.example;", .want = "?FFFFF" },
        { .rule = "when helo mail.sender.example;",
          .want = "?TTTTT",
          .helo = "Mail.SENDER.example." },
        { .rule = "when helo .sender.example;", .want = "?TTTTT", .helo = "Mail.SENDER.example." },
        { .rule = "when helo localhost;", .want = "?TTTTT", .helo = "LocalHost" },
        { .rule = "when helo [192.0.2.1];", .want = "?TTTTT", .helo = "[192.0.2.1]" },
        { .rule = "when helo [IPv6:2001:db8::1];", .want = "?TTTTT", .helo = "[ipv6:2001:db8::1]" },
        { .rule = "when helo [192.0.2.1];", .want = "?FFFFF", .helo = "192.0.2.1" },
        { .rule = "when helo in partners;", .want = "?TTTTT", .helo = "PARTNER.example" },
        { .rule = "when helo in partners;", .want = "?TTTTT", .helo = "x.below.example" },
        { .rule = "when helo in partners;", .want = "?FFFFF", .helo = "below.example" },
        { .rule = "when helo b\xc3\xbc"
                  "cher.example;",
          .want = "?TTTTT",
          .helo = "xn--bcher-kva.example" },
        { .rule = "when helo localhost;", .want = "?FFFFF", .helo = "local host\x01" },
        { .rule = "when helo localhost;", .want = "?FFFFF", .helo = "" },
        { .rule = "when helo in partners;", .want = "?FFFFF", .helo = "" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(tls_is_known_when_a_client_can_no_longer_upgrade)
{
    static const struct term_case cases[] = {
        { .rule = "when tls any;", .want = "??TTTT" },
        { .rule = "when tls none;", .want = "??FFFF" },
        { .rule = "when tls none;", .want = "??TTTT", .tls = "" },
        { .rule = "when tls any;", .want = "??FFFF", .tls = "" },
        { .rule = "when tls 1.3;", .want = "??TTTT" },
        { .rule = "when tls 1.2;", .want = "??FFFF" },
        { .rule = "when tls 1.0, 1.1;", .want = "??TTTT", .tls = "TLSv1" },
        { .rule = "when tls 1.0, 1.1;", .want = "??TTTT", .tls = "TLSv1.1" },
        { .rule = "when tls 1.0, 1.1;", .want = "??FFFF", .tls = "TLSv1.2" },
        { .rule = "when tls 1.2;", .want = "??TTTT", .tls = "TLSv1.2" },
        { .rule = "when tls 1.2;", .want = "??FFFF", .tls = "" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(sender_and_its_domain_are_known_from_mail_on)
{
    static const struct term_case cases[] = {
        { .rule = "when sender ann@example.net;", .want = "??TTTT" },
        { .rule = "when sender ANN@Example.NET;", .want = "??TTTT" },
        { .rule = "when sender bob@example.net;", .want = "??FFFF" },
        { .rule = "when sender null;", .want = "??FFFF" },
        { .rule = "when sender null;", .want = "??TTTT", .sender = "<>" },
        { .rule = "when sender ann@example.net, null;", .want = "??TTTT", .sender = "<>" },
        { .rule = "when sender ann@example.net;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender in partners;", .want = "??TTTT", .sender = "<Boss@friend.example>" },
        { .rule = "when sender in partners;", .want = "??FFFF", .sender = "<joe@friend.example>" },
        { .rule = "when sender in partners;", .want = "??TTTT", .sender = "<joe@partner.example>" },
        { .rule = "when sender in partners;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender-domain example.net;", .want = "??TTTT" },
        { .rule = "when sender-domain .example.net;", .want = "??FFFF" },
        { .rule = "when sender-domain .example.net;",
          .want = "??TTTT",
          .sender = "<a@b.example.net>" },
        { .rule = "when sender-domain .net;", .want = "??TTTT" },
        { .rule = "when sender-domain xample.net;", .want = "??FFFF" },
        { .rule = "when sender-domain example.net;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender-domain in partners;",
          .want = "??TTTT",
          .sender = "<a@partner.example>" },
        { .rule = "when sender-domain in partners;",
          .want = "??FFFF",
          .sender = "<boss@friend.example>" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT", .sender = "<a@example.org>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT", .sender = "<a@EXAMPLE.eu>" },
        { .rule = "when sender-domain own-domain;",
          .want = "??TTTT",
          .sender = "<a@deep.down.example.eu>" },
        { .rule = "when sender-domain own-domain;",
          .want = "??TTTT",
          .sender = "<a@x.sub.example.com>" },
        { .rule = "when sender-domain own-domain;",
          .want = "??FFFF",
          .sender = "<a@sub.example.com>" },
        { .rule = "when sender-domain own-domain;",
          .want = "??FFFF",
          .sender = "<a@notexample.org>" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(recipient_is_known_from_rcpt_on)
{
    static const struct term_case cases[] = {
        { .rule = "when recipient joe@example.org;", .want = "???TTT" },
        { .rule = "when recipient JOE@example.ORG;", .want = "???TTT" },
        { .rule = "when recipient ann@example.org;", .want = "???FFF" },
        { .rule = "when recipient in partners;", .want = "???FFF" },
        { .rule = "when recipient-domain example.org;", .want = "???TTT" },
        { .rule = "when recipient-domain example.eu, example.org;", .want = "???TTT" },
        { .rule = "when recipient-domain .example.org;", .want = "???FFF" },
        { .rule = "when recipient-domain own-domain;", .want = "???TTT" },
        { .rule = "when recipient-domain in partners;",
          .want = "???TTT",
          .recipient = "<a@partner.example>" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(counts_are_known_early_where_they_can_only_grow)
{
    static const struct term_case cases[] = {
        { .rule = "when recipients > 5;", .want = "????FF", .recipients = 5 },
        { .rule = "when recipients > 5;", .want = "???TTT", .recipients = 6 },
        { .rule = "when recipients >= 5;", .want = "???TTT", .recipients = 5 },
        { .rule = "when recipients < 5;", .want = "???FFF", .recipients = 5 },
        { .rule = "when recipients <= 5;", .want = "????TT", .recipients = 5 },
        { .rule = "when recipients <= 5;", .want = "???FFF", .recipients = 6 },
        { .rule = "when size > 10K;", .want = "?????F" },
        { .rule = "when size > 10;", .want = "?????T" },
        { .rule = "when size > 10K;", .want = "??TTTF", .announced = 10241 },
        { .rule = "when size > 10K;", .want = "?????F", .announced = 10240 },
        { .rule = "when size >= 10K;", .want = "??TTTF", .announced = 10240 },
        { .rule = "when size < 10K;", .want = "??FFFT", .announced = 10240 },
        { .rule = "when size < 10K;", .want = "?????T", .announced = 10239 },
        { .rule = "when size <= 10K;", .want = "??FFFT", .announced = 10241 },
        { .rule = "when size >= 0;", .want = "TTTTTT" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(header_from_sees_all_authors)
{
    static const struct term_case cases[] = {
        { .rule = "when header-from example.net;", .want = "?????T" },
        { .rule = "when header-from ann@EXAMPLE.net;", .want = "?????T" },
        { .rule = "when header-from Ann@example.net;", .want = "?????T" },
        { .rule = "when header-from bob@example.net;", .want = "?????F" },
        { .rule = "when header-from .net;", .want = "?????T" },
        { .rule = "when header-from own-domain;", .want = "?????F" },
        { .rule = "when header-from own-domain;",
          .want = "?????T",
          .header = "From: a@b.example.org\r\n\r\n" },
        { .rule = "when header-from own-domain;",
          .want = "?????T",
          .header = "From: a@example.net\r\nFrom: b@example.eu\r\n\r\n" },
        { .rule = "when header-from own-domain;",
          .want = "?????T",
          .header = "From: a@example.net, b@example.eu\r\n\r\n" },
        { .rule = "when header-from own-domain;",
          .want = "?????F",
          .header = "From: \"b@example.eu\" <a@example.net>\r\n\r\n" },
        { .rule = "when header-from in partners;",
          .want = "?????T",
          .header = "From: Boss <BOSS@friend.example>\r\n\r\n" },
        { .rule = "when header-from in partners;",
          .want = "?????T",
          .header = "From: a@x.below.example\r\n\r\n" },
        { .rule = "when header-from in partners;",
          .want = "?????F",
          .header = "From: a@friend.example\r\n\r\n" },
        { .rule = "when header-from missing;", .want = "?????F" },
        { .rule = "when header-from missing;", .want = "?????T", .header = "Subject: x\r\n\r\n" },
        { .rule = "when header-from missing;", .want = "?????F", .header = "From:\r\n\r\n" },
        { .rule = "when header-from malformed;", .want = "?????T", .header = "From:\r\n\r\n" },
        { .rule = "when header-from malformed;", .want = "?????F" },
        { .rule = "when header-from malformed;", .want = "?????F", .header = "Subject: x\r\n\r\n" },
        { .rule = "when header-from multiple;", .want = "?????F" },
        { .rule = "when header-from multiple;",
          .want = "?????T",
          .header = "From: a@example.net\r\nFrom: a@example.net\r\n\r\n" },
        { .rule = "when header-from multiple;",
          .want = "?????T",
          .header = "From: a@example.net, b@example.net\r\n\r\n" },
        { .rule = "when header-from missing, multiple, example.net;", .want = "?????T" },
        { .rule = "when header-from example.net;",
          .want = "?????F",
          .header = "Subject: x\r\n\r\n" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(header_fields_are_searched_unfolded_and_without_case)
{
    static const struct term_case cases[] = {
        { .rule = "when header subject present;", .want = "?????T" },
        { .rule = "when header SUBJECT absent;", .want = "?????F" },
        { .rule = "when header List-Id present;", .want = "?????F" },
        { .rule = "when header List-Id absent;", .want = "?????T" },
        { .rule = "when header Subject contains \"cheap watches\";", .want = "?????T" },
        { .rule = "when header Subject contains \"CHEAP\";", .want = "?????T" },
        { .rule = "when header Subject contains cheap;", .want = "?????T" },
        { .rule = "when header Subject contains \"cheapwatches\";", .want = "?????F" },
        { .rule = "when header Subject contains \"gold\", \"watch\";", .want = "?????T" },
        { .rule = "when header Subject contains \"gold\";", .want = "?????F" },
        { .rule = "when header X-Spam contains \"y\" and header Subject contains \"c\";",
          .want = "?????T" },
        { .rule = "when header Received contains \"x\";", .want = "?????F" },
        { .rule = "when header a contains \"aabaabaac\";",
          .want = "?????T",
          .header = "A: xx\r\nA: aabaabaabaac\r\n\r\n" },
        { .rule = "when header a contains \"aabaac\";",
          .want = "?????T",
          .header = "A: aabaabaac\r\n\r\n" },
        { .rule = "when header a contains \"abab\";",
          .want = "?????F",
          .header = "A: abaabaabaa\r\n\r\n" },
        { .rule = "when header a contains \"body\";",
          .want = "?????F",
          .header = "A: b\r\n\r\nA: body\r\n" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

START_TEST(terms_are_joined_in_three_values)
{
    static const struct term_case cases[] = {
        { .rule = "when listener inbound and tls any;", .want = "??TTTT" },
        { .rule = "when listener second and tls any;", .want = "FFFFFF" },
        { .rule = "when tls none and size > 1K;", .want = "??FFFF" },
        { .rule = "when tls any and size > 10;", .want = "?????T" },
        { .rule = "when client 192.0.2.1; except sender ann@example.net;", .want = "??FFFF" },
        { .rule = "when client 192.0.2.1; except sender null;", .want = "??TTTT" },
        { .rule = "when client 192.0.2.1; except sender null; except size > 1K;",
          .want = "?????T" },
        { .rule = "when client 192.0.2.1; except sender ann@example.net; except size > 1K;",
          .want = "??FFFF" },
        { .rule = "when client 192.0.2.2; except size > 1K;", .want = "FFFFFF" },
        { .rule = "when client 192.0.2.1; except size > 1; except listener inbound;",
          .want = "FFFFFF" },
    };

    expect_cases(cases, COUNT(cases));
}
END_TEST

/* ---- about rules ---- */

START_TEST(phase_of_a_rule_is_that_of_its_latest_term)
{
    static const struct {
        const char *inside;
        enum phase want;
        bool has_recipient_term;
    } cases[] = {
        { "when client 192.0.2.1;", PHASE_CONNECT, false },
        { "when client 192.0.2.1 and helo localhost;", PHASE_HELO, false },
        { "when helo localhost and client 192.0.2.1;", PHASE_HELO, false },
        { "when tls none;", PHASE_MAIL, false },
        { "when client 192.0.2.1; except recipient a@example.org;", PHASE_RCPT, true },
        { "when recipient-domain example.org;", PHASE_RCPT, true },
        { "when recipients > 1;", PHASE_DATA, false },
        { "when size > 1;", PHASE_MESSAGE, false },
        { "when sender-domain own-domain;", PHASE_MAIL, false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct book_fixture books;
        const struct rule *rule;
        struct text text;

        text_init(&text, 10000);
        text_add_format(&text,
                        "policy p { rule r { %s then reject; } otherwise accept; }\n"
                        "domain example.org { backend legacy; policy p; }\n",
                        cases[i].inside);
        book_load_good(&books, text_string(&text));
        rule = &policy_book_at(books.book, 0)->rules[0];
        ck_assert_msg(rule->phase == cases[i].want, "%s: got %s, want %s", cases[i].inside,
                      phase_name(rule->phase), phase_name(cases[i].want));
        ck_assert_msg(rule->has_recipient_term == cases[i].has_recipient_term, "%s: recipient",
                      cases[i].inside);
        book_unload(&books);
        text_clear(&text);
    }
}
END_TEST

START_TEST(terms_are_printed_as_they_are_written)
{
    static const char *const cases[] = {
        "client 192.0.2.0/24, 2001:db8::/32, in partners",
        "listener inbound, second",
        "helo localhost, .example.org, [192.0.2.1], in partners",
        "tls none, 1.2",
        "sender null, ann@example.net, in partners",
        "sender-domain own-domain, example.net, .example.net",
        "recipient joe@example.org",
        "recipient-domain .example.org",
        "recipients >= 20",
        "size > 10M",
        "header-from missing, own-domain, ann@example.net, .net",
        "header X-Spam present",
        "header Subject absent",
        "header Subject contains \"say \\\"hi\\\" \\\\o/\", \"x\"",
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct book_fixture books;
        struct text text;
        struct text got;

        text_init(&text, 10000);
        text_init(&got, 10000);
        text_add_format(&text,
                        "policy p { rule r { when %s; then reject; } otherwise accept; }\n"
                        "domain example.org { backend legacy; policy p; }\n",
                        cases[i]);
        book_load_good(&books, text_string(&text));
        term_print(&got, &policy_book_at(books.book, 0)->rules[0].terms[0]);
        unit_expect_text("term", &got, slice_from(cases[i]));
        book_unload(&books);
        text_clear(&got);
        text_clear(&text);
    }
}
END_TEST

/* Each pair is two rules; the question is whether the first one covers the second's term. */
START_TEST(a_wider_term_covers_a_narrower_one)
{
    static const struct {
        const char *wide;
        const char *narrow;
        bool want;
    } cases[] = {
        { "client 192.0.2.0/24", "client 192.0.2.7", true },
        { "client 192.0.2.0/24", "client 192.0.2.0/23", false },
        { "client 192.0.2.0/24", "client 192.0.2.7, 198.51.100.1", false },
        { "client 192.0.2.0/24, in partners", "client in partners", true },
        { "client 192.0.2.0/24", "listener inbound", false },
        { "size > 10", "size > 11", true },
        { "size > 10", "size > 9", false },
        { "size < 10", "size < 9", true },
        { "size < 10", "size < 11", false },
        { "size < 10", "size > 11", false },
        { "tls none", "tls none", true },
        { "tls none", "tls none, 1.2", false },
        { "sender-domain own-domain", "sender-domain own-domain", true },
        { "sender-domain own-domain", "header-from own-domain", false },
        { "header A present", "header a present", true },
        { "header A present", "header B present", false },
        { "header A present", "header A absent", false },
        { "header A contains \"x\", \"y\"", "header A contains \"y\"", true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct book_fixture books;
        const struct rule *rules;
        struct text text;

        text_init(&text, 10000);
        text_add_format(&text,
                        "policy p { rule a { when %s; then reject; }"
                        " rule b { when %s; then reject; } otherwise accept; }\n"
                        "domain example.org { backend legacy; policy p; }\n",
                        cases[i].wide, cases[i].narrow);
        book_load_good(&books, text_string(&text));
        rules = policy_book_at(books.book, 0)->rules;
        ck_assert_msg(term_covers(&rules[0].terms[0], &rules[1].terms[0]) == cases[i].want,
                      "%s over %s: want %d", cases[i].wide, cases[i].narrow, cases[i].want);
        book_unload(&books);
        text_clear(&text);
    }
}
END_TEST

START_TEST(hostile_header_takes_no_longer_than_its_length)
{
    struct facts_fixture fixture;
    struct book_fixture books;
    struct text message;
    const struct effective_policy *policy;

    text_init(&message, 1 << 20);
    text_add_string(&message, "Subject: ");
    for (int i = 0; i < 90000; i++)
        text_add_byte(&message, 'a');
    text_add_string(&message, "\r\n\r\n");
    book_load_good(
        &books, "policy p { rule r { when header Subject contains \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\";"
                " then reject; } otherwise accept; }\n"
                "domain example.org { backend legacy; policy p; }\n");
    policy = policy_book_at(books.book, 0);
    facts_make(&fixture, "<a@example.net>", "<b@example.org>", text_string(&message));
    for (int i = 0; i < 500; i++) /* 45 MB: a naive search would look at 4.5 GB */
        ck_assert_int_eq(rule_evaluate(&policy->rules[0], &fixture.facts, policy), TERM_FALSE);
    facts_clear(&fixture);
    book_unload(&books);
    text_clear(&message);
}
END_TEST

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
        { "xn--bcher-kva.example", "xn--bcher-kva.example" },
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

        if (slice_equals(slice_from(cases[i].domain), SLICE("xn--bcher-kva.example")))
            want = "mail.example.org";
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
    "relay printers { from 10.0.0.0/28; policy out; backend other; }\n"
    "policy out { otherwise accept; }\n"
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
        "    backend legacy;\n"
        "    policy std;                                         # t:18\n"
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
        "    backend legacy;\n"
        "    policy std;                                         # t:18\n"
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
        "    backend other;\n"
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
    TCase *terms = tcase_create("terms");
    TCase *book = tcase_create("book");

    tcase_add_test(terms, client_and_listener_are_known_at_once);
    tcase_add_test(terms, helo_is_compared_in_its_one_form);
    tcase_add_test(terms, tls_is_known_when_a_client_can_no_longer_upgrade);
    tcase_add_test(terms, sender_and_its_domain_are_known_from_mail_on);
    tcase_add_test(terms, recipient_is_known_from_rcpt_on);
    tcase_add_test(terms, counts_are_known_early_where_they_can_only_grow);
    tcase_add_test(terms, header_from_sees_all_authors);
    tcase_add_test(terms, header_fields_are_searched_unfolded_and_without_case);
    tcase_add_test(terms, terms_are_joined_in_three_values);
    tcase_add_test(terms, phase_of_a_rule_is_that_of_its_latest_term);
    tcase_add_test(terms, terms_are_printed_as_they_are_written);
    tcase_add_test(terms, a_wider_term_covers_a_narrower_one);
    tcase_add_test(terms, hostile_header_takes_no_longer_than_its_length);
    suite_add_tcase(suite, terms);
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
