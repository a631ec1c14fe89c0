/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DNS server on loopback for the tests of the resolver, on the loop that is tested. What it
 * answers depends on the first label of the name:
 *
 *     a, a1, ...    192.0.2.1 for 60 s         brief   the same for 1 s
 *     big           two texts of 600 bytes: cut over UDP, whole over TCP
 *     nx, nodata    not there, for 1 s         broken  SERVFAIL
 *     silent        nothing at all             garbage bytes that are no answer
 *     strange       an answer with another id  other   an answer to another question
 */
#ifndef POSTERN_TESTS_RESOLVER_UNIT_H
#define POSTERN_TESTS_RESOLVER_UNIT_H

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net_unit.h"

#define SERVER_MAX_CONNECTIONS 20

struct server_connection {
    struct dns_server *server;
    int fd;
    struct loop_watch *watch;
};

struct dns_server {
    struct loop *loop;
    int udp_fd;
    int tcp_fd;
    struct loop_watch *udp_watch;
    struct loop_watch *tcp_watch;
    struct ip_endpoint address;
    struct server_connection connections[SERVER_MAX_CONNECTIONS];
    size_t connection_count;
    bool is_silent;            /* whatever it is asked */
    unsigned int udp_questions;
    unsigned int tcp_questions;
    char labels[2000];         /* of datagrams, each with a blank before and behind it */
};

/* What a client asks: the name as it stands in its packet, from byte 12 on. */
struct server_question {
    struct slice packet;
    size_t end;                /* behind the question */
    char label[64];            /* the first */
};

static inline bool server_read_question(struct slice packet, struct server_question *question)
{
    size_t at = 12;

    if (packet.length < 17)
        return false;
    snprintf(question->label, sizeof question->label, "%.*s", packet.data[12], packet.data + 13);
    while (at < packet.length && packet.data[at] != 0)
        at += 1 + (size_t)packet.data[at];
    question->packet = packet;
    question->end = at + 5;
    return question->end <= packet.length;
}

static inline void server_add_head(struct text *out, const struct server_question *question,
                                   struct slice flags, struct slice counts)
{
    text_add(out, slice_until(question->packet, 2));
    text_add(out, flags);
    text_add(out, SLICE("\0\1"));
    text_add(out, counts);
    text_add(out, SLICE("\0\0"));
    text_add(out, slice_from_offset(slice_until(question->packet, question->end), 12));
}

static inline void server_add_address(struct text *out, const struct server_question *question,
                                      struct slice ttl)
{
    server_add_head(out, question, SLICE("\x81\x80"), SLICE("\0\1\0\0"));
    text_add(out, SLICE("\xc0\x0c\0\1\0\1\0\0\0"));
    text_add(out, ttl);
    text_add(out, SLICE("\0\4\xc0\0\2\1"));
}

/* With an SOA record of the root: 1 s. */
static inline void server_add_nothing(struct text *out, const struct server_question *question,
                                      struct slice flags)
{
    server_add_head(out, question, flags, SLICE("\0\0\0\1"));
    text_add(out, SLICE("\0\0\6\0\1\0\0\0\1\0\x16\0\0"
                        "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"));
}

static inline void server_add_texts(struct text *out, const struct server_question *question)
{
    server_add_head(out, question, SLICE("\x81\x80"), SLICE("\0\2\0\0"));
    for (int i = 0; i < 2; i++) {
        text_add(out, SLICE("\xc0\x0c\0\x10\0\1\0\0\0\x3c\2\x5b")); /* 3 * 201 bytes */
        for (int j = 0; j < 3; j++) {
            text_add_byte(out, (char)200);
            for (int k = 0; k < 200; k++)
                text_add_byte(out, (char)('a' + i));
        }
    }
}

/* Nothing is added when nothing is to be said. */
static inline void server_answer(const struct dns_server *server, bool is_tcp,
                                 const struct server_question *question, struct text *out)
{
    const char *label = question->label;

    if (server->is_silent || strcmp(label, "silent") == 0)
        return;
    if (strcmp(label, "garbage") == 0) {
        text_add(out, slice_until(question->packet, 2));
        text_add(out, SLICE("\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    } else if (strcmp(label, "broken") == 0) {
        server_add_head(out, question, SLICE("\x81\x82"), SLICE("\0\0\0\0"));
    } else if (strcmp(label, "nx") == 0) {
        server_add_nothing(out, question, SLICE("\x81\x83"));
    } else if (strcmp(label, "nodata") == 0) {
        server_add_nothing(out, question, SLICE("\x81\x80"));
    } else if (strcmp(label, "big") == 0 && !is_tcp) {
        server_add_head(out, question, SLICE("\x83\x80"), SLICE("\0\0\0\0"));
    } else if (strcmp(label, "big") == 0) {
        server_add_texts(out, question);
    } else {
        server_add_address(out, question,
                           strcmp(label, "brief") == 0 ? SLICE("\1") : SLICE("\x3c"));
    }
    if (strcmp(label, "strange") == 0)
        out->data[0] = (char)(out->data[0] + 1);
    if (strcmp(label, "other") == 0)
        out->data[13] = 'x';
}

static inline void server_on_datagram(void *owner)
{
    struct dns_server *server = owner;
    struct server_question question;
    struct sockaddr_storage peer;
    socklen_t peer_length = sizeof peer;
    char packet[2000];
    struct text out;
    ssize_t length = recvfrom(server->udp_fd, packet, sizeof packet, 0,
                              (struct sockaddr *)(void *)&peer, &peer_length);

    if (length < 0)
        return;
    server->udp_questions++;
    text_init(&out, 65535);
    if (server_read_question((struct slice){ packet, (size_t)length }, &question)) {
        size_t used = strlen(server->labels);

        snprintf(server->labels + used, sizeof server->labels - used, " %s ", question.label);
        server_answer(server, false, &question, &out);
    }
    if (out.length > 0)
        sendto(server->udp_fd, out.data, out.length, 0, (struct sockaddr *)(void *)&peer,
               peer_length);
    text_clear(&out);
}

/* Questions here are short, and come in one piece. */
static inline void server_on_stream(void *owner)
{
    struct server_connection *connection = owner;
    struct server_question question;
    char bytes[2000];
    struct text out;
    ssize_t length = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (length <= 2) {
        loop_watch_free(&connection->watch);
        return;
    }
    connection->server->tcp_questions++;
    text_init(&out, 65535);
    if (server_read_question((struct slice){ bytes + 2, (size_t)length - 2 }, &question))
        server_answer(connection->server, true, &question, &out);
    if (out.length > 0) {
        const char head[] = { (char)(out.length >> 8), (char)out.length };

        ck_assert_int_eq(send(connection->fd, head, 2, MSG_NOSIGNAL), 2);
        ck_assert_int_eq(send(connection->fd, out.data, out.length, MSG_NOSIGNAL),
                         (ssize_t)out.length);
    }
    text_clear(&out);
}

static inline void server_on_connection(void *owner)
{
    struct dns_server *server = owner;
    struct server_connection *connection = &server->connections[server->connection_count++];

    ck_assert_uint_lt(server->connection_count, SERVER_MAX_CONNECTIONS);
    connection->server = server;
    connection->fd = accept(server->tcp_fd, NULL, NULL);
    connection->watch =
        loop_watch_new(server->loop, connection->fd, false, server_on_stream, connection);
}

/* The same port for UDP and TCP; false when this machine does not have the address. */
static inline bool server_start_at(struct dns_server *server, struct loop *loop,
                                   struct slice address)
{
    struct sockaddr_storage place;
    struct sockaddr *at = (struct sockaddr *)(void *)&place;
    socklen_t length;

    *server = (struct dns_server){ .loop = loop };
    for (int tries = 0; tries < 100; tries++) {
        ck_assert(ip_endpoint_parse(address, &server->address));
        length = ip_endpoint_to_sockaddr(&server->address, &place);
        server->udp_fd =
            socket(place.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        server->tcp_fd = socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (server->udp_fd < 0 || bind(server->udp_fd, at, length) != 0)
            return false;
        getsockname(server->udp_fd, at, &length);
        if (bind(server->tcp_fd, at, length) == 0)
            break;
        close(server->udp_fd);
        close(server->tcp_fd);
    }
    ck_assert_int_eq(listen(server->tcp_fd, 5), 0);
    ck_assert(ip_endpoint_from_sockaddr(at, &server->address));
    server->udp_watch = loop_watch_new(loop, server->udp_fd, false, server_on_datagram, server);
    server->tcp_watch = loop_watch_new(loop, server->tcp_fd, false, server_on_connection, server);
    return true;
}

static inline void server_start(struct dns_server *server, struct loop *loop)
{
    ck_assert(server_start_at(server, loop, SLICE("127.0.0.1:0")));
}

static inline void server_stop(struct dns_server *server)
{
    for (size_t i = 0; i < server->connection_count; i++) {
        loop_watch_free(&server->connections[i].watch);
        close(server->connections[i].fd);
    }
    loop_watch_free(&server->udp_watch);
    loop_watch_free(&server->tcp_watch);
    close(server->udp_fd);
    close(server->tcp_fd);
}

#endif
