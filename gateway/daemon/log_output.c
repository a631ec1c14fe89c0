/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the log goes; see log_output.h.
 *
 * The descriptor may be shared with others (stderr always is), so it is not made
 * non-blocking. A pipe is asked first whether it would take PIPE_BUF bytes, and
 * gets no more at a time: such a write does not wait (pipe(7)).
 */
#include "daemon/log_output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

#define RETRY_MS 200
/* Most that goes into a plain file at once. */
#define FILE_BLOCK_BYTES (64u * 1024)
#define DATAGRAM_BYTES 8192

enum output_kind {
    OUTPUT_FILE,   /* plain files and devices: always ready, as poll(2) sees it */
    OUTPUT_PIPE,   /* pipes and terminals */
    OUTPUT_STREAM, /* a connected stream socket, such as the journal's */
    OUTPUT_SYSLOG, /* a datagram for each line */
};

struct log_output {
    enum output_kind kind;
    int fd;                   /* -1: syslog, not connected now */
    struct sockaddr_un path;  /* of syslog */
    unsigned int facility;
    /* Lent by the owner. */
    struct loop *loop;
    void (*on_ready)(void *owner);
    void *owner;
    /* While it does not take what we have. */
    struct loop_watch *writable; /* NULL while not waiting for it */
    struct loop_timer retry;
    bool is_failing;             /* said so on stderr */
};

static const struct {
    const char *name;
    unsigned int number;
} facilities[] = {
    { "user", 1 },    { "mail", 2 },    { "daemon", 3 },  { "auth", 4 },    { "local0", 16 },
    { "local1", 17 }, { "local2", 18 }, { "local3", 19 }, { "local4", 20 }, { "local5", 21 },
    { "local6", 22 }, { "local7", 23 },
};

bool log_output_find_facility(struct slice name, unsigned int *facility)
{
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++) {
        if (slice_equals(name, slice_from(facilities[i].name))) {
            *facility = facilities[i].number;
            return true;
        }
    }
    return false;
}

static enum output_kind kind_of(int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
        return OUTPUT_STREAM;
    if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || isatty(fd)))
        return OUTPUT_PIPE;
    return OUTPUT_FILE;
}

static void on_writable(void *owner)
{
    struct log_output *output = owner;

    loop_watch_free(&output->writable);
    output->on_ready(output->owner);
}

static void on_retry(void *owner)
{
    struct log_output *output = owner;

    output->on_ready(output->owner);
}

struct log_output *log_output_new(struct loop *loop, enum log_target target, int take_fd,
                                  const char *path, const char *facility,
                                  void (*on_ready)(void *owner), void *owner)
{
    struct log_output *output = mem_new(sizeof *output);

    output->fd = take_fd;
    output->loop = loop;
    output->on_ready = on_ready;
    output->owner = owner;
    loop_timer_init(&output->retry, loop, on_retry, output);
    if (target != LOG_TARGET_SYSLOG) {
        output->kind = kind_of(take_fd);
        return output;
    }
    output->kind = OUTPUT_SYSLOG;
    output->path.sun_family = AF_UNIX;
    memcpy(output->path.sun_path, path, slice_until(slice_from(path),
                                                    sizeof output->path.sun_path - 1).length);
    if (!log_output_find_facility(slice_from(facility), &output->facility))
        output->facility = 2; /* mail; the loader has refused others */
    return output;
}

void log_output_free(struct log_output **handle)
{
    struct log_output *output = *handle;

    if (output == NULL)
        return;
    loop_timer_cancel(&output->retry);
    loop_watch_free(&output->writable);
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    mem_free(output);
    *handle = NULL;
}

/* ---- When it does not go on. */

/* On stderr, if that takes it at once: it may be the very pipe that is stuck. */
static void tell(const char *what, const char *reason)
{
    struct pollfd stderr_state = { .fd = STDERR_FILENO, .events = POLLOUT };
    struct text line;
    ssize_t ignored;

    text_init(&line, 500);
    text_add_format(&line, "posternd: %s%s%s\n", what, reason[0] != '\0' ? ": " : "", reason);
    if (poll(&stderr_state, 1, 0) == 1 && (stderr_state.revents & POLLOUT) != 0) {
        ignored = write(STDERR_FILENO, text_string(&line), line.length);
        (void)ignored;
    }
    text_clear(&line);
}

static void wait_until_writable(struct log_output *output)
{
    if (output->writable == NULL)
        output->writable = loop_watch_new(output->loop, output->fd, true, on_writable, output);
}

/* Tried again after a while: a full disk says nothing when it has room again. */
static void fail(struct log_output *output, int error)
{
    if (!output->is_failing)
        tell("cannot write the log, and keep trying", strerror(error));
    output->is_failing = true;
    loop_timer_start(&output->retry, RETRY_MS);
}

static void succeed(struct log_output *output)
{
    if (output->is_failing)
        tell("the log can be written again", "");
    output->is_failing = false;
}

/* ---- Writing: each gives the bytes that went out, or -1 with errno. */

static ssize_t write_to_pipe(struct log_output *output, struct slice lines)
{
    struct pollfd state = { .fd = output->fd, .events = POLLOUT };

    if (poll(&state, 1, 0) < 0)
        return -1;
    if ((state.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) == 0) {
        errno = EAGAIN;
        return -1;
    }
    lines = slice_until(lines, PIPE_BUF);
    return write(output->fd, lines.data, lines.length);
}

static bool connect_to_syslog(struct log_output *output)
{
    int error;

    output->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (output->fd < 0)
        return false;
    if (connect(output->fd, (const struct sockaddr *)&output->path, sizeof output->path) == 0)
        return true;
    error = errno;
    close(output->fd);
    output->fd = -1;
    errno = error;
    return false;
}

/* "<22>Nov 22 14:03:05 posternd: ts=..." (RFC 3164, in local time, as syslog(3) writes it). */
static void print_datagram(struct text *out, unsigned int facility, struct slice line)
{
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    enum { INFORMATIONAL = 6 };
    time_t now = time(NULL);
    struct tm local = { 0 };

    localtime_r(&now, &local);
    text_add_format(out, "<%u>%s %2d %02d:%02d:%02d posternd: %.*s", facility * 8 + INFORMATIONAL,
                    months[local.tm_mon % 12], local.tm_mday, local.tm_hour, local.tm_min,
                    local.tm_sec, SLICE_ARGS(line));
}

/* One line. */
static ssize_t write_to_syslog(struct log_output *output, struct slice lines)
{
    struct text datagram;
    ssize_t result;
    size_t end;

    if (output->fd < 0 && !connect_to_syslog(output))
        return -1;
    if (!slice_find_byte(lines, '\n', &end))
        end = lines.length - 1;
    text_init(&datagram, DATAGRAM_BYTES);
    print_datagram(&datagram, output->facility, slice_until(lines, end));
    result = send(output->fd, text_string(&datagram), datagram.length, MSG_NOSIGNAL);
    text_clear(&datagram);
    if (result >= 0)
        return (ssize_t)end + 1;
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
        int error = errno;

        /* The syslog daemon was restarted, perhaps: a new connection next time. */
        loop_watch_free(&output->writable);
        close(output->fd);
        output->fd = -1;
        errno = error;
    }
    return -1;
}

static ssize_t write_some(struct log_output *output, struct slice lines)
{
    switch (output->kind) {
    case OUTPUT_FILE:
        lines = slice_until(lines, FILE_BLOCK_BYTES);
        return write(output->fd, lines.data, lines.length);
    case OUTPUT_PIPE:
        return write_to_pipe(output, lines);
    case OUTPUT_STREAM:
        return send(output->fd, lines.data, lines.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUTPUT_SYSLOG:
        return write_to_syslog(output, lines);
    }
    return 0;
}

size_t log_output_write(struct log_output *output, struct slice lines)
{
    size_t written = 0;

    while (written < lines.length) {
        ssize_t count = write_some(output, slice_from_offset(lines, written));

        if (count > 0) {
            succeed(output);
            written += (size_t)count;
        } else if (count < 0 && errno == EINTR) {
            continue;
        } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) &&
                   output->kind != OUTPUT_FILE && output->fd >= 0) {
            wait_until_writable(output);
            break;
        } else {
            fail(output, count < 0 ? errno : ENOSPC);
            break;
        }
    }
    return written;
}
