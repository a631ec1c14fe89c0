/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict/stamp: what is written into a message, and how loops are known. */
#include <string.h>

#include "unit.h"
#include "verdict/stamp.h"

#define DATE "Sun, 22 Nov 2026 14:03:05 +0000"
#define WALL_US (1795356185ull * 1000000)

static const struct message_limits limits = {
    .max_header_bytes = 200000, .max_header_fields = 1000,
};
static struct spool_budget budget = { .max_bytes = 1 << 24 };

static void make_message(struct message *message, const char *text)
{
    message_init(message, &limits, &budget);
    ck_assert_int_eq(message_append(message, slice_from(text)), MESSAGE_OK);
    ck_assert_int_eq(message_end(message), MESSAGE_OK);
}

/* As a delivery does it. */
static void stamp_onto(struct message *message, const struct stamp *stamp)
{
    struct text fields;

    text_init(&fields, STAMP_MAX_BYTES);
    stamp_cut_foreign(message, "example.org");
    stamp_print(&fields, stamp);
    message_add_on_top(message, text_slice(&fields));
    text_clear(&fields);
}

static void print_outgoing(const struct message *message, struct text *out)
{
    struct message_position position = { 0 };

    for (;;) {
        struct message_piece piece = message_next_piece(message, &position, 1000);

        if (piece.kind == MESSAGE_PIECE_END)
            break;
        ck_assert_int_eq(piece.kind, MESSAGE_PIECE_MEMORY);
        text_add(out, piece.bytes);
    }
}

/* ---- the field ---- */

struct stamp_case {
    const char *helo;
    bool is_helo; /* and no EHLO */
    const char *client;
    const char *tls;
    const char *recipient;
    uint64_t recipients;
    bool is_smtputf8;
    const char *want; /* between "Received: " and the date */
};

static void expect_stamp(const struct stamp_case *c)
{
    struct facts facts = {
        .phase = PHASE_MESSAGE,
        .helo = c->helo,
        .is_extended = !c->is_helo,
        .tls_version = c->tls,
        .recipient_count = c->recipients,
    };
    struct stamp stamp = {
        .facts = &facts,
        .hostname = "mx.example.org",
        .id = "06b3k2m9q1z4h7xa",
        .tls_cipher = c->tls != NULL ? "TLS_AES_256_GCM_SHA384" : NULL,
        .is_smtputf8 = c->is_smtputf8,
        .wall_us = WALL_US,
    };
    struct address recipient = { 0 };
    struct message message;
    struct text got;
    struct text want;
    size_t used;

    text_init(&got, 10000);
    text_init(&want, 10000);
    ck_assert(ip_parse(slice_from(c->client), &facts.client.address));
    if (c->recipient != NULL) {
        ck_assert_int_eq(address_parse(slice_from(c->recipient), ADDRESS_FORWARD_PATH, true,
                                       &recipient, &used), ADDRESS_OK);
        facts.recipient = &recipient;
    }
    make_message(&message, "Subject: x\r\n\r\nbody\r\n");
    stamp_onto(&message, &stamp);
    print_outgoing(&message, &got);
    text_add_format(&want, "Received: %s;\r\n\t" DATE "\r\nSubject: x\r\n\r\nbody\r\n", c->want);
    unit_expect_text("stamp", &got, text_slice(&want));
    address_clear(&recipient);
    message_clear(&message);
    text_clear(&got);
    text_clear(&want);
}

START_TEST(received_says_from_whom_how_and_when)
{
    static const struct stamp_case cases[] = {
        { .helo = "mail.example.net", .client = "192.0.2.1", .tls = "TLSv1.3",
          .recipient = "<joe@example.org>", .recipients = 1,
          .want = "from mail.example.net ([192.0.2.1])\r\n"
                  "\tby mx.example.org with ESMTPS id 06b3k2m9q1z4h7xa\r\n"
                  "\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
                  "\tfor <joe@example.org>" },
        { .helo = "mail.example.net", .client = "2001:db8::1", .recipients = 2,
          .recipient = "<joe@example.org>",
          .want = "from mail.example.net ([IPv6:2001:db8::1])\r\n"
                  "\tby mx.example.org with ESMTP id 06b3k2m9q1z4h7xa" },
        { .helo = "[192.0.2.1]", .is_helo = true, .client = "192.0.2.1", .recipients = 1,
          .want = "from [192.0.2.1] ([192.0.2.1])\r\n"
                  "\tby mx.example.org with SMTP id 06b3k2m9q1z4h7xa" },
        { .helo = "[IPv6:2001:db8::1]", .client = "192.0.2.1", .is_smtputf8 = true,
          .recipient = "<j\xc3\xb6@example.org>", .recipients = 1,
          .want = "from [IPv6:2001:db8::1] ([192.0.2.1])\r\n"
                  "\tby mx.example.org with UTF8SMTP id 06b3k2m9q1z4h7xa\r\n"
                  "\tfor <j\xc3\xb6@example.org>" },
        { .helo = "b\xc3\xbc" "cher.example", .client = "192.0.2.1", .is_smtputf8 = true,
          .tls = "TLSv1.2",
          .want = "from xn--bcher-kva.example ([192.0.2.1])\r\n"
                  "\tby mx.example.org with UTF8SMTPS id 06b3k2m9q1z4h7xa\r\n"
                  "\t(TLSv1.2 TLS_AES_256_GCM_SHA384)" },
        { .helo = "x", .client = "192.0.2.1", .recipient = "<postmaster>", .recipients = 1,
          .want = "from x ([192.0.2.1])\r\n"
                  "\tby mx.example.org with ESMTP id 06b3k2m9q1z4h7xa\r\n"
                  "\tfor <postmaster>" },
        /* A UTF-8 recipient may not stand in a header that is not SMTPUTF8's. */
        { .helo = "x", .client = "192.0.2.1", .recipient = "<j\xc3\xb6@example.org>",
          .recipients = 1,
          .want = "from x ([192.0.2.1])\r\n"
                  "\tby mx.example.org with ESMTP id 06b3k2m9q1z4h7xa" },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_stamp(&cases[i]);
}
END_TEST

START_TEST(hostile_greetings_do_not_get_into_the_header)
{
    static const char *const greetings[] = {
        "", " ", "a b", "a\r\nX-Evil: yes", "x)(", "[192.0.2.1", "[999.0.2.1]", "[IPv6:]", "[]",
        "[", "]", "a;b", "a\x01z", "\xff\xfe", "a..b", "<a@b>", "\"a\"", "[192.0.2.1](x",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };

    for (size_t i = 0; i < COUNT(greetings); i++) {
        struct stamp_case c = {
            .helo = greetings[i],
            .client = "192.0.2.1",
            .want = "from unknown ([192.0.2.1])\r\n"
                    "\tby mx.example.org with ESMTP id 06b3k2m9q1z4h7xa",
        };

        expect_stamp(&c);
    }
}
END_TEST

START_TEST(foreign_tags_are_cut_and_ours_put_below_received)
{
    static const struct tag first = { .name = "first" }, second = { .name = "second" };
    static const struct tag *const tags[] = { &first, &second };
    struct facts facts = { .phase = PHASE_MESSAGE, .helo = "a.example", .is_extended = true };
    struct stamp stamp = {
        .facts = &facts,
        .hostname = "mx.example.org",
        .id = "id",
        .wall_us = WALL_US,
        .tags = tags,
        .tag_count = 2,
    };
    struct message message;
    struct text got;

    text_init(&got, 10000);
    ck_assert(ip_parse(SLICE("192.0.2.1"), &facts.client.address));
    make_message(&message, "X-Postern-Tag: forged\r\nSubject: x\r\nx-POSTERN-tag : folded\r\n"
                           " more\r\nX-Postern-Tagged: other\r\n\r\nX-Postern-Tag: body\r\n");
    stamp_onto(&message, &stamp);
    print_outgoing(&message, &got);
    unit_expect_text("tags", &got,
                     SLICE("Received: from a.example ([192.0.2.1])\r\n"
                           "\tby mx.example.org with ESMTP id id;\r\n\t" DATE "\r\n"
                           "X-Postern-Tag: first\r\nX-Postern-Tag: second\r\n"
                           "Subject: x\r\nX-Postern-Tagged: other\r\n\r\n"
                           "X-Postern-Tag: body\r\n"));
    message_clear(&message);
    text_clear(&got);
}
END_TEST

START_TEST(authentication_results_in_our_name_are_cut)
{
    struct message message;
    struct text got;

    text_init(&got, 10000);
    make_message(&message, "Authentication-Results: mail.example.net; spf=pass\r\n"
                           "authentication-RESULTS : Example.ORG; dkim=pass\r\n"
                           "Subject: x\r\n"
                           "Authentication-Results:\r\n (ha)\r\n\texample.org 1; dkim=pass\r\n"
                           "Authentication-Results: dkim=pass\r\n"
                           "ARC-Authentication-Results: i=1; example.org; dkim=pass\r\n"
                           "\r\nAuthentication-Results: example.org; body\r\n");
    stamp_cut_foreign(&message, "example.org");
    print_outgoing(&message, &got);
    unit_expect_text("fields", &got,
                     SLICE("Authentication-Results: mail.example.net; spf=pass\r\n"
                           "Subject: x\r\n"
                           "ARC-Authentication-Results: i=1; example.org; dkim=pass\r\n"
                           "\r\nAuthentication-Results: example.org; body\r\n"));
    message_clear(&message);
    text_clear(&got);
}
END_TEST

/* ---- loops ---- */

static bool is_loop(const char *value, int count, const char *others, int other_count)
{
    struct message message;
    struct text text;
    bool result;

    text_init(&text, 100000);
    for (int i = 0; i < count; i++)
        text_add_format(&text, "Received: %s\r\n", value);
    for (int i = 0; i < other_count; i++)
        text_add_format(&text, "%s\r\n", others);
    text_add_string(&text, "\r\nReceived: by mx.example.org; in the body\r\n");
    make_message(&message, text_string(&text));
    result = stamp_is_loop(&message, "mx.example.org");
    message_clear(&message);
    text_clear(&text);
    return result;
}

START_TEST(a_loop_is_a_hundred_hops_or_five_of_our_own)
{
    static const char other[] = "from a by b.example with ESMTP id x; date";
    static const char own[] = "from a ([192.0.2.1])\r\n"
                              "\tby MX.example.ORG with ESMTP id x;\r\n\tdate";

    ck_assert(!is_loop(other, 99, "", 0));
    ck_assert(is_loop(other, 100, "", 0));
    ck_assert(!is_loop(own, 4, "", 0));
    ck_assert(is_loop(own, 5, "", 0));
    ck_assert(!is_loop(own, 4, "Received: from a by b.example; date", 95));
    ck_assert(is_loop(own, 4, "received : from a by b.example; date", 96));
    ck_assert(!is_loop(own, 4, "X-Received: by mx.example.org; date", 96));
}
END_TEST

START_TEST(our_name_counts_only_behind_by)
{
    static const struct {
        const char *value;
        bool want;
    } cases[] = {
        { "by mx.example.org; date", true },
        { "by mx.example.org(x); date", true },
        { "by mx.example.org", true },
        { "(c) by (c (d) \\) ) mx.example.org with x; date", true },
        { "from a (by mx.example.org) by b; date", false },
        { "from mx.example.org by b.example; date", false },
        { "from a by mx.example.org.evil.example; date", false },
        { "from a by xmx.example.org; date", false },
        { "from a (unclosed by mx.example.org", false },
        { "from by by mx.example.org; date", false },
        { "by", false },
        { "", false },
        { ")by mx.example.org; date", false },
        { "(\\", false },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(is_loop(cases[i].value, 5, "", 0) == cases[i].want, "\"%s\": want %d",
                      cases[i].value, cases[i].want);
}
END_TEST

START_TEST(protocol_names_are_those_of_the_registry)
{
    static const struct {
        bool is_extended;
        const char *tls;
        bool is_smtputf8;
        const char *want;
    } cases[] = {
        { false, NULL, false, "SMTP" },     { false, "TLSv1.3", false, "SMTP" },
        { true, NULL, false, "ESMTP" },     { true, "TLSv1.3", false, "ESMTPS" },
        { true, NULL, true, "UTF8SMTP" },   { true, "TLSv1.3", true, "UTF8SMTPS" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct facts facts = {
            .is_extended = cases[i].is_extended,
            .tls_version = cases[i].tls,
        };

        ck_assert_str_eq(stamp_protocol(&facts, cases[i].is_smtputf8), cases[i].want);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stamp");
    TCase *field = tcase_create("field");
    TCase *loop = tcase_create("loop");

    tcase_add_test(field, received_says_from_whom_how_and_when);
    tcase_add_test(field, hostile_greetings_do_not_get_into_the_header);
    tcase_add_test(field, foreign_tags_are_cut_and_ours_put_below_received);
    tcase_add_test(field, authentication_results_in_our_name_are_cut);
    tcase_add_test(field, protocol_names_are_those_of_the_registry);
    suite_add_tcase(suite, field);
    tcase_add_test(loop, a_loop_is_a_hundred_hops_or_five_of_our_own);
    tcase_add_test(loop, our_name_counts_only_behind_by);
    suite_add_tcase(suite, loop);
    return unit_run(suite);
}
