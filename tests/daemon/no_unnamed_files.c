/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests, by LD_PRELOAD: a file system that knows no files without names. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list list;

    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if ((flags & O_CREAT) != 0) {
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}
