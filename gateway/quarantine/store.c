/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of held mail; see store.h. A copy is written under ".ID", brought to
 * the disk, and only then given its name, by a rename that replaces nothing; one
 * sync of the folder serves a group. So a name without a dot is a whole copy
 * after any crash, and two keepers that store the same mail end with one.
 *
 * Everything is opened below the folder's descriptor and follows no symbolic
 * link: who could write into the folder could not lead us out of it.
 */
#include "quarantine/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "quarantine/store_file.h"

/*
 * The mode of a file says whether a worker was told of it. A copy of which none was, and whose
 * worker is dead, was promised to no client; but for a loss of power, so it is not thrown away.
 */
#define MODE_STORED 0400
#define MODE_ANSWERED 0600
#define NAME_BYTES (COPY_ID_MAX_BYTES + 2) /* ".ID" and its NUL */

struct store {
    int folder_fd; /* owned */
    int mail_fd;   /* owned; mail/ below it */
};

struct store_draft {
    struct store *store;            /* lent */
    char name[NAME_BYTES];          /* ".ID"; "ID" once that is its name; "" when it is done */
    int fd;                         /* owned, and locked */
    uint64_t file_bytes;
    enum store_result result;       /* of the steps of store_sync so far */
};

/* ---- Temporaries ---- */

/* Whoever writes a temporary has it locked, so one that can be locked is a dead process's. */
static bool remove_if_dead(const struct store *store, const char *name)
{
    int fd = openat(store->mail_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool is_dead;

    /* A link is nothing that we are writing. */
    if (fd < 0 && errno != ENOENT && errno != ELOOP)
        return false;
    is_dead = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (is_dead)
        is_dead = unlinkat(store->mail_fd, name, 0) == 0 || errno == ENOENT;
    if (fd >= 0)
        close(fd);
    errno = EBUSY;
    return is_dead;
}

/* A new temporary that is locked, and under its name; -1 and errno. */
static int make_temporary(const struct store *store, const char *name)
{
    for (int tries = 0; tries < 10; tries++) {
        int fd = openat(store->mail_fd, name,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE_STORED);
        struct stat status;

        if (fd < 0 && (errno != EEXIST || !remove_if_dead(store, name)))
            return -1;
        if (fd < 0)
            continue;
        /* Between open and lock another keeper may have taken it for a dead one's. */
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 && status.st_nlink > 0)
            return fd;
        close(fd);
    }
    errno = EBUSY;
    return -1;
}

/* ---- The folder ---- */

static int open_folder(int parent_fd, const char *name)
{
    if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Names with a dot first, or those without one; false when the folder cannot be read. */
static bool each_name(const struct store *store, bool is_hidden,
                      void (*each)(void *owner, const char *name), void *owner)
{
    int fd = openat(store->mail_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool is_read;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        if ((entry->d_name[0] == '.') == is_hidden)
            each(owner, entry->d_name);
        errno = 0;
    }
    is_read = errno == 0;
    closedir(directory);
    return is_read;
}

static void remove_leftover(void *owner, const char *name)
{
    if (copy_id_is_valid(slice_from(name + 1)))
        remove_if_dead(owner, name);
}

static bool prepare(struct store *store)
{
    int alive_fd = open_folder(store->folder_fd, "alive");

    if (alive_fd < 0)
        return false;
    close(alive_fd);
    store->mail_fd = open_folder(store->folder_fd, "mail");
    return store->mail_fd >= 0 && each_name(store, true, remove_leftover, store) &&
           fsync(store->mail_fd) == 0 && fsync(store->folder_fd) == 0;
}

struct store *store_open(int take_folder_fd, struct text *problem)
{
    struct store *store = mem_new(sizeof *store);

    store->folder_fd = take_folder_fd;
    store->mail_fd = -1;
    if (!prepare(store)) {
        text_add_format(problem, "cannot use the folder of the quarantine: %s", strerror(errno));
        store_close(&store);
    }
    return store;
}

void store_close(struct store **handle)
{
    struct store *store = *handle;

    *handle = NULL;
    if (store == NULL)
        return;
    if (store->mail_fd >= 0)
        close(store->mail_fd);
    close(store->folder_fd);
    mem_free(store);
}

int store_folder_fd(const struct store *store)
{
    return store->folder_fd;
}

struct id_filter {
    void (*each)(void *owner, const char *id);
    void *owner;
};

static void pass_id(void *owner, const char *name)
{
    const struct id_filter *filter = owner;

    if (copy_id_is_valid(slice_from(name)))
        filter->each(filter->owner, name);
}

bool store_each(struct store *store, void (*each)(void *owner, const char *id), void *owner)
{
    struct id_filter filter = { each, owner };

    return each_name(store, false, pass_id, &filter);
}

/* ---- Writing ---- */

static enum store_result fail(struct text *problem, const char *what, const char *id, int error)
{
    text_add_format(problem, "cannot %s the copy %s: %s", what, id, strerror(error));
    return store_result_of(error);
}

/* Before anything is written: most repetitions end here. */
static enum store_result check_name(const struct store *store, const char *id,
                                    struct text *problem)
{
    struct stat status;

    if (!copy_id_is_valid(slice_from(id))) {
        text_add_string(problem, "the id of a copy is none");
        return STORE_BROKEN;
    }
    if (fstatat(store->mail_fd, id, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        text_add_format(problem, "the copy %s is there already", id);
        return STORE_EXISTS;
    }
    return errno == ENOENT ? STORE_DONE : fail(problem, "look for", id, errno);
}

enum store_result store_write(struct store *store, const struct copy *copy, int source_fd,
                              const struct store_piece *pieces, size_t piece_count,
                              struct store_draft **draft, struct text *problem)
{
    enum store_result result = check_name(store, copy->id, problem);
    struct store_draft *made;
    struct text why;

    *draft = NULL;
    if (result != STORE_DONE)
        return result;
    made = mem_new(sizeof *made);
    made->store = store;
    snprintf(made->name, sizeof made->name, ".%s", copy->id);
    made->fd = make_temporary(store, made->name);
    if (made->fd < 0) {
        result = fail(problem, "make a file for", copy->id, errno);
        mem_free(made);
        return result;
    }
    text_init(&why, problem->max_length);
    result = store_file_write(made->fd, copy, source_fd, pieces, piece_count, &made->file_bytes,
                              &why);
    if (result == STORE_DONE) {
        *draft = made;
    } else {
        text_add_format(problem, "the copy %s %s", copy->id, text_string(&why));
        store_draft_cancel(&made);
    }
    text_clear(&why);
    return result;
}

uint64_t store_draft_bytes(const struct store_draft *draft)
{
    return draft->file_bytes;
}

/* The name first: while the lock is held nobody else makes one that is the same. */
void store_draft_cancel(struct store_draft **handle)
{
    struct store_draft *draft = *handle;

    *handle = NULL;
    if (draft == NULL)
        return;
    if (draft->name[0] != '\0')
        unlinkat(draft->store->mail_fd, draft->name, 0);
    close(draft->fd);
    mem_free(draft);
}

/* ---- To the disk ---- */

/* Not every file system has a rename that replaces nothing; all that we need have links. */
static int rename_new(int folder_fd, const char *from, const char *to)
{
    if (renameat2(folder_fd, from, folder_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(folder_fd, from, folder_fd, to, 0) != 0)
        return -1;
    unlinkat(folder_fd, from, 0);
    return 0;
}

static void sync_draft(struct store_draft *draft, struct text *problem)
{
    const char *id = draft->name + 1;

    draft->result = STORE_DONE;
    if (fdatasync(draft->fd) != 0) {
        draft->result = fail(problem, "sync", id, errno);
    } else if (rename_new(draft->store->mail_fd, draft->name, id) == 0) {
        memmove(draft->name, id, strlen(id) + 1);
    } else if (errno == EEXIST) {
        text_add_format(problem, "the copy %s is there already", id);
        draft->result = STORE_EXISTS;
    } else {
        draft->result = fail(problem, "give its name to", id, errno);
    }
}

/* What is done keeps its file, whatever name that has; all else is taken away. */
static void end_draft(struct store_draft **handle)
{
    struct store_draft *draft = *handle;

    if (draft->result == STORE_DONE)
        draft->name[0] = '\0';
    store_draft_cancel(handle);
}

void store_sync(struct store *store, struct store_draft **drafts, size_t count,
                enum store_result *results, struct text *problem)
{
    struct text one;
    enum store_result folder = STORE_DONE;
    bool has_names = false;

    text_init(&one, problem->max_length);
    /* All at once, so that the disk can order them; an error shows in the sync of that file. */
    for (size_t i = 0; i < count; i++)
        (void)!sync_file_range(drafts[i]->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    for (size_t i = 0; i < count; i++) {
        text_reset(&one);
        sync_draft(drafts[i], &one);
        has_names = has_names || drafts[i]->result == STORE_DONE;
        if (problem->length == 0)
            text_add(problem, text_slice(&one));
    }
    text_reset(&one);
    if (has_names)
        folder = store_sync_folder(store, &one);
    if (problem->length == 0)
        text_add(problem, text_slice(&one));
    for (size_t i = 0; i < count; i++) {
        if (drafts[i]->result == STORE_DONE)
            drafts[i]->result = folder;
        results[i] = drafts[i]->result;
        end_draft(&drafts[i]);
    }
    text_clear(&one);
}

enum store_result store_sync_folder(struct store *store, struct text *problem)
{
    if (fsync(store->mail_fd) == 0)
        return STORE_DONE;
    text_add_format(problem, "cannot sync the folder of held mail: %s", strerror(errno));
    return store_result_of(errno);
}

enum store_result store_note_answered(struct store *store, const char *id, struct text *problem)
{
    if (fchmodat(store->mail_fd, id, MODE_ANSWERED, 0) == 0)
        return STORE_DONE;
    return fail(problem, "change the mode of", id, errno);
}

/* ---- Reading and removing ---- */

static enum store_result absent(struct text *problem)
{
    text_add_string(problem, "there is no copy of this id");
    return STORE_ABSENT;
}

static enum store_result read_open(struct store_file *file, const char *id, bool is_whole,
                                   struct text *problem)
{
    struct text why;
    enum store_result result;

    text_init(&why, problem->max_length);
    result = store_file_read(file, is_whole, &why);
    if (result == STORE_DONE && strcmp(file->copy.id, id) != 0) {
        text_add_format(&why, "holds that of %s", file->copy.id);
        result = STORE_BROKEN;
    }
    if (result != STORE_DONE)
        text_add_format(problem, "the copy %s %s", id, text_string(&why));
    text_clear(&why);
    return result;
}

enum store_result store_read(struct store *store, const char *id, bool is_whole,
                             struct store_file *file, struct text *problem)
{
    enum store_result result;

    *file = (struct store_file){ .fd = -1 };
    copy_init(&file->copy);
    if (!copy_id_is_valid(slice_from(id)))
        return absent(problem);
    file->fd = openat(store->mail_fd, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file->fd < 0 && errno == ENOENT)
        return absent(problem);
    if (file->fd < 0)
        return fail(problem, "open", id, errno);
    result = read_open(file, id, is_whole, problem);
    if (result != STORE_DONE) {
        uint64_t file_bytes = file->file_bytes;

        store_file_clear(file);
        file->file_bytes = file_bytes;
    }
    return result;
}

void store_file_clear(struct store_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    copy_clear(&file->copy);
    *file = (struct store_file){ .fd = -1 };
}

bool store_find_time(const struct store *store, const char *id, uint64_t *wall_us)
{
    struct stat status;

    if (!copy_id_is_valid(slice_from(id)) ||
        fstatat(store->mail_fd, id, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *wall_us = (uint64_t)status.st_mtim.tv_sec * 1000000 +
               (uint64_t)status.st_mtim.tv_nsec / 1000;
    return true;
}

enum store_result store_remove(struct store *store, const char *id, struct text *problem)
{
    if (!copy_id_is_valid(slice_from(id)))
        return absent(problem);
    if (unlinkat(store->mail_fd, id, 0) == 0)
        return STORE_DONE;
    return errno == ENOENT ? absent(problem) : fail(problem, "remove", id, errno);
}
