/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life, the input and the deadlines of a stream; see stream.h. Output and
 * last words are in stream_output.c, TLS is in stream_tls.c, and what is asked of
 * the kernel about the other side in stream_peer.c.
 *
 * Why raw events and an own read loop, not bufferevents: those cost seven system
 * calls per reply where this makes three, and 700 bytes more per connection.
 *
 * Readiness is level-triggered and switched off late: a pause only sets a flag,
 * and the event is taken out when it next fires. So the usual pause and resume
 * around one command cost no system call.
 */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "net/stream_internal.h"

#define DEFAULT_WRITE_TIMEOUT_MS 60000

/* ---- Words for the log. */

void stream_detail_print(struct stream_detail *detail, const char *format, ...)
{
    struct text text;
    va_list arguments;

    text_init(&text, sizeof detail->text - 1);
    va_start(arguments, format);
    text_add_format_list(&text, format, arguments);
    va_end(arguments);
    memcpy(detail->text, text_string(&text), text.length + 1);
    text_clear(&text);
}

void stream_detail_errno(struct stream_detail *detail, int error)
{
    stream_detail_print(detail, "%s", strerror(error));
    detail->text[0] = ascii_lower(detail->text[0]);
}

/* ---- Calling back. */

/* Behind every callback: false when the owner gave up the stream in it. */
static bool leave_call(struct stream *stream)
{
    stream->is_calling = false;
    if (stream->is_gone) {
        mem_free(stream);
        return false;
    }
    return stream->events != NULL;
}

bool stream_call(struct stream *stream, void (*callback)(void *owner))
{
    if (callback == NULL)
        return true;
    stream->is_calling = true;
    callback(stream->owner);
    return leave_call(stream);
}

static void stop_reading(struct stream *stream)
{
    if (stream->is_reading)
        event_del(&stream->readable);
    stream->is_reading = false;
}

void stream_fail(struct stream *stream, enum stream_end end, const char *detail)
{
    bool can_still_write = stream->state == STREAM_OPEN
                           && (end == STREAM_END_CLOSED || end == STREAM_END_READ_TIMEOUT);

    if (stream->events == NULL) {
        stream_destroy(stream);
        return;
    }
    if (!can_still_write) {
        stream->is_broken = true;
        stream_clear_output(stream);
        stream_stop_waiting_writable(stream);
        loop_timer_cancel(&stream->write_timer);
    }
    if (stream->state == STREAM_ENDED)
        return;
    stream->state = STREAM_ENDED;
    stop_reading(stream);
    loop_timer_cancel(&stream->read_timer);
    loop_task_cancel(&stream->turn);
    stream->is_calling = true;
    stream->events->on_end(stream->owner, end, detail);
    (void)leave_call(stream);
}

/* ---- Input. */

static bool wants_input(const struct stream *stream)
{
    switch (stream->state) {
    case STREAM_OPEN:
        return (stream->tls != NULL && stream_tls_wants_input(stream))
               || (!stream->is_paused && !stream_is_clogged(stream)
                   && stream->input_length < STREAM_MAX_INPUT_BYTES);
    case STREAM_SECURING:
        return stream_tls_wants_input(stream);
    case STREAM_FINISHING:
    case STREAM_LINGERING:
        return !stream->has_peer_closed && stream->dropped_bytes < STREAM_MAX_INPUT_BYTES;
    case STREAM_CONNECTING:
    case STREAM_ENDED:
        return false;
    }
    return false;
}

void stream_update_reading(struct stream *stream)
{
    if (stream->is_reading || !wants_input(stream))
        return;
    event_add(&stream->readable, NULL);
    stream->is_reading = true;
}

bool stream_is_room_scant(const struct stream *stream)
{
    return loop_accounts(stream->loop)->kept_bytes >= STREAM_MAX_KEPT_BYTES;
}

/* `take_kept` may be what was kept before, in another size. */
static void set_kept(struct stream *stream, char *take_kept, size_t bytes)
{
    struct loop_accounts *accounts = loop_accounts(stream->loop);

    accounts->kept_bytes = accounts->kept_bytes - stream->kept_bytes + bytes;
    stream->kept = take_kept;
    stream->kept_bytes = bytes;
}

void stream_drop_input(struct stream *stream)
{
    mem_free(stream->kept);
    set_kept(stream, NULL, 0);
    stream->input = NULL;
    stream->input_length = 0;
}

void stream_keep_more(struct stream *stream, struct slice bytes)
{
    size_t length = stream->input_length + bytes.length;
    char *kept = mem_resize(NULL, length, 1);

    if (stream->input_length > 0)
        memcpy(kept, stream->input, stream->input_length);
    memcpy(kept + stream->input_length, bytes.data, bytes.length);
    mem_free(stream->kept);
    set_kept(stream, kept, length);
    stream->input = kept;
    stream->input_length = length;
}

/* Moves what is left in the shared buffer to memory of the stream's own, in exact size. */
static void keep_input(struct stream *stream)
{
    if (stream->kept != NULL) /* more was read ahead while it was offered */
        return;
    if (stream->input_length == 0) {
        stream->input = NULL;
        return;
    }
    set_kept(stream, mem_resize(NULL, stream->input_length, 1), stream->input_length);
    memcpy(stream->kept, stream->input, stream->input_length);
    stream->input = stream->kept;
}

/* Kept input of which at least half was consumed gives back what it needs no more. */
static void trim_input(struct stream *stream)
{
    if (stream->kept == NULL || stream->input_length > stream->kept_bytes / 2)
        return;
    if (stream->input_length == 0) {
        stream_drop_input(stream);
        return;
    }
    memmove(stream->kept, stream->input, stream->input_length);
    set_kept(stream, mem_resize(stream->kept, stream->input_length, 1), stream->input_length);
    stream->input = stream->kept;
}

static enum stream_io read_plain(struct stream *stream, char *buffer, size_t max_bytes,
                                 size_t *count, struct stream_detail *detail)
{
    ssize_t result = recv(stream->fd, buffer, max_bytes, 0);

    if (result > 0) {
        *count = (size_t)result;
        return STREAM_IO_OK;
    }
    if (result == 0)
        return STREAM_IO_CLOSED;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return STREAM_IO_AGAIN;
    stream_detail_errno(detail, errno);
    return STREAM_IO_RESET;
}

/* The end of input. What a failed write said before it is the better reason. */
static void end_of_input(struct stream *stream, enum stream_io why, struct stream_detail *detail)
{
    stream->has_peer_closed = true;
    if (stream->is_broken && why != STREAM_IO_TLS) {
        stream_detail_errno(detail, stream->error);
        why = STREAM_IO_RESET;
    }
    if (why == STREAM_IO_CLOSED)
        stream_fail(stream, STREAM_END_CLOSED, "the peer closed the connection");
    else if (why == STREAM_IO_RESET)
        stream_fail(stream, STREAM_END_RESET, detail->text);
    else
        stream_fail(stream, STREAM_END_TLS_FAILED, detail->text);
}

/*
 * One read. What was kept goes in front of it in the shared buffer: the owner sees one run of
 * bytes, and of a partial line that an attacker drips byte by byte no more is copied than it may
 * be long.
 */
static void read_input(struct stream *stream)
{
    char *buffer = loop_shared_buffer(stream->loop);
    size_t before = stream->input_length;
    size_t max_bytes = stream_is_room_scant(stream) ? STREAM_SCANT_READ_BYTES
                       : stream->is_costly          ? STREAM_COSTLY_READ_BYTES
                                                    : STREAM_MAX_READ_BYTES;
    size_t count = 0;
    struct stream_detail detail;
    enum stream_io result;

    if (stream->tls != NULL)
        result = stream_tls_read(stream, buffer + before, max_bytes, &count, &detail);
    else
        result = read_plain(stream, buffer + before, max_bytes, &count, &detail);
    if (result == STREAM_IO_AGAIN)
        return;
    if (result != STREAM_IO_OK) {
        end_of_input(stream, result, &detail);
        return;
    }
    if (before > 0)
        memcpy(buffer, stream->input, before);
    stream_drop_input(stream);
    stream->input = buffer;
    stream->input_length = before + count;
    stream->wants_offer = false;
    if (!stream_call(stream, stream->events->on_input))
        return;
    keep_input(stream);
    if (stream->tls != NULL && stream_tls_has_more(stream))
        loop_defer_again(stream->loop, &stream->turn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    (void)what;
    loop_enter_turn(stream->loop);
    if (stream->tls != NULL && stream_tls_take_write_retry(stream)) {
        stream->is_blocked = false;
        loop_defer_flush(stream->loop, &stream->flush);
    }
    if (!wants_input(stream))
        stop_reading(stream);
    else if (stream->wants_offer && !stream->is_paused)
        return; /* what is kept is offered at the end of this turn; no end may overtake it */
    else if (stream->state == STREAM_OPEN)
        read_input(stream);
    else if (stream->state == STREAM_SECURING)
        stream_tls_step(stream);
    else
        stream_discard(stream);
}

/* What the owner's calls asked for, done when no call of his is on the stack. */
static void on_turn(void *owner)
{
    struct stream *stream = owner;

    if (stream->events == NULL) {
        stream_destroy(stream); /* the loop ends */
        return;
    }
    /* A connect that failed at once; a write that failed, and then the owner paused the reading. */
    if (stream->error != 0
        && (stream->state == STREAM_CONNECTING || (stream->is_broken && stream->is_paused))) {
        struct stream_detail detail;

        stream_detail_errno(&detail, stream->error);
        stream_fail(stream, STREAM_END_RESET, detail.text);
        return;
    }
    if (stream->wants_offer && stream->state == STREAM_OPEN && !stream->is_paused
        && stream->input_length > 0) {
        stream->wants_offer = false;
        if (!stream_call(stream, stream->events->on_input))
            return;
    }
    trim_input(stream);
    /* Consuming has asked for just this; who asked for more says so in one of these. */
    if (!stream->wants_offer && !stream->is_broken)
        loop_task_cancel(&stream->turn);
    if (stream->state == STREAM_OPEN && stream->tls != NULL && stream_tls_has_more(stream)
        && wants_input(stream))
        read_input(stream);
    else
        stream_update_reading(stream);
}

struct slice stream_input(const struct stream *stream)
{
    return (struct slice){ stream->input, stream->input_length };
}

void stream_consume(struct stream *stream, size_t bytes)
{
    assert(bytes <= stream->input_length);
    stream->input += bytes;
    stream->input_length -= bytes;
    /*
     * The bytes may still be borrowed, as a line that was taken: so they go at the end of the turn.
     * And a full input that kept us from reading is not full any more.
     */
    if (stream->kept != NULL
        && (stream->input_length <= stream->kept_bytes / 2 || !stream->is_reading))
        loop_defer_again(stream->loop, &stream->turn);
}

enum stream_line stream_take_line(struct stream *stream, size_t max_bytes, struct slice *line)
{
    struct slice rest = slice_until(stream_input(stream), max_bytes + 2);
    size_t searched = 0;
    size_t position;

    while (slice_find_byte(slice_from_offset(rest, searched), '\n', &position)) {
        position += searched;
        if (position > 0 && rest.data[position - 1] == '\r') {
            *line = slice_until(rest, position - 1);
            stream_consume(stream, position + 1);
            return STREAM_LINE_FOUND;
        }
        searched = position + 1;
    }
    /* One byte over the limit may be the CR of a line that just fits. */
    if (rest.length <= max_bytes
        || (rest.length == max_bytes + 1 && rest.data[max_bytes] == '\r'))
        return STREAM_LINE_PARTIAL;
    return STREAM_LINE_TOO_LONG;
}

void stream_pause(struct stream *stream)
{
    stream->is_paused = true;
    /* A write has failed, and now nobody will read up to the end: it is to be told without. */
    if (stream->is_broken && stream->state == STREAM_OPEN)
        loop_defer_again(stream->loop, &stream->turn);
}

void stream_resume(struct stream *stream)
{
    if (stream->state == STREAM_ENDED)
        return;
    stream->is_paused = false;
    stream->wants_offer = stream->input_length > 0;
    if (stream->wants_offer || (stream->tls != NULL && stream_tls_has_more(stream)))
        loop_defer_again(stream->loop, &stream->turn);
    stream_update_reading(stream);
}

void stream_set_costly(struct stream *stream, bool is_costly)
{
    stream->is_costly = is_costly;
}

bool stream_is_paused(const struct stream *stream)
{
    return stream->is_paused;
}

/* ---- Deadlines. */

static void on_read_due(void *owner)
{
    /* For a stream of the loop's own this is the end of its time. */
    stream_fail(owner, STREAM_END_READ_TIMEOUT, "the deadline for input passed");
}

void stream_set_read_deadline(struct stream *stream, uint64_t ms)
{
    if (ms == 0)
        loop_timer_cancel(&stream->read_timer);
    else if (stream->state != STREAM_ENDED)
        loop_timer_start(&stream->read_timer, ms);
}

void stream_set_write_timeout(struct stream *stream, uint64_t ms)
{
    stream->write_timeout_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
    if (ms == 0)
        loop_timer_cancel(&stream->write_timer);
    else if (loop_timer_is_set(&stream->write_timer))
        loop_timer_start(&stream->write_timer, ms);
}

/* ---- Beginning and end. */

static void run_flush(void *owner)
{
    stream_flush(owner);
}

static struct stream *make(struct loop *loop, int take_fd, enum stream_state state,
                           const struct stream_events *events, void *owner)
{
    struct stream *stream = mem_new(sizeof *stream);

    stream->loop = loop;
    stream->fd = take_fd;
    stream->state = state;
    stream->events = events;
    stream->owner = owner;
    stream->write_timeout_ms = DEFAULT_WRITE_TIMEOUT_MS;
    output_init(&stream->output);
    loop_task_init(&stream->turn, on_turn, stream);
    loop_task_init(&stream->flush, run_flush, stream);
    loop_timer_init(&stream->read_timer, loop, on_read_due, stream);
    loop_timer_init(&stream->write_timer, loop, stream_on_write_timeout, stream);
    if (take_fd >= 0)
        event_assign(&stream->readable, loop_base(loop), take_fd, EV_READ | EV_PERSIST, on_readable,
                     stream);
    return stream;
}

struct stream *stream_new(struct loop *loop, int take_fd, const struct stream_events *events,
                          void *owner)
{
    struct stream *stream = make(loop, take_fd, STREAM_OPEN, events, owner);

    stream->is_accepted = true;
    stream_update_reading(stream);
    return stream;
}

struct stream *stream_connect(struct loop *loop, const struct ip_endpoint *to,
                              const struct stream_events *events, void *owner)
{
    struct sockaddr_storage address;
    socklen_t length = ip_endpoint_to_sockaddr(to, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : 0;
    struct stream *stream = make(loop, fd, STREAM_CONNECTING, events, owner);

    stream->peer = *to;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, length) != 0)
        error = errno;
    if (error == 0 || error == EINPROGRESS) {
        stream_wait_writable(stream);
        return stream;
    }
    stream->error = error;
    loop_defer_again(loop, &stream->turn);
    return stream;
}

bool stream_has_local_failure(const struct stream *stream)
{
    static const int errors[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (stream->error == errors[i])
            return true;
    return false;
}

/* No callback of the owner's comes from now on. */
static void part_from_owner(struct stream *stream)
{
    stream->events = NULL;
    loop_task_cancel(&stream->turn);
    stream_drop_input(stream);
}

void stream_destroy(struct stream *stream)
{
    part_from_owner(stream);
    if (stream->state == STREAM_FINISHING || stream->state == STREAM_LINGERING)
        loop_accounts(stream->loop)->finishing_count--;
    loop_task_cancel(&stream->flush);
    loop_timer_cancel(&stream->read_timer);
    loop_timer_cancel(&stream->write_timer);
    stop_reading(stream);
    stream_stop_waiting_writable(stream);
    if (stream->tls != NULL) {
        stream_tls_shut_down(stream);
        stream_tls_free(stream);
    }
    if (stream->fd >= 0)
        close(stream->fd);
    stream_clear_output(stream);
    stream->is_gone = true;
    if (!stream->is_calling)
        mem_free(stream);
}

void stream_free(struct stream **handle)
{
    struct stream *stream = *handle;

    *handle = NULL;
    if (stream != NULL)
        stream_destroy(stream);
}

static void finish(struct stream **handle, uint64_t max_ms, bool lingers)
{
    struct stream *stream = *handle;
    struct loop_accounts *accounts;
    bool is_ready;

    *handle = NULL;
    if (stream == NULL)
        return;
    accounts = loop_accounts(stream->loop);
    is_ready = stream->state == STREAM_OPEN || stream->state == STREAM_ENDED;
    if (!is_ready || stream->is_broken) {
        stream_destroy(stream);
        return;
    }
    part_from_owner(stream);
    if (accounts->finishing_count >= STREAM_MAX_FINISHING) {
        lingers = false;
        max_ms = 1;
    }
    accounts->finishing_count++;
    stream->state = STREAM_FINISHING;
    stream->lingers = lingers;
    loop_run_at_end(stream->loop, &stream->turn);
    loop_timer_start(&stream->read_timer, max_ms);
    loop_timer_cancel(&stream->write_timer);
    stream_update_reading(stream);
    loop_defer_flush(stream->loop, &stream->flush);
}

void stream_finish(struct stream **handle, uint64_t max_ms)
{
    finish(handle, max_ms, true);
}

void stream_part(struct stream **handle, uint64_t max_ms)
{
    finish(handle, max_ms, *handle != NULL && (*handle)->input_length > 0);
}
