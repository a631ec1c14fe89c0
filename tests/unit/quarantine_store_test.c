/* SPDX-License-Identifier: BSD-2-Clause */
/* quarantine/store: copies that are on the disk, whole, once, or not at all. */
#include "quarantine/store.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "quarantine_unit.h"

#define CONTENT "Subject: x\r\n\r\nbody\r\n"

static char folder[32];
static int folder_fd;
static struct store *store;
static struct text problem;
static struct copy copy;

static void open_store(void)
{
    store = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_msg(store != NULL, "%s", text_string(&problem));
}

static void set_up(void)
{
    signal(SIGXFSZ, SIG_IGN);
    text_init(&problem, 1000);
    folder_fd = unit_make_folder(folder);
    unit_make_full_copy(&copy);
    open_store();
}

static void tear_down(void)
{
    copy_clear(&copy);
    store_close(&store);
    close(folder_fd);
    text_clear(&problem);
    unit_remove_folder(folder);
}

static size_t count_names(bool is_hidden)
{
    char path[64];
    DIR *directory;
    struct dirent *entry;
    size_t count = 0;

    snprintf(path, sizeof path, "%s/mail", folder);
    directory = opendir(path);
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count += (entry->d_name[0] == '.') == is_hidden;
    closedir(directory);
    return count;
}

static enum store_result write_content(const char *content, struct store_draft **draft)
{
    struct store_piece piece = { .bytes = content, .length = strlen(content) };

    text_reset(&problem);
    return store_write(store, &copy, -1, &piece, 1, draft, &problem);
}

static enum store_result sync_one(struct store_draft *draft)
{
    enum store_result result;

    store_sync(store, &draft, 1, &result, &problem);
    ck_assert_ptr_null(draft);
    return result;
}

static void store_content(const char *content)
{
    struct store_draft *draft;

    ck_assert_msg(write_content(content, &draft) == STORE_DONE, "%s", text_string(&problem));
    ck_assert_msg(sync_one(draft) == STORE_DONE, "%s", text_string(&problem));
}

static void expect_content(const char *id, struct slice want)
{
    struct store_file file;
    char *got = mem_new(want.length + 1);

    ck_assert_msg(store_read(store, id, true, &file, &problem) == STORE_DONE, "%s",
                  text_string(&problem));
    ck_assert_uint_eq(file.content_bytes, want.length);
    ck_assert_int_eq(read(file.fd, got, want.length), (ssize_t)want.length);
    ck_assert_msg(slice_equals((struct slice){ got, want.length }, want), "%s: content differs",
                  id);
    ck_assert_str_eq(file.copy.id, id);
    store_file_clear(&file);
    mem_free(got);
}

/* ---- What is stored ---- */

START_TEST(what_was_stored_comes_back_after_the_store_was_closed)
{
    struct text want;
    struct text got;
    struct store_file file;
    struct stat status;

    store_content(CONTENT);
    store_close(&store);
    open_store();
    expect_content(copy.id, SLICE(CONTENT));
    ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_DONE);
    text_init(&want, TEXT_MAX_LENGTH);
    text_init(&got, TEXT_MAX_LENGTH);
    copy_print(&want, &copy);
    copy_print(&got, &file.copy);
    unit_expect_text("the copy", &got, text_slice(&want));
    ck_assert_int_eq(fstat(file.fd, &status), 0);
    ck_assert_uint_eq(file.file_bytes, status.st_size);
    ck_assert_uint_eq(status.st_mode & 07777, 0400);
    ck_assert(!file.is_answered);
    ck_assert_int_eq(fstatat(folder_fd, "mail", &status, 0), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    ck_assert_int_eq(fstatat(folder_fd, "alive", &status, 0), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    store_file_clear(&file);
    text_clear(&want);
    text_clear(&got);
}
END_TEST

START_TEST(a_file_says_whether_a_worker_was_told_of_it)
{
    struct store_file file;

    store_content(CONTENT);
    ck_assert_int_eq(store_note_answered(store, copy.id, &problem), STORE_DONE);
    store_close(&store);
    open_store();
    ck_assert_int_eq(store_read(store, copy.id, true, &file, &problem), STORE_DONE);
    ck_assert(file.is_answered);
    store_file_clear(&file);
    ck_assert_int_eq(store_remove(store, copy.id, &problem), STORE_DONE);
    ck_assert_int_eq(store_note_answered(store, copy.id, &problem), STORE_FAILED);
}
END_TEST

/* So that a person can tell with nothing but the tools of the system. */
START_TEST(a_file_is_content_then_text_then_footer)
{
    struct store_file file;
    struct text want;
    char got[4096];
    ssize_t length;

    store_content("abc");
    ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_DONE);
    length = pread(file.fd, got, sizeof got, 0);
    text_init(&want, sizeof got);
    text_add_string(&want, "abc");
    copy_print(&want, &copy);
    ck_assert_int_eq(memcmp(got, want.data, want.length), 0);
    ck_assert_msg(slice_has_prefix(slice_from_offset((struct slice){ got, (size_t)length },
                                                     want.length),
                                   SLICE("postern-file 1 content=00000000000000000003 ba7816bf8f01"
                                         "cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad "
                                         "copy=00000000000000000839 ")),
                  "%.*s", (int)length, got);
    ck_assert_int_eq(got[length - 1], '\n');
    text_clear(&want);
    store_file_clear(&file);
}
END_TEST

START_TEST(content_is_put_together_from_pieces_of_any_size)
{
    enum { SOURCE_BYTES = 300000 };
    char *source = mem_new(SOURCE_BYTES);
    FILE *temporary = tmpfile();
    struct store_piece pieces[] = {
        { .bytes = "first ", .length = 6 },
        { .offset = 7, .length = 200000 },
        { .bytes = "", .length = 0 },
        { .bytes = source, .length = 65536 },
        { .offset = 0, .length = 1 },
        { .offset = SOURCE_BYTES - 5, .length = 5 },
        { .bytes = " last", .length = 5 },
    };
    struct text want;
    struct store_draft *draft;
    struct stat status;

    for (size_t i = 0; i < SOURCE_BYTES; i++)
        source[i] = (char)('a' + (i * 7 + i / 251) % 26);
    ck_assert_uint_eq(fwrite(source, 1, SOURCE_BYTES, temporary), SOURCE_BYTES);
    ck_assert_int_eq(fflush(temporary), 0);
    text_init(&want, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < COUNT(pieces); i++)
        text_add(&want, (struct slice){ pieces[i].bytes ? pieces[i].bytes
                                                        : source + pieces[i].offset,
                                        (size_t)pieces[i].length });
    ck_assert_int_eq(store_write(store, &copy, fileno(temporary), pieces, COUNT(pieces), &draft,
                                 &problem), STORE_DONE);
    ck_assert_uint_eq(count_names(true), 1);
    ck_assert_int_eq(fstatat(folder_fd, "mail/.06h0x6s1zxfdk76x-1", &status, 0), 0);
    ck_assert_uint_eq(store_draft_bytes(draft), status.st_size);
    ck_assert_int_eq(sync_one(draft), STORE_DONE);
    expect_content(copy.id, text_slice(&want));
    ck_assert_uint_eq(count_names(true), 0);
    text_clear(&want);
    fclose(temporary);
    mem_free(source);
}
END_TEST

START_TEST(a_source_that_is_too_short_leaves_nothing_behind)
{
    static const struct {
        struct store_piece piece;
        enum store_result want;
    } cases[] = {
        { { .offset = 0, .length = 11 }, STORE_BROKEN },
        { { .offset = 10, .length = 1 }, STORE_BROKEN },
        { { .offset = UINT64_MAX, .length = 2 }, STORE_BROKEN },
        { { .offset = 0, .length = UINT64_MAX }, STORE_BROKEN },
    };
    FILE *temporary = tmpfile();
    struct store_draft *draft;

    fputs("ten bytes.", temporary);
    fflush(temporary);
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum store_result got = store_write(store, &copy, fileno(temporary), &cases[i].piece, 1,
                                            &draft, &problem);

        ck_assert_msg(got == cases[i].want, "case %zu: %d", i, got);
        ck_assert_ptr_null(draft);
    }
    ck_assert_str_eq(text_string(&problem) + problem.length - 24, "is shorter than was said");
    ck_assert_int_eq(store_write(store, &copy, -1, &cases[0].piece, 1, &draft, &problem),
                     STORE_FAILED);
    ck_assert_uint_eq(count_names(true) + count_names(false), 0);
    fclose(temporary);
}
END_TEST

START_TEST(a_file_that_finds_no_room_is_a_full_disk_and_leaves_nothing_behind)
{
    struct rlimit before;
    struct rlimit small;
    struct store_draft *draft;
    char *content = mem_new(200001);

    memset(content, 'x', 200000);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    for (rlim_t limit = 0; limit <= 200000; limit += 50000) {
        small.rlim_cur = limit;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        ck_assert_msg(write_content(content, &draft) == STORE_FULL, "limit %zu", (size_t)limit);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_ptr_null(draft);
        ck_assert_str_eq(text_string(&problem),
                         "the copy 06h0x6s1zxfdk76x-1 cannot be written: File too large");
        ck_assert_uint_eq(count_names(true) + count_names(false), 0);
    }
    store_content(content);
    mem_free(content);
}
END_TEST

/* ---- Names ---- */

START_TEST(an_existing_copy_is_never_written_over)
{
    struct store_draft *first;
    struct store_draft *second;
    struct store *other;

    store_content("the first");
    ck_assert_int_eq(write_content("the second", &second), STORE_EXISTS);
    ck_assert_ptr_null(second);
    expect_content(copy.id, SLICE("the first"));

    /* Another keeper gives the name while ours is writing. */
    unit_remove_folder(folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    close(folder_fd);
    folder_fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    store_close(&store);
    open_store();
    ck_assert_int_eq(write_content("the second", &second), STORE_DONE);
    ck_assert_int_eq(renameat(folder_fd, "mail/.06h0x6s1zxfdk76x-1", folder_fd, "mail/moved"), 0);
    other = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_int_eq(write_content("the first", &first), STORE_DONE);
    ck_assert_int_eq(sync_one(first), STORE_DONE);
    ck_assert_int_eq(renameat(folder_fd, "mail/moved", folder_fd, "mail/.06h0x6s1zxfdk76x-1"), 0);
    ck_assert_int_eq(sync_one(second), STORE_EXISTS);
    expect_content(copy.id, SLICE("the first"));
    ck_assert_uint_eq(count_names(true), 0);
    store_close(&other);
}
END_TEST

START_TEST(a_group_of_fifty_is_there_together_whatever_happens_to_one)
{
    enum { GROUP = 50 };
    struct store_draft *drafts[GROUP];
    enum store_result results[GROUP];
    char content[GROUP][20];

    for (unsigned int i = 0; i < GROUP; i++) {
        copy_clear(&copy);
        unit_make_copy(&copy, i + 1, "<>");
        unit_add_recipient(&copy, "<a@example.org>", NULL, 0, NULL);
        snprintf(content[i], sizeof content[i], "content %u", i);
        ck_assert_int_eq(write_content(content[i], &drafts[i]), STORE_DONE);
    }
    /* One has lost its file, another finds its name taken. */
    ck_assert_int_eq(unlinkat(folder_fd, "mail/.06h0x6s1zxfdk76x-8", 0), 0);
    ck_assert_int_eq(mkdirat(folder_fd, "mail/06h0x6s1zxfdk76x-31", 0700), 0);
    text_reset(&problem);
    store_sync(store, drafts, GROUP, results, &problem);
    ck_assert_str_eq(text_string(&problem), "cannot give its name to the copy "
                                            "06h0x6s1zxfdk76x-8: No such file or directory");
    for (unsigned int i = 0; i < GROUP; i++) {
        char id[COPY_ID_MAX_BYTES + 1];

        snprintf(id, sizeof id, "06h0x6s1zxfdk76x-%u", i + 1);
        ck_assert_msg(results[i] == (i == 7 ? STORE_FAILED : i == 30 ? STORE_EXISTS : STORE_DONE),
                      "%s: %d", id, results[i]);
        if (results[i] == STORE_DONE)
            expect_content(id, slice_from(content[i]));
    }
    ck_assert_uint_eq(count_names(true), 0);
    ck_assert_uint_eq(count_names(false), GROUP - 1);
}
END_TEST

START_TEST(what_a_crash_left_half_way_is_removed_and_nothing_else)
{
    static const char *const names[] = {
        "mail/.06h0x6s1zxfdk76x-2", "mail/.06h0x6s1zxfdk76x-3", "mail/.keep", "mail/notes",
    };
    struct store_draft *draft;
    struct store *other;

    store_content(CONTENT);
    for (size_t i = 0; i < COUNT(names); i++)
        close(openat(folder_fd, names[i], O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(symlinkat("/dev/zero", folder_fd, "mail/.06h0x6s1zxfdk76x-4"), 0);
    snprintf(copy.id, sizeof copy.id, "06h0x6s1zxfdk76x-5");
    ck_assert_int_eq(write_content("being written", &draft), STORE_DONE);
    ck_assert_uint_eq(count_names(true), 5);
    other = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_ptr_nonnull(other);
    ck_assert_uint_eq(count_names(true), 2); /* .keep, and the one that is being written */
    ck_assert_uint_eq(count_names(false), 2);
    ck_assert_int_eq(sync_one(draft), STORE_DONE);
    expect_content("06h0x6s1zxfdk76x-5", SLICE("being written"));
    store_close(&other);
}
END_TEST

START_TEST(a_dead_temporary_of_the_same_id_is_in_nobodys_way_and_a_live_one_is)
{
    struct store_draft *draft;
    int fd = openat(folder_fd, "mail/.06h0x6s1zxfdk76x-1", O_CREAT | O_RDWR, 0600);

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(write_content(CONTENT, &draft), STORE_FAILED);
    ck_assert_str_eq(text_string(&problem), "cannot make a file for the copy "
                                            "06h0x6s1zxfdk76x-1: Device or resource busy");
    ck_assert_uint_eq(count_names(true), 1);
    /* What a dead one has written is not part of the next. */
    ck_assert_int_eq(ftruncate(fd, 100000), 0);
    close(fd);
    store_content(CONTENT);
    expect_content(copy.id, SLICE(CONTENT));
}
END_TEST

START_TEST(a_cancelled_draft_leaves_nothing_behind)
{
    struct store_draft *draft;

    ck_assert_int_eq(write_content(CONTENT, &draft), STORE_DONE);
    store_draft_cancel(&draft);
    ck_assert_ptr_null(draft);
    store_draft_cancel(&draft);
    ck_assert_uint_eq(count_names(true) + count_names(false), 0);
}
END_TEST

static void count_id(void *owner, const char *id)
{
    size_t *count = owner;

    ck_assert(copy_id_is_valid(slice_from(id)));
    ++*count;
}

START_TEST(only_ids_are_listed_read_and_removed)
{
    struct store_file file;
    size_t count = 0;

    store_content(CONTENT);
    close(openat(folder_fd, "mail/notes", O_CREAT | O_WRONLY, 0600));
    close(openat(folder_fd, "mail/.06h0x6s1zxfdk76x-2", O_CREAT | O_WRONLY, 0600));
    ck_assert(store_each(store, count_id, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(store_read(store, "notes", false, &file, &problem), STORE_ABSENT);
    ck_assert_int_eq(store_read(store, "../audit", false, &file, &problem), STORE_ABSENT);
    ck_assert_int_eq(store_read(store, "06h0x6s1zxfdk76x-9", false, &file, &problem),
                     STORE_ABSENT);
    ck_assert_int_eq(store_remove(store, "notes", &problem), STORE_ABSENT);
    ck_assert_int_eq(store_remove(store, copy.id, &problem), STORE_DONE);
    ck_assert_int_eq(store_remove(store, copy.id, &problem), STORE_ABSENT);
    ck_assert_int_eq(store_sync_folder(store, &problem), STORE_DONE);
    ck_assert_uint_eq(count_names(false), 1);
    snprintf(copy.id, sizeof copy.id, "../escape");
    ck_assert_int_eq(write_content(CONTENT, &(struct store_draft *){ NULL }), STORE_BROKEN);
}
END_TEST

START_TEST(no_link_leads_out_of_the_folder)
{
    struct store_file file;

    ck_assert_int_eq(symlinkat("/etc/passwd", folder_fd, "mail/06h0x6s1zxfdk76x-1"), 0);
    ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_FAILED);
    store_close(&store);
    ck_assert_int_eq(unlinkat(folder_fd, "mail/06h0x6s1zxfdk76x-1", 0), 0);
    ck_assert_int_eq(unlinkat(folder_fd, "mail", AT_REMOVEDIR), 0);
    ck_assert_int_eq(symlinkat("/tmp", folder_fd, "mail"), 0);
    store = store_open(fcntl(folder_fd, F_DUPFD_CLOEXEC, 3), &problem);
    ck_assert_ptr_null(store);
}
END_TEST

/* ---- Damage ---- */

static void flip_byte(int fd, off_t at)
{
    char byte;

    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 1);
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
}

START_TEST(every_byte_that_changes_is_noticed)
{
    struct store_file file;
    off_t length;
    int fd;

    store_content("0123456789");
    fd = openat(folder_fd, "mail/06h0x6s1zxfdk76x-1", O_RDWR | O_CLOEXEC);
    length = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < length; at++) {
        flip_byte(fd, at);
        ck_assert_msg(store_read(store, copy.id, true, &file, &problem) == STORE_BROKEN,
                      "byte %lld", (long long)at);
        ck_assert_int_lt(file.fd, 0);
        ck_assert_uint_eq(file.file_bytes, length);
        if (at < 10) {
            ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_DONE);
            store_file_clear(&file);
        }
        flip_byte(fd, at);
    }
    expect_content(copy.id, SLICE("0123456789"));
    close(fd);
}
END_TEST

START_TEST(every_other_length_is_noticed)
{
    struct store_file file;
    off_t length;
    int fd;

    store_content("0123456789");
    fd = openat(folder_fd, "mail/06h0x6s1zxfdk76x-1", O_RDWR | O_CLOEXEC);
    length = lseek(fd, 0, SEEK_END);
    ck_assert_int_eq(pwrite(fd, "\n", 1, length), 1);
    ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_BROKEN);
    while (length-- > 0) {
        ck_assert_int_eq(ftruncate(fd, length), 0);
        ck_assert_msg(store_read(store, copy.id, false, &file, &problem) == STORE_BROKEN,
                      "%lld bytes", (long long)length);
    }
    close(fd);
    ck_assert_int_eq(store_remove(store, copy.id, &problem), STORE_DONE);
    ck_assert_int_eq(mkdirat(folder_fd, "mail/06h0x6s1zxfdk76x-1", 0700), 0);
    ck_assert_int_eq(store_read(store, copy.id, false, &file, &problem), STORE_BROKEN);
}
END_TEST

START_TEST(a_copy_under_another_name_is_broken)
{
    struct store_file file;

    store_content(CONTENT);
    ck_assert_int_eq(renameat(folder_fd, "mail/06h0x6s1zxfdk76x-1", folder_fd,
                              "mail/06h0x6s1zxfdk76x-2"), 0);
    text_reset(&problem);
    ck_assert_int_eq(store_read(store, "06h0x6s1zxfdk76x-2", false, &file, &problem),
                     STORE_BROKEN);
    ck_assert_str_eq(text_string(&problem),
                     "the copy 06h0x6s1zxfdk76x-2 holds that of 06h0x6s1zxfdk76x-1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine: store");
    TCase *tests = tcase_create("store");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, what_was_stored_comes_back_after_the_store_was_closed);
    tcase_add_test(tests, a_file_says_whether_a_worker_was_told_of_it);
    tcase_add_test(tests, a_file_is_content_then_text_then_footer);
    tcase_add_test(tests, content_is_put_together_from_pieces_of_any_size);
    tcase_add_test(tests, a_source_that_is_too_short_leaves_nothing_behind);
    tcase_add_test(tests, a_file_that_finds_no_room_is_a_full_disk_and_leaves_nothing_behind);
    tcase_add_test(tests, an_existing_copy_is_never_written_over);
    tcase_add_test(tests, a_group_of_fifty_is_there_together_whatever_happens_to_one);
    tcase_add_test(tests, what_a_crash_left_half_way_is_removed_and_nothing_else);
    tcase_add_test(tests, a_dead_temporary_of_the_same_id_is_in_nobodys_way_and_a_live_one_is);
    tcase_add_test(tests, a_cancelled_draft_leaves_nothing_behind);
    tcase_add_test(tests, only_ids_are_listed_read_and_removed);
    tcase_add_test(tests, no_link_leads_out_of_the_folder);
    tcase_add_test(tests, every_byte_that_changes_is_noticed);
    tcase_add_test(tests, every_other_length_is_noticed);
    tcase_add_test(tests, a_copy_under_another_name_is_broken);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
