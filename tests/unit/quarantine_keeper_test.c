/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeper and workers together, in one loop: copies are stored, committed and
 * erased, and keepers die and come again.
 */
#include "quarantine_keeper_unit.h"

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

#define MANY 120

static void hold_many(void)
{
    for (unsigned int i = 1; i <= MANY; i++) {
        struct mail mail;

        hold(&mail, i, false, 10);
        expect_result(&mail, HOLD_STORED);
        hold_forget(&mail.hold);
        drop(&mail);
    }
}

/* Reads what is there of the answer. */
static bool has_ended(void *owner)
{
    char body[REQUEST_ANSWER_BYTES];
    bool is_end = false;

    while (!is_end && has_answer(owner)) {
        struct packet packet;

        ck_assert_int_eq(packet_receive(*(int *)owner, &packet, body, sizeof body), PACKET_DONE);
        is_end = packet.type == REQUEST_END;
        packet_clear(&packet);
    }
    return is_end;
}

/* Mail that comes while an owner's wish is carried out is on the disk before its end. */
static void expect_stored_before_the_end(const char *words)
{
    struct mail mail;
    int fd = start_asking(words);

    hold(&mail, MANY + 1, false, 10);
    expect_result(&mail, HOLD_STORED);
    ck_assert_msg(!has_ended(&fd), "the worker had to wait for all of it");
    net_run_until(loop, "the answer to the owner", has_ended, &fd);
    hold_forget(&mail.hold);
    drop(&mail);
    close(fd);
}

START_TEST(expiring_goes_on_between_what_workers_want)
{
    hold_many();
    settings.max_age_ms = 1;
    keeper_set_settings(keeper, &settings);
    expect_stored_before_the_end("verb expire\n");
    net_run_for(loop, 50);
    expect_listed(IDS(HELD), "");
}
END_TEST

START_TEST(deleting_goes_on_between_what_workers_want)
{
    struct text words;

    hold_many();
    text_init(&words, REQUEST_MAX_BYTES);
    text_add_string(&words, "verb delete\n");
    for (int i = 1; i <= MANY; i++)
        text_add_format(&words, "id 06h0x6s1zxfdk76x-%d\n", i);
    expect_stored_before_the_end(text_string(&words));
    expect_listed(IDS(HELD), ID("121"));
    text_clear(&words);
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

/* Likewise, with no room left for any other. */
START_TEST(a_copy_that_is_there_already_needs_no_room)
{
    struct mail mail;

    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    settings.max_bytes = 50;
    keeper_set_settings(keeper, &settings);
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
}
END_TEST

/* Likewise, and an owner saw the mail in the list before it was said again. */
START_TEST(a_copy_that_an_owner_is_done_with_is_not_stored_again)
{
    struct mail mail;
    struct text printed;

    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    text_init(&printed, 1000);
    ck_assert_uint_eq(ask("verb delete\nid 06h0x6s1zxfdk76x-1\n", &printed), 0);
    text_clear(&printed);
    hold(&mail, 1, false, 100);
    expect_result(&mail, HOLD_STORED);
    hold_forget(&mail.hold);
    drop(&mail);
    expect_listed(IDS(HELD), "");
    expect_listed(IDS(ANY), ID("1"));
    ck_assert_int_ne(access("mail/06h0x6s1zxfdk76x-1", F_OK), 0);
}
END_TEST

static void expect_said(int channel, enum exchange_type want)
{
    struct exchange message;

    net_run_until(loop, "the worker's word", has_answer, &channel);
    ck_assert_int_eq(exchange_receive(channel, &message), PACKET_DONE);
    ck_assert_int_eq(exchange_type(&message), want);
    packet_clear(&message.packet);
}

/* The keeper may have failed behind its rename, or be another than the one that stored it. */
START_TEST(a_copy_that_was_refused_is_erased_all_the_same)
{
    struct exchange_stored stored = { .id = "06h0x6s1zxfdk76x-1", .result = STORE_FAILED };
    struct mail mail;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    keeper_link_connect(worker, ends[0]);
    hold(&mail, 1, false, 100);
    expect_said(ends[1], EXCHANGE_STORE);
    ck_assert_int_eq(exchange_send(ends[1], EXCHANGE_STORED, &stored, sizeof stored, SLICE_EMPTY,
                                   NULL, 0),
                     PACKET_DONE);
    expect_result(&mail, HOLD_FAILED);
    hold_erase(&mail.hold);
    expect_said(ends[1], EXCHANGE_ERASE);
    close(ends[1]);
    drop(&mail);
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
    await_listed(IDS(UNCERTAIN), ID("1"));
    expect_listed(IDS(PENDING), "");
    drop(&mail);
}
END_TEST

/*
 * It may have told its client to come again, and died before it could say so. What it had not read
 * itself is no reason not to hear it.
 */
START_TEST(a_copy_that_a_dead_worker_was_not_told_of_is_uncertain)
{
    struct mail mail;

    hold(&mail, 1, false, 100);
    keeper_link_free(&worker);
    await_listed(IDS(UNCERTAIN), ID("1"));
    expect_listed(IDS(HELD), "");
    drop(&mail);
}
END_TEST

/* As a keeper leaves it that dies between the disk and its answer: as the worker's other mail. */
static void store_unanswered(unsigned int number)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct store_piece piece = { .bytes = "content", .length = 7 };
    struct store_draft *draft;
    struct store_file other;
    enum store_result result;
    struct store *store;
    struct text problem;
    struct copy copy;

    text_init(&problem, 500);
    store = store_open(fd, &problem);
    ck_assert_int_eq(store_read(store, "06h0x6s1zxfdk76x-1", false, &other, &problem), STORE_DONE);
    unit_make_copy(&copy, number, "<a@example.net>");
    unit_add_recipient(&copy, "<b@example.org>", "rule.p.r", 0, NULL);
    copy.owner = other.copy.owner;
    memcpy(copy.claim, other.copy.claim, sizeof copy.claim);
    ck_assert_int_eq(store_write(store, &copy, -1, &piece, 1, &draft, &problem), STORE_DONE);
    store_sync(store, &draft, 1, &result, &problem);
    ck_assert_int_eq(result, STORE_DONE);
    copy_clear(&copy);
    store_file_clear(&other);
    store_close(&store);
    text_clear(&problem);
}

START_TEST(a_copy_that_its_worker_was_not_told_of_is_held_once_that_asks_again)
{
    struct mail first, second;

    hold(&first, 1, false, 100);
    expect_result(&first, HOLD_STORED);
    keeper_free(&keeper);
    store_unanswered(2);
    unlink("index.db");
    open_keeper();
    keeper_link_connect(worker, join());
    expect_listed(IDS(PENDING), ID("2"));
    hold(&second, 2, false, 100);
    expect_result(&second, HOLD_STORED);
    expect_listed(IDS(PENDING), "");
    expect_listed(IDS(HELD), ID("1") ID("2"));
    hold_forget(&first.hold);
    hold_forget(&second.hold);
    drop(&first);
    drop(&second);
}
END_TEST

START_TEST(a_copy_that_its_worker_was_not_told_of_can_be_erased)
{
    struct mail first, second;

    hold(&first, 1, false, 100);
    expect_result(&first, HOLD_STORED);
    keeper_free(&keeper);
    store_unanswered(2);
    hold(&second, 2, false, 100);
    open_keeper();
    keeper_link_connect(worker, join());
    hold_erase(&second.hold);
    hold_forget(&first.hold);
    settle();
    expect_listed(IDS(ANY), ID("1"));
    drop(&first);
    drop(&second);
}
END_TEST

/* Of workers. */
static size_t count_lives(void)
{
    DIR *directory = opendir("alive");
    struct dirent *entry;
    size_t count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
    closedir(directory);
    return count;
}

START_TEST(nothing_is_left_in_the_folder_of_a_dead_worker)
{
    struct mail mail;
    int second = join();

    hold(&mail, 1, true, 100);
    expect_result(&mail, HOLD_STORED);
    ck_assert_uint_eq(count_lives(), 2);
    close(second);
    for (int i = 0; i < 400 && count_lives() > 1; i++)
        net_run_for(loop, 25);
    ck_assert_uint_eq(count_lives(), 1);
    expect_listed(IDS(PENDING), ID("1"));
    hold_commit(&mail.hold);
    settle();
    drop(&mail);
    keeper_link_free(&worker);
    for (int i = 0; i < 400 && count_lives() > 0; i++)
        net_run_for(loop, 25);
    ck_assert_uint_eq(count_lives(), 0);
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

int main(void)
{
    TCase *holding = tcase_create("holding");
    TCase *deaths = tcase_create("deaths");
    TCase *all[] = { holding, deaths };

    tcase_add_test(holding, a_copy_is_stored_and_stays);
    tcase_add_test(holding, a_pending_copy_is_committed_or_erased);
    tcase_add_test(holding, a_copy_that_is_given_up_before_the_answer_is_erased);
    tcase_add_test(holding, more_than_max_waiting_are_busy);
    tcase_add_test(holding, past_max_size_copies_are_refused_until_there_is_room);
    tcase_add_test(holding, expiring_goes_on_between_what_workers_want);
    tcase_add_test(holding, deleting_goes_on_between_what_workers_want);
    tcase_add_test(deaths, what_a_dead_keeper_has_not_answered_is_said_to_the_next);
    tcase_add_test(deaths, a_copy_that_is_there_already_is_known_by_its_claim);
    tcase_add_test(deaths, a_copy_that_is_there_already_needs_no_room);
    tcase_add_test(deaths, a_copy_that_an_owner_is_done_with_is_not_stored_again);
    tcase_add_test(deaths, a_copy_that_was_refused_is_erased_all_the_same);
    tcase_add_test(deaths, a_pending_copy_of_a_dead_worker_is_uncertain);
    tcase_add_test(deaths, a_copy_that_a_dead_worker_was_not_told_of_is_uncertain);
    tcase_add_test(deaths, a_copy_that_its_worker_was_not_told_of_is_held_once_that_asks_again);
    tcase_add_test(deaths, a_copy_that_its_worker_was_not_told_of_can_be_erased);
    tcase_add_test(deaths, nothing_is_left_in_the_folder_of_a_dead_worker);
    tcase_add_test(deaths, a_pending_copy_of_a_living_worker_stays_pending);
    return run_cases("quarantine-keeper", all, COUNT(all));
}
