/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stream asks of the kernel about its two sides: their addresses, and
 * whether the peer is still there. Nothing is taken from the owner's input; what
 * is read ahead inside TLS is put behind it.
 */
#include <assert.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

/* Asked for when somebody wants to know: most streams never are, and it is a system call. */
static void read_endpoint(int fd, int (*ask)(int, struct sockaddr *, socklen_t *),
                          struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof address;

    if (endpoint->port == 0 && ask(fd, (struct sockaddr *)&address, &length) == 0)
        (void)ip_endpoint_from_sockaddr((const struct sockaddr *)&address, endpoint);
}

static int ask_peer(int fd, struct sockaddr *address, socklen_t *length)
{
    return getpeername(fd, address, length);
}

static int ask_local(int fd, struct sockaddr *address, socklen_t *length)
{
    return getsockname(fd, address, length);
}

const struct ip_endpoint *stream_peer(struct stream *stream)
{
    read_endpoint(stream->fd, ask_peer, &stream->peer);
    return &stream->peer;
}

const struct ip_endpoint *stream_local(struct stream *stream)
{
    read_endpoint(stream->fd, ask_local, &stream->local);
    return &stream->local;
}

/* ---- Is the peer still there? */

/* Input that the kernel still has, as far as a farewell may stand at its end; the rest stays. */
#define MAX_PEEK_BYTES 4096

static bool ends_with(struct slice input, struct slice end)
{
    return input.length >= end.length
           && slice_has_prefix_nocase(slice_from_offset(input, input.length - end.length), end);
}

/* Has the peer closed its side, whatever is unread in front of that? */
static bool has_closed(const struct stream *stream, bool *is_reset)
{
    struct pollfd side = { .fd = stream->fd, .events = POLLRDHUP };

    *is_reset = false;
    if (stream->has_peer_closed)
        return true;
    if (poll(&side, 1, 0) <= 0)
        return false;
    *is_reset = (side.revents & POLLERR) != 0;
    return true;
}

/* The peer has closed: is `farewell` the last that it said, of what is unread? */
static bool has_said(const struct stream *stream, struct slice farewell)
{
    char peeked[MAX_PEEK_BYTES];
    ssize_t count = stream->tls == NULL ? recv(stream->fd, peeked, sizeof peeked,
                                               MSG_PEEK | MSG_DONTWAIT)
                                        : 0;

    if (count <= 0)
        return ends_with(stream_input(stream), farewell);
    return ends_with((struct slice){ peeked, (size_t)count }, farewell);
}

/*
 * Inside TLS, what the kernel has cannot be looked at, so it is read ahead, as much as a stream may
 * keep. Not into the loop's buffer: whoever asks may be about to read another stream's input there.
 */
static enum stream_io read_ahead(struct stream *stream)
{
    char bytes[MAX_PEEK_BYTES];
    size_t max_bytes = stream_is_room_scant(stream) ? STREAM_SCANT_READ_BYTES
                                                    : STREAM_MAX_INPUT_BYTES;
    struct stream_detail detail;
    enum stream_io result = STREAM_IO_OK;

    while (result == STREAM_IO_OK && stream->input_length < max_bytes) {
        size_t count;

        result = stream_tls_read(stream, bytes, sizeof bytes, &count, &detail);
        if (result == STREAM_IO_OK)
            stream_keep_more(stream, (struct slice){ bytes, count });
    }
    return result;
}

static bool has_left_tls(struct stream *stream, struct slice farewell)
{
    bool is_reset;

    switch (read_ahead(stream)) {
    case STREAM_IO_OK: /* there is more than it may keep */
        return has_closed(stream, &is_reset);
    case STREAM_IO_AGAIN:
        return false;
    case STREAM_IO_CLOSED:
        return !ends_with(stream_input(stream), farewell);
    case STREAM_IO_RESET:
    case STREAM_IO_TLS:
        break;
    }
    return true;
}

bool stream_has_peer_left(struct stream *stream, struct slice farewell)
{
    bool is_reset;

    assert(stream->is_paused || stream->state == STREAM_ENDED);
    if (stream->is_broken)
        return true;
    if (stream_tls_info(stream) != NULL && !stream->has_peer_closed)
        return has_left_tls(stream, farewell);
    return has_closed(stream, &is_reset) && (is_reset || !has_said(stream, farewell));
}
