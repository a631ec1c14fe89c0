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
    _Atomic uint32_t is_reader_asleep;
};

enum slot_state { SLOT_FREE, SLOT_RESERVED };

struct ring_slot {
    _Atomic uint32_t state;
    uint32_t length;        /* of if_lost */
    _Atomic uint64_t end;   /* head behind the final line; 0 until it is being written */
    char if_lost[RECORD_MAX_BYTES];
};

struct log_ring_slot {
    struct ring_slot *shared;
    size_t max_bytes;       /* set aside; 0 while free */
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
    size_t next_slot;       /* where the search for a free one begins */
};

struct log_ring_reader {
    struct ring_head *head;
    struct ring_slot *slots;
    char *ring;
    size_t ring_bytes;
    size_t slot_count;
};

_Static_assert(sizeof(struct ring_head) <= HEAD_BYTES, "the head fits its page");

size_t log_ring_memory_bytes(size_t ring_bytes, size_t slot_count)
{
    return HEAD_BYTES + slot_count * sizeof(struct ring_slot) + ring_bytes;
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
    for (size_t i = 0; i < slot_count; i++)
        writer->handles[i].shared = &writer->slots[i];
    return writer;
}

void log_ring_writer_free(struct log_ring_writer **writer)
{
    if (*writer == NULL)
        return;
    mem_free((*writer)->handles);
    mem_free(*writer);
    *writer = NULL;
}

static size_t free_bytes(const struct log_ring_writer *writer)
{
    uint64_t head = atomic_load_explicit(&writer->head->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&writer->head->tail, memory_order_acquire);

    return writer->ring_bytes - (size_t)(head - tail) - writer->reserved_bytes;
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

static struct log_ring_slot *find_free_slot(struct log_ring_writer *writer)
{
    for (size_t i = 0; i < writer->slot_count; i++) {
        size_t index = (writer->next_slot + i) % writer->slot_count;

        if (writer->handles[index].max_bytes == 0) {
            writer->next_slot = index + 1;
            return &writer->handles[index];
        }
    }
    return NULL;
}

struct log_ring_slot *log_ring_reserve(struct log_ring_writer *writer, struct slice if_lost,
                                       size_t max_bytes)
{
    struct log_ring_slot *slot;

    if (max_bytes > free_bytes(writer))
        return NULL;
    slot = find_free_slot(writer);
    if (slot == NULL)
        return NULL;
    slot->max_bytes = max_bytes;
    writer->reserved_bytes += max_bytes;
    if_lost = slice_until(if_lost, sizeof slot->shared->if_lost);
    memcpy(slot->shared->if_lost, if_lost.data, if_lost.length);
    slot->shared->length = (uint32_t)if_lost.length;
    atomic_store_explicit(&slot->shared->end, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->shared->state, SLOT_RESERVED, memory_order_release);
    return slot;
}

/* Cut to `max_bytes` behind the last whole line that fits. */
static struct slice cut_to_lines(struct slice lines, size_t max_bytes)
{
    size_t last;

    if (lines.length <= max_bytes)
        return lines;
    lines = slice_until(lines, max_bytes);
    return slice_find_last_byte(lines, '\n', &last) ? slice_until(lines, last + 1) : lines;
}

void log_ring_commit(struct log_ring_writer *writer, struct log_ring_slot **handle,
                     struct slice lines)
{
    struct log_ring_slot *slot = *handle;
    uint64_t head = atomic_load_explicit(&writer->head->head, memory_order_relaxed);

    lines = cut_to_lines(lines, slot->max_bytes);
    writer->reserved_bytes -= slot->max_bytes;
    slot->max_bytes = 0;
    atomic_store(&slot->shared->end, head + lines.length);
    publish(writer, lines);
    atomic_store_explicit(&slot->shared->state, SLOT_FREE, memory_order_release);
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
    return reader;
}

void log_ring_reader_free(struct log_ring_reader **reader)
{
    mem_free(*reader);
    *reader = NULL;
}

/* Lines only: a control byte would let a broken worker speak to the owner's terminal. */
static void add_clean(struct text *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.data[i];
        bool is_control = ((unsigned char)c < ' ' && c != '\n') || c == 0x7f;

        text_add_byte(out, is_control ? '?' : c);
    }
}

/* Bytes that may be read now; a head that cannot be true throws away what it claims. */
static size_t available_bytes(struct log_ring_reader *reader)
{
    uint64_t head = atomic_load(&reader->head->head);
    uint64_t tail = atomic_load_explicit(&reader->head->tail, memory_order_relaxed);

    if (head - tail <= reader->ring_bytes)
        return (size_t)(head - tail);
    atomic_store_explicit(&reader->head->tail, head, memory_order_release);
    return 0;
}

/* The last `\n` among the next `count` bytes, plus one; 0 when there is none. */
static size_t whole_lines(const struct log_ring_reader *reader, uint64_t tail, size_t count)
{
    while (count > 0 && reader->ring[(tail + count - 1) % reader->ring_bytes] != '\n')
        count--;
    return count;
}

static void copy_out(struct log_ring_reader *reader, uint64_t tail, size_t count, struct text *out)
{
    size_t start = (size_t)(tail % reader->ring_bytes);
    size_t first = count < reader->ring_bytes - start ? count : reader->ring_bytes - start;

    add_clean(out, (struct slice){ reader->ring + start, first });
    add_clean(out, (struct slice){ reader->ring, count - first });
}

bool log_ring_read(struct log_ring_reader *reader, struct text *out)
{
    size_t available = available_bytes(reader);
    size_t room = out->max_length - out->length;
    uint64_t tail = atomic_load_explicit(&reader->head->tail, memory_order_relaxed);
    size_t count;

    if (available == 0) {
        atomic_store(&reader->head->is_reader_asleep, 1);
        if (available_bytes(reader) == 0)
            return false;
        atomic_store(&reader->head->is_reader_asleep, 0);
        available = available_bytes(reader);
    }
    count = whole_lines(reader, tail, available < room ? available : room);
    if (count == 0) {
        /* No line end in all there is: rubbish, unless only the room is short. */
        if (available >= room)
            return false;
        count = available;
    }
    copy_out(reader, tail, count, out);
    atomic_store_explicit(&reader->head->tail, tail + count, memory_order_release);
    return true;
}

void log_ring_recover(struct log_ring_reader *reader, struct text *out)
{
    uint64_t head = atomic_load(&reader->head->head);

    for (size_t i = 0; i < reader->slot_count; i++) {
        struct ring_slot *slot = &reader->slots[i];
        uint64_t end = atomic_load(&slot->end);
        size_t length = slot->length;

        if (atomic_load(&slot->state) != SLOT_RESERVED || (end != 0 && head >= end))
            continue;
        if (length > sizeof slot->if_lost)
            length = sizeof slot->if_lost;
        add_clean(out, (struct slice){ slot->if_lost, length });
        atomic_store(&slot->state, SLOT_FREE);
    }
}

uint64_t log_ring_lost_count(const struct log_ring_reader *reader)
{
    return atomic_load_explicit(&reader->head->lost_count, memory_order_relaxed);
}
