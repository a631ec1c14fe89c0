/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Landlock: what a process may do with files, TCP and other processes, given up
 * by itself and for good (landlock(7)). The kernel may have it in any version.
 */
#ifndef POSTERN_DAEMON_LANDLOCK_H
#define POSTERN_DAEMON_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* What it may do with files: bits. Whatever else is done by a path is refused. */
enum landlock_files {
    LANDLOCK_READ = 1 << 0,   /* open files to read them, list folders */
    LANDLOCK_WRITE = 1 << 1,  /* open files to write to them, and cut them off */
    LANDLOCK_MAKE = 1 << 2,   /* make plain files, and give them another name */
    LANDLOCK_REMOVE = 1 << 3, /* remove files, and give them another name */
};

struct landlock_wish {
    unsigned int in_folder;    /* enum landlock_files, in that folder and below */
    int folder_fd;             /* lent; -1: none */
    bool may_read_all;         /* any file, wherever it lies */
    const uint16_t *ports;     /* lent: TCP ports it may connect to; it binds none */
    size_t port_count;
};

/* The version of landlock's interface that the kernel has; 0 when it has none, and errno why. */
int landlock_find_version(void);

/*
 * From now on this process, and the threads that it starts, may do that and no more, as far as the
 * kernel's version goes; without landlock nothing happens. Needs PR_SET_NO_NEW_PRIVS. False and a
 * sentence when a kernel that has it refuses.
 */
bool landlock_restrict(const struct landlock_wish *wish, struct text *problem)
    __attribute__((warn_unused_result));

#endif
