/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loader: a process that reads a configuration from disk, checks it, hands
 * it on, and ends. Whatever its parsers do to its memory is gone with it.
 */
#ifndef POSTERN_DAEMON_LOADER_H
#define POSTERN_DAEMON_LOADER_H

#include <stdbool.h>

#include "config/diagnostics.h"
#include "daemon/handover.h"

/* Everything `posternd -t` finds wrong goes to stderr; the exit status: 0, or 2 with an error. */
int loader_check(const char *path);

/*
 * For an heir: can the configuration be loaded? What stands against it is told to the master, and
 * nothing else is.
 */
bool loader_try(const char *path);

/* The process's whole life, on HANDOVER_CHANNEL_FD: gives its exit status. */
int loader_run(void);

#endif
