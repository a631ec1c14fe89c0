/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SMTP client session of load-gen; see session.h.
 *
 * session_on_reply is the dialogue: in this state, that reply leads to what we
 * say next. Everything else moves octets. MAIL, RCPT and DATA go out in one
 * segment where the server has PIPELINING, as real senders do it. A mail that
 * is refused or lost is an error and is not tried again: a bench that needs
 * retries has something to tell its reader.
 */
#include "session.h"

#include "bench.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a read or write brought. */
enum outcome {
    DONE,      /* octets moved, or the handshake is over */
    NOT_YET,   /* epoll will tell */
    LOST,      /* the peer has gone, or broke a rule */
};

static const char *const envelope[] = {
    "MAIL FROM:<load@sender.example>\r\n",
    "RCPT TO:<someone@bench.example>\r\n",
    "DATA\r\n",
};
#define ENVELOPE_COMMANDS 3

static void connect_again(struct session *session);

static void enter(struct session *session, enum session_state state)
{
    session->state = state;
}

static void disconnect(struct session *session)
{
    SSL_free(session->ssl);
    if (session->fd >= 0)
        close(session->fd);
    session->ssl = NULL;
    session->fd = -1;
}

static void end(struct session *session)
{
    disconnect(session);
    enter(session, SESSION_ENDED);
    session->load->active--;
}

/* The connection has carried its share, or broke. */
static void finish_connection(struct session *session)
{
    if (session->load->mails_left > 0 && !session->load->stays_idle) {
        disconnect(session);
        connect_again(session);
    } else {
        end(session);
    }
}

__attribute__((format(printf, 2, 3)))
static void fail(struct session *session, const char *format, ...)
{
    struct load *load = session->load;
    va_list arguments;

    if (session->state != SESSION_QUIT && load->errors++ == 0) {
        va_start(arguments, format);
        vsnprintf(load->first_error, sizeof(load->first_error), format, arguments);
        va_end(arguments);
    }
    if (session->state == SESSION_IDLE)
        load->idle--;
    finish_connection(session);
}

static void watch(struct session *session, int operation, bool wants_write)
{
    struct epoll_event event = { .events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                 .data.ptr = session };

    if (operation == EPOLL_CTL_MOD && session->wants_write == wants_write)
        return;
    if (epoll_ctl(session->load->epoll_fd, operation, session->fd, &event) < 0)
        bench_fail("epoll: %s", strerror(errno));
    session->wants_write = wants_write;
}

/* Says what an OpenSSL call that did not succeed waits for. */
static enum outcome tls_outcome(struct session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);

    if (error == SSL_ERROR_WANT_WRITE)
        watch(session, EPOLL_CTL_MOD, true);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? NOT_YET : LOST;
}

static enum outcome receive(struct session *session, char *data, size_t size, size_t *length)
{
    if (session->ssl != NULL) {
        int result = SSL_read_ex(session->ssl, data, size, length);

        return result == 1 ? DONE : tls_outcome(session, result);
    }
    ssize_t got = recv(session->fd, data, size, 0);

    *length = got > 0 ? (size_t)got : 0;
    return got > 0 ? DONE : got < 0 && errno == EAGAIN ? NOT_YET : LOST;
}

static enum outcome transmit(struct session *session, size_t *length)
{
    if (session->ssl != NULL) {
        int result = SSL_write_ex(session->ssl, session->output, session->output_length, length);

        return result == 1 ? DONE : tls_outcome(session, result);
    }
    ssize_t sent = send(session->fd, session->output, session->output_length, MSG_NOSIGNAL);

    *length = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 ? DONE : errno == EAGAIN ? NOT_YET : LOST;
}

/* `before_us` is from before the system had the octets: none of the gateway's time is lost. */
static void note_dot(struct session *session, uint64_t before_us)
{
    struct load *load = session->load;

    if (session->state == SESSION_MESSAGE && session->output_length == 0)
        load->dots_us[load->dots++] = before_us;
}

/* Writes what there is to write; false when the connection broke (the session has moved on). */
static bool flush(struct session *session)
{
    while (session->output_length > 0) {
        size_t length = 0;
        uint64_t before_us = bench_now_us();
        enum outcome outcome = transmit(session, &length);

        if (outcome == LOST) {
            fail(session, "connection lost while writing (state %d)", session->state);
            return false;
        }
        if (outcome == NOT_YET)
            break;
        session->output += length;
        session->output_length -= length;
        note_dot(session, before_us);
    }
    watch(session, EPOLL_CTL_MOD, session->output_length > 0);
    return true;
}

static void say(struct session *session, enum session_state state, const char *command)
{
    session->output = command;
    session->output_length = strlen(command);
    enter(session, state);
}

/* Reserves a mail for this connection; false when it has carried its share or none is left. */
static bool take_mail(struct session *session)
{
    struct load *load = session->load;

    if (load->mails_left == 0 ||
        (load->per_connection > 0 && session->sent == load->per_connection))
        return false;
    load->mails_left--;
    session->mail_started_us = bench_now_us();
    return true;
}

/* The port is left to connect(), which may give one to several connections. */
static void bind_to_source(int fd, const struct sockaddr_in *source)
{
    int on = 1;

    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)source, sizeof(*source)) < 0)
        bench_fail("cannot come from the address given: %s", strerror(errno));
}

static void connect_again(struct session *session)
{
    struct load *load = session->load;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        bench_fail("socket: %s", strerror(errno));
    session->fd = fd;
    session->had_handshake = session->has_pipelining = false;
    session->sent = session->output_length = session->input_length = 0;
    enter(session, SESSION_CONNECTING);
    bench_set_nodelay(fd);
    if (load->source.sin_addr.s_addr != 0)
        bind_to_source(fd, &load->source);
    if (!load->stays_idle && !take_mail(session)) {
        end(session);
        return;
    }
    load->connections++;
    if (connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) < 0 &&
        errno != EINPROGRESS)
        bench_fail("connect: %s", strerror(errno));
    watch(session, EPOLL_CTL_ADD, true);
}

static void start_handshake(struct session *session)
{
    session->ssl = SSL_new(session->load->tls_context);
    if (session->ssl == NULL || SSL_set_fd(session->ssl, session->fd) != 1)
        bench_fail("OpenSSL has no session for us");
    SSL_set_connect_state(session->ssl);
    enter(session, SESSION_HANDSHAKE);
}

/* What follows EHLO (the second one where there is STARTTLS), or an accepted mail. */
static void start_mail(struct session *session)
{
    session->envelope_step = 0;
    if (session->has_pipelining) {
        snprintf(session->command, sizeof(session->command), "%s%s%s", envelope[0], envelope[1],
                 envelope[2]);
        say(session, SESSION_ENVELOPE, session->command);
    } else {
        say(session, SESSION_ENVELOPE, envelope[0]);
    }
}

static void on_ehlo_reply(struct session *session)
{
    if (session->load->tls == TLS_STARTTLS && !session->had_handshake) {
        say(session, SESSION_STARTTLS, "STARTTLS\r\n");
    } else if (session->load->stays_idle) {
        session->load->idle++;
        enter(session, SESSION_IDLE);
    } else {
        start_mail(session);
    }
}

static void on_envelope_reply(struct session *session)
{
    struct load *load = session->load;

    session->envelope_step++;
    if (session->envelope_step == ENVELOPE_COMMANDS) {
        enter(session, SESSION_MESSAGE);
        session->output = load->mails[load->next_mail].octets;
        session->output_length = load->mails[load->next_mail].length;
        load->next_mail = (load->next_mail + 1) % load->mail_count;
    } else if (!session->has_pipelining) {
        say(session, SESSION_ENVELOPE, envelope[session->envelope_step]);
    }
}

static void on_mail_accepted(struct session *session)
{
    struct load *load = session->load;
    uint64_t now = bench_now_us();

    load->latencies_us[load->accepted++] = (uint32_t)(now - session->mail_started_us);
    load->last_reply_us = now;
    session->sent++;
    if (take_mail(session))
        start_mail(session);
    else
        say(session, SESSION_QUIT, "QUIT\r\n");
}

/* The reply that takes each state further; 0 where none is expected. */
static int expected_code(const struct session *session)
{
    switch (session->state) {
    case SESSION_GREETING:
    case SESSION_STARTTLS:
        return 220;
    case SESSION_EHLO:
    case SESSION_MESSAGE:
        return 250;
    case SESSION_ENVELOPE:
        return session->envelope_step == ENVELOPE_COMMANDS - 1 ? 354 : 250;
    case SESSION_QUIT:
        return 221;
    default:
        return 0;
    }
}

/* `line` is the last line of a reply. */
static void session_on_reply(struct session *session, const char *line)
{
    long code = strtol(line, NULL, 10);

    if (session->state == SESSION_QUIT) {
        finish_connection(session); /* the mails are safe whatever it says */
        return;
    }
    if (code != expected_code(session)) {
        fail(session, "state %d wants %d and got: %.150s", session->state,
             expected_code(session), line);
        return;
    }
    switch (session->state) {
    case SESSION_GREETING:
        say(session, SESSION_EHLO, "EHLO load.example\r\n");
        break;
    case SESSION_EHLO:
        on_ehlo_reply(session);
        break;
    case SESSION_STARTTLS:
        start_handshake(session);
        break;
    case SESSION_ENVELOPE:
        on_envelope_reply(session);
        break;
    case SESSION_MESSAGE:
        on_mail_accepted(session);
        break;
    default:
        break;
    }
}

static void on_line(struct session *session, const char *line)
{
    if (session->state == SESSION_EHLO && strncasecmp(line + 4, "PIPELINING", 10) == 0)
        session->has_pipelining = true;
    if (line[3] != '-')
        session_on_reply(session, line);
}

/* Reads reply lines out of session->input; stops when a reply ended the connection. */
static void take_lines(struct session *session)
{
    char *start = session->input;
    int fd = session->fd;
    char *newline;

    session->input[session->input_length] = '\0';
    while ((newline = strchr(start, '\n')) != NULL) {
        *newline = '\0';
        if (newline - start < 4) {
            fail(session, "not a reply: \"%s\"", start);
            return;
        }
        start[strcspn(start, "\r")] = '\0';
        on_line(session, start);
        start = newline + 1;
        /* A new connection may have the old one's descriptor: it still is CONNECTING. */
        if (session->fd != fd || session->state == SESSION_CONNECTING)
            return;
    }
    session->input_length = strlen(start);
    memmove(session->input, start, session->input_length + 1);
}

static void on_connected(struct session *session)
{
    int error = 0;
    socklen_t length = sizeof(error);

    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        fail(session, "connect: %s", strerror(error));
        return;
    }
    watch(session, EPOLL_CTL_MOD, false);
    if (session->load->tls == TLS_IMPLICIT)
        start_handshake(session);
    else
        enter(session, SESSION_GREETING);
}

static void step_handshake(struct session *session)
{
    struct load *load = session->load;
    int result = SSL_do_handshake(session->ssl);

    if (result != 1) {
        watch(session, EPOLL_CTL_MOD, false);
        if (tls_outcome(session, result) == LOST)
            fail(session, "the TLS handshake failed");
        return;
    }
    load->resumed += SSL_session_reused(session->ssl) ? 1 : 0;
    snprintf(load->tls_name, sizeof(load->tls_name), "%s %s", SSL_get_version(session->ssl),
             SSL_get_cipher_name(session->ssl));
    session->had_handshake = true;
    watch(session, EPOLL_CTL_MOD, false);
    if (load->tls == TLS_STARTTLS)
        say(session, SESSION_EHLO, "EHLO load.example\r\n");
    else
        enter(session, SESSION_GREETING);
}

/* Reads one buffer full; false when there was nothing, or the connection ended. */
static bool read_replies(struct session *session)
{
    size_t room = sizeof(session->input) - 1 - session->input_length;
    size_t length = 0;
    int fd = session->fd;
    enum outcome outcome;

    if (room == 0) {
        fail(session, "a reply line without end");
        return false;
    }
    outcome = receive(session, session->input + session->input_length, room, &length);
    if (outcome == LOST && session->state == SESSION_QUIT)
        finish_connection(session);
    else if (outcome == LOST)
        fail(session, "connection lost (state %d)", session->state);
    if (outcome != DONE)
        return false;
    session->input_length += length;
    take_lines(session);
    return session->fd == fd && session->state != SESSION_CONNECTING;
}

void session_on_ready(struct session *session)
{
    if (session->state == SESSION_CONNECTING)
        on_connected(session);
    if (session->state == SESSION_HANDSHAKE)
        step_handshake(session);
    if (session->state <= SESSION_HANDSHAKE || !flush(session))
        return;
    /* OpenSSL may hold replies that epoll no longer knows of: read until there are none. */
    while (read_replies(session)) {
        if (session->state == SESSION_HANDSHAKE) {
            step_handshake(session);
            return;
        }
        if (!flush(session) || session->ssl == NULL)
            return;
    }
}

void session_start(struct session *session, struct load *load)
{
    session->load = load;
    session->fd = -1;
    load->active++;
    connect_again(session);
}

void session_abort(struct session *session, const char *why)
{
    if (session->state == SESSION_ENDED)
        return;
    session->load->mails_left = 0;
    if (session->state == SESSION_IDLE || session->state == SESSION_QUIT)
        end(session);
    else
        fail(session, "%s (state %d)", why, session->state);
}
