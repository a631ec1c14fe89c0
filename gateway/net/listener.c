/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepts connections on one listening socket; see listener.h. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define MAX_ACCEPTS_PER_TURN 16
#define REST_MS 100

struct listener {
    /* Lent. */
    int fd;
    listener_accept_fn on_accept;
    void *owner;
    /* State. */
    struct loop_watch *watch;
    struct loop_timer rest;   /* set while the system is out of descriptors or memory */
    bool is_short;            /* the last accept failed for want of something: logged already */
    bool is_calling;          /* on_ready runs: it frees us, should the owner want it */
    bool is_gone;             /* the owner has freed us */
};

static void on_rested(void *owner)
{
    struct listener *listener = owner;

    loop_watch_resume(listener->watch);
}

/* What accept(2) says that concerns one connection alone, which is then lost anyway. */
static bool is_about_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

/* Out of descriptors or memory: wait, or we would be woken for the same connection at once. */
static void rest(struct listener *listener, int error)
{
    if (!listener->is_short)
        log_warning("accept-failed", "cannot accept connections: %s; trying again every %d ms",
                    strerror(error), REST_MS);
    listener->is_short = true;
    loop_timer_start(&listener->rest, REST_MS);
    loop_watch_pause(listener->watch);
}

/* False when there is nothing more to accept, or nobody who wants it. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof address;
    struct ip_endpoint peer = { 0 };
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &length,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (fd < 0 && is_about_one_connection(errno))
        return true;
    if (fd < 0) {
        rest(listener, errno);
        return false;
    }
    listener->is_short = false;
    /* A peer without an IP address can only be a socket we were handed: it reads as all zero. */
    if (!ip_endpoint_from_sockaddr((const struct sockaddr *)&address, &peer))
        peer = (struct ip_endpoint){ 0 };
    listener->on_accept(listener->owner, fd, &peer);
    return !listener->is_gone;
}

static void on_ready(void *owner)
{
    struct listener *listener = owner;

    listener->is_calling = true;
    for (int i = 0; i < MAX_ACCEPTS_PER_TURN; i++)
        if (!accept_one(listener))
            break;
    listener->is_calling = false;
    if (listener->is_gone)
        mem_free(listener);
}

static bool set_option(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

struct listener *listener_new(struct loop *loop, int fd, listener_accept_fn on_accept, void *owner)
{
    struct listener *listener = mem_new(sizeof *listener);

    /* For a socket that we were handed; fails on what is no TCP socket, where it is not needed. */
    (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    listener->fd = fd;
    listener->on_accept = on_accept;
    listener->owner = owner;
    loop_timer_init(&listener->rest, loop, on_rested, listener);
    listener->watch = loop_watch_new(loop, fd, false, on_ready, listener);
    return listener;
}

void listener_free(struct listener **handle)
{
    struct listener *listener = *handle;

    *handle = NULL;
    if (listener == NULL)
        return;
    loop_timer_cancel(&listener->rest);
    loop_watch_free(&listener->watch);
    listener->is_gone = true;
    if (!listener->is_calling)
        mem_free(listener);
}

/* The socket, or -1 with errno set. */
static int bind_socket(const struct ip_endpoint *endpoint, int backlog)
{
    struct sockaddr_storage address;
    socklen_t length = ip_endpoint_to_sockaddr(endpoint, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    /* Accepted sockets inherit TCP_NODELAY, which saves a system call for each. */
    if (set_option(fd, IPPROTO_TCP, TCP_NODELAY) && set_option(fd, SOL_SOCKET, SO_REUSEADDR)
        && set_option(fd, SOL_SOCKET, SO_REUSEPORT)
        && (address.ss_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
        && bind(fd, (const struct sockaddr *)&address, length) == 0 && listen(fd, backlog) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

int listener_bind(const struct ip_endpoint *endpoint, int backlog, struct text *problem)
{
    int fd = bind_socket(endpoint, backlog);
    int error = errno;

    if (fd < 0) {
        text_add_string(problem, "cannot listen on ");
        ip_endpoint_print(problem, endpoint);
        text_add_format(problem, ": %s", strerror(error));
    }
    return fd;
}
