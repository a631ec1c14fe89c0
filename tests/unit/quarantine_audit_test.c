/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/audit: every line comes back, or is known for a bad one. */
#include "quarantine/audit.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "quarantine_unit.h"

#define ID "06h0x6s1zxfdk76x-1"

static char folder[32];
static int folder_fd;
static struct audit *audit;
static struct text problem;
static struct text seen; /* what the replays gave, as lines */
static size_t bad;

static void set_up(void)
{
    signal(SIGXFSZ, SIG_IGN);
    text_init(&problem, 1000);
    text_init(&seen, TEXT_MAX_LENGTH);
    folder_fd = unit_make_folder(folder);
    audit = audit_open(folder_fd, &problem);
    ck_assert_msg(audit != NULL, "%s", text_string(&problem));
    bad = 0;
}

static void tear_down(void)
{
    audit_close(&audit);
    close(folder_fd);
    text_clear(&seen);
    text_clear(&problem);
    unit_remove_folder(folder);
}

static struct audit_entry make_entry(enum audit_event event, uint32_t recipient)
{
    return (struct audit_entry){ .wall_us = HELD_US, .event = event, .id = ID,
                                 .recipient = recipient };
}

static void append(const struct audit_entry *entries, size_t count)
{
    ck_assert_msg(audit_append(audit, entries, count, true, &problem), "%s",
                  text_string(&problem));
}

static void see(void *owner, const struct audit_entry *entry)
{
    (void)owner;
    audit_print(&seen, entry);
}

static uint64_t replay(uint64_t offset)
{
    text_reset(&seen);
    bad = 0;
    return audit_replay(audit, offset, UINT64_MAX, see, NULL, &bad);
}

static int open_file(int flags)
{
    int fd = openat(folder_fd, "audit", flags | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static uint64_t file_bytes(void)
{
    struct stat status;

    ck_assert_int_eq(fstatat(folder_fd, "audit", &status, 0), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    return (uint64_t)status.st_size;
}

/* ---- Lines ---- */

START_TEST(lines_are_these)
{
    struct audit_entry entry = make_entry(AUDIT_HOLD, AUDIT_ALL_RECIPIENTS);

    audit_print(&seen, &entry);
    entry = make_entry(AUDIT_RELEASED, 3);
    entry.attempt = 7;
    entry.address = SLICE("a@example.org");
    entry.by = SLICE("uid 1000");
    entry.text = SLICE("10.0.0.5:25 said \"250 ok\"\n");
    audit_print(&seen, &entry);
    unit_expect_text(
        "lines", &seen,
        SLICE("v=1 ts=2026-11-25T19:00:41.123Z us=1795633241123456 event=hold "
              "id=06h0x6s1zxfdk76x-1 rcpt=all sum=dd458241fc71f1dc\n"
              "v=1 ts=2026-11-25T19:00:41.123Z us=1795633241123456 event=released "
              "id=06h0x6s1zxfdk76x-1 rcpt=3 attempt=7 address=a@example.org by=\"uid 1000\" "
              "text=\"10.0.0.5:25 said \\\"250 ok\\\"\\x0a\" sum=ef063e236c81cb96\n"));
}
END_TEST

START_TEST(every_field_comes_back_and_what_is_too_long_is_cut)
{
    static const uint64_t numbers[] = { 0, 1, 4294967294u, UINT64_MAX };
    static const struct slice strings[] = { BYTES(""), BYTES("root"), BYTES("two words"),
                                            BYTES("\" sum=\\ \x1b\xff\n"), BYTES(" ") };
    char longest[1000];
    struct text line;
    struct text words;
    struct audit_entry got;

    text_init(&line, AUDIT_LINE_BYTES);
    text_init(&words, AUDIT_WORDS_BYTES);
    for (int event = 0; event < AUDIT_EVENT_COUNT; event++) {
        for (size_t i = 0; i < COUNT(numbers) * COUNT(strings); i++) {
            struct audit_entry entry =
                make_entry((enum audit_event)event, (uint32_t)numbers[i % 4]);
            struct slice whole;

            entry.wall_us = entry.attempt = numbers[i % 4];
            entry.address = strings[i % 5];
            entry.by = strings[(i + 1) % 5];
            entry.text = strings[(i + 2) % 5];
            text_reset(&line);
            audit_print(&line, &entry);
            whole = slice_until(text_slice(&line), line.length - 1);
            ck_assert_msg(audit_parse(&got, whole, &words), "%s", text_string(&line));
            ck_assert_uint_eq(got.wall_us, entry.wall_us);
            ck_assert_int_eq(got.event, entry.event);
            ck_assert_str_eq(got.id, ID);
            ck_assert_uint_eq(got.recipient, entry.recipient);
            ck_assert_uint_eq(got.attempt, entry.attempt);
            ck_assert(slice_equals(got.address, entry.address));
            ck_assert(slice_equals(got.by, entry.by));
            ck_assert(slice_equals(got.text, entry.text));
        }
    }
    memset(longest, 0xff, sizeof longest);
    got = make_entry(AUDIT_LOST, 1);
    got.address = got.by = got.text = (struct slice){ longest, sizeof longest };
    text_reset(&line);
    audit_print(&line, &got);
    ck_assert(!line.is_cut);
    ck_assert(audit_parse(&got, slice_until(text_slice(&line), line.length - 1), &words));
    ck_assert_uint_eq(got.text.length, AUDIT_TEXT_BYTES);
    ck_assert_uint_eq(got.by.length, AUDIT_BY_BYTES);
    text_clear(&line);
    text_clear(&words);
}
END_TEST

START_TEST(every_byte_that_changes_makes_a_line_bad)
{
    struct audit_entry entry = make_entry(AUDIT_RELEASED, 3);
    struct text line;
    struct text words;

    entry.attempt = 7;
    entry.by = SLICE("uid 1000");
    text_init(&line, AUDIT_LINE_BYTES);
    text_init(&words, AUDIT_WORDS_BYTES);
    audit_print(&line, &entry);
    for (size_t i = 0; i < line.length - 1; i++) {
        struct slice whole = slice_until(text_slice(&line), line.length - 1);

        line.data[i] = (char)(line.data[i] ^ 1);
        ck_assert_msg(!audit_parse(&entry, whole, &words), "byte %zu", i);
        line.data[i] = (char)(line.data[i] ^ 1);
        ck_assert_msg(!audit_parse(&entry, slice_until(whole, i), &words), "%zu bytes", i);
    }
    ck_assert(!audit_parse(&entry, text_slice(&line), &words));
    text_clear(&line);
    text_clear(&words);
}
END_TEST

/* ---- The file ---- */

START_TEST(what_was_appended_is_replayed_from_any_line_on)
{
    struct audit_entry entries[20];
    uint64_t offsets[21] = { 0 };
    struct text all;

    text_init(&all, TEXT_MAX_LENGTH);
    for (uint32_t i = 0; i < COUNT(entries); i++) {
        entries[i] = make_entry((enum audit_event)(i % AUDIT_EVENT_COUNT), i);
        audit_print(&all, &entries[i]);
        offsets[i + 1] = all.length;
    }
    ck_assert_uint_eq(replay(0), 0);
    append(entries, 7);
    append(entries + 7, 0);
    append(entries + 7, 13);
    audit_close(&audit);
    audit = audit_open(folder_fd, &problem);
    for (size_t i = 0; i <= COUNT(entries); i++) {
        ck_assert_uint_eq(replay(offsets[i]), all.length);
        unit_expect_text("replay", &seen, slice_from_offset(text_slice(&all), offsets[i]));
        ck_assert_uint_eq(bad, 0);
    }
    for (size_t i = 0; i <= COUNT(entries); i++) {
        text_reset(&seen);
        ck_assert_uint_eq(audit_replay(audit, offsets[i / 2], offsets[i], see, NULL, &bad),
                          offsets[i]);
        unit_expect_text("a part", &seen,
                         slice_from_offset(slice_until(text_slice(&all), offsets[i]),
                                           offsets[i / 2]));
    }
    ck_assert_uint_eq(file_bytes(), all.length);
    text_clear(&all);
}
END_TEST

START_TEST(more_than_a_block_is_replayed_whole)
{
    struct audit_entry entry = make_entry(AUDIT_REFUSED, 0);
    struct text all;

    text_init(&all, TEXT_MAX_LENGTH);
    entry.text = SLICE("a text that makes the line no divisor of a block");
    for (entry.recipient = 0; entry.recipient < 1500; entry.recipient++) {
        audit_print(&all, &entry);
        ck_assert(audit_append(audit, &entry, 1, false, &problem));
    }
    ck_assert_uint_eq(replay(0), all.length);
    unit_expect_text("replay", &seen, text_slice(&all));
    text_clear(&all);
}
END_TEST

START_TEST(a_last_line_torn_anywhere_is_passed_over_now_and_ever)
{
    struct audit_entry first = make_entry(AUDIT_HOLD, AUDIT_ALL_RECIPIENTS);
    struct audit_entry torn = make_entry(AUDIT_RELEASE, 1);
    struct audit_entry last = make_entry(AUDIT_EXPIRE, 2);
    struct text want;
    uint64_t whole;
    uint64_t full;

    text_init(&want, TEXT_MAX_LENGTH);
    torn.by = SLICE("uid 1000");
    append(&first, 1);
    whole = file_bytes();
    append(&torn, 1);
    full = file_bytes();
    audit_print(&want, &first);
    for (uint64_t length = whole; length < full; length++) {
        int fd = open_file(O_RDWR);

        ck_assert_int_eq(ftruncate(fd, (off_t)whole), 0);
        append(&torn, 1);
        ck_assert_int_eq(ftruncate(fd, (off_t)length), 0);
        close(fd);
        ck_assert_uint_eq(replay(0), whole);
        unit_expect_text("before", &seen, text_slice(&want));
        ck_assert_uint_eq(bad, 0);
        append(&last, 1);
        audit_print(&want, &last);
        ck_assert_uint_eq(replay(0), file_bytes());
        unit_expect_text("after", &seen, text_slice(&want));
        ck_assert_uint_eq(bad, length > whole ? 1 : 0);
        want.length = whole;
    }
    text_clear(&want);
}
END_TEST

START_TEST(a_bad_line_in_the_middle_costs_only_itself)
{
    struct audit_entry entries[3];
    struct text line;
    uint64_t lengths[3];
    int fd;

    text_init(&line, AUDIT_LINE_BYTES);
    for (uint32_t i = 0; i < 3; i++) {
        entries[i] = make_entry(AUDIT_DELETE, i);
        text_reset(&line);
        audit_print(&line, &entries[i]);
        lengths[i] = line.length;
    }
    append(entries, 3);
    fd = open_file(O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "9", 1, (off_t)lengths[0] + 10), 1);
    ck_assert_uint_eq(replay(0), file_bytes());
    ck_assert_uint_eq(bad, 1);
    text_reset(&line);
    audit_print(&line, &entries[0]);
    audit_print(&line, &entries[2]);
    unit_expect_text("the others", &seen, text_slice(&line));
    close(fd);
    text_clear(&line);
}
END_TEST

/* As after a file system lost its data: zeros without end, then a newline, then a good line. */
START_TEST(a_line_without_end_is_one_bad_line)
{
    struct audit_entry entry = make_entry(AUDIT_DELETE, 0);
    struct text want;
    int fd = open_file(O_WRONLY);

    text_init(&want, AUDIT_LINE_BYTES);
    audit_print(&want, &entry);
    ck_assert_int_eq(ftruncate(fd, 200000), 0);
    ck_assert_uint_eq(replay(0), 0);
    ck_assert_uint_eq(want.length, seen.length + want.length);
    append(&entry, 1);
    ck_assert_uint_eq(replay(0), file_bytes());
    unit_expect_text("the good one", &seen, text_slice(&want));
    ck_assert_uint_eq(bad, 1);
    close(fd);
    text_clear(&want);
}
END_TEST

/* A good line behind a whole block of such bytes is still the end of a bad one. */
START_TEST(a_bad_line_may_end_like_a_good_one)
{
    enum { BLOCK = 65536 };
    struct audit_entry entry = make_entry(AUDIT_DELETE, 0);
    char *block = mem_new(BLOCK);
    struct text line;
    int fd = open_file(O_WRONLY);

    text_init(&line, AUDIT_LINE_BYTES);
    audit_print(&line, &entry);
    ck_assert_int_eq(write(fd, block, BLOCK), BLOCK);
    ck_assert_int_eq(write(fd, line.data, line.length), (ssize_t)line.length);
    ck_assert_int_eq(write(fd, line.data, line.length), (ssize_t)line.length);
    ck_assert_uint_eq(replay(0), file_bytes());
    ck_assert_uint_eq(bad, 1);
    unit_expect_text("the second one", &seen, text_slice(&line));
    close(fd);
    text_clear(&line);
    mem_free(block);
}
END_TEST

START_TEST(what_finds_no_room_is_taken_back)
{
    struct audit_entry entries[2] = { make_entry(AUDIT_HOLD, 0), make_entry(AUDIT_HOLD, 1) };
    struct rlimit before;
    struct rlimit small;
    uint64_t whole;

    append(entries, 1);
    whole = file_bytes();
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    for (rlim_t room = 0; room < 2 * whole; room++) {
        small.rlim_cur = whole + room;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        text_reset(&problem);
        ck_assert(!audit_append(audit, entries, 2, true, &problem));
        ck_assert_str_eq(text_string(&problem), "cannot write the audit: File too large");
        ck_assert_uint_eq(file_bytes(), whole);
    }
    small.rlim_cur = 3 * whole;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    append(entries, 2);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
}
END_TEST

/* Each child appends with a description of its own, as two keepers do. */
START_TEST(two_writers_mix_no_lines)
{
    enum { WRITERS = 2, ROUNDS = 200 };

    for (int writer = 0; writer < WRITERS; writer++) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid > 0)
            continue;
        audit_close(&audit);
        audit = audit_open(folder_fd, &problem);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            struct audit_entry entries[2] = { make_entry(AUDIT_HOLD, i),
                                              make_entry(AUDIT_LOST, i) };

            if (!audit_append(audit, entries, 2, false, &problem))
                _exit(1);
        }
        _exit(0);
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        int status;

        ck_assert_int_ge(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    replay(0);
    ck_assert_uint_eq(bad, 0);
    for (size_t i = 0, count = 0; i < seen.length; i++) {
        count += seen.data[i] == '\n';
        if (i + 1 == seen.length)
            ck_assert_uint_eq(count, WRITERS * ROUNDS * 2);
    }
}
END_TEST

/* Another keeper is in the middle of a write, which it then takes back. */
static pid_t start_writer(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int fd = open_file(O_RDWR | O_APPEND);
        struct audit_entry entry = make_entry(AUDIT_HOLD, 1);
        off_t size = lseek(fd, 0, SEEK_END);

        audit_print(&seen, &entry);
        text_add_string(&seen, "half a line");
        if (flock(fd, LOCK_EX) != 0 || write(fd, seen.data, seen.length) != (ssize_t)seen.length ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        usleep(300000);
        _exit(ftruncate(fd, size) != 0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

START_TEST(what_another_takes_back_was_never_there)
{
    struct audit_entry entry = make_entry(AUDIT_COMMIT, 2);
    struct text want;
    int status;
    pid_t pid;

    text_init(&want, AUDIT_LINE_BYTES);
    pid = start_writer();
    ck_assert_uint_eq(replay(0), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    pid = start_writer();
    append(&entry, 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    audit_print(&want, &entry);
    ck_assert_uint_eq(replay(0), want.length);
    unit_expect_text("ours alone", &seen, text_slice(&want));
    text_clear(&want);
}
END_TEST

START_TEST(a_mark_tells_whether_it_is_still_the_audit_that_was_read)
{
    struct audit_entry entry = make_entry(AUDIT_HOLD, 0);
    uint64_t before;
    uint64_t after;
    uint64_t other;
    int fd = open_file(O_WRONLY);

    append(&entry, 1);
    before = file_bytes();
    append(&entry, 1);
    ck_assert(audit_mark(audit, 0, &other));
    ck_assert(audit_mark(audit, before, &after));
    ck_assert_uint_ne(other, after);
    ck_assert(audit_mark(audit, before, &other));
    ck_assert_uint_eq(other, after);
    ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)before - 5), 1);
    ck_assert(audit_mark(audit, before, &other));
    ck_assert_uint_ne(other, after);
    ck_assert_int_eq(ftruncate(fd, (off_t)before - 1), 0);
    ck_assert(!audit_mark(audit, before, &other));
    close(fd);
}
END_TEST

START_TEST(what_is_no_file_is_no_audit)
{
    audit_close(&audit);
    ck_assert_int_eq(unlinkat(folder_fd, "audit", 0), 0);
    ck_assert_int_eq(symlinkat("/dev/null", folder_fd, "audit"), 0);
    audit = audit_open(folder_fd, &problem);
    ck_assert_ptr_null(audit);
    ck_assert_int_eq(unlinkat(folder_fd, "audit", 0), 0);
    ck_assert_int_eq(mkfifoat(folder_fd, "audit", 0600), 0);
    text_reset(&problem);
    audit = audit_open(folder_fd, &problem);
    ck_assert_ptr_null(audit);
    ck_assert_uint_gt(problem.length, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: audit");
    TCase *tests = tcase_create("audit");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, lines_are_these);
    tcase_add_test(tests, every_field_comes_back_and_what_is_too_long_is_cut);
    tcase_add_test(tests, every_byte_that_changes_makes_a_line_bad);
    tcase_add_test(tests, what_was_appended_is_replayed_from_any_line_on);
    tcase_add_test(tests, more_than_a_block_is_replayed_whole);
    tcase_add_test(tests, a_last_line_torn_anywhere_is_passed_over_now_and_ever);
    tcase_add_test(tests, a_bad_line_in_the_middle_costs_only_itself);
    tcase_add_test(tests, a_line_without_end_is_one_bad_line);
    tcase_add_test(tests, a_bad_line_may_end_like_a_good_one);
    tcase_add_test(tests, what_finds_no_room_is_taken_back);
    tcase_add_test(tests, two_writers_mix_no_lines);
    tcase_add_test(tests, what_another_takes_back_was_never_there);
    tcase_add_test(tests, a_mark_tells_whether_it_is_still_the_audit_that_was_read);
    tcase_add_test(tests, what_is_no_file_is_no_audit);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
