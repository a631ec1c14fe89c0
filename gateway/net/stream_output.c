/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The output of a stream, and its last words. What was written in a turn is sent
 * at the end of the turn; only when the kernel takes no more are we told when it
 * does again.
 *
 * The end: all is sent; we close our side and read on until the peer closes its
 * own. To close at once would be answered by a reset where the peer is still
 * sending, and that takes our last reply out of its receive buffer on some
 * systems: it would never learn why.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "net/stream_internal.h"

#define MAX_PARTS 16

/* Behind every change; `before` is the memory that the output had. */
static void count_output(struct stream *stream, size_t before)
{
    struct loop_accounts *accounts = loop_accounts(stream->loop);

    if (stream->is_accepted)
        accounts->unsent_bytes = accounts->unsent_bytes - before + stream->output.capacity;
}

void stream_clear_output(struct stream *stream)
{
    size_t before = stream->output.capacity;

    output_clear(&stream->output);
    count_output(stream, before);
}

bool stream_is_clogged(const struct stream *stream)
{
    bool is_scant = stream->is_accepted
                    && loop_accounts(stream->loop)->unsent_bytes >= STREAM_MAX_UNSENT_BYTES;

    return stream->output.length > (is_scant ? STREAM_SCANT_OUTPUT_BYTES : STREAM_MAX_OUTPUT_BYTES);
}

void stream_write(struct stream *stream, struct slice bytes)
{
    size_t before = stream->output.capacity;

    if (stream->is_broken || bytes.length == 0)
        return;
    output_add(&stream->output, bytes);
    count_output(stream, before);
    if (!stream->is_blocked && stream->state != STREAM_CONNECTING)
        loop_defer_flush(stream->loop, &stream->flush);
}

size_t stream_pending_output(const struct stream *stream)
{
    return stream->output.length;
}

bool stream_can_write(const struct stream *stream)
{
    return !stream->is_broken;
}

/* The event for writing is made when it is wanted: most streams never need one. */
void stream_wait_writable(struct stream *stream)
{
    if (stream->writable != NULL)
        return;
    stream->writable = mem_new(sizeof(*stream->writable));
    event_assign(stream->writable, loop_base(stream->loop), stream->fd, EV_WRITE | EV_PERSIST,
                 stream_on_writable, stream);
    event_add(stream->writable, NULL);
}

void stream_stop_waiting_writable(struct stream *stream)
{
    stream->is_blocked = false;
    if (stream->writable == NULL)
        return;
    event_del(stream->writable);
    mem_free(stream->writable);
    stream->writable = NULL;
}

void stream_on_write_timeout(void *owner)
{
    struct stream *stream = owner;
    struct stream_detail detail;

    stream_detail_print(&detail, "the peer took none of %zu bytes for %u ms",
                        stream->output.length, (unsigned int)stream->write_timeout_ms);
    stream_fail(stream, STREAM_END_WRITE_TIMEOUT, detail.text);
}

static enum stream_io write_plain(struct stream *stream, size_t max_bytes, size_t *count,
                                  struct stream_detail *detail)
{
    struct iovec parts[MAX_PARTS];
    struct msghdr message = { .msg_iov = parts };
    ssize_t result;

    message.msg_iovlen = (size_t)output_gather(&stream->output, max_bytes, parts, MAX_PARTS);
    result = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    if (result >= 0) {
        *count = (size_t)result;
        return STREAM_IO_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return STREAM_IO_AGAIN;
    stream->error = errno;
    stream_detail_errno(detail, errno);
    return STREAM_IO_RESET;
}

static enum stream_io write_some(struct stream *stream, size_t *count, struct stream_detail *detail)
{
    if (stream->state == STREAM_SECURING)
        return write_plain(stream, stream->plain_bytes, count, detail);
    if (stream->tls != NULL)
        return stream_tls_write(stream, output_first(&stream->output), count, detail);
    return write_plain(stream, stream->output.length, count, detail);
}

static void note_progress(struct stream *stream, size_t count)
{
    size_t before = stream->output.capacity;

    output_drop(&stream->output, count);
    count_output(stream, before);
    if (stream->state == STREAM_SECURING)
        stream->plain_bytes -= count;
    if (loop_timer_is_set(&stream->write_timer))
        loop_timer_start(&stream->write_timer, stream->write_timeout_ms);
}

static void become_blocked(struct stream *stream)
{
    stream->is_blocked = true;
    if (stream->tls == NULL || !stream_tls_wants_input(stream))
        stream_wait_writable(stream);
    /* For such a TLS write; or little enough waits now for reading to go on. */
    stream_update_reading(stream);
    /* A stream of the loop's own has one time limit for everything. */
    if (stream->write_timeout_ms > 0 && stream->events != NULL
        && !loop_timer_is_set(&stream->write_timer))
        loop_timer_start(&stream->write_timer, stream->write_timeout_ms);
}

/*
 * The peer takes nothing any more. What it sent before may explain it, and is still to be read: a
 * backend's "421 closing", a client's QUIT. The error is told when reading has come to its end.
 */
static void write_failed(struct stream *stream, enum stream_io why, const char *detail)
{
    bool may_read_on = stream->state == STREAM_OPEN && stream->tls == NULL && !stream->is_paused
                       && stream->input_length < STREAM_MAX_INPUT_BYTES;

    if (!may_read_on) {
        stream_fail(stream, why == STREAM_IO_TLS ? STREAM_END_TLS_FAILED : STREAM_END_RESET,
                    detail);
        return;
    }
    stream->is_broken = true;
    stream_clear_output(stream);
    stream_stop_waiting_writable(stream);
    loop_timer_cancel(&stream->write_timer);
    stream_update_reading(stream);
}

/* All is sent: no more from our side, and what the peer may still say is thrown away. */
static void enter_lingering(struct stream *stream)
{
    if (stream->tls != NULL)
        stream_tls_shut_down(stream);
    stream->state = STREAM_LINGERING;
    if (stream->lingers && !stream->has_peer_closed
        && stream->dropped_bytes < STREAM_MAX_INPUT_BYTES && shutdown(stream->fd, SHUT_WR) == 0)
        stream_update_reading(stream);
    else
        stream_destroy(stream);
}

static void all_sent(struct stream *stream)
{
    loop_timer_cancel(&stream->write_timer);
    stream_stop_waiting_writable(stream);
    if (stream->state == STREAM_SECURING) {
        stream_tls_step(stream);
    } else if (stream->state == STREAM_FINISHING) {
        enter_lingering(stream);
    } else if (stream->state == STREAM_OPEN) {
        stream_update_reading(stream);
        (void)stream_call(stream, stream->events->on_drained);
    }
}

static size_t bytes_to_send(const struct stream *stream)
{
    return stream->state == STREAM_SECURING ? stream->plain_bytes : stream->output.length;
}

/* False when nothing more can be sent now: blocked, failed, perhaps gone. */
static bool send_all(struct stream *stream)
{
    while (bytes_to_send(stream) > 0) {
        size_t count = 0;
        struct stream_detail detail;
        enum stream_io result = write_some(stream, &count, &detail);

        if (result == STREAM_IO_AGAIN) {
            become_blocked(stream);
            return false;
        }
        if (result != STREAM_IO_OK) {
            write_failed(stream, result, detail.text);
            return false;
        }
        note_progress(stream, count);
    }
    return true;
}

void stream_flush(struct stream *stream)
{
    bool is_busy = stream->is_blocked || stream->is_broken || stream->state == STREAM_CONNECTING
                   || stream->state == STREAM_LINGERING;

    if (is_busy || (stream->state == STREAM_SECURING && stream_tls_has_begun(stream)))
        return;
    if (stream->state == STREAM_OPEN && stream->output.length == 0)
        stream_stop_waiting_writable(stream);
    else if (send_all(stream))
        all_sent(stream);
}

static void on_connected(struct stream *stream)
{
    int error = 0;
    socklen_t length = sizeof error;
    struct stream_detail detail;

    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0) {
        stream_detail_errno(&detail, error);
        stream_fail(stream, STREAM_END_RESET, detail.text);
        return;
    }
    stream->state = STREAM_OPEN;
    if (send_all(stream))
        all_sent(stream);
}

void stream_on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    (void)what;
    loop_enter_turn(stream->loop);
    if (stream->state == STREAM_CONNECTING) {
        on_connected(stream);
        return;
    }
    stream->is_blocked = false;
    if (stream->state == STREAM_SECURING && stream_tls_has_begun(stream)) {
        stream_tls_step(stream);
        return;
    }
    /* A read may have waited for this as well. */
    if (stream->state == STREAM_OPEN && stream->tls != NULL && stream_tls_has_more(stream))
        loop_defer_again(stream->loop, &stream->turn);
    stream_flush(stream);
}

void stream_discard(struct stream *stream)
{
    char *buffer = loop_shared_buffer(stream->loop);
    ssize_t result = recv(stream->fd, buffer, STREAM_MAX_READ_BYTES, 0);

    if (result > 0)
        stream->dropped_bytes += (size_t)result;
    else if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    else if (result < 0)
        stream->is_broken = true;
    else
        stream->has_peer_closed = true;
    /* While output is left, a peer that only closed its sending side may still want it. */
    if (stream->is_broken
        || (stream->state == STREAM_LINGERING
            && (stream->has_peer_closed || stream->dropped_bytes >= STREAM_MAX_INPUT_BYTES)))
        stream_destroy(stream);
}
