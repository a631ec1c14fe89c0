/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes on their way out, in a chain of blocks: copied in once, in few and large
 * pieces, and nothing held when empty. It is part of a stream and knows no socket.
 */
#ifndef POSTERN_NET_OUTPUT_H
#define POSTERN_NET_OUTPUT_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/slice.h"

struct output_block;

struct output {
    struct output_block *first; /* owned; NULL when empty */
    struct output_block *last;
    size_t length;   /* bytes in all */
    size_t capacity; /* and the memory that they take */
};

/* An empty chain, which holds no memory. */
void output_init(struct output *output);
/* Drops all bytes. */
void output_clear(struct output *output);
/* Copies `bytes` to the end. */
void output_add(struct output *output, struct slice bytes);
/* The first block's bytes; empty when there are none. Borrowed until the output changes. */
struct slice output_first(const struct output *output);
/* Fills at most `max_parts` of `parts` with the first `max_bytes`; returns how many it filled. */
int output_gather(const struct output *output, size_t max_bytes, struct iovec *parts,
                  int max_parts);
/* Drops the first `count` bytes, which must be there. */
void output_drop(struct output *output, size_t count);

#endif
