/* SPDX-License-Identifier: BSD-2-Clause */
/* record/presence: who is connected, as all workers see it. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/presence.h"
#include "unit.h"

static void *memory;
static struct presence workers[2];

static void set_up(void)
{
    unsigned int table;

    memory = mmap(NULL, presence_memory_bytes(), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    for (unsigned int i = 0; i < 2; i++) {
        ck_assert(presence_take_table(memory, &table));
        ck_assert_uint_eq(table, i);
        workers[i] = (struct presence){ memory, table, { 1, 2 } };
    }
}

static void tear_down(void)
{
    munmap(memory, presence_memory_bytes());
}

static struct ip_address address(const char *text)
{
    struct ip_address parsed;

    ck_assert_msg(ip_parse(slice_from(text), &parsed), "no address: %s", text);
    return parsed;
}

static struct presence_counts enter(unsigned int worker, const char *listener, const char *client,
                                    struct presence_mark *mark)
{
    struct ip_address parsed = address(client);

    return presence_enter(&workers[worker], slice_from(listener), &parsed, mark);
}

static void expect(struct presence_counts got, uint64_t of_address, uint64_t of_network)
{
    ck_assert_msg(got.address == of_address && got.network == of_network,
                  "got %llu and %llu, want %llu and %llu", (unsigned long long)got.address,
                  (unsigned long long)got.network, (unsigned long long)of_address,
                  (unsigned long long)of_network);
}

START_TEST(sessions_are_summed_over_the_workers_and_go_when_they_leave)
{
    struct presence_mark first, second, third, other;

    expect(enter(0, "inbound", "192.0.2.1", &first), 1, 1);
    expect(enter(1, "inbound", "192.0.2.1", &second), 2, 2);
    expect(enter(1, "inbound", "192.0.2.2", &other), 1, 3);
    presence_leave(&workers[0], &first);
    expect(enter(0, "inbound", "192.0.2.1", &third), 2, 3);
    presence_leave(&workers[1], &second);
    presence_leave(&workers[1], &other);
    presence_leave(&workers[0], &third);
    expect(enter(0, "inbound", "192.0.2.1", &first), 1, 1);
}
END_TEST

START_TEST(leaving_twice_counts_once)
{
    struct presence_mark first, second, third;

    enter(0, "inbound", "192.0.2.1", &first);
    enter(0, "inbound", "192.0.2.1", &second);
    presence_leave(&workers[0], &first);
    presence_leave(&workers[0], &first);
    expect(enter(0, "inbound", "192.0.2.1", &third), 2, 2);
}
END_TEST

START_TEST(each_listener_counts_for_itself)
{
    struct presence_mark marks[2];

    expect(enter(0, "inbound", "192.0.2.1", &marks[0]), 1, 1);
    expect(enter(0, "other", "192.0.2.1", &marks[1]), 1, 1);
}
END_TEST

/* What counts as one address, and as one network. */
static const struct {
    const char *one, *other;
    bool is_same_address, is_same_network;
} neighbours[] = {
    { "192.0.2.1", "192.0.2.1", true, true },
    { "192.0.2.1", "192.0.2.200", false, true },
    { "192.0.2.1", "192.0.3.1", false, false },
    { "2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true, true },
    { "2001:db8:1:2::1", "2001:db8:1:3::1", false, true },
    { "2001:db8:1:2::1", "2001:db8:2:2::1", false, false },
    { "::1", "::2", true, true },
    /* The mapped form is how an IPv4 address is held, and no part of ::/48. */
    { "::1", "192.0.2.1", false, false },
};

START_TEST(address_and_network_are_what_one_host_and_one_owner_have)
{
    struct presence_mark marks[2];

    enter(0, "inbound", neighbours[_i].one, &marks[0]);
    expect(enter(1, "inbound", neighbours[_i].other, &marks[1]),
           neighbours[_i].is_same_address ? 2 : 1, neighbours[_i].is_same_network ? 2 : 1);
}
END_TEST

START_TEST(table_of_a_worker_that_has_ended_is_not_summed)
{
    struct presence_mark marks[3];

    enter(1, "inbound", "192.0.2.1", &marks[0]);
    presence_drop_table(memory, 1);
    expect(enter(0, "inbound", "192.0.2.1", &marks[1]), 1, 1);
}
END_TEST

START_TEST(tables_are_taken_until_there_are_none_and_again)
{
    unsigned int table;

    for (unsigned int i = 2; i < PRESENCE_MAX_TABLES; i++) {
        ck_assert(presence_take_table(memory, &table));
        ck_assert_uint_eq(table, i);
    }
    ck_assert(!presence_take_table(memory, &table));
    presence_drop_table(memory, 70);
    ck_assert(presence_take_table(memory, &table));
    ck_assert_uint_eq(table, 70);
}
END_TEST

/* Many more clients than there is room for: nothing breaks, and all that was counted goes again. */
START_TEST(client_whose_place_is_full_is_not_counted)
{
    enum { CLIENTS = 100000 };
    static struct presence_mark marks[CLIENTS];
    const char *table = (const char *)memory + presence_table_offset(0);
    size_t uncounted = 0;
    size_t left = 0;

    for (unsigned int i = 0; i < CLIENTS; i++) {
        char client[40];

        snprintf(client, sizeof client, "2001:db8:%x:%x::1", i / 7, i % 7);
        enter(0, "inbound", client, &marks[i]);
        uncounted += marks[i].address == 0;
    }
    ck_assert_uint_gt(uncounted, CLIENTS - PRESENCE_BUCKETS * PRESENCE_WAYS);
    for (unsigned int i = 0; i < CLIENTS; i++)
        presence_leave(&workers[0], &marks[i]);
    for (size_t i = 0; i < presence_table_bytes(); i++)
        left += table[i] != 0;
    ck_assert_uint_eq(left, 0);
}
END_TEST

/* The usual load: hardly anybody finds their place full. */
START_TEST(five_thousand_clients_are_counted)
{
    size_t uncounted = 0;

    for (unsigned int i = 0; i < 5000; i++) {
        struct presence_mark mark;
        char client[40];

        snprintf(client, sizeof client, "10.%u.%u.1", i / 250, i % 250);
        enter(0, "inbound", client, &mark);
        uncounted += (mark.address == 0) + (mark.network == 0);
    }
    ck_assert_uint_le(uncounted, 2);
}
END_TEST

/* Two processes at once: never do both see room for the last one. */
START_TEST(ceiling_is_never_passed_by_two_at_the_same_moment)
{
    enum { ROUNDS = 20000, CEILING = 1 };
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _Atomic uint32_t *admitted = shared;
    unsigned int self = 0;
    bool is_passed = false;
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        self = 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct presence_mark mark;

        if (enter(self, "inbound", "192.0.2.1", &mark).address <= CEILING) {
            is_passed = is_passed || ++*admitted > CEILING;
            --*admitted;
        }
        presence_leave(&workers[self], &mark);
    }
    if (child == 0)
        _exit(is_passed);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!is_passed && status == 0);
    munmap(shared, 4096);
}
END_TEST

static Suite *presence_suite(void)
{
    Suite *suite = suite_create("record: presence");
    TCase *presence = tcase_create("presence");

    tcase_set_timeout(presence, 60); /* valgrind is slow */
    tcase_add_checked_fixture(presence, set_up, tear_down);
    tcase_add_test(presence, sessions_are_summed_over_the_workers_and_go_when_they_leave);
    tcase_add_test(presence, leaving_twice_counts_once);
    tcase_add_test(presence, each_listener_counts_for_itself);
    tcase_add_loop_test(presence, address_and_network_are_what_one_host_and_one_owner_have, 0,
                        (int)(sizeof neighbours / sizeof neighbours[0]));
    tcase_add_test(presence, table_of_a_worker_that_has_ended_is_not_summed);
    tcase_add_test(presence, tables_are_taken_until_there_are_none_and_again);
    tcase_add_test(presence, client_whose_place_is_full_is_not_counted);
    tcase_add_test(presence, five_thousand_clients_are_counted);
    tcase_add_test(presence, ceiling_is_never_passed_by_two_at_the_same_moment);
    suite_add_tcase(suite, presence);
    return suite;
}

int main(void)
{
    return unit_run(presence_suite());
}
