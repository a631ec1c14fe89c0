/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests, by LD_PRELOAD: a kernel without landlock. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long arguments[6];
    va_list list;

    if (number == SYS_landlock_create_ruleset) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (next == NULL)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                arguments[5]);
}
