/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeper and workers together, in one loop: releases, and workers that say what
 * no worker should.
 */
#include "quarantine_keeper_unit.h"

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

static void expect_state_after(unsigned int fate, const char *states)
{
    struct taken taken = { .count = 0 };
    struct mail mail;
    int fd;

    keeper_link_set_events(worker, &link_events, &taken);
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    fd = start_asking("verb release\nid 06h0x6s1zxfdk76x-1\n");
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

/* ---- Two keepers on one folder: after an upgrade. */

/* The first one drains with its workers, and another one serves owners. */
static struct keeper *open_second_keeper(void)
{
    struct keeper *first = keeper;

    keeper_leave(first);
    open_keeper();
    return first;
}

/* A mail that is on its way to the backend; the owner's socket. */
static int start_release(struct taken *taken)
{
    struct mail mail;
    int fd;

    keeper_link_set_events(worker, &link_events, taken);
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    fd = start_asking("verb release\nid 06h0x6s1zxfdk76x-1\n");
    net_run_until(loop, "a release", was_taken, taken);
    return fd;
}

START_TEST(a_release_goes_on_while_its_keeper_drains)
{
    struct taken taken = { .count = 0 };
    int fd = start_release(&taken);
    struct keeper *first = open_second_keeper();
    struct keeper_link *second_worker = keeper_link_new(loop, 3);
    struct text printed;

    keeper_link_connect(second_worker, join());
    keeper_link_set_events(second_worker, &link_events, &taken);
    expect_listed(IDS(UNCERTAIN), "");
    expect_listed(IDS("4"), ID("1"));
    text_init(&printed, 1000);
    ck_assert_uint_eq(ask("verb release\nagain yes\nid 06h0x6s1zxfdk76x-1\n", &printed), 1);
    ck_assert_ptr_nonnull(strstr(text_string(&printed), "releasing"));
    text_clear(&printed);
    ck_assert_uint_eq(taken.count, 1);
    keeper_link_tell(worker, taken.attempt, 0, EXCHANGE_DELIVERED, SLICE("250 ok"));
    keeper_link_end_release(worker, taken.attempt);
    settle();
    net_run_for(loop, 50);
    expect_listed(IDS("16"), ID("1"));
    close(fd);
    keeper_link_free(&second_worker);
    keeper_free(&first);
}
END_TEST

START_TEST(a_release_is_uncertain_once_its_keeper_has_died)
{
    struct taken taken = { .count = 0 };
    int fd = start_release(&taken);
    struct keeper *first = open_second_keeper();

    expect_listed(IDS("4"), ID("1"));
    keeper_free(&first);
    expect_listed(IDS(UNCERTAIN), ID("1"));
    expect_listed(IDS("4"), "");
    close(fd);
}
END_TEST

START_TEST(what_one_keeper_stores_takes_room_from_the_other)
{
    struct keeper *first = open_second_keeper();
    struct keeper_link *first_worker = worker;
    struct mail mails[2];

    hold(&mails[0], 1, false, 700000);
    expect_result(&mails[0], HOLD_STORED);
    expect_listed(IDS(HELD), ID("1"));
    worker = keeper_link_new(loop, 3);
    keeper_link_connect(worker, join());
    hold(&mails[1], 2, false, 700000);
    expect_result(&mails[1], HOLD_FULL);
    hold_erase(&mails[1].hold);
    hold_forget(&mails[0].hold);
    for (int i = 0; i < 2; i++)
        drop(&mails[i]);
    keeper_link_free(&first_worker);
    keeper_free(&first);
}
END_TEST

START_TEST(a_keeper_that_drains_lets_no_mail_expire)
{
    int other = join();
    struct keeper *first;
    struct mail mail;

    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    first = open_second_keeper();
    settings.max_age_ms = 1;
    keeper_set_settings(first, &settings);
    close(other); /* it looks after things soon */
    net_run_for(loop, 150);
    expect_listed(IDS(HELD), ID("1"));
    keeper_free(&first);
}
END_TEST

/* ---- Workers that were taken over. */

static void say(int fd, enum exchange_type type, const char *id, const char *secret)
{
    struct exchange_claim body;

    memset(&body, 0, sizeof body);
    snprintf(body.id, sizeof body.id, "%s", id);
    snprintf(body.secret, sizeof body.secret, "%s", secret);
    ck_assert_int_eq(exchange_send(fd, type, &body, sizeof body, SLICE_EMPTY, NULL, 0),
                     PACKET_DONE);
    net_run_for(loop, 50);
}

/* The folder is read by more than workers: backups, owners, a console. */
START_TEST(what_stands_in_a_copy_proves_nothing)
{
    char half[EXCHANGE_SECRET_BYTES + 1];
    char bytes[2000] = "";
    struct mail mail;
    int evil = join();
    const char *claim;
    FILE *file;

    hold(&mail, 1, true, 100);
    expect_result(&mail, HOLD_STORED);
    file = fopen("mail/06h0x6s1zxfdk76x-1", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(bytes, 1, sizeof bytes - 1, file), 0);
    fclose(file);
    claim = strstr(bytes, "\nclaim ");
    ck_assert_ptr_nonnull(claim);
    snprintf(half, sizeof half, "%s", claim + strlen("\nclaim "));
    say(evil, EXCHANGE_ERASE, "06h0x6s1zxfdk76x-1", half);
    expect_listed(IDS(PENDING), ID("1"));
    hold_erase(&mail.hold);
    settle();
    expect_listed(IDS(ANY), "");
    close(evil);
    drop(&mail);
}
END_TEST

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

/* A mail that was held long ago is its owner's. */
START_TEST(a_worker_erases_what_is_pending_or_new_and_nothing_else)
{
    uint64_t later_us = clock_wall_us() + 11 * 60000000ull;
    struct mail mails[3];

    hold(&mails[0], 1, false, 100);
    hold(&mails[1], 2, true, 100);
    hold(&mails[2], 3, false, 100);
    for (int i = 0; i < 3; i++)
        expect_result(&mails[i], HOLD_STORED);
    hold_erase(&mails[2].hold);
    net_run_for(loop, 50);
    expect_listed(IDS(ANY), ID("1") ID("2"));
    clock_set_source(&later_us);
    hold_erase(&mails[0].hold);
    hold_erase(&mails[1].hold);
    settle();
    clock_set_source(NULL);
    expect_listed(IDS(ANY), ID("1"));
    for (int i = 0; i < 3; i++)
        drop(&mails[i]);
}
END_TEST

/* A keeper that was long away has to hear first what was to be said to it. */
START_TEST(a_new_keeper_erases_old_mail_for_a_while)
{
    uint64_t later_us = clock_wall_us() + 11 * 60000000ull;
    struct mail mail;

    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    keeper_free(&keeper);
    hold_erase(&mail.hold);
    clock_set_source(&later_us);
    open_keeper();
    keeper_link_connect(worker, join());
    settle();
    clock_set_source(NULL);
    expect_listed(IDS(ANY), "");
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

/* A worker whose channel takes a few messages only. */
static int join_narrow(void)
{
    int least = 1;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    keeper_add_worker(keeper, ends[0]);
    return ends[1];
}

#define QUESTION_COUNT 60

static void ask_without_reading(int fd)
{
    struct exchange_claim claim = { .secret = "00000000000000000000000000000000" };

    for (unsigned int i = 1; i <= QUESTION_COUNT; i++) {
        snprintf(claim.id, sizeof claim.id, "06h0x6s1zxfdk76x-%u", i);
        ck_assert_int_eq(exchange_send(fd, EXCHANGE_COMMIT, &claim, sizeof claim, SLICE_EMPTY,
                                       NULL, 0),
                         PACKET_DONE);
    }
    net_run_for(loop, 50);
}

START_TEST(a_worker_that_reads_late_gets_every_answer_in_order)
{
    int late = join_narrow();
    unsigned int count = 0;

    ask_without_reading(late);
    while (count < QUESTION_COUNT) {
        struct exchange message;
        char want[COPY_ID_MAX_BYTES + 1];

        net_run_until(loop, "an answer", has_answer, &late);
        ck_assert_int_eq(exchange_receive(late, &message), PACKET_DONE);
        if (exchange_type(&message) == EXCHANGE_ENDED) {
            snprintf(want, sizeof want, "06h0x6s1zxfdk76x-%u", ++count);
            ck_assert_str_eq(message.body.claim.id, want);
        }
        packet_clear(&message.packet);
    }
    close(late);
}
END_TEST

START_TEST(a_worker_that_never_reads_harms_nobody_and_may_die)
{
    int mute = join_narrow();
    struct mail mails[2];

    ask_without_reading(mute);
    hold(&mails[0], 1, false, 100);
    expect_result(&mails[0], HOLD_STORED);
    close(mute);
    net_run_for(loop, 50);
    hold(&mails[1], 2, false, 100);
    expect_result(&mails[1], HOLD_STORED);
    keeper_leave(keeper);
    ck_assert(!keeper_is_alone(keeper));
    for (int i = 0; i < 2; i++) {
        hold_forget(&mails[i].hold);
        drop(&mails[i]);
    }
    keeper_link_free(&worker);
    net_run_for(loop, 50);
    ck_assert_msg(keeper_is_alone(keeper), "a dead worker is not noticed");
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

/* Hands over a copy of which only the content is bad, and is told what became of it. */
static uint32_t store_evil(int content_fd, const struct store_piece *pieces, size_t count)
{
    struct exchange_claim claim = { "06h0x6s1zxfdk76x-1", "00000000000000000000000000000000" };
    struct exchange message = { .packet = { .type = EXCHANGE_WELCOME } };
    int evil = join();
    struct text words;
    struct copy copy;
    uint32_t result;
    int fds[2];

    unit_make_copy(&copy, 1, "<a@example.net>");
    exchange_digest_secret(claim.secret, copy.claim);
    unit_add_recipient(&copy, "<b@example.org>", "rule.p.r", 0, NULL);
    text_init(&words, 10000);
    copy_print(&words, &copy);
    fds[0] = exchange_make_sheet(text_slice(&words), pieces, count);
    fds[1] = content_fd;
    ck_assert_int_eq(exchange_send(evil, EXCHANGE_STORE, &claim, sizeof claim, SLICE_EMPTY, fds,
                                   2),
                     PACKET_DONE);
    while (exchange_type(&message) != EXCHANGE_STORED) {
        net_run_until(loop, "an answer", has_answer, &evil);
        ck_assert_int_eq(exchange_receive(evil, &message), PACKET_DONE);
        packet_clear(&message.packet);
    }
    result = message.body.stored.result;
    close(fds[0]);
    close(evil);
    text_clear(&words);
    copy_clear(&copy);
    return result;
}

START_TEST(content_is_a_regular_file_once_through)
{
    static const struct store_piece twice[] = { { .length = 60 }, { .offset = 40, .length = 60 } };
    static const struct store_piece behind = { .offset = 50, .length = 51 };
    static const struct store_piece far = { .offset = UINT64_MAX, .length = 2 };
    static const struct store_piece parts[] = { { .length = 0 }, { .offset = 10, .length = 20 },
                                                { .offset = 50, .length = 50 } };
    int file = make_file(100);
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_uint_eq(store_evil(pipes[0], NULL, 0), STORE_BROKEN);
    ck_assert_uint_eq(store_evil(file, twice, COUNT(twice)), STORE_BROKEN);
    ck_assert_uint_eq(store_evil(file, &behind, 1), STORE_BROKEN);
    ck_assert_uint_eq(store_evil(file, &far, 1), STORE_BROKEN);
    expect_listed(IDS(ANY), "");
    ck_assert_uint_eq(store_evil(file, parts, COUNT(parts)), STORE_DONE);
    close(pipes[0]);
    close(pipes[1]);
    close(file);
}
END_TEST

START_TEST(one_mail_has_a_ceiling)
{
    struct mail mails[2];

    settings.max_mail_bytes = 100;
    keeper_set_settings(keeper, &settings);
    hold(&mails[0], 1, false, 101);
    hold(&mails[1], 2, false, 100);
    expect_result(&mails[0], HOLD_FAILED);
    expect_result(&mails[1], HOLD_STORED);
    hold_erase(&mails[0].hold);
    hold_forget(&mails[1].hold);
    settle();
    for (int i = 0; i < 2; i++)
        drop(&mails[i]);
}
END_TEST

int main(void)
{
    TCase *releases = tcase_create("releases");
    TCase *pairs = tcase_create("two keepers");
    TCase *evil = tcase_create("evil");
    TCase *all[] = { releases, pairs, evil };

    tcase_add_test(releases, a_delivered_release_is_released);
    tcase_add_test(releases, a_refused_release_is_held);
    tcase_add_test(releases, a_lost_release_is_uncertain);
    tcase_add_test(pairs, a_release_goes_on_while_its_keeper_drains);
    tcase_add_test(pairs, a_release_is_uncertain_once_its_keeper_has_died);
    tcase_add_test(pairs, what_one_keeper_stores_takes_room_from_the_other);
    tcase_add_test(pairs, a_keeper_that_drains_lets_no_mail_expire);
    tcase_add_test(evil, what_stands_in_a_copy_proves_nothing);
    tcase_add_test(evil, a_worker_cannot_end_what_another_has_stored);
    tcase_add_test(evil, a_worker_erases_what_is_pending_or_new_and_nothing_else);
    tcase_add_test(evil, a_new_keeper_erases_old_mail_for_a_while);
    tcase_add_test(evil, a_worker_that_says_nonsense_is_hung_up_on_and_harms_nobody);
    tcase_add_test(evil, a_worker_that_reads_late_gets_every_answer_in_order);
    tcase_add_test(evil, a_worker_that_never_reads_harms_nobody_and_may_die);
    tcase_add_test(evil, a_store_that_does_not_add_up_is_refused);
    tcase_add_test(evil, content_is_a_regular_file_once_through);
    tcase_add_test(evil, one_mail_has_a_ceiling);
    return run_cases("quarantine-keeper-workers", all, COUNT(all));
}
