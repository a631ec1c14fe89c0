/* SPDX-License-Identifier: BSD-2-Clause */
/* base/: addresses, time and names (ip, clock, id). */
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/ip.h"
#include "base/memory.h"
#include "unit.h"

/* ---- ip ---- */

/* want NULL: refused. */
struct ip_case {
    struct slice in;
    const char *want;
};

START_TEST(ip_addresses_are_read_strictly_and_printed_short)
{
    static const struct ip_case cases[] = {
        { BYTES("192.0.2.1"), "192.0.2.1" },
        { BYTES("255.255.255.255"), "255.255.255.255" },
        { BYTES("0.0.0.0"), "0.0.0.0" },
        { BYTES("2001:DB8:0:0:0:0:0:1"), "2001:db8::1" },
        { BYTES("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1" },
        { BYTES("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1" },
        { BYTES("::"), "::" },
        { BYTES("::1"), "::1" },
        { BYTES("::ffff:192.0.2.1"), "192.0.2.1" },
        { BYTES("::FFFF:c000:201"), "192.0.2.1" },
        { BYTES("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { BYTES(""), NULL },
        { BYTES("192.0.2"), NULL },
        { BYTES("192.0.2.256"), NULL },
        { BYTES("192.0.2.01"), NULL },
        { BYTES("0x7f.0.0.1"), NULL },
        { BYTES("3221225985"), NULL },
        { BYTES("192.0.2.1."), NULL },
        { BYTES(" 192.0.2.1"), NULL },
        { BYTES("192.0.2.1\0"), NULL },
        { BYTES("192.0.2.1\0x"), NULL },
        { BYTES("[::1]"), NULL },
        { BYTES("fe80::1%eth0"), NULL },
        { BYTES("::1::"), NULL },
        { BYTES("12345::"), NULL },
        { BYTES("1:2:3:4:5:6:7"), NULL },
        { BYTES("2001:0db8:0000:0000:0000:0000:0000:0001:0000000"), NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_address address;
        bool ok = ip_parse(cases[i].in, &address);
        struct text out;

        ck_assert_msg(ok == (cases[i].want != NULL), "\"%.*s\": got %d", SLICE_ARGS(cases[i].in),
                      ok);
        text_init(&out, 100);
        if (ok) {
            ip_print(&out, &address);
            unit_expect_text("address", &out, slice_from(cases[i].want));
        }
        text_clear(&out);
    }
}
END_TEST

START_TEST(ip_literals_are_those_of_rfc_5321)
{
    struct ip_address v4, v6;
    struct text out;

    ck_assert(ip_parse(SLICE("192.0.2.1"), &v4));
    ck_assert(ip_parse(SLICE("2001:db8::1"), &v6));
    ck_assert(ip_is_v4(&v4) && !ip_is_v4(&v6));
    ck_assert(ip_equals(&v4, &v4) && !ip_equals(&v4, &v6));
    text_init(&out, 100);
    ip_print_literal(&out, &v4);
    text_add_byte(&out, ' ');
    ip_print_literal(&out, &v6);
    unit_expect_text("literals", &out, SLICE("[192.0.2.1] [IPv6:2001:db8::1]"));
    text_clear(&out);
}
END_TEST

START_TEST(ip_knows_loopback_and_unspecified_addresses)
{
    static const struct {
        const char *in;
        bool is_loopback;
        bool is_unspecified;
    } cases[] = {
        { "127.0.0.1", true, false },   { "127.255.0.9", true, false },
        { "::1", true, false },         { "0.0.0.0", false, true },
        { "::", false, true },          { "0.0.0.1", false, false },
        { "::2", false, false },        { "::7f00:1", false, false },
        { "7f00::1", false, false },    { "128.0.0.1", false, false },
        { "1::", false, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_address address;

        ck_assert(ip_parse(slice_from(cases[i].in), &address));
        ck_assert_msg(ip_is_loopback(&address) == cases[i].is_loopback, "%s", cases[i].in);
        ck_assert_msg(ip_is_unspecified(&address) == cases[i].is_unspecified, "%s", cases[i].in);
    }
}
END_TEST

START_TEST(ip_prefixes_are_read_strictly)
{
    static const struct ip_case cases[] = {
        { BYTES("192.0.2.0/24"), "192.0.2.0/24" },
        { BYTES("192.0.2.128/25"), "192.0.2.128/25" },
        { BYTES("192.0.2.1"), "192.0.2.1" },
        { BYTES("192.0.2.1/32"), "192.0.2.1" },
        { BYTES("0.0.0.0/0"), "0.0.0.0/0" },
        { BYTES("128.0.0.0/1"), "128.0.0.0/1" },
        { BYTES("2001:db8::/32"), "2001:db8::/32" },
        { BYTES("::/0"), "::/0" },
        { BYTES("2001:db8::1/128"), "2001:db8::1" },
        { BYTES("192.0.2.1/24"), NULL },
        { BYTES("192.0.2.0/33"), NULL },
        { BYTES("192.0.2.64/25"), NULL },
        { BYTES("2001:db8::/129"), NULL },
        { BYTES("2001:db8::/16"), NULL },
        { BYTES("::ffff:192.0.2.0/120"), NULL },
        { BYTES("192.0.2.0/"), NULL },
        { BYTES("192.0.2.0/-1"), NULL },
        { BYTES("192.0.2.0/24/24"), NULL },
        { BYTES("192.0.2.0/255.255.255.0"), NULL },
        { BYTES("192.0.2/24"), NULL },
        { BYTES("/24"), NULL },
        { BYTES(""), NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_prefix prefix;
        bool ok = ip_prefix_parse(cases[i].in, &prefix);
        struct text out;

        ck_assert_msg(ok == (cases[i].want != NULL), "\"%.*s\": got %d", SLICE_ARGS(cases[i].in),
                      ok);
        text_init(&out, 100);
        if (ok) {
            ip_prefix_print(&out, &prefix);
            unit_expect_text("prefix", &out, slice_from(cases[i].want));
        }
        text_clear(&out);
    }
}
END_TEST

START_TEST(ip_prefix_holds_its_own_addresses_and_its_own_family)
{
    static const struct {
        const char *prefix, *address;
        bool want;
    } cases[] = {
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.64/26", "192.0.2.127", true },
        { "192.0.2.64/26", "192.0.2.128", false },
        { "192.0.2.64/26", "192.0.2.63", false },
        { "128.0.0.0/1", "255.0.0.1", true },
        { "128.0.0.0/1", "127.255.255.255", false },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.0", false },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "203.0.113.9", false }, /* "all of IPv6" is not "everyone" */
        { "::/64", "203.0.113.9", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "2001:db8::1", "2001:db8::1", true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_prefix prefix;
        struct ip_address address;

        ck_assert(ip_prefix_parse(slice_from(cases[i].prefix), &prefix));
        ck_assert(ip_parse(slice_from(cases[i].address), &address));
        ck_assert_msg(ip_prefix_contains(&prefix, &address) == cases[i].want, "%s in %s",
                      cases[i].address, cases[i].prefix);
    }
}
END_TEST

START_TEST(ip_endpoints_read_and_print_the_same)
{
    static const struct ip_case cases[] = {
        { BYTES("192.0.2.1:25"), "192.0.2.1:25" },
        { BYTES("0.0.0.0:0"), "0.0.0.0:0" },
        { BYTES("[2001:DB8::1]:65535"), "[2001:db8::1]:65535" },
        { BYTES("[::]:25"), "[::]:25" },
        { BYTES("192.0.2.1:65536"), NULL },
        { BYTES("192.0.2.1:"), NULL },
        { BYTES("192.0.2.1"), NULL },
        { BYTES(":25"), NULL },
        { BYTES("[]:25"), NULL },
        { BYTES("[:25"), NULL },
        { BYTES("["), NULL },
        { BYTES("[2001:db8::1]"), NULL },
        { BYTES("[2001:db8::1:25"), NULL },
        { BYTES("2001:db8::1:25"), NULL },
        { BYTES("[192.0.2.1]:25"), NULL },
        { BYTES("[::ffff:192.0.2.1]:25"), NULL },
        { BYTES("192.0.2.1 :25"), NULL },
        { BYTES(""), NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_endpoint endpoint;
        bool ok = ip_endpoint_parse(cases[i].in, &endpoint);
        struct text out;

        ck_assert_msg(ok == (cases[i].want != NULL), "\"%.*s\": got %d", SLICE_ARGS(cases[i].in),
                      ok);
        text_init(&out, 100);
        if (ok) {
            ip_endpoint_print(&out, &endpoint);
            unit_expect_text("endpoint", &out, slice_from(cases[i].want));
        }
        text_clear(&out);
    }
}
END_TEST

START_TEST(ip_endpoints_travel_through_the_systems_form)
{
    static const char *const endpoints[] = { "192.0.2.1:25", "[2001:db8::1]:465", "0.0.0.0:0" };

    for (size_t i = 0; i < COUNT(endpoints); i++) {
        struct sockaddr_storage storage;
        struct ip_endpoint before, after;
        bool is_v4 = endpoints[i][0] != '[';
        socklen_t length;

        ck_assert(ip_endpoint_parse(slice_from(endpoints[i]), &before));
        length = ip_endpoint_to_sockaddr(&before, &storage);
        ck_assert_uint_eq(length,
                          is_v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        ck_assert_int_eq(storage.ss_family, is_v4 ? AF_INET : AF_INET6);
        ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&storage, &after));
        ck_assert(ip_endpoint_equals(&before, &after));
        after.port ^= 1;
        ck_assert(!ip_endpoint_equals(&before, &after));
    }
}
END_TEST

START_TEST(ip_client_is_the_same_through_either_kind_of_socket)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
    struct sockaddr local = { .sa_family = AF_UNIX };
    struct ip_endpoint got, want;

    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
    v6.sin6_addr.s6_addr[12] = 192;
    v6.sin6_addr.s6_addr[14] = 2;
    v6.sin6_addr.s6_addr[15] = 1;
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.1:7"), &want));
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&v6, &got));
    ck_assert(ip_endpoint_equals(&got, &want));
    ck_assert(!ip_endpoint_from_sockaddr(&local, &got));
}
END_TEST

/* ---- clock ---- */

START_TEST(clock_prints_what_people_and_mail_read)
{
    static const struct {
        uint64_t wall_us;
        const char *utc, *mail;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z", "Thu, 1 Jan 1970 00:00:00 +0000" },
        { 999, "1970-01-01T00:00:00.000Z", "Thu, 1 Jan 1970 00:00:00 +0000" },
        { 1709210096987654, "2024-02-29T12:34:56.987Z", "Thu, 29 Feb 2024 12:34:56 +0000" },
        { 1798761599999999, "2026-12-31T23:59:59.999Z", "Thu, 31 Dec 2026 23:59:59 +0000" },
        { 4102444800000000, "2100-01-01T00:00:00.000Z", "Fri, 1 Jan 2100 00:00:00 +0000" },
    };

    ck_assert_int_eq(setenv("TZ", "Pacific/Kiritimati", 1), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text utc, mail;

        text_init(&utc, 100);
        text_init(&mail, 100);
        clock_print_utc(&utc, cases[i].wall_us);
        clock_print_mail_date(&mail, cases[i].wall_us);
        unit_expect_text("utc", &utc, slice_from(cases[i].utc));
        unit_expect_text("mail date", &mail, slice_from(cases[i].mail));
        text_clear(&utc);
        text_clear(&mail);
    }
}
END_TEST

START_TEST(clock_runs_forward_and_obeys_a_test)
{
    uint64_t now = 5000001;
    uint64_t first = clock_monotonic_us();

    ck_assert_uint_ge(clock_monotonic_us(), first);
    ck_assert_uint_gt(clock_wall_us(), 1700000000000000);
    clock_set_source(&now);
    ck_assert_uint_eq(clock_monotonic_us(), 5000001);
    ck_assert_uint_eq(clock_monotonic_ms(), 5000);
    now = 7000000;
    ck_assert_uint_eq(clock_wall_us(), 7000000);
    clock_set_source(NULL);
    ck_assert_uint_gt(clock_wall_us(), 1700000000000000);
}
END_TEST

/* ---- id ---- */

START_TEST(ids_are_sixteen_characters_that_cannot_be_misread)
{
    struct id id = id_new();

    ck_assert_uint_eq(strlen(id.text), ID_LENGTH);
    ck_assert_uint_eq(strspn(id.text, "0123456789abcdefghjkmnpqrstvwxyz"), ID_LENGTH);
}
END_TEST

START_TEST(ids_sort_by_time)
{
    uint64_t now = 1700000000000000;
    struct id last = { "" };

    clock_set_source(&now);
    for (int i = 0; i < 2000; i++) {
        struct id id = id_new();

        ck_assert_msg(strcmp(last.text, id.text) < 0, "%s after %s", id.text, last.text);
        last = id;
        now += 1000ull << (i % 16);
    }
    clock_set_source(NULL);
}
END_TEST

START_TEST(ids_hold_the_time_in_their_first_characters)
{
    uint64_t now = 0;
    struct id id;

    clock_set_source(&now);
    id = id_new();
    ck_assert_msg(strncmp(id.text, "000000000", 9) == 0, "%s", id.text);
    now = 0xffffffffffffull * 1000;
    id = id_new();
    ck_assert_msg(strncmp(id.text, "zzzzzzzzz", 9) == 0, "%s", id.text);
    clock_set_source(NULL);
}
END_TEST

START_TEST(the_time_of_an_id_comes_back)
{
    static const struct slice none[] = { BYTES(""), BYTES("06h0x6s1zxfdk76"),
                                         BYTES("06h0x6s1zxfdk76l"), BYTES("06H0x6s1zxfdk76x"),
                                         BYTES("06h0x6s1\0xfdk76x") };
    static const uint64_t times[] = { 0, 1000, 1795633241123000, 0xffffffffffffull * 1000 };
    uint64_t got;

    for (size_t i = 0; i < COUNT(times); i++) {
        struct id id;

        clock_set_source(&times[i]);
        id = id_new();
        ck_assert(id_find_time(slice_from(id.text), &got));
        ck_assert_uint_eq(got, times[i]);
    }
    clock_set_source(NULL);
    for (size_t i = 0; i < COUNT(none); i++)
        ck_assert_msg(!id_find_time(none[i], &got), "case %zu", i);
}
END_TEST

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

START_TEST(ids_of_one_millisecond_are_all_different)
{
    enum { ID_COUNT = 20000 };
    uint64_t now = 1700000000000000;
    struct id *ids = mem_new_array(ID_COUNT, sizeof *ids);

    clock_set_source(&now);
    for (size_t i = 0; i < ID_COUNT; i++)
        ids[i] = id_new();
    clock_set_source(NULL);
    qsort(ids, ID_COUNT, sizeof *ids, compare_ids);
    for (size_t i = 1; i < ID_COUNT; i++)
        ck_assert_str_ne(ids[i - 1].text, ids[i].text);
    mem_free(ids);
}
END_TEST

static Suite *system_suite(void)
{
    Suite *suite = suite_create("base: ip, clock, id");
    TCase *ip = tcase_create("ip");
    TCase *clock = tcase_create("clock");
    TCase *id = tcase_create("id");

    tcase_add_test(ip, ip_addresses_are_read_strictly_and_printed_short);
    tcase_add_test(ip, ip_literals_are_those_of_rfc_5321);
    tcase_add_test(ip, ip_knows_loopback_and_unspecified_addresses);
    tcase_add_test(ip, ip_prefixes_are_read_strictly);
    tcase_add_test(ip, ip_prefix_holds_its_own_addresses_and_its_own_family);
    tcase_add_test(ip, ip_endpoints_read_and_print_the_same);
    tcase_add_test(ip, ip_endpoints_travel_through_the_systems_form);
    tcase_add_test(ip, ip_client_is_the_same_through_either_kind_of_socket);
    tcase_add_test(clock, clock_prints_what_people_and_mail_read);
    tcase_add_test(clock, clock_runs_forward_and_obeys_a_test);
    tcase_add_test(id, ids_are_sixteen_characters_that_cannot_be_misread);
    tcase_add_test(id, ids_sort_by_time);
    tcase_add_test(id, ids_hold_the_time_in_their_first_characters);
    tcase_add_test(id, the_time_of_an_id_comes_back);
    tcase_add_test(id, ids_of_one_millisecond_are_all_different);
    suite_add_tcase(suite, ip);
    suite_add_tcase(suite, clock);
    suite_add_tcase(suite, id);
    return suite;
}

int main(void)
{
    return unit_run(system_suite());
}
