/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of a configuration, read from disk; see disk.h. */
#include "daemon/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define BLOCK_BYTES (64u * 1024)

static bool fail(struct text *problem, int error)
{
    text_add_string(problem, strerror(error));
    return false;
}

/* Reads to the end: what /proc and its kind give has no size beforehand. */
static bool read_all(int fd, struct text *bytes, struct text *problem)
{
    char *block = mem_new(BLOCK_BYTES);
    ssize_t count;

    do {
        count = read(fd, block, BLOCK_BYTES);
        if (count > 0)
            text_add(bytes, (struct slice){ block, (size_t)count });
    } while ((count > 0 && !bytes->is_cut) || (count < 0 && errno == EINTR));
    mem_free(block);
    if (count < 0)
        return fail(problem, errno);
    if (bytes->is_cut)
        return fail(problem, EFBIG);
    return true;
}

/* A pipe or device would make us wait, or never end. */
static bool is_regular(int fd, struct text *problem)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return fail(problem, errno);
    if (S_ISDIR(status.st_mode))
        return fail(problem, EISDIR);
    if (!S_ISREG(status.st_mode)) {
        text_add_string(problem, "Not a regular file");
        return false;
    }
    return true;
}

static bool read_file(const char *path, struct text *bytes, struct text *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool is_read;

    if (fd < 0)
        return fail(problem, errno);
    is_read = is_regular(fd, problem) && read_all(fd, bytes, problem);
    close(fd);
    return is_read;
}

static bool expand(const char *pattern, struct text *paths, struct text *problem)
{
    glob_t found;
    int result = glob(pattern, GLOB_ERR, NULL, &found);

    if (result == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            text_add_string(paths, found.gl_pathv[i]);
            text_add_byte(paths, '\n');
        }
    if (result == 0 || result == GLOB_NOMATCH) {
        globfree(&found);
        return true;
    }
    globfree(&found);
    return fail(problem, result == GLOB_NOSPACE ? ENOMEM : errno);
}

bool disk_fetch(void *owner, const char *path, bool is_pattern, char **take_bytes, size_t *length,
                struct text *problem)
{
    struct text bytes;
    bool is_fetched;

    (void)owner;
    text_init(&bytes, DISK_MAX_FILE_BYTES);
    is_fetched = is_pattern ? expand(path, &bytes, problem) : read_file(path, &bytes, problem);
    if (is_fetched) {
        *take_bytes = mem_copy(text_slice(&bytes));
        *length = bytes.length;
    }
    text_clear(&bytes);
    return is_fetched;
}
