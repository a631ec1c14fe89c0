/* SPDX-License-Identifier: BSD-2-Clause */
/* Heap memory whose exhaustion ends the process; see memory.h. */
#include "base/memory.h"

#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die_out_of_memory(void)
{
    /* No stdio here: it may allocate. */
    static const char message[] = "postern: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);

    (void)ignored;
    _exit(70);
}

static size_t checked_product(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
        die_out_of_memory();
    return bytes > 0 ? bytes : 1;
}

void *mem_new_array(size_t count, size_t size)
{
    void *memory = calloc(1, checked_product(count, size));

    if (memory == NULL)
        die_out_of_memory();
    return memory;
}

void *mem_new(size_t size)
{
    return mem_new_array(1, size);
}

void *mem_resize(void *old, size_t count, size_t size)
{
    void *memory = realloc(old, checked_product(count, size));

    if (memory == NULL)
        die_out_of_memory();
    return memory;
}

char *mem_copy(struct slice s)
{
    char *copy = mem_resize(NULL, s.length + 1, 1);

    if (s.length > 0)
        memcpy(copy, s.data, s.length);
    copy[s.length] = '\0';
    return copy;
}

void mem_free(void *memory)
{
    free(memory);
}

void *mem_grow(void *array, size_t count, size_t *capacity, size_t element_size)
{
    if (array != NULL && count < *capacity)
        return array;
    *capacity = *capacity > 0 ? checked_product(*capacity, 2) : 4;
    return mem_resize(array, *capacity, element_size);
}

void mem_keep_freed(size_t max_bytes)
{
#ifdef M_TRIM_THRESHOLD
    mallopt(M_TRIM_THRESHOLD, max_bytes < INT_MAX ? (int)max_bytes : INT_MAX);
#else
    (void)max_bytes;
#endif
}
