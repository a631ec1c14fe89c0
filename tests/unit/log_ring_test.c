/* SPDX-License-Identifier: BSD-2-Clause */
/* record/log_ring: order, room, reservations, and what is left when somebody is killed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "record/log_ring.h"
#include "record/record.h"
#include "unit.h"

#define RING_BYTES 16384
#define SLOT_COUNT 4
#define ROOM (16u * LOG_RING_BATCH_BYTES)

struct ring {
    void *memory;
    size_t size;
    int wake_fd;
    struct log_ring_writer *writer;
    struct log_ring_reader *reader;
    struct text out;
};

static struct ring ring;

static void set_up_ring(size_t ring_bytes, size_t slot_count)
{
    ring.size = log_ring_memory_bytes(ring_bytes, slot_count);
    ring.memory = mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(ring.memory != MAP_FAILED);
    ring.wake_fd = eventfd(0, EFD_NONBLOCK);
    ring.writer = log_ring_writer_new(ring.memory, ring_bytes, slot_count, ring.wake_fd);
    ring.reader = log_ring_reader_new(ring.memory, ring_bytes, slot_count);
    text_init(&ring.out, ROOM);
}

static void set_up(void)
{
    set_up_ring(RING_BYTES, SLOT_COUNT);
}

static void tear_down(void)
{
    log_ring_writer_free(&ring.writer);
    log_ring_reader_free(&ring.reader);
    text_clear(&ring.out);
    munmap(ring.memory, ring.size);
    close(ring.wake_fd);
}

/* All there is, released. */
static void read_all(void)
{
    while (log_ring_read(ring.reader, &ring.out))
        continue;
    log_ring_release(ring.reader);
}

static void expect_out(const char *want)
{
    unit_expect_text("read", &ring.out, slice_from(want));
    text_reset(&ring.out);
}

static bool was_woken(void)
{
    uint64_t count;

    return read(ring.wake_fd, &count, sizeof count) == sizeof count;
}

START_TEST(lines_come_out_in_order)
{
    ck_assert(!log_ring_read(ring.reader, &ring.out));
    ck_assert(log_ring_write(ring.writer, SLICE("one\n")));
    ck_assert(log_ring_write(ring.writer, SLICE("two\nthree\n")));
    read_all();
    expect_out("one\ntwo\nthree\n");
    read_all();
    expect_out("");
}
END_TEST

START_TEST(a_sleeping_reader_is_woken_once)
{
    ck_assert(log_ring_write(ring.writer, SLICE("awake\n")));
    ck_assert_msg(!was_woken(), "a reader that is awake was woken");
    read_all();
    ck_assert(log_ring_write(ring.writer, SLICE("one\n")));
    ck_assert_msg(was_woken(), "a sleeping reader was not woken");
    ck_assert(log_ring_write(ring.writer, SLICE("two\n")));
    ck_assert_msg(!was_woken(), "it was woken twice");
}
END_TEST

START_TEST(lines_wrap_around_the_end)
{
    char line[1000];
    size_t count = 0;

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int round = 0; round < 100; round++) {
        size_t length = 1 + (size_t)(round * 37) % (sizeof line - 1);
        struct slice wanted = { line + sizeof line - length, length };

        ck_assert(log_ring_write(ring.writer, wanted));
        ck_assert(log_ring_write(ring.writer, wanted));
        read_all();
        ck_assert_msg(ring.out.length == 2 * length, "round %d: got %zu bytes, want %zu", round,
                      ring.out.length, 2 * length);
        for (size_t i = 0; i < ring.out.length; i++)
            count += ring.out.data[i] == '\n';
        text_reset(&ring.out);
    }
    ck_assert_msg(count == 200, "got %zu lines, want 200", count);
}
END_TEST

START_TEST(what_does_not_fit_is_lost_and_counted)
{
    char line[1024];
    size_t written = 0;

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    while (log_ring_write(ring.writer, (struct slice){ line, sizeof line }))
        written++;
    ck_assert_msg(written == RING_BYTES / sizeof line, "got %zu lines in", written);
    ck_assert(!log_ring_write(ring.writer, SLICE("more\n")));
    ck_assert_uint_eq(log_ring_take_lost_count(ring.reader), 2);
    ck_assert_uint_eq(log_ring_take_lost_count(ring.reader), 0);
    read_all();
    ck_assert_uint_eq(ring.out.length, written * sizeof line);
    text_reset(&ring.out);
    ck_assert(log_ring_write(ring.writer, SLICE("room again\n")));
    read_all();
    expect_out("room again\n");
}
END_TEST

START_TEST(room_comes_back_with_the_release_and_not_before)
{
    char line[RING_BYTES / 2];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    ck_assert(log_ring_write(ring.writer, (struct slice){ line, sizeof line }));
    ck_assert(log_ring_write(ring.writer, (struct slice){ line, sizeof line }));
    while (log_ring_read(ring.reader, &ring.out))
        continue;
    ck_assert_msg(!log_ring_write(ring.writer, SLICE("x\n")), "room before the release");
    log_ring_release(ring.reader);
    ck_assert_msg(log_ring_write(ring.writer, SLICE("x\n")), "no room after the release");
}
END_TEST

START_TEST(a_new_reader_reads_again_what_was_not_released)
{
    ck_assert(log_ring_write(ring.writer, SLICE("one\n")));
    read_all();
    text_reset(&ring.out);
    ck_assert(log_ring_write(ring.writer, SLICE("two\n")));
    ck_assert(log_ring_read(ring.reader, &ring.out));
    text_reset(&ring.out);
    /* Here the first reader dies. */
    log_ring_reader_free(&ring.reader);
    ring.reader = log_ring_reader_new(ring.memory, RING_BYTES, SLOT_COUNT);
    read_all();
    expect_out("two\n");
}
END_TEST

/* ---- Reservations. */

START_TEST(a_reservation_keeps_its_room_whatever_others_write)
{
    struct log_ring_slot *slot = log_ring_reserve(ring.writer, SLICE("lost\n"), 5000);
    char final[5000];

    memset(final, 'f', sizeof final);
    final[sizeof final - 1] = '\n';
    ck_assert(slot != NULL);
    while (log_ring_write(ring.writer, SLICE("a line of others\n")))
        continue;
    log_ring_commit(ring.writer, &slot, (struct slice){ final, sizeof final });
    ck_assert(slot == NULL);
    read_all();
    ck_assert_msg(ring.out.length > sizeof final &&
                      memcmp(ring.out.data + ring.out.length - sizeof final, final,
                             sizeof final) == 0, "the final line is not at the end, or not whole");
    text_reset(&ring.out);
    ck_assert(!log_ring_recover(ring.reader, &ring.out));
}
END_TEST

START_TEST(there_are_as_many_reservations_as_slots_and_room)
{
    struct log_ring_slot *slots[SLOT_COUNT + 1];
    struct log_ring_slot *big;

    for (int i = 0; i < SLOT_COUNT; i++) {
        slots[i] = log_ring_reserve(ring.writer, SLICE("lost\n"), 100);
        ck_assert_msg(slots[i] != NULL, "slot %d", i);
    }
    slots[SLOT_COUNT] = log_ring_reserve(ring.writer, SLICE("lost\n"), 100);
    ck_assert_msg(slots[SLOT_COUNT] == NULL, "one more than there are slots");
    log_ring_commit(ring.writer, &slots[1], SLICE("done\n"));
    big = log_ring_reserve(ring.writer, SLICE("lost\n"), RING_BYTES);
    ck_assert_msg(big == NULL, "more than there is room for");
    big = log_ring_reserve(ring.writer, SLICE("lost\n"), RING_BYTES - 300 - 5);
    ck_assert_msg(big != NULL, "all the room there is");
}
END_TEST

START_TEST(a_final_line_is_cut_to_what_was_reserved_behind_a_whole_line)
{
    struct log_ring_slot *slot = log_ring_reserve(ring.writer, SLICE("lost\n"), 9);

    log_ring_commit(ring.writer, &slot, SLICE("one\ntwo\nthree\n"));
    read_all();
    expect_out("one\ntwo\n");
}
END_TEST

START_TEST(open_reservations_are_published_once_after_the_writers_death)
{
    struct log_ring_slot *done, *open;

    done = log_ring_reserve(ring.writer, SLICE("done is lost\n"), 100);
    open = log_ring_reserve(ring.writer, SLICE("open is lost\nand a second line\nand ha"), 100);
    (void)open;
    log_ring_commit(ring.writer, &done, SLICE("done\n"));
    read_all();
    expect_out("done\n");
    ck_assert(log_ring_recover(ring.reader, &ring.out));
    expect_out("open is lost\nand a second line\n");
    ck_assert(!log_ring_recover(ring.reader, &ring.out));
    log_ring_release(ring.reader);
    log_ring_reader_free(&ring.reader);
    ring.reader = log_ring_reader_new(ring.memory, RING_BYTES, SLOT_COUNT);
    ck_assert_msg(!log_ring_recover(ring.reader, &ring.out), "a second reader found it again");
}
END_TEST

START_TEST(a_recovery_that_was_not_released_is_done_again)
{
    struct log_ring_slot *open = log_ring_reserve(ring.writer, SLICE("lost\n"), 100);

    (void)open;
    ck_assert(log_ring_recover(ring.reader, &ring.out));
    text_reset(&ring.out);
    log_ring_reader_free(&ring.reader);
    ring.reader = log_ring_reader_new(ring.memory, RING_BYTES, SLOT_COUNT);
    ck_assert(log_ring_recover(ring.reader, &ring.out));
    expect_out("lost\n");
}
END_TEST

/* ---- Hostile memory. */

START_TEST(control_bytes_of_a_broken_writer_do_not_get_through)
{
    struct log_ring_slot *slot = log_ring_reserve(ring.writer, SLICE("\x1b[31mred\x7f\n"), 100);

    (void)slot;
    ck_assert(log_ring_write(ring.writer, SLICE("a\x1b[2Jb\r\tc\0d\n")));
    read_all();
    expect_out("a?[2Jb??c?d\n");
    ck_assert(log_ring_recover(ring.reader, &ring.out));
    expect_out("?[31mred?\n");
}
END_TEST

START_TEST(rubbish_without_a_line_end_gets_one)
{
    ck_assert(log_ring_write(ring.writer, SLICE("no end")));
    read_all();
    expect_out("no en\n");
}
END_TEST

/* ---- Two processes, one of which is killed. */

/* What the writer counts beside the ring, also in shared memory. */
struct tally {
    _Atomic uint64_t begun;   /* transactions that have a reservation */
    _Atomic uint64_t ended;   /* of which the final line is written for sure */
    _Atomic uint64_t plain;   /* lines without a reservation, likewise */
};

static struct tally *new_tally(void)
{
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert(tally != MAP_FAILED);
    return tally;
}

/* Up to three transactions are open at a time; runs until it is killed. */
static void write_for_ever(struct tally *tally)
{
    struct log_ring_slot *slots[3] = { NULL };
    uint64_t numbers[3] = { 0 };

    for (uint64_t number = 1;; number++) {
        size_t place = number % 3;
        char line[200];
        int length;

        if (slots[place] != NULL) {
            length = snprintf(line, sizeof line, "final %llu %.*s\n",
                              (unsigned long long)numbers[place], (int)(number % 150),
                              "..............................................................."
                              "...............................................................");
            log_ring_commit(ring.writer, &slots[place], (struct slice){ line, (size_t)length });
            tally->ended++;
        }
        length = snprintf(line, sizeof line, "lost %llu\n", (unsigned long long)number);
        while ((slots[place] = log_ring_reserve(ring.writer, (struct slice){ line, (size_t)length },
                                                200)) == NULL)
            usleep(10);
        numbers[place] = number;
        tally->begun = number;
        if (log_ring_write(ring.writer, SLICE("plain\n")))
            tally->plain++;
    }
}

/* Counts how often each transaction has a line; `seen` has room for all of them. */
static void count_lines(struct slice lines, unsigned char *seen, size_t seen_count, uint64_t *plain)
{
    struct slice line;

    while (slice_next(&lines, '\n', &line)) {
        unsigned long long number;
        char copy[300];

        if (line.length == 0)
            continue;
        ck_assert(line.length < sizeof copy);
        memcpy(copy, line.data, line.length);
        copy[line.length] = '\0';
        if (strcmp(copy, "plain") == 0) {
            (*plain)++;
            continue;
        }
        ck_assert_msg(sscanf(copy, "final %llu", &number) == 1 ||
                          sscanf(copy, "lost %llu", &number) == 1, "a torn line: %s", copy);
        ck_assert_msg(number < seen_count, "a number that never was: %s", copy);
        seen[number]++;
    }
}

static void check_one_death(unsigned int after_us)
{
    struct tally *tally = new_tally();
    pid_t writer = fork();
    uint64_t deadline_us = clock_monotonic_us() + after_us;
    unsigned char *seen;
    uint64_t plain = 0;
    size_t seen_count;

    if (writer == 0)
        write_for_ever(tally);
    while (clock_monotonic_us() < deadline_us && ring.out.length + LOG_RING_BATCH_BYTES < ROOM)
        if (log_ring_read(ring.reader, &ring.out))
            log_ring_release(ring.reader);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    ring.out.max_length = 2 * ROOM;
    while (log_ring_read(ring.reader, &ring.out) || log_ring_recover(ring.reader, &ring.out))
        log_ring_release(ring.reader);
    seen_count = (size_t)tally->begun + 2;
    seen = mem_new(seen_count);
    count_lines(text_slice(&ring.out), seen, seen_count, &plain);
    for (uint64_t i = 1; i <= tally->begun; i++)
        ck_assert_msg(seen[i] == 1, "transaction %llu of %llu: got %d lines, want 1",
                      (unsigned long long)i, (unsigned long long)tally->begun, seen[i]);
    ck_assert_msg(seen[seen_count - 1] <= 1, "the one that was being reserved is there twice");
    ck_assert_msg(plain == tally->plain || plain == tally->plain + 1, "plain lines: got %llu, want "
                  "%llu", (unsigned long long)plain, (unsigned long long)tally->plain);
    mem_free(seen);
    munmap(tally, sizeof *tally);
}

START_TEST(a_writer_killed_at_any_moment_leaves_each_transaction_once)
{
    uint64_t end_us = clock_monotonic_us() + 2500000;
    unsigned int chance = 12345;

    for (int i = 0; i < 400 && clock_monotonic_us() < end_us; i++) {
        chance = chance * 1103515245 + 12345;
        check_one_death(200 + chance / 65536 % 6000);
        tear_down();
        set_up();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_ring");
    TCase *alone = tcase_create("one process");
    TCase *killed = tcase_create("two processes");

    tcase_add_checked_fixture(alone, set_up, tear_down);
    tcase_add_test(alone, lines_come_out_in_order);
    tcase_add_test(alone, a_sleeping_reader_is_woken_once);
    tcase_add_test(alone, lines_wrap_around_the_end);
    tcase_add_test(alone, what_does_not_fit_is_lost_and_counted);
    tcase_add_test(alone, room_comes_back_with_the_release_and_not_before);
    tcase_add_test(alone, a_new_reader_reads_again_what_was_not_released);
    tcase_add_test(alone, a_reservation_keeps_its_room_whatever_others_write);
    tcase_add_test(alone, there_are_as_many_reservations_as_slots_and_room);
    tcase_add_test(alone, a_final_line_is_cut_to_what_was_reserved_behind_a_whole_line);
    tcase_add_test(alone, open_reservations_are_published_once_after_the_writers_death);
    tcase_add_test(alone, a_recovery_that_was_not_released_is_done_again);
    tcase_add_test(alone, control_bytes_of_a_broken_writer_do_not_get_through);
    tcase_add_test(alone, rubbish_without_a_line_end_gets_one);
    suite_add_tcase(suite, alone);
    tcase_add_checked_fixture(killed, set_up, tear_down);
    tcase_set_timeout(killed, 30);
    tcase_add_test(killed, a_writer_killed_at_any_moment_leaves_each_transaction_once);
    suite_add_tcase(suite, killed);
    return unit_run(suite);
}
