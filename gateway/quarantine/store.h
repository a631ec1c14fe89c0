/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of held mail: a file for each copy. Everything here waits for the
 * disk, so only the keeper calls it.
 *
 *     mail/ID     content as it is to be delivered | the copy as text | footer
 *     mail/.ID    on its way; what is left of these after a crash is removed
 *     alive/N     locked by worker N, or keeper-N, as long as it lives (see lives.c)
 *     audit       see audit.h
 *     index.db    see index.h
 *
 * The footer is one line of a fixed size: how long the two parts are, and their
 * SHA-256. Content comes first, so that a release reads it from the start.
 *
 * Two keepers may have the folder open for a while (an upgrade): a temporary is
 * locked by whoever writes it, and only one that nobody has locked is removed.
 */
#ifndef POSTERN_QUARANTINE_STORE_H
#define POSTERN_QUARANTINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "quarantine/copy.h"

struct store;

/*
 * Makes the folders that are missing, removes what a crash left half-way, and waits until all names
 * are on the disk. `take_folder_fd` is an open directory, and is closed also when that is not
 * possible: then NULL and a sentence.
 */
struct store *store_open(int take_folder_fd, struct text *problem)
    __attribute__((warn_unused_result));
void store_close(struct store **store);
/* Lent: for audit_open, index_open and the keeper. */
int store_folder_fd(const struct store *store);

enum store_result {
    STORE_DONE,
    STORE_EXISTS,  /* a copy of this id is there; store_sync_folder before relying on it */
    STORE_ABSENT,
    STORE_FULL,    /* the disk, a quota or a limit (ENOSPC, EDQUOT, EFBIG; ignore SIGXFSZ) */
    STORE_BROKEN,  /* checksum, sizes or text of the copy */
    STORE_FAILED,  /* any other error of the system */
};

/* A run of the content: bytes of our own, or of a file that somebody handed over. */
struct store_piece {
    const char *bytes; /* NULL: from the file */
    uint64_t offset;   /* in the file */
    uint64_t length;
};

/* A copy on its way to the disk. */
struct store_draft;

/*
 * Writes it, without waiting for the disk more than writing does. `source_fd` is lent for the
 * call; a file that is shorter than the pieces say is STORE_BROKEN. Unless STORE_DONE there is no
 * draft, and nothing is left behind.
 */
enum store_result store_write(struct store *store, const struct copy *copy, int source_fd,
                              const struct store_piece *pieces, size_t piece_count,
                              struct store_draft **draft, struct text *problem)
    __attribute__((warn_unused_result));
/*
 * Brings a group of drafts to the disk together: files, names, folder. `results` gets one for each;
 * those that are STORE_DONE are there from now on, whatever happens, and of the others nothing is
 * left. A copy that exists is never written over: STORE_EXISTS. `problem` gets the sentence of the
 * first that failed. Frees the drafts.
 */
void store_sync(struct store *store, struct store_draft **drafts, size_t count,
                enum store_result *results, struct text *problem);
/*
 * Notes in the mode of its file that the worker is about to be told that the copy is there. It is
 * not synced: after a loss of power the note may be missing.
 */
enum store_result store_note_answered(struct store *store, const char *id, struct text *problem)
    __attribute__((warn_unused_result));
/* Bytes of the file that it will be. */
uint64_t store_draft_bytes(const struct store_draft *draft);
/* Forgets it, and takes its file away. NULL is fine. */
void store_draft_cancel(struct store_draft **draft);

/* A copy that is read. */
struct store_file {
    int fd;               /* owned; open for reading */
    uint64_t content_bytes;
    uint64_t file_bytes;
    bool is_answered;     /* store_note_answered was called for it */
    struct copy copy;     /* owned */
};
/*
 * Sizes and the copy's own checksum are checked; with `is_whole` the content's too, which reads all
 * of it. Unless STORE_DONE nothing is left open; then only `file_bytes` says something, for
 * STORE_BROKEN. The descriptor stands at the start of the content.
 */
enum store_result store_read(struct store *store, const char *id, bool is_whole,
                             struct store_file *file, struct text *problem)
    __attribute__((warn_unused_result));
void store_file_clear(struct store_file *file);
/* When it was written, by the wall clock; false for one that is not there. */
bool store_find_time(const struct store *store, const char *id, uint64_t *wall_us)
    __attribute__((warn_unused_result));

/*
 * The name is gone when this returns; it stays gone once the folder is synced with the next group.
 */
enum store_result store_remove(struct store *store, const char *id, struct text *problem)
    __attribute__((warn_unused_result));
/* Waits until all removals are on the disk. */
enum store_result store_sync_folder(struct store *store, struct text *problem)
    __attribute__((warn_unused_result));

/*
 * All copies in no order; false when the folder cannot be read. Names that are no ids are left
 * out.
 */
bool store_each(struct store *store, void (*each)(void *owner, const char *id), void *owner)
    __attribute__((warn_unused_result));

#endif
