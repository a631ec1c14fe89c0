/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/index: what is shown follows from files and audit, however it was made. */
#include "quarantine/index.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "quarantine_index_unit.h"

static struct hold hold;
static struct text before;
static struct text after;

static void set_up(void)
{
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

/* The index as it stands, opened again, and made anew: all the same. */
static void expect_same_when_made_anew(const char *when)
{
    unit_dump(&hold, &before);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    unit_dump(&hold, &after);
    ck_assert_msg(slice_equals(text_slice(&before), text_slice(&after)),
                  "%s, opened again:\n%s\nbefore:\n%s", when, text_string(&after),
                  text_string(&before));
    unit_close_hold(&hold);
    unit_remove_index();
    hold = unit_open_hold();
    unit_dump(&hold, &after);
    ck_assert_msg(slice_equals(text_slice(&before), text_slice(&after)),
                  "%s, made anew:\n%s\nbefore:\n%s", when, text_string(&after),
                  text_string(&before));
}

/* ---- What is shown ---- */

START_TEST(a_mail_is_shown_with_all_that_is_known_of_it)
{
    struct copy copy;
    uint64_t bytes;

    unit_make_full_copy(&copy);
    bytes = unit_store(&hold, &copy);
    index_add(hold.index, &copy, true, bytes);
    index_add(hold.index, &copy, true, bytes);
    unit_dump(&hold, &before);
    text_add_format(&after,
                    "06h0x6s1zxfdk76x-1 1795633242123456 %" PRIu64 " 7 " CLAIM
                    " [\"odd \\\" one\"@example.org] [[2001:db8::1]:25] [[IPv6:2001:db8::1]]"
                    " [inbound] [example.org] [strict] [legacy] [<1@example.org>]"
                    " [\"Bank\" <info@bank.example>] [an \x1b[2J odd\n\t one \\ \xc3\xa9\xff ] 0\n"
                    "  0 [j\xc3\xb6rg@xn--bcher-kva.example] [rule.strict.spf-fail] pending"
                    " 1795633242123456 0 [] []\n"
                    "  1 [PostMaster] [] pending 1795633242123456 0 [] []\n"
                    "  2 [a@[IPv6:2001:db8::7]] [mixed.reject] pending 1795633242123456 0 [] []\n"
                    "1 %" PRIu64 " 1795633242123456\n", bytes, bytes);
    unit_expect_text("the full copy", &before, text_slice(&after));
    expect_same_when_made_anew("with a full copy");
    copy_clear(&copy);
}
END_TEST

/* The longest values, cut in the file, are cut in the index; so is a time out of range. */
START_TEST(what_is_cut_in_the_file_is_cut_here)
{
    char longest[1500];
    struct copy copy;

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    unit_make_copy(&copy, 1, "<>");
    unit_add_recipient(&copy, "<a@example.org>", longest, 0, NULL);
    copy.subject = unit_string(longest);
    copy.held_us = copy.owner = UINT64_MAX;
    index_add(hold.index, &copy, true, unit_store(&hold, &copy));
    expect_same_when_made_anew("with long values");
    ck_assert_ptr_nonnull(strstr(text_string(&after), "[<>]"));
    copy_clear(&copy);
}
END_TEST

/* ---- The audit ---- */

START_TEST(states_follow_the_audit)
{
    unit_add(&hold, 1, 2, true);
    unit_expect_state(&hold, 1, 1, "pending");
    unit_tell(&hold, 1, AUDIT_COMMIT, AUDIT_ALL_RECIPIENTS, 0);
    unit_expect_state(&hold, 1, 0, "held");
    unit_expect_state(&hold, 1, 1, "held");
    unit_tell(&hold, 1, AUDIT_RELEASE, 1, 7);
    unit_expect_state(&hold, 1, 0, "held");
    unit_expect_state(&hold, 1, 1, "releasing");
    unit_tell(&hold, 1, AUDIT_RELEASED, 1, 6);
    unit_expect_state(&hold, 1, 1, "releasing");
    unit_tell(&hold, 1, AUDIT_LOST, 1, 7);
    unit_expect_state(&hold, 1, 1, "uncertain");
    unit_tell(&hold, 1, AUDIT_RELEASED, 1, 7);
    unit_expect_state(&hold, 1, 1, "released 1795633242623461 7 [uid 1000] [released]\n");
    unit_tell(&hold, 1, AUDIT_EXPIRE, 0, 0);
    unit_expect_state(&hold, 1, 0, "expired");
    unit_tell(&hold, 1, AUDIT_DELETE, 1, 0);
    unit_expect_state(&hold, 1, 1, "released");
    unit_add(&hold, 2, 1, true);
    unit_tell(&hold, 2, AUDIT_ERASE, AUDIT_ALL_RECIPIENTS, 0);
    unit_expect_state(&hold, 2, 0, "erased");
    unit_add(&hold, 3, 1, true);
    unit_tell(&hold, 3, AUDIT_ORPHAN, AUDIT_ALL_RECIPIENTS, 0);
    unit_expect_state(&hold, 3, 0, "uncertain");
    ck_assert_uint_eq(index_get_totals(hold.index).ignored_count, 2);
    expect_same_when_made_anew("with these states");
    ck_assert_uint_eq(index_get_totals(hold.index).ignored_count, 2);
}
END_TEST

START_TEST(an_entry_that_was_applied_is_not_applied_again)
{
    unit_add(&hold, 1, 1, false);
    unit_tell(&hold, 1, AUDIT_RELEASE, 0, 1);
    unit_tell(&hold, 1, AUDIT_REFUSED, 0, 1);
    for (int i = 0; i < 3; i++)
        index_catch_up(hold.index);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    ck_assert_uint_eq(index_get_totals(hold.index).ignored_count, 0);
    unit_expect_state(&hold, 1, 0, "held");
}
END_TEST

START_TEST(a_mail_that_only_the_audit_names_is_read_from_its_file)
{
    struct copy copy;

    unit_make_copy(&copy, 1, "<sender@example.org>");
    unit_add_recipient(&copy, "<user0@example.net>", "rule.standard.spf-fail", 0, NULL);
    unit_store(&hold, &copy);
    unit_tell(&hold, 1, AUDIT_HOLD, AUDIT_ALL_RECIPIENTS, 0);
    unit_expect_state(&hold, 1, 0, "held");
    expect_same_when_made_anew("with a mail of another keeper");
    copy_clear(&copy);
}
END_TEST

START_TEST(of_a_mail_that_is_gone_only_what_was_done_remains)
{
    unit_add(&hold, 1, 4, false);
    unit_tell(&hold, 1, AUDIT_RELEASE, 0, 1);
    unit_tell(&hold, 1, AUDIT_RELEASED, 0, 1);
    unit_tell(&hold, 1, AUDIT_DELETE, 1, 0);
    unit_tell(&hold, 1, AUDIT_EXPIRE, 2, 0);
    unit_tell(&hold, 1, AUDIT_RELEASE, 3, 2);
    unit_drop(&hold, 1);
    unit_drop(&hold, 1);
    unit_dump(&hold, &before);
    unit_expect_text("the past", &before,
                     SLICE("06h0x6s1zxfdk76x-1 1795541377535000 0 0  [] [] [] [] [] [] [] []"
                           " [] [] 0\n"
                           "  0 [user0@example.net] [] released 1795633242623461 1 [uid 1000]"
                           " [released]\n"
                           "  1 [user1@example.net] [] deleted 1795633242623464 0 [uid 1000]"
                           " [delete]\n"
                           "  2 [user2@example.net] [] expired 1795633242623465 0 [uid 1000]"
                           " [expire]\n"
                           "0 0 0\n"));
    expect_same_when_made_anew("with a past");
    /* What was only held, or erased, is forgotten. */
    unit_add(&hold, 2, 1, false);
    unit_drop(&hold, 2);
    unit_add(&hold, 3, 1, true);
    unit_tell(&hold, 3, AUDIT_ERASE, AUDIT_ALL_RECIPIENTS, 0);
    unit_drop(&hold, 3);
    unit_dump(&hold, &after);
    unit_expect_text("still the past", &after, text_slice(&before));
    expect_same_when_made_anew("with nothing more");
}
END_TEST

/* A walk over all that can happen, sensible or not, with a comparison now and then. */
START_TEST(step_by_step_and_at_once_come_to_the_same)
{
    enum { MAILS = 12, STEPS = 400 };
    unsigned int seed = 1;

    for (int step = 0; step < STEPS; step++) {
        unsigned int number;
        char name[60];
        struct stat status;

        seed = seed * 1103515245u + 12345u;
        number = 1 + (seed >> 16) % MAILS;
        snprintf(name, sizeof name, "mail/06h0x6s1zxfdk76x-%u", number);
        if ((seed >> 8) % 10 == 0) {
            if (fstatat(folder_fd, name, &status, 0) == 0)
                unit_drop(&hold, number);
        } else if ((seed >> 8) % 10 == 1 && fstatat(folder_fd, name, &status, 0) != 0) {
            /* An id comes once; one whose file is gone has other numbers later. */
            unit_add(&hold, number + MAILS * (unsigned int)(step + 1), 1 + seed % 3, seed & 4096);
        } else if (step < 2 * MAILS && fstatat(folder_fd, name, &status, 0) != 0) {
            unit_add(&hold, number, 1 + (seed >> 20) % 3, seed & 4096);
        } else {
            enum audit_event event = (enum audit_event)((seed >> 12) % AUDIT_EVENT_COUNT);

            unit_tell(&hold, number, event,
                      event < AUDIT_RELEASE ? AUDIT_ALL_RECIPIENTS : (seed >> 22) % 3,
                      (seed >> 24) % 3);
        }
        if (step % 20 == 19)
            expect_same_when_made_anew("on the walk");
    }
    ck_assert_uint_gt(index_get_totals(hold.index).ignored_count, 0);
}
END_TEST

START_TEST(two_keepers_see_the_same_and_each_entry_once)
{
    struct hold other = unit_open_hold();

    for (unsigned int number = 1; number <= 10; number++) {
        unit_add(&hold, number, 1, false);
        unit_say(&other, number, AUDIT_RELEASE, 0, number, "user0@example.net");
        index_catch_up(number % 2 ? other.index : hold.index);
        unit_tell(&hold, number, AUDIT_RELEASED, 0, number);
        index_catch_up(other.index);
    }
    ck_assert_uint_eq(index_get_totals(hold.index).ignored_count, 0);
    ck_assert_uint_eq(index_get_totals(other.index).ignored_count, 0);
    unit_dump(&hold, &before);
    unit_dump(&other, &after);
    unit_expect_text("the other", &after, text_slice(&before));
    unit_close_hold(&other);
    expect_same_when_made_anew("with two keepers");
}
END_TEST

/* Killed somewhere in its work; nothing was synced, and nothing may be half. */
START_TEST(a_process_that_dies_leaves_a_sound_index)
{
    for (int round = 0; round < 10; round++) {
        pid_t pid;
        int status;

        unit_close_hold(&hold); /* SQLite is not to be taken along into a child */
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            hold = unit_open_hold();
            for (unsigned int i = 0; i < 100000; i++) {
                unsigned int number = (unsigned int)round * 100000 + i + 1;

                unit_add(&hold, number, 3, true);
                unit_tell(&hold, number, AUDIT_COMMIT, AUDIT_ALL_RECIPIENTS, 0);
                if (i % 3 == 0) {
                    unit_tell(&hold, number, AUDIT_DELETE, 1, 0);
                    unit_drop(&hold, number);
                }
            }
            _exit(0);
        }
        usleep(20000 + (unsigned int)round * 7000);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFSIGNALED(status), "it ended by itself");
        hold = unit_open_hold();
        ck_assert_ptr_null(strstr(text_string(&logged), "made anew"));
        expect_same_when_made_anew("after a crash");
        text_reset(&logged);
    }
}
END_TEST

/* ---- Opening ---- */

START_TEST(only_files_that_are_not_known_are_read)
{
    struct copy copy;
    int fd;

    unit_add(&hold, 1, 1, false);
    unit_make_copy(&copy, 2, "<new@example.org>");
    unit_add_recipient(&copy, "<user0@example.net>", "rule.standard.spf-fail", 0, NULL);
    unit_store(&hold, &copy);
    fd = openat(folder_fd, "mail/06h0x6s1zxfdk76x-1", O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, 20), 0);
    close(fd);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    ck_assert_str_eq(text_string(&logged), "");
    unit_expect_state(&hold, 1, 0, "held");
    unit_expect_state(&hold, 2, 0, "held");
    copy_clear(&copy);
}
END_TEST

START_TEST(a_file_that_is_read_late_has_all_that_the_audit_said_of_it)
{
    unit_add(&hold, 1, 1, true);
    unit_tell(&hold, 1, AUDIT_COMMIT, AUDIT_ALL_RECIPIENTS, 0);
    unit_add(&hold, 2, 1, false);
    ck_assert_int_eq(renameat(folder_fd, "mail/06h0x6s1zxfdk76x-1", folder_fd, "aside"), 0);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    ck_assert_uint_eq(index_get_totals(hold.index).mail_count, 1);
    ck_assert_int_eq(renameat(folder_fd, "aside", folder_fd, "mail/06h0x6s1zxfdk76x-1"), 0);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    unit_expect_state(&hold, 1, 0, "held");
    expect_same_when_made_anew("with a file that came back");
}
END_TEST

START_TEST(a_damaged_file_is_told_of_and_shown)
{
    int fd;

    unit_add(&hold, 1, 2, false);
    unit_add(&hold, 2, 1, false);
    fd = openat(folder_fd, "mail/06h0x6s1zxfdk76x-1", O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 20), 1);
    ck_assert_int_eq(ftruncate(fd, 500), 0);
    close(fd);
    unit_close_hold(&hold);
    unit_remove_index();
    hold = unit_open_hold();
    ck_assert_ptr_nonnull(strstr(text_string(&logged),
                                 "quarantine-damaged: the copy 06h0x6s1zxfdk76x-1 does not end in "
                                 "the footer of a copy\n"));
    unit_dump(&hold, &before);
    ck_assert_ptr_nonnull(strstr(text_string(&before),
                                 "06h0x6s1zxfdk76x-1 1795541377535000 500 0  [] [] [] [] [] [] []"
                                 " [] [] [] 1\n"
                                 "  0 [] [] held 1795541377535000 0 [] []\n"));
    unit_tell(&hold, 1, AUDIT_DELETE, 0, 0);
    unit_tell(&hold, 1, AUDIT_RELEASE, 1, 1);
    unit_dump(&hold, &before);
    ck_assert_ptr_nonnull(strstr(text_string(&before), "  0 [user0@example.net] [] deleted "));
    ck_assert_ptr_nonnull(strstr(text_string(&before), "  1 [user1@example.net] [] releasing "));
    expect_same_when_made_anew("with a damaged file");
}
END_TEST

START_TEST(a_damaged_file_that_was_mended_is_shown_whole)
{
    int fd;

    unit_add(&hold, 1, 2, false);
    unit_dump(&hold, &before);
    fd = openat(folder_fd, "mail/06h0x6s1zxfdk76x-1", O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "P", 1, 7), 1);
    unit_close_hold(&hold);
    unit_remove_index();
    hold = unit_open_hold();
    unit_dump(&hold, &after);
    ck_assert_ptr_null(strstr(text_string(&after), "user1@example.net"));
    unit_tell(&hold, 1, AUDIT_DELETE, 1, 0);
    ck_assert_int_eq(pwrite(fd, "p", 1, 7), 1);
    close(fd);
    unit_close_hold(&hold);
    hold = unit_open_hold();
    unit_expect_state(&hold, 1, 0, "held");
    unit_expect_state(&hold, 1, 1, "deleted");
    expect_same_when_made_anew("with a mended file");
}
END_TEST

START_TEST(an_audit_that_is_another_one_makes_the_index_anew)
{
    struct stat status;
    int fd;

    unit_add(&hold, 1, 1, false);
    ck_assert_int_eq(fstatat(folder_fd, "audit", &status, 0), 0);
    unit_tell(&hold, 1, AUDIT_DELETE, 0, 0);
    unit_expect_state(&hold, 1, 0, "deleted");
    unit_close_hold(&hold);
    fd = openat(folder_fd, "audit", O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, status.st_size), 0);
    close(fd);
    hold = unit_open_hold();
    ck_assert_str_eq(text_string(&logged),
                     "quarantine-index: the index was made anew, of 1 held mails\n");
    unit_expect_state(&hold, 1, 0, "held");
    expect_same_when_made_anew("with a shorter audit");
    /* As long as it was, and longer, but another one. */
    unit_tell(&hold, 1, AUDIT_DELETE, 0, 0);
    unit_close_hold(&hold);
    fd = openat(folder_fd, "audit", O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, status.st_size), 0);
    close(fd);
    hold.audit = audit_open(folder_fd, &problem);
    unit_say(&hold, 1, AUDIT_RELEASE, 0, 1, "user0@example.net");
    unit_say(&hold, 1, AUDIT_LOST, 0, 1, "user0@example.net");
    audit_close(&hold.audit);
    hold = unit_open_hold();
    unit_expect_state(&hold, 1, 0, "uncertain");
}
END_TEST

START_TEST(bad_lines_of_the_audit_are_told_of_and_cost_only_themselves)
{
    int fd;

    unit_add(&hold, 1, 2, false);
    fd = openat(folder_fd, "audit", O_WRONLY | O_APPEND);
    ck_assert_int_eq(write(fd, "v=1 nonsense\n\n", 14), 14);
    close(fd);
    unit_tell(&hold, 1, AUDIT_DELETE, 0, 0);
    unit_expect_state(&hold, 1, 0, "deleted");
    ck_assert_str_eq(text_string(&logged),
                     "quarantine-damaged: 2 lines of the audit are none\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: index");
    TCase *tests = tcase_create("index");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, a_mail_is_shown_with_all_that_is_known_of_it);
    tcase_add_test(tests, what_is_cut_in_the_file_is_cut_here);
    tcase_add_test(tests, states_follow_the_audit);
    tcase_add_test(tests, an_entry_that_was_applied_is_not_applied_again);
    tcase_add_test(tests, a_mail_that_only_the_audit_names_is_read_from_its_file);
    tcase_add_test(tests, of_a_mail_that_is_gone_only_what_was_done_remains);
    tcase_add_test(tests, step_by_step_and_at_once_come_to_the_same);
    tcase_add_test(tests, two_keepers_see_the_same_and_each_entry_once);
    tcase_add_test(tests, a_process_that_dies_leaves_a_sound_index);
    tcase_add_test(tests, only_files_that_are_not_known_are_read);
    tcase_add_test(tests, a_file_that_is_read_late_has_all_that_the_audit_said_of_it);
    tcase_add_test(tests, a_damaged_file_is_told_of_and_shown);
    tcase_add_test(tests, a_damaged_file_that_was_mended_is_shown_whole);
    tcase_add_test(tests, an_audit_that_is_another_one_makes_the_index_anew);
    tcase_add_test(tests, bad_lines_of_the_audit_are_told_of_and_cost_only_themselves);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
