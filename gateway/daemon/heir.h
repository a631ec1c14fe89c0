/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heir: a process of the program that is to take over at an upgrade. It
 * reads what it would be left and the configuration, agrees or says why not, and
 * ends; only then does the master become that program itself.
 */
#ifndef POSTERN_DAEMON_HEIR_H
#define POSTERN_DAEMON_HEIR_H

/* The process's whole life, on HANDOVER_CHANNEL_FD: gives its exit status. */
int heir_run(void);

#endif
