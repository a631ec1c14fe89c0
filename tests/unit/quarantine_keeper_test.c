/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeper and workers together, in one loop: copies are stored, committed and
 * erased, keepers die and come again, and workers say what no worker should.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net_unit.h"
#include "quarantine/exchange.h"
#include "quarantine/keeper.h"
#include "quarantine/keeper_link.h"
#include "quarantine/request.h"
#include "quarantine_unit.h"

static char folder[32];
static struct loop *loop;
static struct keeper *keeper;
static struct keeper_link *worker;
static struct keeper_settings settings;

static void open_keeper(void)
{
    struct text problem;
    int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

    text_init(&problem, 500);
    keeper = keeper_new(loop, fd, &settings, &problem);
    ck_assert_msg(keeper != NULL, "%s", text_string(&problem));
    text_clear(&problem);
}

/* A channel to the keeper; the end that is a worker's. */
static int join(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    keeper_add_worker(keeper, ends[0]);
    return ends[1];
}

static void set_up(void)
{
    close(unit_make_folder(folder));
    settings = (struct keeper_settings){ .max_bytes = 1 << 20, .max_age_ms = 86400000 };
    loop = loop_new();
    open_keeper();
    worker = keeper_link_new(loop, 3);
    keeper_link_connect(worker, join());
}

static void tear_down(void)
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

static void on_done(void *owner, enum hold_result result)
{
    struct mail *mail = owner;

    mail->done++;
    mail->result = result;
}

static int make_file(size_t bytes)
{
    int fd = memfd_create("content", MFD_CLOEXEC);
    char *block = calloc(1, bytes + 1);

    memset(block, 'x', bytes);
    ck_assert_int_eq(write(fd, block, bytes), (ssize_t)bytes);
    free(block);
    return fd;
}

static void hold(struct mail *mail, unsigned int number, bool is_pending, size_t bytes)
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

static void drop(struct mail *mail)
{
    message_clear(&mail->message);
}

static bool is_done(void *owner)
{
    return ((struct mail *)owner)->done > 0;
}

static void expect_result(struct mail *mail, enum hold_result want)
{
    net_run_until(loop, "the keeper's word", is_done, mail);
    ck_assert_int_eq(mail->result, want);
    ck_assert_uint_eq(mail->done, 1);
}

static bool is_idle(void *owner)
{
    return keeper_link_is_idle(owner);
}

static void settle(void)
{
    net_run_until(loop, "everything to be answered", is_idle, worker);
}

/* ---- What an owner would see. */

static bool has_answer(void *owner)
{
    char byte;

    return recv(*(int *)owner, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Asks, and adds all that is printed to `out`; the exit status. */
static uint32_t ask(const char *words, struct text *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET_NAME };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    char body[REQUEST_ANSWER_BYTES];
    uint32_t status = UINT32_MAX;
    struct packet packet = { .type = REQUEST_OUTPUT };

    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(packet_send(fd, 0, slice_from(words), NULL, 0), PACKET_DONE);
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

static void expect_listed(const char *words, const char *want)
{
    struct text got;

    text_init(&got, 100000);
    ck_assert_uint_eq(ask(words, &got), 0);
    unit_expect_text(words, &got, slice_from(want));
    text_clear(&got);
}

#define ID(n) "06h0x6s1zxfdk76x-" n "\n"
#define IDS(states) "verb list\nstyle ids\nstates " states "\n"
#define PENDING "1"
#define HELD "2"
#define UNCERTAIN "8"
#define ANY "255"

/* ---- Holding. */

START_TEST(a_copy_is_stored_and_stays)
{
    struct mail mail;

    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    expect_listed(IDS(HELD), ID("1"));
    hold_forget(&mail.hold);
    settle();
    expect_listed(IDS(HELD), ID("1"));
    drop(&mail);
}
END_TEST

START_TEST(a_pending_copy_is_committed_or_erased)
{
    struct mail mails[2];

    hold(&mails[0], 1, true, 100);
    hold(&mails[1], 2, true, 100);
    expect_result(&mails[0], HOLD_STORED);
    expect_result(&mails[1], HOLD_STORED);
    expect_listed(IDS(PENDING), ID("1") ID("2"));
    hold_commit(&mails[0].hold);
    hold_erase(&mails[1].hold);
    settle();
    expect_listed(IDS(HELD), ID("1"));
    expect_listed(IDS(PENDING), "");
    expect_listed(IDS(ANY), ID("1"));
    drop(&mails[0]);
    drop(&mails[1]);
}
END_TEST

/* A client that was told 4xx comes again: what was given up must not stay, pending or not. */
START_TEST(a_copy_that_is_given_up_before_the_answer_is_erased)
{
    struct mail mails[2];

    hold(&mails[0], 1, false, 100);
    hold(&mails[1], 2, true, 100);
    hold_erase(&mails[0].hold);
    hold_erase(&mails[1].hold);
    settle();
    ck_assert_uint_eq(mails[0].done + mails[1].done, 0);
    expect_listed(IDS(ANY), "");
    drop(&mails[0]);
    drop(&mails[1]);
}
END_TEST

START_TEST(more_than_max_waiting_are_busy)
{
    struct mail mails[4];

    for (unsigned int i = 0; i < 4; i++)
        hold(&mails[i], i + 1, false, 10);
    for (unsigned int i = 0; i < 4; i++)
        expect_result(&mails[i], i < 3 ? HOLD_STORED : HOLD_BUSY);
    hold_erase(&mails[3].hold);
    for (unsigned int i = 0; i < 4; i++) {
        hold_forget(&mails[i].hold);
        drop(&mails[i]);
    }
    expect_listed(IDS(HELD), ID("1") ID("2") ID("3"));
}
END_TEST

START_TEST(past_max_size_copies_are_refused_until_there_is_room)
{
    struct mail mails[3];
    struct text printed;

    hold(&mails[0], 1, false, 700000);
    expect_result(&mails[0], HOLD_STORED);
    hold(&mails[1], 2, false, 700000);
    expect_result(&mails[1], HOLD_FULL);
    text_init(&printed, 1000);
    ck_assert_uint_eq(ask("verb delete\nid 06h0x6s1zxfdk76x-1\n", &printed), 0);
    text_clear(&printed);
    hold(&mails[2], 3, false, 700000);
    expect_result(&mails[2], HOLD_STORED);
    hold_erase(&mails[1].hold);
    hold_forget(&mails[0].hold);
    hold_forget(&mails[2].hold);
    for (int i = 0; i < 3; i++)
        drop(&mails[i]);
}
END_TEST

/* ---- Deaths. */

START_TEST(what_a_dead_keeper_has_not_answered_is_said_to_the_next)
{
    struct mail mails[3];

    hold(&mails[0], 1, true, 100);
    expect_result(&mails[0], HOLD_STORED);
    keeper_free(&keeper);
    hold_commit(&mails[0].hold);
    hold(&mails[1], 2, false, 100);
    hold(&mails[2], 3, true, 100);
    hold_erase(&mails[2].hold);
    net_run_for(loop, 50);
    ck_assert_uint_eq(mails[1].done, 0);
    open_keeper();
    keeper_link_connect(worker, join());
    expect_result(&mails[1], HOLD_STORED);
    hold_forget(&mails[1].hold);
    settle();
    expect_listed(IDS(ANY), ID("1") ID("2"));
    expect_listed(IDS(HELD), ID("1") ID("2"));
    for (int i = 0; i < 3; i++)
        drop(&mails[i]);
}
END_TEST

/* The keeper died between the disk and its answer: the copy is there, and is said again. */
START_TEST(a_copy_that_is_there_already_is_known_by_its_claim)
{
    struct mail mail;

    hold(&mail, 1, false, 100);
    net_run_for(loop, 100);
    mail.done = 0;
    hold_forget(&mail.hold);
    drop(&mail);
    hold(&mail, 1, false, 100); /* the same worker, and so the same claim */
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    keeper_link_free(&worker);
    worker = keeper_link_new(loop, 3);
    keeper_link_connect(worker, join());
    hold(&mail, 1, false, 100); /* another worker, which took the id */
    expect_result(&mail, HOLD_FAILED);
    hold_erase(&mail.hold);
    drop(&mail);
    expect_listed(IDS(HELD), ID("1"));
}
END_TEST

START_TEST(a_pending_copy_of_a_dead_worker_is_uncertain)
{
    struct mail mail;

    hold(&mail, 1, true, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    expect_listed(IDS(PENDING), ID("1"));
    keeper_link_free(&worker);
    net_run_for(loop, 100);
    expect_listed(IDS(UNCERTAIN), ID("1"));
    expect_listed(IDS(PENDING), "");
    drop(&mail);
}
END_TEST

/* Also for the next keeper, as long as the worker lives. */
START_TEST(a_pending_copy_of_a_living_worker_stays_pending)
{
    struct mail mail;

    hold(&mail, 1, true, 100);
    expect_result(&mail, HOLD_STORED);
    keeper_free(&keeper);
    open_keeper();
    expect_listed(IDS(PENDING), ID("1"));
    keeper_link_connect(worker, join());
    net_run_for(loop, 100);
    expect_listed(IDS(PENDING), ID("1"));
    hold_commit(&mail.hold);
    settle();
    expect_listed(IDS(HELD), ID("1"));
    drop(&mail);
}
END_TEST

/* ---- Releases. */

struct taken {
    unsigned int count;
    uint64_t attempt;
    uint64_t content_bytes;
    char first[16];
    size_t recipient_count;
};

static void on_release(void *owner, uint64_t attempt, int take_fd, uint64_t content_bytes,
                       struct copy *take_copy)
{
    struct taken *taken = owner;

    taken->count++;
    taken->attempt = attempt;
    taken->content_bytes = content_bytes;
    ck_assert_int_eq(pread(take_fd, taken->first, 15, 0), 15);
    taken->recipient_count = take_copy->envelope.recipient_count;
    close(take_fd);
}

static void on_idle(void *owner)
{
    (void)owner;
}

static const struct keeper_link_events link_events = { .on_release = on_release,
                                                       .on_idle = on_idle };

static bool was_taken(void *owner)
{
    return ((struct taken *)owner)->count > 0;
}

/* Asks for a release without waiting for the answer. */
static int ask_release(const char *words)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET_NAME };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(packet_send(fd, 0, slice_from(words), NULL, 0), PACKET_DONE);
    return fd;
}

static void expect_state_after(unsigned int fate, const char *states)
{
    struct taken taken = { .count = 0 };
    struct mail mail;
    int fd;

    keeper_link_set_events(worker, &link_events, &taken);
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    fd = ask_release("verb release\nid 06h0x6s1zxfdk76x-1\n");
    net_run_until(loop, "a release", was_taken, &taken);
    ck_assert_str_eq(taken.first, "Received: test\r");
    ck_assert_uint_eq(taken.content_bytes, 116);
    ck_assert_uint_eq(taken.recipient_count, 1);
    keeper_link_tell(worker, taken.attempt, 0, fate, SLICE("250 ok"));
    keeper_link_end_release(worker, taken.attempt);
    settle();
    net_run_until(loop, "an answer", has_answer, &fd);
    close(fd);
    expect_listed(states, ID("1"));
    keeper_link_set_events(worker, NULL, NULL);
    drop(&mail);
}

START_TEST(a_delivered_release_is_released)
{
    expect_state_after(EXCHANGE_DELIVERED, IDS("16"));
}
END_TEST

START_TEST(a_refused_release_is_held)
{
    expect_state_after(EXCHANGE_REFUSED, IDS(HELD));
}
END_TEST

START_TEST(a_lost_release_is_uncertain)
{
    expect_state_after(EXCHANGE_LOST, IDS(UNCERTAIN));
}
END_TEST

/* ---- Workers that were taken over. */

static void say(int fd, enum exchange_type type, const char *id, const char *claim)
{
    struct exchange_claim body;

    memset(&body, 0, sizeof body);
    snprintf(body.id, sizeof body.id, "%s", id);
    snprintf(body.claim, sizeof body.claim, "%s", claim);
    ck_assert_int_eq(exchange_send(fd, type, &body, sizeof body, SLICE_EMPTY, NULL, 0),
                     PACKET_DONE);
    net_run_for(loop, 50);
}

START_TEST(a_worker_cannot_end_what_another_has_stored)
{
    struct mail mail;
    int evil = join();

    hold(&mail, 1, true, 100);
    expect_result(&mail, HOLD_STORED);
    say(evil, EXCHANGE_ERASE, "06h0x6s1zxfdk76x-1", "00000000000000000000000000000000");
    expect_listed(IDS(PENDING), ID("1"));
    say(evil, EXCHANGE_COMMIT, "06h0x6s1zxfdk76x-1", "00000000000000000000000000000000");
    expect_listed(IDS(PENDING), ID("1"));
    hold_erase(&mail.hold);
    settle();
    expect_listed(IDS(ANY), "");
    close(evil);
    drop(&mail);
}
END_TEST

static bool is_hung_up(void *owner)
{
    char byte;

    for (;;) {
        ssize_t count = recv(*(int *)owner, &byte, 1, MSG_DONTWAIT);

        if (count == 0)
            return true;
        if (count < 0)
            return errno == ECONNRESET;
    }
}

START_TEST(a_worker_that_says_nonsense_is_hung_up_on_and_harms_nobody)
{
    static const char *const ids[] = { "../../etc/passwd-1", "", "06h0x6s1zxfdk76x-" };
    struct mail mail;

    for (size_t i = 0; i < COUNT(ids); i++) {
        int evil = join();

        say(evil, EXCHANGE_COMMIT, ids[i], "00000000000000000000000000000000");
        net_run_until(loop, "the end of the channel", is_hung_up, &evil);
        close(evil);
    }
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
}
END_TEST

/* A copy whose file is shorter than it says, and one that is no file. */
START_TEST(a_store_that_does_not_add_up_is_refused)
{
    struct mail mail;

    hold(&mail, 1, false, 100);
    ck_assert_int_eq(ftruncate(mail.message.spool.file->fd, 50), 0);
    expect_result(&mail, HOLD_FAILED);
    hold_erase(&mail.hold);
    drop(&mail);
    expect_listed(IDS(ANY), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quarantine-keeper");
    TCase *holding = tcase_create("holding");
    TCase *deaths = tcase_create("deaths");
    TCase *releases = tcase_create("releases");
    TCase *evil = tcase_create("evil");
    TCase *all[] = { holding, deaths, releases, evil };

    tcase_add_test(holding, a_copy_is_stored_and_stays);
    tcase_add_test(holding, a_pending_copy_is_committed_or_erased);
    tcase_add_test(holding, a_copy_that_is_given_up_before_the_answer_is_erased);
    tcase_add_test(holding, more_than_max_waiting_are_busy);
    tcase_add_test(holding, past_max_size_copies_are_refused_until_there_is_room);
    tcase_add_test(deaths, what_a_dead_keeper_has_not_answered_is_said_to_the_next);
    tcase_add_test(deaths, a_copy_that_is_there_already_is_known_by_its_claim);
    tcase_add_test(deaths, a_pending_copy_of_a_dead_worker_is_uncertain);
    tcase_add_test(deaths, a_pending_copy_of_a_living_worker_stays_pending);
    tcase_add_test(releases, a_delivered_release_is_released);
    tcase_add_test(releases, a_refused_release_is_held);
    tcase_add_test(releases, a_lost_release_is_uncertain);
    tcase_add_test(evil, a_worker_cannot_end_what_another_has_stored);
    tcase_add_test(evil, a_worker_that_says_nonsense_is_hung_up_on_and_harms_nobody);
    tcase_add_test(evil, a_store_that_does_not_add_up_is_refused);
    for (size_t i = 0; i < COUNT(all); i++) {
        tcase_add_checked_fixture(all[i], set_up, tear_down);
        tcase_set_timeout(all[i], 60);
        suite_add_tcase(suite, all[i]);
    }
    return unit_run(suite);
}
