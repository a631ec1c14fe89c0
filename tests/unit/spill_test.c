/* SPDX-License-Identifier: BSD-2-Clause */
/* net/spill: spools go to disk and come back without waiting on the loop. */
#include "net/spill.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "net_unit.h"

#define DISK_BYTES (1u << 20)

static struct loop *loop;
static char folder[32];
static int folder_fd;
static struct spill *spill;
static struct spool_budget budget;
static struct spool spool;

/* What was logged last. */
static char logged[200];

static void keep_message(void *owner, enum log_level level, const char *event, struct slice message)
{
    (void)owner;
    (void)level;
    snprintf(logged, sizeof logged, "%s: %.*s", event, SLICE_ARGS(message));
}

static void set_up(void)
{
    log_set_sink(keep_message, NULL);
    loop = loop_new();
    snprintf(folder, sizeof folder, "/tmp/spill-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    folder_fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(folder_fd, 0);
    spill = spill_new(loop, folder_fd, DISK_BYTES);
    budget = (struct spool_budget){ 0, 4 << 20 };
    spool_init(&spool, &budget);
}

static void tear_down(void)
{
    spool_clear(&spool);
    spill_free(&spill);
    loop_free(&loop);
    close(folder_fd);
    ck_assert_int_eq(rmdir(folder), 0);
    log_set_sink(NULL, NULL);
    ck_assert_uint_eq(budget.used_bytes, 0);
}

static char pattern_at(uint64_t offset)
{
    return (char)('a' + (offset * 7 + offset / 251) % 26);
}

static void append_pattern(struct spool *to, size_t count)
{
    char *bytes = mem_new(count);

    for (size_t i = 0; i < count; i++)
        bytes[i] = pattern_at(to->length + i);
    ck_assert(spool_append(to, (struct slice){ bytes, count }));
    mem_free(bytes);
}

static void expect_pattern(const char *bytes, uint64_t offset, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != pattern_at(offset + i))
            ck_abort_msg("wrong byte at %llu", (unsigned long long)(offset + i));
}

/* What `done` said. */
struct outcome {
    unsigned int calls;
    enum spill_result result;
};

static void on_done(void *owner, enum spill_result result)
{
    struct outcome *outcome = owner;

    outcome->calls++;
    outcome->result = result;
}

static bool has_outcome(void *owner)
{
    return ((struct outcome *)owner)->calls > 0;
}

static enum spill_result write_and_wait(struct spool *what)
{
    struct outcome outcome = { 0 };

    ck_assert_ptr_nonnull(spill_write_start(spill, what, on_done, &outcome));
    ck_assert_uint_eq(outcome.calls, 0);
    net_run_until(loop, "the write", has_outcome, &outcome);
    ck_assert_uint_eq(outcome.calls, 1);
    return outcome.result;
}

/* The disk budget shows in what still fits: the rest of it, and not one byte more. */
static void expect_on_disk(size_t bytes)
{
    struct spool_budget own = { 0, 2 * DISK_BYTES };
    struct spool probe;

    spool_init(&probe, &own);
    append_pattern(&probe, DISK_BYTES - bytes);
    ck_assert_msg(write_and_wait(&probe) == SPILL_DONE, "more than %zu bytes are taken", bytes);
    append_pattern(&probe, 1);
    ck_assert_msg(write_and_wait(&probe) == SPILL_DISK_FULL, "less than %zu bytes are taken",
                  bytes);
    spool_clear(&probe);
}

static void read_and_compare(const struct spool *what, uint64_t offset, size_t count)
{
    struct outcome outcome = { 0 };
    char *buffer = mem_new(count);

    ck_assert_ptr_nonnull(spill_read_start(spill, what, offset, buffer, count, on_done, &outcome));
    net_run_until(loop, "the read", has_outcome, &outcome);
    ck_assert_int_eq(outcome.result, SPILL_DONE);
    expect_pattern(buffer, offset, count);
    mem_free(buffer);
}

static size_t count_names(void)
{
    DIR *directory = opendir(folder);
    size_t count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2;
}

/* Bytes come only after the queue: an operation put behind all others is done. */
static void let_thread_catch_up(void)
{
    struct spool_budget own = { 0, 1 << 20 };
    struct spool small;

    spool_init(&small, &own);
    append_pattern(&small, 1);
    ck_assert_int_eq(write_and_wait(&small), SPILL_DONE);
    spool_clear(&small);
}

START_TEST(what_went_to_disk_comes_back)
{
    append_pattern(&spool, 300001);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    ck_assert_uint_eq(spool.file_length, 300001);
    ck_assert_uint_eq(spool_memory_bytes(&spool), 0);
    ck_assert_uint_eq(budget.used_bytes, 0);
    expect_on_disk(300001);
    ck_assert_uint_eq(count_names(), 0);
    append_pattern(&spool, 200000);
    read_and_compare(&spool, 0, 300001);
    read_and_compare(&spool, 16383, 2);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    ck_assert_uint_eq(spool.file_length, 500001);
    read_and_compare(&spool, 299000, 201001);
    read_and_compare(&spool, 500000, 1);
    ck_assert_msg(write_and_wait(&spool) == SPILL_DONE, "nothing left to write is fine");
    spool_clear(&spool);
    expect_on_disk(0);
}
END_TEST

START_TEST(a_spool_may_grow_while_it_is_written)
{
    static const size_t grown[] = { 1, 383, SPOOL_CHUNK_BYTES, 100000 };

    for (size_t i = 0; i < COUNT(grown); i++) {
        struct outcome outcome = { 0 };

        append_pattern(&spool, 50000); /* the last chunk is not full */
        ck_assert_ptr_nonnull(spill_write_start(spill, &spool, on_done, &outcome));
        append_pattern(&spool, grown[i]);
        net_run_until(loop, "the write", has_outcome, &outcome);
        ck_assert_int_eq(outcome.result, SPILL_DONE);
        ck_assert_msg(spool.file_length == 49152, "case %zu: the chunk that grew stays", i);
        expect_pattern(spool_at(&spool, 49152).data, 49152, 848 + 1);
        ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
        ck_assert_uint_eq(spool.file_length, 50000 + grown[i]);
        expect_on_disk(spool.length);
        read_and_compare(&spool, 0, spool.length);
        spool_clear(&spool);
    }
}
END_TEST

START_TEST(a_spent_disk_budget_is_a_full_disk_and_harms_nothing)
{
    struct spool other;

    spool_init(&other, &budget);
    append_pattern(&spool, DISK_BYTES);
    append_pattern(&other, 1);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    ck_assert_int_eq(write_and_wait(&other), SPILL_DISK_FULL);
    ck_assert_uint_eq(other.file_length, 0);
    ck_assert_ptr_null(other.file);
    expect_pattern(spool_at(&other, 0).data, 0, 1);
    spool_clear(&spool);
    ck_assert_int_eq(write_and_wait(&other), SPILL_DONE);
    expect_on_disk(1);
    spool_clear(&other);
}
END_TEST

/* Writing past the limit of a file fails half way, as a full disk would. */
START_TEST(a_failing_disk_is_an_error_and_the_spool_stays_in_memory)
{
    struct rlimit before;
    struct rlimit small;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    append_pattern(&spool, 60000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    append_pattern(&spool, 60000);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_FAILED);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_str_eq(logged, "spill-failed: cannot write a spool file: File too large");
    ck_assert_uint_eq(spool.file_length, 60000);
    ck_assert_uint_eq(spool.length, 120000);
    expect_on_disk(60000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    read_and_compare(&spool, 0, 120000);
}
END_TEST

START_TEST(a_folder_that_takes_no_files_is_an_error)
{
    int nowhere = open("/proc/self", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

    spill_free(&spill);
    spill = spill_new(loop, nowhere, DISK_BYTES);
    append_pattern(&spool, 40000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_FAILED);
    ck_assert_int_eq(strncmp(logged, "spill-failed: cannot write a spool file: ", 41), 0);
    ck_assert_ptr_null(spool.file);
    ck_assert_uint_eq(spool_memory_bytes(&spool), 40000);
    append_pattern(&spool, DISK_BYTES - 40000);
    ck_assert_msg(write_and_wait(&spool) == SPILL_FAILED, "what failed still takes room");
    close(nowhere);
}
END_TEST

START_TEST(a_file_cut_by_someone_else_fails_the_read)
{
    struct outcome outcome = { 0 };
    char buffer[100] = "";

    append_pattern(&spool, 40000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    ck_assert_int_eq(ftruncate(spool.file->fd, 39950), 0);
    ck_assert_ptr_nonnull(spill_read_start(spill, &spool, 39900, buffer, 100, on_done, &outcome));
    net_run_until(loop, "the read", has_outcome, &outcome);
    ck_assert_int_eq(outcome.result, SPILL_FAILED);
    ck_assert_str_eq(logged, "spill-failed: cannot read a spool file: No data available");
    ck_assert_int_eq(buffer[0], '\0');
}
END_TEST

START_TEST(a_cancelled_job_is_silent_and_spool_and_buffer_may_go_at_once)
{
    for (int waits = 0; waits < 2; waits++) {
        struct outcome outcome = { 0 };
        struct spill_job *jobs[4];
        char *buffer = mem_new(40000);
        struct spool other;

        spool_init(&other, &budget);
        append_pattern(&other, 40000);
        ck_assert_int_eq(write_and_wait(&other), SPILL_DONE);
        append_pattern(&spool, 300000);
        jobs[0] = spill_write_start(spill, &spool, on_done, &outcome);
        jobs[1] = spill_read_start(spill, &other, 0, buffer, 40000, on_done, &outcome);
        append_pattern(&other, 40000);
        jobs[2] = spill_write_start(spill, &other, on_done, &outcome);
        jobs[3] = NULL;
        if (waits)
            usleep(20000); /* the thread is done with them, the loop does not know yet */
        for (size_t i = 0; i < COUNT(jobs); i++) {
            spill_cancel(&jobs[i]);
            ck_assert_ptr_null(jobs[i]);
        }
        mem_free(buffer);
        spool_clear(&spool);
        spool_clear(&other);
        let_thread_catch_up();
        net_run_for(loop, 5);
        ck_assert_uint_eq(outcome.calls, 0);
        ck_assert_uint_eq(budget.used_bytes, 0);
        expect_on_disk(0);
    }
}
END_TEST

START_TEST(a_spool_whose_write_was_cancelled_can_be_written_again)
{
    struct outcome outcome = { 0 };
    struct spill_job *job;

    append_pattern(&spool, 100000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    append_pattern(&spool, 100000);
    job = spill_write_start(spill, &spool, on_done, &outcome);
    spill_cancel(&job);
    append_pattern(&spool, 5);
    let_thread_catch_up();
    ck_assert_uint_eq(spool.file_length, 100000);
    ck_assert_int_eq(write_and_wait(&spool), SPILL_DONE);
    read_and_compare(&spool, 0, 200005);
    expect_on_disk(200005);
}
END_TEST

START_TEST(jobs_still_out_end_in_silence_with_the_spill_and_files_may_outlive_it)
{
    struct outcome outcome = { 0 };
    struct spool other;
    int fd;

    spool_init(&other, &budget);
    append_pattern(&other, 40000);
    ck_assert_int_eq(write_and_wait(&other), SPILL_DONE);
    fd = other.file->fd;
    append_pattern(&spool, 300000);
    for (int i = 0; i < 3; i++) {
        struct spool third;

        spool_init(&third, &budget);
        append_pattern(&third, 100);
        ck_assert_int_eq(write_and_wait(&third), SPILL_DONE);
        spool_clear(&third);
    }
    ck_assert_ptr_nonnull(spill_write_start(spill, &spool, on_done, &outcome));
    ck_assert_ptr_nonnull(spill_write_start(spill, &other, on_done, &outcome));
    spill_free(&spill);
    net_run_for(loop, 5);
    ck_assert_uint_eq(outcome.calls, 0);
    ck_assert_uint_eq(spool.length, 300000);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    spool_clear(&other);
    ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}
END_TEST

START_TEST(many_spools_at_once_keep_apart)
{
    enum { SPOOLS = 20 };
    struct spool spools[SPOOLS];
    struct outcome outcomes[SPOOLS] = { { 0, SPILL_DONE } };

    for (size_t i = 0; i < SPOOLS; i++) {
        spool_init(&spools[i], &budget);
        append_pattern(&spools[i], 20000 + i * 1000);
        ck_assert_ptr_nonnull(spill_write_start(spill, &spools[i], on_done, &outcomes[i]));
    }
    for (size_t i = 0; i < SPOOLS; i++) {
        net_run_until(loop, "a write", has_outcome, &outcomes[i]);
        ck_assert_int_eq(outcomes[i].result, SPILL_DONE);
        ck_assert_uint_eq(outcomes[i].calls, 1);
    }
    for (size_t i = 0; i < SPOOLS; i++) {
        read_and_compare(&spools[i], 0, 20000 + i * 1000);
        spool_clear(&spools[i]);
    }
    expect_on_disk(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spill");
    TCase *tests = tcase_create("spill");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, what_went_to_disk_comes_back);
    tcase_add_test(tests, a_spool_may_grow_while_it_is_written);
    tcase_add_test(tests, a_spent_disk_budget_is_a_full_disk_and_harms_nothing);
    tcase_add_test(tests, a_failing_disk_is_an_error_and_the_spool_stays_in_memory);
    tcase_add_test(tests, a_folder_that_takes_no_files_is_an_error);
    tcase_add_test(tests, a_file_cut_by_someone_else_fails_the_read);
    tcase_add_test(tests, a_cancelled_job_is_silent_and_spool_and_buffer_may_go_at_once);
    tcase_add_test(tests, a_spool_whose_write_was_cancelled_can_be_written_again);
    tcase_add_test(tests, jobs_still_out_end_in_silence_with_the_spill_and_files_may_outlive_it);
    tcase_add_test(tests, many_spools_at_once_keep_apart);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
