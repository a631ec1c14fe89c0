/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logger: the only process that writes the log, and the only one that may
 * have to wait for a disk or a pipe. It reads the rings of all others, which go
 * on while it waits.
 */
#ifndef POSTERN_DAEMON_LOGGER_H
#define POSTERN_DAEMON_LOGGER_H

/* The process's whole life, on HANDOVER_CHANNEL_FD: gives its exit status. */
int logger_run(void);

#endif
