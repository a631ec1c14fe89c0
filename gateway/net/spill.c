/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disk for bodies that are too big for memory; see spill.h. The loop's thread
 * puts jobs into a queue; one thread takes them in order, does the system calls,
 * and puts them into a second queue, of which an eventfd tells the loop. A job
 * belongs to one side at a time: what the thread touches was filled in before,
 * and reference counts, budgets and the log are the loop's alone.
 *
 * Letting go of a large file can wait for the disk too, so the thread does that
 * as well.
 */
#include "net/spill.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"

#define MAX_PARTS 64

enum spill_kind { SPILL_WRITE, SPILL_READ, SPILL_CLOSE };

struct spill_job {
    struct list_link link;      /* in one of the two queues, or in none while it runs */
    bool is_waiting;            /* in the first of them; guarded by the lock, as the queues are */
    struct spill *spill;        /* lent */
    enum spill_kind kind;
    /* Who waits for it; the loop's alone. */
    spill_done_fn done;         /* NULL once cancelled, and for SPILL_CLOSE */
    void *owner;
    struct spool *spool;        /* SPILL_WRITE: lent; NULL once cancelled */
    char *buffer;               /* SPILL_READ: lent; NULL once cancelled */
    struct spool_file *file;    /* a reference; NULL while it is to be made, and for SPILL_CLOSE */
    struct spool_chunk **chunks;/* SPILL_WRITE: owned array of references */
    uint64_t reserved_bytes;    /* of the disk budget */
    /* What the thread works on. */
    int fd;                     /* -1: make a file */
    uint64_t offset;
    uint64_t length;
    struct iovec *parts;        /* SPILL_WRITE: owned; the chunks as they were at the start */
    size_t part_count;
    char *bytes;                /* SPILL_READ: owned; `length` bytes */
    /* Result. */
    int error;                  /* errno, 0 for done */
};

struct spill {
    /* Lent. */
    int folder_fd;
    /* The loop's side. */
    struct loop_watch *watch;   /* of `finished_fd` */
    struct spool_budget disk;
    size_t file_count;          /* files of ours that are open; the last one frees an ended spill */
    bool has_ended;
    /* Shared. */
    pthread_mutex_t lock;       /* guards what follows */
    pthread_cond_t has_work;
    struct list_link waiting;
    struct list_link finished;
    bool is_stopping;
    int finished_fd;            /* eventfd: `finished` is no longer empty */
    pthread_t thread;
};

/* ---- The thread. */

/* A name nobody knows, gone at once: for filesystems without O_TMPFILE. */
static int open_unlinked(int folder_fd)
{
    char name[sizeof "spill-" + 16];
    uint64_t number;
    int fd;

    crypto_random(&number, sizeof number);
    snprintf(name, sizeof name, "spill-%016" PRIx64, number);
    fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        unlinkat(folder_fd, name, 0);
    return fd;
}

/* What a file system without O_TMPFILE says, or a kernel that takes it for O_DIRECTORY. */
static bool is_without_unnamed(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == ENOENT || error == EINVAL;
}

static int open_unnamed(int folder_fd)
{
    return openat(folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* In a sandbox that allows one of the two ways, the other one fails. */
static int open_file(int folder_fd)
{
    int fd = open_unnamed(folder_fd);

    if (fd < 0 && (is_without_unnamed(errno) || errno == ENOSYS))
        fd = open_unlinked(folder_fd);
    return fd;
}

bool spill_has_unnamed_files(int folder_fd)
{
    int fd = open_unnamed(folder_fd);

    if (fd < 0)
        return !is_without_unnamed(errno);
    close(fd);
    return true;
}

/* Moves `*parts` on by what was written. */
static void skip_parts(struct iovec **parts, size_t *count, size_t bytes)
{
    while (*count > 0 && bytes >= (*parts)->iov_len) {
        bytes -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    if (*count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + bytes;
        (*parts)->iov_len -= bytes;
    }
}

static int write_parts(const struct spill_job *job)
{
    struct iovec *parts = job->parts;
    size_t count = job->part_count;
    uint64_t offset = job->offset;

    while (count > 0) {
        ssize_t written = pwritev(job->fd, parts, count < MAX_PARTS ? (int)count : MAX_PARTS,
                                  (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        offset += (uint64_t)written;
        skip_parts(&parts, &count, (size_t)written);
    }
    return 0;
}

static void run_write(struct spill_job *job)
{
    bool is_new = job->fd < 0;

    if (is_new)
        job->fd = open_file(job->spill->folder_fd);
    job->error = job->fd < 0 ? errno : write_parts(job);
    if (job->error == 0 || job->fd < 0)
        return;
    /* What went in before the disk was full takes its room no longer. */
    if (is_new) {
        close(job->fd);
        job->fd = -1;
    } else {
        int ignored = ftruncate(job->fd, (off_t)job->offset);

        (void)ignored; /* the next write goes over it */
    }
}

static void run_read(struct spill_job *job)
{
    uint64_t done = 0;

    while (done < job->length) {
        ssize_t count = pread(job->fd, job->bytes + done, job->length - done,
                              (off_t)(job->offset + done));

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            job->error = count < 0 ? errno : ENODATA;
            return;
        }
        done += (uint64_t)count;
    }
}

static void run_job(struct spill_job *job)
{
    switch (job->kind) {
    case SPILL_WRITE:
        run_write(job);
        break;
    case SPILL_READ:
        run_read(job);
        break;
    case SPILL_CLOSE:
        close(job->fd);
        break;
    }
}

static void tell_loop(const struct spill *spill)
{
    uint64_t one = 1;
    ssize_t ignored = write(spill->finished_fd, &one, sizeof one);

    (void)ignored; /* fails only when the counter is high: then the loop knows already */
}

static void finish_job(struct spill *spill, struct spill_job *job)
{
    bool is_first;

    pthread_mutex_lock(&spill->lock);
    is_first = list_is_empty(&spill->finished);
    list_add_last(&spill->finished, &job->link);
    pthread_mutex_unlock(&spill->lock);
    if (is_first)
        tell_loop(spill);
}

/* The next job, or NULL when the thread is to end. */
static struct spill_job *wait_for_job(struct spill *spill)
{
    struct spill_job *job = NULL;

    pthread_mutex_lock(&spill->lock);
    while (list_is_empty(&spill->waiting) && !spill->is_stopping)
        pthread_cond_wait(&spill->has_work, &spill->lock);
    if (!spill->is_stopping) {
        job = LIST_OWNER(list_take_first(&spill->waiting), struct spill_job, link);
        job->is_waiting = false;
    }
    pthread_mutex_unlock(&spill->lock);
    return job;
}

static void *run_thread(void *arg)
{
    struct spill *spill = arg;
    struct spill_job *job;

    while ((job = wait_for_job(spill)) != NULL) {
        run_job(job);
        finish_job(spill, job);
    }
    return NULL;
}

/* ---- Jobs, on the loop's side. */

static void free_spill(struct spill *spill)
{
    close(spill->finished_fd);
    pthread_mutex_destroy(&spill->lock);
    pthread_cond_destroy(&spill->has_work);
    mem_free(spill);
}

static void free_job(struct spill_job *job)
{
    for (size_t i = 0; i < job->part_count; i++)
        spool_chunk_unref(job->chunks[i]);
    spool_file_unref(job->file);
    mem_free(job->chunks);
    mem_free(job->parts);
    mem_free(job->bytes);
    mem_free(job);
}

static void submit(struct spill_job *job)
{
    struct spill *spill = job->spill;

    pthread_mutex_lock(&spill->lock);
    job->is_waiting = true;
    list_add_last(&spill->waiting, &job->link);
    pthread_cond_signal(&spill->has_work);
    pthread_mutex_unlock(&spill->lock);
}

static struct spill_job *new_job(struct spill *spill, enum spill_kind kind, spill_done_fn done,
                                 void *owner)
{
    struct spill_job *job = mem_new(sizeof *job);

    job->spill = spill;
    job->kind = kind;
    job->done = done;
    job->owner = owner;
    job->fd = -1;
    list_init(&job->link);
    return job;
}

/* The last reference to a file of ours is gone. */
static void close_file(void *owner, struct spool_file *file)
{
    struct spill *spill = owner;
    struct spill_job *job;

    spool_budget_give_back(&spill->disk, file->length);
    spill->file_count--;
    if (!spill->has_ended) {
        job = new_job(spill, SPILL_CLOSE, NULL, NULL);
        job->fd = file->fd;
        submit(job);
        return;
    }
    close(file->fd);
    if (spill->file_count == 0)
        free_spill(spill);
}

static struct spool_file *adopt_file(struct spill *spill, int fd)
{
    struct spool_file *file = spool_file_new(fd);

    file->close = close_file;
    file->owner = spill;
    spill->file_count++;
    return file;
}

/* The chunks that are in the file as they are now: all, but for a last one that has grown. */
static size_t count_moved(const struct spill_job *job, uint64_t *bytes)
{
    size_t count = 0;

    *bytes = 0;
    while (count < job->part_count) {
        uint64_t end = *bytes + job->chunks[count]->length;

        if (end > job->length)
            break;
        *bytes = end;
        count++;
    }
    return count;
}

static void apply_write(struct spill_job *job)
{
    struct spill *spill = job->spill;
    size_t count;
    uint64_t bytes;

    if (job->error != 0) {
        spool_budget_give_back(&spill->disk, job->reserved_bytes);
        return;
    }
    if (job->file == NULL)
        job->file = adopt_file(spill, job->fd);
    if (job->spool == NULL) {
        /* Cancelled: what was written is dropped with the file, or written over. */
        spool_budget_give_back(&spill->disk, job->reserved_bytes);
        return;
    }
    if (job->spool->file == NULL)
        job->spool->file = spool_file_ref(job->file);
    count = count_moved(job, &bytes);
    job->file->length += bytes;
    spool_budget_give_back(&spill->disk, job->reserved_bytes - bytes);
    spool_drop_chunks(job->spool, count);
}

static enum spill_result result_of(const struct spill_job *job)
{
    static const char *const doing[] = { "write", "read", "close" };

    if (job->error == 0)
        return SPILL_DONE;
    if (job->error == ENOSPC || job->error == EDQUOT)
        return SPILL_DISK_FULL;
    log_error("spill-failed", "cannot %s a spool file: %s", doing[job->kind], strerror(job->error));
    return SPILL_FAILED;
}

static void complete(struct spill_job *job)
{
    spill_done_fn done = job->done;
    void *owner = job->owner;
    enum spill_result result = result_of(job);

    if (job->kind == SPILL_WRITE)
        apply_write(job);
    if (job->kind == SPILL_READ && job->buffer != NULL && job->error == 0)
        memcpy(job->buffer, job->bytes, job->length);
    free_job(job);
    if (done != NULL)
        done(owner, result);
}

static struct spill_job *take_finished(struct spill *spill)
{
    struct list_link *link;

    pthread_mutex_lock(&spill->lock);
    link = list_take_first(&spill->finished);
    pthread_mutex_unlock(&spill->lock);
    return link != NULL ? LIST_OWNER(link, struct spill_job, link) : NULL;
}

/*
 * One job, then the loop again: its `done` may free the spill. The eventfd is read, and so
 * silenced, only when there is none left.
 */
static void on_finished(void *owner)
{
    struct spill *spill = owner;
    struct spill_job *job = take_finished(spill);
    uint64_t count;
    ssize_t ignored;

    if (job != NULL) {
        complete(job);
        return;
    }
    ignored = read(spill->finished_fd, &count, sizeof count);
    (void)ignored;
    /* The thread may have added one since we looked; it told us before we silenced it. */
    job = take_finished(spill);
    if (job != NULL) {
        tell_loop(spill);
        complete(job);
    }
}

/* ---- What the owner calls. */

struct spill *spill_new(struct loop *loop, int folder_fd, uint64_t max_disk_bytes)
{
    struct spill *spill = mem_new(sizeof *spill);
    sigset_t all;
    sigset_t before;
    int failure;

    spill->folder_fd = folder_fd;
    spill->disk.max_bytes = max_disk_bytes;
    list_init(&spill->waiting);
    list_init(&spill->finished);
    pthread_mutex_init(&spill->lock, NULL);
    pthread_cond_init(&spill->has_work, NULL);
    spill->finished_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = spill->finished_fd < 0 ? errno
                                     : pthread_create(&spill->thread, NULL, run_thread, spill);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        log_error("spill-failed", "cannot start the I/O thread: %s", strerror(failure));
        abort();
    }
    spill->watch = loop_watch_new(loop, spill->finished_fd, false, on_finished, spill);
    return spill;
}

/* A job that nobody waits for any more: files and budgets are settled all the same. */
static void abandon(struct spill_job *job, bool has_run)
{
    if (!has_run && job->kind == SPILL_CLOSE)
        close(job->fd);
    if (!has_run)
        job->error = ECANCELED;
    job->spool = NULL;
    if (job->kind == SPILL_WRITE)
        apply_write(job);
    free_job(job);
}

void spill_free(struct spill **handle)
{
    struct spill *spill = *handle;
    struct list_link *link;

    *handle = NULL;
    if (spill == NULL)
        return;
    pthread_mutex_lock(&spill->lock);
    spill->is_stopping = true;
    pthread_cond_signal(&spill->has_work);
    pthread_mutex_unlock(&spill->lock);
    pthread_join(spill->thread, NULL);
    loop_watch_free(&spill->watch);
    /* One more, so that the files these let go of do not free the spill under us. */
    spill->has_ended = true;
    spill->file_count++;
    while ((link = list_take_first(&spill->waiting)) != NULL)
        abandon(LIST_OWNER(link, struct spill_job, link), false);
    while ((link = list_take_first(&spill->finished)) != NULL)
        abandon(LIST_OWNER(link, struct spill_job, link), true);
    if (--spill->file_count == 0)
        free_spill(spill);
}

struct spill_job *spill_write_start(struct spill *spill, struct spool *spool, spill_done_fn done,
                                    void *owner)
{
    struct spill_job *job = new_job(spill, SPILL_WRITE, done, owner);

    job->spool = spool;
    job->offset = spool->file_length;
    job->length = spool_memory_bytes(spool);
    if (!spool_budget_take(&spill->disk, job->length)) {
        job->error = ENOSPC;
        finish_job(spill, job);
        return job;
    }
    job->reserved_bytes = job->length;
    job->part_count = spool->chunk_count;
    job->chunks = mem_new_array(job->part_count, sizeof(*job->chunks));
    job->parts = mem_new_array(job->part_count, sizeof(*job->parts));
    for (size_t i = 0; i < job->part_count; i++) {
        job->chunks[i] = spool_chunk_ref(spool->chunks[i]);
        job->parts[i] = (struct iovec){ job->chunks[i]->bytes, job->chunks[i]->length };
    }
    if (spool->file != NULL) {
        job->file = spool_file_ref(spool->file);
        job->fd = job->file->fd;
    }
    submit(job);
    return job;
}

struct spill_job *spill_read_start(struct spill *spill, const struct spool *spool, uint64_t offset,
                                   char *buffer, size_t length, spill_done_fn done, void *owner)
{
    struct spill_job *job = new_job(spill, SPILL_READ, done, owner);

    assert(spool->file != NULL && length <= spool->file_length
           && offset <= spool->file_length - length);
    job->buffer = buffer;
    job->file = spool_file_ref(spool->file);
    job->fd = job->file->fd;
    job->offset = offset;
    job->length = length;
    job->bytes = mem_resize(NULL, length, 1);
    submit(job);
    return job;
}

void spill_cancel(struct spill_job **handle)
{
    struct spill_job *job = *handle;
    bool is_waiting;

    *handle = NULL;
    if (job == NULL)
        return;
    job->done = NULL;
    job->spool = NULL;
    job->buffer = NULL;
    pthread_mutex_lock(&job->spill->lock);
    is_waiting = job->is_waiting;
    if (is_waiting)
        list_remove(&job->link);
    pthread_mutex_unlock(&job->spill->lock);
    if (is_waiting)
        abandon(job, false);
}
