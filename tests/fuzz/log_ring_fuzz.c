/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log ring's reader over memory in which a worker has gone mad: the input is
 * laid over the memory at places that it names itself, between reads. What comes
 * out must be whole lines without control bytes, and must come to an end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/slice.h"
#include "base/text.h"
#include "record/log_ring.h"

#define RING_BYTES 8192
#define SLOT_COUNT 3
#define HEAD_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void expect_lines(struct text *out)
{
    require(!out->is_cut);
    require(out->length == 0 || out->data[out->length - 1] == '\n');
    for (size_t i = 0; i < out->length; i++)
        require(out->data[i] == '\n' ||
                ((unsigned char)out->data[i] >= ' ' && out->data[i] != 0x7f));
    text_reset(out);
}

/* Half of the damage goes to the head and the slots' first fields, where numbers are. */
static size_t choose_place(uint8_t low, uint8_t high, size_t memory_bytes)
{
    size_t slot_bytes = (memory_bytes - HEAD_BYTES - RING_BYTES) / SLOT_COUNT;
    size_t number = (size_t)low + ((size_t)high << 8);

    switch (high % 4) {
    case 0: return low;
    case 1: return HEAD_BYTES + low % SLOT_COUNT * slot_bytes + low % 24;
    default: return number * 7 % memory_bytes;
    }
}

static void damage(char *memory, size_t memory_bytes, const uint8_t *data, size_t size)
{
    size_t place = choose_place(data[0], data[1], memory_bytes);
    size_t length = size - 2;

    if (length > memory_bytes - place)
        length = memory_bytes - place;
    memcpy(memory + place, data + 2, length);
}

static void read_some(struct log_ring_reader *reader, struct text *out)
{
    for (int i = 0; i < 4 && log_ring_read(reader, out); i++)
        expect_lines(out);
    log_ring_take_lost_count(reader);
    log_ring_release(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t memory_bytes = log_ring_memory_bytes(RING_BYTES, SLOT_COUNT);
    char *memory = aligned_alloc(4096, (memory_bytes + 4095) / 4096 * 4096);
    struct log_ring_writer *writer;
    struct log_ring_reader *reader;
    struct log_ring_slot *slot;
    struct text out;

    require(memory != NULL);
    memset(memory, 0, memory_bytes);
    writer = log_ring_writer_new(memory, RING_BYTES, SLOT_COUNT, -1);
    reader = log_ring_reader_new(memory, RING_BYTES, SLOT_COUNT);
    text_init(&out, LOG_RING_BATCH_BYTES);
    slot = log_ring_reserve(writer, SLICE("event=transaction verdict=unknown\n"), 100);
    require(slot != NULL && log_ring_write(writer, SLICE("event=session\n")));
    while (size >= 3) {
        size_t length = 2 + data[0] % 32;

        if (length > size)
            length = size;
        damage(memory, memory_bytes, data, length);
        read_some(reader, &out);
        data += length;
        size -= length;
        if (size % 5 == 0)
            log_ring_write(writer, SLICE("another line\n"));
    }
    for (int i = 0; i < 3 && log_ring_recover(reader, &out); i++) {
        expect_lines(&out);
        log_ring_release(reader);
    }
    log_ring_reader_free(&reader);
    log_ring_writer_free(&writer);
    text_clear(&out);
    free(memory);
    return 0;
}
