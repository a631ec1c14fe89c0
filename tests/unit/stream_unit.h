/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of plain streams share: one stream, and the bare socket on its other side. */
#ifndef POSTERN_TESTS_STREAM_UNIT_H
#define POSTERN_TESTS_STREAM_UNIT_H

#include "net/listener.h"
#include "net_unit.h"

static struct loop *loop;
static struct net_end here;
static int there; /* the other side's descriptor */

/* The fixture. */
static inline void set_up(void)
{
    int fds[2];

    loop = loop_new();
    net_socketpair(fds);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
}

/* Its end. */
static inline void tear_down(void)
{
    net_end_clear(&here);
    if (there >= 0)
        close(there);
    loop_free(&loop);
}

/* A task. */
static inline void do_nothing(void *owner)
{
    (void)owner;
}

/* One turn that does not wait. */
static inline void turn(void)
{
    struct loop_task nothing;

    loop_task_init(&nothing, do_nothing, NULL);
    loop_defer(loop, &nothing);
    loop_stop(loop);
    loop_run(loop);
}

static inline void send_there(struct slice bytes)
{
    ck_assert_int_eq(send(there, bytes.data, bytes.length, 0), (ssize_t)bytes.length);
}

/* What has arrived at the other side by now. */
static inline size_t receive_there(char *buffer, size_t size)
{
    ssize_t count = recv(there, buffer, size, 0);

    return count > 0 ? (size_t)count : 0;
}

/* Two ends of a TCP connection on loopback. */
static inline void tcp_pair(int fds[2])
{
    struct ip_endpoint any;
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    struct text problem;
    int listening;

    text_init(&problem, 200);
    ck_assert(ip_endpoint_parse(SLICE("127.0.0.1:0"), &any));
    listening = listener_bind(&any, 4, &problem);
    ck_assert_msg(listening >= 0, "%s", text_string(&problem));
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&name, &length), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&name, length), 0);
    fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fds[0], 0);
    net_make_nonblocking(fds[1]);
    close(listening);
}

/* The stream of `here` over TCP instead. */
static inline void use_tcp(void)
{
    int fds[2];

    net_end_clear(&here);
    close(there);
    tcp_pair(fds);
    there = fds[1];
    net_end_init(&here, loop, fds[0]);
}

/* A case with the fixture, in the suite. */
static inline TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}

#endif
