/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/zone: what a zone file means, and what is said of one that means nothing. */
#include <string.h>

#include "dns/zone.h"
#include "unit.h"

static struct zone *read_zone(struct slice bytes)
{
    struct zone_problem problem;
    struct zone *zone;

    text_init(&problem.sentence, 500);
    zone = zone_new(bytes, &problem);
    ck_assert_msg(zone != NULL, "%u:%u: %s in:\n%.*s", problem.line, problem.column,
                  text_string(&problem.sentence), SLICE_ARGS(bytes));
    text_clear(&problem.sentence);
    return zone;
}

static void print_record(struct text *out, const struct dns_record *record, enum dns_type type)
{
    text_add_byte(out, ' ');
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA)
        ip_print(out, &record->address);
    if (type == DNS_TYPE_MX)
        text_add_format(out, "%u/", (unsigned int)record->preference);
    text_add(out, record->bytes);
}

/* "60 192.0.2.1", "nothing 300", "failed: local data", "absent". */
static void print_answer(struct text *out, const struct zone *zone, const char *name,
                         enum dns_type type)
{
    struct dns_answer *answer = zone_answer(zone, slice_from(name), type);

    if (answer == NULL)
        text_add_string(out, "absent");
    else if (answer->result == DNS_FAILED)
        text_add_format(out, "failed: %s", answer->problem);
    else if (answer->result == DNS_NO_DATA)
        text_add_format(out, "nothing %u", (unsigned int)answer->ttl_s);
    else
        text_add_number(out, answer->ttl_s);
    for (size_t i = 0; answer != NULL && i < answer->record_count; i++)
        print_record(out, &answer->records[i], type);
    dns_answer_unref(answer);
}

#define ORG "$ORIGIN example.org.\n"
/* As in RFC 4592 2.2.1. */
#define STARS                                                                                      \
    ORG "* 3600 TXT \"this is a wildcard\"\n* 3600 MX 10 host1\nsub.* 3600 TXT \"no wildcard\"\n" \
        "host1 3600 A 192.0.2.1\n_ssh._tcp.host1 3600 TXT x\nsubdel 3600 NS ns.example.com.\n"
#define TEN "a CNAME b\nb CNAME c\nc CNAME d\nd CNAME e\ne CNAME f\nf CNAME g\ng CNAME h\n" \
    "h CNAME i\ni CNAME j\nj CNAME k\n"

static const struct {
    struct slice file;
    const char *name;
    enum dns_type type;
    const char *want;
} answers[] = {
    { BYTES("a.example. 60 IN A 192.0.2.1"), "a.example", DNS_TYPE_A, "60 192.0.2.1" },
    { BYTES("a.example. IN 60 A 192.0.2.1\n"), "a.example", DNS_TYPE_A, "60 192.0.2.1" },
    { BYTES("a.example A 192.0.2.1\r\n"), "a.example", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("A.Example a 192.0.2.1\n"), "a.example", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("$TTL 1h\na A 192.0.2.1"), "a", DNS_TYPE_A, "3600 192.0.2.1" },
    { BYTES("$TTL 1h\na 5 A 192.0.2.1\nb A 192.0.2.2"), "b", DNS_TYPE_A, "3600 192.0.2.2" },
    { BYTES("a 5 A 192.0.2.1\nb A 192.0.2.2"), "b", DNS_TYPE_A, "5 192.0.2.2" },
    { BYTES("a 1d2h3m4s A 192.0.2.1"), "a", DNS_TYPE_A, "93784 192.0.2.1" },
    { BYTES("a 0 A 192.0.2.1"), "a", DNS_TYPE_A, "0 192.0.2.1" },
    { BYTES("a 9 A 192.0.2.1\n 8 A 192.0.2.2\n"), "a", DNS_TYPE_A, "8 192.0.2.1 192.0.2.2" },
    { BYTES("a A 192.0.2.1\n"), "b", DNS_TYPE_A, "absent" },
    { BYTES("a A 192.0.2.1\n"), "a", DNS_TYPE_MX, "nothing 300" },
    { BYTES("a A 192.0.2.1\n"), "www.a", DNS_TYPE_A, "absent" },
    { BYTES("www.a A 192.0.2.1\n"), "a", DNS_TYPE_A, "nothing 300" },
    { BYTES("www.a A 192.0.2.1\n"), "", DNS_TYPE_A, "absent" },
    { BYTES("a AAAA 2001:db8::1\n"), "a", DNS_TYPE_AAAA, "300 2001:db8::1" },
    { BYTES(ORG "@ MX 10 mx\n MX 20 mx.example.net.\n"), "example.org", DNS_TYPE_MX,
      "300 10/mx.example.org 20/mx.example.net" },
    { BYTES(ORG "@ MX 0 ."), "example.org", DNS_TYPE_MX, "300 0/" },
    { BYTES(ORG "$ORIGIN sub\nw A 192.0.2.1"), "w.sub.example.org", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("1.2.0.192.in-addr.arpa. PTR mx.example.org."), "1.2.0.192.in-addr.arpa",
      DNS_TYPE_PTR, "300 mx.example.org" },
    { BYTES("a TXT \"v=spf1 \" \"-all\""), "a", DNS_TYPE_TXT, "300 v=spf1 -all" },
    { BYTES("a TXT bare words"), "a", DNS_TYPE_TXT, "300 barewords" },
    { BYTES("a TXT \"\""), "a", DNS_TYPE_TXT, "300 " },
    { BYTES("a TXT \"say \\\"x\\\" \\\\ \\059\""), "a", DNS_TYPE_TXT, "300 say \"x\" \\ ;" },
    { BYTES("a TXT \"k=rsa; p=1\" ; not this\n; nor that\n"), "a", DNS_TYPE_TXT, "300 k=rsa; p=1" },
    { BYTES("a TXT ( \"1\" ; one\n\"2\"\n\t\"3\" )\nb A 192.0.2.1"), "a", DNS_TYPE_TXT, "300 123" },
    { BYTES("a TXT ( \"1\"\n\"2\" )\nb A 192.0.2.1"), "b", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("_25._tcp.mx TLSA 3 1 1 (6162\n 6364)"), "_25._tcp.mx", DNS_TYPE_TLSA,
      "300 \3\1\1abcd" },
    { BYTES("a\\.b.c A 192.0.2.1"), "a\\046b.c", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("a\\065 A 192.0.2.1"), "aa", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("\xef\xbb\xbf" "a A 192.0.2.1"), "a", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("in in A 192.0.2.1"), "in", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES(ORG "@ SOA ns h ( 1 2 3\n4 5 )\n NS ns\n"), "example.org", DNS_TYPE_MX, "nothing 300" },
    { BYTES(ORG "@ SOA ns h 1 2 3 4 5\n"), "www.example.org", DNS_TYPE_A, "absent" },
    /* Aliases. */
    { BYTES("a 5 CNAME b\nb 60 A 192.0.2.1"), "a", DNS_TYPE_A, "5 192.0.2.1" },
    { BYTES("a 60 CNAME b\nb 5 A 192.0.2.1"), "a", DNS_TYPE_A, "5 192.0.2.1" },
    { BYTES("a CNAME b\nb A 192.0.2.1"), "a", DNS_TYPE_CNAME, "300 b" },
    { BYTES("a 5 CNAME b\nb A 192.0.2.1"), "a", DNS_TYPE_MX, "nothing 5" },
    { BYTES("a CNAME b.example.net."), "a", DNS_TYPE_A, "failed: alias out of local data" },
    { BYTES("a CNAME a"), "a", DNS_TYPE_A, "failed: too many aliases" },
    { BYTES(TEN "k A 192.0.2.1"), "a", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES(TEN "k CNAME l\nl A 192.0.2.1"), "a", DNS_TYPE_A, "failed: too many aliases" },
    { BYTES("a CNAME x.b\n*.b A 192.0.2.1"), "a", DNS_TYPE_A, "300 192.0.2.1" },
    /* Wildcards, the cases of RFC 4592 2.2.1. */
    { BYTES(STARS), "host3.example.org", DNS_TYPE_MX, "3600 10/host1.example.org" },
    { BYTES(STARS), "host3.example.org", DNS_TYPE_A, "nothing 300" },
    { BYTES(STARS), "foo.bar.example.org", DNS_TYPE_TXT, "3600 this is a wildcard" },
    { BYTES(STARS), "host1.example.org", DNS_TYPE_MX, "nothing 300" },
    { BYTES(STARS), "sub.\\042.example.org", DNS_TYPE_MX, "nothing 300" },
    { BYTES(STARS), "_telnet._tcp.host1.example.org", DNS_TYPE_TXT, "absent" },
    { BYTES(STARS), "ghost.\\042.example.org", DNS_TYPE_MX, "absent" },
    { BYTES("* A 192.0.2.1"), "any.where", DNS_TYPE_A, "300 192.0.2.1" },
    /* Failures. */
    { BYTES("$FAIL a"), "a", DNS_TYPE_A, "failed: local data" },
    { BYTES("$FAIL a TXT\na A 192.0.2.1"), "a", DNS_TYPE_TXT, "failed: local data" },
    { BYTES("$FAIL a TXT\na A 192.0.2.1"), "a", DNS_TYPE_A, "300 192.0.2.1" },
    { BYTES("a CNAME b\n$FAIL b"), "a", DNS_TYPE_A, "failed: local data" },
    { BYTES(ORG "$FAIL @\n$FAIL *.x"), "y.x.example.org", DNS_TYPE_A, "failed: local data" },
};

START_TEST(a_file_answers_as_it_is_written)
{
    struct zone *zone;
    struct text got;

    zone = read_zone(answers[_i].file);
    text_init(&got, 1000);
    print_answer(&got, zone, answers[_i].name, answers[_i].type);
    ck_assert_msg(strcmp(text_string(&got), answers[_i].want) == 0,
                  "%s %s: got \"%s\", want \"%s\" from:\n%.*s", answers[_i].name,
                  dns_type_word(answers[_i].type), text_string(&got), answers[_i].want,
                  SLICE_ARGS(answers[_i].file));
    text_clear(&got);
    zone_free(&zone);
}
END_TEST

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50

static const struct {
    struct slice file;
    unsigned int line, column;
    const char *want; /* in its sentence */
} mistakes[] = {
    { BYTES("a A 192.0.2.1\nb SRV 1 2 3 c\n"), 2, 3, "\"SRV\" is no type that can stand here: A," },
    { BYTES("a\n"), 1, 1, "a type is missing" },
    { BYTES("a A\n"), 1, 3, "an address is missing" },
    { BYTES("a A 192.0.2\n"), 1, 5, "\"192.0.2\" is no IPv4 address" },
    { BYTES("a A 2001:db8::1\n"), 1, 5, "is no IPv4 address" },
    { BYTES("a AAAA 192.0.2.1\n"), 1, 8, "is no IPv6 address" },
    { BYTES("a A 192.0.2.1 b\n"), 1, 15, "\"b\" is one word too many" },
    { BYTES("a MX mx\n"), 1, 6, "the preference is a number from 0 to 65535" },
    { BYTES("a MX 10\n"), 1, 6, "a name is missing" },
    { BYTES("a CH A 192.0.2.1\n"), 1, 3, "\"CH\" is a class that is not served" },
    { BYTES("a IN IN A 192.0.2.1\n"), 1, 6, "\"IN\" is no type" },
    { BYTES("a 5 6 A 192.0.2.1\n"), 1, 5, "\"6\" is no type" },
    { BYTES("a 2147483648 A 192.0.2.1\n"), 1, 3, "is no type" },
    { BYTES("$TTL x\n"), 1, 6, "\"x\" is no time" },
    { BYTES("$TTL \"\"\n"), 1, 7, "\"\" is no time" },
    { BYTES("$TTL\n"), 1, 1, "a time is missing" },
    { BYTES("$INCLUDE other\n"), 1, 1, "\"$INCLUDE\" is no directive: $ORIGIN, $TTL and $FAIL" },
    { BYTES("$ORIGIN a b\n"), 1, 11, "one word too many" },
    { BYTES("$FAIL a SRV\n"), 1, 9, "\"SRV\" is no type" },
    { BYTES("$FAIL a NS\n"), 1, 7, "never asked for" },
    { BYTES("  A 192.0.2.1\n"), 1, 3, "there is none above" },
    { BYTES("a..b A 192.0.2.1\n"), 1, 1, "\"a..b\" is no name" },
    { BYTES("b\xc3\xbc" "cher A 192.0.2.1\n"), 1, 1, "\"b\\xc3\\xbccher\" is no name" },
    { BYTES("a" A50 "aaaaaaaaaaaaa A 192.0.2.1\n"), 1, 1, "is no name" },
    { BYTES("a\\300 A 192.0.2.1\n"), 1, 1, "is no name" },
    { BYTES("a CNAME b\n  A 192.0.2.1\n"), 2, 3, "a name with a CNAME has no other records" },
    { BYTES("a A 192.0.2.1\n  CNAME b\n"), 2, 3, "a name with a CNAME has no other records" },
    { BYTES("a TXT \"open\nb A 192.0.2.1\n"), 1, 8, "does not end on its line" },
    { BYTES("a TXT ( x\nb A 192.0.2.1\n"), 3, 1, "a parenthesis is not closed" },
    { BYTES("a TXT ( ( x ) )\n"), 1, 9, "opened inside of another" },
    { BYTES("a TXT x )\n"), 1, 9, "closed that was not opened" },
    { BYTES("a TXT \"\\300\"\n"), 1, 8, "has a backslash without what belongs behind it" },
    { BYTES("a TXT \\9\n"), 1, 7, "has a backslash without what belongs behind it" },
    { BYTES("a TXT " A200 A50 "aaaaaa\n"), 1, 7, "a string of more than 255 bytes" },
    { BYTES("a TLSA 3 1 256 61\n"), 1, 12, "is a number from 0 to 255" },
    { BYTES("a TLSA 3 1 1 616\n"), 1, 14, "\"616\" is not made of pairs of hexadecimal digits" },
    { BYTES("_25._tcp.mx TLSA 3 1 1 6162\n 63 64"), 2, 5, "\"64\" is no type" },
};

START_TEST(a_mistake_is_named_with_its_place)
{
    struct zone_problem problem;
    struct zone *zone;

    text_init(&problem.sentence, 500);
    zone = zone_new(mistakes[_i].file, &problem);
    ck_assert_msg(zone == NULL, "taken:\n%.*s", SLICE_ARGS(mistakes[_i].file));
    ck_assert_msg(strstr(text_string(&problem.sentence), mistakes[_i].want) != NULL &&
                      problem.line == mistakes[_i].line && problem.column == mistakes[_i].column,
                  "got %u:%u: %s, want %u:%u: %s", problem.line, problem.column,
                  text_string(&problem.sentence), mistakes[_i].line, mistakes[_i].column,
                  mistakes[_i].want);
    text_clear(&problem.sentence);
}
END_TEST

START_TEST(a_string_of_255_bytes_and_a_text_of_many_fit)
{
    struct text file;
    struct zone *zone;
    struct dns_answer *answer;

    text_init(&file, 1 << 20);
    text_add_string(&file, "a TXT");
    for (int i = 0; i < 250; i++)
        text_add_string(&file, " " A200 A50 "aaaaa");
    zone = read_zone(text_slice(&file));
    answer = zone_answer(zone, SLICE("a"), DNS_TYPE_TXT);
    ck_assert_uint_eq(answer->records[0].bytes.length, 250 * 255);
    dns_answer_unref(answer);
    zone_free(&zone);
    text_add_byte(&file, '\n');
    text_clear(&file);
}
END_TEST

START_TEST(an_entry_of_a_thousand_words_is_refused)
{
    struct zone_problem problem;
    struct text file;

    text_init(&file, 1 << 20);
    text_init(&problem.sentence, 500);
    text_add_string(&file, "a TXT");
    for (int i = 0; i < 1000; i++)
        text_add_string(&file, " x");
    ck_assert_ptr_null(zone_new(text_slice(&file), &problem));
    ck_assert_str_eq(text_string(&problem.sentence), "an entry has too many words");
    text_clear(&file);
    text_clear(&problem.sentence);
}
END_TEST

static Suite *zone_suite(void)
{
    Suite *suite = suite_create("zone");
    TCase *tests = tcase_create("files");

    tcase_add_loop_test(tests, a_file_answers_as_it_is_written, 0, COUNT(answers));
    tcase_add_loop_test(tests, a_mistake_is_named_with_its_place, 0, COUNT(mistakes));
    tcase_add_test(tests, a_string_of_255_bytes_and_a_text_of_many_fit);
    tcase_add_test(tests, an_entry_of_a_thousand_words_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return unit_run(zone_suite());
}
