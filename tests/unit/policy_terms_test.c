/* SPDX-License-Identifier: BSD-2-Clause */
/* policy/rules: what each term comes to in each phase. */
#include "policy/rules.h"
#include "policy_unit.h"

/* ---- terms ---- */

#define HEADER "From: Ann <ann@example.net>\r\nSubject: Cheap\r\n watches\r\nX-Spam: yes\r\n"

struct term_case {
    const char *rule;  /* the inside of the rule */
    const char *want;  /* one letter a phase, connect to message: T, F, or ? for not known yet */
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
    text_add_format(&text, "policy p { rule r { %s then reject; } otherwise accept; }\n"
                           "domain example.org example.eu .sub.example.com {\n"
                           "    backend legacy; policy p;\n}\n", c->rule);
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
        { .rule = "when client 192.0.2.9, in partners;", .want = "TTTTTT",
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
        { .rule = "when helo mail.sender.example;", .want = "?TTTTT",
          .helo = "Mail.SENDER.example." },
        { .rule = "when helo .sender.example;", .want = "?TTTTT", .helo = "Mail.SENDER.example." },
        { .rule = "when helo localhost;", .want = "?TTTTT", .helo = "LocalHost" },
        { .rule = "when helo [192.0.2.1];", .want = "?TTTTT", .helo = "[192.0.2.1]" },
        { .rule = "when helo [IPv6:2001:db8::1];", .want = "?TTTTT", .helo = "[ipv6:2001:db8::1]" },
        { .rule = "when helo [192.0.2.1];", .want = "?FFFFF", .helo = "192.0.2.1" },
        { .rule = "when helo in partners;", .want = "?TTTTT", .helo = "PARTNER.example" },
        { .rule = "when helo in partners;", .want = "?TTTTT", .helo = "x.below.example" },
        { .rule = "when helo in partners;", .want = "?FFFFF", .helo = "below.example" },
        { .rule = "when helo b\xc3\xbc" "cher.example;", .want = "?TTTTT",
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
        { .rule = "when sender-domain .example.net;", .want = "??TTTT",
          .sender = "<a@b.example.net>" },
        { .rule = "when sender-domain .net;", .want = "??TTTT" },
        { .rule = "when sender-domain xample.net;", .want = "??FFFF" },
        { .rule = "when sender-domain example.net;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender-domain in partners;", .want = "??TTTT",
          .sender = "<a@partner.example>" },
        { .rule = "when sender-domain in partners;", .want = "??FFFF",
          .sender = "<boss@friend.example>" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF", .sender = "<>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT", .sender = "<a@example.org>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT", .sender = "<a@EXAMPLE.eu>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT",
          .sender = "<a@deep.down.example.eu>" },
        { .rule = "when sender-domain own-domain;", .want = "??TTTT",
          .sender = "<a@x.sub.example.com>" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF",
          .sender = "<a@sub.example.com>" },
        { .rule = "when sender-domain own-domain;", .want = "??FFFF",
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
        { .rule = "when recipient-domain in partners;", .want = "???TTT",
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
        { .rule = "when header-from own-domain;", .want = "?????T",
          .header = "From: a@b.example.org\r\n\r\n" },
        { .rule = "when header-from own-domain;", .want = "?????T",
          .header = "From: a@example.net\r\nFrom: b@example.eu\r\n\r\n" },
        { .rule = "when header-from own-domain;", .want = "?????T",
          .header = "From: a@example.net, b@example.eu\r\n\r\n" },
        { .rule = "when header-from own-domain;", .want = "?????F",
          .header = "From: \"b@example.eu\" <a@example.net>\r\n\r\n" },
        { .rule = "when header-from in partners;", .want = "?????T",
          .header = "From: Boss <BOSS@friend.example>\r\n\r\n" },
        { .rule = "when header-from in partners;", .want = "?????T",
          .header = "From: a@x.below.example\r\n\r\n" },
        { .rule = "when header-from in partners;", .want = "?????F",
          .header = "From: a@friend.example\r\n\r\n" },
        { .rule = "when header-from missing;", .want = "?????F" },
        { .rule = "when header-from missing;", .want = "?????T", .header = "Subject: x\r\n\r\n" },
        { .rule = "when header-from missing;", .want = "?????F", .header = "From:\r\n\r\n" },
        { .rule = "when header-from malformed;", .want = "?????T", .header = "From:\r\n\r\n" },
        { .rule = "when header-from malformed;", .want = "?????F" },
        { .rule = "when header-from malformed;", .want = "?????F", .header = "Subject: x\r\n\r\n" },
        { .rule = "when header-from multiple;", .want = "?????F" },
        { .rule = "when header-from multiple;", .want = "?????T",
          .header = "From: a@example.net\r\nFrom: a@example.net\r\n\r\n" },
        { .rule = "when header-from multiple;", .want = "?????T",
          .header = "From: a@example.net, b@example.net\r\n\r\n" },
        { .rule = "when header-from missing, multiple, example.net;", .want = "?????T" },
        { .rule = "when header-from example.net;", .want = "?????F",
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
        { .rule = "when header a contains \"aabaabaac\";", .want = "?????T",
          .header = "A: xx\r\nA: aabaabaabaac\r\n\r\n" },
        { .rule = "when header a contains \"aabaac\";", .want = "?????T",
          .header = "A: aabaabaac\r\n\r\n" },
        { .rule = "when header a contains \"abab\";", .want = "?????F",
          .header = "A: abaabaabaa\r\n\r\n" },
        { .rule = "when header a contains \"body\";", .want = "?????F",
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
        text_add_format(&text, "policy p { rule r { %s then reject; } otherwise accept; }\n"
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
        text_add_format(&text, "policy p { rule r { when %s; then reject; } otherwise accept; }\n"
                               "domain example.org { backend legacy; policy p; }\n", cases[i]);
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
        text_add_format(&text, "policy p { rule a { when %s; then reject; }"
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
    book_load_good(&books,
                   "policy p { rule r { when header Subject contains \"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
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

int main(void)
{
    Suite *suite = suite_create("policy: terms");
    TCase *terms = tcase_create("terms");

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
    return unit_run(suite);
}
