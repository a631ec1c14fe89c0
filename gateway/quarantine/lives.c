/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who lives. A pending copy belongs to the worker that stored it. That worker
 * keeps a file in alive/ open, with a lock on it that no process can leave
 * behind; a keeper, also the next one, sees by the lock who lives. A file that
 * is gone is a dead one's, so whoever finds it unlocked may remove it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "quarantine/keeper_internal.h"

#define FOLDER "alive"
/* Another keeper may be removing just that one. */
#define MAX_TRIES 10

static void print_name(char name[40], uint64_t owner)
{
    snprintf(name, 40, FOLDER "/%llu", (unsigned long long)owner);
}

/* -1: not now; `owner` may be taken, or looked at by another keeper. */
static int make_file(const struct keeper *keeper, uint64_t owner)
{
    struct stat status;
    char name[40];
    int fd;

    print_name(name, owner);
    fd = openat(store_folder_fd(keeper->store), name,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* Between open and lock another keeper may have taken it for a dead one's. */
    if (fd >= 0 && (flock(fd, LOCK_SH | LOCK_NB) != 0 || fstat(fd, &status) != 0 ||
                    status.st_nlink == 0)) {
        close(fd);
        errno = EAGAIN;
        return -1;
    }
    return fd;
}

int keeper_make_life(struct keeper *keeper, uint64_t *owner)
{
    int fd = -1;

    for (int tries = 0; fd < 0 && tries < MAX_TRIES; tries++) {
        *owner = clock_wall_us();
        if (*owner <= keeper->last_owner)
            *owner = keeper->last_owner + 1;
        keeper->last_owner = *owner;
        fd = make_file(keeper, *owner);
        if (fd < 0 && errno != EAGAIN && errno != EEXIST)
            break;
    }
    return fd;
}

bool keeper_is_alive(const struct keeper *keeper, uint64_t owner)
{
    char name[40];
    bool is_locked;
    int fd;

    print_name(name, owner);
    fd = openat(store_folder_fd(keeper->store), name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT && errno != ELOOP;
    is_locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (!is_locked)
        unlinkat(store_folder_fd(keeper->store), name, 0);
    close(fd);
    return is_locked;
}

void keeper_sweep_lives(const struct keeper *keeper)
{
    int fd = openat(store_folder_fd(keeper->store), FOLDER,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    uint64_t owner;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(directory)) != NULL)
        if (number_parse(slice_from(entry->d_name), UINT64_MAX, &owner))
            (void)keeper_is_alive(keeper, owner);
    closedir(directory);
}
