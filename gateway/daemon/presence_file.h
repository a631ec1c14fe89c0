/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory behind record/presence, as the master keeps it: made once, handed
 * to every worker, one table to each process for as long as it lives.
 */
#ifndef POSTERN_DAEMON_PRESENCE_FILE_H
#define POSTERN_DAEMON_PRESENCE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "record/presence.h"

struct presence_file {
    int fd;                     /* owned, while there is a head */
    struct presence_head *head; /* mapped; NULL for none */
    uint64_t secret[2];         /* of the workers; it never leaves this machine */
};

/* False and a sentence when the system refuses; presence_file_clear is harmless then. */
bool presence_file_init(struct presence_file *file, struct text *problem)
    __attribute__((warn_unused_result));
/* The same with memory that another program has left us; the descriptor is ours now. */
bool presence_file_inherit(struct presence_file *file, int take_fd, const uint64_t secret[2],
                           struct text *problem) __attribute__((warn_unused_result));
/* Also of one that is all zero. */
void presence_file_clear(struct presence_file *file);

/* A table of zeros for a new worker; false and a sentence when all are taken. */
bool presence_file_take(struct presence_file *file, unsigned int *table, struct text *problem)
    __attribute__((warn_unused_result));
/* The worker's process is gone, and with it whatever it had counted. */
void presence_file_drop(struct presence_file *file, unsigned int table);

#endif
