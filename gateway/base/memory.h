/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heap memory. Only base/ allocates: everyone else asks here, so that running
 * out of memory has one answer. That answer is to end the process: the master
 * replaces it, and no caller carries an error path that no test can reach.
 */
#ifndef POSTERN_BASE_MEMORY_H
#define POSTERN_BASE_MEMORY_H

#include <stddef.h>

#include "base/slice.h"

/* Zeroed memory for one object of `size` bytes. Never NULL. Free with mem_free. */
void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));

/* Zeroed memory for `count` objects of `size` bytes; the product is checked. */
void *mem_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/*
 * Grows or shrinks `old` (NULL is fine) to `count` objects of `size` bytes.
 * Bytes past the old length are not initialised.
 */
void *mem_resize(void *old, size_t count, size_t size)
    __attribute__((warn_unused_result, returns_nonnull));

/* A NUL-terminated copy of exactly `s.length` + 1 bytes. */
char *mem_copy(struct slice s) __attribute__((malloc, returns_nonnull));

/* Frees what the functions above gave; NULL is fine. */
void mem_free(void *memory);

/*
 * Makes room for one more element: grows `*capacity` (in elements) by doubling
 * when `count` has reached it. Returns the array, moved perhaps.
 */
void *mem_grow(void *array, size_t count, size_t *capacity, size_t element_size)
    __attribute__((warn_unused_result, returns_nonnull));

/*
 * So much freed memory stays with the process before it is given back to the system: for one that
 * needs it again in a moment, with every mail. A C library that cannot be told does as it likes.
 */
void mem_keep_freed(size_t max_bytes);

#endif
