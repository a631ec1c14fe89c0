/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/: the paths of the envelope. */
#include <string.h>

#include "mail/address.h"
#include "unit.h"

#define L60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 L60 "aaa"
#define L191 L63 "a" L63 "a" L63

/* Flags of an address, for the tables. */
enum flag {
    LITERAL = 1,
    UTF8 = 2,
    ROUTE = 4,
    PERCENT = 8,
    BANG = 16,
    INNER_AT = 32,
};

static unsigned int flags_of(const struct address *address)
{
    return (address->is_literal ? LITERAL : 0u) | (address->is_utf8 ? UTF8 : 0u) |
           (address->had_route ? ROUTE : 0u) | (address->has_percent ? PERCENT : 0u) |
           (address->has_bang ? BANG : 0u) | (address->has_inner_at ? INNER_AT : 0u);
}

static const struct {
    struct slice path;
    const char *local, *domain;
    unsigned int flags;
} good_paths[] = {
    { BYTES("<user@example.org>"), "user", "example.org", 0 },
    { BYTES("<User@EXAMPLE.Org>"), "User", "example.org", 0 },
    { BYTES("<a@b>"), "a", "b", 0 },
    { BYTES("<a.b.c@example.org>"), "a.b.c", "example.org", 0 },
    { BYTES("<!#$&'*+-/=?^_`{|}~@example.org>"), "!#$&'*+-/=?^_`{|}~", "example.org", BANG },
    { BYTES("<user+tag@example.org>"), "user+tag", "example.org", 0 },
    { BYTES("<user%inner@example.org>"), "user%inner", "example.org", PERCENT },
    { BYTES("<inner!user@example.org>"), "inner!user", "example.org", BANG },
    { BYTES("<a!b%c@example.org>"), "a!b%c", "example.org", BANG | PERCENT },
    { BYTES("<\"a b\"@example.org>"), "\"a b\"", "example.org", 0 },
    { BYTES("<\"\"@example.org>"), "\"\"", "example.org", 0 },
    { BYTES("<\"user@inner\"@example.org>"), "\"user@inner\"", "example.org", INNER_AT },
    { BYTES("<\"user\\@inner\"@example.org>"), "\"user@inner\"", "example.org", INNER_AT },
    { BYTES("<\"a%b\"@example.org>"), "a%b", "example.org", PERCENT },
    { BYTES("<\"a!b\"@example.org>"), "a!b", "example.org", BANG },
    { BYTES("<\"a.b\"@example.org>"), "a.b", "example.org", 0 },
    { BYTES("<\"\\b\\o\\b\"@example.org>"), "bob", "example.org", 0 },
    { BYTES("<\"a\\ \\b\"@example.org>"), "\"a b\"", "example.org", 0 },
    { BYTES("<\".a\"@example.org>"), "\".a\"", "example.org", 0 },
    { BYTES("<\"a.\"@example.org>"), "\"a.\"", "example.org", 0 },
    { BYTES("<\"j\xc3\xbc\"@example.org>"), "j\xc3\xbc", "example.org", UTF8 },
    { BYTES("<\"a\\\"b\\\\\"@example.org>"), "\"a\\\"b\\\\\"", "example.org", 0 },
    { BYTES("<\"a>b\"@example.org>"), "\"a>b\"", "example.org", 0 },
    { BYTES("<\"<a,b>:;()[]\"@example.org>"), "\"<a,b>:;()[]\"", "example.org", 0 },
    { BYTES("<\"..\"@example.org>"), "\"..\"", "example.org", 0 },
    { BYTES("<user@[192.0.2.1]>"), "user", "[192.0.2.1]", LITERAL },
    { BYTES("<user@[IPv6:2001:DB8::1]>"), "user", "[IPv6:2001:db8::1]", LITERAL },
    { BYTES("<user@[ipv6:::ffff:192.0.2.1]>"), "user", "[192.0.2.1]", LITERAL },
    { BYTES("<user@192.0.2.1>"), "user", "192.0.2.1", 0 },
    { BYTES("<user@_sub.example.org>"), "user", "_sub.example.org", 0 },
    { BYTES("<user@xn--bcher-kva.example>"), "user", "xn--bcher-kva.example", 0 },
    { BYTES("<@a.example:user@example.org>"), "user", "example.org", ROUTE },
    { BYTES("<@a.example,@b.example:u@example.org>"), "u", "example.org", ROUTE },
    { BYTES("<@a:b%c@[192.0.2.1]>"), "b%c", "[192.0.2.1]", ROUTE | PERCENT | LITERAL },
    { BYTES("<j\xc3\xbcrgen@example.org>"), "j\xc3\xbcrgen", "example.org", UTF8 },
    { BYTES("<\"j\xc3\xbc \"@example.org>"), "\"j\xc3\xbc \"", "example.org", UTF8 },
    { BYTES("<user@b\xc3\xbc" "cher.example>"), "user", "xn--bcher-kva.example", UTF8 },
    { BYTES("<\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe3\x81\x88.jp>"), "\xe7\x94\xa8\xe6\x88\xb7",
      "xn--r8jz45g.jp", UTF8 },
    { BYTES("<@b\xc3\xbc" "cher.example:u@example.org>"), "u", "example.org", ROUTE },
    { BYTES("<" L63 "a@example.org>"), L63 "a", "example.org", 0 },
    { BYTES("<" L191 "a@example.org>"), L191 "a", "example.org", 0 },
    { BYTES("<postmaster@example.org>"), "postmaster", "example.org", 0 },
};

START_TEST(a_path_gives_its_parts)
{
    struct address address = { 0 };

    for (size_t i = 0; i < COUNT(good_paths); i++) {
        const char *name = good_paths[i].path.data;

        for (enum address_form form = ADDRESS_REVERSE_PATH; form <= ADDRESS_FORWARD_PATH; form++) {
            size_t used = 0;
            enum address_problem problem =
                address_parse(good_paths[i].path, form, true, &address, &used);

            ck_assert_msg(problem == ADDRESS_OK, "%s %s", name, address_problem_text(problem));
            ck_assert_uint_eq(used, good_paths[i].path.length);
        }
        ck_assert_msg(slice_equals(address_local(&address), slice_from(good_paths[i].local)),
                      "%s: local part %.*s", name, SLICE_ARGS(address_local(&address)));
        ck_assert_msg(slice_equals(address_domain(&address), slice_from(good_paths[i].domain)),
                      "%s: domain %.*s", name, SLICE_ARGS(address_domain(&address)));
        ck_assert_uint_eq(address.local_length, strlen(good_paths[i].local));
        ck_assert_uint_eq(address.domain_length, strlen(good_paths[i].domain));
        ck_assert_uint_eq(address_text(&address).length,
                          address.local_length + address.domain_length + 1u);
        ck_assert_int_eq(address.text[address.local_length], '@');
        ck_assert_msg(flags_of(&address) == good_paths[i].flags, "%s: flags %u, want %u", name,
                      flags_of(&address), good_paths[i].flags);
        ck_assert(!address_is_null(&address));
    }
    address_clear(&address);
}
END_TEST

START_TEST(what_follows_the_path_is_left_alone)
{
    static const char *const tails[] = { "", " SIZE=1", ">", "x", "\r\n", " <a@b>" };
    struct address address = { 0 };
    struct text line;

    text_init(&line, 1000);
    for (size_t i = 0; i < COUNT(good_paths); i++)
        for (size_t k = 0; k < COUNT(tails); k++) {
            size_t used = 0;

            text_reset(&line);
            text_add(&line, good_paths[i].path);
            text_add_string(&line, tails[k]);
            ck_assert_int_eq(address_parse(text_slice(&line), ADDRESS_FORWARD_PATH, true, &address,
                                           &used),
                             ADDRESS_OK);
            ck_assert_uint_eq(used, good_paths[i].path.length);
        }
    text_clear(&line);
    address_clear(&address);
}
END_TEST

START_TEST(a_path_that_breaks_off_is_no_path)
{
    struct address address = { 0 };
    size_t used;

    for (size_t i = 0; i < COUNT(good_paths); i++)
        for (size_t length = 0; length < good_paths[i].path.length; length++) {
            struct slice part = slice_until(good_paths[i].path, length);

            ck_assert_msg(address_parse(part, ADDRESS_FORWARD_PATH, true, &address, &used) !=
                              ADDRESS_OK,
                          "%zu bytes of %s", length, good_paths[i].path.data);
            ck_assert_ptr_null(address.text);
        }
}
END_TEST

static const struct {
    struct slice path;
    enum address_problem want;
} bad_paths[] = {
    /* Brackets: none is forgiven. */
    { BYTES(""), ADDRESS_NO_BRACKETS },
    { BYTES("user@example.org"), ADDRESS_NO_BRACKETS },
    { BYTES(" <user@example.org>"), ADDRESS_NO_BRACKETS },
    { BYTES("<user@example.org"), ADDRESS_NO_BRACKETS },
    { BYTES("<"), ADDRESS_NO_BRACKETS },
    { BYTES("<user"), ADDRESS_NO_BRACKETS },
    { BYTES("<user@"), ADDRESS_NO_BRACKETS },
    { BYTES("<\"user>"), ADDRESS_NO_BRACKETS },
    { BYTES("<\"user\\"), ADDRESS_NO_BRACKETS },
    { BYTES("<<user@example.org>>"), ADDRESS_SYNTAX },
    { BYTES("Name <user@example.org>"), ADDRESS_NO_BRACKETS },
    { BYTES("postmaster"), ADDRESS_NO_BRACKETS },
    /* Local parts. */
    { BYTES("<.user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user.@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us..er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("< user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user @example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user(comment)@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\\er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us,er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us:er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us;er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<[user]@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\0er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\ter@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\r\ner@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\x7f" "er@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\0er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\ter\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\\\ter\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\r\n er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\\\0er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\x7f\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<us\"er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\".\"er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"us\"er\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<" L191 "aa@example.org>"), ADDRESS_LOCAL_TOO_LONG },
    { BYTES("<\"" L191 "\"@example.org>"), ADDRESS_LOCAL_TOO_LONG },
    /* The @. */
    { BYTES("<user@@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user@a@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user@example.org@>"), ADDRESS_SYNTAX },
    { BYTES("<@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user>"), ADDRESS_NO_DOMAIN },
    { BYTES("<\"user@example.org\">"), ADDRESS_NO_DOMAIN },
    { BYTES("<\"postmaster\">"), ADDRESS_NO_DOMAIN },
    { BYTES("<abuse>"), ADDRESS_NO_DOMAIN },
    /* Domains. */
    { BYTES("<user@>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example.org.>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@.example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example..org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example.org >"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@ example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@-example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@exam\0ple.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example.org\r\n>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example.org,a>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@example.org(x)>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@\"example.org\">"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@xn--bcher.example>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[192.0.2]>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[2001:db8::1]>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[IPv6:192.0.2.1]>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[x:y]>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[192.0.2.1>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@[192.0.2.1].org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<user@192.0.2.1]>"), ADDRESS_DOMAIN_BAD },
    /* Source routes. */
    { BYTES("<@a:>"), ADDRESS_SYNTAX },
    { BYTES("<@a,b:user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@a,:user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@a, @b:user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@a:@b:user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@:user@example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<@a.:user@example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<@[192.0.2.1]:user@example.org>"), ADDRESS_DOMAIN_BAD },
    { BYTES("<@a\0:user@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<@a:postmaster>"), ADDRESS_NO_DOMAIN },
    { BYTES("<@a,@b"), ADDRESS_NO_BRACKETS },
    { BYTES("<@a"), ADDRESS_NO_BRACKETS },
    /* Bytes that are no UTF-8, and C1 controls. */
    { BYTES("<j\xfcrgen@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<j\xc3@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"j\xc3\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<\"j\\\xc3\xbc\"@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<j\xc2\x85@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<j\xed\xa0\x80@example.org>"), ADDRESS_SYNTAX },
    { BYTES("<user@b\xfc" "cher.example>"), ADDRESS_DOMAIN_BAD },
};

START_TEST(a_bad_path_is_refused)
{
    struct address address = { 0 };

    for (size_t i = 0; i < COUNT(bad_paths); i++) {
        for (enum address_form form = ADDRESS_REVERSE_PATH; form <= ADDRESS_FORWARD_PATH; form++) {
            size_t used = 99;
            enum address_problem problem;

            /* Something from before must not shine through. */
            ck_assert_int_eq(address_parse(SLICE("<@x:a%b@example.org>"), form, true, &address,
                                           &used),
                             ADDRESS_OK);
            problem = address_parse(bad_paths[i].path, form, true, &address, &used);
            ck_assert_msg(problem == bad_paths[i].want, "case %zu, %s: it %s, want it %s", i,
                          bad_paths[i].path.data, address_problem_text(problem),
                          address_problem_text(bad_paths[i].want));
            ck_assert_uint_eq(used, 0);
            ck_assert_ptr_null(address.text);
            ck_assert_uint_eq(flags_of(&address), 0);
            ck_assert_uint_eq(address_local(&address).length, 0);
            ck_assert_uint_eq(address_domain(&address).length, 0);
            ck_assert(!address_is_null(&address) && !address_is_postmaster(&address));
        }
    }
}
END_TEST

START_TEST(utf8_needs_smtputf8)
{
    static const struct slice paths[] = {
        BYTES("<j\xc3\xbcrgen@example.org>"),
        BYTES("<\"j\xc3\xbc\"@example.org>"),
        BYTES("<\"\\\"j\xc3\xbc\"@example.org>"),
        BYTES("<user@b\xc3\xbc" "cher.example>"),
        BYTES("<@b\xc3\xbc" "cher.example:u@example.org>"),
        BYTES("<j\xfc@example.org>"),
    };
    struct address address = { 0 };
    size_t used;

    for (size_t i = 0; i < COUNT(paths); i++)
        ck_assert_int_eq(address_parse(paths[i], ADDRESS_FORWARD_PATH, false, &address, &used),
                         ADDRESS_UTF8);
    for (size_t i = 0; i < COUNT(good_paths); i++) {
        bool is_ascii = true;
        enum address_problem problem;

        for (size_t k = 0; k < good_paths[i].path.length; k++)
            if ((good_paths[i].path.data[k] & 0x80) != 0)
                is_ascii = false;
        problem = address_parse(good_paths[i].path, ADDRESS_FORWARD_PATH, false, &address, &used);
        ck_assert_msg(problem == (is_ascii ? ADDRESS_OK : ADDRESS_UTF8), "%s: it %s",
                      good_paths[i].path.data, address_problem_text(problem));
    }
    address_clear(&address);
}
END_TEST

START_TEST(the_null_path_is_for_senders_only)
{
    struct address address = { 0 };
    size_t used;

    ck_assert_int_eq(address_parse(SLICE("<> SIZE=1"), ADDRESS_REVERSE_PATH, false, &address,
                                   &used),
                     ADDRESS_OK);
    ck_assert_uint_eq(used, 2);
    ck_assert_str_eq(address.text, "");
    ck_assert(address_is_null(&address));
    ck_assert(!address_is_postmaster(&address));
    ck_assert_uint_eq(address_domain(&address).length, 0);
    ck_assert_int_eq(address_parse(SLICE("<>"), ADDRESS_FORWARD_PATH, false, &address, &used),
                     ADDRESS_SYNTAX);
    ck_assert_int_eq(address_parse(SLICE("< >"), ADDRESS_REVERSE_PATH, false, &address, &used),
                     ADDRESS_SYNTAX);
    ck_assert_int_eq(address_parse(SLICE("<@>"), ADDRESS_REVERSE_PATH, false, &address, &used),
                     ADDRESS_DOMAIN_BAD);
    address_clear(&address);
}
END_TEST

START_TEST(postmaster_needs_no_domain_as_a_recipient)
{
    static const char *const paths[] = { "<postmaster>", "<Postmaster>", "<POSTMASTER>" };
    struct address address = { 0 };
    size_t used;

    for (size_t i = 0; i < COUNT(paths); i++) {
        ck_assert_int_eq(address_parse(slice_from(paths[i]), ADDRESS_FORWARD_PATH, false, &address,
                                       &used),
                         ADDRESS_OK);
        ck_assert_uint_eq(used, 12);
        ck_assert_uint_eq(address.local_length, 10);
        ck_assert_uint_eq(address.domain_length, 0);
        ck_assert_uint_eq(address_domain(&address).length, 0);
        ck_assert(address_is_postmaster(&address));
        ck_assert_int_eq(address_parse(slice_from(paths[i]), ADDRESS_REVERSE_PATH, false, &address,
                                       &used),
                         ADDRESS_NO_DOMAIN);
    }
}
END_TEST

START_TEST(postmaster_and_abuse_are_known_by_name)
{
    static const struct {
        const char *path;
        bool is_postmaster, is_abuse;
    } cases[] = {
        { "<postmaster@example.org>", true, false },
        { "<PostMaster@example.org>", true, false },
        { "<abuse@example.org>", false, true },
        { "<ABUSE@example.org>", false, true },
        { "<\"postmaster\"@example.org>", true, false },
        { "<postmaster+x@example.org>", false, false },
        { "<postmasterx@example.org>", false, false },
        { "<x@postmaster>", false, false },
        { "<x@abuse>", false, false },
        { "<abuse%a@example.org>", false, false },
    };
    struct address address = { 0 };
    size_t used;

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(address_parse(slice_from(cases[i].path), ADDRESS_FORWARD_PATH, false,
                                       &address, &used),
                         ADDRESS_OK);
        ck_assert_msg(address_is_postmaster(&address) == cases[i].is_postmaster, "%s",
                      cases[i].path);
        ck_assert_msg(address_is_abuse(&address) == cases[i].is_abuse, "%s", cases[i].path);
    }
    address_clear(&address);
}
END_TEST

START_TEST(a_path_has_256_octets_at_most)
{
    struct address address = { 0 };
    struct text path;
    size_t used;

    text_init(&path, 1000);
    for (size_t length = 100; length <= 270; length++) {
        enum address_problem want =
            length <= ADDRESS_PATH_MAX_BYTES ? ADDRESS_OK : ADDRESS_PATH_TOO_LONG;
        enum address_problem problem;

        text_reset(&path);
        text_add_string(&path, "<@");
        while (path.length + strlen("r:u@example.org>") < length)
            text_add_byte(&path, path.length % 50 == 49 ? '.' : 'r');
        text_add_string(&path, "r:u@example.org>");
        problem = address_parse(text_slice(&path), ADDRESS_FORWARD_PATH, false, &address, &used);
        ck_assert_uint_eq(path.length, length);
        ck_assert_msg(problem == want, "%zu bytes: it %s", length, address_problem_text(problem));
    }
    text_clear(&path);
    address_clear(&address);
}
END_TEST

START_TEST(a_path_that_grows_too_long_in_our_form_is_refused)
{
    struct address address = { 0 };
    struct text path;
    size_t used;

    text_init(&path, 1000);
    for (size_t local_length = 1; local_length < 10; local_length++) {
        /* 31 labels of 3 bytes, dots included, which become 8 each: with "org" 251 bytes */
        enum address_problem want = local_length + 1 + 251 + 2 <= ADDRESS_PATH_MAX_BYTES
                                        ? ADDRESS_OK
                                        : ADDRESS_PATH_TOO_LONG;

        text_reset(&path);
        text_add_byte(&path, '<');
        for (size_t i = 0; i < local_length; i++)
            text_add_byte(&path, 'a');
        text_add_byte(&path, '@');
        for (int i = 0; i < 31; i++)
            text_add_string(&path, "\xc3\xbc.");
        text_add_string(&path, "org>");
        ck_assert_int_eq(address_parse(text_slice(&path), ADDRESS_FORWARD_PATH, true, &address,
                                       &used),
                         want);
        ck_assert_uint_eq(address_text(&address).length,
                          want == ADDRESS_OK ? local_length + 1 + 251 : 0);
    }
    text_clear(&path);
    address_clear(&address);
}
END_TEST

START_TEST(a_copy_stands_on_its_own)
{
    struct address from = { 0 };
    struct address to = { 0 };
    size_t used;

    ck_assert_int_eq(address_parse(SLICE("<@r:a%b@[192.0.2.1]>"), ADDRESS_FORWARD_PATH, false,
                                   &from, &used),
                     ADDRESS_OK);
    address_copy(&to, &from);
    address_clear(&from);
    ck_assert_str_eq(to.text, "a%b@[192.0.2.1]");
    ck_assert_uint_eq(flags_of(&to), LITERAL | ROUTE | PERCENT);
    ck_assert(slice_equals(address_domain(&to), SLICE("[192.0.2.1]")));
    address_copy(&to, &from);
    ck_assert_ptr_null(to.text);
    ck_assert_uint_eq(flags_of(&to), 0);

    ck_assert_int_eq(address_parse(SLICE("<>"), ADDRESS_REVERSE_PATH, false, &from, &used),
                     ADDRESS_OK);
    address_copy(&to, &from);
    ck_assert(address_is_null(&to));
    address_clear(&from);
    address_clear(&to);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *paths = tcase_create("paths");

    tcase_add_test(paths, a_path_gives_its_parts);
    tcase_add_test(paths, what_follows_the_path_is_left_alone);
    tcase_add_test(paths, a_path_that_breaks_off_is_no_path);
    tcase_add_test(paths, a_bad_path_is_refused);
    tcase_add_test(paths, utf8_needs_smtputf8);
    tcase_add_test(paths, the_null_path_is_for_senders_only);
    tcase_add_test(paths, postmaster_needs_no_domain_as_a_recipient);
    tcase_add_test(paths, postmaster_and_abuse_are_known_by_name);
    tcase_add_test(paths, a_path_has_256_octets_at_most);
    tcase_add_test(paths, a_path_that_grows_too_long_in_our_form_is_refused);
    tcase_add_test(paths, a_copy_stands_on_its_own);
    suite_add_tcase(suite, paths);
    return unit_run(suite);
}
