/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disk for bodies that are too big for memory, without waiting on the loop: one
 * thread per worker writes spools to unlinked files and reads them back.
 */
#ifndef POSTERN_NET_SPILL_H
#define POSTERN_NET_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/spool.h"
#include "net/loop.h"

struct spill;

enum spill_result {
    SPILL_DONE,
    SPILL_DISK_FULL, /* the disk, or max_disk_bytes */
    SPILL_FAILED,    /* any other I/O error; it was logged */
};

/*
 * `folder_fd` is an open directory and stays the caller's, until the last spool
 * is gone; files are made there with O_TMPFILE (or made and unlinked, where the
 * filesystem has no O_TMPFILE) and have no name. At most `max_disk_bytes` in all
 * of them. The thread starts here.
 */
struct spill *spill_new(struct loop *loop, int folder_fd, uint64_t max_disk_bytes);
/*
 * Which of the two it will be, for a sandbox that allows no more than is needed. A full disk, or
 * one that fails, counts as O_TMPFILE.
 */
bool spill_has_unnamed_files(int folder_fd);
/*
 * Waits for the operation that runs; nothing is called back any more, and a
 * handle that is still out may not be used. Spools may keep their files.
 */
void spill_free(struct spill **spill);

/* A handle ends with its `done`. */
struct spill_job;
typedef void (*spill_done_fn)(void *owner, enum spill_result result);

/*
 * Moves the spool's memory chunks to its file (made at the first call). Until
 * `done` the caller may append to the spool, read it, and nothing else; then
 * those chunks are gone from memory and spool->file_length has grown. Only a last
 * chunk that was appended to meanwhile stays. On failure the spool is as it was.
 */
struct spill_job *spill_write_start(struct spill *spill, struct spool *spool, spill_done_fn done,
                                    void *owner);
/*
 * Reads `length` bytes at `offset` of the spool's file into `buffer`, which is the
 * caller's and filled when `done` comes. The bytes must exist: offset + length is
 * at most file_length.
 */
struct spill_job *spill_read_start(struct spill *spill, const struct spool *spool, uint64_t offset,
                                   char *buffer, size_t length, spill_done_fn done, void *owner);
/*
 * No `done` comes and the caller may free spool and buffer at once: a job that
 * already runs keeps what it uses alive by itself (file and chunks by reference;
 * it reads into memory of its own). `*job` becomes NULL.
 */
void spill_cancel(struct spill_job **job);

#endif
