/* SPDX-License-Identifier: BSD-2-Clause */
/* The workers of one configuration; see generation.h. */
#include "daemon/generation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/backoff.h"
#include "daemon/memory_file.h"
#include "record/counters.h"

/* A worker that has not ended by itself so long after the time of its sessions is ended. */
#define DRAIN_GRACE_MS 5000
/* A new worker must be ready by then: it has only to read what was read before. */
#define START_MS 60000

enum generation_state {
    GENERATION_STARTING, /* until all workers are ready at the same time, or one fails too often */
    GENERATION_SERVING,  /* until it is drained */
    GENERATION_DRAINING, /* until the last worker has ended */
    GENERATION_GONE,
};

/* The place of one worker: the process in it may change. */
struct seat {
    struct generation *generation;
    uint32_t index;            /* from 1 */
    struct child *child;       /* NULL while it is empty */
    uint32_t worker;           /* id of this process; another one for the next */
    bool is_ready;
    struct counters *counters; /* of this process; NULL while there is none */
    unsigned int table;        /* of record/presence, of this process; while `child` is there */
    bool is_given[HANDOVER_MAX_SLOTS]; /* by id: it has got this socket */
    struct handover_poll poll; /* what it was told last */
    struct backoff backoff;
    struct loop_timer timer;   /* for the next start; while starting, for READY */
};

struct generation {
    struct generation_settings settings;
    struct generation_tools tools;
    struct blueprint blueprint;
    struct socket_uses uses;
    const struct generation_events *events;
    void *owner;
    enum generation_state state;
    struct seat *seats;
    struct loop_timer drain_timer;
    struct loop_task gone_task;
    struct loop_task failed_task;
};

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);
static void on_timer(void *owner);
static void on_drain_timeout(void *owner);
static void report_gone(void *owner);
static void report_failed(void *owner);

static const struct child_events worker_events = { .on_message = on_message, .on_exit = on_exit };

/* ---- Life. */

static struct loop *loop_of(const struct generation *generation)
{
    return generation->tools.children->loop;
}

struct generation *generation_new(const struct generation_settings *settings,
                                  const struct generation_tools *tools,
                                  struct blueprint *take_blueprint, struct socket_uses *take_uses,
                                  const struct generation_events *events, void *owner)
{
    struct generation *generation = mem_new(sizeof *generation);

    generation->settings = *settings;
    generation->tools = *tools;
    generation->blueprint = *take_blueprint;
    blueprint_init(take_blueprint);
    generation->uses = *take_uses;
    *take_uses = (struct socket_uses){ .items = NULL };
    generation->events = events;
    generation->owner = owner;
    generation->seats = mem_new_array(settings->worker_count, sizeof(*generation->seats));
    for (size_t i = 0; i < settings->worker_count; i++) {
        generation->seats[i].generation = generation;
        generation->seats[i].index = (uint32_t)i + 1;
        loop_timer_init(&generation->seats[i].timer, loop_of(generation), on_timer,
                        &generation->seats[i]);
    }
    loop_timer_init(&generation->drain_timer, loop_of(generation), on_drain_timeout, generation);
    loop_task_init(&generation->gone_task, report_gone, generation);
    loop_task_init(&generation->failed_task, report_failed, generation);
    return generation;
}

static void forget_counters(struct seat *seat)
{
    memory_file_unmap_shared(seat->counters, sizeof *seat->counters);
    seat->counters = NULL;
}

void generation_free(struct generation **handle)
{
    struct generation *generation = *handle;

    if (generation == NULL)
        return;
    for (size_t i = 0; i < generation->settings.worker_count; i++) {
        loop_timer_cancel(&generation->seats[i].timer);
        forget_counters(&generation->seats[i]);
    }
    loop_timer_cancel(&generation->drain_timer);
    loop_task_cancel(&generation->gone_task);
    loop_task_cancel(&generation->failed_task);
    blueprint_clear(&generation->blueprint);
    socket_uses_clear(&generation->uses);
    mem_free(generation->seats);
    mem_free(generation);
    *handle = NULL;
}

const struct generation_settings *generation_get_settings(const struct generation *generation)
{
    return &generation->settings;
}

const struct socket_uses *generation_get_uses(const struct generation *generation)
{
    return &generation->uses;
}

bool generation_is_ready(const struct generation *generation)
{
    return generation->state == GENERATION_SERVING;
}

uint64_t generation_session_count(const struct generation *generation)
{
    uint64_t count = 0;

    for (size_t i = 0; i < generation->settings.worker_count; i++)
        if (generation->seats[i].counters != NULL)
            count += counter_get(generation->seats[i].counters, COUNTER_SESSIONS_OPEN);
    return count;
}

/* ---- Starting a worker. */

static struct handover_work make_orders(const struct seat *seat)
{
    const struct generation *generation = seat->generation;
    struct handover_work work = {
        .identity = generation->blueprint.identity,
        .generation = generation->settings.number,
        .ring_bytes = generation->settings.ring_bytes,
        .index = seat->index,
        .is_debug = generation->settings.is_debug,
        .presence_table = seat->table,
        .ticket_keys = *generation->tools.ticket_keys,
    };

    memcpy(work.presence_secret, generation->tools.presence->secret, sizeof work.presence_secret);
    memcpy(work.hash_key, generation->settings.hash_key, sizeof work.hash_key);
    return work;
}

static void send_orders(const struct seat *seat, const int fds[HANDOVER_WORK_FD_COUNT])
{
    struct handover_work work = make_orders(seat);
    struct text body;

    text_init(&body, HANDOVER_MAX_BYTES);
    text_add(&body, (struct slice){ (const char *)&work, sizeof work });
    text_add_string(&body, seat->generation->settings.path);
    child_send(seat->child, HANDOVER_WORK, body.data, body.length, fds, HANDOVER_WORK_FD_COUNT);
    text_clear(&body);
}

/* Memory that the worker counts in and we look at; -1 when there is none to be had. */
static int make_counters(struct seat *seat, struct text *problem)
{
    int fd = memory_file_share("postern-counters", sizeof *seat->counters);

    seat->counters = fd >= 0 ? memory_file_map_shared(fd, sizeof *seat->counters) : NULL;
    if (fd < 0 || seat->counters == NULL)
        text_add_format(problem, "cannot make memory for counters: %s", strerror(errno));
    if (fd >= 0 && seat->counters == NULL) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool start_child(struct seat *seat, int ring_fd, int life_fd, struct text *problem)
{
    const struct generation *generation = seat->generation;
    char title[HANDOVER_LABEL_BYTES];
    int counters_fd = make_counters(seat, problem);
    bool has_table = counters_fd >= 0 &&
                     presence_file_take(generation->tools.presence, &seat->table, problem);

    snprintf(title, sizeof title, "posternd: worker %u", (unsigned int)seat->index);
    if (has_table)
        seat->child = child_start(generation->tools.children, title, &worker_events, seat, problem);
    if (has_table && seat->child == NULL)
        presence_file_drop(generation->tools.presence, seat->table);
    if (seat->child != NULL) {
        const int fds[] = {
            [HANDOVER_WORK_SOURCES] = generation->blueprint.sources_fd,
            [HANDOVER_WORK_SECRETS] = generation->blueprint.secrets_fd,
            [HANDOVER_WORK_SPOOL] = generation->blueprint.spool_fd,
            [HANDOVER_WORK_RING] = ring_fd,
            [HANDOVER_WORK_WAKE] = log_feed_wake_fd(generation->tools.feed),
            [HANDOVER_WORK_COUNTERS] = counters_fd,
            [HANDOVER_WORK_PRESENCE] = generation->tools.presence->fd,
            [HANDOVER_WORK_LIFE] = life_fd,
        };

        send_orders(seat, fds);
    }
    if (counters_fd >= 0)
        close(counters_fd);
    return seat->child != NULL;
}

static bool start_worker(struct seat *seat, struct text *problem)
{
    static uint32_t last_worker;
    struct log_feed_ring ring;
    char label[HANDOVER_LABEL_BYTES];
    bool is_started;

    snprintf(label, sizeof label, "worker %u", (unsigned int)seat->index);
    if (!log_feed_add_ring(seat->generation->tools.feed, label,
                           seat->generation->settings.ring_bytes, &ring, problem))
        return false;
    forget_counters(seat);
    memset(seat->is_given, 0, sizeof seat->is_given);
    memset(&seat->poll, 0, sizeof seat->poll);
    seat->worker = ++last_worker;
    is_started = start_child(seat, ring.memory_fd, ring.life_fd, problem);
    close(ring.life_fd);
    return is_started;
}

/* The system refused, or it died: again after a while, or this generation comes to nothing. */
static void start_later(struct seat *seat)
{
    struct generation *generation = seat->generation;
    uint64_t delay_ms = backoff_add_death(&seat->backoff, loop_now_ms(loop_of(generation)));

    if (delay_ms > 0 && generation->state == GENERATION_STARTING)
        loop_defer(loop_of(generation), &generation->failed_task);
    else
        loop_timer_start(&seat->timer, delay_ms);
}

static void fill_seat(struct seat *seat)
{
    struct text problem;

    text_init(&problem, 300);
    if (start_worker(seat, &problem)) {
        loop_timer_start(&seat->timer, START_MS);
    } else {
        log_error("worker-not-started", "%s", text_string(&problem));
        start_later(seat);
    }
    text_clear(&problem);
}

void generation_start(struct generation *generation)
{
    for (size_t i = 0; i < generation->settings.worker_count; i++)
        fill_seat(&generation->seats[i]);
}

static void on_timer(void *owner)
{
    struct seat *seat = owner;

    if (seat->child == NULL) {
        fill_seat(seat);
    } else if (!seat->is_ready) {
        log_error("worker-stuck", "worker %u, process %ld, does not get ready, and is ended",
                  (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
    }
}

/* ---- What workers say. */

static size_t count_ready(const struct generation *generation)
{
    size_t count = 0;

    for (size_t i = 0; i < generation->settings.worker_count; i++)
        count += generation->seats[i].is_ready;
    return count;
}

static void on_message(void *owner, struct handover *message)
{
    struct seat *seat = owner;
    struct generation *generation = seat->generation;

    if (message->type != HANDOVER_READY || seat->is_ready) {
        log_error("worker-broken", "worker %u, process %ld, says what no worker says, and is ended",
                  (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
        return;
    }
    seat->is_ready = true;
    loop_timer_cancel(&seat->timer);
    if (generation->state == GENERATION_STARTING &&
        count_ready(generation) == generation->settings.worker_count)
        generation->state = GENERATION_SERVING;
    generation->events->on_change(generation->owner);
}

/* ---- What they are given. */

/* Sockets of ours that this worker has not got yet, in messages of as many as fit. */
static void give_sockets(struct seat *seat)
{
    const struct generation *generation = seat->generation;
    const struct sockets *sockets = generation->tools.sockets;
    struct handover_socket items[HANDOVER_MAX_FDS];
    int fds[HANDOVER_MAX_FDS];
    size_t count = 0;

    for (size_t i = 0; i < sockets->slot_count; i++) {
        const struct slot *slot = &sockets->slots[i];
        uint32_t listener_index;

        if (seat->is_given[slot->id] ||
            !socket_uses_find(&generation->uses, slot->group, &listener_index))
            continue;
        seat->is_given[slot->id] = true;
        fds[count] = sockets->fds[i];
        items[count++] = (struct handover_socket){ slot->id, listener_index };
        if (count == HANDOVER_MAX_FDS) {
            child_send(seat->child, HANDOVER_SOCKETS, items, count * sizeof items[0], fds, count);
            count = 0;
        }
    }
    if (count > 0)
        child_send(seat->child, HANDOVER_SOCKETS, items, count * sizeof items[0], fds, count);
}

static void say_what_to_poll(struct seat *seat)
{
    const struct sockets *sockets = seat->generation->tools.sockets;
    struct handover_poll poll = { { 0 } };

    for (size_t i = 0; i < sockets->slot_count; i++) {
        const struct slot *slot = &sockets->slots[i];

        if (seat->is_given[slot->id] && slot_is_polled_by(slot, seat->worker))
            poll.slots[slot->id / 8] |= (uint8_t)(1u << slot->id % 8);
    }
    if (memcmp(&poll, &seat->poll, sizeof poll) == 0)
        return;
    seat->poll = poll;
    child_send(seat->child, HANDOVER_POLL, &poll, sizeof poll, NULL, 0);
}

void generation_assign(struct generation *generation)
{
    for (size_t i = 0; i < generation->settings.worker_count; i++) {
        struct seat *seat = &generation->seats[i];

        if (!seat->is_ready || generation->state == GENERATION_DRAINING)
            continue;
        give_sockets(seat);
        say_what_to_poll(seat);
    }
}

void generation_add_ready(const struct generation *generation, uint32_t **ids, size_t *count)
{
    for (size_t i = 0; i < generation->settings.worker_count; i++) {
        if (!generation->seats[i].is_ready)
            continue;
        *ids = mem_resize(*ids, *count + 1, sizeof **ids);
        (*ids)[(*count)++] = generation->seats[i].worker;
    }
}

void generation_send_ticket_keys(struct generation *generation)
{
    for (size_t i = 0; i < generation->settings.worker_count; i++)
        if (generation->seats[i].child != NULL)
            child_send(generation->seats[i].child, HANDOVER_TICKET_KEYS,
                       generation->tools.ticket_keys, sizeof *generation->tools.ticket_keys, NULL,
                       0);
}

/* ---- Their end. */

static bool has_children(const struct generation *generation)
{
    for (size_t i = 0; i < generation->settings.worker_count; i++)
        if (generation->seats[i].child != NULL)
            return true;
    return false;
}

static void end_when_empty(struct generation *generation)
{
    if (generation->state == GENERATION_DRAINING && !has_children(generation))
        loop_defer(loop_of(generation), &generation->gone_task);
}

static void report_gone(void *owner)
{
    struct generation *generation = owner;

    loop_timer_cancel(&generation->drain_timer);
    generation->state = GENERATION_GONE;
    generation->events->on_gone(generation->owner, generation);
}

static void report_failed(void *owner)
{
    struct generation *generation = owner;

    if (generation->state == GENERATION_STARTING)
        generation->events->on_failed(generation->owner, generation);
}

static void log_death(const struct seat *seat, pid_t pid, int wait_status)
{
    uint64_t session_count = seat->counters != NULL
                                 ? counter_get(seat->counters, COUNTER_SESSIONS_OPEN)
                                 : 0;
    struct text end;

    text_init(&end, 100);
    child_print_end(&end, wait_status);
    log_error("worker-died", "worker %u, process %ld, ended with %s and %llu sessions",
              (unsigned int)seat->index, (long)pid, text_string(&end),
              (unsigned long long)session_count);
    text_clear(&end);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct seat *seat = owner;
    struct generation *generation = seat->generation;
    bool is_drained = generation->state == GENERATION_DRAINING && WIFEXITED(wait_status) &&
                      WEXITSTATUS(wait_status) == 0;

    seat->child = NULL;
    seat->is_ready = false;
    loop_timer_cancel(&seat->timer);
    if (!is_drained)
        log_death(seat, pid, wait_status);
    forget_counters(seat);
    presence_file_drop(generation->tools.presence, seat->table);
    if (generation->state == GENERATION_DRAINING) {
        end_when_empty(generation);
        return;
    }
    /* The others take its sockets over before anything else. */
    generation->events->on_change(generation->owner);
    start_later(seat);
}

static void on_drain_timeout(void *owner)
{
    struct generation *generation = owner;

    for (size_t i = 0; i < generation->settings.worker_count; i++) {
        struct seat *seat = &generation->seats[i];

        if (seat->child == NULL)
            continue;
        log_warning("worker-late", "worker %u, process %ld, has not ended in time, and is ended",
                    (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
    }
}

static void drain(struct generation *generation, uint64_t max_ms)
{
    const struct handover_drain orders = { .max_ms = max_ms };

    generation->state = GENERATION_DRAINING;
    for (size_t i = 0; i < generation->settings.worker_count; i++) {
        struct seat *seat = &generation->seats[i];

        loop_timer_cancel(&seat->timer);
        if (seat->child != NULL)
            child_send(seat->child, HANDOVER_DRAIN, &orders, sizeof orders, NULL, 0);
    }
    loop_timer_start(&generation->drain_timer, max_ms + DRAIN_GRACE_MS);
    end_when_empty(generation);
}

void generation_drain(struct generation *generation)
{
    drain(generation, generation->settings.drain_ms);
}

void generation_drain_now(struct generation *generation)
{
    drain(generation, 0);
}
