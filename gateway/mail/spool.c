/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of one message; see spool.h. Every chunk but the last is full, so
 * the chunk of an offset is found by one division, and bytes once appended
 * never move: a thread that writes them to disk needs no lock.
 */
#include "mail/spool.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

bool spool_budget_take(struct spool_budget *budget, uint64_t bytes)
{
    /* It may be overdrawn. */
    if (budget->used_bytes > budget->max_bytes || bytes > budget->max_bytes - budget->used_bytes)
        return false;
    budget->used_bytes += bytes;
    return true;
}

void spool_budget_overdraw(struct spool_budget *budget, uint64_t bytes)
{
    budget->used_bytes += bytes;
}

void spool_budget_give_back(struct spool_budget *budget, uint64_t bytes)
{
    assert(bytes <= budget->used_bytes);
    budget->used_bytes -= bytes;
}

void spool_init(struct spool *spool, struct spool_budget *budget)
{
    *spool = (struct spool){ .budget = budget };
}

void spool_clear(struct spool *spool)
{
    for (size_t i = 0; i < spool->chunk_count; i++)
        spool_chunk_unref(spool->chunks[i]);
    mem_free(spool->chunks);
    spool_file_unref(spool->file);
    spool_init(spool, spool->budget);
}

/* Bytes that the last chunk can still take. */
static size_t room_in_last_chunk(const struct spool *spool)
{
    if (spool->chunk_count == 0)
        return 0;
    return SPOOL_CHUNK_BYTES - spool->chunks[spool->chunk_count - 1]->length;
}

/* Its memory has been taken from the budget already. */
static void add_chunk(struct spool *spool)
{
    /* Not mem_new: zeroing 16 KiB that are written next would double the work. */
    struct spool_chunk *chunk = mem_resize(NULL, 1, sizeof *chunk);

    chunk->budget = spool->budget;
    chunk->references = 1;
    chunk->length = 0;
    spool->chunks = mem_grow(spool->chunks, spool->chunk_count, &spool->chunk_capacity,
                             sizeof(*spool->chunks));
    spool->chunks[spool->chunk_count++] = chunk;
}

bool spool_append(struct spool *spool, struct slice bytes)
{
    size_t room = room_in_last_chunk(spool);

    if (bytes.length > room) {
        uint64_t missing = bytes.length - room;
        uint64_t chunks = (missing + SPOOL_CHUNK_BYTES - 1) / SPOOL_CHUNK_BYTES;

        if (!spool_budget_take(spool->budget, chunks * SPOOL_CHUNK_BYTES))
            return false;
    }
    while (bytes.length > 0) {
        struct spool_chunk *last;
        size_t part;

        if (room_in_last_chunk(spool) == 0)
            add_chunk(spool);
        last = spool->chunks[spool->chunk_count - 1];
        part = SPOOL_CHUNK_BYTES - last->length;
        if (part > bytes.length)
            part = bytes.length;
        memcpy(last->bytes + last->length, bytes.data, part);
        last->length += (uint32_t)part;
        spool->length += part;
        bytes = slice_from_offset(bytes, part);
    }
    return true;
}

uint64_t spool_memory_bytes(const struct spool *spool)
{
    return spool->length - spool->file_length;
}

struct slice spool_at(const struct spool *spool, uint64_t offset)
{
    uint64_t in_memory = offset - spool->file_length;
    const struct spool_chunk *chunk;
    size_t start = (size_t)(in_memory % SPOOL_CHUNK_BYTES);

    assert(offset >= spool->file_length && offset < spool->length);
    chunk = spool->chunks[in_memory / SPOOL_CHUNK_BYTES];
    return (struct slice){ chunk->bytes + start, chunk->length - start };
}

struct spool_chunk *spool_chunk_ref(struct spool_chunk *chunk)
{
    chunk->references++;
    return chunk;
}

void spool_chunk_unref(struct spool_chunk *chunk)
{
    if (--chunk->references > 0)
        return;
    spool_budget_give_back(chunk->budget, SPOOL_CHUNK_BYTES);
    mem_free(chunk);
}

struct spool_file *spool_file_new(int take_fd)
{
    struct spool_file *file = mem_new(sizeof *file);

    file->references = 1;
    file->fd = take_fd;
    return file;
}

struct spool_file *spool_file_ref(struct spool_file *file)
{
    file->references++;
    return file;
}

void spool_file_unref(struct spool_file *file)
{
    if (file == NULL || --file->references > 0)
        return;
    if (file->close != NULL)
        file->close(file->owner, file);
    else
        close(file->fd);
    mem_free(file);
}

void spool_drop_chunks(struct spool *spool, size_t count)
{
    assert(count <= spool->chunk_count);
    for (size_t i = 0; i < count; i++) {
        spool->file_length += spool->chunks[i]->length;
        spool_chunk_unref(spool->chunks[i]);
    }
    spool->chunk_count -= count;
    if (count > 0)
        memmove(spool->chunks, spool->chunks + count,
                spool->chunk_count * sizeof(*spool->chunks));
}
