/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper, as the master sees it; see keeper_feed.h. A keeper that is let go
 * lives on until the last of its workers has ended, beside the one that follows.
 */
#include "daemon/keeper_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/backoff.h"
#include "daemon/estate.h"

/* A keeper says little: what goes wrong, and what it deleted. */
#define RING_BYTES (256u * 1024)
/* How long keepers may take at the end, for the disk. */
#define END_MS 8000

/* A keeper's process; those that were let go are of the list too. */
struct keeper_child {
    struct keeper_feed *feed;
    struct list_link link;
    struct child *child;
};

struct keeper_feed {
    struct children *children;     /* lent */
    struct log_feed *log;          /* lent */
    const struct keeper_feed_events *events;
    void *owner;
    bool is_ready;                 /* the current one serves */
    bool is_of_new_folder;         /* the one that has just started */
    bool is_joining;               /* the owner is about to be told of it */
    struct keeper_plan plan;       /* its folder is owned; -1: there is to be no keeper */
    struct list_link keepers;
    struct keeper_child *current;  /* NULL while there is none */
    struct backoff backoff;
    struct loop_timer restart;
    struct loop_task joined_task;
    /* Ending. */
    bool is_ending;
    struct loop_timer deadline;
    struct loop_task ended_task;
    void (*done)(void *owner);
    void *done_owner;
};

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);

static const struct child_events keeper_events = { .on_message = on_message, .on_exit = on_exit };

/* ---- A keeper's process. */

static void send_orders(struct keeper_child *keeper, const struct log_feed_ring *ring)
{
    const struct keeper_plan *plan = &keeper->feed->plan;
    const int fds[] = {
        [HANDOVER_KEEP_FOLDER] = plan->folder_fd,
        [HANDOVER_KEEP_RING] = ring->memory_fd,
        [HANDOVER_KEEP_WAKE] = log_feed_wake_fd(keeper->feed->log),
        [HANDOVER_KEEP_LIFE] = ring->life_fd,
    };
    struct handover_keep orders = {
        .identity = plan->identity,
        .format = plan->format,
        .is_debug = plan->is_debug,
        .ring_bytes = RING_BYTES,
        .settings = plan->settings,
    };

    child_send(keeper->child, HANDOVER_KEEP, &orders, sizeof orders, fds,
               HANDOVER_KEEP_FD_COUNT);
}

static bool start_keeper(struct keeper_feed *feed, struct text *problem)
{
    struct keeper_child *keeper = mem_new(sizeof *keeper);
    struct log_feed_ring ring;

    keeper->feed = feed;
    list_init(&keeper->link);
    if (log_feed_add_ring(feed->log, "keeper", RING_BYTES, &ring, problem)) {
        keeper->child =
            child_start(feed->children, "posternd: keeper", &keeper_events, keeper, problem);
        if (keeper->child != NULL)
            send_orders(keeper, &ring);
        close(ring.life_fd);
    }
    if (keeper->child == NULL) {
        mem_free(keeper);
        return false;
    }
    list_add_last(&feed->keepers, &keeper->link);
    feed->current = keeper;
    feed->is_joining = true;
    loop_defer(feed->children->loop, &feed->joined_task);
    return true;
}

static void start_or_retry(void *owner)
{
    struct keeper_feed *feed = owner;
    struct text problem;

    if (feed->plan.folder_fd < 0)
        return; /* its configuration was another program's: one of ours follows soon */
    text_init(&problem, 300);
    if (!start_keeper(feed, &problem)) {
        log_error("keeper-not-started", "%s", text_string(&problem));
        loop_timer_start(&feed->restart, BACKOFF_DELAY_MS);
    }
    text_clear(&problem);
}

static void on_message(void *owner, struct handover *message)
{
    struct keeper_child *keeper = owner;
    struct keeper_feed *feed = keeper->feed;

    if (handover_type(message) == HANDOVER_READY) {
        if (feed->current != keeper || feed->is_ready)
            return; /* it was let go meanwhile */
        feed->is_ready = true;
        feed->events->on_ready(feed->owner);
        return;
    }
    log_error("keeper-broken", "the keeper says what no keeper says, and is ended");
    child_kill(keeper->child);
}

static void restart_after(struct keeper_feed *feed, pid_t pid, int wait_status)
{
    uint64_t delay_ms = backoff_add_death(&feed->backoff, loop_now_ms(feed->children->loop));
    bool was_ready = feed->is_ready;
    struct text end;

    feed->current = NULL;
    feed->is_ready = false;
    text_init(&end, 100);
    child_print_end(&end, wait_status);
    log_error("keeper-died", "the keeper, process %ld, ended with %s; a new one goes on", (long)pid,
              text_string(&end));
    text_clear(&end);
    loop_timer_start(&feed->restart, delay_ms);
    if (!was_ready && delay_ms > 0)
        feed->events->on_failed(feed->owner);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct keeper_child *keeper = owner;
    struct keeper_feed *feed = keeper->feed;

    list_remove(&keeper->link);
    if (feed->current == keeper)
        restart_after(feed, pid, wait_status);
    mem_free(keeper);
    if (feed->is_ending && list_is_empty(&feed->keepers))
        loop_defer(feed->children->loop, &feed->ended_task);
}

/* ---- Workers. */

void keeper_feed_join(struct keeper_feed *feed, struct child *worker)
{
    int ends[2];

    if (feed->current == NULL || feed->is_joining)
        return; /* when it comes, all are joined */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        log_error("keeper-not-joined", "a worker cannot hold mail: %s", strerror(errno));
        return;
    }
    child_send(feed->current->child, HANDOVER_KEEP_WORKER, NULL, 0, &ends[0], 1);
    child_send(worker, HANDOVER_KEEPER, NULL, 0, &ends[1], 1);
    close(ends[0]);
    close(ends[1]);
}

static void tell_joined(void *owner)
{
    struct keeper_feed *feed = owner;

    bool is_of_new_folder = feed->is_of_new_folder;

    feed->is_of_new_folder = feed->is_joining = false;
    feed->events->on_new_keeper(feed->owner, is_of_new_folder);
}

/* ---- The configuration. */

static bool is_same_folder(int a, int b)
{
    struct stat status[2];

    return a >= 0 && b >= 0 && fstat(a, &status[0]) == 0 && fstat(b, &status[1]) == 0 &&
           status[0].st_dev == status[1].st_dev && status[0].st_ino == status[1].st_ino;
}

static void let_go(struct keeper_feed *feed)
{
    loop_timer_cancel(&feed->restart);
    if (feed->current != NULL)
        child_hang_up(feed->current->child);
    feed->current = NULL;
    feed->is_ready = false;
}

bool keeper_feed_is_ready(const struct keeper_feed *feed)
{
    return feed->is_ready || feed->plan.folder_fd < 0;
}

void keeper_feed_follow(struct keeper_feed *feed, const struct keeper_plan *plan)
{
    bool is_same = is_same_folder(feed->plan.folder_fd, plan->folder_fd);

    if (!is_same)
        let_go(feed);
    if (feed->plan.folder_fd >= 0)
        close(feed->plan.folder_fd);
    feed->plan = *plan;
    if (plan->folder_fd < 0)
        return;
    feed->plan.folder_fd = fcntl(plan->folder_fd, F_DUPFD_CLOEXEC, 0);
    feed->is_of_new_folder = !is_same;
    if (!is_same)
        start_or_retry(feed);
    else if (feed->current != NULL)
        child_send(feed->current->child, HANDOVER_KEEP_SETTINGS, &plan->settings,
                   sizeof plan->settings, NULL, 0);
}

/* ---- Life. */

static void on_deadline(void *owner)
{
    struct keeper_feed *feed = owner;

    for (struct list_link *link = feed->keepers.next; link != &feed->keepers; link = link->next)
        child_kill(LIST_OWNER(link, struct keeper_child, link)->child);
}

static void report_end(void *owner)
{
    struct keeper_feed *feed = owner;

    loop_timer_cancel(&feed->deadline);
    feed->done(feed->done_owner);
}

struct keeper_feed *keeper_feed_new(struct children *children, struct log_feed *log,
                                    const struct keeper_feed_events *events, void *owner)
{
    struct keeper_feed *feed = mem_new(sizeof *feed);

    feed->children = children;
    feed->log = log;
    feed->events = events;
    feed->owner = owner;
    feed->plan.folder_fd = -1;
    list_init(&feed->keepers);
    loop_timer_init(&feed->restart, children->loop, start_or_retry, feed);
    loop_timer_init(&feed->deadline, children->loop, on_deadline, feed);
    loop_task_init(&feed->joined_task, tell_joined, feed);
    loop_task_init(&feed->ended_task, report_end, feed);
    return feed;
}

/* ---- From one program to the next. */

static void adopt(struct keeper_feed *feed, const struct estate_child *estate)
{
    struct keeper_child *keeper = mem_new(sizeof *keeper);

    keeper->feed = feed;
    list_init(&keeper->link);
    list_add_last(&feed->keepers, &keeper->link);
    keeper->child = child_adopt(feed->children, (pid_t)estate->pid, estate->channel,
                                &keeper_events, keeper);
}

void keeper_feed_inherit(struct keeper_feed *feed, const struct estate_keepers *estate)
{
    for (size_t i = 0; i < estate->count; i++)
        adopt(feed, &estate->children[i]);
    if (estate->has_current)
        feed->current = LIST_OWNER(feed->keepers.previous, struct keeper_child, link);
}

void keeper_feed_bequeath(struct keeper_feed *feed, struct estate_keepers *estate)
{
    size_t capacity = 0;

    *estate = (struct estate_keepers){ .has_current = feed->current != NULL };
    for (struct list_link *link = feed->keepers.next; link != &feed->keepers; link = link->next) {
        const struct child *child = LIST_OWNER(link, struct keeper_child, link)->child;

        estate->children = mem_grow(estate->children, estate->count, &capacity,
                                    sizeof(*estate->children));
        estate->children[estate->count++] = (struct estate_child){
            .pid = (uint32_t)child_pid(child),
            .channel = child_channel(child),
        };
    }
}

void keeper_feed_free(struct keeper_feed **handle)
{
    struct keeper_feed *feed = *handle;

    if (feed == NULL)
        return;
    loop_timer_cancel(&feed->restart);
    loop_timer_cancel(&feed->deadline);
    loop_task_cancel(&feed->joined_task);
    loop_task_cancel(&feed->ended_task);
    if (feed->plan.folder_fd >= 0)
        close(feed->plan.folder_fd);
    mem_free(feed);
    *handle = NULL;
}

void keeper_feed_end(struct keeper_feed *feed, void (*done)(void *owner), void *owner)
{
    feed->is_ending = true;
    feed->done = done;
    feed->done_owner = owner;
    let_go(feed);
    if (list_is_empty(&feed->keepers))
        loop_defer(feed->children->loop, &feed->ended_task);
    else
        loop_timer_start(&feed->deadline, END_MS);
}
