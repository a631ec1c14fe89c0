/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mail into a Maildir; see maildir.h. A small mail costs an open, one write, a
 * sync and a rename: bytes are gathered until there are WRITE_BYTES of them.
 */
#include "tools/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"

#define WRITE_BYTES 65536
#define MAX_NAME_BYTES 400 /* ours, with the longest host name */

struct maildir {
    struct loop *loop;        /* lent */
    char *hostname;           /* owned */
    bool is_synced;
    int tmp_fd;               /* the folders */
    int new_fd;
    struct list_link waiting; /* files that `store` takes, in order */
    struct loop_task store;
};

enum maildir_file_state {
    MAILDIR_FILE_OPEN,   /* takes bytes */
    MAILDIR_FILE_STORED, /* is in new/ */
    MAILDIR_FILE_FAILED, /* `result` says how; takes bytes and drops them */
};

struct maildir_file {
    struct list_link link;    /* in `waiting`, from start to done */
    struct maildir *maildir;  /* lent */
    enum maildir_file_state state;
    enum maildir_result result;
    int fd;                   /* -1 once it is closed, or when it could not be opened */
    char *name;               /* owned */
    struct text buffer;       /* what is still to be written */
    maildir_done_fn done;
    void *owner;
};

/* ---- The folder ---- */

static bool make_folder(int parent_fd, const char *name)
{
    return mkdirat(parent_fd, name, 0700) == 0 || errno == EEXIST;
}

static int open_folder(int parent_fd, const char *name)
{
    return make_folder(parent_fd, name)
               ? openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
               : -1;
}

static bool open_folders(struct maildir *maildir, const char *path)
{
    int fd = open_folder(AT_FDCWD, path);
    bool is_open = false;

    if (fd >= 0 && make_folder(fd, "cur")) {
        maildir->tmp_fd = open_folder(fd, "tmp");
        maildir->new_fd = open_folder(fd, "new");
        is_open = maildir->tmp_fd >= 0 && maildir->new_fd >= 0;
    }
    if (fd >= 0)
        close(fd);
    return is_open;
}

static void store_waiting(void *owner);

struct maildir *maildir_new(struct loop *loop, const char *path, const char *hostname,
                            bool is_synced, struct text *problem)
{
    struct maildir *maildir = mem_new(sizeof *maildir);

    maildir->loop = loop;
    maildir->hostname = mem_copy(slice_from(hostname));
    maildir->is_synced = is_synced;
    maildir->tmp_fd = maildir->new_fd = -1;
    list_init(&maildir->waiting);
    loop_task_init(&maildir->store, store_waiting, maildir);
    if (!open_folders(maildir, path)) {
        text_add_format(problem, "cannot use the Maildir %s: %s", path, strerror(errno));
        maildir_free(&maildir);
    }
    return maildir;
}

void maildir_free(struct maildir **handle)
{
    struct maildir *maildir = *handle;

    *handle = NULL;
    if (maildir == NULL)
        return;
    loop_task_cancel(&maildir->store);
    if (maildir->tmp_fd >= 0)
        close(maildir->tmp_fd);
    if (maildir->new_fd >= 0)
        close(maildir->new_fd);
    mem_free(maildir->hostname);
    mem_free(maildir);
}

/* ---- One file ---- */

/* The first failure stands. */
static void fail(struct maildir_file *file, const char *what, int error)
{
    if (file->state == MAILDIR_FILE_FAILED)
        return;
    log_error("maildir-failed", "cannot %s %s: %s", what, file->name, strerror(error));
    file->state = MAILDIR_FILE_FAILED;
    file->result = error == ENOSPC || error == EDQUOT ? MAILDIR_FULL : MAILDIR_FAILED;
}

static void flush(struct maildir_file *file)
{
    size_t written = 0;

    while (written < file->buffer.length && file->state == MAILDIR_FILE_OPEN) {
        ssize_t count =
            write(file->fd, file->buffer.data + written, file->buffer.length - written);

        if (count >= 0)
            written += (size_t)count;
        else if (errno != EINTR)
            fail(file, "write", errno);
    }
    text_reset(&file->buffer);
}

struct maildir_file *maildir_file_new(struct maildir *maildir, const char *id)
{
    struct maildir_file *file = mem_new(sizeof *file);
    struct text name;

    list_init(&file->link);
    file->maildir = maildir;
    text_init(&file->buffer, TEXT_MAX_LENGTH);
    text_init(&name, MAX_NAME_BYTES);
    text_add_format(&name, "%llu.%s.%s", (unsigned long long)(clock_wall_us() / 1000000), id,
                    maildir->hostname);
    file->name = mem_copy(text_slice(&name));
    text_clear(&name);
    file->fd = openat(maildir->tmp_fd, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd < 0)
        fail(file, "make", errno);
    return file;
}

void maildir_file_add(struct maildir_file *file, struct slice bytes)
{
    text_add(&file->buffer, bytes);
    if (file->buffer.length >= WRITE_BYTES)
        flush(file);
}

void maildir_file_start(struct maildir_file *file, maildir_done_fn done, void *owner)
{
    file->done = done;
    file->owner = owner;
    list_add_last(&file->maildir->waiting, &file->link);
    loop_defer(file->maildir->loop, &file->maildir->store);
}

void maildir_file_free(struct maildir_file **handle)
{
    struct maildir_file *file = *handle;

    *handle = NULL;
    if (file == NULL)
        return;
    list_remove(&file->link);
    if (file->fd >= 0)
        close(file->fd);
    if (file->state != MAILDIR_FILE_STORED)
        unlinkat(file->maildir->tmp_fd, file->name, 0);
    text_clear(&file->buffer);
    mem_free(file->name);
    mem_free(file);
}

/* ---- To disk ---- */

/* Everything but the sync of the folder that it is renamed into. */
static void store(struct maildir_file *file)
{
    const struct maildir *maildir = file->maildir;

    flush(file);
    if (file->state == MAILDIR_FILE_OPEN && maildir->is_synced && fdatasync(file->fd) != 0)
        fail(file, "sync", errno);
    if (file->state == MAILDIR_FILE_OPEN && close(file->fd) != 0)
        fail(file, "close", errno);
    else if (file->state == MAILDIR_FILE_FAILED && file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    if (file->state != MAILDIR_FILE_OPEN)
        return;
    if (renameat(maildir->tmp_fd, file->name, maildir->new_fd, file->name) == 0)
        file->state = MAILDIR_FILE_STORED;
    else
        fail(file, "rename", errno);
}

/* A name that may not survive a crash is no delivery: it is taken back. */
static void take_back(struct maildir_file *file, int error)
{
    if (file->state != MAILDIR_FILE_STORED)
        return;
    unlinkat(file->maildir->new_fd, file->name, 0);
    fail(file, "sync the folder of", error);
}

static void store_waiting(void *owner)
{
    struct maildir *maildir = owner;
    struct list_link batch;
    struct list_link *link;

    list_init(&batch);
    while ((link = list_take_first(&maildir->waiting)) != NULL) {
        list_add_last(&batch, link);
        store(LIST_OWNER(link, struct maildir_file, link));
    }
    if (maildir->is_synced && fsync(maildir->new_fd) != 0) {
        int error = errno;

        for (link = batch.next; link != &batch; link = link->next)
            take_back(LIST_OWNER(link, struct maildir_file, link), error);
    }
    /* Whoever is called may free files that are still in the batch, or its own. */
    while ((link = list_take_first(&batch)) != NULL) {
        struct maildir_file *file = LIST_OWNER(link, struct maildir_file, link);

        file->done(file->owner,
                   file->state == MAILDIR_FILE_STORED ? MAILDIR_STORED : file->result);
    }
}
