/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS on a stream: SSL_read and SSL_write directly on the socket. OpenSSL reads
 * ahead as much as its buffer takes, so a record costs one system call; what it
 * holds then is unknown to the kernel, and stream_tls_has_more says so.
 *
 * Reading may want to write and writing may want to read (key updates, tickets
 * cut in half by TCP); each is remembered here and retried when it can go on.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/socket.h>

#include "base/escape.h"
#include "base/memory.h"
#include "net/stream_internal.h"
#include "net/tls_internal.h"

/* Record types (RFC 8446 5.1) with which a TLS peer may begin. */
#define RECORD_ALERT 21
#define RECORD_HANDSHAKE 22

struct stream_tls {
    /* Lent by reference: exactly one of them. */
    struct tls_server *server;
    struct tls_client *client;
    /* State. */
    SSL *ssl;                /* owned */
    bool has_begun;          /* the handshake */
    bool has_seen_input;     /* the peer's first bytes were looked at */
    bool is_secured;         /* the handshake is done */
    bool is_dead;            /* after a fatal error OpenSSL must not be called any more */
    bool is_shut;            /* our close was sent */
    bool wants_input;        /* the handshake, or a write, waits for input */
    bool read_wants_output;
    enum stream_io failure;  /* told again by every later read */
    char *failure_detail;    /* owned; NULL while there is no failure */
    /* Result. */
    struct tls_info info;
};

static bool begin(struct stream *stream, SSL *ssl, struct tls_server *server,
                  struct tls_client *client)
{
    struct stream_tls *tls = mem_new(sizeof *tls);

    tls->ssl = ssl;
    tls->server = server;
    tls->client = client;
    SSL_set_fd(ssl, stream->fd);
    stream->tls = tls;
    stream->state = STREAM_SECURING;
    stream->is_paused = false;
    stream->plain_bytes = stream->output.length;
    if (!stream->is_blocked)
        loop_defer_flush(stream->loop, &stream->flush);
    return true;
}

/* Plain, connected, and with nothing read that a handshake would leave behind. */
static bool can_begin(const struct stream *stream)
{
    return stream->state == STREAM_OPEN && stream->tls == NULL && !stream->is_broken
           && stream->input_length == 0;
}

bool stream_accept_tls(struct stream *stream, struct tls_server *server)
{
    if (!can_begin(stream))
        return false;
    return begin(stream, tls_server_open(server), server, NULL);
}

bool stream_connect_tls(struct stream *stream, struct tls_client *client, const char *name)
{
    SSL *ssl;

    if (!can_begin(stream))
        return false;
    ssl = tls_client_open(client, name);
    return ssl != NULL && begin(stream, ssl, NULL, client);
}

void stream_tls_free(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;

    stream->tls = NULL;
    SSL_free(tls->ssl);
    if (tls->server != NULL)
        tls_server_unref(tls->server);
    if (tls->client != NULL)
        tls_client_unref(tls->client);
    mem_free(tls->failure_detail);
    mem_free(tls);
}

void stream_tls_shut_down(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;

    if (!tls->is_secured || tls->is_dead || tls->is_shut)
        return;
    tls->is_shut = true;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
}

const struct tls_info *stream_tls_info(const struct stream *stream)
{
    return stream->tls != NULL && stream->tls->is_secured ? &stream->tls->info : NULL;
}

bool stream_tls_has_begun(const struct stream *stream)
{
    return stream->tls->has_begun;
}

bool stream_tls_wants_input(const struct stream *stream)
{
    return stream->tls->wants_input;
}

bool stream_tls_take_write_retry(struct stream *stream)
{
    bool wanted = stream->tls->is_secured && stream->tls->wants_input;

    if (wanted)
        stream->tls->wants_input = false;
    return wanted;
}

/* ---- What went wrong. */

/* OpenSSL's error after a call; its connection is of no more use. */
static enum stream_io explain_failure(struct stream *stream, int ssl_error, int system_error,
                                      struct stream_detail *detail)
{
    struct stream_tls *tls = stream->tls;
    long verdict = SSL_get_verify_result(tls->ssl);
    bool is_alert = ERR_GET_REASON(ERR_peek_error()) >= SSL_AD_REASON_OFFSET;
    const char *words = tls_error_text();

    tls->is_dead = true;
    stream->error = EPROTO;
    if (ssl_error == SSL_ERROR_SYSCALL && system_error != 0) {
        stream->error = system_error;
        stream_detail_errno(detail, system_error);
        return STREAM_IO_RESET;
    }
    if (ssl_error != SSL_ERROR_SSL || words == NULL)
        stream_detail_print(detail, "the peer closed the connection without a TLS close");
    else if (!tls->is_secured && tls->client != NULL && verdict != X509_V_OK
             && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE)
        stream_detail_print(detail, "certificate not accepted: %s",
                            X509_verify_cert_error_string(verdict));
    else
        stream_detail_print(detail, "%s%s", is_alert ? "the peer refused: " : "", words);
    return STREAM_IO_TLS;
}

/*
 * Looks at the peer's first bytes, which it leaves where they are: what is no TLS at all is worth
 * a clear word in the log, and not OpenSSL's time. False when the stream has failed by it.
 */
static bool check_first_bytes(struct stream *stream)
{
    unsigned char bytes[8];
    ssize_t count = recv(stream->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    struct stream_detail detail;
    struct text shown;

    /* Errors and the end are OpenSSL's to find; also an old client's hello in SSLv2 form. */
    if (count <= 0 || bytes[0] == RECORD_HANDSHAKE || bytes[0] == RECORD_ALERT
        || (bytes[0] & 0x80) != 0) {
        stream->tls->has_seen_input = count > 0;
        return true;
    }
    text_init(&shown, sizeof detail.text);
    escape_add_ascii(&shown, (struct slice){ (const char *)bytes, (size_t)count });
    stream_detail_print(&detail, "the peer speaks no TLS: first bytes '%s'", text_string(&shown));
    text_clear(&shown);
    stream->tls->is_dead = true;
    stream_fail(stream, STREAM_END_TLS_FAILED, detail.text);
    return false;
}

/* ---- The handshake. */

static void fill_info(struct stream_tls *tls)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    struct tls_info *info = &tls->info;

    info->version = SSL_get_version(tls->ssl);
    info->cipher = SSL_CIPHER_get_name(cipher);
    info->bits = SSL_CIPHER_get_bits(cipher, NULL);
    info->is_resumed = SSL_session_reused(tls->ssl) == 1;
    info->is_verified = SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE
                        && SSL_get_verify_result(tls->ssl) == X509_V_OK;
    if (name != NULL && strlen(name) < sizeof info->server_name)
        memcpy(info->server_name, name, strlen(name) + 1);
}

static void become_secured(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;

    tls->is_secured = true;
    tls->wants_input = false;
    fill_info(tls);
    stream->state = STREAM_OPEN;
    stream_stop_waiting_writable(stream);
    stream_update_reading(stream);
    if (stream->output.length > 0)
        loop_defer_flush(stream->loop, &stream->flush);
    if (stream_call(stream, stream->events->on_secured) && stream_tls_has_more(stream))
        loop_defer_again(stream->loop, &stream->turn);
}

static void handshake_failed(struct stream *stream, int ssl_error, int system_error)
{
    bool is_closed = ssl_error == SSL_ERROR_ZERO_RETURN
                     || (ssl_error == SSL_ERROR_SYSCALL && system_error == 0);
    struct stream_detail detail;

    if (is_closed) {
        stream->tls->is_dead = true;
        stream_detail_print(&detail, "the peer closed the connection during the handshake");
    } else {
        (void)explain_failure(stream, ssl_error, system_error, &detail);
    }
    stream_fail(stream, STREAM_END_TLS_FAILED, detail.text);
}

void stream_tls_step(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    bool is_first = !tls->has_begun;
    int result;
    int ssl_error;

    tls->has_begun = true;
    if (is_first && tls->server != NULL) {
        /* The client speaks first. */
        tls->wants_input = true;
        stream_update_reading(stream);
        return;
    }
    if (!is_first && !tls->has_seen_input && !check_first_bytes(stream))
        return;
    ERR_clear_error();
    errno = 0;
    result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        become_secured(stream);
        return;
    }
    ssl_error = SSL_get_error(tls->ssl, result);
    tls->wants_input = ssl_error == SSL_ERROR_WANT_READ;
    if (ssl_error == SSL_ERROR_WANT_READ) {
        stream_stop_waiting_writable(stream);
        stream_update_reading(stream);
    } else if (ssl_error == SSL_ERROR_WANT_WRITE) {
        stream_wait_writable(stream);
    } else {
        handshake_failed(stream, ssl_error, errno);
    }
}

/* ---- Bytes. */

bool stream_tls_has_more(const struct stream *stream)
{
    const struct stream_tls *tls = stream->tls;

    if (!tls->is_secured)
        return false;
    return tls->failure_detail != NULL || tls->read_wants_output || SSL_has_pending(tls->ssl)
           || (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* A read that gave no bytes. */
static enum stream_io explain_read(struct stream *stream, int result, struct stream_detail *detail)
{
    struct stream_tls *tls = stream->tls;
    int system_error = errno;
    int ssl_error = SSL_get_error(tls->ssl, result);

    switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
        return STREAM_IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        tls->read_wants_output = true;
        stream->is_blocked = true;
        stream_wait_writable(stream);
        return STREAM_IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_IO_CLOSED;
    default:
        return explain_failure(stream, ssl_error, system_error, detail);
    }
}

enum stream_io stream_tls_read(struct stream *stream, char *buffer, size_t max_bytes, size_t *count,
                               struct stream_detail *detail)
{
    struct stream_tls *tls = stream->tls;

    *count = 0;
    tls->read_wants_output = false;
    if (tls->failure_detail != NULL) {
        stream_detail_print(detail, "%s", tls->failure_detail);
        return tls->failure;
    }
    while (*count < max_bytes) {
        enum stream_io io;
        int result;

        ERR_clear_error();
        errno = 0;
        result = SSL_read(tls->ssl, buffer + *count, (int)(max_bytes - *count));
        if (result > 0) {
            *count += (size_t)result;
            /* Nothing is left behind: epoll will tell, which is cheaper than to ask for EAGAIN. */
            if (!SSL_has_pending(tls->ssl))
                return STREAM_IO_OK;
            continue;
        }
        io = explain_read(stream, result, detail);
        if (io == STREAM_IO_RESET || io == STREAM_IO_TLS) {
            tls->failure = io;
            tls->failure_detail = mem_copy(slice_from(detail->text));
        }
        return *count == 0 ? io : STREAM_IO_OK;
    }
    return STREAM_IO_OK;
}

/*
 * One block, which is one record. A write that was cut short is repeated with the same bytes, and
 * perhaps more behind them, since a block only grows at its end.
 */
enum stream_io stream_tls_write(struct stream *stream, struct slice bytes, size_t *count,
                                struct stream_detail *detail)
{
    struct stream_tls *tls = stream->tls;
    int result;
    int system_error;
    int ssl_error;

    if (tls->is_dead || tls->is_shut) {
        stream_detail_print(detail, "the TLS connection has ended");
        return STREAM_IO_RESET;
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_write(tls->ssl, bytes.data, (int)bytes.length);
    if (result > 0) {
        *count = (size_t)result;
        return STREAM_IO_OK;
    }
    system_error = errno;
    ssl_error = SSL_get_error(tls->ssl, result);
    tls->wants_input = ssl_error == SSL_ERROR_WANT_READ;
    if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE)
        return STREAM_IO_AGAIN;
    return explain_failure(stream, ssl_error, system_error, detail);
}
