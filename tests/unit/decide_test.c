/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict/decide: the walk in three values, shadow, tags, and several recipients. */
#include "policy_unit.h"
#include "verdict/decide.h"

#define DOMAIN "domain example.org { backend legacy; policy p; }\n"

/* ---- the walk ---- */

/* Takes the header away behind the first walk: what has to be read again is not there any more. */
START_TEST(a_header_is_read_once_for_all_recipients)
{
    static const char rules[] =
        "policy p {\n"
        "    rule a { when header X-Spam contains \"no\"; then reject; }\n"
        "    rule b { when recipient bob@example.org and header X-Spam present; then discard; }\n"
        "    rule c { when header-from example.net; except header X-Spam absent; then tempfail; }\n"
        "    otherwise accept;\n"
        "}\n" DOMAIN;
    static const char *const recipients[] = { "<eve@example.org>", "<bob@example.org>" };
    static const enum action want[] = { ACTION_TEMPFAIL, ACTION_DISCARD };
    struct facts_fixture fixture;
    struct book_fixture books;
    const struct effective_policy *policy;
    struct message empty = { .limits = NULL };
    struct mailbox_list nobody = { 0 };
    unsigned char *memo;

    book_load_good(&books, rules);
    policy = policy_book_at(books.book, 0);
    ck_assert_uint_eq(policy->memo_count, 4);
    memo = mem_new_array(policy->memo_count, 1);
    for (size_t i = 0; i < 4; i++) {
        struct facts facts;
        struct verdict verdict;

        facts_make(&fixture, "<ann@example.net>", recipients[i % 2],
                   "From: Ann <ann@example.net>\r\nX-Spam: yes\r\n\r\nbody\r\n");
        facts = facts_until(&fixture, PHASE_MESSAGE);
        facts.memo = memo;
        if (i >= 2) {
            facts.message = &empty;
            facts.from = &nobody;
        }
        verdict = decide(policy, &facts);
        ck_assert_msg(verdict.action == want[i % 2], "walk %zu: %s", i,
                      action_name(verdict.action));
        facts_clear(&fixture);
    }
    mem_free(memo);
    book_unload(&books);
}
END_TEST

/* "reject by two at rcpt", "?big" or "accept", then " shadow one at mail" and " tags a b". */
static void describe(struct text *out, const struct verdict *verdict)
{
    if (!verdict->is_final)
        text_add_format(out, "?%s", verdict->pending_rule->name);
    else if (verdict->rule != NULL)
        text_add_format(out, "%s by %s at %s", action_name(verdict->action), verdict->rule->name,
                        phase_name(verdict->phase));
    else
        text_add_string(out, action_name(verdict->action));
    if (verdict->shadow_rule != NULL)
        text_add_format(out, " shadow %s at %s", verdict->shadow_rule->name,
                        phase_name(verdict->shadow_phase));
    for (size_t i = 0; i < verdict->tag_count; i++)
        text_add_format(out, "%s%s", i == 0 ? " tags " : " ", verdict->tags[i]->name);
}

struct walk_case {
    const char *rules;
    const char *want[PHASE_COUNT]; /* NULL: not looked at */
};

/* From ann@example.net at 192.0.2.1 over TLS 1.3; a small message with From and X-Spam. */
static void expect_walk(const struct walk_case *c, const char *recipient)
{
    struct facts_fixture fixture;
    struct book_fixture books;
    struct text text;
    struct text got;

    text_init(&text, 100000);
    text_init(&got, 1000);
    text_add_string(&text, c->rules);
    book_load_good(&books, text_string(&text));
    facts_make(&fixture, "<ann@example.net>", recipient,
               "From: Ann <ann@example.net>\r\nX-Spam: yes\r\n\r\nbody\r\n");
    for (int phase = 0; phase < PHASE_COUNT; phase++) {
        struct facts facts = facts_until(&fixture, (enum phase)phase);
        struct verdict verdict = decide(policy_book_at(books.book, 0), &facts);

        if (c->want[phase] == NULL)
            continue;
        ck_assert_msg(verdict.is_final == (verdict.pending_rule == NULL), "%s\n%s", c->rules,
                      phase_name((enum phase)phase));
        text_reset(&got);
        describe(&got, &verdict);
        ck_assert_msg(slice_equals(text_slice(&got), slice_from(c->want[phase])),
                      "%s\nin phase %s\ngot  %s\nwant %s", c->rules, phase_name((enum phase)phase),
                      text_string(&got), c->want[phase]);
    }
    facts_clear(&fixture);
    book_unload(&books);
    text_clear(&got);
    text_clear(&text);
}

static void expect_walks(const struct walk_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_walk(&cases[i], "<joe@example.org>");
}

START_TEST(walk_stops_at_the_first_rule_that_is_not_known)
{
    static const struct walk_case cases[] = {
        { "policy p { rule a { when client 192.0.2.1; then reject; } otherwise accept; }\n" DOMAIN,
          { "reject by a at connect", "reject by a at helo", "reject by a at mail",
            "reject by a at rcpt", "reject by a at rcpt", "reject by a at rcpt" } },
        { "policy p { rule a { when tls none; then reject; } otherwise tempfail; }\n" DOMAIN,
          { "?a", "?a", "tempfail by otherwise at mail", "tempfail by otherwise at rcpt",
            "tempfail by otherwise at rcpt", "tempfail by otherwise at rcpt" } },
        { "policy p { rule big { when size > 1M; then reject; }\n"
          "rule a { when client 192.0.2.1; then reject; } otherwise accept; }\n" DOMAIN,
          { "?big", "?big", "?big", "?big", "?big", "reject by a at message" } },
        { "policy p { rule a { when recipient joe@example.org; then accept; }\n"
          "rule big { when size > 1; then reject; } otherwise accept; }\n" DOMAIN,
          { "?a", "?a", "?a", "accept by a at rcpt", "accept by a at rcpt",
            "accept by a at rcpt" } },
        { "policy p { rule many { when recipients > 4; then reject; }\n"
          "rule spam { when header X-Spam contains \"yes\"; then discard; }\n"
          "otherwise accept; }\n" DOMAIN,
          { "?many", "?many", "?many", "?many", "?spam", "discard by spam at message" } },
        { "policy p { rule a { when client 192.0.2.0/24; except sender ann@example.net;\n"
          "then reject; } rule b { when tls any; then tempfail \"x\"; } otherwise accept; }\n"
          DOMAIN,
          { "?a", "?a", "tempfail by b at mail", "tempfail by b at rcpt",
            "tempfail by b at rcpt", "tempfail by b at rcpt" } },
        { "policy p { otherwise discard; }\n" DOMAIN,
          { "discard by otherwise at connect", NULL, NULL, "discard by otherwise at rcpt", NULL,
            "discard by otherwise at rcpt" } },
    };

    expect_walks(cases, COUNT(cases));
}
END_TEST

START_TEST(a_rule_in_shadow_is_noted_and_passed_over)
{
    static const struct walk_case cases[] = {
        { "policy p { rule a { mode shadow; when client 192.0.2.1; then reject; }\n"
          "otherwise accept; }\n" DOMAIN,
          { "accept by otherwise at connect shadow a at connect", NULL, NULL,
            "accept by otherwise at rcpt shadow a at rcpt", NULL,
            "accept by otherwise at rcpt shadow a at rcpt" } },
        /* The first one in shadow, and the enforced one behind it. */
        { "policy p { rule a { mode shadow; when client 192.0.2.1; then reject; }\n"
          "rule b { mode shadow; when tls any; then tempfail; }\n"
          "rule c { when tls any; then discard; } otherwise accept; }\n" DOMAIN,
          { "?b shadow a at connect", "?b shadow a at helo",
            "discard by c at mail shadow a at mail", "discard by c at rcpt shadow a at rcpt",
            NULL, "discard by c at rcpt shadow a at rcpt" } },
        /* No match, no note. */
        { "policy p { rule a { mode shadow; when client 192.0.2.2; then reject; }\n"
          "otherwise accept; }\n" DOMAIN,
          { NULL, NULL, NULL, "accept by otherwise at rcpt", NULL, NULL } },
        /* Shadow never holds back a refusal, and an accept waits for its note. */
        { "policy p { rule big { mode shadow; when size > 1; then reject; }\n"
          "rule b { when tls any; then reject; } otherwise accept; }\n" DOMAIN,
          { "?big", "?big", "reject by b at mail", "reject by b at rcpt", NULL,
            "reject by b at rcpt" } },
        { "policy p { rule big { mode shadow; when size > 1; then reject; }\n"
          "rule b { when tls any; then accept; } otherwise reject; }\n" DOMAIN,
          { "?big", "?big", "?big", "?big", "?big",
            "accept by b at message shadow big at message" } },
        { "policy p { rule big { mode shadow; when size > 1M; then reject; }\n"
          "otherwise accept; }\n" DOMAIN,
          { NULL, NULL, NULL, "?big", "?big", "accept by otherwise at message" } },
        /* What was noted first in time stays, though a later match stands before it. */
        { "policy p { rule big { mode shadow; when size > 1; then reject; }\n"
          "rule b { mode shadow; when tls any; then reject; } otherwise accept; }\n" DOMAIN,
          { NULL, NULL, "?big shadow b at mail", "?big shadow b at rcpt", NULL,
            "accept by otherwise at message shadow b at rcpt" } },
    };

    expect_walks(cases, COUNT(cases));
}
END_TEST

/* One policy, put into shadow in three places: the result is the same. */
START_TEST(shadow_at_each_level_turns_a_refusal_into_a_note)
{
    static const struct walk_case cases[] = {
        { "mode shadow;\npolicy p { rule a { when tls any; then reject; }\n"
          "rule b { when size > 1; then reject; } otherwise accept; }\n" DOMAIN,
          { "?a", "?a", "accept shadow a at mail", "accept shadow a at rcpt", NULL,
            "accept shadow a at rcpt" } },
        { "policy p { mode shadow; rule a { when tls any; then reject; }\n"
          "rule b { when size > 1; then reject; } otherwise accept; }\n" DOMAIN,
          { "?a", "?a", "accept shadow a at mail", "accept shadow a at rcpt", NULL,
            "accept shadow a at rcpt" } },
        { "policy p { rule a { when tls any; then reject; }\n"
          "rule b { when size > 1; then reject; } otherwise accept; }\n"
          "domain example.org { backend legacy; policy p; mode shadow; }\n",
          { "?a", "?a", "accept shadow a at mail", "accept shadow a at rcpt", NULL,
            "accept shadow a at rcpt" } },
        { "policy p { rule a { when tls any; then reject; } otherwise accept; }\n"
          "domain example.org { backend legacy; policy p; rule a { mode shadow; } }\n",
          { NULL, NULL, NULL, "accept by otherwise at rcpt shadow a at rcpt", NULL, NULL } },
        { "policy p { mode shadow; otherwise reject; }\n" DOMAIN,
          { NULL, NULL, NULL, "accept shadow otherwise at rcpt", NULL, NULL } },
        /* An accept ends the walk in shadow too: nothing would have been refused. */
        { "policy p { mode shadow; rule a { when tls any; then accept; } otherwise reject; }\n"
          DOMAIN,
          { NULL, NULL, NULL, "accept by a at rcpt", NULL, "accept by a at rcpt" } },
        { "policy p { mode shadow; rule a { when size > 1; then accept; } otherwise reject; }\n"
          DOMAIN,
          { NULL, NULL, NULL, "?a", NULL, "accept by a at message" } },
        /* The domain's word is the last one but for the gateway's. */
        { "policy p { mode shadow; rule a { when tls any; then reject; } otherwise accept; }\n"
          "domain example.org { backend legacy; policy p; mode enforce; }\n",
          { NULL, NULL, NULL, "reject by a at rcpt", NULL, NULL } },
        { "mode shadow;\npolicy p { rule a { when tls any; then discard; } otherwise accept; }\n"
          "domain example.org { backend legacy; policy p; mode enforce; }\n",
          { NULL, NULL, NULL, "accept shadow a at rcpt", NULL, NULL } },
    };

    expect_walks(cases, COUNT(cases));
}
END_TEST

START_TEST(tags_mark_and_the_walk_goes_on)
{
    static const struct walk_case cases[] = {
        { "policy p { rule a { when tls any; then tag one; }\n"
          "rule b { when client 192.0.2.1; then tag two; }\n"
          "rule c { when client 192.0.2.1; then tag one; }\n"
          "rule d { when tls none; then tag three; } otherwise accept; }\n" DOMAIN,
          { NULL, NULL, "accept by otherwise at mail tags one two",
            "accept by otherwise at rcpt tags one two", NULL, NULL } },
        /* An accept waits for a tag, a refusal does not. */
        { "policy p { rule a { when header X-Spam present; then tag spam; }\n"
          "otherwise accept; }\n" DOMAIN,
          { NULL, NULL, NULL, "?a", "?a", "accept by otherwise at message tags spam" } },
        { "policy p { rule a { when header X-Spam present; then tag spam; }\n"
          "otherwise reject; }\n" DOMAIN,
          { NULL, NULL, NULL, "reject by otherwise at rcpt", NULL,
            "reject by otherwise at rcpt" } },
        /* In shadow nothing is marked; a tag is noted unless a decision is. */
        { "policy p { mode shadow; rule a { when tls any; then tag one; } otherwise accept; }\n"
          DOMAIN,
          { NULL, NULL, NULL, "accept by otherwise at rcpt shadow a at rcpt", NULL, NULL } },
        { "policy p { rule a { mode shadow; when tls any; then tag one; }\n"
          "rule b { mode shadow; when size > 1; then reject; } otherwise accept; }\n" DOMAIN,
          { NULL, NULL, NULL, "?b shadow a at rcpt", NULL,
            "accept by otherwise at message shadow b at message" } },
        { "policy p { mode shadow; rule a { when tls any; then tag one; }\n"
          "otherwise reject; }\n" DOMAIN,
          { NULL, NULL, NULL, "accept shadow otherwise at rcpt", NULL, NULL } },
    };

    expect_walks(cases, COUNT(cases));
}
END_TEST

START_TEST(postmaster_and_abuse_are_exempt_from_rules)
{
    static const char rules[] =
        "policy p { rule t { when tls any; then tag one; } otherwise reject; }\n" DOMAIN;
    static const struct {
        const char *recipient;
        const char *want;
    } cases[] = {
        { "<postmaster>", "accept" },
        { "<PostMaster>", "accept" },
        { "<postmaster@example.org>", "accept" },
        { "<POSTMASTER@example.org>", "accept" },
        { "<abuse@example.org>", "accept" },
        { "<Abuse@example.org>", "accept" },
        { "<postmaster1@example.org>", "reject by otherwise at rcpt tags one" },
        { "<not-abuse@example.org>", "reject by otherwise at rcpt tags one" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct walk_case c = { .rules = rules };

        c.want[PHASE_RCPT] = cases[i].want;
        c.want[PHASE_MESSAGE] = cases[i].want;
        expect_walk(&c, cases[i].recipient);
    }
}
END_TEST

START_TEST(announced_size_refuses_before_the_bytes_come)
{
    struct facts_fixture fixture;
    struct book_fixture books;
    struct verdict verdict;
    struct facts facts;

    book_load_good(&books, "policy p { rule big { when size > 1M; then reject \"too big\"; }\n"
                           "otherwise accept; }\n" DOMAIN);
    facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "\r\nshort\r\n");
    fixture.facts.announced_size_bytes = (1 << 20) + 1;
    facts = facts_until(&fixture, PHASE_RCPT);
    verdict = decide(policy_book_at(books.book, 0), &facts);
    ck_assert(verdict.is_final);
    ck_assert_int_eq(verdict.action, ACTION_REJECT);
    ck_assert_int_eq(verdict.phase, PHASE_RCPT);
    fixture.facts.announced_size_bytes = 1 << 20;
    facts = facts_until(&fixture, PHASE_RCPT);
    verdict = decide(policy_book_at(books.book, 0), &facts);
    ck_assert(!verdict.is_final);
    facts_clear(&fixture);
    book_unload(&books);
}
END_TEST

/* ---- replies ---- */

START_TEST(a_refusal_replies_with_the_words_of_its_rule)
{
    static const struct {
        const char *action;
        const char *want;
    } cases[] = {
        { "reject \"Not here, sorry\"", "550 5.7.1 Not here, sorry (rule.p.a T1)\r\n" },
        { "reject", "550 5.7.1 refused by policy (rule.p.a T1)\r\n" },
        { "tempfail \"Come back\"", "451 4.7.1 Come back (rule.p.a T1)\r\n" },
        { "tempfail", "451 4.7.1 not now, try again later (rule.p.a T1)\r\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts_fixture fixture;
        struct book_fixture books;
        struct verdict verdict;
        struct reply reply;
        struct text text;

        text_init(&text, 1000);
        text_add_format(&text, "policy p { rule a { when tls any; then %s; } otherwise accept; }\n"
                               DOMAIN, cases[i].action);
        book_load_good(&books, text_string(&text));
        facts_make(&fixture, "<ann@example.net>", "<joe@example.org>", "\r\n");
        verdict = decide(policy_book_at(books.book, 0), &fixture.facts);
        reply = verdict_reply(&verdict);
        text_reset(&text);
        reply_print(&text, &reply, "T1");
        unit_expect_text(cases[i].action, &text, slice_from(cases[i].want));
        facts_clear(&fixture);
        book_unload(&books);
        text_clear(&text);
    }
}
END_TEST

/* ---- several recipients ---- */

START_TEST(recipients_with_different_wishes_get_one_result)
{
    static const struct {
        const char *verdicts; /* a, r, t, q, d */
        enum joint_verdict want;
    } cases[] = {
        { "a", JOINT_DELIVER },        { "aaa", JOINT_DELIVER },      { "ad", JOINT_DELIVER },
        { "dda", JOINT_DELIVER },      { "d", JOINT_DISCARD },        { "ddd", JOINT_DISCARD },
        { "r", JOINT_REJECT },         { "rrr", JOINT_REJECT },       { "t", JOINT_TEMPFAIL },
        { "at", JOINT_TEMPFAIL },      { "rt", JOINT_TEMPFAIL },      { "dt", JOINT_TEMPFAIL },
        { "ardt", JOINT_TEMPFAIL },    { "ar", JOINT_MIXED_REJECT },  { "ra", JOINT_MIXED_REJECT },
        { "dr", JOINT_MIXED_REJECT },  { "adr", JOINT_MIXED_REJECT }, { "q", JOINT_HOLD },
        { "qqq", JOINT_HOLD },         { "qd", JOINT_HOLD },          { "aq", JOINT_DELIVER },
        { "dqa", JOINT_DELIVER },      { "qr", JOINT_MIXED_REJECT },  { "qt", JOINT_TEMPFAIL },
        { "aqr", JOINT_MIXED_REJECT }, { "aqrt", JOINT_TEMPFAIL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct verdict verdicts[8] = { { .is_final = true } };
        size_t count = strlen(cases[i].verdicts);
        enum joint_verdict got;

        for (size_t j = 0; j < count; j++) {
            char c = cases[i].verdicts[j];

            verdicts[j].action = c == 'a'   ? ACTION_ACCEPT
                                 : c == 'r' ? ACTION_REJECT
                                 : c == 't' ? ACTION_TEMPFAIL
                                 : c == 'q' ? ACTION_QUARANTINE
                                            : ACTION_DISCARD;
        }
        got = decide_jointly(verdicts, count);
        ck_assert_msg(got == cases[i].want, "%s: got %d, want %d", cases[i].verdicts, (int)got,
                      (int)cases[i].want);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decide");
    TCase *walk = tcase_create("walk");
    TCase *result = tcase_create("result");

    tcase_add_test(walk, a_header_is_read_once_for_all_recipients);
    tcase_add_test(walk, walk_stops_at_the_first_rule_that_is_not_known);
    tcase_add_test(walk, a_rule_in_shadow_is_noted_and_passed_over);
    tcase_add_test(walk, shadow_at_each_level_turns_a_refusal_into_a_note);
    tcase_add_test(walk, tags_mark_and_the_walk_goes_on);
    tcase_add_test(walk, postmaster_and_abuse_are_exempt_from_rules);
    tcase_add_test(walk, announced_size_refuses_before_the_bytes_come);
    suite_add_tcase(suite, walk);
    tcase_add_test(result, a_refusal_replies_with_the_words_of_its_rule);
    tcase_add_test(result, recipients_with_different_wishes_get_one_result);
    suite_add_tcase(suite, result);
    return unit_run(suite);
}
