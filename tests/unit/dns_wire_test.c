/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/dns_wire: packets as servers send them, and as an attacker would. */
#include <stdio.h>
#include <string.h>

#include "dns/dns_wire.h"
#include "unit.h"

/*
 * Packets are written as strings. A header is flags and the numbers of answers and authorities; the
 * question is for www.example.org and stands at byte 12: www is 0xc00c, example 0xc010, org 0xc018.
 */
#define HEAD(flags, answers, authorities)                                                          \
    "\x12\x34" flags "\0\1\0" answers "\0" authorities "\0\0"
#define OK "\x81\x80"
#define WWW "\3www\7example\3org\0"
#define ASK(type) WWW "\0" type "\0\1"
#define REPLY(type, answers, authorities) HEAD(OK, answers, authorities) ASK(type)
/* Owner, type, TTL (4 bytes), length of data (1 byte). */
#define RECORD(owner, type, ttl, length) owner "\0" type "\0\1" ttl "\0" length
#define ME "\xc0\x0c"
#define A "\x01"
#define NS "\x02"
#define CNAME "\x05"
#define SOA "\x06"
#define PTR "\x0c"
#define MX "\x0f"
#define TXT "\x10"
#define AAAA "\x1c"
#define TLSA "\x34"
#define MINUTE "\0\0\0\x3c"
#define HOUR "\0\0\x0e\x10"
#define SOA_DATA "\0\0" "\0\0\0\1" "\0\0\0\2" "\0\0\0\3" "\0\0\0\4"

static const struct {
    const char *what;
    enum dns_type type;
    struct slice packet;
    const char *want; /* result, TTL, records */
} packets[] = {
    { "an address", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD(ME, A, MINUTE, "\4") "\xc0\0\2\1"),
      "found 60 192.0.2.1" },
    { "the least time of two", DNS_TYPE_A,
      BYTES(REPLY(A, "\2", "\0") RECORD(ME, A, HOUR, "\4") "\xc0\0\2\1"
            RECORD(ME, A, MINUTE, "\4") "\xc0\0\2\2"),
      "found 60 192.0.2.1 192.0.2.2" },
    { "a time with its top bit set", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD(ME, A, "\x80\0\0\0", "\4") "\xc0\0\2\1"),
      "found 0 192.0.2.1" },
    { "an IPv6 address", DNS_TYPE_AAAA,
      BYTES(REPLY(AAAA, "\1", "\0") RECORD(ME, AAAA, MINUTE, "\x10")
            "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
      "found 60 2001:db8::1" },
    { "a mail server, its name compressed", DNS_TYPE_MX,
      BYTES(REPLY(MX, "\1", "\0") RECORD(ME, MX, MINUTE, "\7") "\0\xa" "\2MX\xc0\x10"),
      "found 60 10/mx.example.org" },
    { "no mail wanted (RFC 7505)", DNS_TYPE_MX,
      BYTES(REPLY(MX, "\1", "\0") RECORD(ME, MX, MINUTE, "\3") "\0\0" "\0"), "found 60 0/" },
    { "a text of three strings", DNS_TYPE_TXT,
      BYTES(REPLY(TXT, "\1", "\0") RECORD(ME, TXT, MINUTE, "\xb") "\5v=spf\0\3" "1 a"),
      "found 60 'v=spf1 a'" },
    { "a name with odd bytes", DNS_TYPE_PTR,
      BYTES(REPLY(PTR, "\1", "\0") RECORD(ME, PTR, MINUTE, "\5") "\2\xff.\xc0\x10"),
      "found 60 \\255\\046.example.org" },
    { "a certificate's digest", DNS_TYPE_TLSA,
      BYTES(REPLY(TLSA, "\1", "\0") RECORD(ME, TLSA, MINUTE, "\5") "\3\1\1zz"),
      "found 60 '\3\1\1zz'" },
    { "an alias", DNS_TYPE_A,
      BYTES(REPLY(A, "\2", "\0") RECORD(ME, CNAME, MINUTE, "\4") "\1w\xc0\x10"
            RECORD("\1W\xc0\x10", A, HOUR, "\4") "\xc0\0\2\1"),
      "found 60 192.0.2.1" },
    { "an alias behind its target", DNS_TYPE_A,
      BYTES(REPLY(A, "\2", "\0") RECORD("\1w\xc0\x10", A, MINUTE, "\4") "\xc0\0\2\1"
            RECORD(ME, CNAME, HOUR, "\4") "\1w\xc0\x10"),
      "found 60 192.0.2.1" },
    { "the alias itself", DNS_TYPE_CNAME,
      BYTES(REPLY(CNAME, "\1", "\0") RECORD(ME, CNAME, MINUTE, "\4") "\1w\xc0\x10"),
      "found 60 w.example.org" },
    { "an alias to nothing", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\1") RECORD(ME, CNAME, MINUTE, "\4") "\1w\xc0\x10"
            RECORD("\xc0\x10", SOA, HOUR, "\x16") SOA_DATA HOUR),
      "nodata 60" },
    { "an alias of itself", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD(ME, CNAME, MINUTE, "\2") ME), "too many aliases" },
    { "two aliases in a circle", DNS_TYPE_A,
      BYTES(REPLY(A, "\2", "\0") RECORD(ME, CNAME, MINUTE, "\4") "\1w\xc0\x10"
            RECORD("\1w\xc0\x10", CNAME, MINUTE, "\2") ME),
      "too many aliases" },
    { "records of others", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\xc0\x10", A, MINUTE, "\4") "\xc0\0\2\1"), "nodata 0" },
    { "records of another class", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") ME "\0\1\0\3" MINUTE "\0\4\xc0\0\2\1"), "nodata 0" },
    { "no such type, kept as long as the SOA record says", DNS_TYPE_A,
      BYTES(REPLY(A, "\0", "\1") RECORD("\xc0\x10", SOA, HOUR, "\x16") SOA_DATA MINUTE),
      "nodata 60" },
    { "no such type, kept as long as the SOA record is", DNS_TYPE_A,
      BYTES(REPLY(A, "\0", "\1") RECORD("\xc0\x10", SOA, MINUTE, "\x16") SOA_DATA HOUR),
      "nodata 60" },
    { "no such type, and no SOA record", DNS_TYPE_A,
      BYTES(REPLY(A, "\0", "\1") RECORD("\xc0\x10", NS, MINUTE, "\2") ME), "nodata 0" },
    { "an SOA record cut short", DNS_TYPE_A,
      BYTES(REPLY(A, "\0", "\1") RECORD("\xc0\x10", SOA, HOUR, "\4") MINUTE), "nodata 0" },
    { "no such name", DNS_TYPE_A,
      BYTES(HEAD("\x81\x83", "\0", "\1") ASK(A) RECORD("\xc0\x10", SOA, HOUR, "\x16") SOA_DATA
            MINUTE),
      "noname 60" },
    { "no such name, with records", DNS_TYPE_A,
      BYTES(HEAD("\x81\x83", "\1", "\0") ASK(A) RECORD(ME, A, MINUTE, "\4") "\xc0\0\2\1"),
      "noname 0" },
    { "SERVFAIL", DNS_TYPE_A, BYTES(HEAD("\x81\x82", "\0", "\0") ASK(A)), "servfail" },
    { "REFUSED", DNS_TYPE_A, BYTES(HEAD("\x81\x85", "\0", "\0") ASK(A)), "refused" },
    { "FORMERR", DNS_TYPE_A, BYTES(HEAD("\x81\x81", "\0", "\0") ASK(A)), "formerr" },
    { "NOTIMP", DNS_TYPE_A, BYTES(HEAD("\x81\x84", "\0", "\0") ASK(A)), "notimp" },
    { "a code of tomorrow", DNS_TYPE_A, BYTES(HEAD("\x81\x8b", "\0", "\0") ASK(A)), "rcode" },
    { "cut to fit", DNS_TYPE_A, BYTES(HEAD("\x83\x80", "\0", "\0") ASK(A)), "truncated" },
    { "a question", DNS_TYPE_A, BYTES(HEAD("\x01\0", "\0", "\0") ASK(A)), "malformed" },
    { "an update", DNS_TYPE_A, BYTES(HEAD("\xa8\0", "\0", "\0") ASK(A)), "malformed" },
    { "nothing", DNS_TYPE_A, BYTES(""), "malformed" },
    { "a header and no question", DNS_TYPE_A, BYTES(HEAD(OK, "\0", "\0")), "malformed" },
    { "two questions", DNS_TYPE_A,
      BYTES("\x12\x34" OK "\0\2\0\0\0\0\0\0" ASK(A) ASK(A)), "malformed" },
    { "an answer to another type", DNS_TYPE_A, BYTES(REPLY(MX, "\0", "\0")), "malformed" },
    { "an answer to another name", DNS_TYPE_A,
      BYTES(HEAD(OK, "\0", "\0") "\3www\7example\3net\0\0\1\0\1"), "malformed" },
    { "a record cut short", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD(ME, A, MINUTE, "\4") "\xc0\0\2"), "malformed" },
    { "fewer records than announced", DNS_TYPE_A,
      BYTES(REPLY(A, "\2", "\0") RECORD(ME, A, MINUTE, "\4") "\xc0\0\2\1"), "malformed" },
    { "thousands of records announced", DNS_TYPE_A,
      BYTES("\x12\x34" OK "\0\1\xff\xff\0\0\0\0" ASK(A)), "too large" },
    { "an address of three bytes", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD(ME, A, MINUTE, "\3") "\xc0\0\2"), "malformed" },
    { "an IPv6 address of four bytes", DNS_TYPE_AAAA,
      BYTES(REPLY(AAAA, "\1", "\0") RECORD(ME, AAAA, MINUTE, "\4") "\xc0\0\2\1"), "malformed" },
    { "a text past its end", DNS_TYPE_TXT,
      BYTES(REPLY(TXT, "\1", "\0") RECORD(ME, TXT, MINUTE, "\3") "\3abc"), "malformed" },
    { "a text without strings", DNS_TYPE_TXT,
      BYTES(REPLY(TXT, "\1", "\0") RECORD(ME, TXT, MINUTE, "\0")), "malformed" },
    { "a mail server without a name", DNS_TYPE_MX,
      BYTES(REPLY(MX, "\1", "\0") RECORD(ME, MX, MINUTE, "\2") "\0\1"), "malformed" },
    { "a name with something behind it", DNS_TYPE_PTR,
      BYTES(REPLY(PTR, "\1", "\0") RECORD(ME, PTR, MINUTE, "\3") ME "\0"), "malformed" },
    { "a digest of nothing", DNS_TYPE_TLSA,
      BYTES(REPLY(TLSA, "\1", "\0") RECORD(ME, TLSA, MINUTE, "\3") "\3\1\1"), "malformed" },
    { "a pointer to itself", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\xc0\x21", A, MINUTE, "\4") "\xc0\0\2\1"), "malformed" },
    { "a pointer ahead", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\xc0\x23", A, MINUTE, "\4") "\xc0\0\2\1"), "malformed" },
    { "a pointer into its own label", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\1a\xc0\x21", A, MINUTE, "\4") "\xc0\0\2\1"),
      "malformed" },
    { "a pointer past the end", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\xff\xff", A, MINUTE, "\4") "\xc0\0\2\1"), "malformed" },
    { "half a pointer", DNS_TYPE_A, BYTES(REPLY(A, "\1", "\0") "\xc0"), "malformed" },
    { "a label of a kind that there is not", DNS_TYPE_A,
      BYTES(REPLY(A, "\1", "\0") RECORD("\x41" "a\0", A, MINUTE, "\4") "\xc0\0\2\1"),
      "malformed" },
};

static void print_record(struct text *out, const struct dns_record *record, enum dns_type type)
{
    text_add_byte(out, ' ');
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        ip_print(out, &record->address);
    } else if (type == DNS_TYPE_TXT || type == DNS_TYPE_TLSA) {
        text_add_format(out, "'%.*s'", SLICE_ARGS(record->bytes));
    } else {
        if (type == DNS_TYPE_MX)
            text_add_format(out, "%u/", (unsigned int)record->preference);
        text_add(out, record->bytes);
    }
}

static void print_answer(struct text *out, const struct dns_answer *answer, enum dns_type type)
{
    static const char *const words[] = { "found", "nodata", "noname" };

    if (answer->result == DNS_FAILED) {
        text_add_string(out, answer->problem);
        return;
    }
    text_add_format(out, "%s %u", words[answer->result], (unsigned int)answer->ttl_s);
    for (size_t i = 0; i < answer->record_count; i++)
        print_record(out, &answer->records[i], type);
}

/* On the heap, to its last byte: a sanitizer sees every read past its end. */
static struct dns_answer *read_copy(struct slice packet, enum dns_type type)
{
    char *copy = malloc(packet.length > 0 ? packet.length : 1);
    struct dns_answer *answer;

    memcpy(copy, packet.data, packet.length);
    answer = dns_wire_read((struct slice){ copy, packet.length }, SLICE("www.example.org"), type);
    free(copy);
    return answer;
}

START_TEST(a_packet_is_read_as_it_is_meant)
{
    struct dns_answer *answer = read_copy(packets[_i].packet, packets[_i].type);
    struct text got;

    text_init(&got, 1000);
    print_answer(&got, answer, packets[_i].type);
    ck_assert_msg(strcmp(text_string(&got), packets[_i].want) == 0, "%s: got \"%s\", want \"%s\"",
                  packets[_i].what, text_string(&got), packets[_i].want);
    text_clear(&got);
    dns_answer_unref(answer);
}
END_TEST

/* Nothing that is cut off anywhere is taken for an answer, and nothing is read past its end. */
START_TEST(a_packet_cut_anywhere_is_a_failure)
{
    struct slice packet = packets[_i].packet;

    for (size_t length = 0; length < packet.length; length++) {
        struct dns_answer *answer = read_copy(slice_until(packet, length), packets[_i].type);

        ck_assert_msg(answer->result == DNS_FAILED, "%s, %zu bytes of %zu", packets[_i].what,
                      length, packet.length);
        dns_answer_unref(answer);
    }
}
END_TEST

/* A header, the question for A, and `count` times the same record. */
static struct dns_answer *read_many(struct slice question, struct slice record, unsigned int count,
                                    enum dns_type type)
{
    struct text packet;
    struct dns_answer *answer;

    text_init(&packet, 1 << 20);
    text_add(&packet, SLICE("\x12\x34" OK "\0\1"));
    text_add_byte(&packet, (char)(count >> 8));
    text_add_byte(&packet, (char)count);
    text_add(&packet, SLICE("\0\0\0\0"));
    text_add(&packet, question);
    for (unsigned int i = 0; i < count; i++)
        text_add(&packet, record);
    answer = read_copy(text_slice(&packet), type);
    text_clear(&packet);
    return answer;
}

START_TEST(too_many_records_are_a_failure_and_no_part_of_an_answer)
{
    struct slice record = SLICE(RECORD(ME, A, MINUTE, "\4") "\xc0\0\2\1");
    struct dns_answer *most = read_many(SLICE(ASK(A)), record, DNS_WIRE_MAX_RECORDS, DNS_TYPE_A);
    struct dns_answer *more =
        read_many(SLICE(ASK(A)), record, DNS_WIRE_MAX_RECORDS + 1, DNS_TYPE_A);

    ck_assert_int_eq(most->result, DNS_FOUND);
    ck_assert_uint_eq(most->record_count, DNS_WIRE_MAX_RECORDS);
    ck_assert_int_eq(more->result, DNS_FAILED);
    ck_assert_str_eq(more->problem, "too large");
    dns_answer_unref(most);
    dns_answer_unref(more);
}
END_TEST

/* Each record of 20 bytes becomes one of 700: the packet is small, what it swells to is not. */
START_TEST(names_that_swell_past_the_ceiling_are_a_failure)
{
    struct text record, label;
    struct dns_answer *answer;

    text_init(&record, 1000);
    text_init(&label, 1000);
    text_add(&record, SLICE(ME "\0\x0c\0\1" MINUTE "\0"));
    for (int i = 0; i < 3; i++) {
        text_add_byte(&label, 60);
        for (int j = 0; j < 60; j++)
            text_add_byte(&label, '\1');
    }
    text_add_byte(&record, (char)(label.length + 2));
    text_add(&record, text_slice(&label));
    text_add(&record, SLICE(ME));
    answer = read_many(SLICE(ASK(PTR)), text_slice(&record), 200, DNS_TYPE_PTR);
    ck_assert_int_eq(answer->result, DNS_FAILED);
    ck_assert_str_eq(answer->problem, "too large");
    dns_answer_unref(answer);
    text_clear(&record);
    text_clear(&label);
}
END_TEST

static Suite *dns_wire_suite(void)
{
    Suite *suite = suite_create("dns_wire");
    TCase *tests = tcase_create("packets");

    tcase_add_loop_test(tests, a_packet_is_read_as_it_is_meant, 0, COUNT(packets));
    tcase_add_loop_test(tests, a_packet_cut_anywhere_is_a_failure, 0, COUNT(packets));
    tcase_add_test(tests, too_many_records_are_a_failure_and_no_part_of_an_answer);
    tcase_add_test(tests, names_that_swell_past_the_ceiling_are_a_failure);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    return unit_run(dns_wire_suite());
}
