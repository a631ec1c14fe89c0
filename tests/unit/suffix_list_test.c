/* SPDX-License-Identifier: BSD-2-Clause */
/* checks/suffix_list: organizations by the list of public suffixes (RFC 7489 3.2). */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "checks/suffix_list.h"
#include "unit.h"

/* Of the real one. */
static const char small_list[] = "// ===BEGIN ICANN DOMAINS===\n"
                                 "com\nuk\nco.uk\n*.ck\n!www.ck\njp\nkyoto.jp\nxn--p1ai\n"
                                 "// ===END ICANN DOMAINS===\n"
                                 "// ===BEGIN PRIVATE DOMAINS===\n"
                                 "github.io\n"
                                 "// ===END PRIVATE DOMAINS===\n";

static const struct {
    struct slice domain;
    struct slice organization;
} cases[] = {
    { BYTES("example.com"), BYTES("example.com") },
    { BYTES("a.b.example.com"), BYTES("example.com") },
    { BYTES("mail.example.co.uk"), BYTES("example.co.uk") },
    { BYTES("example.uk"), BYTES("example.uk") },
    { BYTES("co.uk"), BYTES("co.uk") },
    { BYTES("com"), BYTES("com") },
    { BYTES("a.b.c.ck"), BYTES("b.c.ck") },
    { BYTES("c.ck"), BYTES("c.ck") },
    { BYTES("mail.www.ck"), BYTES("www.ck") },
    { BYTES("mail.anna.github.io"), BYTES("anna.github.io") },
    { BYTES("xn--e1afmkfd.xn--p1ai"), BYTES("xn--e1afmkfd.xn--p1ai") },
    { BYTES("mail.xn--e1afmkfd.xn--p1ai"), BYTES("xn--e1afmkfd.xn--p1ai") },
    /* A top-level domain that the list does not know is a suffix. */
    { BYTES("a.b.unknown"), BYTES("b.unknown") },
};

START_TEST(organization_has_one_label_more_than_the_suffix)
{
    struct suffix_list *list = suffix_list_new(slice_from(small_list));

    ck_assert_ptr_nonnull(list);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice got = suffix_list_organization(list, cases[i].domain);

        ck_assert_msg(slice_equals(got, cases[i].organization), "%.*s: got %.*s, want %.*s",
                      SLICE_ARGS(cases[i].domain), SLICE_ARGS(got),
                      SLICE_ARGS(cases[i].organization));
        /* A part of what was given. */
        ck_assert_ptr_eq(got.data + got.length, cases[i].domain.data + cases[i].domain.length);
    }
    suffix_list_free(&list);
    ck_assert_ptr_null(list);
}
END_TEST

START_TEST(what_is_no_list_is_refused)
{
    static const struct slice others[] = {
        BYTES(""),
        BYTES("// nothing but words\n"),
        BYTES("root:x:0:0:root:/root:/bin/bash\n"),
        BYTES(".DAFSA@PSL_0   \n"),
        BYTES(".DAFSA@PSL_0   \nnonsense"),
        BYTES("\x7f" "ELF\0\0\0"),
    };

    for (size_t i = 0; i < COUNT(others); i++)
        ck_assert_msg(suffix_list_new(others[i]) == NULL, "%d is taken for one", (int)i);
}
END_TEST

START_TEST(files_of_the_package_are_lists)
{
    static const char *const paths[] = { "/usr/share/publicsuffix/public_suffix_list.dat",
                                         "/usr/share/publicsuffix/public_suffix_list.dafsa" };
    static char bytes[1 << 20];

    for (size_t i = 0; i < COUNT(paths); i++) {
        FILE *file = fopen(paths[i], "r");
        struct suffix_list *list;
        size_t length;

        if (file == NULL)
            continue; /* the package is not there */
        length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        list = suffix_list_new((struct slice){ bytes, length });
        ck_assert_ptr_nonnull(list);
        memset(bytes, 'x', length); /* they are not needed any more */
        ck_assert(slice_equals(suffix_list_organization(list, SLICE("a.example.co.uk")),
                               SLICE("example.co.uk")));
        suffix_list_free(&list);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checks/suffix_list");
    TCase *test_case = tcase_create("all");

    tcase_add_test(test_case, organization_has_one_label_more_than_the_suffix);
    tcase_add_test(test_case, what_is_no_list_is_refused);
    tcase_add_test(test_case, files_of_the_package_are_lists);
    suite_add_tcase(suite, test_case);
    return unit_run(suite);
}
