/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/: the mailboxes that a header field names, and those it only pretends to. */
#include <string.h>

#include "mail/mailbox.h"
#include "unit.h"

/* `want` has the addresses with a blank behind each. */
static const struct {
    struct slice value;
    const char *want;
    bool is_malformed;
} cases[] = {
    /* A mailbox. */
    { BYTES("a@example.org"), "a@example.org ", false },
    { BYTES("<a@example.org>"), "a@example.org ", false },
    { BYTES(" \t a@example.org \r\n"), "a@example.org ", false },
    { BYTES("A.B@EXAMPLE.Org"), "A.B@example.org ", false },
    { BYTES("Ann <a@example.org>"), "a@example.org ", false },
    { BYTES("Ann Example<a@example.org>"), "a@example.org ", false },
    { BYTES("\"Ann, Example\" <a@example.org>"), "a@example.org ", false },
    { BYTES("\"Ann\"Example <a@example.org>"), "a@example.org ", false },
    { BYTES("John Q. Public <a@example.org>"), "a@example.org ", false },
    { BYTES("J.Public <a@example.org>"), "a@example.org ", false },
    { BYTES("\"\" <a@example.org>"), "a@example.org ", false },
    { BYTES("=?utf-8?q?Ann?= <a@example.org>"), "a@example.org ", false },
    { BYTES("J\xc3\xbcrgen <a@example.org>"), "a@example.org ", false },
    { BYTES("Ann\r\n Example\r\n\t<a@example.org>"), "a@example.org ", false },
    { BYTES("<a@example.org>\r\n \r\n "), "a@example.org ", false },
    /* Several. */
    { BYTES("a@example.org,b@example.net"), "a@example.org b@example.net ", false },
    { BYTES("Ann <a@example.org>, \"B\" <b@example.net> , c@example.com"),
      "a@example.org b@example.net c@example.com ", false },
    { BYTES("a@example.org, a@example.org"), "a@example.org a@example.org ", false },
    /* Comments. */
    { BYTES("a@example.org (Ann)"), "a@example.org ", false },
    { BYTES("(Ann) a@example.org"), "a@example.org ", false },
    { BYTES("a(b)@(c)example.org(d)"), "a@example.org ", false },
    { BYTES("a @ example.org"), "a@example.org ", false },
    { BYTES("Ann <(x) a (y) @ (z) example.org (w)>"), "a@example.org ", false },
    { BYTES("(x@example.net) a@example.org"), "a@example.org ", false },
    { BYTES("(<x@example.net>, (y@example.net) \\) z@example.net) a@example.org"),
      "a@example.org ", false },
    { BYTES("((((((((((deep)))))))))) a@example.org"), "a@example.org ", false },
    { BYTES("Ann (x) Example (y) <a@example.org> (z)"), "a@example.org ", false },
    { BYTES("(folded\r\n comment) a@example.org"), "a@example.org ", false },
    { BYTES("(\xc3\xbc) a@example.org"), "a@example.org ", false },
    { BYTES("a@example.org (no end"), "", true },
    { BYTES("a@example.org (no end\\)"), "", true },
    { BYTES("a@example.org) b@example.net"), "", true },
    /* Names that look like addresses. */
    { BYTES("\"ceo@example.org\" <x@example.net>"), "x@example.net ", false },
    { BYTES("\"<ceo@example.org>\" <x@example.net>"), "x@example.net ", false },
    { BYTES("\"\\\"ceo@example.org\" <x@example.net>"), "x@example.net ", false },
    { BYTES("=?utf-8?q?ceo=40example.org?= <x@example.net>"), "x@example.net ", false },
    { BYTES("=?utf-8?q?=3Cceo=40example.org=3E=2C?= <x@example.net>"), "x@example.net ", false },
    { BYTES("=?utf-8?q?,ceo=40example.org?= <x@example.net>"), "", true },
    { BYTES("ceo@example.org <x@example.net>"), "", true },
    { BYTES("<ceo@example.org> <x@example.net>"), "", true },
    { BYTES("ceo@example.org x@example.net"), "", true },
    { BYTES("<ceo@example.org>x@example.net"), "", true },
    { BYTES("=?utf-8?q?ceo@example.org?= <x@example.net>"), "", true },
    { BYTES("<<ceo@example.org>>"), "", true },
    { BYTES("<ceo@example.org"), "", true },
    { BYTES("ceo@example.org>"), "", true },
    /* Local parts. */
    { BYTES("\"a\"@example.org"), "a@example.org ", false },
    { BYTES("\"a.b\"@example.org"), "a.b@example.org ", false },
    { BYTES("\"\\a\"@example.org"), "a@example.org ", false },
    { BYTES("\"a b\"@example.org"), "\"a b\"@example.org ", false },
    { BYTES("\"a\r\n b\"@example.org"), "\"a b\"@example.org ", false },
    { BYTES("\"a\\ b\"@example.org"), "\"a b\"@example.org ", false },
    { BYTES("\"a\\\"\\\\b\"@example.org"), "\"a\\\"\\\\b\"@example.org ", false },
    { BYTES("\"a@example.net\"@example.org"), "\"a@example.net\"@example.org ", false },
    { BYTES("\"\"@example.org"), "\"\"@example.org ", false },
    { BYTES("\".a\"@example.org"), "\".a\"@example.org ", false },
    { BYTES("Ann <\"a b\"@example.org>"), "\"a b\"@example.org ", false },
    { BYTES("!#$%&'*+-/=?^_`{|}~@example.org"), "!#$%&'*+-/=?^_`{|}~@example.org ", false },
    { BYTES("=?utf-8?q?a?=@example.org"), "=?utf-8?q?a?=@example.org ", false },
    { BYTES("j\xc3\xbc@example.org"), "j\xc3\xbc@example.org ", false },
    { BYTES("\"j\xc3\xbc\"@example.org"), "j\xc3\xbc@example.org ", false },
    { BYTES(".a@example.org"), "", true },
    { BYTES("a.@example.org"), "", true },
    { BYTES("a..b@example.org"), "", true },
    { BYTES("a. b@example.org"), "", true },
    { BYTES("a(x).b@example.org"), "", true },
    { BYTES("\"a\".b@example.org"), "", true },
    { BYTES("\"a\" \"b\"@example.org"), "", true },
    { BYTES("a b@example.org"), "", true },
    { BYTES("@example.org"), "", true },
    { BYTES("<@example.org>"), "", true },
    { BYTES("a@@example.org"), "", true },
    { BYTES("a@b@example.org"), "", true },
    { BYTES("\"a@example.org"), "", true },
    { BYTES("\"a\0\"@example.org"), "", true },
    { BYTES("\"a\\\0\"@example.org"), "", true },
    { BYTES("\"a\x01\"@example.org"), "", true },
    { BYTES("\"a\xff\"@example.org"), "", true },
    { BYTES("\"a\xc2\x85\"@example.org"), "", true },
    { BYTES("a\xff@example.org"), "", true },
    { BYTES("\"a\rb\"@example.org"), "", true },
    { BYTES("\"a\nb\"@example.org"), "", true },
    { BYTES("\"a\r\nb\"@example.org"), "", true },
    /* Domains. */
    { BYTES("a@b\xc3\xbc" "cher.example"), "a@xn--bcher-kva.example ", false },
    { BYTES("a@XN--BCHER-kva.example"), "a@xn--bcher-kva.example ", false },
    { BYTES("a@[192.0.2.1]"), "a@[192.0.2.1] ", false },
    { BYTES("<a@[ipv6:2001:DB8::1]>"), "a@[IPv6:2001:db8::1] ", false },
    { BYTES("a@localhost"), "a@localhost ", false },
    { BYTES("a@"), "", true },
    { BYTES("a"), "", true },
    { BYTES("<a>"), "", true },
    { BYTES("a@example.org."), "", true },
    { BYTES("a@.example.org"), "", true },
    { BYTES("a@example..org"), "", true },
    { BYTES("a@example. org"), "", true },
    { BYTES("a@example.org net"), "", true },
    { BYTES("a@ex!ample.org"), "", true },
    { BYTES("a@\"example.org\""), "", true },
    { BYTES("a@xn--bcher.example"), "", true },
    { BYTES("a@[192.0.2]"), "", true },
    { BYTES("a@[192.0.2.1"), "", true },
    { BYTES("a@[ 192.0.2.1 ]"), "", true },
    { BYTES("a@[192.0.2.1]x"), "", true },
    { BYTES("a@exam\0ple.org"), "", true },
    { BYTES("a@ex\xff.org"), "", true },
    /* Routes. */
    { BYTES("<@r.example:a@example.org>"), "", true },
    { BYTES("<@r.example,@s.example:a@example.org>"), "", true },
    { BYTES("b@example.net, <@r:a@example.org>"), "b@example.net ", true },
    /* Groups. */
    { BYTES("Team: a@example.org;"), "a@example.org ", false },
    { BYTES("Team: a@example.org, Ben <b@example.net>;"), "a@example.org b@example.net ", false },
    { BYTES("Team:;"), "", false },
    { BYTES("Undisclosed recipients: ;"), "", false },
    { BYTES("Team: (nobody) ; (x)"), "", false },
    { BYTES("\"Team: x\": a@example.org;"), "a@example.org ", false },
    { BYTES("Team: a@example.org;, b@example.net"), "a@example.org b@example.net ", false },
    { BYTES("c@example.com, Team: a@example.org;, Other:;, b@example.net"),
      "c@example.com a@example.org b@example.net ", false },
    { BYTES("Team: a@example.org"), "a@example.org ", true },
    { BYTES("Team:"), "", true },
    { BYTES("Team"), "", true },
    { BYTES(": a@example.org;"), "", true },
    { BYTES(".: a@example.org;"), "", true },
    { BYTES("Team: Inner: a@example.org;;"), "", true },
    { BYTES("Team: a@example.org,;"), "a@example.org ", true },
    { BYTES("Team: ,a@example.org;"), "", true },
    { BYTES("Team: a@example.org; b@example.net"), "a@example.org ", true },
    { BYTES("Team: a@example.org;;"), "a@example.org ", true },
    { BYTES("a@example.org;"), "", true },
    { BYTES("a@example.org: b@example.net;"), "", true },
    /* Lists with holes, and what else there is. */
    { BYTES(""), "", true },
    { BYTES("   "), "", true },
    { BYTES("(only a comment)"), "", true },
    { BYTES("<>"), "", true },
    { BYTES("Ann <>"), "", true },
    { BYTES(","), "", true },
    { BYTES(",a@example.org"), "", true },
    { BYTES("a@example.org,"), "a@example.org ", true },
    { BYTES("a@example.org,,b@example.net"), "a@example.org ", true },
    { BYTES("a@example.org, root"), "a@example.org ", true },
    { BYTES("a@example.org b"), "", true },
    { BYTES(". <a@example.org>"), "", true },
    { BYTES("Ann [x] <a@example.org>"), "", true },
    { BYTES("Ann \\<a@example.org>"), "", true },
    { BYTES("Ann\r\n<a@example.org>"), "", true },
    { BYTES("Ann\n <a@example.org>"), "", true },
    { BYTES("Ann\r <a@example.org>"), "", true },
    { BYTES("Ann\0 <a@example.org>"), "", true },
    { BYTES("Ann \x7f <a@example.org>"), "", true },
    { BYTES("a@example.org\r\n\r\nb@example.net"), "", true },
    /* Bytes that are no UTF-8 in a name: wrong, and no way to hide. */
    { BYTES("J\xfcrgen <a@example.org>"), "a@example.org ", true },
    { BYTES("\"J\xfcrgen\" <a@example.org>, b@example.net"), "a@example.org b@example.net ", true },
    { BYTES("J\xfcrgen <\"a b\"@example.org>"), "\"a b\"@example.org ", true },
    { BYTES("(J\xfcrgen) a@example.org"), "a@example.org ", true },
    { BYTES("J\xc2\x85 <a@example.org>"), "a@example.org ", true },
    { BYTES("\"\\\xfc\" <a@example.org>"), "a@example.org ", true },
    { BYTES("\"\xc3\" <a@example.org>"), "a@example.org ", true },
};

static void print_list(struct text *out, const struct mailbox_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        text_add_string(out, list->mailboxes[i].address);
        text_add_byte(out, ' ');
    }
}

START_TEST(a_field_gives_its_mailboxes)
{
    struct text got;

    text_init(&got, 10000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailbox_list list;

        text_reset(&got);
        mailbox_list_parse(&list, cases[i].value);
        print_list(&got, &list);
        unit_expect_text(cases[i].value.data, &got, slice_from(cases[i].want));
        ck_assert_msg(list.is_malformed == cases[i].is_malformed, "%s: malformed %d, want %d",
                      cases[i].value.data, list.is_malformed, cases[i].is_malformed);
        for (size_t k = 0; k < list.count; k++) {
            const struct mailbox *mailbox = &list.mailboxes[k];

            ck_assert_ptr_eq(mailbox->domain, strrchr(mailbox->address, '@') + 1);
        }
        mailbox_list_clear(&list);
        ck_assert_uint_eq(list.count, 0);
    }
    text_clear(&got);
}
END_TEST

START_TEST(our_form_of_an_address_is_read_as_itself)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mailbox_list list;

        mailbox_list_parse(&list, cases[i].value);
        for (size_t k = 0; k < list.count; k++) {
            struct mailbox_list second;

            mailbox_list_parse(&second, slice_from(list.mailboxes[k].address));
            ck_assert_uint_eq(second.count, 1);
            ck_assert_str_eq(second.mailboxes[0].address, list.mailboxes[k].address);
            ck_assert(!second.is_malformed);
            mailbox_list_clear(&second);
        }
        mailbox_list_clear(&list);
    }
}
END_TEST

/* `count` times `part`, and `last`. */
static void repeat(struct text *out, const char *part, size_t count, const char *last)
{
    text_reset(out);
    for (size_t i = 0; i < count; i++)
        text_add_string(out, part);
    text_add_string(out, last);
}

START_TEST(a_field_names_64_mailboxes_at_most)
{
    struct mailbox_list list;
    struct text value;

    text_init(&value, 100000);
    for (size_t count = 62; count < 70; count++) {
        repeat(&value, "a@example.org, ", count - 1, "b@example.org");
        mailbox_list_parse(&list, text_slice(&value));
        ck_assert_uint_eq(list.count, count <= MAILBOX_MAX_COUNT ? count : MAILBOX_MAX_COUNT);
        ck_assert_int_eq(list.is_malformed, count > MAILBOX_MAX_COUNT);
        mailbox_list_clear(&list);
    }
    text_clear(&value);
}
END_TEST

START_TEST(an_address_has_512_bytes_at_most)
{
    struct mailbox_list list;
    struct text value;

    text_init(&value, 100000);
    for (size_t length = 480; length < 540; length++) {
        bool fits = length + strlen("@example.org") <= MAILBOX_MAX_BYTES;

        repeat(&value, "a", length, "@example.org");
        mailbox_list_parse(&list, text_slice(&value));
        ck_assert_uint_eq(list.count, fits);
        ck_assert_int_eq(list.is_malformed, !fits);
        mailbox_list_clear(&list);

        repeat(&value, "\\\"", length, "\"@example.org");
        value.data[0] = '"';
        mailbox_list_parse(&list, text_slice(&value));
        ck_assert_uint_eq(list.count, 0);
        ck_assert(list.is_malformed);
        mailbox_list_clear(&list);
    }
    text_clear(&value);
}
END_TEST

START_TEST(comments_nest_to_a_limit)
{
    struct mailbox_list list;
    struct text value;

    text_init(&value, 100000);
    for (size_t depth = 1; depth < 40; depth++) {
        repeat(&value, "(", depth, "");
        for (size_t i = 0; i < depth; i++)
            text_add_byte(&value, ')');
        text_add_string(&value, "a@example.org");
        mailbox_list_parse(&list, text_slice(&value));
        ck_assert_int_eq(list.is_malformed, depth > MAILBOX_MAX_COMMENT_DEPTH);
        ck_assert_uint_eq(list.count, depth <= MAILBOX_MAX_COMMENT_DEPTH);
        mailbox_list_clear(&list);
    }
    text_clear(&value);
}
END_TEST

/* A megabyte of each takes no time worth noticing; anything quadratic would pass check's limit. */
START_TEST(large_fields_take_linear_time)
{
    static const char *const parts[] = {
        "(", "()", "(\\)", "\"\"", "\"", "<", "a ", "a.", ".", " ", "\r\n ", "\xc3\xbc", "\xff",
        "a:", "a:;,", "a@b(", "a@[", "[", "\\", "\\\\", "a@b,", "=?utf-8?q?a?= ", "\"\\\"\" ",
    };
    struct text value;

    text_init(&value, 2000000);
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct mailbox_list list;

        repeat(&value, parts[i], 1000000 / strlen(parts[i]), "<a@example.org>");
        mailbox_list_parse(&list, text_slice(&value));
        ck_assert_uint_le(list.count, MAILBOX_MAX_COUNT);
        mailbox_list_clear(&list);
        mailbox_list_parse(&list, slice_from_offset(text_slice(&value), 1));
        mailbox_list_clear(&list);
    }
    text_clear(&value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *mailbox = tcase_create("mailbox");

    tcase_add_test(mailbox, a_field_gives_its_mailboxes);
    tcase_add_test(mailbox, our_form_of_an_address_is_read_as_itself);
    tcase_add_test(mailbox, a_field_names_64_mailboxes_at_most);
    tcase_add_test(mailbox, an_address_has_512_bytes_at_most);
    tcase_add_test(mailbox, comments_nest_to_a_limit);
    tcase_add_test(mailbox, large_fields_take_linear_time);
    suite_add_tcase(suite, mailbox);
    return unit_run(suite);
}
