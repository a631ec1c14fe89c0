/* SPDX-License-Identifier: BSD-2-Clause */
/* policy/rules and verdict/decide: what the checks found, and what the DNS left open. */
#include "evidence/finding.h"
#include "base/memory.h"
#include "policy/rules.h"
#include "policy_unit.h"
#include "verdict/decide.h"

#define DOMAIN "domain example.org example.eu .sub.example.com { backend legacy; policy p; }\n"

static enum check_result find_result(struct slice word)
{
    for (int i = 0; i < RESULT_COUNT; i++)
        if (slice_equals(word, slice_from(result_word((enum check_result)i))))
            return (enum check_result)i;
    ck_abort_msg("no result \"%.*s\"", SLICE_ARGS(word));
}

/* "pass example.net", "fail". */
static void add_signature(struct dkim_finding *dkim, struct slice value)
{
    size_t capacity = dkim->signature_count;
    struct slice result;

    slice_next(&value, ':', &result);
    dkim->signatures = mem_grow(dkim->signatures, dkim->signature_count, &capacity,
                                sizeof *dkim->signatures);
    dkim->signatures[dkim->signature_count++] =
        (struct dkim_signature){ .result = find_result(result), .domain = mem_copy(value) };
    if (dkim->result != RESULT_PASS)
        dkim->result = find_result(result);
}

static void set_dmarc(struct dmarc_finding *dmarc, struct slice value)
{
    struct slice result;

    slice_next(&value, ':', &result);
    dmarc->result = find_result(result);
    dmarc->record_domain = value.length > 0 ? mem_copy(SLICE("example.net")) : NULL;
    dmarc->policy = slice_equals(value, SLICE("reject"))       ? DMARC_POLICY_REJECT
                    : slice_equals(value, SLICE("quarantine")) ? DMARC_POLICY_QUARANTINE
                                                               : DMARC_POLICY_NONE;
}

/* "pass:new.example:old.example" */
static void set_arc(struct arc_finding *arc, struct slice value)
{
    struct slice result, sealer;

    slice_next(&value, ':', &result);
    arc->result = find_result(result);
    arc->sealers = mem_new_array(2, sizeof *arc->sealers);
    while (slice_next(&value, ':', &sealer))
        arc->sealers[arc->sealer_count++] = mem_copy(sealer);
}

/* "spf=fail helo=none dkim=pass:example.net dkim=fail:a.example dmarc=fail:reject" */
static void make_findings(struct findings *findings, const char *description)
{
    struct slice rest = slice_from(description), word;

    *findings = (struct findings){ 0 };
    while (slice_next(&rest, ' ', &word)) {
        struct slice value = word, name;

        slice_next(&value, '=', &name);
        if (slice_equals(name, SLICE("spf"))) {
            findings->done |= CHECK_BIT(CHECK_SPF);
            findings->spf.result = find_result(value);
        } else if (slice_equals(name, SLICE("helo"))) {
            findings->done |= CHECK_BIT(CHECK_SPF_HELO);
            findings->spf_helo.result = find_result(value);
        } else if (slice_equals(name, SLICE("dkim"))) {
            findings->done |= CHECK_BIT(CHECK_DKIM);
            add_signature(&findings->dkim, value);
        } else if (slice_equals(name, SLICE("arc"))) {
            findings->done |= CHECK_BIT(CHECK_ARC);
            set_arc(&findings->arc, value);
        } else {
            ck_assert(slice_equals(name, SLICE("dmarc")));
            findings->done |= CHECK_BIT(CHECK_DMARC);
            set_dmarc(&findings->dmarc, value);
        }
    }
}

/* ---- terms ---- */

static const struct {
    const char *rule, *findings;
    const char *want; /* at rcpt and at message: T, F, ? not known yet, L lost */
} term_cases[] = {
    { "when spf fail;", "spf=fail", "TT" },
    { "when spf fail;", "spf=softfail", "FF" },
    { "when spf fail, softfail;", "spf=softfail", "TT" },
    { "when spf none;", "spf=none", "TT" },
    { "when spf fail;", "", "??" },
    { "when spf fail;", "helo=fail", "??" },
    { "when spf fail;", "spf=temperror", "LL" },
    { "when spf temperror;", "spf=temperror", "TT" },
    { "when spf fail, temperror;", "spf=temperror", "TT" },
    { "when spf permerror;", "spf=permerror", "TT" },
    { "when spf-helo fail;", "helo=fail spf=pass", "TT" },
    { "when dkim pass;", "dkim=pass:example.net", "?T" },
    { "when dkim pass;", "dkim=fail:example.net", "?F" },
    { "when dkim pass;", "dkim=temperror:example.net", "?L" },
    { "when dkim-domain example.net;", "dkim=fail:a.example dkim=pass:example.net", "?T" },
    { "when dkim-domain example.net;", "dkim=fail:example.net", "?F" },
    { "when dkim-domain example.net;", "dkim=temperror:example.net", "?L" },
    { "when dkim-domain example.net;", "dkim=temperror:other.example dkim=fail:example.net", "?F" },
    { "when dkim-domain .example.net;", "dkim=pass:mail.example.net", "?T" },
    { "when dkim-domain own-domain;", "dkim=pass:mail.example.eu", "?T" },
    { "when dkim-domain in partners;", "dkim=pass:partner.example", "?T" },
    { "when dkim-domain in partners;", "dkim=none", "?F" },
    { "when dmarc fail;", "spf=fail dkim=none dmarc=fail:reject", "?T" },
    { "when dmarc fail;", "dmarc=fail:reject", "??" },
    { "when dmarc none;", "spf=fail dkim=none dmarc=none", "?T" },
    { "when dmarc-policy reject;", "spf=fail dkim=none dmarc=fail:reject", "?T" },
    { "when dmarc-policy none, quarantine;", "spf=fail dkim=none dmarc=fail:reject", "?F" },
    { "when dmarc-policy none;", "spf=fail dkim=none dmarc=none", "?F" },
    { "when dmarc-policy none;", "spf=fail dkim=none dmarc=temperror", "?L" },
    { "when arc pass;", "arc=pass:a.example", "?T" },
    { "when arc pass;", "dkim=pass:a.example", "??" },
    { "when arc none, fail;", "arc=fail", "?T" },
    { "when arc pass;", "arc=temperror:a.example", "?L" },
    { "when arc-sealer a.example;", "arc=pass:a.example", "?T" },
    { "when arc-sealer a.example;", "arc=pass:b.example:a.example", "?F" },
    { "when arc-sealer .example;", "arc=pass:b.example:a.example", "?T" },
    { "when arc-sealer in partners;", "arc=pass:partner.example", "?T" },
    { "when arc-sealer in partners;", "arc=fail:partner.example", "?F" },
    { "when arc-sealer in partners;", "arc=temperror:partner.example", "?L" },
    { "when arc-sealer in partners;", "arc=temperror:other.example:partner.example", "?F" },
    { "when arc-sealer in partners;", "arc=none", "?F" },
    { "when dmarc fail; except arc-sealer in partners;",
      "spf=fail dkim=none dmarc=fail:reject arc=pass:partner.example", "?F" },
    { "when dmarc fail; except arc-sealer in partners;",
      "spf=fail dkim=none dmarc=fail:reject arc=none", "?T" },
    { "when dmarc fail; except arc-sealer in partners;",
      "spf=pass dkim=none dmarc=pass arc=temperror:partner.example", "?F" },
    { "when dns-temperror any;", "spf=pass helo=none dkim=none dmarc=none arc=none", "?F" },
    { "when dns-temperror any;", "spf=pass helo=temperror dkim=none dmarc=none arc=none", "?T" },
    { "when dns-temperror spf;", "spf=temperror helo=none dkim=none dmarc=none arc=none", "?T" },
    { "when dns-temperror dkim, dmarc;", "spf=temperror helo=none dkim=none dmarc=none arc=none",
      "?F" },
    { "when dns-temperror dmarc;", "spf=none helo=none dkim=none dmarc=temperror arc=none", "?T" },
    { "when dns-temperror arc;", "spf=none helo=none dkim=none dmarc=none arc=temperror", "?T" },
    { "when dns-temperror arc;", "spf=none helo=none dkim=none dmarc=temperror arc=none", "?F" },
    /* Joined. */
    { "when spf fail and tls none;", "spf=temperror", "FF" },
    { "when spf fail and dkim none;", "spf=temperror dkim=none", "?L" },
    { "when spf fail and dkim none;", "spf=temperror dkim=pass:a.example", "?F" },
    { "when spf fail; except client 192.0.2.1;", "spf=temperror", "FF" },
    { "when spf fail; except dkim pass;", "spf=fail dkim=temperror:a.example", "?L" },
    { "when spf fail; except dkim pass;", "spf=pass dkim=temperror:a.example", "FF" },
    { "when spf fail; except dkim pass; except spf-helo pass;",
      "spf=temperror helo=pass dkim=temperror:a.example", "FF" },
};

START_TEST(what_a_check_found_is_compared_when_it_has_ended)
{
    static const char letters[] = { [TERM_FALSE] = 'F', [TERM_UNKNOWN] = '?', [TERM_LOST] = 'L',
                                    [TERM_TRUE] = 'T' };
    static const enum phase phases[] = { PHASE_RCPT, PHASE_MESSAGE };
    struct facts_fixture fixture;
    struct findings findings;
    struct book_fixture books;
    struct text text;
    char got[3] = "";

    text_init(&text, 10000);
    text_add_format(&text, "policy p { rule r { %s then reject; } otherwise accept; }\n" DOMAIN,
                    term_cases[_i].rule);
    book_load_good(&books, text_string(&text));
    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "From: a@example.net\r\n\r\n");
    make_findings(&findings, term_cases[_i].findings);
    fixture.facts.findings = &findings;
    for (size_t i = 0; i < 2; i++) {
        const struct effective_policy *policy = policy_book_at(books.book, 0);
        struct facts facts = facts_until(&fixture, phases[i]);

        got[i] = letters[rule_evaluate(&policy->rules[0], &facts, policy)];
    }
    ck_assert_msg(slice_equals(slice_from(got), slice_from(term_cases[_i].want)),
                  "%s with %s: got %s, want %s", term_cases[_i].rule, term_cases[_i].findings, got,
                  term_cases[_i].want);
    findings_clear(&findings);
    facts_clear(&fixture);
    book_unload(&books);
    text_clear(&text);
}
END_TEST

START_TEST(a_policy_says_which_checks_its_rules_need)
{
    static const struct {
        const char *rules;
        unsigned int want;
    } cases[] = {
        { "rule a { when client 192.0.2.1; then reject; }", 0 },
        { "rule a { when spf fail; then reject; }", CHECK_BIT(CHECK_SPF) },
        { "rule a { when client 192.0.2.1; except dkim-domain a.example; then reject; }",
          CHECK_BIT(CHECK_DKIM) },
        { "rule a { mode shadow; when spf-helo fail; then reject; }", CHECK_BIT(CHECK_SPF_HELO) },
        { "rule a { when dmarc-policy none; then tag t; }",
          CHECK_BIT(CHECK_SPF) | CHECK_BIT(CHECK_DKIM) | CHECK_BIT(CHECK_DMARC) },
        { "rule a { when dns-temperror any; then tag t; }", (1u << CHECK_COUNT) - 1 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct book_fixture books;
        struct text text;

        text_init(&text, 10000);
        text_add_format(&text, "policy p { %s otherwise accept; }\n" DOMAIN, cases[i].rules);
        book_load_good(&books, text_string(&text));
        ck_assert_msg(policy_book_at(books.book, 0)->checks == cases[i].want, "%s",
                      cases[i].rules);
        book_unload(&books);
        text_clear(&text);
    }
}
END_TEST

/* ---- what is lost ---- */

#define SPF_RULE "rule a { when spf fail; then reject; } otherwise accept; "
#define LOST "spf=temperror dkim=none"

static const struct {
    const char *policy, *domain; /* insides */
    const char *findings, *want;
} lost_cases[] = {
    { SPF_RULE, "", LOST, "tempfail dns.temperror rcpt" },
    { "on dns-temperror tempfail; " SPF_RULE, "", LOST, "tempfail dns.temperror rcpt" },
    { "on dns-temperror quarantine; " SPF_RULE, "", LOST, "quarantine dns.temperror rcpt" },
    { "on dns-temperror ignore; " SPF_RULE, "", LOST, "accept rule.p.otherwise rcpt" },
    { "on dns-temperror ignore; " SPF_RULE, "on dns-temperror tempfail; ", LOST,
      "tempfail dns.temperror rcpt" },
    { SPF_RULE, "on dns-temperror ignore; ", LOST, "accept rule.p.otherwise rcpt" },
    /* It defers only where it could change the verdict. */
    { "rule b { when client 192.0.2.1; then accept; } " SPF_RULE, "", LOST,
      "accept rule.p.b rcpt" },
    { "rule b { when spf temperror; then quarantine; } " SPF_RULE, "", LOST,
      "quarantine rule.p.b rcpt" },
    { "rule b { when spf fail and tls none; then reject; } otherwise accept; ", "", LOST,
      "accept rule.p.otherwise rcpt" },
    { "rule b { when spf fail; except dkim pass; then reject; } otherwise accept; ", "", LOST,
      "tempfail dns.temperror message" },
    { "rule b { when spf fail; then tag t; } otherwise accept; ", "", LOST,
      "accept rule.p.otherwise rcpt" },
    { "rule b { mode shadow; when spf fail; then reject; } otherwise accept; ", "", LOST,
      "accept rule.p.otherwise rcpt" },
    { "mode shadow; " SPF_RULE, "", LOST, "accept - rcpt shadow dns.temperror" },
    { "mode shadow; on dns-temperror ignore; " SPF_RULE, "", LOST, "accept rule.p.otherwise rcpt" },
};

START_TEST(what_the_dns_leaves_open_is_for_the_policy_to_say)
{
    struct facts_fixture fixture;
    struct findings findings;
    struct book_fixture books;
    struct verdict verdict;
    struct text text, got;

    text_init(&text, 10000);
    text_init(&got, 1000);
    text_add_format(&text, "policy p { %s }\ndomain example.org { backend legacy; policy p; %s }\n",
                    lost_cases[_i].policy, lost_cases[_i].domain);
    book_load_good(&books, text_string(&text));
    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "From: a@example.net\r\n\r\n");
    make_findings(&findings, lost_cases[_i].findings);
    fixture.facts.findings = &findings;
    verdict = decide(policy_book_at(books.book, 0), &fixture.facts);
    text_add_format(&got, "%s %s %s", action_name(verdict.action),
                    verdict.rule != NULL ? verdict.rule->reason : "-", phase_name(verdict.phase));
    if (verdict.shadow_rule != NULL)
        text_add_format(&got, " shadow %s", verdict.shadow_rule->reason);
    ck_assert(verdict.is_final);
    unit_expect_text(text_string(&text), &got, slice_from(lost_cases[_i].want));
    findings_clear(&findings);
    facts_clear(&fixture);
    book_unload(&books);
    text_clear(&got);
    text_clear(&text);
}
END_TEST

START_TEST(a_deferral_for_the_dns_says_so)
{
    struct facts_fixture fixture;
    struct findings findings;
    struct book_fixture books;
    struct verdict verdict;
    struct reply reply;

    book_load_good(&books, "policy p { " SPF_RULE " }\n" DOMAIN);
    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "From: a@example.net\r\n\r\n");
    make_findings(&findings, LOST);
    fixture.facts.findings = &findings;
    verdict = decide(policy_book_at(books.book, 0), &fixture.facts);
    reply = verdict_reply(&verdict);
    ck_assert_int_eq(reply.code, 451);
    ck_assert_str_eq(reply.enhanced, "4.4.3");
    ck_assert_str_eq(reply.reason, "dns.temperror");
    findings_clear(&findings);
    facts_clear(&fixture);
    book_unload(&books);
}
END_TEST

/* ---- what people are told ---- */

#define ONE_RULE "policy p { rule r { when %s; then reject; } otherwise accept; }\n"

/* The first term of a rule in a policy of its own. */
static void print_fact(struct text *out, const char *rule, const struct facts *facts)
{
    struct book_fixture books;
    struct text text;

    text_init(&text, 2000);
    text_add_format(&text, ONE_RULE DOMAIN, rule);
    book_load_good(&books, text_string(&text));
    term_print_fact(out, &policy_book_at(books.book, 0)->rules[0].terms[0], facts);
    book_unload(&books);
    text_clear(&text);
}

static const struct {
    const char *rule, *findings;
    enum phase phase;
    const char *want;
} fact_cases[] = {
    { "client 192.0.2.0/24", "", PHASE_RCPT, "192.0.2.1" },
    { "listener inbound", "", PHASE_RCPT, "inbound" },
    { "tls none", "", PHASE_RCPT, "TLSv1.3" },
    { "helo localhost", "", PHASE_RCPT, "mail.sender.example" },
    { "sender null", "", PHASE_RCPT, "ann@example.net" },
    { "sender-domain own-domain", "", PHASE_RCPT, "example.net" },
    { "recipient a@example.org", "", PHASE_RCPT, "joe@example.org" },
    { "recipient-domain own-domain", "", PHASE_RCPT, "example.org" },
    { "recipients > 1", "", PHASE_RCPT, "1" },
    { "size > 10", "", PHASE_RCPT, "none announced" },
    { "size > 10", "", PHASE_MESSAGE, "79 bytes" },
    { "header-from missing", "", PHASE_RCPT, "" },
    { "header-from missing", "", PHASE_MESSAGE, "a@example.net, b@example.net" },
    { "header Subject present", "", PHASE_MESSAGE, "\"one\", \"t\\x1bwo\"" },
    { "header Date present", "", PHASE_MESSAGE, "no such field" },
    { "spf fail", "", PHASE_RCPT, "" },
    { "spf fail", "spf=softfail", PHASE_RCPT, "softfail" },
    { "spf-helo fail", "helo=none", PHASE_RCPT, "none" },
    { "dkim pass", "dkim=pass:a.example dkim=fail:b.example", PHASE_MESSAGE,
      "pass: a.example pass, b.example fail" },
    { "dkim pass", "dkim=none", PHASE_MESSAGE, "none: no domain none" },
    { "dkim-domain a.example", "dkim=pass:a.example", PHASE_MESSAGE, "a.example pass" },
    { "dmarc fail", "spf=none dkim=none dmarc=fail:reject", PHASE_MESSAGE,
      "fail, which asks for reject" },
    { "dmarc-policy reject", "spf=none dkim=none dmarc=none", PHASE_MESSAGE, "no record" },
    { "dns-temperror any", "spf=temperror helo=none dkim=none dmarc=temperror:none", PHASE_MESSAGE,
      "spf, dmarc" },
};

START_TEST(what_a_term_is_compared_with_is_printed_for_people)
{
    struct facts_fixture fixture;
    struct findings findings;
    struct facts facts;
    struct text got;

    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>",
               "From: a@example.net\r\nFrom: b@example.net\r\n"
               "Subject: one\r\nSubject: t\x1bwo\r\n\r\nbody\r\n");
    make_findings(&findings, fact_cases[_i].findings);
    facts = facts_until(&fixture, fact_cases[_i].phase);
    facts.findings = &findings;
    text_init(&got, 1000);
    print_fact(&got, fact_cases[_i].rule, &facts);
    ck_assert_str_eq(text_string(&got), fact_cases[_i].want);
    text_clear(&got);
    findings_clear(&findings);
    facts_clear(&fixture);
}
END_TEST

/* ---- a mail that the log remembers ---- */

static const struct {
    const char *rule;
    enum truth want; /* with a size of 400, and ann@example.net for an author */
} memory_cases[] = {
    { "size > 300", TERM_TRUE },
    { "size > 400", TERM_FALSE },
    { "header-from example.net", TERM_TRUE },
    { "header-from example.com", TERM_FALSE },
    { "header-from missing", TERM_FALSE },
    { "header-from multiple", TERM_UNKNOWN },
    { "header-from malformed", TERM_UNKNOWN },
    { "header Subject present", TERM_UNKNOWN },
    { "header Subject absent", TERM_UNKNOWN },
    { "header Subject present and size > 400", TERM_FALSE },
    { "spf fail", TERM_TRUE },
    { "dkim none", TERM_UNKNOWN },
};

START_TEST(of_a_message_that_nobody_has_the_header_is_never_known)
{
    struct facts_fixture fixture;
    struct findings findings;
    struct book_fixture books;
    struct facts facts;
    struct text text;

    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "From: ann@example.net\r\n");
    make_findings(&findings, "spf=fail");
    facts = fixture.facts;
    facts.findings = &findings;
    facts.message = NULL;
    facts.announced_size_bytes = 400;
    text_init(&text, 2000);
    text_add_format(&text, ONE_RULE DOMAIN, memory_cases[_i].rule);
    book_load_good(&books, text_string(&text));
    ck_assert_int_eq(rule_evaluate(&policy_book_at(books.book, 0)->rules[0], &facts,
                                   policy_book_at(books.book, 0)),
                     memory_cases[_i].want);
    book_unload(&books);
    text_clear(&text);
    findings_clear(&findings);
    facts_clear(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy: findings");
    TCase *terms = tcase_create("terms");
    TCase *lost = tcase_create("lost");
    TCase *told = tcase_create("told");

    tcase_add_loop_test(terms, what_a_check_found_is_compared_when_it_has_ended, 0,
                        (int)COUNT(term_cases));
    tcase_add_test(terms, a_policy_says_which_checks_its_rules_need);
    suite_add_tcase(suite, terms);
    tcase_add_loop_test(lost, what_the_dns_leaves_open_is_for_the_policy_to_say, 0,
                        (int)COUNT(lost_cases));
    tcase_add_test(lost, a_deferral_for_the_dns_says_so);
    suite_add_tcase(suite, lost);
    tcase_add_loop_test(told, what_a_term_is_compared_with_is_printed_for_people, 0,
                        (int)COUNT(fact_cases));
    tcase_add_loop_test(told, of_a_message_that_nobody_has_the_header_is_never_known, 0,
                        (int)COUNT(memory_cases));
    suite_add_tcase(suite, told);
    return unit_run(suite);
}
