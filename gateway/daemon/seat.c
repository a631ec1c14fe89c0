/* SPDX-License-Identifier: BSD-2-Clause */
/* The place of one worker; see seat.h. */
#include "daemon/seat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/estate.h"
#include "daemon/memory_file.h"

/* A new worker must be ready by then: it has only to read what was read before. */
#define START_MS 60000

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);
static void on_timer(void *owner);

/* The id of the process that was started last; no other had it before. */
static uint32_t last_worker;

static const struct child_events worker_events = { .on_message = on_message, .on_exit = on_exit };

void seat_init(struct seat *seat, uint32_t index, const struct seat_terms *terms,
               const struct seat_events *events, void *owner)
{
    *seat = (struct seat){ .index = index, .terms = terms, .events = events, .owner = owner,
                           .counters_fd = -1 };
    loop_timer_init(&seat->timer, terms->tools.children->loop, on_timer, seat);
}

static void forget_counters(struct seat *seat)
{
    memory_file_unmap_shared(seat->counters, sizeof *seat->counters);
    seat->counters = NULL;
    if (seat->counters_fd >= 0)
        close(seat->counters_fd);
    seat->counters_fd = -1;
}

void seat_clear(struct seat *seat)
{
    seat_rest(seat);
    forget_counters(seat);
}

void seat_rest(struct seat *seat)
{
    loop_timer_cancel(&seat->timer);
}

uint64_t seat_session_count(const struct seat *seat)
{
    return seat->counters != NULL ? counter_get(seat->counters, COUNTER_SESSIONS_OPEN) : 0;
}

/* ---- Starting a worker. */

static struct handover_work make_orders(const struct seat *seat)
{
    const struct seat_terms *terms = seat->terms;
    struct handover_work work = {
        .identity = terms->blueprint.identity,
        .generation = terms->settings.number,
        .ring_bytes = terms->settings.ring_bytes,
        .index = seat->index,
        .is_debug = terms->settings.is_debug,
        .presence_table = seat->table,
        .ticket_keys = *terms->tools.ticket_keys,
    };

    memcpy(work.presence_secret, terms->tools.presence->secret, sizeof work.presence_secret);
    memcpy(work.hash_key, terms->settings.hash_key, sizeof work.hash_key);
    return work;
}

static void send_orders(const struct seat *seat, const int fds[HANDOVER_WORK_FD_COUNT])
{
    struct handover_work work = make_orders(seat);
    struct text body;

    text_init(&body, HANDOVER_MAX_BYTES);
    text_add(&body, (struct slice){ (const char *)&work, sizeof work });
    text_add_string(&body, seat->terms->settings.path);
    child_send(seat->child, HANDOVER_WORK, body.data, body.length, fds, HANDOVER_WORK_FD_COUNT);
    text_clear(&body);
}

/* Memory that the worker counts in and we look at. */
static bool make_counters(struct seat *seat, struct text *problem)
{
    forget_counters(seat);
    seat->counters_fd = memory_file_share("postern-counters", sizeof *seat->counters);
    if (seat->counters_fd >= 0)
        seat->counters = memory_file_map_shared(seat->counters_fd, sizeof *seat->counters);
    if (seat->counters == NULL)
        text_add_format(problem, "cannot make memory for counters: %s", strerror(errno));
    return seat->counters != NULL;
}

void seat_join_keeper(struct seat *seat)
{
    if (seat->terms->settings.keeper.folder_fd >= 0 && seat->child != NULL)
        keeper_feed_join(seat->terms->tools.keeper, seat->child);
}

void seat_join_spf(struct seat *seat)
{
    if (seat->terms->settings.spf.is_wanted && seat->child != NULL)
        spf_feed_join(seat->terms->tools.spf, seat->child);
}

static bool start_child(struct seat *seat, int ring_fd, int life_fd, struct text *problem)
{
    const struct seat_terms *terms = seat->terms;
    char title[HANDOVER_LABEL_BYTES];
    bool has_table = make_counters(seat, problem) &&
                     presence_file_take(terms->tools.presence, &seat->table, problem);

    snprintf(title, sizeof title, "posternd: worker %u", (unsigned int)seat->index);
    if (has_table)
        seat->child = child_start(terms->tools.children, title, &worker_events, seat, problem);
    if (has_table && seat->child == NULL)
        presence_file_drop(terms->tools.presence, seat->table);
    if (seat->child != NULL) {
        const int fds[] = {
            [HANDOVER_WORK_SOURCES] = terms->blueprint.sources_fd,
            [HANDOVER_WORK_SECRETS] = terms->blueprint.secrets_fd,
            [HANDOVER_WORK_SPOOL] = terms->blueprint.spool_fd,
            [HANDOVER_WORK_RING] = ring_fd,
            [HANDOVER_WORK_WAKE] = log_feed_wake_fd(terms->tools.feed),
            [HANDOVER_WORK_COUNTERS] = seat->counters_fd,
            [HANDOVER_WORK_PRESENCE] = terms->tools.presence->fd,
            [HANDOVER_WORK_LIFE] = life_fd,
        };

        send_orders(seat, fds);
        seat_join_keeper(seat);
        seat_join_spf(seat);
    }
    return seat->child != NULL;
}

static bool start_worker(struct seat *seat, struct text *problem)
{
    struct log_feed_ring ring;
    char label[HANDOVER_LABEL_BYTES];
    bool is_started;

    snprintf(label, sizeof label, "worker %u", (unsigned int)seat->index);
    if (!log_feed_add_ring(seat->terms->tools.feed, label,
                           seat->terms->settings.ring_bytes, &ring, problem))
        return false;
    memset(seat->is_given, 0, sizeof seat->is_given);
    memset(&seat->poll, 0, sizeof seat->poll);
    seat->worker = ++last_worker;
    is_started = start_child(seat, ring.memory_fd, ring.life_fd, problem);
    close(ring.life_fd);
    return is_started;
}

void seat_fill(struct seat *seat)
{
    struct text problem;
    bool is_started;

    text_init(&problem, 300);
    is_started = start_worker(seat, &problem);
    if (is_started)
        loop_timer_start(&seat->timer, START_MS);
    else
        log_error("worker-not-started", "%s", text_string(&problem));
    text_clear(&problem);
    if (!is_started)
        seat->events->on_not_started(seat->owner, seat);
}

void seat_fill_later(struct seat *seat, uint64_t delay_ms)
{
    loop_timer_start(&seat->timer, delay_ms);
}

static void on_timer(void *owner)
{
    struct seat *seat = owner;

    if (seat->child == NULL) {
        seat_fill(seat);
    } else if (!seat->is_ready) {
        log_error("worker-stuck", "worker %u, process %ld, does not get ready, and is ended",
                  (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
    }
}

/* ---- What it says, and its end. */

static void on_message(void *owner, struct handover *message)
{
    struct seat *seat = owner;

    if (handover_type(message) != HANDOVER_READY || seat->is_ready) {
        log_error("worker-broken", "worker %u, process %ld, says what no worker says, and is ended",
                  (unsigned int)seat->index, (long)child_pid(seat->child));
        child_kill(seat->child);
        return;
    }
    seat->is_ready = true;
    seat_rest(seat);
    seat->events->on_ready(seat->owner);
}

static void log_death(const struct seat *seat, pid_t pid, int wait_status)
{
    struct text end;

    text_init(&end, 100);
    child_print_end(&end, wait_status);
    log_error("worker-died", "worker %u, process %ld, ended with %s and %llu sessions",
              (unsigned int)seat->index, (long)pid, text_string(&end),
              (unsigned long long)seat_session_count(seat));
    text_clear(&end);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct seat *seat = owner;

    seat->child = NULL;
    seat->is_ready = false;
    seat_rest(seat);
    if (!seat->events->may_end(seat->owner, wait_status))
        log_death(seat, pid, wait_status);
    forget_counters(seat);
    presence_file_drop(seat->terms->tools.presence, seat->table);
    seat->events->on_empty(seat->owner, seat);
}

/* ---- What it is given. */

/* Sockets of ours that this worker has not got yet, in messages of as many as fit. */
static void give_sockets(struct seat *seat)
{
    const struct seat_terms *terms = seat->terms;
    const struct sockets *sockets = terms->tools.sockets;
    struct handover_socket items[HANDOVER_MAX_FDS];
    int fds[HANDOVER_MAX_FDS];
    size_t count = 0;

    for (size_t i = 0; i < sockets->slot_count; i++) {
        const struct slot *slot = &sockets->slots[i];
        uint32_t listener_index;

        if (seat->is_given[slot->id] ||
            !socket_uses_find(&terms->uses, slot->group, &listener_index))
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
    const struct sockets *sockets = seat->terms->tools.sockets;
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

void seat_assign(struct seat *seat)
{
    give_sockets(seat);
    say_what_to_poll(seat);
}

/* ---- From one program to the next. */

/* Whoever was ready then had all sockets of this generation. */
static void inherit_sockets(struct seat *seat)
{
    const struct sockets *sockets = seat->terms->tools.sockets;
    uint32_t listener_index;

    for (size_t i = 0; i < sockets->slot_count; i++)
        seat->is_given[sockets->slots[i].id] =
            socket_uses_find(&seat->terms->uses, sockets->slots[i].group, &listener_index);
}

/* An empty one is filled by its timer, as if its worker had just died. */
void seat_inherit(struct seat *seat, const struct estate_seat *estate)
{
    if (estate->child.pid == 0) {
        seat_fill_later(seat, 0);
        return;
    }
    seat->worker = estate->worker;
    if (last_worker < seat->worker)
        last_worker = seat->worker;
    seat->table = estate->table;
    seat->counters_fd = estate->counters_fd;
    seat->counters = memory_file_map_shared(seat->counters_fd, sizeof *seat->counters);
    seat->child = child_adopt(seat->terms->tools.children, (pid_t)estate->child.pid,
                              estate->child.channel, &worker_events, seat);
    seat->is_ready = estate->is_ready;
    if (seat->is_ready)
        inherit_sockets(seat);
    else
        loop_timer_start(&seat->timer, START_MS);
}

void seat_bequeath(const struct seat *seat, struct estate_seat *estate)
{
    *estate = (struct estate_seat){ .child.channel = -1, .counters_fd = -1 };
    if (seat->child == NULL)
        return;
    estate->child.pid = (uint32_t)child_pid(seat->child);
    estate->child.channel = child_channel(seat->child);
    estate->worker = seat->worker;
    estate->table = seat->table;
    estate->counters_fd = seat->counters_fd;
    estate->is_ready = seat->is_ready;
}
