/* SPDX-License-Identifier: BSD-2-Clause */
/* net/stream: how streams begin and end: connecting, deadlines, owners, last words. */
#include "net/stream.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "base/clock.h"
#include "base/memory.h"
#include "stream_unit.h"

/* ---- deadlines ---- */

START_TEST(the_read_deadline_ends_the_stream_and_input_does_not_move_it)
{
    uint64_t start = clock_monotonic_us();

    stream_set_read_deadline(here.stream, 30);
    send_there(SLICE("drip"));
    net_run_until(loop, "input", net_has_input, &here);
    net_run_until(loop, "the deadline", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_READ_TIMEOUT);
    ck_assert_str_eq(here.detail, "the deadline for input passed");
    ck_assert_uint_ge(clock_monotonic_us() - start, 30000);
    ck_assert_msg(stream_can_write(here.stream), "the 421 can still be said");
}
END_TEST

START_TEST(a_read_deadline_can_be_moved_and_taken_away)
{
    stream_set_read_deadline(here.stream, 10);
    stream_set_read_deadline(here.stream, 60);
    net_run_for(loop, 25);
    ck_assert_uint_eq(here.ends, 0);
    stream_set_read_deadline(here.stream, 0);
    net_run_for(loop, 60);
    ck_assert_uint_eq(here.ends, 0);
}
END_TEST

START_TEST(the_write_timeout_counts_from_the_last_progress)
{
    char *bytes = mem_new(1 << 20);
    char *buffer = mem_new(1 << 17);
    uint64_t last = 0;

    stream_set_write_timeout(here.stream, 60);
    stream_write(here.stream, (struct slice){ bytes, 1 << 20 });
    for (int i = 0; i < 3; i++) {
        net_run_for(loop, 30);
        ck_assert_msg(here.ends == 0, "there was progress, round %d", i);
        last = clock_monotonic_us();
        while (receive_there(buffer, 1 << 17) == 1 << 17)
            continue;
    }
    net_run_until(loop, "the timeout", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_WRITE_TIMEOUT);
    ck_assert_uint_ge(clock_monotonic_us() - last, 60000);
    ck_assert_msg(strstr(here.detail, "bytes for 60 ms") != NULL, "got: %s", here.detail);
    ck_assert(!stream_can_write(here.stream));
    ck_assert_uint_eq(stream_pending_output(here.stream), 0);
    stream_write(here.stream, SLICE("ignored"));
    turn();
    mem_free(bytes);
    mem_free(buffer);
}
END_TEST

/* ---- ends ---- */

START_TEST(a_half_closed_peer_still_gets_its_answer)
{
    char buffer[64];

    send_there(SLICE("QUIT\r\n"));
    ck_assert_int_eq(shutdown(there, SHUT_WR), 0);
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_CLOSED);
    unit_expect_text("input", &here.input, SLICE("QUIT\r\n"));
    ck_assert(stream_can_write(here.stream));
    stream_write(here.stream, SLICE("221 bye\r\n"));
    turn();
    ck_assert_uint_eq(receive_there(buffer, sizeof buffer), 9);
    stream_write(here.stream, SLICE("more"));
    stream_finish(&here.stream, 1000);
    ck_assert_ptr_null(here.stream);
    turn();
    ck_assert_uint_eq(receive_there(buffer, sizeof buffer), 4);
    ck_assert_int_eq(recv(there, buffer, 1, 0), 0);
}
END_TEST

static void set_reset_on_close(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

START_TEST(a_reset_is_told_as_one)
{
    use_tcp();
    set_reset_on_close(there);
    close(there);
    there = -1;
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_RESET);
    ck_assert_str_eq(here.detail, "connection reset by peer");
    ck_assert(!stream_can_write(here.stream));
    net_run_for(loop, 10);
    ck_assert_uint_eq(here.ends, 1);
}
END_TEST

START_TEST(what_a_lost_peer_said_before_is_read_when_a_write_fails)
{
    char *bytes = mem_new(1 << 20);

    send_there(SLICE("421 closing\r\n"));
    close(there);
    there = -1;
    stream_write(here.stream, (struct slice){ bytes, 1 << 20 });
    turn(); /* reads */
    net_run_until(loop, "the end", net_has_ended, &here);
    unit_expect_text("input", &here.input, SLICE("421 closing\r\n"));
    ck_assert_int_eq(here.end, STREAM_END_RESET);
    ck_assert_str_eq(here.detail, "broken pipe");
    ck_assert_uint_eq(here.drained, 0);
    mem_free(bytes);
}
END_TEST

START_TEST(a_failed_write_ends_a_paused_stream_at_once)
{
    close(there);
    there = -1;
    stream_pause(here.stream);
    stream_write(here.stream, SLICE("250 ok\r\n"));
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_RESET);
    ck_assert_str_eq(here.detail, "broken pipe");
}
END_TEST

static void free_stream(struct net_end *end)
{
    stream_free(&end->stream);
}

static void finish_stream(struct net_end *end)
{
    stream_write(end->stream, SLICE("421 bye\r\n"));
    stream_finish(&end->stream, 1000);
}

START_TEST(a_stream_may_be_freed_or_finished_in_any_callback)
{
    static void (*const ways[])(struct net_end *) = { free_stream, finish_stream };

    for (size_t i = 0; i < COUNT(ways); i++) {
        for (size_t where = 0; where < 3; where++) {
            tear_down();
            set_up();
            here.on_input = where == 0 ? ways[i] : NULL;
            here.on_drained = where == 1 ? ways[i] : NULL;
            here.on_end = where == 2 ? ways[i] : NULL;
            send_there(SLICE("x"));
            stream_write(here.stream, SLICE("y"));
            if (where == 2) {
                close(there);
                there = -1;
            }
            for (int turns = 0; here.stream != NULL; turns++) {
                ck_assert_int_lt(turns, 10);
                turn();
            }
            ck_assert_uint_eq(here.ends, where == 2);
        }
    }
}
END_TEST

START_TEST(the_last_reply_arrives_though_the_peer_is_still_sending)
{
    char buffer[64] = "";
    char sent[20000] = "";
    size_t got;

    use_tcp();
    ck_assert_int_eq(send(there, sent, sizeof sent, 0), sizeof sent);
    stream_pause(here.stream); /* the bytes stay unread in the kernel */
    stream_write(here.stream, SLICE("554 no\r\n"));
    stream_finish(&here.stream, 5000);
    net_run_for(loop, 10);
    ck_assert_int_eq(send(there, sent, sizeof sent, 0), sizeof sent);
    net_run_for(loop, 10);
    got = receive_there(buffer, sizeof buffer);
    ck_assert_msg(got == 8 && memcmp(buffer, "554 no\r\n", 8) == 0, "got %zu bytes, errno %d", got,
                  errno);
    ck_assert_int_eq(recv(there, buffer, 1, 0), 0);
    ck_assert_int_eq(send(there, sent, 1, MSG_NOSIGNAL), 1);
    close(there);
    there = -1;
    net_run_for(loop, 5);
    ck_assert_uint_eq(here.ends, 0);
}
END_TEST

START_TEST(a_finished_stream_closes_when_its_time_is_over_or_too_much_comes)
{
    char sent[50000] = "";
    char byte;

    /* Its time: the peer neither reads all nor closes. */
    use_tcp();
    stream_finish(&here.stream, 20);
    net_run_for(loop, 40);
    ck_assert_int_eq(recv(there, &byte, 1, 0), 0);
    ck_assert_int_eq(send(there, sent, 1, MSG_NOSIGNAL), 1); /* answered by a reset */
    net_run_for(loop, 5);
    ck_assert_int_eq(send(there, sent, 1, MSG_NOSIGNAL), -1);
    /* Too much: nobody may keep us reading for ever. */
    use_tcp();
    stream_finish(&here.stream, 60000);
    for (int i = 0; i < 20 && send(there, sent, sizeof sent, MSG_NOSIGNAL) > 0; i++)
        net_run_for(loop, 2);
    ck_assert_int_eq(send(there, sent, 1, MSG_NOSIGNAL), -1);
}
END_TEST

START_TEST(a_loop_that_ends_closes_what_was_left_to_it)
{
    char byte;

    stream_write(here.stream, SLICE("x"));
    stream_finish(&here.stream, 60000);
    turn();
    loop_free(&loop);
    ck_assert_int_eq(recv(there, &byte, 1, 0), 1);
    ck_assert_int_eq(recv(there, &byte, 1, 0), 0);
    loop = loop_new();
}
END_TEST

/* Whoever opens and leaves connections quickly must not use up all descriptors. */
START_TEST(streams_past_the_ceiling_are_not_waited_for)
{
    enum { COUNT = STREAM_MAX_FINISHING + 20 };
    struct net_end ends[COUNT];
    int peers[COUNT];
    size_t closed_count = 0;
    char bytes[4] = "";

    for (size_t i = 0; i < COUNT; i++) {
        int fds[2];

        net_socketpair(fds);
        net_end_init(&ends[i], loop, fds[0]);
        peers[i] = fds[1];
        stream_write(ends[i].stream, SLICE("bye"));
        stream_finish(&ends[i].stream, 60000);
    }
    net_run_for(loop, 20);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(recv(peers[i], bytes, sizeof bytes, 0), 3);
        ck_assert_int_eq(recv(peers[i], bytes, sizeof bytes, 0), 0);
        closed_count += send(peers[i], "x", 1, MSG_NOSIGNAL) < 0;
        close(peers[i]);
    }
    ck_assert_uint_eq(closed_count, 20);
    /* Those that are closed have made room. */
    net_run_for(loop, 20);
    use_tcp();
    stream_finish(&here.stream, 60000);
    net_run_for(loop, 20);
    ck_assert_int_eq(send(there, "x", 1, MSG_NOSIGNAL), 1);
    net_run_for(loop, 20);
    ck_assert_int_eq(send(there, "x", 1, MSG_NOSIGNAL), 1);
}
END_TEST

/* ---- connecting, addresses ---- */

static bool has_drained(void *owner)
{
    return ((struct net_end *)owner)->drained > 0;
}

START_TEST(connecting_tells_when_done_and_sends_what_was_written_meanwhile)
{
    struct ip_endpoint any;
    struct ip_endpoint to;
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    struct text problem;
    int listening;
    char buffer[16];

    text_init(&problem, 200);
    ck_assert(ip_endpoint_parse(SLICE("127.0.0.1:0"), &any));
    listening = listener_bind(&any, 4, &problem);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&name, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&name, &to));
    for (int writes = 0; writes < 2; writes++) {
        net_end_clear(&here);
        net_end_init(&here, loop, -1);
        here.stream = stream_connect(loop, &to, &net_end_events, &here);
        if (writes)
            stream_write(here.stream, SLICE("EHLO"));
        ck_assert_uint_eq(here.drained, 0);
        net_run_until(loop, "connected", has_drained, &here);
        ck_assert_uint_eq(here.drained, 1);
        ck_assert(ip_endpoint_equals(stream_peer(here.stream), &to));
        ck_assert_uint_ne(stream_local(here.stream)->port, 0);
        close(there);
        there = accept(listening, NULL, NULL);
        ck_assert_int_ge(there, 0);
    }
    ck_assert_int_eq(recv(there, buffer, sizeof buffer, 0), 4);
    close(listening);
}
END_TEST

START_TEST(a_connection_refused_or_impossible_is_an_end_and_never_inside_the_call)
{
    static const struct {
        const char *to;
        const char *want;
    } cases[] = {
        { "127.0.0.1:1", "connection refused" },
        { "255.255.255.255:25", "network is unreachable" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_endpoint to;

        net_end_clear(&here);
        net_end_init(&here, loop, -1);
        ck_assert(ip_endpoint_parse(slice_from(cases[i].to), &to));
        here.stream = stream_connect(loop, &to, &net_end_events, &here);
        stream_write(here.stream, SLICE("EHLO"));
        ck_assert_uint_eq(here.ends, 0);
        net_run_until(loop, "the failure", net_has_ended, &here);
        ck_assert_int_eq(here.end, STREAM_END_RESET);
        ck_assert_msg(strcmp(here.detail, cases[i].want) == 0, "got %s, want %s", here.detail,
                      cases[i].want);
        ck_assert_uint_eq(here.drained, 0);
        ck_assert(!stream_can_write(here.stream));
    }
}
END_TEST

START_TEST(both_addresses_are_known)
{
    static const struct ip_endpoint none;
    struct sockaddr_storage name;
    struct ip_endpoint want;
    socklen_t length = sizeof name;
    int fds[2];

    ck_assert(ip_endpoint_equals(stream_peer(here.stream), &none));
    ck_assert(ip_endpoint_equals(stream_local(here.stream), &none));
    net_end_clear(&here);
    close(there);
    tcp_pair(fds);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
    ck_assert_int_eq(getsockname(there, (struct sockaddr *)&name, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&name, &want));
    ck_assert(ip_endpoint_equals(stream_peer(here.stream), &want));
    length = sizeof name;
    ck_assert_int_eq(getpeername(there, (struct sockaddr *)&name, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&name, &want));
    ck_assert(ip_endpoint_equals(stream_local(here.stream), &want));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream_end");
    TCase *deadlines = new_case(suite, "deadlines");
    TCase *ends = new_case(suite, "ends");
    TCase *beginnings = new_case(suite, "beginnings");

    tcase_add_test(deadlines, the_read_deadline_ends_the_stream_and_input_does_not_move_it);
    tcase_add_test(deadlines, a_read_deadline_can_be_moved_and_taken_away);
    tcase_add_test(deadlines, the_write_timeout_counts_from_the_last_progress);
    tcase_add_test(ends, a_half_closed_peer_still_gets_its_answer);
    tcase_add_test(ends, a_reset_is_told_as_one);
    tcase_add_test(ends, what_a_lost_peer_said_before_is_read_when_a_write_fails);
    tcase_add_test(ends, a_failed_write_ends_a_paused_stream_at_once);
    tcase_add_test(ends, a_stream_may_be_freed_or_finished_in_any_callback);
    tcase_add_test(ends, the_last_reply_arrives_though_the_peer_is_still_sending);
    tcase_add_test(ends, a_finished_stream_closes_when_its_time_is_over_or_too_much_comes);
    tcase_add_test(ends, a_loop_that_ends_closes_what_was_left_to_it);
    tcase_add_test(ends, streams_past_the_ceiling_are_not_waited_for);
    tcase_add_test(beginnings, connecting_tells_when_done_and_sends_what_was_written_meanwhile);
    tcase_add_test(beginnings,
                   a_connection_refused_or_impossible_is_an_end_and_never_inside_the_call);
    tcase_add_test(beginnings, both_addresses_are_known);
    return unit_run(suite);
}
