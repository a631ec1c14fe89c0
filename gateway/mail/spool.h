/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of one message, in chunks of 16 KiB. The front part may have moved
 * to a file (net/spill does that); the rest is in memory. Chunks are counted
 * references, so that a writer on its way to the disk may outlive the spool. A
 * worker has one budget for the memory of all its spools.
 *
 *      0 ......... file_length ............ length
 *      [ in file  )[ chunks in memory         )
 *
 * References are counted without locks: only the loop's thread takes and drops
 * them. Another thread may read bytes of a chunk that were there when it was
 * told of them; appending writes only behind those.
 */
#ifndef POSTERN_MAIL_SPOOL_H
#define POSTERN_MAIL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define SPOOL_CHUNK_BYTES 16384

/* Counts bytes over all spools of a worker, and what else comes with messages. */
struct spool_budget {
    uint64_t used_bytes;
    uint64_t max_bytes;
};

/* False, and nothing taken, when `bytes` more do not fit. */
bool spool_budget_take(struct spool_budget *budget, uint64_t bytes)
    __attribute__((warn_unused_result));
/* Whether they fit or not: others get nothing then until enough has been given back. */
void spool_budget_overdraw(struct spool_budget *budget, uint64_t bytes);
void spool_budget_give_back(struct spool_budget *budget, uint64_t bytes);

struct spool_chunk {
    struct spool_budget *budget; /* lent; SPOOL_CHUNK_BYTES of it are taken while the chunk lives */
    unsigned int references;
    uint32_t length; /* bytes in use; only the last chunk of a spool may be short */
    char bytes[SPOOL_CHUNK_BYTES];
};

/* The file behind a spool, shared by reference; closed with the last one. */
struct spool_file {
    unsigned int references;
    int fd;
    /*
     * Called instead of close(2) with the last reference, and closes `fd` itself: letting go of
     * a large file may wait for the disk. NULL for close(2).
     */
    void (*close)(void *owner, struct spool_file *file);
    void *owner;     /* of `close`; lent */
    uint64_t length; /* bytes taken from the owner's disk budget for it */
};

struct spool {
    struct spool_budget *budget;  /* lent, outlives the spool and its chunks */
    struct spool_chunk **chunks;  /* owned array of references */
    size_t chunk_count;
    size_t chunk_capacity;
    uint64_t length;              /* bytes in all */
    uint64_t file_length;         /* bytes at the front that are in the file */
    struct spool_file *file;      /* NULL while all is in memory */
};

void spool_init(struct spool *spool, struct spool_budget *budget);
/* Drops all bytes; the spool is empty again and keeps its budget. */
void spool_clear(struct spool *spool);

/* False when the budget is spent: nothing was added. */
bool spool_append(struct spool *spool, struct slice bytes) __attribute__((warn_unused_result));
/* Bytes of content in memory. */
uint64_t spool_memory_bytes(const struct spool *spool);
/*
 * A run of bytes in memory that starts at `offset` (file_length <= offset < length), to the end
 * of its chunk. Borrowed until the spool changes.
 */
struct slice spool_at(const struct spool *spool, uint64_t offset);

/* For net/spill. */
struct spool_chunk *spool_chunk_ref(struct spool_chunk *chunk);
void spool_chunk_unref(struct spool_chunk *chunk);
/* One reference, for the caller; `file->close` is NULL. */
struct spool_file *spool_file_new(int take_fd);
struct spool_file *spool_file_ref(struct spool_file *file);
/* NULL is fine. */
void spool_file_unref(struct spool_file *file);
/* The first `count` chunks are in the file now: drops them and moves file_length. */
void spool_drop_chunks(struct spool *spool, size_t count);

#endif
