/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's lines on their way to the logger: shared memory with one writer
 * and one reader, so that no session ever waits for a disk or a pipe.
 *
 * A line is written when it lies in the ring. A transaction first reserves:
 * its line as it would read if we died now ("verdict=unknown") is put in a slot,
 * and room for its final line is set aside in the ring; commit writes the final
 * line there. When a worker dies, the logger publishes what stands in its slots.
 *
 * The reader treats everything in the memory as hostile: a worker that was
 * taken over can write rubbish into the log, and nothing more.
 */
#ifndef POSTERN_RECORD_LOG_RING_H
#define POSTERN_RECORD_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/*
 * One more with each change of what lies where in the memory, or of what it means: after an upgrade
 * the new version reads what workers of the old one write.
 */
#define LOG_RING_LAYOUT 1

struct log_ring_writer;
struct log_ring_reader;
struct log_ring_slot; /* a reservation */

/* Size of the shared memory for a ring of `ring_bytes` and `slot_count` reservations. */
size_t log_ring_memory_bytes(size_t ring_bytes, size_t slot_count);
/* Reservations for such a ring: one for each LOG_RING_RESERVED_BYTES, which few lines exceed. */
#define LOG_RING_RESERVED_BYTES 2048
size_t log_ring_slot_count(size_t ring_bytes);

/*
 * `memory` is zeroed shared memory of log_ring_memory_bytes, page-aligned, and
 * stays the caller's. `wake_fd` is an eventfd written when the reader sleeps.
 */
struct log_ring_writer *log_ring_writer_new(void *memory, size_t ring_bytes, size_t slot_count,
                                            int wake_fd);
void log_ring_writer_free(struct log_ring_writer **writer);

/*
 * Writes one or more whole lines. False when there is no room: the line is lost, and counted; the
 * reader says how many were lost in a line of its own.
 */
bool log_ring_write(struct log_ring_writer *writer, struct slice lines);
/*
 * Sets `max_bytes` aside and keeps the whole lines of `if_lost` (at most RECORD_MAX_BYTES of them)
 * for the case of our death.
 * NULL when there is no room: the transaction must be put off (451 log.full).
 */
struct log_ring_slot *log_ring_reserve(struct log_ring_writer *writer, struct slice if_lost,
                                       size_t max_bytes) __attribute__((warn_unused_result));
/* Writes the final lines (cut at the reserved bytes) and frees the slot; *slot becomes NULL. */
void log_ring_commit(struct log_ring_writer *writer, struct log_ring_slot **slot,
                     struct slice lines);

/* What one call of the reading functions gives at most; no line is longer. */
#define LOG_RING_BATCH_BYTES 32768

/* Begins behind what was released before, so that a new reader goes on where a dead one stood. */
struct log_ring_reader *log_ring_reader_new(void *memory, size_t ring_bytes, size_t slot_count);
void log_ring_reader_free(struct log_ring_reader **reader);
/*
 * Appends lines that were not read yet to `out`, which has room for LOG_RING_BATCH_BYTES; true when
 * it gave any. When false is returned the reader is marked asleep: the writer will wake it.
 */
bool log_ring_read(struct log_ring_reader *reader, struct text *out);
/*
 * After the writer's death and the last read: the lines of its open reservations. Call it as
 * long as it is true; `out` as above.
 */
bool log_ring_recover(struct log_ring_reader *reader, struct text *out);
/*
 * What was read and recovered so far is written, and is forgotten. Until then it stays in the
 * memory: a reader that dies before has its lines read again, so none is lost, and some may come
 * twice.
 */
void log_ring_release(struct log_ring_reader *reader);
/* Lines lost for want of room since the last call, also of a reader before this one. */
uint64_t log_ring_take_lost_count(struct log_ring_reader *reader);

#endif
