/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls that are left to each role, as a filter in the kernel (seccomp(2)). */
#ifndef POSTERN_DAEMON_SANDBOX_CALLS_H
#define POSTERN_DAEMON_SANDBOX_CALLS_H

#include "daemon/sandbox.h"

/*
 * For good, and for threads that start later. What is not left to the role fails with ENOSYS, as
 * on a kernel that does not have it, or ends the process; sandbox_calls.c says when. False and a
 * sentence when the system has no such filters, or does not let us have one.
 */
bool sandbox_calls_limit(enum sandbox_role role, const struct sandbox_needs *needs,
                         struct text *problem) __attribute__((warn_unused_result));

#endif
