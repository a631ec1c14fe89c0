/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the keeper share: a keeper and a worker in one loop, mail to
 * be held, and what an owner would see.
 */
#ifndef POSTERN_TESTS_QUARANTINE_KEEPER_UNIT_H
#define POSTERN_TESTS_QUARANTINE_KEEPER_UNIT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "net_unit.h"
#include "quarantine/exchange.h"
#include "quarantine/keeper.h"
#include "quarantine/keeper_link.h"
#include "quarantine/request.h"
#include "quarantine_unit.h"

/* HELD_US lies in the past sooner or later: nothing expires by itself. */
#define NO_AGE_MS (1000ull * 365 * 86400000)

static char folder[32];
static struct loop *loop;
static struct keeper *keeper;
static struct keeper_link *worker;
static struct keeper_settings settings;

/* A keeper on the folder, with `settings`. */
static inline void open_keeper(void)
{
    struct text problem;
    int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

    text_init(&problem, 500);
    keeper = keeper_new(loop, fd, &settings, &problem);
    ck_assert_msg(keeper != NULL, "%s", text_string(&problem));
    text_clear(&problem);
}

/* A channel to the keeper; the end that is a worker's. */
static inline int join(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    keeper_add_worker(keeper, ends[0]);
    return ends[1];
}

/* For a case: a keeper, and a worker that may have three copies on their way. */
static inline void set_up(void)
{
    close(unit_make_folder(folder));
    settings = (struct keeper_settings){ .max_bytes = 1 << 20, .max_age_ms = NO_AGE_MS,
                                         .max_mail_bytes = 1 << 30 };
    loop = loop_new();
    open_keeper();
    worker = keeper_link_new(loop, 3);
    keeper_link_connect(worker, join());
}

/* Ends them all, and takes the folder away. */
static inline void tear_down(void)
{
    keeper_link_free(&worker);
    keeper_free(&keeper);
    loop_free(&loop);
    ck_assert_int_eq(chdir("/"), 0);
    unit_remove_folder(folder);
}

/* ---- A mail to be held. */

struct mail {
    struct spool_budget budget;
    struct message_limits limits;
    struct message message;
    struct hold *hold;
    unsigned int done;
    enum hold_result result;
};

/* For hold_start; the owner is a mail. */
static inline void on_done(void *owner, enum hold_result result)
{
    struct mail *mail = owner;

    mail->done++;
    mail->result = result;
}

/* A file in memory with so many bytes. */
static inline int make_file(size_t bytes)
{
    int fd = memfd_create("content", MFD_CLOEXEC);
    char *block = calloc(1, bytes + 1);

    memset(block, 'x', bytes);
    ck_assert_int_eq(write(fd, block, bytes), (ssize_t)bytes);
    free(block);
    return fd;
}

/* Has the worker hand over a mail with so many bytes. */
static inline void hold(struct mail *mail, unsigned int number, bool is_pending, size_t bytes)
{
    struct copy copy;

    *mail = (struct mail){ .limits = { .max_header_bytes = 1, .max_header_fields = 1 } };
    message_init_stored(&mail->message, &mail->limits, &mail->budget, make_file(bytes), bytes);
    unit_make_copy(&copy, number, "<a@example.net>");
    unit_add_recipient(&copy, "<b@example.org>", "rule.p.r", 0, NULL);
    copy.is_pending = is_pending;
    mail->hold = hold_start(worker, &copy, SLICE("Received: test\r\n"), &mail->message, on_done,
                            mail);
    copy_clear(&copy);
}

/* Frees what a mail has, but for its hold. */
static inline void drop(struct mail *mail)
{
    message_clear(&mail->message);
}

/* For net_run_until: has the mail its result? */
static inline bool is_done(void *owner)
{
    return ((struct mail *)owner)->done > 0;
}

/* Waits for the result of a mail, which is this one. */
static inline void expect_result(struct mail *mail, enum hold_result want)
{
    net_run_until(loop, "the keeper's word", is_done, mail);
    ck_assert_int_eq(mail->result, want);
    ck_assert_uint_eq(mail->done, 1);
}

/* For net_run_until: has the link nothing in flight? */
static inline bool is_idle(void *owner)
{
    return keeper_link_is_idle(owner);
}

/* Waits until the worker has nothing in flight. */
static inline void settle(void)
{
    net_run_until(loop, "everything to be answered", is_idle, worker);
}

/* ---- What an owner would see. */

/* For net_run_until: is there something to be read? */
static inline bool has_answer(void *owner)
{
    char byte;

    return recv(*(int *)owner, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Asks without waiting for the answer. */
static inline int start_asking(const char *words)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET_NAME };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(packet_send(fd, 0, slice_from(words), NULL, 0), PACKET_DONE);
    return fd;
}

/* Asks, and adds all that is printed to `out`; the exit status. */
static inline uint32_t ask(const char *words, struct text *out)
{
    int fd = start_asking(words);
    char body[REQUEST_ANSWER_BYTES];
    uint32_t status = UINT32_MAX;
    struct packet packet = { .type = REQUEST_OUTPUT };

    while (packet.type != REQUEST_END) {
        net_run_until(loop, "an answer", has_answer, &fd);
        ck_assert_int_eq(packet_receive(fd, &packet, body, sizeof body), PACKET_DONE);
        if (packet.type == REQUEST_END)
            memcpy(&status, body, sizeof status);
        else
            text_add(out, (struct slice){ body, packet.length });
        packet_clear(&packet);
    }
    close(fd);
    return status;
}

/* The answer to these words is this. */
static inline void expect_listed(const char *words, const char *want)
{
    struct text got;

    text_init(&got, 100000);
    ck_assert_uint_eq(ask(words, &got), 0);
    unit_expect_text(words, &got, slice_from(want));
    text_clear(&got);
}

/* The answer becomes this, once the keeper has seen to it. */
static inline void await_listed(const char *words, const char *want)
{
    bool is_right = false;

    for (int i = 0; i < 400 && !is_right; i++) {
        struct text got;

        text_init(&got, 100000);
        ck_assert_uint_eq(ask(words, &got), 0);
        is_right = slice_equals(text_slice(&got), slice_from(want));
        text_clear(&got);
        if (!is_right)
            net_run_for(loop, 25);
    }
    expect_listed(words, want);
}

#define ID(n) "06h0x6s1zxfdk76x-" n "\n"
#define IDS(states) "verb list\nstyle ids\nstates " states "\n"
#define PENDING "1"
#define HELD "2"
#define UNCERTAIN "8"
#define ANY "255"

/* A suite of these cases, each with a keeper and a worker of its own. */
static inline int run_cases(const char *name, TCase **cases, size_t count)
{
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < count; i++) {
        tcase_add_checked_fixture(cases[i], set_up, tear_down);
        tcase_set_timeout(cases[i], 60);
        suite_add_tcase(suite, cases[i]);
    }
    return unit_run(suite);
}

#endif
