/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: it binds the sockets, keeps the other processes running, and
 * carries out reloads and the end. It touches no mail and reads nothing that
 * comes from the network; it never waits for a child.
 */
#ifndef POSTERN_DAEMON_MASTER_H
#define POSTERN_DAEMON_MASTER_H

#include <stdbool.h>

struct master_options {
    const char *path;       /* of the configuration */
    const char *version;    /* for the log */
    bool is_debug;
    char *const *arguments; /* what people see of us; the next program keeps them */
};

/*
 * Runs in the foreground until SIGTERM or SIGINT; SIGHUP reloads, SIGUSR2 upgrades,
 * SIGUSR1 reopens the log file. Gives the exit status: 0 after a drain, 2 when it could not
 * start (and said why on stderr), 1 otherwise. At an upgrade it does not return.
 */
int master_run(const struct master_options *options);
/*
 * The same, when our process was another program before (upgrade_is_under_way) and this is what it
 * has become. What is not in the options' path and is_debug was handed over.
 */
int master_take_over(const struct master_options *options);

#endif
