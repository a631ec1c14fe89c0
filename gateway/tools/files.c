/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads files whole; see files.h. */
#include "tools/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool read_all(int fd, struct text *out)
{
    char buffer[16384];
    ssize_t count;

    while ((count = read(fd, buffer, sizeof buffer)) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        errno = EFBIG;
        if (!text_add_whole(out, (struct slice){ buffer, (size_t)count }))
            return false;
    }
    return true;
}

bool file_read(const char *path, struct text *out, struct text *problem)
{
    bool is_standard_input = strcmp(path, "-") == 0;
    int fd = is_standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && read_all(fd, out);

    if (!is_read)
        text_add_format(problem, "cannot read %s: %s",
                        is_standard_input ? "standard input" : path, strerror(errno));
    if (fd >= 0 && !is_standard_input)
        close(fd);
    return is_read;
}

void file_add_with_crlf(struct text *out, struct slice content)
{
    struct slice line;

    while (slice_next(&content, '\n', &line)) {
        bool has_cr = line.length > 0 && line.data[line.length - 1] == '\r';

        text_add(out, has_cr ? slice_until(line, line.length - 1) : line);
        text_add(out, SLICE("\r\n"));
    }
}
