/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/spool: bytes in chunks, their budget, and the part that moved to a file. */
#include "mail/spool.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

/* Bytes that tell their own offset: a chunk out of place shows. */
static char pattern_at(uint64_t offset)
{
    return (char)('a' + (offset * 7 + offset / 251) % 26);
}

static bool append_pattern(struct spool *spool, size_t count)
{
    char *bytes = mem_new(count);
    bool is_added;

    for (size_t i = 0; i < count; i++)
        bytes[i] = pattern_at(spool->length + i);
    is_added = spool_append(spool, (struct slice){ bytes, count });
    mem_free(bytes);
    return is_added;
}

/* What is in memory is the pattern, from file_length to length. */
static void expect_pattern(const struct spool *spool)
{
    uint64_t offset = spool->file_length;

    while (offset < spool->length) {
        struct slice run = spool_at(spool, offset);

        ck_assert_uint_gt(run.length, 0);
        for (size_t i = 0; i < run.length; i++)
            if (run.data[i] != pattern_at(offset + i))
                ck_abort_msg("wrong byte at %llu", (unsigned long long)(offset + i));
        offset += run.length;
    }
    ck_assert_uint_eq(offset, spool->length);
}

START_TEST(bytes_come_back_however_they_were_appended)
{
    static const struct {
        size_t step, count;
    } cases[] = {
        { 1, 40000 },  { 7, 6000 }, { SPOOL_CHUNK_BYTES - 1, 5 }, { SPOOL_CHUNK_BYTES, 5 },
        { SPOOL_CHUNK_BYTES + 1, 5 }, { 5 * SPOOL_CHUNK_BYTES, 2 }, { 100000, 3 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spool_budget budget = { 0, 1 << 20 };
        struct spool spool;

        spool_init(&spool, &budget);
        for (size_t n = 0; n < cases[i].count; n++)
            ck_assert_msg(append_pattern(&spool, cases[i].step), "case %zu, append %zu", i, n);
        ck_assert_uint_eq(spool.length, cases[i].step * cases[i].count);
        ck_assert_uint_eq(spool_memory_bytes(&spool), spool.length);
        expect_pattern(&spool);
        for (size_t n = 0; n + 1 < spool.chunk_count; n++)
            ck_assert_uint_eq(spool.chunks[n]->length, SPOOL_CHUNK_BYTES);
        ck_assert_uint_eq(budget.used_bytes, spool.chunk_count * SPOOL_CHUNK_BYTES);
        spool_clear(&spool);
        ck_assert_uint_eq(budget.used_bytes, 0);
    }
}
END_TEST

START_TEST(an_empty_append_takes_nothing)
{
    struct spool_budget budget = { 0, 0 };
    struct spool spool;

    spool_init(&spool, &budget);
    ck_assert(spool_append(&spool, SLICE_EMPTY));
    ck_assert_uint_eq(spool.length, 0);
    ck_assert_uint_eq(spool.chunk_count, 0);
    spool_clear(&spool);
}
END_TEST

START_TEST(a_spent_budget_refuses_and_leaves_the_spool_as_it_was)
{
    struct spool_budget budget = { 0, 2 * SPOOL_CHUNK_BYTES };
    struct spool one;
    struct spool two;

    spool_init(&one, &budget);
    spool_init(&two, &budget);
    ck_assert(append_pattern(&one, 10));
    ck_assert(!append_pattern(&two, SPOOL_CHUNK_BYTES + 1));
    ck_assert_uint_eq(two.length, 0);
    ck_assert_uint_eq(budget.used_bytes, SPOOL_CHUNK_BYTES);
    ck_assert(append_pattern(&two, SPOOL_CHUNK_BYTES));
    ck_assert_msg(append_pattern(&one, SPOOL_CHUNK_BYTES - 10), "the room of its own is free");
    ck_assert(!append_pattern(&one, 1));
    ck_assert(!append_pattern(&two, 1));
    ck_assert_uint_eq(one.length, SPOOL_CHUNK_BYTES);
    expect_pattern(&one);
    spool_clear(&two);
    ck_assert_msg(append_pattern(&one, 1), "what one gives back the other may take");
    spool_clear(&one);
    ck_assert_uint_eq(budget.used_bytes, 0);
}
END_TEST

START_TEST(a_budget_that_is_overdrawn_refuses_until_enough_was_given_back)
{
    struct spool_budget budget = { 0, 3 };

    ck_assert(spool_budget_take(&budget, 3));
    budget.max_bytes = 1;
    ck_assert(!spool_budget_take(&budget, 1));
    ck_assert(!spool_budget_take(&budget, UINT64_MAX));
    spool_budget_give_back(&budget, 3);
    ck_assert(!spool_budget_take(&budget, UINT64_MAX));
    ck_assert(spool_budget_take(&budget, 1));
    spool_budget_overdraw(&budget, 5);
    ck_assert(!spool_budget_take(&budget, 1));
    spool_budget_give_back(&budget, 4);
    ck_assert(!spool_budget_take(&budget, 1));
    spool_budget_give_back(&budget, 2);
    ck_assert(spool_budget_take(&budget, 1));
}
END_TEST

START_TEST(dropped_chunks_move_the_border_and_the_rest_stays)
{
    struct spool_budget budget = { 0, 1 << 20 };
    struct spool spool;

    spool_init(&spool, &budget);
    ck_assert(append_pattern(&spool, 3 * SPOOL_CHUNK_BYTES + 100));
    spool_drop_chunks(&spool, 0);
    ck_assert_uint_eq(spool.file_length, 0);
    spool_drop_chunks(&spool, 2);
    ck_assert_uint_eq(spool.file_length, 2 * SPOOL_CHUNK_BYTES);
    ck_assert_uint_eq(spool_memory_bytes(&spool), SPOOL_CHUNK_BYTES + 100);
    ck_assert_uint_eq(budget.used_bytes, 2 * SPOOL_CHUNK_BYTES);
    expect_pattern(&spool);
    ck_assert(append_pattern(&spool, 2 * SPOOL_CHUNK_BYTES));
    expect_pattern(&spool);
    spool_drop_chunks(&spool, spool.chunk_count);
    ck_assert_uint_eq(spool.file_length, spool.length);
    ck_assert_uint_eq(spool_memory_bytes(&spool), 0);
    ck_assert_msg(append_pattern(&spool, 5), "a border inside a chunk is fine too");
    expect_pattern(&spool);
    spool_clear(&spool);
    ck_assert_uint_eq(budget.used_bytes, 0);
}
END_TEST

START_TEST(a_chunk_lives_as_long_as_its_last_reference)
{
    struct spool_budget budget = { 0, 1 << 20 };
    struct spool spool;
    struct spool_chunk *chunk;

    spool_init(&spool, &budget);
    ck_assert(append_pattern(&spool, 100));
    chunk = spool_chunk_ref(spool.chunks[0]);
    spool_clear(&spool);
    ck_assert_int_eq(chunk->bytes[99], pattern_at(99));
    ck_assert_uint_eq(budget.used_bytes, SPOOL_CHUNK_BYTES);
    spool_chunk_unref(chunk);
    ck_assert_uint_eq(budget.used_bytes, 0);
}
END_TEST

static void count_close(void *owner, struct spool_file *file)
{
    int *closed = owner;

    (*closed)++;
    close(file->fd);
}

START_TEST(the_file_is_closed_with_its_last_reference)
{
    struct spool_budget budget = { 0, 1 << 20 };
    struct spool spool;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int closed = 0;

    ck_assert_int_ge(fd, 0);
    spool_init(&spool, &budget);
    spool.file = spool_file_new(fd);
    spool_file_ref(spool.file);
    spool_file_unref(spool.file);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    spool_clear(&spool);
    ck_assert_int_lt(fcntl(fd, F_GETFD), 0);

    spool.file = spool_file_new(open("/dev/null", O_RDWR | O_CLOEXEC));
    spool.file->close = count_close;
    spool.file->owner = &closed;
    spool_clear(&spool);
    ck_assert_int_eq(closed, 1);
    spool_file_unref(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *all = tcase_create("spool");

    tcase_add_test(all, bytes_come_back_however_they_were_appended);
    tcase_add_test(all, an_empty_append_takes_nothing);
    tcase_add_test(all, a_spent_budget_refuses_and_leaves_the_spool_as_it_was);
    tcase_add_test(all, a_budget_that_is_overdrawn_refuses_until_enough_was_given_back);
    tcase_add_test(all, dropped_chunks_move_the_border_and_the_rest_stays);
    tcase_add_test(all, a_chunk_lives_as_long_as_its_last_reference);
    tcase_add_test(all, the_file_is_closed_with_its_last_reference);
    suite_add_tcase(suite, all);
    return unit_run(suite);
}
