/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's lines on their way to the logger; see log_ring.h.
 *
 *   [ head page: positions, flags ][ slots ][ ring of whole lines ]
 *
 * The writer alone moves `head`, the reader alone moves `tail`; both only grow,
 * and their difference is what lies in the ring. Reserved room is the writer's
 * own account: a line that was promised room always finds it.
 *
 * A slot is freed after its final line was published. A writer that dies
 * between the two would have its line twice; so the slot first notes where the
 * ring will end with that line, and recovery passes over slots whose end the
 * head has reached.
 */
#include "record/log_ring.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "record/record.h"

#define HEAD_BYTES 4096

struct ring_head {
    _Alignas(64) _Atomic uint64_t head;  /* bytes published since the start */
    _Atomic uint64_t lost_count;         /* lines for which there was no room */
    _Alignas(64) _Atomic uint64_t tail;  /* bytes read since the start */
    _Atomic uint64_t reported_count;     /* of lost_count, what the reader has told */
    _Atomic uint32_t is_reader_asleep;
};

enum slot_state { SLOT_FREE, SLOT_RESERVED };

struct ring_slot {
    _Atomic uint32_t state;
    _Atomic uint32_t length; /* of if_lost */
    _Atomic uint64_t end;   /* head behind the final line; 0 until it is being written */
    char if_lost[RECORD_MAX_BYTES];
};

struct log_ring_slot {
    struct ring_slot *shared;
    size_t max_bytes;       /* set aside */
};

struct log_ring_writer {
    struct ring_head *head;
    struct ring_slot *slots;
    char *ring;
    size_t ring_bytes;
    size_t slot_count;
    size_t reserved_bytes;  /* set aside for open reservations */
    int wake_fd;
    struct log_ring_slot *handles; /* one for each slot */
    struct log_ring_slot **free_slots; /* a stack: memory that was used before is used again */
    size_t free_count;
};

struct log_ring_reader {
    struct ring_head *head;
    struct ring_slot *slots;
    char *ring;
    size_t ring_bytes;
    size_t slot_count;
    uint64_t next;          /* behind what was read; the tail follows when it is released */
    size_t next_slot;       /* behind what was recovered */
    char batch[LOG_RING_BATCH_BYTES]; /* a copy that the writer cannot change under us */
};

_Static_assert(sizeof(struct ring_head) <= HEAD_BYTES, "the head fits its page");

size_t log_ring_memory_bytes(size_t ring_bytes, size_t slot_count)
{
    return HEAD_BYTES + slot_count * sizeof(struct ring_slot) + ring_bytes;
}

size_t log_ring_slot_count(size_t ring_bytes)
{
    return ring_bytes / LOG_RING_RESERVED_BYTES;
}

static struct ring_slot *slots_in(void *memory)
{
    return (struct ring_slot *)(void *)((char *)memory + HEAD_BYTES);
}

static char *ring_in(void *memory, size_t slot_count)
{
    return (char *)memory + HEAD_BYTES + slot_count * sizeof(struct ring_slot);
}

/* ---- The writer. */

struct log_ring_writer *log_ring_writer_new(void *memory, size_t ring_bytes, size_t slot_count,
                                            int wake_fd)
{
    struct log_ring_writer *writer = mem_new(sizeof *writer);

    writer->head = memory;
    writer->slots = slots_in(memory);
    writer->ring = ring_in(memory, slot_count);
    writer->ring_bytes = ring_bytes;
    writer->slot_count = slot_count;
    writer->wake_fd = wake_fd;
    writer->handles = mem_new_array(slot_count, sizeof(*writer->handles));
    writer->free_slots = mem_new_array(slot_count, sizeof(*writer->free_slots));
    for (size_t i = 0; i < slot_count; i++) {
        writer->handles[i].shared = &writer->slots[i];
        writer->free_slots[slot_count - i - 1] = &writer->handles[i];
    }
    writer->free_count = slot_count;
    return writer;
}

void log_ring_writer_free(struct log_ring_writer **writer)
{
    if (*writer == NULL)
        return;
    mem_free((*writer)->handles);
    mem_free((*writer)->free_slots);
    mem_free(*writer);
    *writer = NULL;
}

static size_t free_bytes(const struct log_ring_writer *writer)
{
    uint64_t head = atomic_load_explicit(&writer->head->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&writer->head->tail, memory_order_acquire);
    uint64_t taken = head - tail + writer->reserved_bytes;

    return taken < writer->ring_bytes ? writer->ring_bytes - (size_t)taken : 0;
}

static void wake_reader(struct log_ring_writer *writer)
{
    uint64_t one = 1;
    ssize_t ignored;

    if (atomic_load(&writer->head->is_reader_asleep) == 0 ||
        atomic_exchange(&writer->head->is_reader_asleep, 0) == 0)
        return;
    ignored = write(writer->wake_fd, &one, sizeof one);
    (void)ignored; /* full means that it will wake up anyway */
}

/* There is room: the caller has seen to it. */
static void publish(struct log_ring_writer *writer, struct slice lines)
{
    uint64_t head = atomic_load_explicit(&writer->head->head, memory_order_relaxed);
    size_t start = (size_t)(head % writer->ring_bytes);
    struct slice first = slice_until(lines, writer->ring_bytes - start);
    struct slice second = slice_from_offset(lines, first.length);

    memcpy(writer->ring + start, first.data, first.length);
    if (second.length > 0)
        memcpy(writer->ring, second.data, second.length);
    /* Sequentially consistent with the reader's "asleep, and still nothing there". */
    atomic_store(&writer->head->head, head + lines.length);
    wake_reader(writer);
}

bool log_ring_write(struct log_ring_writer *writer, struct slice lines)
{
    if (lines.length == 0)
        return true;
    if (lines.length > free_bytes(writer)) {
        atomic_fetch_add_explicit(&writer->head->lost_count, 1, memory_order_relaxed);
        return false;
    }
    publish(writer, lines);
    return true;
}

/* As many whole lines as `max_bytes` hold; of a longer line its beginning. */
static struct slice cut_to_lines(struct slice lines, size_t max_bytes)
{
    size_t last;

    lines = slice_until(lines, max_bytes);
    return slice_find_last_byte(lines, '\n', &last) ? slice_until(lines, last + 1) : lines;
}

struct log_ring_slot *log_ring_reserve(struct log_ring_writer *writer, struct slice if_lost,
                                       size_t max_bytes)
{
    struct log_ring_slot *slot;

    if (writer->free_count == 0 || max_bytes > free_bytes(writer))
        return NULL;
    slot = writer->free_slots[--writer->free_count];
    slot->max_bytes = max_bytes;
    writer->reserved_bytes += max_bytes;
    if_lost = cut_to_lines(if_lost, sizeof slot->shared->if_lost);
    memcpy(slot->shared->if_lost, if_lost.data, if_lost.length);
    atomic_store_explicit(&slot->shared->length, (uint32_t)if_lost.length, memory_order_relaxed);
    atomic_store_explicit(&slot->shared->end, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->shared->state, SLOT_RESERVED, memory_order_release);
    return slot;
}

void log_ring_commit(struct log_ring_writer *writer, struct log_ring_slot **handle,
                     struct slice lines)
{
    struct log_ring_slot *slot = *handle;
    uint64_t head = atomic_load_explicit(&writer->head->head, memory_order_relaxed);

    lines = cut_to_lines(lines, slot->max_bytes);
    writer->reserved_bytes -= slot->max_bytes;
    atomic_store(&slot->shared->end, head + lines.length);
    publish(writer, lines);
    atomic_store_explicit(&slot->shared->state, SLOT_FREE, memory_order_release);
    writer->free_slots[writer->free_count++] = slot;
    *handle = NULL;
}

/* ---- The reader: every number in the memory may be a lie. */

struct log_ring_reader *log_ring_reader_new(void *memory, size_t ring_bytes, size_t slot_count)
{
    struct log_ring_reader *reader = mem_new(sizeof *reader);

    reader->head = memory;
    reader->slots = slots_in(memory);
    reader->ring = ring_in(memory, slot_count);
    reader->ring_bytes = ring_bytes;
    reader->slot_count = slot_count;
    reader->next = atomic_load(&reader->head->tail);
    return reader;
}

void log_ring_reader_free(struct log_ring_reader **reader)
{
    mem_free(*reader);
    *reader = NULL;
}

/* Bytes that may be read now; a head that cannot be true throws away what it claims. */
static size_t available_bytes(struct log_ring_reader *reader)
{
    uint64_t head = atomic_load(&reader->head->head);

    if (head - reader->next > reader->ring_bytes)
        reader->next = head;
    return (size_t)(head - reader->next);
}

/* The next `count` bytes into the batch. */
static void copy_out(struct log_ring_reader *reader, size_t count)
{
    size_t start = (size_t)(reader->next % reader->ring_bytes);
    size_t first = count < reader->ring_bytes - start ? count : reader->ring_bytes - start;

    memcpy(reader->batch, reader->ring + start, first);
    memcpy(reader->batch + first, reader->ring, count - first);
}

/* Lines only: a control byte would let a broken worker speak to the owner's terminal. */
static void clean(char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (((unsigned char)bytes[i] < ' ' && bytes[i] != '\n') || bytes[i] == 0x7f)
            bytes[i] = '?';
}

bool log_ring_read(struct log_ring_reader *reader, struct text *out)
{
    size_t count = available_bytes(reader);
    size_t last;

    if (count == 0) {
        /* It may have been written between the look and the flag. */
        atomic_store(&reader->head->is_reader_asleep, 1);
        count = available_bytes(reader);
        if (count == 0)
            return false;
        atomic_store(&reader->head->is_reader_asleep, 0);
    }
    if (count > sizeof reader->batch)
        count = sizeof reader->batch;
    copy_out(reader, count);
    clean(reader->batch, count);
    if (slice_find_last_byte((struct slice){ reader->batch, count }, '\n', &last))
        count = last + 1;
    else
        reader->batch[count - 1] = '\n'; /* rubbish: every write ends with a line's end */
    text_add(out, (struct slice){ reader->batch, count });
    reader->next += count;
    return true;
}

/* The line of a slot that the writer left open; its end is seen to. */
static void recover_slot(struct log_ring_reader *reader, struct ring_slot *slot,
                         struct text *out)
{
    size_t length = atomic_load(&slot->length);

    if (length == 0)
        return;
    if (length > sizeof slot->if_lost)
        length = sizeof slot->if_lost;
    memcpy(reader->batch, slot->if_lost, length);
    clean(reader->batch, length);
    if (reader->batch[length - 1] != '\n')
        reader->batch[length++] = '\n';
    text_add(out, (struct slice){ reader->batch, length });
}

bool log_ring_recover(struct log_ring_reader *reader, struct text *out)
{
    uint64_t head = atomic_load(&reader->head->head);
    size_t length_before = out->length;

    for (; reader->next_slot < reader->slot_count; reader->next_slot++) {
        struct ring_slot *slot = &reader->slots[reader->next_slot];
        uint64_t end = atomic_load(&slot->end);

        if (out->max_length - out->length <= sizeof slot->if_lost)
            break;
        if (atomic_load(&slot->state) == SLOT_RESERVED && (end == 0 || head < end))
            recover_slot(reader, slot, out);
    }
    return out->length > length_before;
}

void log_ring_release(struct log_ring_reader *reader)
{
    atomic_store_explicit(&reader->head->tail, reader->next, memory_order_release);
    for (size_t i = 0; i < reader->next_slot; i++)
        atomic_store(&reader->slots[i].state, SLOT_FREE);
}

uint64_t log_ring_take_lost_count(struct log_ring_reader *reader)
{
    uint64_t lost = atomic_load_explicit(&reader->head->lost_count, memory_order_relaxed);

    return lost - atomic_exchange(&reader->head->reported_count, lost);
}
