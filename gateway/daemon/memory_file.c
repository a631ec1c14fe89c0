/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in memory; see memory_file.h. */
#include "daemon/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXED_SIZE (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define FIXED_BYTES (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* -1, with the errno of what went wrong. */
static int give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t count = write(fd, bytes.data, bytes.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes = slice_from_offset(bytes, (size_t)count);
    }
    return true;
}

int memory_file_seal(const char *name, struct slice bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (!write_all(fd, bytes) || fcntl(fd, F_ADD_SEALS, FIXED_BYTES) != 0)
        return give_up(fd);
    return fd;
}

bool memory_file_map_sealed(int fd, struct slice *bytes)
{
    struct stat status;
    void *memory;

    *bytes = SLICE_EMPTY;
    if (fcntl(fd, F_GET_SEALS) != FIXED_BYTES || fstat(fd, &status) != 0)
        return false;
    if (status.st_size == 0)
        return true;
    memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return false;
    *bytes = (struct slice){ memory, (size_t)status.st_size };
    return true;
}

void memory_file_unmap_sealed(struct slice *bytes)
{
    if (bytes->length > 0)
        munmap((void *)(uintptr_t)bytes->data, bytes->length);
    *bytes = SLICE_EMPTY;
}

int memory_file_share(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, FIXED_SIZE) != 0)
        return give_up(fd);
    return fd;
}

void *memory_file_map_shared(int fd, size_t size)
{
    struct stat status;
    void *memory;

    if (fcntl(fd, F_GET_SEALS) != FIXED_SIZE || fstat(fd, &status) != 0 ||
        (uintmax_t)status.st_size != size)
        return NULL;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void memory_file_unmap_shared(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}
