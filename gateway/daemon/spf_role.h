/* SPDX-License-Identifier: BSD-2-Clause */
/* The process of the second SPF engine: it answers workers, and can do nothing else. */
#ifndef POSTERN_DAEMON_SPF_ROLE_H
#define POSTERN_DAEMON_SPF_ROLE_H

/* The whole life of it; gives the exit status. */
int spf_role_run(void);

#endif
