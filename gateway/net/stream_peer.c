/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stream asks of the kernel about its two sides: their addresses, and
 * whether the peer is still there. Nothing is read here, so nothing is taken from
 * the owner's input.
 */
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

bool stream_has_peer_left(struct stream *stream, struct slice farewell)
{
    bool is_reset;

    if (stream->state == STREAM_CONNECTING)
        return false;
    if (stream->is_broken)
        return true;
    if (stream->tls != NULL && stream->input_length == 0 && !stream->has_peer_closed) {
        bool has_left = stream_tls_has_peer_left(stream);

        /* What it looked at has left the kernel: nobody else would tell us of it. */
        if (!stream->is_paused && stream_tls_has_more(stream))
            loop_defer(stream->loop, &stream->turn);
        return has_left;
    }
    return has_closed(stream, &is_reset) && (is_reset || !has_said(stream, farewell));
}
