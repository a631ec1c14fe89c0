/* SPDX-License-Identifier: BSD-2-Clause */
/* net/stream: plain bytes in and out: lines, pauses, back-pressure. */
#include "net/stream.h"

#include "base/memory.h"
#include "stream_unit.h"

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

/* Who closes behind it has not left. */
static const struct slice farewell = { "QUIT\r\n", 6 };

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
            ck_assert_msg(slice_equals(text_slice(&taken), want),
                          "cut at %zu and %zu: got \"%.*s\"", first, second,
                          SLICE_ARGS(text_slice(&taken)));
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
    ck_assert_msg(here.inputs == 2, "what was kept, before anything new");
    ck_assert(slice_equals(stream_input(here.stream), SLICE("one")));
    net_run_for(loop, 10);
    ck_assert_uint_eq(here.inputs, 3);
    ck_assert(slice_equals(stream_input(here.stream), SLICE("onetwo")));
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 3, "nothing new, nothing offered");
    stream_pause(here.stream);
    stream_resume(here.stream);
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 4, "the same bytes, offered again");
    stream_consume(here.stream, 6);
    stream_pause(here.stream);
    stream_resume(here.stream);
    net_run_for(loop, 10);
    ck_assert_msg(here.inputs == 4, "nothing left, nothing offered");
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
    ck_assert_msg(!stream_has_peer_left(here.stream, farewell), "QUIT is not answered yet");
    ck_assert_msg(stream_has_peer_left(here.stream, SLICE("BYE\r\n")), "QUIT is no BYE");
    stream_consume(here.stream, 6);
    ck_assert(stream_has_peer_left(here.stream, farewell));
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
    ck_assert(!stream_has_peer_left(here.stream, farewell));
    send_there(SLICE("NOOP\r\n"));
    ck_assert_msg(!stream_has_peer_left(here.stream, farewell), "it is still there");
    send_there(SLICE("quit\r\n"));
    close(there);
    there = -1;
    ck_assert_msg(!stream_has_peer_left(here.stream, farewell), "QUIT is still to be read");
    stream_resume(here.stream);
    net_run_until(loop, "the end", net_has_ended, &here);
    ck_assert(stream_has_peer_left(here.stream, farewell));
}
END_TEST

START_TEST(who_left_behind_unread_commands_is_known_while_paused)
{
    stream_pause(here.stream);
    send_there(SLICE("QUIT\r\nNOOP\r\n"));
    ck_assert(!stream_has_peer_left(here.stream, farewell));
    ck_assert_int_eq(shutdown(there, SHUT_WR), 0);
    ck_assert_msg(stream_has_peer_left(here.stream, farewell), "the last word is NOOP");
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

START_TEST(a_stream_whose_output_waits_reads_no_more_until_little_is_left)
{
    char *bytes = mem_new(1 << 20);
    char *buffer = mem_new(1 << 16);
    int small = 8192; /* so that the output goes in small steps */
    int fds[2];

    net_socketpair(fds);
    ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    net_end_clear(&here);
    close(there);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
    stream_write(here.stream, (struct slice){ bytes, 1 << 20 });
    turn();
    ck_assert_uint_gt(stream_pending_output(here.stream), STREAM_MAX_OUTPUT_BYTES);
    send_there(SLICE("x"));
    net_run_for(loop, 10);
    ck_assert_uint_eq(here.inputs, 0);
    ck_assert_uint_eq(here.drained, 0);
    while (here.inputs == 0) {
        (void)receive_there(buffer, 4096);
        turn();
    }
    ck_assert_msg(here.drained == 0, "it waited until all was gone");
    ck_assert_uint_le(stream_pending_output(here.stream), STREAM_MAX_OUTPUT_BYTES);
    while (here.drained == 0) {
        (void)receive_there(buffer, 1 << 16);
        turn();
    }
    unit_expect_text("input", &here.input, SLICE("x"));
    ck_assert_uint_eq(here.drained, 1);
    mem_free(bytes);
    mem_free(buffer);
}
END_TEST

static void pause_end(struct net_end *end)
{
    stream_pause(end->stream);
}

START_TEST(a_stream_reads_less_at_a_time_while_its_owner_works_hard)
{
    static char bytes[60000];

    here.leaves_input = true;
    here.on_input = pause_end;
    stream_set_costly(here.stream, true);
    send_there((struct slice){ bytes, sizeof bytes });
    net_run_until(loop, "input", net_has_input, &here);
    ck_assert_uint_eq(stream_input(here.stream).length, STREAM_COSTLY_READ_BYTES);
    stream_set_costly(here.stream, false);
    here.on_input = NULL;
    stream_resume(here.stream);
    turn();
    turn();
    ck_assert_uint_eq(stream_input(here.stream).length, sizeof bytes);
}
END_TEST

/* A crowd that sends and is not served: none of it is lost, and little of it lies in our memory. */
START_TEST(streams_of_a_loop_keep_little_together)
{
    enum { SENT = 100000, COUNT = STREAM_MAX_KEPT_BYTES / STREAM_MAX_INPUT_BYTES + 50 };
    static struct net_end ends[COUNT];
    static char bytes[SENT];
    int peers[COUNT];
    size_t kept = 0;

    for (size_t i = 0; i < COUNT; i++) {
        int fds[2];

        net_socketpair(fds);
        net_end_init(&ends[i], loop, fds[0]);
        ends[i].leaves_input = true;
        ends[i].on_input = pause_end;
        peers[i] = fds[1];
        ck_assert_int_eq(send(peers[i], bytes, SENT, 0), SENT);
    }
    for (size_t i = 0; i < COUNT; i++)
        net_run_until(loop, "input", net_has_input, &ends[i]);
    for (size_t i = 0; i < COUNT; i++)
        kept += stream_input(ends[i].stream).length;
    ck_assert_uint_ge(kept, STREAM_MAX_KEPT_BYTES);
    ck_assert_uint_le(kept, STREAM_MAX_KEPT_BYTES + STREAM_MAX_INPUT_BYTES
                                + COUNT * STREAM_SCANT_READ_BYTES);
    for (size_t i = 0; i < COUNT; i++) {
        ends[i].leaves_input = false;
        ends[i].on_input = NULL;
        stream_resume(ends[i].stream);
    }
    for (size_t i = 0; i < COUNT; i++) {
        net_wait_for_bytes(loop, &ends[i], SENT);
        net_end_clear(&ends[i]);
        close(peers[i]);
    }
    /* There is room again. */
    here.leaves_input = true;
    ck_assert_int_eq(send(there, bytes, SENT, 0), SENT);
    net_run_until(loop, "input", net_has_input, &here);
    ck_assert_uint_eq(stream_input(here.stream).length, STREAM_MAX_INPUT_BYTES);
}
END_TEST

enum { REPLY_BYTES = 2000 };

static void write_reply(struct net_end *end)
{
    static const char reply[REPLY_BYTES];

    stream_write(end->stream, (struct slice){ reply, sizeof reply });
}

/* A crowd that asks and does not listen: little of what is to be said to it lies in our memory. */
START_TEST(streams_of_a_loop_have_little_to_say_together)
{
    enum { ROUNDS = 60, COUNT = STREAM_MAX_UNSENT_BYTES / STREAM_MAX_OUTPUT_BYTES + 100 };
    static struct net_end ends[COUNT];
    static char bytes[1 << 16];
    int peers[COUNT];
    int small = 4096;
    size_t unsent = 0;

    for (size_t i = 0; i < COUNT; i++) {
        int fds[2];

        net_socketpair(fds);
        ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
        net_end_init(&ends[i], loop, fds[0]);
        ends[i].on_input = write_reply;
        peers[i] = fds[1];
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < COUNT; i++)
            ck_assert_int_eq(send(peers[i], "x", 1, 0), 1);
        for (size_t i = 0; i < 8; i++) /* a turn serves 64 of them */
            turn();
    }
    for (size_t i = 0; i < COUNT; i++)
        unsent += stream_pending_output(ends[i].stream);
    ck_assert_uint_ge(unsent, STREAM_MAX_UNSENT_BYTES / 2);
    ck_assert_uint_le(unsent, STREAM_MAX_UNSENT_BYTES
                                  + COUNT * (STREAM_SCANT_OUTPUT_BYTES + REPLY_BYTES));
    /* Whoever listens is served. */
    for (size_t i = 0; i < COUNT; i++)
        while (ends[i].input.length < ROUNDS || stream_pending_output(ends[i].stream) > 0) {
            (void)!recv(peers[i], bytes, sizeof bytes, 0);
            turn();
        }
    for (size_t i = 0; i < COUNT; i++) {
        net_end_clear(&ends[i]);
        close(peers[i]);
    }
    /* There is room again. */
    for (size_t i = 0; i < STREAM_MAX_OUTPUT_BYTES / sizeof bytes; i++)
        stream_write(here.stream, (struct slice){ bytes, sizeof bytes });
    ck_assert(!stream_is_clogged(here.stream));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *input = new_case(suite, "input");
    TCase *output = new_case(suite, "output");

    tcase_add_test(input, lines_are_the_same_wherever_the_input_is_cut);
    tcase_add_test(input, lines_may_be_as_long_as_the_limit_and_no_longer);
    tcase_add_test(input, a_line_taken_outside_of_on_input_stays_until_the_turn_is_over);
    tcase_add_test(input, a_paused_stream_reads_nothing_and_resume_offers_what_is_left);
    tcase_add_test(input, resume_inside_on_input_gives_the_next_share_in_another_turn);
    tcase_add_test(input, the_end_comes_after_all_input_was_offered);
    tcase_add_test(input, input_left_unconsumed_stops_the_reading_at_its_ceiling);
    tcase_add_test(input, a_stream_reads_less_at_a_time_while_its_owner_works_hard);
    tcase_add_test(input, streams_of_a_loop_keep_little_together);
    tcase_add_test(input, who_left_is_known_while_paused);
    tcase_add_test(input, who_left_behind_unread_commands_is_known_while_paused);
    tcase_add_test(output, all_that_is_written_in_a_turn_leaves_in_one_piece);
    tcase_add_test(output, megabytes_go_both_ways_at_once_unharmed);
    tcase_add_test(output, streams_of_a_loop_have_little_to_say_together);
    tcase_add_test(output, a_stream_whose_output_waits_reads_no_more_until_little_is_left);
    return unit_run(suite);
}
