/* SPDX-License-Identifier: BSD-2-Clause */
/* What workers and keeper say to each other, and what owners ask: whole and damaged. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "quarantine/exchange.h"
#include "quarantine/request.h"
#include "unit.h"

#define ID "06h0x6s1zxfdk76x-1"
#define SECRET "0123456789abcdef0123456789abcdef"

/* ---- Messages. */

static int ends[2];

static void make_channel(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
}

static void close_channel(void)
{
    close(ends[0]);
    close(ends[1]);
}

START_TEST(a_message_arrives_with_its_descriptors)
{
    struct exchange_claim claim = { ID, SECRET };
    struct exchange message;
    int fds[2] = { exchange_make_text(SLICE("sheet")), exchange_make_text(SLICE("content")) };
    struct text words;
    int fd;

    ck_assert_int_eq(exchange_send(ends[0], EXCHANGE_STORE, &claim, sizeof claim, SLICE_EMPTY,
                                   fds, 2), PACKET_DONE);
    ck_assert_int_eq(exchange_receive(ends[1], &message), PACKET_DONE);
    ck_assert_int_eq(exchange_type(&message), EXCHANGE_STORE);
    ck_assert_str_eq(message.body.claim.id, ID);
    ck_assert(exchange_claim_is_valid(&message.body.claim));
    fd = packet_take_fd(&message.packet, 1);
    packet_clear(&message.packet);
    ck_assert(exchange_read_text(fd, 100, &words));
    unit_expect_text("content", &words, SLICE("content"));
    text_clear(&words);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(exchange_receive(ends[1], &message), PACKET_NOTHING);
    close(ends[0]);
    ends[0] = -1;
    ck_assert_int_eq(exchange_receive(ends[1], &message), PACKET_GONE);
}
END_TEST

START_TEST(words_behind_a_message_are_cut_where_it_ends)
{
    struct exchange_outcome outcome = { .attempt = 7, .recipient = 3, .fate = EXCHANGE_LOST };
    struct exchange message;
    char words[2000];

    memset(words, 'x', sizeof words);
    ck_assert_int_eq(exchange_send(ends[0], EXCHANGE_OUTCOME, &outcome, sizeof outcome,
                                   (struct slice){ words, sizeof words }, NULL, 0), PACKET_DONE);
    ck_assert_int_eq(exchange_receive(ends[1], &message), PACKET_DONE);
    ck_assert_uint_eq(message.body.outcome.attempt, 7);
    ck_assert_uint_eq(exchange_words(&message).length, EXCHANGE_MAX_BYTES - sizeof outcome);
    packet_clear(&message.packet);
}
END_TEST

/* A worker that was taken over says anything. */
START_TEST(a_message_of_another_shape_is_refused)
{
    static const struct {
        uint32_t type;
        size_t bytes;
        size_t fds;
    } cases[] = {
        { EXCHANGE_STORE, sizeof(struct exchange_claim), 0 },
        { EXCHANGE_STORE, sizeof(struct exchange_claim), 1 },
        { EXCHANGE_STORE, sizeof(struct exchange_claim), 3 },
        { EXCHANGE_STORE, sizeof(struct exchange_claim) - 1, 2 },
        { EXCHANGE_STORE, sizeof(struct exchange_claim) + 1, 2 },
        { EXCHANGE_COMMIT, sizeof(struct exchange_claim), 1 },
        { EXCHANGE_ERASE, 0, 0 },
        { EXCHANGE_OUTCOME, sizeof(struct exchange_outcome) - 1, 0 },
        { EXCHANGE_LEAVING, 1, 0 },
        { EXCHANGE_TYPE_COUNT, 0, 0 },
        { UINT32_MAX, 0, 0 },
        { EXCHANGE_OUTCOME, EXCHANGE_MAX_BYTES + 1, 0 },
    };
    char bytes[EXCHANGE_MAX_BYTES + 100] = { 0 };
    int fds[3] = { ends[0], ends[0], ends[0] };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange message;

        ck_assert_int_eq(packet_send(ends[0], cases[i].type,
                                     (struct slice){ bytes, cases[i].bytes }, fds, cases[i].fds),
                         PACKET_DONE);
        ck_assert_msg(exchange_receive(ends[1], &message) == PACKET_BROKEN, "case %zu was taken",
                      i);
        packet_clear(&message.packet);
    }
}
END_TEST

START_TEST(a_claim_has_a_good_id_and_good_digits)
{
    static const struct exchange_claim bad[] = {
        { "", SECRET },
        { "../06h0x6s1zxfdk76x-1", SECRET },
        { "06h0x6s1zxfdk76x", SECRET },
        { ID, "" },
        { ID, "0123456789abcdef0123456789abcde" },
        { ID, "0123456789abcdef0123456789abcdeg" },
    };
    struct exchange_claim endless;

    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!exchange_claim_is_valid(&bad[i]), "case %zu", i);
    memset(&endless, '1', sizeof endless);
    ck_assert(!exchange_claim_is_valid(&endless));
}
END_TEST

/* ---- Sheets. */

static const struct store_piece pieces[] = {
    { .bytes = "Received: x\r\n", .length = 13 },
    { .offset = 100, .length = 5000000000 },
    { .bytes = "\r\n", .length = 2 },
    { .offset = 0, .length = 0 },
};

START_TEST(a_sheet_comes_back_as_it_was)
{
    int fd = exchange_make_sheet(SLICE("the copy"), pieces, COUNT(pieces));
    struct exchange_sheet sheet;

    ck_assert_int_ge(fd, 0);
    ck_assert(exchange_read_sheet(fd, EXCHANGE_MAX_SHEET_BYTES, &sheet));
    ck_assert(slice_equals(sheet.copy, SLICE("the copy")));
    ck_assert_uint_eq(sheet.piece_count, COUNT(pieces));
    for (size_t i = 0; i < COUNT(pieces); i++) {
        ck_assert_uint_eq(sheet.pieces[i].length, pieces[i].length);
        ck_assert_uint_eq(sheet.pieces[i].offset, pieces[i].offset);
        ck_assert_int_eq(sheet.pieces[i].bytes == NULL, pieces[i].bytes == NULL);
        if (pieces[i].bytes != NULL)
            ck_assert_int_eq(memcmp(sheet.pieces[i].bytes, pieces[i].bytes,
                                    (size_t)pieces[i].length), 0);
    }
    exchange_sheet_clear(&sheet);
    close(fd);
}
END_TEST

/* Every number in it set to every size that could lead out of it. */
START_TEST(a_damaged_sheet_is_none)
{
    static const uint64_t evil[] = { 9, 1000, UINT64_MAX, UINT64_MAX / 24, UINT64_MAX - 8 };
    struct text good;
    int fd = exchange_make_sheet(SLICE("the copy"), pieces, COUNT(pieces));

    ck_assert(exchange_read_text(fd, 10000, &good));
    close(fd);
    for (size_t at = 0; at + 8 <= good.length; at += 8)
        for (size_t i = 0; i < COUNT(evil); i++) {
            struct exchange_sheet sheet;
            bool is_head = at < 24;

            fd = exchange_make_text(text_slice(&good));
            ck_assert_int_eq(pwrite(fd, &evil[i], 8, (off_t)at), 8);
            if (exchange_read_sheet(fd, EXCHANGE_MAX_SHEET_BYTES, &sheet)) {
                ck_assert_msg(!is_head, "the head with %llu at %zu was taken",
                              (unsigned long long)evil[i], at);
                for (size_t j = 0; j < sheet.piece_count; j++)
                    ck_assert(sheet.pieces[j].bytes == NULL ||
                              sheet.pieces[j].length <= sheet.bytes.length);
            }
            exchange_sheet_clear(&sheet);
            close(fd);
        }
    text_clear(&good);
}
END_TEST

START_TEST(what_is_no_regular_file_is_not_read)
{
    struct exchange_sheet sheet;
    struct text words;
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert(!exchange_read_sheet(pipes[0], EXCHANGE_MAX_SHEET_BYTES, &sheet));
    exchange_sheet_clear(&sheet);
    ck_assert(!exchange_read_text(pipes[0], 10, &words));
    text_clear(&words);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(a_text_has_a_ceiling)
{
    int fd = exchange_make_text(SLICE("0123456789"));
    struct text words;

    ck_assert(exchange_read_text(fd, 10, &words));
    text_clear(&words);
    ck_assert(!exchange_read_text(fd, 9, &words));
    text_clear(&words);
    close(fd);
}
END_TEST

START_TEST(a_sheet_has_a_ceiling)
{
    char *copy = calloc(1, EXCHANGE_MAX_COPY_BYTES + 1);
    struct store_piece huge = { .bytes = copy, .length = EXCHANGE_MAX_COPY_BYTES };
    struct exchange_sheet sheet;
    int fd;

    ck_assert_uint_le(copy_max_bytes(COPY_MAX_RECIPIENTS), COPY_MAX_BYTES);
    ck_assert_int_lt(exchange_make_sheet((struct slice){ copy, EXCHANGE_MAX_COPY_BYTES + 1 },
                                         NULL, 0), 0);
    ck_assert_int_lt(exchange_make_sheet((struct slice){ copy, EXCHANGE_MAX_COPY_BYTES }, &huge,
                                         1), 0);
    fd = exchange_make_sheet((struct slice){ copy, EXCHANGE_MAX_COPY_BYTES }, NULL, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert(exchange_read_sheet(fd, EXCHANGE_MAX_SHEET_BYTES, &sheet));
    exchange_sheet_clear(&sheet);
    ck_assert(!exchange_read_sheet(fd, EXCHANGE_MAX_COPY_BYTES, &sheet));
    exchange_sheet_clear(&sheet);
    close(fd);
    free(copy);
}
END_TEST

/* ---- Requests. */

static void expect_round_trip(const struct request *request)
{
    struct request back;
    struct text words;
    struct text again;
    struct text problem;

    text_init(&words, REQUEST_MAX_BYTES);
    text_init(&again, REQUEST_MAX_BYTES);
    text_init(&problem, 200);
    request_print(&words, request);
    request_init(&back, REQUEST_LIST);
    ck_assert_msg(request_parse(&back, text_slice(&words), &problem), "%s: %s",
                  text_string(&words), text_string(&problem));
    request_print(&again, &back);
    unit_expect_text("request", &again, text_slice(&words));
    request_clear(&back);
    text_clear(&words);
    text_clear(&again);
    text_clear(&problem);
}

START_TEST(a_request_comes_back_as_it_was)
{
    struct request request;

    for (int verb = 0; verb < REQUEST_VERB_COUNT; verb++) {
        request_init(&request, (enum request_verb)verb);
        expect_round_trip(&request);
        request.style = REQUEST_JSON;
        request.is_again = true;
        request_add_id(&request, ID);
        request_add_id(&request, "06h0x6s1zxfdk76x-22");
        request.filter = (struct index_filter){
            .states = 5, .sender = "@example.net", .recipient = "a b@example.org",
            .client = "192.0.2.0/24", .reason = "rule.*", .text = "\xc3\xa9 x", .since_us = 7,
            .before_us = 9, .limit = 100, .id = "x",
        };
        expect_round_trip(&request);
        request_clear(&request);
    }
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
    static const char *const bad[] = {
        "verb\n",         "verb \n",         "verb lists\n",     "style html\n",
        "states 0\n",     "states 256\n",    "states -1\n",      "limit 0\n",
        "limit x\n",      "id ../../etc\n",  "id\n",             "colour blue\n",
        "sender \n",      "sender a\x1b\n",  "since 1\tx\n",     "since 99999999999999999999\n",
        "verb list\n\nx", "text a\x7f\n",
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct request request;
        struct text problem;

        text_init(&problem, 200);
        request_init(&request, REQUEST_LIST);
        ck_assert_msg(!request_parse(&request, slice_from(bad[i]), &problem), "taken: %s", bad[i]);
        ck_assert_uint_gt(problem.length, 0);
        request_clear(&request);
        text_clear(&problem);
    }
}
END_TEST

START_TEST(an_age_from_before_1970_is_older_than_all)
{
    static const struct {
        uint64_t now_us;
        uint64_t age_ms;
        uint64_t want;
    } cases[] = {
        { 5000000, 3000, 2000000 }, { 5000123, 3000, 2000123 }, { 5000000, 5000, 1 },
        { 5000000, 6000, 1 },       { 0, 1, 1 },                { 5000000, UINT64_MAX, 1 },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_uint_eq(request_count_back(cases[i].now_us, cases[i].age_ms), cases[i].want);
}
END_TEST

START_TEST(a_request_has_so_many_ids_and_no_more)
{
    struct text words;
    struct text problem;
    struct request request;

    text_init(&words, REQUEST_MAX_BYTES);
    text_init(&problem, 200);
    for (int i = 0; i < REQUEST_MAX_IDS; i++)
        text_add_format(&words, "id 06h0x6s1zxfdk76x-%d\n", i + 1);
    request_init(&request, REQUEST_LIST);
    ck_assert(request_parse(&request, text_slice(&words), &problem));
    ck_assert_uint_eq(request.id_count, REQUEST_MAX_IDS);
    request_clear(&request);
    text_add_string(&words, "id 06h0x6s1zxfdk76x-9999\n");
    request_init(&request, REQUEST_LIST);
    ck_assert(!request_parse(&request, text_slice(&words), &problem));
    request_clear(&request);
    text_clear(&words);
    text_clear(&problem);
}
END_TEST

START_TEST(a_copy_holds_the_digest_of_a_secret_and_not_the_secret)
{
    struct exchange_claim claim = { ID, SECRET };
    struct exchange_claim other = { ID, "1123456789abcdef0123456789abcdef" };
    char digest[COPY_CLAIM_BYTES + 1];

    exchange_digest_secret(SECRET, digest);
    ck_assert_str_eq(digest, "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9");
    ck_assert(exchange_claim_fits(&claim, digest));
    ck_assert(!exchange_claim_fits(&other, digest));
    ck_assert(!exchange_claim_fits(&claim, SECRET));
    ck_assert(!exchange_claim_fits(&claim, ""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine-exchange");
    TCase *messages = tcase_create("messages");
    TCase *sheets = tcase_create("sheets");
    TCase *requests = tcase_create("requests");

    tcase_add_checked_fixture(messages, make_channel, close_channel);
    tcase_add_test(messages, a_message_arrives_with_its_descriptors);
    tcase_add_test(messages, words_behind_a_message_are_cut_where_it_ends);
    tcase_add_test(messages, a_message_of_another_shape_is_refused);
    tcase_add_test(messages, a_claim_has_a_good_id_and_good_digits);
    tcase_add_test(messages, a_copy_holds_the_digest_of_a_secret_and_not_the_secret);
    suite_add_tcase(suite, messages);
    tcase_add_test(sheets, a_sheet_comes_back_as_it_was);
    tcase_add_test(sheets, a_damaged_sheet_is_none);
    tcase_add_test(sheets, what_is_no_regular_file_is_not_read);
    tcase_add_test(sheets, a_sheet_has_a_ceiling);
    tcase_add_test(sheets, a_text_has_a_ceiling);
    suite_add_tcase(suite, sheets);
    tcase_add_test(requests, a_request_comes_back_as_it_was);
    tcase_add_test(requests, what_is_no_request_is_refused);
    tcase_add_test(requests, an_age_from_before_1970_is_older_than_all);
    tcase_add_test(requests, a_request_has_so_many_ids_and_no_more);
    suite_add_tcase(suite, requests);
    return unit_run(suite);
}
