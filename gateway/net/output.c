/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes on their way out; see output.h. A reply fits the small first block, and
 * some more the next. What is longer goes into blocks of 16 KiB: one of them is
 * one TLS record, and a few of them one writev.
 */
#include "net/output.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

#define SMALL_BLOCK_BYTES 1024
#define MIDDLE_BLOCK_BYTES 4096
#define LARGE_BLOCK_BYTES 16384

struct output_block {
    struct output_block *next;
    size_t start;    /* of the bytes not sent yet */
    size_t end;
    size_t capacity;
    char bytes[];
};

void output_init(struct output *output)
{
    *output = (struct output){ 0 };
}

void output_clear(struct output *output)
{
    struct output_block *block = output->first;

    while (block != NULL) {
        struct output_block *next = block->next;

        mem_free(block);
        block = next;
    }
    output_init(output);
}

static size_t find_capacity(const struct output *output, size_t wanted)
{
    if (output->first == NULL && wanted <= SMALL_BLOCK_BYTES)
        return SMALL_BLOCK_BYTES;
    if (output->capacity <= MIDDLE_BLOCK_BYTES && wanted <= MIDDLE_BLOCK_BYTES)
        return MIDDLE_BLOCK_BYTES;
    return LARGE_BLOCK_BYTES;
}

static void add_block(struct output *output, size_t wanted)
{
    size_t capacity = find_capacity(output, wanted);
    struct output_block *block = mem_resize(NULL, 1, sizeof *block + capacity);

    block->next = NULL;
    block->start = block->end = 0;
    block->capacity = capacity;
    output->capacity += capacity;
    if (output->last != NULL)
        output->last->next = block;
    else
        output->first = block;
    output->last = block;
}

void output_add(struct output *output, struct slice bytes)
{
    output->length += bytes.length;
    while (bytes.length > 0) {
        struct output_block *last = output->last;
        size_t part;

        if (last == NULL || last->end == last->capacity) {
            add_block(output, bytes.length);
            last = output->last;
        }
        part = last->capacity - last->end;
        if (part > bytes.length)
            part = bytes.length;
        memcpy(last->bytes + last->end, bytes.data, part);
        last->end += part;
        bytes = slice_from_offset(bytes, part);
    }
}

struct slice output_first(const struct output *output)
{
    const struct output_block *first = output->first;

    if (first == NULL)
        return SLICE_EMPTY;
    return (struct slice){ first->bytes + first->start, first->end - first->start };
}

int output_gather(const struct output *output, size_t max_bytes, struct iovec *parts,
                  int max_parts)
{
    struct output_block *block = output->first;
    int count = 0;

    while (block != NULL && max_bytes > 0 && count < max_parts) {
        size_t part = block->end - block->start;

        if (part > max_bytes)
            part = max_bytes;
        parts[count++] = (struct iovec){ block->bytes + block->start, part };
        max_bytes -= part;
        block = block->next;
    }
    return count;
}

void output_drop(struct output *output, size_t count)
{
    assert(count <= output->length);
    output->length -= count;
    while (count > 0) {
        struct output_block *first = output->first;
        size_t part = first->end - first->start;

        if (part > count) {
            first->start += count;
            return;
        }
        count -= part;
        output->capacity -= first->capacity;
        output->first = first->next;
        if (output->first == NULL)
            output->last = NULL;
        mem_free(first);
    }
}
