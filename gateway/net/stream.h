/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream: bytes in, bytes out on one connected socket, plain or TLS, with
 * deadlines and watermarks. It knows nothing of SMTP but the line.
 *
 * Input. The loop reads into a buffer that all streams share, at most 64 KiB a
 * turn; what the owner does not consume is kept in exact size, so an idle stream
 * holds no buffer, and all together keep little (STREAM_MAX_KEPT_BYTES). Reading
 * stops by itself while the owner has it paused, while STREAM_MAX_INPUT_BYTES lie
 * unconsumed, and while more than STREAM_MAX_OUTPUT_BYTES wait to be written:
 * back-pressure reaches the peer's TCP. (An owner that sends a large body and must
 * hear the peer meanwhile keeps less than that unsent, and goes on in on_drained.)
 *
 * Output. stream_write copies; everything written in one turn of the loop
 * leaves in one system call at its end (with TLS: one for each 16 KiB record).
 *
 * Calls back, always from the loop and never from inside a call of the owner:
 *   on_input    new bytes are in stream_input(); called once for each read. What
 *               it leaves unconsumed is offered again only with more bytes, or
 *               after stream_resume.
 *   on_drained  all that was written has been handed to the kernel; once for each
 *               time. Not while a handshake is under way: on_secured says more.
 *   on_secured  the TLS handshake is done.
 *   on_end      exactly once, and nothing after it: the peer closed, an error, a
 *               deadline. All input that was read before it has been offered. The
 *               socket is still open: the owner may still write if
 *               stream_can_write, may not expect more input, and frees the stream.
 * The owner may free or finish the stream in any of them.
 */
#ifndef POSTERN_NET_STREAM_H
#define POSTERN_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"

/* Unsent output above which a stream reads no more; what it may keep unconsumed. */
#define STREAM_MAX_OUTPUT_BYTES 65536
#define STREAM_MAX_INPUT_BYTES 65536
/*
 * What all streams of a loop keep unconsumed together. Past it each reads so little at a time that
 * the memory of all is bounded whatever the peers send.
 */
#define STREAM_MAX_KEPT_BYTES (8 * 1024 * 1024)
#define STREAM_SCANT_READ_BYTES 4096
#define STREAM_COSTLY_READ_BYTES 16384
/*
 * The memory of what all accepted streams of a loop have not sent yet. Past it each of them may
 * have no more than so little unsent. Streams to others are few, and their owner's to bound.
 */
#define STREAM_MAX_UNSENT_BYTES (8 * 1024 * 1024)
#define STREAM_SCANT_OUTPUT_BYTES 4096
/* Streams that a loop may have to finish. */
#define STREAM_MAX_FINISHING 128

/* Why a stream ended. `detail` is one short phrase for the log, never for a client. */
enum stream_end {
    STREAM_END_CLOSED,       /* the peer closed its side in order; see stream_can_write */
    STREAM_END_RESET,        /* not connected, reset, or another socket error; detail says which */
    STREAM_END_TLS_FAILED,   /* handshake or record error; detail has OpenSSL's words, or our own */
    STREAM_END_READ_TIMEOUT, /* the deadline set by stream_set_read_deadline passed */
    STREAM_END_WRITE_TIMEOUT,/* output made no progress for the write timeout */
};

struct stream_events {
    void (*on_input)(void *owner);
    void (*on_drained)(void *owner);                               /* may be NULL */
    void (*on_secured)(void *owner);                               /* may be NULL without TLS */
    void (*on_end)(void *owner, enum stream_end end, const char *detail);
};

struct stream;

/*
 * Takes the connected, non-blocking socket `take_fd` (closed by stream_free) and
 * has TCP_NODELAY from its listener. `events` is kept until the end of the stream. Reading begins
 * at once. on_end comes also when the peer shuts down only its sending side.
 */
struct stream *stream_new(struct loop *loop, int take_fd, const struct stream_events *events,
                          void *owner);
/*
 * Starts connecting first: on_drained says connected (and what was written meanwhile, sent), on_end
 * the failure. For a deadline use stream_set_read_deadline.
 */
struct stream *stream_connect(struct loop *loop, const struct ip_endpoint *to,
                              const struct stream_events *events, void *owner);
/*
 * Once it has ended: did our own system refuse, for want of a descriptor, a port or memory?
 * Then the failure says nothing of the peer.
 */
bool stream_has_local_failure(const struct stream *stream);
/* Closes the socket at once, unsent output is dropped; no callback comes any more. */
void stream_free(struct stream **stream);
/*
 * Hands the stream over to the loop: sends what is still unwritten (and a TLS
 * close), waits for the peer to close too, for at most `max_ms` in all, then closes
 * and frees. For a last reply. The handle is NULL afterwards and no callback comes.
 * Input is read and dropped meanwhile, up to 64 KiB, so that the kernel does not
 * answer it with a reset that would destroy our last reply. What was written
 * before a handshake is done cannot be sent any more and is dropped. While the
 * loop has STREAM_MAX_FINISHING of them, one more is closed as soon as its output
 * is out, or cannot go out at once: who leaves must not keep others from coming in.
 */
void stream_finish(struct stream **stream, uint64_t max_ms);
/*
 * The same for a peer that has said goodbye itself and sends no more: nothing is waited for once
 * the output is out, unless input is left unread.
 */
void stream_part(struct stream **stream, uint64_t max_ms);

/* ---- Input */
/* The unconsumed bytes, borrowed until stream_consume or the end of the owner's callback. */
struct slice stream_input(const struct stream *stream);
void stream_consume(struct stream *stream, size_t bytes);

enum stream_line {
    STREAM_LINE_FOUND,    /* *line has it, without its CRLF, consumed already */
    STREAM_LINE_PARTIAL,  /* no CRLF yet, below the limit */
    STREAM_LINE_TOO_LONG, /* more than `max_bytes` without CRLF; nothing consumed */
};
/*
 * Takes the next line off the input. CRLF is the only line end: a bare CR or LF
 * stays inside the line, where the caller finds it. The line is borrowed until
 * the next call for input on this stream or the end of the owner's callback.
 * `max_bytes` counts the line without its CRLF; no more than that is searched.
 */
enum stream_line stream_take_line(struct stream *stream, size_t max_bytes, struct slice *line);

/*
 * No on_input until stream_resume, which offers what is left in the input again,
 * later. Without a pause before it, it does the same: so an owner that has done
 * its share for this turn calls it and returns.
 */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
bool stream_is_paused(const struct stream *stream);
/*
 * From now on no more is read at a time than STREAM_COSTLY_READ_BYTES, or as much as always: for an
 * owner whose work on each byte is such that others would wait for long.
 */
void stream_set_costly(struct stream *stream, bool is_costly);
/*
 * Asks the kernel whether the peer has reset the connection, or has closed it without `farewell` as
 * the last of its input that is still unread (in any case): who sent QUIT and closed has not left.
 * For a paused stream only, to which on_end does not come.
 */
bool stream_has_peer_left(struct stream *stream, struct slice farewell);

/* ---- Output */
void stream_write(struct stream *stream, struct slice bytes);
/* Bytes that the kernel has not taken yet. */
size_t stream_pending_output(const struct stream *stream);
/*
 * More than it may have at a time waits to be sent. Nothing is read until less does; who has still
 * to work on what was read should wait for on_drained.
 */
bool stream_is_clogged(const struct stream *stream);
/* False once the peer has gone for good (reset, or a write failed). */
bool stream_can_write(const struct stream *stream);

/* ---- Deadlines. 0 ms takes one away. */
/*
 * on_end(READ_TIMEOUT) unless set again before; reading does not move it by itself, and it passes
 * for a paused stream too.
 */
void stream_set_read_deadline(struct stream *stream, uint64_t ms);
/* on_end(WRITE_TIMEOUT) when unwritten output makes no progress for so long. Default 60 s. */
void stream_set_write_timeout(struct stream *stream, uint64_t ms);

/* ---- TLS */
/*
 * Starts the server side of a handshake. Refused (false) while input is left:
 * plaintext behind STARTTLS is an attack and the owner must end the session.
 * Bytes still on their way are read as TLS and nothing else. Output written
 * before (the 220) is sent in plain first, output written after it waits for
 * the handshake. on_secured follows, or on_end. A pause ends.
 */
bool stream_accept_tls(struct stream *stream, struct tls_server *server)
    __attribute__((warn_unused_result));
/*
 * The client side, likewise; `client` says what is verified; `name` (a domain, or an IP address as
 * text, which is verified but not sent) is for SNI and verification, NULL for none. Also false when
 * a name must be verified and there is none.
 */
bool stream_connect_tls(struct stream *stream, struct tls_client *client, const char *name)
    __attribute__((warn_unused_result));
/* NULL until on_secured. Borrowed until the stream is freed. */
const struct tls_info *stream_tls_info(const struct stream *stream);

/*
 * The other side and our side of the socket, asked for at the first call. All zero when it has none
 * (a socketpair) and, for our side, while it is not connected. Borrowed from the stream.
 */
const struct ip_endpoint *stream_peer(struct stream *stream);
const struct ip_endpoint *stream_local(struct stream *stream);

#endif
