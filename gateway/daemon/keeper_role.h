/* SPDX-License-Identifier: BSD-2-Clause */
/* The keeper's process: quarantine/keeper with orders from the master. */
#ifndef POSTERN_DAEMON_KEEPER_ROLE_H
#define POSTERN_DAEMON_KEEPER_ROLE_H

/* Runs until the master and all workers are gone; the exit status. */
int keeper_role_run(void);

#endif
