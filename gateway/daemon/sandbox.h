/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process gives up before it hears the first byte from outside. The manual,
 * posternd(8), says in a table what is left to each; a role that needs more gets a
 * line here, there and in its test.
 */
#ifndef POSTERN_DAEMON_SANDBOX_H
#define POSTERN_DAEMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum sandbox_role {
    SANDBOX_LOADER,  /* reads files, asks local name services, forks to try a user's access */
    SANDBOX_WORKER,  /* speaks TCP, perhaps DNS, makes files without names in the spool folder */
    SANDBOX_KEEPER,  /* works in its folder, and is asked on a Unix socket */
    SANDBOX_LOGGER,  /* writes to descriptors that it has or is sent, and to syslog */
    SANDBOX_SPF,     /* hears and answers on descriptors that it is sent, and counts its own time */
};

/* What differs from one process of a role to the next. All of it is lent for the call. */
struct sandbox_needs {
    int folder_fd;            /* worker: spool; keeper: quarantine; others: -1 */
    /* Of a worker. */
    bool has_unnamed_files;   /* that folder's file system knows O_TMPFILE */
    uint64_t max_file_bytes;  /* no file of it becomes longer */
    const uint16_t *ports;    /* of the backends */
    size_t port_count;        /* and of DNS servers */
    bool asks_dns;            /* sends datagrams, too */
};

/*
 * False in a build that watches itself (sanitizers, coverage): such a program opens files, forks
 * and traces on its own account, so the calls below do nothing there.
 */
bool sandbox_is_built_in(void);

/*
 * Before root is given up: the process's root becomes that folder, or with -1 one that is empty
 * and that nobody can write to. Descriptors stay as they are. Where the system does not let it, or
 * we are not root, nothing happens: landlock, and the filter of system calls, do not need it.
 */
void sandbox_change_root(int folder_fd);

/*
 * The rest, for good: limits, no memory dumps, landlock, and then only the system calls of that
 * role. Threads that are to be filtered too must not run yet. False and a sentence when the system
 * refuses what it should be able to do: then the process must end.
 */
bool sandbox_enter(enum sandbox_role role, const struct sandbox_needs *needs, struct text *problem)
    __attribute__((warn_unused_result));

/*
 * The little that can be taken from the master, which binds, reads keys, starts programs and ends
 * them: its memory and descriptors are out of reach for other processes of its user.
 */
void sandbox_shield_master(void);

/*
 * For the log, from the master: one notice when there is no sandbox, or when it lacks something
 * here. `is_wanted` is the setting.
 */
void sandbox_report(bool is_wanted);

#endif
