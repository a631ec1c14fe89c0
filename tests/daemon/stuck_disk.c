/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests, by LD_PRELOAD: writes at a place of a file wait as long as $STUCK_DISK_FILE exists. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    static ssize_t (*next)(int, const struct iovec *, int, off_t);
    const char *path = getenv("STUCK_DISK_FILE");

    if (next == NULL)
        next = (ssize_t (*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    while (path != NULL && access(path, F_OK) == 0)
        usleep(10000);
    return next(fd, parts, count, offset);
}
