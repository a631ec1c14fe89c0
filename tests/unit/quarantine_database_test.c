/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/database and the index on it: what is none, what breaks, and what finds no room. */
#include "quarantine/database.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/memory.h"
#include "quarantine_index_unit.h"

static struct hold hold;
static struct text before;
static struct text after;

static void set_up(void)
{
    signal(SIGXFSZ, SIG_IGN);
    unit_set_up_folder();
    text_init(&before, TEXT_MAX_LENGTH);
    text_init(&after, TEXT_MAX_LENGTH);
    hold = unit_open_hold();
    text_reset(&logged);
}

static void tear_down(void)
{
    unit_close_hold(&hold);
    text_clear(&before);
    text_clear(&after);
    unit_tear_down_folder();
}

static void damage_file(const char *name, off_t at, size_t length)
{
    char *garbage = mem_new(length);
    int fd = openat(folder_fd, name, O_WRONLY);

    for (size_t i = 0; i < length; i++)
        garbage[i] = (char)(i * 37 + 11);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, garbage, length, at), (ssize_t)length);
    close(fd);
    mem_free(garbage);
}

START_TEST(its_files_are_for_nobody_else_whatever_the_umask)
{
    static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
    mode_t mask = umask(0);

    unit_close_hold(&hold);
    unit_remove_index();
    hold = unit_open_hold();
    unit_add(&hold, 1, 1, false);
    umask(mask);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct stat status;

        ck_assert_int_eq(fstatat(folder_fd, names[i], &status, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert_msg((status.st_mode & 07777) == 0600, "%s: %o", names[i], status.st_mode);
    }
}
END_TEST

START_TEST(a_damaged_database_is_made_anew)
{
    static const struct {
        off_t at;
        size_t length;
    } cases[] = { { 0, 16 }, { 0, 4096 }, { 16, 84 }, { 100, 50 }, { 4096, 4096 }, { 8192, 30 },
                  { 20480, 4096 }, { 24576, 8192 } };

    for (unsigned int number = 1; number <= 30; number++)
        unit_add(&hold, number, 3, false);
    unit_dump(&hold, &before);
    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_close_hold(&hold);
        damage_file("index.db", cases[i].at, cases[i].length);
        text_reset(&logged);
        hold = unit_open_hold();
        ck_assert_msg(strstr(text_string(&logged), "made anew") != NULL, "case %zu: %s", i,
                      text_string(&logged));
        unit_dump(&hold, &after);
        ck_assert_msg(slice_equals(text_slice(&before), text_slice(&after)), "case %zu:\n%s", i,
                      text_string(&after));
    }
}
END_TEST

START_TEST(a_database_that_is_not_ours_is_made_anew)
{
    sqlite3 *database;
    struct stat status;
    int code;

    unit_add(&hold, 1, 1, false);
    unit_dump(&hold, &before);
    unit_close_hold(&hold);
    unit_remove_index();
    database = database_open(folder_fd, "index.db", &code, &problem);
    ck_assert_ptr_nonnull(database);
    ck_assert_int_eq(sqlite3_exec(database, "CREATE TABLE mail (id TEXT)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close_v2(database);
    hold = unit_open_hold();
    unit_dump(&hold, &after);
    unit_expect_text("ours", &after, text_slice(&before));
    unit_close_hold(&hold);
    /* One of another version. */
    database = database_open(folder_fd, "index.db", &code, &problem);
    ck_assert_int_eq(sqlite3_exec(database, "PRAGMA user_version=999", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close_v2(database);
    text_reset(&logged);
    hold = unit_open_hold();
    ck_assert_ptr_nonnull(strstr(text_string(&logged), "made anew"));
    /* A link, even to one of ours. */
    unit_close_hold(&hold);
    ck_assert_int_eq(renameat(folder_fd, "index.db", folder_fd, "elsewhere"), 0);
    ck_assert_int_eq(symlinkat("elsewhere", folder_fd, "index.db"), 0);
    hold = unit_open_hold();
    unit_dump(&hold, &after);
    unit_expect_text("ours", &after, text_slice(&before));
    ck_assert_int_eq(fstatat(folder_fd, "index.db", &status, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert_msg(S_ISREG(status.st_mode), "the link was followed");
}
END_TEST

START_TEST(where_no_database_can_be_a_sentence_says_so)
{
    index_close(&hold.index);
    unit_remove_index();
    ck_assert_int_eq(mkdirat(folder_fd, "index.db", 0700), 0);
    hold.index = index_open(hold.store, hold.audit, &problem);
    ck_assert_ptr_null(hold.index);
    ck_assert_str_eq(text_string(&problem), "cannot open index.db: unable to open database file");
}
END_TEST

/* More than SQLite keeps in memory. Only the first has a file, so only that is read again. */
START_TEST(damage_that_shows_at_work_is_mended_at_work)
{
    char longest[COPY_VALUE_MAX_BYTES + 1];
    struct copy copy;

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    unit_add(&hold, 1, 1, false);
    unit_dump(&hold, &before);
    for (unsigned int number = 2; number < 800; number++) {
        unit_make_copy(&copy, number, "<sender@example.org>");
        unit_add_recipient(&copy, "<user0@example.net>", longest, 0, NULL);
        copy.helo = unit_string(longest);
        copy.subject = unit_string(longest);
        copy.header_from = unit_string(longest);
        copy.message_id = unit_string(longest);
        index_add(hold.index, &copy, true, 1);
        copy_clear(&copy);
    }
    ck_assert_uint_eq(index_get_totals(hold.index).mail_count, 799);
    ck_assert_str_eq(text_string(&logged), "");
    damage_file("index.db", 4096, 4000000);
    damage_file("index.db-wal", 32, 4000000);
    for (int i = 0; i < 3; i++)
        unit_dump(&hold, &after);
    ck_assert_uint_lt(after.length, 1000);
    unit_expect_text("after the damage", &after, text_slice(&before));
    ck_assert_ptr_nonnull(strstr(text_string(&logged), "quarantine-index: the index of held mail "
                                                       "failed: database disk image is malformed"));
    unit_add(&hold, 900, 1, false);
    unit_expect_state(&hold, 900, 0, "held");
}
END_TEST

START_TEST(a_full_disk_costs_nothing_once_there_is_room)
{
    uint64_t now = 1000000000;
    struct rlimit old;
    struct rlimit small;
    struct copy copy;
    uint64_t bytes;

    clock_set_source(&now);
    unit_add(&hold, 1, 1, false);
    unit_make_copy(&copy, 2, "<sender@example.org>");
    unit_add_recipient(&copy, "<user0@example.net>", "rule.standard.spf-fail", 0, NULL);
    bytes = unit_store(&hold, &copy);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    index_add(hold.index, &copy, true, bytes);
    index_catch_up(hold.index);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_uint_gt(logged.length, 0);
    now += 11000000;
    index_catch_up(hold.index);
    ck_assert_ptr_null(strstr(text_string(&logged), "made anew"));
    unit_expect_state(&hold, 1, 0, "held");
    unit_expect_state(&hold, 2, 0, "held");
    copy_clear(&copy);
    clock_set_source(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: database");
    TCase *tests = tcase_create("database");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, its_files_are_for_nobody_else_whatever_the_umask);
    tcase_add_test(tests, a_damaged_database_is_made_anew);
    tcase_add_test(tests, a_database_that_is_not_ours_is_made_anew);
    tcase_add_test(tests, where_no_database_can_be_a_sentence_says_so);
    tcase_add_test(tests, damage_that_shows_at_work_is_mended_at_work);
    tcase_add_test(tests, a_full_disk_costs_nothing_once_there_is_room);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
