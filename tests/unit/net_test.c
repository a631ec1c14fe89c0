/* SPDX-License-Identifier: BSD-2-Clause */
/* net/: the loop (timers, tasks, watches, signals) and the listener. */
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net_unit.h"

static struct loop *loop;

static void set_up(void)
{
    loop = loop_new();
}

static void tear_down(void)
{
    loop_free(&loop);
    ck_assert_ptr_null(loop);
}

/* What happened, in order, as letters. */
static char story[64];

static void tell(void *letter)
{
    size_t length = strlen(story);

    ck_assert_uint_lt(length, sizeof story - 1);
    story[length] = *(const char *)letter;
}

static char letters[] = "abcdefgh";

/* ---- timers ---- */

START_TEST(timers_come_due_in_order_and_never_early)
{
    struct loop_timer timers[5];
    static const uint64_t delays[] = { 30, 10, 20, 0, 10 };
    uint64_t start = clock_monotonic_us();

    for (size_t i = 0; i < COUNT(timers); i++) {
        loop_timer_init(&timers[i], loop, tell, &letters[i]);
        ck_assert(!loop_timer_is_set(&timers[i]));
        loop_timer_start(&timers[i], delays[i]);
        ck_assert(loop_timer_is_set(&timers[i]));
    }
    while (loop_timer_is_set(&timers[0])) {
        loop_stop(loop);
        loop_run(loop);
    }
    ck_assert_uint_ge(clock_monotonic_us() - start, 30000);
    /* b and e are due together: either may be first. */
    ck_assert_msg(strcmp(story, "dbeca") == 0 || strcmp(story, "debca") == 0, "got %s", story);
    for (size_t i = 0; i < COUNT(timers); i++)
        ck_assert(!loop_timer_is_set(&timers[i]));
}
END_TEST

START_TEST(a_cancelled_timer_is_silent_and_one_set_anew_comes_once)
{
    struct loop_timer timers[4];

    for (size_t i = 0; i < COUNT(timers); i++)
        loop_timer_init(&timers[i], loop, tell, &letters[i]);
    loop_timer_cancel(&timers[0]);
    loop_timer_start(&timers[0], 5);
    loop_timer_cancel(&timers[0]);
    ck_assert(!loop_timer_is_set(&timers[0]));
    loop_timer_start(&timers[1], 1);
    loop_timer_start(&timers[1], 30); /* later */
    loop_timer_start(&timers[2], 10000);
    loop_timer_start(&timers[2], 10); /* earlier */
    loop_timer_start(&timers[3], UINT64_MAX);
    net_run_for(loop, 40);
    ck_assert_str_eq(story, "cb");
    ck_assert(loop_timer_is_set(&timers[3]));
    loop_timer_cancel(&timers[3]);
}
END_TEST

static struct loop_timer restarting;
static unsigned int restarts;

static void restart(void *owner)
{
    (void)owner;
    if (++restarts < 3)
        loop_timer_start(&restarting, 0);
}

START_TEST(a_timer_may_set_itself_again)
{
    loop_timer_init(&restarting, loop, restart, NULL);
    loop_timer_start(&restarting, 0);
    net_run_for(loop, 20);
    ck_assert_uint_eq(restarts, 3);
}
END_TEST

struct chance_timer {
    struct loop_timer timer;
    uint64_t want_ms; /* 0: not to come */
    bool has_come;
};

static void check_chance(void *owner)
{
    struct chance_timer *chance = owner;

    ck_assert(!chance->has_come);
    chance->has_come = true;
    ck_assert_uint_ne(chance->want_ms, 0);
    ck_assert_uint_ge(loop_now_ms(loop), chance->want_ms);
}

START_TEST(a_thousand_timers_set_moved_and_cancelled_at_random_all_keep_their_word)
{
    enum { TIMERS = 1000 };
    struct chance_timer *chances = mem_new_array(TIMERS, sizeof *chances);
    unsigned int state = 12345;

    for (size_t i = 0; i < TIMERS; i++)
        loop_timer_init(&chances[i].timer, loop, check_chance, &chances[i]);
    for (size_t n = 0; n < 6 * TIMERS; n++) {
        struct chance_timer *chance;
        uint64_t delay;

        state = state * 1103515245u + 12345u;
        chance = &chances[(state >> 8) % TIMERS];
        delay = (state >> 20) % 60;
        if (state % 5 == 0) {
            loop_timer_cancel(&chance->timer);
            chance->want_ms = 0;
        } else {
            chance->want_ms = loop_now_ms(loop) + delay;
            loop_timer_start(&chance->timer, delay);
        }
    }
    net_run_for(loop, 80);
    for (size_t i = 0; i < TIMERS; i++)
        ck_assert_msg(chances[i].has_come == (chances[i].want_ms != 0), "timer %zu", i);
    mem_free(chances);
}
END_TEST

static struct loop_timer victim;

static void cancel_victim(void *owner)
{
    (void)owner;
    loop_timer_cancel(&victim);
}

START_TEST(a_timer_cancelled_by_another_of_the_same_moment_is_silent)
{
    struct loop_timer killer;

    loop_timer_init(&killer, loop, cancel_victim, NULL);
    loop_timer_init(&victim, loop, tell, letters);
    loop_timer_start(&killer, 4);
    loop_timer_start(&victim, 5);
    usleep(10000); /* both are due when the loop looks */
    net_run_for(loop, 5);
    ck_assert_str_eq(story, "");
}
END_TEST

/* ---- tasks ---- */

static struct loop_task again;
static unsigned int runs;

static void defer_again(void *owner)
{
    tell(owner);
    if (++runs < 3)
        loop_defer(loop, &again);
}

START_TEST(work_put_off_runs_once_in_order_and_not_inside_the_call)
{
    struct loop_task tasks[4];

    for (size_t i = 0; i < COUNT(tasks); i++)
        loop_task_init(&tasks[i], tell, &letters[i]);
    loop_defer(loop, &tasks[2]);
    loop_defer(loop, &tasks[0]);
    loop_defer(loop, &tasks[1]);
    loop_defer(loop, &tasks[2]);
    loop_defer(loop, &tasks[3]);
    loop_task_cancel(&tasks[0]);
    loop_task_cancel(&tasks[0]);
    ck_assert_str_eq(story, "");
    loop_stop(loop);
    loop_run(loop);
    ck_assert_str_eq(story, "cbd");
    loop_defer(loop, &tasks[0]);
    loop_stop(loop);
    loop_run(loop);
    ck_assert_str_eq(story, "cbda");
}
END_TEST

START_TEST(work_that_puts_itself_off_waits_for_the_next_turn)
{
    loop_task_init(&again, defer_again, letters);
    loop_defer(loop, &again);
    for (unsigned int turn = 1; turn <= 3; turn++) {
        loop_stop(loop);
        loop_run(loop);
        ck_assert_uint_eq(runs, turn);
    }
}
END_TEST

static struct loop_task doomed;

static void cancel_doomed(void *owner)
{
    (void)owner;
    loop_task_cancel(&doomed);
}

START_TEST(work_cancelled_by_work_before_it_is_silent)
{
    struct loop_task killer;

    loop_task_init(&killer, cancel_doomed, NULL);
    loop_task_init(&doomed, tell, letters);
    loop_defer(loop, &killer);
    loop_defer(loop, &doomed);
    loop_stop(loop);
    loop_run(loop);
    ck_assert_str_eq(story, "");
}
END_TEST

/* ---- watches and signals ---- */

struct watcher {
    struct loop_watch *watch;
    int fd;
    unsigned int calls;
    bool frees;
};

static void on_watched(void *owner)
{
    struct watcher *watcher = owner;

    watcher->calls++;
    if (watcher->frees)
        loop_watch_free(&watcher->watch);
}

static void run_turns(unsigned int count)
{
    struct loop_task wake;

    while (count-- > 0) {
        loop_task_init(&wake, tell, letters);
        loop_defer(loop, &wake);
        loop_stop(loop);
        loop_run(loop);
    }
}

START_TEST(a_watch_tells_as_long_as_there_is_something_and_rests_when_told)
{
    struct watcher watcher = { 0 };
    int fds[2];
    char byte;

    net_socketpair(fds);
    watcher.watch = loop_watch_new(loop, fds[0], false, on_watched, &watcher);
    run_turns(2);
    ck_assert_uint_eq(watcher.calls, 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    run_turns(2);
    ck_assert_uint_eq(watcher.calls, 2);
    loop_watch_pause(watcher.watch);
    loop_watch_pause(watcher.watch);
    run_turns(2);
    ck_assert_uint_eq(watcher.calls, 2);
    loop_watch_resume(watcher.watch);
    loop_watch_resume(watcher.watch);
    run_turns(1);
    ck_assert_uint_eq(watcher.calls, 3);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    run_turns(1);
    ck_assert_uint_eq(watcher.calls, 3);
    loop_watch_free(&watcher.watch);
    loop_watch_free(&watcher.watch);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(a_watch_may_be_freed_from_its_own_callback)
{
    struct watcher watcher = { .frees = true };
    int fds[2];

    net_socketpair(fds);
    watcher.watch = loop_watch_new(loop, fds[0], true, on_watched, &watcher);
    run_turns(3);
    ck_assert_uint_eq(watcher.calls, 1);
    ck_assert_ptr_null(watcher.watch);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(signals_come_through_the_loop)
{
    bool is_caught = false;

    loop_on_signal(loop, SIGUSR1, net_set_flag, &is_caught);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(!is_caught);
    net_run_until(loop, "a signal", net_is_set, &is_caught);
}
END_TEST

static void be_slow(void *owner)
{
    uint64_t start = clock_monotonic_us();

    (void)owner;
    while (clock_monotonic_us() - start < 5000)
        continue;
}

START_TEST(the_longest_turn_is_measured_without_the_waiting)
{
    struct loop_task slow;
    uint64_t longest;

    net_run_for(loop, 20);
    (void)loop_take_longest_turn_us(loop);
    loop_task_init(&slow, be_slow, NULL);
    loop_defer(loop, &slow);
    loop_stop(loop);
    loop_run(loop);
    longest = loop_take_longest_turn_us(loop);
    ck_assert_msg(longest >= 5000, "got %llu us", (unsigned long long)longest);
    net_run_for(loop, 20);
    longest = loop_take_longest_turn_us(loop);
    ck_assert_msg(longest < 20000, "waiting was counted: %llu us", (unsigned long long)longest);
}
END_TEST

/* ---- listener ---- */

struct acceptor {
    struct listener *listener;
    int fds[64];
    struct ip_endpoint peers[64];
    size_t count;
    size_t wanted;
    bool frees;
    bool pauses;
};

static void on_accept(void *owner, int take_fd, const struct ip_endpoint *peer)
{
    struct acceptor *acceptor = owner;

    acceptor->fds[acceptor->count] = take_fd;
    acceptor->peers[acceptor->count++] = *peer;
    if (acceptor->frees)
        listener_free(&acceptor->listener);
    if (acceptor->pauses)
        listener_pause(acceptor->listener);
}

static bool has_accepted(void *owner)
{
    const struct acceptor *acceptor = owner;

    return acceptor->count >= acceptor->wanted;
}

/* A listening socket on a port of the system's choice. */
static int listen_on(const char *address, struct ip_endpoint *bound)
{
    struct ip_endpoint endpoint;
    struct text problem;
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int fd;

    text_init(&problem, 200);
    ck_assert(ip_endpoint_parse(slice_from(address), &endpoint));
    fd = listener_bind(&endpoint, 128, &problem);
    ck_assert_msg(fd >= 0, "%s", text_string(&problem));
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&name, bound));
    text_clear(&problem);
    return fd;
}

static int connect_to(const struct ip_endpoint *endpoint)
{
    struct sockaddr_storage name;
    socklen_t length = ip_endpoint_to_sockaddr(endpoint, &name);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&name, length), 0);
    return fd;
}

static void close_all(struct acceptor *acceptor, const int *clients, size_t client_count)
{
    for (size_t i = 0; i < acceptor->count; i++)
        close(acceptor->fds[i]);
    for (size_t i = 0; i < client_count; i++)
        close(clients[i]);
}

START_TEST(a_listener_takes_all_at_most_sixteen_a_turn)
{
    struct acceptor acceptor = { .wanted = 40 };
    struct ip_endpoint bound;
    int fd = listen_on("127.0.0.1:0", &bound);
    int clients[40];
    struct sockaddr_storage name;
    struct ip_endpoint local;
    socklen_t length = sizeof name;

    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = connect_to(&bound);
    acceptor.listener = listener_new(loop, fd, on_accept, &acceptor);
    loop_stop(loop);
    loop_run(loop);
    ck_assert_uint_le(acceptor.count, 16);
    net_run_until(loop, "connections", has_accepted, &acceptor);
    ck_assert_int_ne(fcntl(acceptor.fds[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(acceptor.fds[0], F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(getsockname(clients[0], (struct sockaddr *)&name, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&name, &local));
    ck_assert(ip_endpoint_equals(&local, &acceptor.peers[0]));
    close_all(&acceptor, clients, COUNT(clients));
    listener_free(&acceptor.listener);
    close(fd);
}
END_TEST

START_TEST(a_listener_may_be_paused_or_freed_by_the_one_it_calls)
{
    struct acceptor acceptor = { .pauses = true, .wanted = 1 };
    struct ip_endpoint bound;
    int fd = listen_on("127.0.0.1:0", &bound);
    int clients[4];

    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = connect_to(&bound);
    acceptor.listener = listener_new(loop, fd, on_accept, &acceptor);
    net_run_until(loop, "the first", has_accepted, &acceptor);
    run_turns(3);
    ck_assert_uint_eq(acceptor.count, 1);
    acceptor.wanted = 2;
    listener_resume(acceptor.listener);
    net_run_until(loop, "the second", has_accepted, &acceptor);
    acceptor.pauses = false;
    acceptor.frees = true;
    acceptor.wanted = 3;
    listener_resume(acceptor.listener);
    net_run_until(loop, "the third", has_accepted, &acceptor);
    run_turns(3);
    ck_assert_uint_eq(acceptor.count, 3);
    ck_assert_ptr_null(acceptor.listener);
    close_all(&acceptor, clients, COUNT(clients));
    close(fd);
}
END_TEST

static unsigned int warnings;

static void count_warning(void *owner, enum log_level level, const char *event, struct slice message)
{
    (void)owner;
    (void)message;
    warnings += level == LOG_LEVEL_WARNING && strcmp(event, "accept-failed") == 0;
}

START_TEST(out_of_descriptors_a_listener_rests_and_loses_nobody)
{
    struct acceptor acceptor = { .wanted = 1 };
    struct ip_endpoint bound;
    int fd = listen_on("127.0.0.1:0", &bound);
    int client = connect_to(&bound);
    struct rlimit before;
    struct rlimit none;
    bool is_over = false;
    struct loop_timer timer;
    unsigned int turns = 0;

    log_set_sink(count_warning, NULL);
    loop_timer_init(&timer, loop, net_set_flag, &is_over);
    loop_timer_start(&timer, 250);
    acceptor.listener = listener_new(loop, fd, on_accept, &acceptor);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* all those below are open already */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (!net_is_set(&is_over)) {
        loop_stop(loop);
        loop_run(loop);
        turns++;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_uint_eq(acceptor.count, 0);
    ck_assert_msg(turns < 20, "%u turns: it spins", turns);
    ck_assert_uint_eq(warnings, 1);
    net_run_until(loop, "the connection that waited", has_accepted, &acceptor);
    log_set_sink(NULL, NULL);
    close_all(&acceptor, &client, 1);
    listener_free(&acceptor.listener);
    close(fd);
}
END_TEST

START_TEST(one_address_can_be_bound_several_times_and_a_foreign_one_gives_a_sentence)
{
    struct ip_endpoint bound;
    struct ip_endpoint v6;
    struct ip_endpoint foreign;
    struct text problem;
    int one = listen_on("127.0.0.1:0", &bound);
    int two;

    text_init(&problem, 200);
    two = listener_bind(&bound, 5, &problem);
    ck_assert_msg(two >= 0, "%s", text_string(&problem));
    close(one);
    close(two);
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.1:2525"), &foreign));
    ck_assert_int_eq(listener_bind(&foreign, 5, &problem), -1);
    unit_expect_text("problem", &problem,
                     SLICE("cannot listen on 192.0.2.1:2525: Cannot assign requested address"));
    text_clear(&problem);
    if (ip_endpoint_parse(SLICE("[::1]:0"), &v6) && (one = listener_bind(&v6, 5, &problem)) >= 0)
        close(one);
    text_clear(&problem);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *loops = tcase_create("loop");
    TCase *listeners = tcase_create("listener");

    tcase_add_checked_fixture(loops, set_up, tear_down);
    tcase_add_test(loops, timers_come_due_in_order_and_never_early);
    tcase_add_test(loops, a_cancelled_timer_is_silent_and_one_set_anew_comes_once);
    tcase_add_test(loops, a_timer_may_set_itself_again);
    tcase_add_test(loops, a_thousand_timers_set_moved_and_cancelled_at_random_all_keep_their_word);
    tcase_add_test(loops, a_timer_cancelled_by_another_of_the_same_moment_is_silent);
    tcase_add_test(loops, work_put_off_runs_once_in_order_and_not_inside_the_call);
    tcase_add_test(loops, work_that_puts_itself_off_waits_for_the_next_turn);
    tcase_add_test(loops, work_cancelled_by_work_before_it_is_silent);
    tcase_add_test(loops, a_watch_tells_as_long_as_there_is_something_and_rests_when_told);
    tcase_add_test(loops, a_watch_may_be_freed_from_its_own_callback);
    tcase_add_test(loops, signals_come_through_the_loop);
    tcase_add_test(loops, the_longest_turn_is_measured_without_the_waiting);
    suite_add_tcase(suite, loops);
    tcase_add_checked_fixture(listeners, set_up, tear_down);
    tcase_add_test(listeners, a_listener_takes_all_at_most_sixteen_a_turn);
    tcase_add_test(listeners, a_listener_may_be_paused_or_freed_by_the_one_it_calls);
    tcase_add_test(listeners, out_of_descriptors_a_listener_rests_and_loses_nobody);
    tcase_add_test(listeners,
                   one_address_can_be_bound_several_times_and_a_foreign_one_gives_a_sentence);
    suite_add_tcase(suite, listeners);
    return unit_run(suite);
}
