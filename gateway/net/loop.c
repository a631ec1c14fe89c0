/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop; see loop.h. libevent waits for descriptors, and for one timer:
 * the earliest of ours. Ours are a binary heap of pointers into their owners.
 *
 * Most timers are deadlines that are set anew with every command and hardly ever
 * come due. So a timer set to a later time is left where it is in the heap: it is
 * looked at when it would have been due, and only then moved to its new place.
 */
#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/loop_internal.h"

/* No timer is set further ahead: sums cannot overflow. */
#define MAX_DELAY_MS (365ull * 24 * 3600 * 1000)
/*
 * Callbacks of descriptors in one turn. Two thousand handshakes that are ready at once would keep
 * the replies of everyone else unsent for half a second.
 */
#define MAX_CALLBACKS_PER_TURN 64
/*
 * Nor may a few that cost much: a piece of a body that is hashed in three ways takes 2 ms, and so
 * do ten signatures. Past the first nothing more is called back, past the second nothing that was
 * put off is begun but the first of each round.
 */
#define MAX_CALLING_US 3000
#define MAX_WORKING_US 5000
/* libevent is asked to wait no longer than this; it then looks again. */
#define MAX_WAIT_MS (3600ull * 1000)

struct signal_handler {
    struct list_link link;
    struct event event;
    struct loop *loop;
    void (*on_signal)(void *owner);
    void *owner;
};

struct loop {
    struct event_base *base;
    bool is_stopping;
    /* The turn. */
    bool is_in_turn;
    unsigned int callback_count;
    uint64_t turn_start_us;
    uint64_t longest_turn_us;
    /* Work put off. */
    struct list_link tasks;
    struct list_link again;
    struct list_link flushes;
    struct list_link at_end;
    struct list_link round_end; /* behind what this round may run of a list above */
    /* Timers. */
    struct loop_timer **heap; /* heap[0] wakes first */
    size_t timer_count;
    size_t heap_capacity;
    struct event wakeup;      /* for the first timer */
    uint64_t wakeup_ms;       /* when `wakeup` is set to; 0 while it is not set */
    /* The rest. */
    struct list_link signals;
    char *shared_buffer;      /* NULL until it is first wanted */
    struct loop_accounts accounts;
};

struct loop_watch {
    struct event event;
    struct loop *loop;
    void (*on_ready)(void *owner);
    void *owner;
};

static void on_wakeup(evutil_socket_t fd, short what, void *arg);

/* libevent fails here only when memory runs out, or by our bug. */
static void must(int failure)
{
    if (failure == 0)
        return;
    log_error("loop-failed", "libevent refused an event");
    abort();
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof *loop);

    signal(SIGPIPE, SIG_IGN);
    loop->base = event_base_new();
    must(loop->base == NULL);
    list_init(&loop->tasks);
    list_init(&loop->again);
    list_init(&loop->flushes);
    list_init(&loop->at_end);
    list_init(&loop->round_end);
    list_init(&loop->signals);
    must(evtimer_assign(&loop->wakeup, loop->base, on_wakeup, loop));
    return loop;
}

/* Puts the tasks of `queue` in no list: their owners may still cancel them. */
static void forget_tasks(struct list_link *queue)
{
    while (list_take_first(queue) != NULL)
        continue;
}

/* libevent gives it back its default: one that comes at our very end must not be our end. */
static void forget_signal(struct signal_handler *handler)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, event_get_signal(&handler->event));
    sigprocmask(SIG_BLOCK, &set, NULL);
    event_del(&handler->event);
    mem_free(handler);
}

void loop_free(struct loop **handle)
{
    struct loop *loop = *handle;
    struct list_link *link;

    *handle = NULL;
    if (loop == NULL)
        return;
    while ((link = list_take_first(&loop->at_end)) != NULL) {
        struct loop_task *task = LIST_OWNER(link, struct loop_task, link);

        task->run(task->owner);
    }
    while ((link = list_take_first(&loop->signals)) != NULL) {
        struct signal_handler *handler = LIST_OWNER(link, struct signal_handler, link);

        forget_signal(handler);
    }
    forget_tasks(&loop->tasks);
    forget_tasks(&loop->again);
    forget_tasks(&loop->flushes);
    for (size_t i = 0; i < loop->timer_count; i++)
        loop->heap[i]->place = loop->heap[i]->due_ms = 0;
    event_del(&loop->wakeup);
    event_base_free(loop->base);
    mem_free(loop->heap);
    mem_free(loop->shared_buffer);
    mem_free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

char *loop_shared_buffer(struct loop *loop)
{
    if (loop->shared_buffer == NULL)
        loop->shared_buffer = mem_resize(NULL, LOOP_SHARED_BUFFER_BYTES, 1);
    return loop->shared_buffer;
}

struct loop_accounts *loop_accounts(struct loop *loop)
{
    return &loop->accounts;
}

/* ---- The turn. */

static void begin_turn(struct loop *loop)
{
    if (loop->is_in_turn)
        return;
    loop->is_in_turn = true;
    loop->callback_count = 0;
    loop->turn_start_us = clock_monotonic_us();
}

static bool is_turn_longer(const struct loop *loop, uint64_t us)
{
    return clock_monotonic_us() - loop->turn_start_us >= us;
}

void loop_enter_turn(struct loop *loop)
{
    begin_turn(loop);
    /* What is left is called first in the next turn, which does not wait. */
    if (++loop->callback_count >= MAX_CALLBACKS_PER_TURN || is_turn_longer(loop, MAX_CALLING_US))
        event_base_loopbreak(loop->base);
}

static void leave_turn(struct loop *loop)
{
    uint64_t length_us = clock_monotonic_us() - loop->turn_start_us;

    loop->is_in_turn = false;
    if (length_us > loop->longest_turn_us)
        loop->longest_turn_us = length_us;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return loop->is_in_turn ? loop->turn_start_us / 1000 : clock_monotonic_ms();
}

uint64_t loop_take_longest_turn_us(struct loop *loop)
{
    uint64_t longest = loop->longest_turn_us;

    loop->longest_turn_us = 0;
    return longest;
}

/*
 * Runs what is in `queue` now; what is added meanwhile stays for the next turn, and so does what
 * was before it when the turn gets too long.
 */
static void run_tasks(struct loop *loop, struct list_link *queue, uint64_t max_us)
{
    struct list_link *link;

    list_add_last(queue, &loop->round_end);
    while ((link = list_take_first(queue)) != &loop->round_end) {
        struct loop_task *task = LIST_OWNER(link, struct loop_task, link);

        task->run(task->owner);
        if (is_turn_longer(loop, max_us))
            break;
    }
    list_remove(&loop->round_end);
}

/* Has libevent wake us for the first timer. A wakeup that comes too early does no harm. */
static void set_wakeup(struct loop *loop)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t first_ms;
    uint64_t wait_ms;
    struct timeval wait;

    if (loop->timer_count == 0)
        return;
    first_ms = loop->heap[0]->wake_ms;
    if (loop->wakeup_ms != 0 && loop->wakeup_ms <= first_ms)
        return;
    wait_ms = first_ms > now_ms ? first_ms - now_ms : 0;
    if (wait_ms > MAX_WAIT_MS)
        wait_ms = MAX_WAIT_MS;
    wait = (struct timeval){ (time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000) };
    must(evtimer_add(&loop->wakeup, &wait));
    loop->wakeup_ms = now_ms + wait_ms;
}

static bool has_work(const struct loop *loop)
{
    return !list_is_empty(&loop->tasks) || !list_is_empty(&loop->again) ||
           !list_is_empty(&loop->flushes);
}

/*
 * An answer that was found is told (tasks), so a session goes on with the commands that waited
 * behind it (again), and what those lead to is begun (tasks): only then is everything written.
 */
static void run_turn(struct loop *loop)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

    if (has_work(loop))
        flags |= EVLOOP_NONBLOCK;
    set_wakeup(loop);
    must(event_base_loop(loop->base, flags) < 0);
    begin_turn(loop);
    run_tasks(loop, &loop->tasks, MAX_WORKING_US);
    run_tasks(loop, &loop->again, MAX_WORKING_US);
    if (!is_turn_longer(loop, MAX_WORKING_US))
        run_tasks(loop, &loop->tasks, MAX_WORKING_US);
    run_tasks(loop, &loop->flushes, UINT64_MAX);
    leave_turn(loop);
}

void loop_run(struct loop *loop)
{
    do
        run_turn(loop);
    while (!loop->is_stopping);
    loop->is_stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

/* ---- Timers. */

static void heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
    loop->heap[place - 1] = timer;
    timer->place = place;
}

/* Moves `timer`, for which `place` is free, towards the top as far as it belongs. */
static void heap_rise(struct loop *loop, size_t place, struct loop_timer *timer)
{
    while (place > 1 && loop->heap[place / 2 - 1]->wake_ms > timer->wake_ms) {
        heap_put(loop, place, loop->heap[place / 2 - 1]);
        place /= 2;
    }
    heap_put(loop, place, timer);
}

/* The same towards the bottom. */
static void heap_sink(struct loop *loop, size_t place, struct loop_timer *timer)
{
    size_t child;

    while ((child = place * 2) <= loop->timer_count) {
        if (child < loop->timer_count
            && loop->heap[child]->wake_ms < loop->heap[child - 1]->wake_ms)
            child++;
        if (loop->heap[child - 1]->wake_ms >= timer->wake_ms)
            break;
        heap_put(loop, place, loop->heap[child - 1]);
        place = child;
    }
    heap_put(loop, place, timer);
}

static void heap_add(struct loop *loop, struct loop_timer *timer)
{
    loop->heap = mem_grow(loop->heap, loop->timer_count, &loop->heap_capacity,
                          sizeof(*loop->heap));
    loop->timer_count++;
    heap_rise(loop, loop->timer_count, timer);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
    size_t place = timer->place;
    struct loop_timer *last = loop->heap[loop->timer_count - 1];

    timer->place = 0;
    loop->timer_count--;
    if (last == timer)
        return;
    /* The last one fills the hole; it may belong above it as well as below. */
    heap_rise(loop, place, last);
    heap_sink(loop, last->place, last);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_fn on_due, void *owner)
{
    *timer = (struct loop_timer){ .loop = loop, .on_due = on_due, .owner = owner };
}

void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms)
{
    struct loop *loop = timer->loop;

    if (delay_ms > MAX_DELAY_MS)
        delay_ms = MAX_DELAY_MS;
    /* One more, since now is rounded down: never early, and never due in the pass that set it. */
    timer->due_ms = loop_now_ms(loop) + delay_ms + 1;
    if (timer->place != 0 && timer->wake_ms <= timer->due_ms)
        return;
    timer->wake_ms = timer->due_ms;
    if (timer->place != 0)
        heap_rise(loop, timer->place, timer);
    else
        heap_add(loop, timer);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (timer->place != 0)
        heap_remove(timer->loop, timer);
    timer->due_ms = 0;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->due_ms != 0;
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    uint64_t now_ms;

    (void)fd;
    (void)what;
    loop_enter_turn(loop);
    loop->wakeup_ms = 0;
    now_ms = loop_now_ms(loop);
    while (loop->timer_count > 0 && loop->heap[0]->wake_ms <= now_ms) {
        struct loop_timer *timer = loop->heap[0];

        if (timer->due_ms > now_ms) {
            timer->wake_ms = timer->due_ms;
            heap_sink(loop, 1, timer);
            continue;
        }
        heap_remove(loop, timer);
        timer->due_ms = 0;
        timer->on_due(timer->owner);
        if (is_turn_longer(loop, MAX_WORKING_US))
            return; /* the others wake us at once */
    }
}

/* ---- Work put off. */

void loop_task_init(struct loop_task *task, void (*run)(void *owner), void *owner)
{
    list_init(&task->link);
    task->run = run;
    task->owner = owner;
}

static void add_task(struct list_link *queue, struct loop_task *task)
{
    if (list_is_empty(&task->link))
        list_add_last(queue, &task->link);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    add_task(&loop->tasks, task);
}

void loop_defer_again(struct loop *loop, struct loop_task *task)
{
    add_task(&loop->again, task);
}

void loop_defer_flush(struct loop *loop, struct loop_task *task)
{
    add_task(&loop->flushes, task);
}

void loop_run_at_end(struct loop *loop, struct loop_task *task)
{
    add_task(&loop->at_end, task);
}

void loop_task_cancel(struct loop_task *task)
{
    list_remove(&task->link);
}

/* ---- Descriptors and signals. */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *watch = arg;

    (void)fd;
    (void)what;
    loop_enter_turn(watch->loop);
    watch->on_ready(watch->owner);
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, bool for_writing,
                                  void (*on_ready)(void *owner), void *owner)
{
    struct loop_watch *watch = mem_new(sizeof *watch);
    short what = for_writing ? EV_WRITE : EV_READ;

    watch->loop = loop;
    watch->on_ready = on_ready;
    watch->owner = owner;
    must(event_assign(&watch->event, loop->base, fd, (short)(what | EV_PERSIST), on_watch, watch));
    must(event_add(&watch->event, NULL));
    return watch;
}

void loop_watch_pause(struct loop_watch *watch)
{
    event_del(&watch->event);
}

void loop_watch_resume(struct loop_watch *watch)
{
    must(event_add(&watch->event, NULL));
}

void loop_watch_free(struct loop_watch **handle)
{
    struct loop_watch *watch = *handle;

    *handle = NULL;
    if (watch == NULL)
        return;
    event_del(&watch->event);
    mem_free(watch);
}

static void on_caught(evutil_socket_t signal_number, short what, void *arg)
{
    struct signal_handler *handler = arg;

    (void)signal_number;
    (void)what;
    loop_enter_turn(handler->loop);
    handler->on_signal(handler->owner);
}

void loop_on_signal(struct loop *loop, int signal_number, void (*on_signal)(void *owner),
                    void *owner)
{
    struct signal_handler *handler = mem_new(sizeof *handler);

    handler->loop = loop;
    handler->on_signal = on_signal;
    handler->owner = owner;
    list_add_last(&loop->signals, &handler->link);
    must(evsignal_assign(&handler->event, loop->base, signal_number, on_caught, handler));
    must(evsignal_add(&handler->event, NULL));
}

void loop_hold_signals(bool is_held)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(is_held ? SIG_BLOCK : SIG_UNBLOCK, &all, NULL);
}
