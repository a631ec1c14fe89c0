/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests, by LD_PRELOAD: a system that lets nobody filter its system calls. */
#include <errno.h>

int seccomp_load(const void *context);

int seccomp_load(const void *context)
{
    (void)context;
    return -EINVAL;
}
