/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: one process, one loop, many sessions. It gets everything it needs
 * by its channel, opens nothing, and gives its privileges up before it reads a
 * byte of anything.
 */
#ifndef POSTERN_DAEMON_WORKER_H
#define POSTERN_DAEMON_WORKER_H

/* The process's whole life, on HANDOVER_CHANNEL_FD: gives its exit status. */
int worker_run(void);

#endif
