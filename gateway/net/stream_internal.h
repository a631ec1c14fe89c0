/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a stream, for stream.c (life, input, deadlines), stream_output.c
 * (output, last words) and stream_tls.c (the TLS transport).
 */
#ifndef POSTERN_NET_STREAM_INTERNAL_H
#define POSTERN_NET_STREAM_INTERNAL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "net/loop_internal.h"
#include "net/output.h"
#include "net/stream.h"

#define STREAM_MAX_READ_BYTES 65536
_Static_assert(STREAM_MAX_INPUT_BYTES + STREAM_MAX_READ_BYTES <= LOOP_SHARED_BUFFER_BYTES,
               "the shared buffer must hold the input kept and one read more");

struct stream_tls;

enum stream_state {
    STREAM_CONNECTING, /* connect(2) is under way; ends when the socket can be written */
    STREAM_OPEN,       /* bytes flow, plain or TLS */
    STREAM_SECURING,   /* plain output goes out, then the handshake; ends with it */
    STREAM_ENDED,      /* on_end was called; output still goes out; the owner frees it */
    STREAM_FINISHING,  /* the loop's own: sends the last output */
    STREAM_LINGERING,  /* the loop's own: all sent; waits for the peer to close, or for its time */
};

struct stream {
    /* Identity. */
    int fd;                             /* -1 when there never was a socket */
    struct ip_endpoint peer;
    struct ip_endpoint local;
    /* Lent. */
    struct loop *loop;
    const struct stream_events *events; /* NULL once the stream is the loop's own */
    void *owner;
    /* State. */
    enum stream_state state;
    bool is_accepted : 1;      /* of a peer that anybody can be: its output is counted */
    bool is_paused : 1;        /* by the owner */
    bool is_costly : 1;        /* the owner wants less at a time */
    bool is_reading : 1;       /* `readable` is set */
    bool is_blocked : 1;       /* the kernel takes no more output; `writable` is set */
    bool is_broken : 1;        /* nothing can be written any more */
    bool has_peer_closed : 1;  /* the end of input was read */
    bool lingers : 1;           /* FINISHING: what the peer still says is read and dropped */
    bool wants_offer : 1;      /* on_input with what is left, when `turn` runs */
    bool is_calling : 1;       /* a callback runs: whoever called it frees the memory */
    bool is_gone : 1;          /* destroyed in a callback; only the memory is left */
    struct event readable;
    struct event *writable;    /* owned; NULL while nothing waits for it */
    struct loop_task turn;     /* what the owner's calls left for later; loop_free's in the end */
    struct loop_task flush;
    struct loop_timer read_timer;  /* the owner's deadline; later the time for finishing */
    struct loop_timer write_timer; /* set while output is blocked */
    uint32_t write_timeout_ms;     /* 0 for none */
    int error;                     /* errno of a failed write, or of a connect that failed at once:
                                      told when the input ends, or by `turn` */
    /* Input. */
    char *kept;          /* owned; NULL when nothing is kept */
    size_t kept_bytes;   /* size of `kept`; counted in the loop's accounts */
    const char *input;   /* the unconsumed bytes: in `kept` or in the loop's shared buffer */
    size_t input_length;
    size_t dropped_bytes;   /* input thrown away while finishing */
    /* Output. */
    struct output output;
    size_t plain_bytes;     /* STREAM_SECURING: of the output, sent before the handshake */
    /* TLS. */
    struct stream_tls *tls; /* owned; NULL while plain */
};

/* What an idle plain stream costs, with the loop's own 100 bytes or so for its descriptor. */
_Static_assert(sizeof(struct stream) <= 592, "an idle stream must stay far below 1 KiB");

/* What one attempt to read or write came to. */
enum stream_io {
    STREAM_IO_OK,      /* some bytes moved */
    STREAM_IO_AGAIN,   /* none now */
    STREAM_IO_CLOSED,  /* reading: the peer closed in order */
    STREAM_IO_RESET,   /* detail says what */
    STREAM_IO_TLS,     /* detail says what */
};

#define STREAM_DETAIL_BYTES 160
/* Room for one detail, NUL-terminated. */
struct stream_detail {
    char text[STREAM_DETAIL_BYTES];
};
void stream_detail_print(struct stream_detail *detail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "connection reset by peer". */
void stream_detail_errno(struct stream_detail *detail, int error);

/* ---- stream.c */
/* The stream can do no more: tells the owner, or ends it when it is the loop's own. */
void stream_fail(struct stream *stream, enum stream_end end, const char *detail);
/* Has the loop tell when there is input, if it is wanted now. */
void stream_update_reading(struct stream *stream);
/* Calls the owner back; false when it gave up the stream meanwhile. */
bool stream_call(struct stream *stream, void (*callback)(void *owner));
void stream_destroy(struct stream *stream);
/* Puts bytes behind the unconsumed input, which then is kept. */
void stream_keep_more(struct stream *stream, struct slice bytes);
/* The streams of this loop keep so much together that each may read only a little. */
bool stream_is_room_scant(const struct stream *stream);
/* Drops all unconsumed input. */
void stream_drop_input(struct stream *stream);

/* ---- stream_output.c */
/* Drops what is not sent yet. */
void stream_clear_output(struct stream *stream);
/* Sends what can be sent. From the loop only. */
void stream_flush(struct stream *stream);
void stream_wait_writable(struct stream *stream);
void stream_stop_waiting_writable(struct stream *stream);
void stream_on_write_timeout(void *owner);
/* Reads and drops, for a stream of the loop's own. */
void stream_discard(struct stream *stream);
/* Called when the socket can be written again, or is connected. */
void stream_on_writable(evutil_socket_t fd, short what, void *arg);

/* ---- stream_tls.c */
/* The handshake's next step; the first one sends or awaits the ClientHello. */
void stream_tls_step(struct stream *stream);
/* True once the handshake has begun. */
bool stream_tls_has_begun(const struct stream *stream);
bool stream_tls_wants_input(const struct stream *stream);
/* At most `max_bytes` into `buffer`. */
enum stream_io stream_tls_read(struct stream *stream, char *buffer, size_t max_bytes, size_t *count,
                               struct stream_detail *detail);
/* True when there may be something to read of which the kernel does not know. */
bool stream_tls_has_more(const struct stream *stream);
enum stream_io stream_tls_write(struct stream *stream, struct slice bytes, size_t *count,
                                struct stream_detail *detail);
/* Input arrived that an earlier write waits for: true, once. */
bool stream_tls_take_write_retry(struct stream *stream);
/* Tells the peer that no more comes; as far as the kernel takes it at once. */
void stream_tls_shut_down(struct stream *stream);
void stream_tls_free(struct stream *stream);

#endif
