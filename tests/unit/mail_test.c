/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/: domain names, replies and envelopes. */
#include <string.h>

#include "base/memory.h"
#include "mail/domain.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "unit.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* ---- domain ---- */

START_TEST(a_domain_has_one_form_however_it_is_written)
{
    static const struct {
        struct slice s;
        const char *want;
    } cases[] = {
        { BYTES("example.org"), "example.org" },
        { BYTES("EXAMPLE.Org"), "example.org" },
        { BYTES("localhost"), "localhost" },
        { BYTES("a"), "a" },
        { BYTES("1.2.3.4"), "1.2.3.4" },
        { BYTES("_dmarc.example.org"), "_dmarc.example.org" },
        { BYTES("under_score.example"), "under_score.example" },
        { BYTES("r3---sn.example.org"), "r3---sn.example.org" },
        { BYTES("a-b.c-d"), "a-b.c-d" },
        { BYTES(A63 "." A63 "." A63 "." A61), A63 "." A63 "." A63 "." A61 },
        { BYTES("b\xc3\xbc" "cher.example"), "xn--bcher-kva.example" },
        { BYTES("B\xc3\x9c" "CHER.Example"), "xn--bcher-kva.example" },
        { BYTES("bu\xcc\x88" "cher.example"), "xn--bcher-kva.example" }, /* u, combining dots */
        { BYTES("xn--bcher-kva.example"), "xn--bcher-kva.example" },
        { BYTES("XN--BCHER-KVA.example"), "xn--bcher-kva.example" },
        { BYTES("\xef\xbd\x98n--bcher-kva.example"), "xn--bcher-kva.example" }, /* wide x */
        { BYTES("fa\xc3\x9f.example"), "xn--fa-hia.example" },   /* not fass: IDNA 2008 */
        { BYTES("r3---sn.b\xc3\xbc" "cher.example"), "r3---sn.xn--bcher-kva.example" },
        { BYTES("_x.b\xc3\xbc" "cher.example"), "_x.xn--bcher-kva.example" },
        { BYTES("\xef\xbd\x85\xef\xbd\x98.org"), "ex.org" },     /* full-width letters */
        { BYTES("a\xe3\x80\x82" "b\xef\xbc\x8e" "c"), "a.b.c" }, /* ideographic, full-width stop */
        { BYTES("ex\xc2\xad" "ample.org"), "example.org" },      /* soft hyphen */
        { BYTES("\xe4\xbe\x8b\xe3\x81\x88.jp"), "xn--r8jz45g.jp" },
    };
    struct text out;

    text_init(&out, DOMAIN_MAX_BYTES);
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum domain_problem problem;

        text_reset(&out);
        problem = domain_normalise(cases[i].s, &out);
        ck_assert_msg(problem == DOMAIN_OK, "%.*s %s", SLICE_ARGS(cases[i].s),
                      domain_problem_text(problem));
        unit_expect_text(cases[i].s.data, &out, slice_from(cases[i].want));
    }
    text_clear(&out);
}
END_TEST

static const struct {
    struct slice s;
    enum domain_problem want;
} bad_domains[] = {
    { BYTES(""), DOMAIN_EMPTY },
    { BYTES("."), DOMAIN_EMPTY_LABEL },
    { BYTES("example.org."), DOMAIN_EMPTY_LABEL },
    { BYTES(".example.org"), DOMAIN_EMPTY_LABEL },
    { BYTES("example..org"), DOMAIN_EMPTY_LABEL },
    { BYTES("-a.org"), DOMAIN_BAD_BYTE },
    { BYTES("a-.org"), DOMAIN_BAD_BYTE },
    { BYTES("a b.org"), DOMAIN_BAD_BYTE },
    { BYTES("a\0b.org"), DOMAIN_BAD_BYTE },
    { BYTES("a.org\r\n"), DOMAIN_BAD_BYTE },
    { BYTES("a@b"), DOMAIN_BAD_BYTE },
    { BYTES("a/b"), DOMAIN_BAD_BYTE },
    { BYTES("a,b"), DOMAIN_BAD_BYTE },
    { BYTES("[1.2.3.4]"), DOMAIN_BAD_BYTE },
    { BYTES("*.example.org"), DOMAIN_BAD_BYTE },
    { BYTES(A63 "a.org"), DOMAIN_TOO_LONG },
    { BYTES(A63 "." A63 "." A63 "." A61 "a"), DOMAIN_TOO_LONG },
    { BYTES("\xff.org"), DOMAIN_BAD_IDN },
    { BYTES("b\xfc" "cher.example"), DOMAIN_BAD_IDN },
    { BYTES("\xc0\xae.org"), DOMAIN_BAD_IDN },          /* an overlong dot */
    { BYTES("\xf0\x9f\x98\x80.ws"), DOMAIN_BAD_IDN },   /* a smiling face ... */
    { BYTES("xn--e28h.ws"), DOMAIN_BAD_IDN },           /* ... and its A-label */
    { BYTES("\xe2\x89\xa0.com"), DOMAIN_BAD_IDN },      /* a not-equal sign */
    { BYTES("xn--1ch.com"), DOMAIN_BAD_IDN },           /* ... and its A-label */
    { BYTES("xn--bcher.example"), DOMAIN_BAD_IDN },
    { BYTES("xn--.example"), DOMAIN_BAD_BYTE },
    { BYTES("xn--a.example"), DOMAIN_BAD_IDN },
    { BYTES("xn--0.example"), DOMAIN_BAD_IDN },
    { BYTES("xn--abc-.example"), DOMAIN_BAD_BYTE },
    { BYTES("XN--FOO-.example"), DOMAIN_BAD_BYTE },
    { BYTES("ab--\xc3\xbc.example"), DOMAIN_BAD_IDN },
    { BYTES("\xc3\xbc-.example"), DOMAIN_BAD_IDN },
    { BYTES("1\xd7\x90.com"), DOMAIN_BAD_IDN },         /* bidi: a digit before Hebrew */
    { BYTES("\xe2\x84\x80.com"), DOMAIN_BAD_BYTE },     /* maps to a/c */
    { BYTES("\xe2\x92\x88.com"), DOMAIN_BAD_IDN },      /* "1." in one sign */
    { BYTES("\xc2\xad.com"), DOMAIN_EMPTY_LABEL },      /* maps to nothing */
    { BYTES("\xc3\xbc."), DOMAIN_EMPTY_LABEL },
    { BYTES(".\xc3\xbc"), DOMAIN_EMPTY_LABEL },
    { BYTES("a..\xc3\xbc"), DOMAIN_EMPTY_LABEL },
    { BYTES("\xc3\xbc\xe3\x80\x82"), DOMAIN_EMPTY_LABEL }, /* ideographic stop at the end */
    { BYTES("a b.\xc3\xbc"), DOMAIN_BAD_BYTE },
    { BYTES("a\0.\xc3\xbc"), DOMAIN_BAD_BYTE },
    { BYTES("a@b.\xc3\xbc"), DOMAIN_BAD_BYTE },
    { BYTES("\xef\xbc\xa0.\xc3\xbc"), DOMAIN_BAD_BYTE }, /* full-width @ */
    { BYTES(A61 "\xc3\xbc.org"), DOMAIN_TOO_LONG },
};

START_TEST(a_bad_domain_is_refused_and_leaves_no_trace)
{
    struct text out;

    text_init(&out, 2 * DOMAIN_MAX_BYTES);
    text_add_string(&out, "before");
    for (size_t i = 0; i < COUNT(bad_domains); i++) {
        enum domain_problem problem = domain_normalise(bad_domains[i].s, &out);

        ck_assert_msg(problem == bad_domains[i].want, "case %zu, %.*s: it %s, want it %s", i,
                      SLICE_ARGS(bad_domains[i].s), domain_problem_text(problem),
                      domain_problem_text(bad_domains[i].want));
        unit_expect_text(bad_domains[i].s.data, &out, SLICE("before"));
        ck_assert(!out.is_cut);
    }
    text_clear(&out);
}
END_TEST

START_TEST(a_domain_that_finds_no_room_is_not_cut)
{
    struct text out;

    text_init(&out, 10);
    ck_assert_int_eq(domain_normalise(SLICE("example.org"), &out), DOMAIN_TOO_LONG);
    unit_expect_text("no room", &out, SLICE_EMPTY);
    ck_assert(!out.is_cut);
    ck_assert_int_eq(domain_normalise(SLICE("example.de"), &out), DOMAIN_OK);
    unit_expect_text("just room", &out, SLICE("example.de"));
    text_clear(&out);
}
END_TEST

START_TEST(much_utf8_costs_no_more_than_its_ceiling)
{
    struct text s;
    struct text out;

    text_init(&s, 100000);
    text_init(&out, DOMAIN_MAX_BYTES);
    while (!s.is_cut)
        text_add_string(&s, "\xc2\xad");
    ck_assert_int_eq(domain_normalise(text_slice(&s), &out), DOMAIN_TOO_LONG);
    text_clear(&s);
    text_clear(&out);
}
END_TEST

START_TEST(an_address_literal_has_one_form)
{
    static const struct {
        struct slice s;
        const char *want; /* NULL: refused */
    } cases[] = {
        { BYTES("[192.0.2.1]"), "[192.0.2.1]" },
        { BYTES("[IPv6:2001:db8::1]"), "[IPv6:2001:db8::1]" },
        { BYTES("[ipv6:2001:DB8:0:0:0:0:0:1]"), "[IPv6:2001:db8::1]" },
        { BYTES("[IPv6:::ffff:192.0.2.1]"), "[192.0.2.1]" },
        { BYTES("[IPv6:::]"), "[IPv6:::]" },
        { BYTES("[]"), NULL },
        { BYTES("["), NULL },
        { BYTES(""), NULL },
        { BYTES("192.0.2.1"), NULL },
        { BYTES("[192.0.2]"), NULL },
        { BYTES("[192.0.2.256]"), NULL },
        { BYTES("[192.0.2.01]"), NULL },
        { BYTES("[192.0.2.1"), NULL },
        { BYTES("[2001:db8::1]"), NULL },        /* the tag is missing */
        { BYTES("[IPv6:192.0.2.1]"), NULL },
        { BYTES("[IPv6:]"), NULL },
        { BYTES("[IPv6:fe80::1%eth0]"), NULL },
        { BYTES("[ 192.0.2.1 ]"), NULL },
        { BYTES("[192.0.2.1\0]"), NULL },
        { BYTES("[x400:foo]"), NULL },           /* General-address-literal */
        { BYTES("[example.org]"), NULL },
    };
    struct text out;

    text_init(&out, DOMAIN_MAX_BYTES);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool is_good;

        text_reset(&out);
        is_good = domain_normalise_literal(cases[i].s, &out);
        ck_assert_msg(is_good == (cases[i].want != NULL), "%s: got %d", cases[i].s.data, is_good);
        unit_expect_text(cases[i].s.data, &out, slice_from(cases[i].want));
    }
    text_clear(&out);
}
END_TEST

START_TEST(a_domain_is_below_its_parents_only)
{
    static const struct {
        struct slice domain, parent;
        bool want;
    } cases[] = {
        { BYTES("a.example.org"), BYTES("example.org"), true },
        { BYTES("a.b.example.org"), BYTES("example.org"), true },
        { BYTES("example.org"), BYTES("example.org"), false },
        { BYTES("badexample.org"), BYTES("example.org"), false },
        { BYTES(".example.org"), BYTES("example.org"), false },
        { BYTES("example.org"), BYTES("a.example.org"), false },
        { BYTES("example.org"), BYTES("org"), true },
        { BYTES("example.org"), BYTES(""), false },
        { BYTES(""), BYTES(""), false },
        { BYTES("a.example.org.evil.net"), BYTES("example.org"), false },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(domain_is_below(cases[i].domain, cases[i].parent) == cases[i].want,
                      "%s below %s, want %d", cases[i].domain.data, cases[i].parent.data,
                      cases[i].want);
}
END_TEST

/* ---- reply ---- */

START_TEST(a_reply_is_printed_with_what_it_has)
{
    static const struct {
        struct reply reply;
        const char *reference;
        const char *want;
    } cases[] = {
        { { 550, "5.7.1", "relaying denied", "relay.denied" }, "06b3k2m9q1z4h7xa-1",
          "550 5.7.1 relaying denied (relay.denied 06b3k2m9q1z4h7xa-1)\r\n" },
        { { 250, "2.0.0", "queued", "" }, "06b3-1", "250 2.0.0 queued (06b3-1)\r\n" },
        { { 250, "2.1.0", "sender fine", "" }, "", "250 2.1.0 sender fine\r\n" },
        { { 354, "", "go ahead", "" }, "", "354 go ahead\r\n" },
        { { 451, "4.3.0", "later", "log.full" }, "", "451 4.3.0 later (log.full)\r\n" },
        { { 250, "", "", "" }, "", "250\r\n" },
        { { 250, NULL, NULL, NULL }, NULL, "250\r\n" },
        { { 250, "2.0.0", "", "" }, "06b3-1", "250 2.0.0 (06b3-1)\r\n" },
        { { 554, "5.7.1", "no\r\n250 2.0.0 yes", "a\r\nb" }, "c\nd",
          "554 5.7.1 no  250 2.0.0 yes (a  b c d)\r\n" },
        { { 554, "5.7.1", "\x01z\x7f" "b\t", "" }, "", "554 5.7.1  z b\r\n" },
        { { 554, "5.7.1", "gr\xc3\xbc\xc3\x9f", "" }, "", "554 5.7.1 gr????\r\n" },
        { { 554, "5.7.1\r\n250", "a", "" }, "", "554 5.7.1  250 a\r\n" },
    };
    struct text out;

    text_init(&out, 4096);
    for (size_t i = 0; i < COUNT(cases); i++) {
        text_reset(&out);
        reply_print(&out, &cases[i].reply, cases[i].reference);
        unit_expect_text("reply", &out, slice_from(cases[i].want));
    }
    text_clear(&out);
}
END_TEST

/* A string of `length` times `c`, to be freed. */
static char *repeat(char c, size_t length)
{
    char *s = malloc(length + 1);

    memset(s, c, length);
    s[length] = '\0';
    return s;
}

START_TEST(a_long_reply_loses_text_and_never_its_reason)
{
    char *reason = repeat('r', 300);
    char *reference = repeat('i', 100);
    struct text out;
    struct text tail;

    text_init(&out, 4096);
    text_init(&tail, 4096);
    for (size_t length = 400; length < 600; length++) {
        char *text = repeat('t', length);
        struct reply reply = { 550, "5.7.1", text, "relay.denied" };
        size_t whole = strlen("550 5.7.1  (relay.denied 06b3-1)\r\n") + length;

        text_reset(&out);
        reply_print(&out, &reply, "06b3-1");
        ck_assert_uint_eq(out.length, whole < REPLY_MAX_BYTES ? whole : REPLY_MAX_BYTES);
        ck_assert(unit_ends_with(&out, SLICE("t (relay.denied 06b3-1)\r\n")));
        free(text);
    }
    for (size_t length = 0; length < 300; length++) {
        struct reply reply = { 550, "5.7.1", reason, reason + 300 - length };

        text_reset(&out);
        reply_print(&out, &reply, reference);
        ck_assert_uint_le(out.length, REPLY_MAX_BYTES);
        text_reset(&tail);
        text_add(&tail, slice_until(slice_from(reply.reason), 255));
        text_add_string(&tail, length > 0 ? " " : "");
        text_add(&tail, slice_until(slice_from(reference), 64));
        text_add_string(&tail, ")\r\n");
        ck_assert_msg(unit_ends_with(&out, text_slice(&tail)),
                      "reason of %zu bytes: %s", length, text_string(&out));
    }
    text_clear(&out);
    text_clear(&tail);
    free(reason);
    free(reference);
}
END_TEST

START_TEST(a_cut_reply_does_not_end_in_a_blank)
{
    char *text = repeat('t', 600);
    struct reply reply = { 550, "5.7.1", text, "x" };
    struct text out;

    text_init(&out, 4096);
    text[REPLY_MAX_BYTES - strlen("550 5.7.1  (x)\r\n") - 1] = ' ';
    reply_print(&out, &reply, "");
    ck_assert_uint_eq(out.length, REPLY_MAX_BYTES - 1);
    ck_assert(unit_ends_with(&out, SLICE("tt (x)\r\n")));
    text_clear(&out);
    free(text);
}
END_TEST

START_TEST(a_reply_without_room_is_left_out_whole)
{
    struct reply reply = { 250, "2.0.0", "fine", "" };
    struct text out;

    text_init(&out, 20);
    reply_print(&out, &reply, "");
    unit_expect_text("with room", &out, SLICE("250 2.0.0 fine\r\n"));
    reply_print(&out, &reply, "");
    unit_expect_text("without room", &out, SLICE("250 2.0.0 fine\r\n"));
    ck_assert(out.is_cut);
    text_clear(&out);
}
END_TEST

START_TEST(a_reply_tells_its_class)
{
    struct reply success = { 250, "", "", "" };
    struct reply temporary = { 451, "", "", "" };
    struct reply permanent = { 550, "", "", "" };
    struct reply intermediate = { 354, "", "", "" };

    ck_assert(reply_is_success(&success) && !reply_is_temporary(&success));
    ck_assert(reply_is_temporary(&temporary) && !reply_is_permanent(&temporary));
    ck_assert(reply_is_permanent(&permanent) && !reply_is_success(&permanent));
    ck_assert(!reply_is_success(&intermediate) && !reply_is_temporary(&intermediate) &&
              !reply_is_permanent(&intermediate));
}
END_TEST

/* ---- envelope ---- */

static void parse(struct address *address, const char *path)
{
    size_t used;

    ck_assert_int_eq(address_parse(slice_from(path), ADDRESS_FORWARD_PATH, false, address, &used),
                     ADDRESS_OK);
}

START_TEST(an_envelope_keeps_copies_of_its_recipients)
{
    struct envelope envelope;
    struct text orcpt;

    text_init(&orcpt, 100);
    envelope_init(&envelope);
    for (int i = 0; i < 100; i++) {
        struct recipient recipient = { .notify = (unsigned int)i };

        text_reset(&orcpt);
        text_add_format(&orcpt, "rfc822;u%d@example.org", i);
        parse(&recipient.address, "<u@example.org>");
        recipient.orcpt = i % 2 == 0 ? orcpt.data : NULL;
        envelope_add_recipient(&envelope, &recipient);
        address_clear(&recipient.address);
    }
    ck_assert_uint_eq(envelope.recipient_count, 100);
    for (unsigned int i = 0; i < 100; i++) {
        const struct recipient *recipient = &envelope.recipients[i];

        text_reset(&orcpt);
        text_add_format(&orcpt, "rfc822;u%u@example.org", i);
        ck_assert_uint_eq(recipient->notify, i);
        ck_assert_str_eq(recipient->address.text, "u@example.org");
        if (i % 2 == 0)
            ck_assert_str_eq(recipient->orcpt, text_string(&orcpt));
        else
            ck_assert_ptr_null(recipient->orcpt);
    }
    envelope_clear(&envelope);
    ck_assert_uint_eq(envelope.recipient_count, 0);
    ck_assert_ptr_null(envelope.recipients);
    envelope_clear(&envelope);
    text_clear(&orcpt);
}
END_TEST

START_TEST(an_envelope_without_recipients_can_be_copied)
{
    struct envelope from;
    struct envelope to;
    struct recipient recipient = { .notify = DSN_NOTIFY_NEVER };

    envelope_init(&from);
    envelope_init(&to);
    parse(&from.sender, "<s@example.org>");
    parse(&recipient.address, "<r@example.org>");
    from.has_size = true;
    from.size_bytes = 12345;
    from.body = BODY_8BITMIME;
    from.is_smtputf8 = true;
    from.ret = DSN_RETURN_HEADERS;
    from.envid = mem_copy(SLICE("QQ314159"));
    envelope_add_recipient(&from, &recipient);
    envelope_add_recipient(&to, &recipient); /* goes away */

    envelope_copy_sender(&to, &from);
    ck_assert_uint_eq(to.recipient_count, 0);
    ck_assert_str_eq(to.sender.text, "s@example.org");
    ck_assert_ptr_ne(to.sender.text, from.sender.text);
    ck_assert_str_eq(to.envid, "QQ314159");
    ck_assert_ptr_ne(to.envid, from.envid);
    ck_assert(to.has_size && to.size_bytes == 12345 && to.body == BODY_8BITMIME);
    ck_assert(to.is_smtputf8 && to.ret == DSN_RETURN_HEADERS);

    recipient_clear(&recipient);
    envelope_clear(&from);
    envelope_clear(&to);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mail");
    TCase *domain = tcase_create("domain");
    TCase *reply = tcase_create("reply");
    TCase *envelope = tcase_create("envelope");

    tcase_add_test(domain, a_domain_has_one_form_however_it_is_written);
    tcase_add_test(domain, a_bad_domain_is_refused_and_leaves_no_trace);
    tcase_add_test(domain, a_domain_that_finds_no_room_is_not_cut);
    tcase_add_test(domain, much_utf8_costs_no_more_than_its_ceiling);
    tcase_add_test(domain, an_address_literal_has_one_form);
    tcase_add_test(domain, a_domain_is_below_its_parents_only);
    suite_add_tcase(suite, domain);
    tcase_add_test(reply, a_reply_is_printed_with_what_it_has);
    tcase_add_test(reply, a_long_reply_loses_text_and_never_its_reason);
    tcase_add_test(reply, a_cut_reply_does_not_end_in_a_blank);
    tcase_add_test(reply, a_reply_without_room_is_left_out_whole);
    tcase_add_test(reply, a_reply_tells_its_class);
    suite_add_tcase(suite, reply);
    tcase_add_test(envelope, an_envelope_keeps_copies_of_its_recipients);
    tcase_add_test(envelope, an_envelope_without_recipients_can_be_copied);
    suite_add_tcase(suite, envelope);
    return unit_run(suite);
}
