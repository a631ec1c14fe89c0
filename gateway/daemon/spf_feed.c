/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second SPF engine, as the master sees it; see spf_feed.h. A process that is let
 * go lives on until the last of its workers has ended, or joins another one.
 */
#include "daemon/spf_feed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/backoff.h"

struct spf_child {
    struct spf_feed *feed;
    struct list_link link;
    struct child *child;
};

struct spf_feed {
    struct children *children;   /* lent */
    void (*on_new)(void *owner);
    void *owner;
    struct spf_plan plan;        /* of the next start */
    struct list_link engines;    /* those that were let go are of it, too */
    struct spf_child *current;   /* NULL while there is none */
    bool is_joining;             /* the owner is about to be told of it */
    struct backoff backoff;
    struct loop_timer restart;
    struct loop_task joined_task;
};

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);
static void start_or_retry(void *owner);
static void tell_joined(void *owner);

static const struct child_events engine_events = { .on_message = on_message, .on_exit = on_exit };

/* ---- Life. */

struct spf_feed *spf_feed_new(struct children *children, void (*on_new)(void *owner), void *owner)
{
    struct spf_feed *feed = mem_new(sizeof *feed);

    feed->children = children;
    feed->on_new = on_new;
    feed->owner = owner;
    list_init(&feed->engines);
    loop_timer_init(&feed->restart, children->loop, start_or_retry, feed);
    loop_task_init(&feed->joined_task, tell_joined, feed);
    return feed;
}

void spf_feed_free(struct spf_feed **handle)
{
    struct spf_feed *feed = *handle;
    struct list_link *link;

    if (feed == NULL)
        return;
    while ((link = list_take_first(&feed->engines)) != NULL) {
        struct spf_child *engine = LIST_OWNER(link, struct spf_child, link);

        child_abandon(&engine->child);
        mem_free(engine);
    }
    loop_timer_cancel(&feed->restart);
    loop_task_cancel(&feed->joined_task);
    mem_free(feed);
    *handle = NULL;
}

/* ---- A process. */

static bool start_engine(struct spf_feed *feed, struct text *problem)
{
    struct spf_child *engine = mem_new(sizeof *engine);

    engine->feed = feed;
    engine->child = child_start(feed->children, "posternd: spf", &engine_events, engine, problem);
    if (engine->child == NULL) {
        mem_free(engine);
        return false;
    }
    child_send(engine->child, HANDOVER_SPF, &feed->plan.identity, sizeof feed->plan.identity, NULL,
               0);
    list_add_last(&feed->engines, &engine->link);
    feed->current = engine;
    feed->is_joining = true;
    loop_defer(feed->children->loop, &feed->joined_task);
    return true;
}

static void start_or_retry(void *owner)
{
    struct spf_feed *feed = owner;
    struct text problem;

    text_init(&problem, 300);
    if (!start_engine(feed, &problem)) {
        log_error("spf-not-started", "%s", text_string(&problem));
        loop_timer_start(&feed->restart, BACKOFF_DELAY_MS);
    }
    text_clear(&problem);
}

/* It has nothing to say to us. */
static void on_message(void *owner, struct handover *message)
{
    struct spf_child *engine = owner;

    (void)message;
    log_error("spf-broken", "the process of libspf2 says what it never says, and is ended");
    child_kill(engine->child);
}

static void restart_after(struct spf_feed *feed, pid_t pid, int wait_status)
{
    uint64_t delay_ms = backoff_add_death(&feed->backoff, loop_now_ms(feed->children->loop));
    struct text end;

    feed->current = NULL;
    text_init(&end, 100);
    child_print_end(&end, wait_status);
    log_error("spf-died", "libspf2, process %ld, ended with %s; a new one goes on, and what it was "
              "asked is temperror", (long)pid, text_string(&end));
    text_clear(&end);
    loop_timer_start(&feed->restart, delay_ms);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct spf_child *engine = owner;
    struct spf_feed *feed = engine->feed;

    list_remove(&engine->link);
    if (feed->current == engine)
        restart_after(feed, pid, wait_status);
    mem_free(engine);
}

/* ---- Workers. */

void spf_feed_join(struct spf_feed *feed, struct child *worker)
{
    int ends[2];

    if (feed->current == NULL || feed->is_joining)
        return; /* when it comes, all are joined */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        log_error("spf-not-joined", "a worker cannot ask libspf2: %s", strerror(errno));
        return;
    }
    child_send(feed->current->child, HANDOVER_SPF_WORKER, NULL, 0, &ends[0], 1);
    child_send(worker, HANDOVER_SPF_ENGINE, NULL, 0, &ends[1], 1);
    close(ends[0]);
    close(ends[1]);
}

static void tell_joined(void *owner)
{
    struct spf_feed *feed = owner;

    feed->is_joining = false;
    feed->on_new(feed->owner);
}

/* ---- The configuration. */

void spf_feed_want(struct spf_feed *feed, const struct spf_plan *plan)
{
    if (!plan->is_wanted)
        return;
    feed->plan = *plan;
    if (feed->current == NULL && !loop_timer_is_set(&feed->restart))
        start_or_retry(feed);
}

void spf_feed_follow(struct spf_feed *feed, const struct spf_plan *plan)
{
    spf_feed_want(feed, plan);
    if (plan->is_wanted)
        return;
    loop_timer_cancel(&feed->restart);
    if (feed->current != NULL)
        child_hang_up(feed->current->child);
    feed->current = NULL;
}
