/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quarantine/: what is on the disk when somebody is told so. The calls that bring
 * things there are this program's own: they note themselves, and fail when told to.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "quarantine/audit.h"
#include "quarantine/store.h"
#include "quarantine_unit.h"

static char folder[32];
static int folder_fd;
static struct store *store;
static struct text problem;
static struct text calls;        /* "data name folder " */
static const char *failing_call; /* which fails; NULL for none */
static unsigned int failing_at;  /* the how manieth of them, from 1 */
static bool has_no_rename;       /* as a file system that knows no RENAME_NOREPLACE */

static int note(const char *name)
{
    text_add_string(&calls, name);
    text_add_byte(&calls, ' ');
    if (failing_call != NULL && strcmp(failing_call, name) == 0 && --failing_at == 0) {
        failing_call = NULL;
        errno = EIO;
        return -1;
    }
    return 0;
}

int fdatasync(int fd)
{
    return note("data") != 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return note("folder") != 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int sync_file_range(int fd, off_t offset, off_t length, unsigned int flags)
{
    (void)note("start");
    return (int)syscall(SYS_sync_file_range, fd, offset, length, flags);
}

int renameat2(int old_fd, const char *old_name, int new_fd, const char *new_name,
              unsigned int flags)
{
    ck_assert_uint_eq(flags, RENAME_NOREPLACE);
    if (note("name") != 0)
        return -1;
    if (has_no_rename) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, flags);
}

static void set_up(void)
{
    text_init(&problem, 1000);
    text_init(&calls, 1000);
    folder_fd = unit_make_folder(folder);
    store = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_msg(store != NULL, "%s", text_string(&problem));
    text_reset(&calls);
}

static void tear_down(void)
{
    store_close(&store);
    close(folder_fd);
    text_clear(&calls);
    text_clear(&problem);
    unit_remove_folder(folder);
}

static void write_draft(unsigned int number, struct store_draft **draft)
{
    struct store_piece piece = { .bytes = "content", .length = 7 };
    struct copy copy;

    unit_make_copy(&copy, number, "<>");
    unit_add_recipient(&copy, "<a@example.org>", NULL, 0, NULL);
    ck_assert_int_eq(store_write(store, &copy, -1, &piece, 1, draft, &problem), STORE_DONE);
    copy_clear(&copy);
}

/* A letter for each of the group: done, or not and without a file. */
static void sync_three(const char *want)
{
    struct store_draft *drafts[3];
    enum store_result results[3];

    for (unsigned int i = 0; i < 3; i++)
        write_draft(i + 1, &drafts[i]);
    ck_assert_str_eq(text_string(&calls), "");
    store_sync(store, drafts, 3, results, &problem);
    for (unsigned int i = 0; i < 3; i++) {
        char name[60];
        struct stat status;
        bool is_there;

        snprintf(name, sizeof name, "mail/06h0x6s1zxfdk76x-%u", i + 1);
        is_there = fstatat(folder_fd, name, &status, 0) == 0;
        ck_assert_int_eq(results[i], want[i] == 'd' ? STORE_DONE : STORE_FAILED);
        ck_assert_msg(is_there == (want[i] == 'd'), "%u", i);
        snprintf(name, sizeof name, "mail/.06h0x6s1zxfdk76x-%u", i + 1);
        ck_assert_int_ne(fstatat(folder_fd, name, &status, 0), 0);
    }
}

START_TEST(names_come_after_data_and_the_folder_last)
{
    sync_three("ddd");
    ck_assert_str_eq(text_string(&calls),
                     "start start start data name data name data name folder ");
}
END_TEST

START_TEST(data_that_is_not_synced_gets_no_name)
{
    failing_call = "data";
    failing_at = 2;
    sync_three("d-d");
    ck_assert_str_eq(text_string(&calls), "start start start data name data data name folder ");
    ck_assert_str_eq(text_string(&problem),
                     "cannot sync the copy 06h0x6s1zxfdk76x-2: Input/output error");
}
END_TEST

START_TEST(a_copy_that_gets_no_name_is_not_there)
{
    failing_call = "name";
    failing_at = 3;
    sync_three("dd-");
}
END_TEST

START_TEST(names_that_are_not_synced_are_taken_back)
{
    failing_call = "folder";
    failing_at = 1;
    sync_three("---");
    ck_assert_str_eq(text_string(&problem),
                     "cannot sync the folder of held mail: Input/output error");
}
END_TEST

START_TEST(a_file_system_without_such_a_rename_has_links)
{
    struct store_draft *draft;
    enum store_result result;

    has_no_rename = true;
    sync_three("ddd");
    /* A name that is taken stays with its file there as well. */
    write_draft(4, &draft);
    ck_assert_int_eq(linkat(folder_fd, "mail/06h0x6s1zxfdk76x-1", folder_fd,
                            "mail/06h0x6s1zxfdk76x-4", 0), 0);
    store_sync(store, &draft, 1, &result, &problem);
    ck_assert_int_eq(result, STORE_EXISTS);
}
END_TEST

START_TEST(removals_are_synced_when_asked_for)
{
    sync_three("ddd");
    text_reset(&calls);
    ck_assert_int_eq(store_remove(store, "06h0x6s1zxfdk76x-1", &problem), STORE_DONE);
    ck_assert_str_eq(text_string(&calls), "");
    ck_assert_int_eq(store_sync_folder(store, &problem), STORE_DONE);
    ck_assert_str_eq(text_string(&calls), "folder ");
    failing_call = "folder";
    failing_at = 1;
    ck_assert_int_eq(store_sync_folder(store, &problem), STORE_FAILED);
}
END_TEST

static void count_entry(void *owner, const struct audit_entry *entry)
{
    (void)entry;
    ++*(unsigned int *)owner;
}

START_TEST(an_entry_that_is_not_synced_is_taken_back)
{
    struct audit *audit = audit_open(folder_fd, &problem);
    struct audit_entry entry = { .event = AUDIT_HOLD, .id = "06h0x6s1zxfdk76x-1",
                                 .recipient = AUDIT_ALL_RECIPIENTS };
    unsigned int count = 0;
    size_t bad = 0;

    ck_assert_ptr_nonnull(audit);
    text_reset(&calls);
    ck_assert(audit_append(audit, &entry, 1, false, &problem));
    ck_assert_str_eq(text_string(&calls), "");
    ck_assert(audit_append(audit, &entry, 1, true, &problem));
    ck_assert_str_eq(text_string(&calls), "data ");
    failing_call = "data";
    failing_at = 1;
    ck_assert(!audit_append(audit, &entry, 1, true, &problem));
    ck_assert_str_eq(text_string(&problem), "cannot write the audit: Input/output error");
    audit_replay(audit, 0, UINT64_MAX, count_entry, &count, &bad);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(bad, 0);
    audit_close(&audit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: to the disk");
    TCase *tests = tcase_create("sync");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, names_come_after_data_and_the_folder_last);
    tcase_add_test(tests, data_that_is_not_synced_gets_no_name);
    tcase_add_test(tests, a_copy_that_gets_no_name_is_not_there);
    tcase_add_test(tests, names_that_are_not_synced_are_taken_back);
    tcase_add_test(tests, a_file_system_without_such_a_rename_has_links);
    tcase_add_test(tests, removals_are_synced_when_asked_for);
    tcase_add_test(tests, an_entry_that_is_not_synced_is_taken_back);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
