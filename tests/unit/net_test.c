/* SPDX-License-Identifier: BSD-2-Clause */
/* net/loop: timers, tasks, watches, signals, turns. */
#include "net/loop.h"

#include <signal.h>

#include "base/clock.h"
#include "base/memory.h"
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
        loop_defer_again(loop, &again);
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
    loop_defer_again(loop, &again);
    for (unsigned int turn = 1; turn <= 3; turn++) {
        loop_stop(loop);
        loop_run(loop);
        ck_assert_uint_eq(runs, turn);
    }
}
END_TEST

static struct loop_task chain[4];

static void defer_next(void *owner)
{
    size_t place = (size_t)((struct loop_task *)owner - chain);

    tell(&letters[place]);
    if (place == 0)
        loop_defer_again(loop, &chain[1]);
    else if (place < 3)
        loop_defer(loop, &chain[place + 1]);
}

/* An answer, the commands that waited for it, what they begin: one turn. More is for the next. */
START_TEST(what_an_answer_leads_to_is_begun_in_its_turn)
{
    for (size_t i = 0; i < COUNT(chain); i++)
        loop_task_init(&chain[i], defer_next, &chain[i]);
    loop_defer(loop, &chain[0]);
    loop_stop(loop);
    loop_run(loop);
    ck_assert_str_eq(story, "abc");
    loop_stop(loop);
    loop_run(loop);
    ck_assert_str_eq(story, "abcd");
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

START_TEST(a_turn_ends_though_more_is_ready_and_leaves_nobody_out)
{
    struct watcher watchers[200] = { { 0 } };
    unsigned int called = 0;

    for (size_t i = 0; i < COUNT(watchers); i++) {
        int fds[2];

        net_socketpair(fds);
        close(fds[1]);
        watchers[i].fd = fds[0];
        watchers[i].frees = true;
        watchers[i].watch = loop_watch_new(loop, fds[0], true, on_watched, &watchers[i]);
    }
    for (size_t turns = 1; called < COUNT(watchers); turns++) {
        loop_stop(loop);
        loop_run(loop);
        called = 0;
        for (size_t i = 0; i < COUNT(watchers); i++)
            called += watchers[i].calls;
        ck_assert_uint_gt(called, 0);
        ck_assert_uint_le(called, 64 * turns);
    }
    for (size_t i = 0; i < COUNT(watchers); i++) {
        ck_assert_uint_eq(watchers[i].calls, 1);
        close(watchers[i].fd);
    }
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

START_TEST(a_signal_behind_the_end_of_its_loop_is_harmless)
{
    bool is_caught = false;

    loop_on_signal(loop, SIGUSR1, net_set_flag, &is_caught);
    loop_free(&loop);
    ck_assert_int_eq(raise(SIGUSR1), 0); /* by default it would end us */
    ck_assert(!is_caught);
    loop = loop_new();
}
END_TEST

static void be_slow(void *owner)
{
    uint64_t start = clock_monotonic_us();

    (void)owner;
    while (clock_monotonic_us() - start < 5000)
        continue;
}

/* Each takes 2 ms, by a clock that moves with them only. */
static uint64_t costly_us = 1000000;

static void work_hard(void *owner)
{
    costly_us += 2000;
    tell(owner);
}

static struct loop_watch *hard_watches[10];

static void work_hard_once(void *owner)
{
    struct loop_watch **watch = owner;

    loop_watch_free(watch);
    work_hard(&letters[(watch - hard_watches) % 8]);
}

/* Everything is done, by and by, and no turn is longer than it may be. */
static void run_hard_turns(size_t want_length)
{
    size_t turns = 0;

    (void)loop_take_longest_turn_us(loop);
    while (strlen(story) < want_length) {
        ck_assert_uint_lt(turns++, want_length);
        loop_stop(loop);
        loop_run(loop);
        ck_assert_uint_le(loop_take_longest_turn_us(loop), 10000);
    }
    clock_set_source(NULL);
}

START_TEST(a_turn_of_callbacks_that_cost_much_has_few_of_them)
{
    int fds[COUNT(hard_watches)][2];

    clock_set_source(&costly_us);
    for (size_t i = 0; i < COUNT(hard_watches); i++) {
        net_socketpair(fds[i]);
        hard_watches[i] = loop_watch_new(loop, fds[i][0], true, work_hard_once, &hard_watches[i]);
    }
    run_hard_turns(COUNT(hard_watches));
    for (size_t i = 0; i < COUNT(hard_watches); i++) {
        ck_assert_ptr_null(hard_watches[i]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
}
END_TEST

START_TEST(a_turn_of_tasks_that_cost_much_has_few_of_them_in_their_order)
{
    struct loop_task tasks[8];
    struct loop_task repeated[8];

    clock_set_source(&costly_us);
    for (size_t i = 0; i < COUNT(tasks); i++) {
        loop_task_init(&tasks[i], work_hard, &letters[i]);
        loop_defer(loop, &tasks[i]);
    }
    run_hard_turns(8);
    ck_assert_str_eq(story, "abcdefgh");
    clock_set_source(&costly_us);
    for (size_t i = 0; i < COUNT(tasks); i++) {
        loop_defer(loop, &tasks[i]);
        loop_task_init(&repeated[i], work_hard, &letters[i]);
        loop_defer_again(loop, &repeated[i]);
    }
    run_hard_turns(24);
    for (size_t i = 0; i < COUNT(tasks); i++)
        ck_assert(list_is_empty(&tasks[i].link) && list_is_empty(&repeated[i].link));
}
END_TEST

START_TEST(timers_that_cost_much_share_several_turns)
{
    struct loop_timer timers[8];

    clock_set_source(&costly_us);
    for (size_t i = 0; i < COUNT(timers); i++) {
        loop_timer_init(&timers[i], loop, work_hard, &letters[i]);
        loop_timer_start(&timers[i], 0);
    }
    costly_us += 10000;
    run_hard_turns(8);
}
END_TEST

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

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *loops = tcase_create("loop");

    tcase_add_checked_fixture(loops, set_up, tear_down);
    tcase_add_test(loops, timers_come_due_in_order_and_never_early);
    tcase_add_test(loops, a_cancelled_timer_is_silent_and_one_set_anew_comes_once);
    tcase_add_test(loops, a_timer_may_set_itself_again);
    tcase_add_test(loops, a_thousand_timers_set_moved_and_cancelled_at_random_all_keep_their_word);
    tcase_add_test(loops, a_timer_cancelled_by_another_of_the_same_moment_is_silent);
    tcase_add_test(loops, work_put_off_runs_once_in_order_and_not_inside_the_call);
    tcase_add_test(loops, work_that_puts_itself_off_waits_for_the_next_turn);
    tcase_add_test(loops, what_an_answer_leads_to_is_begun_in_its_turn);
    tcase_add_test(loops, work_cancelled_by_work_before_it_is_silent);
    tcase_add_test(loops, a_watch_tells_as_long_as_there_is_something_and_rests_when_told);
    tcase_add_test(loops, a_watch_may_be_freed_from_its_own_callback);
    tcase_add_test(loops, a_turn_ends_though_more_is_ready_and_leaves_nobody_out);
    tcase_add_test(loops, signals_come_through_the_loop);
    tcase_add_test(loops, a_signal_behind_the_end_of_its_loop_is_harmless);
    tcase_add_test(loops, a_turn_of_callbacks_that_cost_much_has_few_of_them);
    tcase_add_test(loops, a_turn_of_tasks_that_cost_much_has_few_of_them_in_their_order);
    tcase_add_test(loops, timers_that_cost_much_share_several_turns);
    tcase_add_test(loops, the_longest_turn_is_measured_without_the_waiting);
    suite_add_tcase(suite, loops);
    return unit_run(suite);
}
