/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests, by LD_PRELOAD: writes at a place of a file wait as long as $STUCK_DISK_FILE is not
 * empty. It is opened at the start, since who writes later can open nothing.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static int stuck_fd = -1;

static void open_file(void) __attribute__((constructor));

static void open_file(void)
{
    const char *path = getenv("STUCK_DISK_FILE");

    if (path != NULL)
        stuck_fd = open(path, O_RDONLY | O_CLOEXEC);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    static ssize_t (*next)(int, const struct iovec *, int, off_t);
    char byte;

    if (next == NULL)
        next = (ssize_t (*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    while (stuck_fd >= 0 && pread(stuck_fd, &byte, 1, 0) == 1)
        usleep(10000);
    return next(fd, parts, count, offset);
}
