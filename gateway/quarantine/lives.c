/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who lives. A pending copy belongs to the worker that stored it. That worker
 * keeps a file in alive/ open, with a lock on it that no process can leave
 * behind; a keeper, also the next one, sees by the lock who lives. A file that
 * is gone is a dead one's, so whoever finds it unlocked may remove it.
 *
 * Keepers have such files too: after an upgrade one keeper drains with its workers
 * and their releases, while the next one serves owners.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "quarantine/keeper_internal.h"

#define FOLDER "alive"
/* A worker's file has its number for a name, a keeper's this and its own. */
#define KEEPER_PREFIX "keeper-"
#define NAME_BYTES 60
/* Another keeper may be removing just that one. */
#define MAX_TRIES 10

static void print_name(char name[NAME_BYTES], const char *prefix, uint64_t number)
{
    snprintf(name, NAME_BYTES, FOLDER "/%s%llu", prefix, (unsigned long long)number);
}

/* -1: not now; the name may be taken, or looked at by another keeper. */
static int make_file(const struct keeper *keeper, const char *name)
{
    struct stat status;
    int fd = openat(store_folder_fd(keeper->store), name,
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

static int make_life(struct keeper *keeper, const char *prefix, uint64_t *number)
{
    char name[NAME_BYTES];
    int fd = -1;

    for (int tries = 0; fd < 0 && tries < MAX_TRIES; tries++) {
        *number = clock_wall_us();
        if (*number <= keeper->last_owner)
            *number = keeper->last_owner + 1;
        keeper->last_owner = *number;
        print_name(name, prefix, *number);
        fd = make_file(keeper, name);
        if (fd < 0 && errno != EAGAIN && errno != EEXIST)
            break;
    }
    return fd;
}

int keeper_make_life(struct keeper *keeper, uint64_t *owner)
{
    return make_life(keeper, "", owner);
}

void keeper_show_life(struct keeper *keeper)
{
    keeper->life_fd = make_life(keeper, KEEPER_PREFIX, &keeper->life_number);
    if (keeper->life_fd < 0)
        log_error("quarantine-failed", "cannot make a file in " FOLDER ": %s", strerror(errno));
}

/* Who is dead loses its file. */
static bool is_locked(const struct keeper *keeper, const char *name)
{
    int fd = openat(store_folder_fd(keeper->store), name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    bool is_taken;

    if (fd < 0)
        return errno != ENOENT && errno != ELOOP;
    is_taken = flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (!is_taken)
        unlinkat(store_folder_fd(keeper->store), name, 0);
    close(fd);
    return is_taken;
}

bool keeper_is_alive(const struct keeper *keeper, uint64_t owner)
{
    char name[NAME_BYTES];

    print_name(name, "", owner);
    return is_locked(keeper, name);
}

/* True for another keeper that lives. */
static bool look_at_life(const struct keeper *keeper, const char *entry)
{
    struct slice word = slice_from(entry);
    bool is_keeper = slice_has_prefix(word, SLICE(KEEPER_PREFIX));
    char name[NAME_BYTES];
    uint64_t number;

    if (is_keeper)
        word = slice_from_offset(word, sizeof KEEPER_PREFIX - 1);
    if (!number_parse(word, UINT64_MAX, &number) || (is_keeper && number == keeper->life_number))
        return false;
    print_name(name, is_keeper ? KEEPER_PREFIX : "", number);
    return is_locked(keeper, name) && is_keeper;
}

bool keeper_sweep_lives(const struct keeper *keeper)
{
    int fd = openat(store_folder_fd(keeper->store), FOLDER,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool has_other = false;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((entry = readdir(directory)) != NULL)
        has_other = look_at_life(keeper, entry->d_name) || has_other;
    closedir(directory);
    return has_other;
}
