/* SPDX-License-Identifier: BSD-2-Clause */
/* net/stream: plain bytes in and out, lines, back-pressure, deadlines, ends. */
#include <errno.h>
#include <netinet/tcp.h>

#include "base/clock.h"
#include "base/memory.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net_unit.h"

static struct loop *loop;
static struct net_end here;
static int there; /* the other side's descriptor */

static void set_up(void)
{
    int fds[2];

    loop = loop_new();
    net_socketpair(fds);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
}

static void tear_down(void)
{
    net_end_clear(&here);
    if (there >= 0)
        close(there);
    loop_free(&loop);
}

static void do_nothing(void *owner)
{
    (void)owner;
}

/* One turn that does not wait. */
static void turn(void)
{
    struct loop_task nothing;

    loop_task_init(&nothing, do_nothing, NULL);
    loop_defer(loop, &nothing);
    loop_stop(loop);
    loop_run(loop);
}

static void send_there(struct slice bytes)
{
    ck_assert_int_eq(send(there, bytes.data, bytes.length, 0), (ssize_t)bytes.length);
}

/* What has arrived at the other side by now. */
static size_t receive_there(char *buffer, size_t size)
{
    ssize_t count = recv(there, buffer, size, 0);

    return count > 0 ? (size_t)count : 0;
}

/* Two ends of a TCP connection on loopback. */
static void tcp_pair(int fds[2])
{
    struct ip_endpoint any;
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    struct text problem;
    int listening;

    text_init(&problem, 200);
    ck_assert(ip_endpoint_parse(SLICE("127.0.0.1:0"), &any));
    listening = listener_bind(&any, 4, &problem);
    ck_assert_msg(listening >= 0, "%s", text_string(&problem));
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&name, &length), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&name, length), 0);
    fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fds[0], 0);
    net_make_nonblocking(fds[1]);
    close(listening);
}

/* The stream of `here` over TCP instead. */
static void use_tcp(void)
{
    int fds[2];

    net_end_clear(&here);
    close(there);
    tcp_pair(fds);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
}

/* ---- lines ---- */

static struct text taken;
static size_t line_limit;

static void take_lines(struct net_end *end)
{
    struct slice line;
    enum stream_line result;

    while ((result = stream_take_line(end->stream, line_limit, &line)) == STREAM_LINE_FOUND) {
        text_add_byte(&taken, '[');
        text_add(&taken, line);
        text_add_byte(&taken, ']');
    }
    if (result == STREAM_LINE_TOO_LONG) {
        text_add_string(&taken, "(long)");
        stream_consume(end->stream, stream_input(end->stream).length);
    }
}

START_TEST(lines_are_the_same_wherever_the_input_is_cut)
{
    static const char sent[] = "EHLO a\r\n\r\nbare\nlf\r\nbare\rcr\r\n\r\r\n\n\r\nnul\0x\r\nrest";
    size_t length = sizeof sent - 1;
    struct slice want = SLICE("[EHLO a][][bare\nlf][bare\rcr][\r][\n][nul\0x]");

    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second += 1 + (length - first) / 7) {
            tear_down();
            set_up();
            text_init(&taken, 1000);
            line_limit = 100;
            here.leaves_input = true;
            here.on_input = take_lines;
            if (first > 0)
                send_there((struct slice){ sent, first });
            turn();
            if (second > first)
                send_there((struct slice){ sent + first, second - first });
            turn();
            if (length > second)
                send_there((struct slice){ sent + second, length - second });
            close(there);
            there = -1;
            net_run_until(loop, "the end", net_has_ended, &here);
            ck_assert_msg(slice_equals(text_slice(&taken), want), "cut at %zu and %zu: got \"%.*s\"",
                          first, second, SLICE_ARGS(text_slice(&taken)));
            ck_assert(slice_equals(stream_input(here.stream), SLICE("rest")));
            text_clear(&taken);
        }
    }
}
END_TEST

START_TEST(lines_may_be_as_long_as_the_limit_and_no_longer)
{
    static const struct {
        size_t limit;
        const char *sent;
        const char *want;
    } cases[] = {
        { 3, "abc\r\n", "[abc]" },     { 3, "abcd\r\n", "(long)" }, { 3, "abc", "" },
        { 3, "abc\r", "" },            { 3, "abcd", "(long)" },     { 3, "abc\n", "(long)" },
        { 3, "abc\r\r\n", "(long)" },  { 3, "ab\r\r\n", "[ab\r]" }, { 3, "ab\n\r\n", "[ab\n]" },
        { 0, "\r\n", "[]" },           { 0, "\r", "" },             { 0, "a", "(long)" },
        { 3, "a\r\nabcd\r\n", "[a](long)" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        tear_down();
        set_up();
        text_init(&taken, 1000);
        line_limit = cases[i].limit;
        here.leaves_input = true;
        here.on_input = take_lines;
        send_there(slice_from(cases[i].sent));
        net_run_until(loop, "input", net_has_input, &here);
        ck_assert_msg(strcmp(text_string(&taken), cases[i].want) == 0,
                      "case %zu: got \"%s\", want \"%s\"", i, text_string(&taken), cases[i].want);
        text_clear(&taken);
    }
}
END_TEST

START_TEST(a_line_taken_outside_of_on_input_stays_until_the_turn_is_over)
{
    struct slice one;
    struct slice two;

    here.leaves_input = true;
    send_there(SLICE("one\r\ntwo\r\n"));
    net_run_until(loop, "input", net_has_input, &here);
    ck_assert_int_eq(stream_take_line(here.stream, 10, &one), STREAM_LINE_FOUND);
    ck_assert(slice_equals(one, SLICE("one")));
    ck_assert_int_eq(stream_take_line(here.stream, 10, &two), STREAM_LINE_FOUND);
    stream_write(here.stream, one);
    ck_assert(slice_equals(two, SLICE("two")));
    ck_assert_int_eq(stream_take_line(here.stream, 10, &one), STREAM_LINE_PARTIAL);
    turn();
    ck_assert_uint_eq(stream_input(here.stream).length, 0);
    ck_assert_uint_eq(here.inputs, 1);
}
END_TEST

/* ---- pause and resume ---- */

START_TEST(a_paused_stream_reads_nothing_and_resume_offers_what_is_left)
{
    here.leaves_input = true;
    send_there(SLICE("one"));
    net_run_until(loop, "input", net_has_input, &here);
    stream_pause(here.stream);
    ck_assert(stream_is_paused(here.stream));
    send_there(SLICE("two"));
    net_run_for(loop, 10);
    ck_assert_uint_eq(here.inputs, 1);
    ck_assert(slice_equals(stream_input(here.stream), SLICE("one")));
    stream_resume(here.stream);
    ck_assert(!stream_is_paused(here.stream));
    ck_assert_msg(here.inputs == 1, "not inside the call");
    turn();
    ck_assert_uint_eq(here.inputs, 2);
    ck_assert(slice_equals(stream_input(here.stream), SLICE("onetwo")));
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 2, "nothing new, nothing offered");
    stream_pause(here.stream);
    stream_resume(here.stream);
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 3, "the same bytes, offered again");
    stream_consume(here.stream, 6);
    stream_pause(here.stream);
    stream_resume(here.stream);
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 3, "nothing left, nothing offered");
}
END_TEST

static void take_one_byte(struct net_end *end)
{
    if (stream_input(end->stream).length == 0)
        return;
    text_add(&end->input, slice_until(stream_input(end->stream), 1));
    stream_consume(end->stream, 1);
    stream_resume(end->stream);
}

START_TEST(resume_inside_on_input_gives_the_next_share_in_another_turn)
{
    here.leaves_input = true;
    here.on_input = take_one_byte;
    send_there(SLICE("0123456789"));
    for (unsigned int turns = 1; here.input.length < 10; turns++) {
        turn();
        /* One share with the read, one for what was put off in each turn. */
        ck_assert_uint_le(here.input.length, turns + 1);
    }
    unit_expect_text("all", &here.input, SLICE("0123456789"));
    ck_assert_uint_eq(stream_input(here.stream).length, 0);
}
END_TEST

static void pause_at_end(struct net_end *end)
{
    stream_pause(end->stream);
}

START_TEST(the_end_comes_after_all_input_was_offered)
{
    here.leaves_input = true;
    here.on_input = pause_at_end;
    send_there(SLICE("QUIT\r\n"));
    close(there);
    there = -1;
    net_run_for(loop, 20);
    ck_assert_uint_eq(here.inputs, 1);
    ck_assert_msg(here.ends == 0, "paused, with input left");
    ck_assert_msg(!stream_has_peer_left(here.stream), "the command in front is not answered yet");
    stream_consume(here.stream, 6);
    ck_assert(stream_has_peer_left(here.stream));
    here.on_input = NULL;
    stream_resume(here.stream);
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert_int_eq(here.end, STREAM_END_CLOSED);
    ck_assert_uint_eq(here.inputs, 1);
}
END_TEST

START_TEST(input_left_unconsumed_stops_the_reading_at_its_ceiling)
{
    char *bytes = mem_new(1 << 20);
    size_t sent = 0;
    size_t kept;
    ssize_t count;

    here.leaves_input = true;
    while ((count = send(there, bytes, 50000, 0)) > 0 && sent < 1 << 20) {
        sent += (size_t)count;
        turn();
    }
    net_run_for(loop, 20);
    kept = stream_input(here.stream).length;
    ck_assert_uint_ge(kept, STREAM_MAX_INPUT_BYTES);
    ck_assert_uint_le(kept, 2 * STREAM_MAX_INPUT_BYTES);
    ck_assert_uint_gt(sent, kept);
    /* A little below the ceiling is enough for it to go on. */
    here.leaves_input = false;
    stream_consume(here.stream, kept - STREAM_MAX_INPUT_BYTES + 1);
    net_wait_for_bytes(loop, &here, sent - (kept - STREAM_MAX_INPUT_BYTES + 1));
    mem_free(bytes);
}
END_TEST

START_TEST(who_left_is_known_while_paused)
{
    stream_pause(here.stream);
    ck_assert(!stream_has_peer_left(here.stream));
    send_there(SLICE("x"));
    ck_assert(!stream_has_peer_left(here.stream));
    close(there);
    there = -1;
    ck_assert_msg(!stream_has_peer_left(here.stream), "a byte is still to be read");
    stream_resume(here.stream);
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert(stream_has_peer_left(here.stream));
}
END_TEST

/* ---- output ---- */

START_TEST(all_that_is_written_in_a_turn_leaves_in_one_piece)
{
    int fds[2];
    char buffer[40000];
    char *large = mem_new(20000);

    /* Sequential packets keep the borders of the system calls. */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
    stream_free(&here.stream);
    close(there);
    there = fds[1];
    here.stream = stream_new(loop, fds[0], &net_end_events, &here);
    stream_write(here.stream, SLICE("250-one\r\n"));
    stream_write(here.stream, SLICE("250-two\r\n"));
    stream_write(here.stream, SLICE_EMPTY);
    stream_write(here.stream, (struct slice){ large, 20000 });
    stream_write(here.stream, SLICE("250 end\r\n"));
    ck_assert_uint_eq(stream_pending_output(here.stream), 20027);
    ck_assert_msg(receive_there(buffer, sizeof buffer) == 0, "not inside the call");
    turn();
    ck_assert_uint_eq(receive_there(buffer, sizeof buffer), 20027);
    ck_assert_int_eq(memcmp(buffer, "250-one\r\n250-two\r\n", 18), 0);
    ck_assert_int_eq(memcmp(buffer + 20018, "250 end\r\n", 9), 0);
    ck_assert_uint_eq(here.drained, 1);
    ck_assert_uint_eq(stream_pending_output(here.stream), 0);
    mem_free(large);
}
END_TEST

/* Pumps `total` bytes of a pattern, as much at a time as goes. */
struct pump {
    struct net_end end;
    size_t total;
    size_t written;
    size_t checked;
};

static char pattern(size_t offset)
{
    return (char)(offset * 31 + offset / 4093);
}

static void pump_more(struct net_end *end)
{
    struct pump *pump = LIST_OWNER(end, struct pump, end);
    char bytes[30011];

    while (pump->written < pump->total && stream_pending_output(end->stream) < 32768) {
        size_t part = pump->total - pump->written;

        if (part > sizeof bytes)
            part = sizeof bytes;
        for (size_t i = 0; i < part; i++)
            bytes[i] = pattern(pump->written + i);
        stream_write(end->stream, (struct slice){ bytes, part });
        pump->written += part;
    }
}

static void pump_check(struct net_end *end)
{
    struct pump *pump = LIST_OWNER(end, struct pump, end);

    for (size_t i = 0; i < end->input.length; i++)
        if (end->input.data[i] != pattern(pump->checked + i))
            ck_abort_msg("wrong byte at %zu", pump->checked + i);
    pump->checked += end->input.length;
    text_reset(&end->input);
}

static bool pumps_are_done(void *owner)
{
    const struct pump *pumps = owner;

    return pumps[0].checked == pumps[1].total && pumps[1].checked == pumps[0].total;
}

START_TEST(megabytes_go_both_ways_at_once_unharmed)
{
    struct pump pumps[2] = { { .total = 7000003 }, { .total = 5000001 } };
    int fds[2];

    tcp_pair(fds);
    for (size_t i = 0; i < 2; i++) {
        net_end_init(&pumps[i].end, loop, fds[i]);
        pumps[i].end.on_drained = pump_more;
        pumps[i].end.on_input = pump_check;
        pump_more(&pumps[i].end);
    }
    net_run_until(loop, "all bytes", pumps_are_done, pumps);
    for (size_t i = 0; i < 2; i++)
        net_end_clear(&pumps[i].end);
}
END_TEST

START_TEST(a_stream_whose_output_waits_reads_no_more_until_it_is_gone)
{
    char *bytes = mem_new(1 << 20);
    char *buffer = mem_new(1 << 16);

    stream_write(here.stream, (struct slice){ bytes, 1 << 20 });
    turn();
    ck_assert_uint_gt(stream_pending_output(here.stream), STREAM_MAX_OUTPUT_BYTES);
    send_there(SLICE("x"));
    net_run_for(loop, 10);
    ck_assert_uint_eq(here.inputs, 0);
    ck_assert_uint_eq(here.drained, 0);
    while (here.inputs == 0 || here.drained == 0) {
        while (receive_there(buffer, 1 << 16) > 0)
            continue;
        turn();
    }
    unit_expect_text("input", &here.input, SLICE("x"));
    ck_assert_uint_eq(here.drained, 1);
    mem_free(bytes);
    mem_free(buffer);
}
END_TEST

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

/* ---- owners, connecting, addresses ---- */

START_TEST(a_new_owner_is_called_from_then_on)
{
    struct net_end other;

    net_end_init(&other, loop, -1);
    send_there(SLICE("one"));
    net_run_until(loop, "input", net_has_input, &here);
    other.stream = here.stream;
    here.stream = NULL;
    stream_set_owner(other.stream, &net_end_events, &other);
    send_there(SLICE("two"));
    net_run_until(loop, "input of the new owner", net_has_input, &other);
    unit_expect_text("old", &here.input, SLICE("one"));
    unit_expect_text("new", &other.input, SLICE("two"));
    close(there);
    there = -1;
    net_run_until(loop, "the end", net_has_ended, &other);
    ck_assert_uint_eq(here.ends, 0);
    net_end_clear(&other);
}
END_TEST

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
    int on = 0;
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
    length = sizeof on;
    ck_assert_int_eq(getsockopt(there, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
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

START_TEST(both_addresses_are_known_and_nagle_is_off)
{
    static const struct ip_endpoint none;
    struct sockaddr_storage name;
    struct ip_endpoint want;
    socklen_t length = sizeof name;
    int fds[2];
    int on = 0;

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
    length = sizeof on;
    ck_assert_int_eq(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    ck_assert_int_eq(on, 1);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *input = new_case(suite, "input");
    TCase *output = new_case(suite, "output");
    TCase *ends = new_case(suite, "ends");
    TCase *beginnings = new_case(suite, "beginnings");

    tcase_add_test(input, lines_are_the_same_wherever_the_input_is_cut);
    tcase_add_test(input, lines_may_be_as_long_as_the_limit_and_no_longer);
    tcase_add_test(input, a_line_taken_outside_of_on_input_stays_until_the_turn_is_over);
    tcase_add_test(input, a_paused_stream_reads_nothing_and_resume_offers_what_is_left);
    tcase_add_test(input, resume_inside_on_input_gives_the_next_share_in_another_turn);
    tcase_add_test(input, the_end_comes_after_all_input_was_offered);
    tcase_add_test(input, input_left_unconsumed_stops_the_reading_at_its_ceiling);
    tcase_add_test(input, who_left_is_known_while_paused);
    tcase_add_test(output, all_that_is_written_in_a_turn_leaves_in_one_piece);
    tcase_add_test(output, megabytes_go_both_ways_at_once_unharmed);
    tcase_add_test(output, a_stream_whose_output_waits_reads_no_more_until_it_is_gone);
    tcase_add_test(ends, the_read_deadline_ends_the_stream_and_input_does_not_move_it);
    tcase_add_test(ends, a_read_deadline_can_be_moved_and_taken_away);
    tcase_add_test(ends, the_write_timeout_counts_from_the_last_progress);
    tcase_add_test(ends, a_half_closed_peer_still_gets_its_answer);
    tcase_add_test(ends, a_reset_is_told_as_one);
    tcase_add_test(ends, what_a_lost_peer_said_before_is_read_when_a_write_fails);
    tcase_add_test(ends, a_failed_write_ends_a_paused_stream_at_once);
    tcase_add_test(ends, a_stream_may_be_freed_or_finished_in_any_callback);
    tcase_add_test(ends, the_last_reply_arrives_though_the_peer_is_still_sending);
    tcase_add_test(ends, a_finished_stream_closes_when_its_time_is_over_or_too_much_comes);
    tcase_add_test(ends, a_loop_that_ends_closes_what_was_left_to_it);
    tcase_add_test(beginnings, a_new_owner_is_called_from_then_on);
    tcase_add_test(beginnings, connecting_tells_when_done_and_sends_what_was_written_meanwhile);
    tcase_add_test(beginnings,
                   a_connection_refused_or_impossible_is_an_end_and_never_inside_the_call);
    tcase_add_test(beginnings, both_addresses_are_known_and_nagle_is_off);
    return unit_run(suite);
}
