/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Releases, as the keeper sees to them: the intent is on the disk before a
 * worker hears of it, and the outcome before anybody else does. An attempt whose
 * end nobody saw leaves its recipients uncertain: they may have the mail, so only
 * an owner who says so makes us send it once more.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "quarantine/keeper_internal.h"

#define SENTENCE_BYTES 500

/* Somebody who waits for one mail. */
struct waiter {
    struct list_link entry;     /* in keeper->waiters */
    const struct attempt *attempt; /* whose end is waited for; NULL when there is none any more */
    const struct attempt_events *events;
    void *owner;                /* NULL: nobody listens any more */
    struct loop_task end_task;
};

/* A recipient that the attempt is for. */
struct target {
    uint32_t number;            /* in the copy */
    char *address;              /* owned */
    bool is_told;
};

struct attempt {
    struct list_link entry;     /* in keeper->attempts */
    uint64_t number;
    char id[COPY_ID_MAX_BYTES + 1];
    struct keeper_worker *worker;
    struct target *targets;     /* owned; in the order of the RELEASE */
    size_t target_count;
};

/* ---- Waiters. */

static void end_waiter(void *owner)
{
    struct waiter *waiter = owner;
    const struct attempt_events *events = waiter->events;
    void *listener = waiter->owner;

    list_remove(&waiter->entry);
    mem_free(waiter);
    if (listener != NULL)
        events->on_end(listener);
}

static struct waiter *waiter_new(struct keeper *keeper, const struct attempt_events *events,
                                 void *owner)
{
    struct waiter *waiter = mem_new(sizeof *waiter);

    waiter->events = events;
    waiter->owner = owner;
    loop_task_init(&waiter->end_task, end_waiter, waiter);
    list_add_last(&keeper->waiters, &waiter->entry);
    return waiter;
}

static void tell_waiters(struct keeper *keeper, const struct attempt *attempt,
                         const char *address, enum copy_state state, const char *words)
{
    for (struct list_link *link = keeper->waiters.next; link != &keeper->waiters;
         link = link->next) {
        struct waiter *waiter = LIST_OWNER(link, struct waiter, entry);

        if (waiter->attempt == attempt && waiter->owner != NULL)
            waiter->events->on_recipient(waiter->owner, attempt->id, address, state, words);
    }
}

static void end_waiters(struct keeper *keeper, const struct attempt *attempt)
{
    for (struct list_link *link = keeper->waiters.next; link != &keeper->waiters;
         link = link->next) {
        struct waiter *waiter = LIST_OWNER(link, struct waiter, entry);

        if (waiter->attempt != attempt)
            continue;
        waiter->attempt = NULL;
        loop_defer(keeper->loop, &waiter->end_task);
    }
}

void attempts_forget(struct keeper *keeper, void *owner)
{
    for (struct list_link *link = keeper->waiters.next; link != &keeper->waiters;
         link = link->next)
        if (LIST_OWNER(link, struct waiter, entry)->owner == owner)
            LIST_OWNER(link, struct waiter, entry)->owner = NULL;
}

/* ---- The end of an attempt. */

static void attempt_free(struct attempt *attempt)
{
    list_remove(&attempt->entry);
    for (size_t i = 0; i < attempt->target_count; i++)
        mem_free(attempt->targets[i].address);
    mem_free(attempt->targets);
    mem_free(attempt);
}

static struct audit_entry make_entry(const struct attempt *attempt, enum audit_event event,
                                     const struct target *target, struct slice words)
{
    struct audit_entry entry = {
        .wall_us = clock_wall_us(),
        .event = event,
        .recipient = target->number,
        .attempt = attempt->number,
        .address = slice_from(target->address),
        .text = words,
    };

    memcpy(entry.id, attempt->id, sizeof entry.id);
    return entry;
}

static void settle(struct keeper *keeper, struct attempt *attempt, struct target *target,
                   enum audit_event event, struct slice words)
{
    static const enum copy_state states[AUDIT_EVENT_COUNT] = {
        [AUDIT_RELEASED] = COPY_RELEASED,
        [AUDIT_REFUSED] = COPY_HELD,
        [AUDIT_LOST] = COPY_UNCERTAIN,
    };
    struct audit_entry entry = make_entry(attempt, event, target, words);
    char *text = mem_copy(words);

    target->is_told = true;
    keeper_note(keeper, &entry, 1, true);
    tell_waiters(keeper, attempt, target->address, states[event], text);
    mem_free(text);
}

/* `why` and `event` are for those of whom nothing was heard. */
static void end_attempt(struct keeper *keeper, struct attempt *attempt, enum audit_event event,
                        struct slice why)
{
    for (size_t i = 0; i < attempt->target_count; i++)
        if (!attempt->targets[i].is_told)
            settle(keeper, attempt, &attempt->targets[i], event, why);
    end_waiters(keeper, attempt);
    keeper_remove_done(keeper, attempt->id);
    attempt_free(attempt);
}

static struct attempt *find_attempt(struct keeper *keeper, const struct keeper_worker *worker,
                                    uint64_t number)
{
    for (struct list_link *link = keeper->attempts.next; link != &keeper->attempts;
         link = link->next) {
        struct attempt *attempt = LIST_OWNER(link, struct attempt, entry);

        if (attempt->number == number && attempt->worker == worker)
            return attempt;
    }
    return NULL;
}

bool attempts_has(const struct keeper *keeper, uint64_t number)
{
    for (struct list_link *link = keeper->attempts.next; link != &keeper->attempts;
         link = link->next)
        if (LIST_OWNER(link, struct attempt, entry)->number == number)
            return true;
    return false;
}

void attempts_on_outcome(struct keeper *keeper, const struct keeper_worker *worker,
                         const struct exchange *message)
{
    static const enum audit_event events[] = {
        [EXCHANGE_DELIVERED] = AUDIT_RELEASED,
        [EXCHANGE_REFUSED] = AUDIT_REFUSED,
        [EXCHANGE_LOST] = AUDIT_LOST,
    };
    const struct exchange_outcome *outcome = &message->body.outcome;
    struct attempt *attempt = find_attempt(keeper, worker, outcome->attempt);

    if (attempt == NULL || outcome->recipient >= attempt->target_count ||
        outcome->fate > EXCHANGE_LOST || attempt->targets[outcome->recipient].is_told)
        return;
    settle(keeper, attempt, &attempt->targets[outcome->recipient], events[outcome->fate],
           exchange_words(message));
}

void attempts_on_released(struct keeper *keeper, const struct keeper_worker *worker,
                          uint64_t number)
{
    struct attempt *attempt = find_attempt(keeper, worker, number);

    if (attempt != NULL)
        end_attempt(keeper, attempt, AUDIT_REFUSED, SLICE("the worker could not try it"));
}

void attempts_on_worker_gone(struct keeper *keeper, const struct keeper_worker *worker)
{
    struct list_link *link = keeper->attempts.next;

    while (link != &keeper->attempts) {
        struct attempt *attempt = LIST_OWNER(link, struct attempt, entry);

        link = link->next;
        if (attempt->worker == worker)
            end_attempt(keeper, attempt, AUDIT_LOST, SLICE("the worker died before its end"));
    }
}

void attempts_clear(struct keeper *keeper)
{
    while (!list_is_empty(&keeper->attempts))
        attempt_free(LIST_OWNER(keeper->attempts.next, struct attempt, entry));
    while (!list_is_empty(&keeper->waiters)) {
        struct waiter *waiter = LIST_OWNER(keeper->waiters.next, struct waiter, entry);

        loop_task_cancel(&waiter->end_task);
        list_remove(&waiter->entry);
        mem_free(waiter);
    }
}

/* ---- The beginning. */

/* What is looked for in the index before an attempt. */
struct search {
    const struct attempt_wish *wish;
    const struct attempt_events *events;
    void *owner;
    struct attempt *attempt;    /* being made */
    struct attempt *running;    /* one of this mail that is under way, or NULL */
    bool is_found;
    size_t spoken_of;           /* recipients that are meant */
};

static bool is_meant(const struct attempt_wish *wish, const char *address)
{
    return wish->recipient == NULL ||
           slice_equals_nocase(slice_from(wish->recipient), slice_from(address));
}

static bool can_be_tried(const struct attempt_wish *wish, enum copy_state state)
{
    return state == COPY_HELD || (state == COPY_UNCERTAIN && wish->is_again);
}

static void add_target(struct attempt *attempt, uint32_t number, const char *address)
{
    attempt->targets = mem_resize(attempt->targets, attempt->target_count + 1,
                                  sizeof *attempt->targets);
    attempt->targets[attempt->target_count++] =
        (struct target){ .number = number, .address = mem_copy(slice_from(address)) };
}

static bool look(void *owner, const struct index_mail *mail)
{
    struct search *search = owner;

    search->is_found = true;
    for (size_t i = 0; i < mail->recipient_count; i++) {
        const struct index_recipient *recipient = &mail->recipients[i];

        if (!is_meant(search->wish, recipient->address))
            continue;
        search->spoken_of++;
        if (search->running == NULL && can_be_tried(search->wish, recipient->state))
            add_target(search->attempt, recipient->number, recipient->address);
        else if (search->running == NULL || recipient->state != COPY_RELEASING)
            search->events->on_recipient(search->owner, mail->id, recipient->address,
                                         recipient->state, recipient->text);
    }
    return false;
}

static struct attempt *find_running(struct keeper *keeper, const char *id)
{
    for (struct list_link *link = keeper->attempts.next; link != &keeper->attempts;
         link = link->next)
        if (strcmp(LIST_OWNER(link, struct attempt, entry)->id, id) == 0)
            return LIST_OWNER(link, struct attempt, entry);
    return NULL;
}

/* The next that takes releases, so that all get their share. */
static struct keeper_worker *pick_worker(struct keeper *keeper)
{
    struct list_link *start =
        keeper->last_worker != NULL ? &keeper->last_worker->entry : &keeper->workers;

    for (struct list_link *link = start->next;; link = link->next) {
        if (link != &keeper->workers) {
            struct keeper_worker *worker = LIST_OWNER(link, struct keeper_worker, entry);

            if (!worker->is_leaving) {
                keeper->last_worker = worker;
                return worker;
            }
        }
        if (link == start)
            return NULL;
    }
}

static void swap(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

/* The copy with those recipients alone that are meant; their numbers ascend. */
static void keep_targets(struct copy *copy, const struct attempt *attempt)
{
    size_t count = copy->envelope.recipient_count;
    struct envelope kept;

    envelope_init(&kept);
    envelope_copy_sender(&kept, &copy->envelope);
    for (size_t i = 0; i < attempt->target_count; i++) {
        uint32_t number = attempt->targets[i].number;

        envelope_add_recipient(&kept, &copy->envelope.recipients[number]);
        swap(&copy->reasons[i], &copy->reasons[number]);
        swap(&copy->notes[i], &copy->notes[number]);
    }
    for (size_t i = attempt->target_count; i < count; i++) {
        mem_free(copy->reasons[i]);
        mem_free(copy->notes[i]);
    }
    envelope_clear(&copy->envelope);
    copy->envelope = kept;
}

static bool send_release(const struct attempt *attempt, struct store_file *file)
{
    struct exchange_attempt body = { attempt->number, file->content_bytes };
    int fds[2] = { file->fd, -1 };
    struct text words;
    bool is_sent;

    keep_targets(&file->copy, attempt);
    text_init(&words, copy_max_bytes(file->copy.envelope.recipient_count));
    copy_print(&words, &file->copy);
    fds[1] = exchange_make_text(text_slice(&words));
    text_clear(&words);
    is_sent = fds[1] >= 0 && exchange_send(attempt->worker->channel, EXCHANGE_RELEASE, &body,
                                           sizeof body, SLICE_EMPTY, fds, 2) == PACKET_DONE;
    if (fds[1] >= 0)
        close(fds[1]);
    return is_sent;
}

static void note_intent(struct keeper *keeper, const struct attempt *attempt, const char *by)
{
    struct audit_entry *entries = mem_new_array(attempt->target_count, sizeof *entries);

    for (size_t i = 0; i < attempt->target_count; i++) {
        entries[i] = make_entry(attempt, AUDIT_RELEASE, &attempt->targets[i], SLICE_EMPTY);
        entries[i].by = slice_from(by);
    }
    keeper_note(keeper, entries, attempt->target_count, true);
    mem_free(entries);
}

/* Refuses without a trace in the audit: nothing was tried. */
static void give_up(struct keeper *keeper, struct attempt *attempt, const char *why)
{
    for (size_t i = 0; i < attempt->target_count; i++)
        tell_waiters(keeper, attempt, attempt->targets[i].address, COPY_HELD, why);
    end_waiters(keeper, attempt);
    attempt_free(attempt);
}

static void try_it(struct keeper *keeper, struct attempt *attempt, const char *by)
{
    struct store_file file;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    attempt->worker = pick_worker(keeper);
    if (attempt->worker == NULL) {
        give_up(keeper, attempt, "no worker is there to carry it out");
    } else if (store_read(keeper->store, attempt->id, true, &file, &problem) != STORE_DONE) {
        log_error("quarantine-damaged", "%s is not released: %s", attempt->id,
                  text_string(&problem));
        give_up(keeper, attempt, text_string(&problem));
    } else {
        note_intent(keeper, attempt, by);
        if (!send_release(attempt, &file))
            end_attempt(keeper, attempt, AUDIT_REFUSED, SLICE("the worker does not listen"));
        store_file_clear(&file);
    }
    text_clear(&problem);
}

static struct attempt *attempt_new(struct keeper *keeper, const char *id)
{
    struct attempt *attempt = mem_new(sizeof *attempt);

    crypto_random(&attempt->number, sizeof attempt->number);
    attempt->number = (attempt->number >> 1) | 1; /* 0 stands for none */
    snprintf(attempt->id, sizeof attempt->id, "%s", id);
    list_add_last(&keeper->attempts, &attempt->entry);
    return attempt;
}

void attempts_start(struct keeper *keeper, const struct attempt_wish *wish,
                    const struct attempt_events *events, void *owner)
{
    struct index_filter filter = { .id = wish->id, .states = KEEPER_ALL_STATES };
    struct search search = { .wish = wish, .events = events, .owner = owner };
    struct waiter *waiter = waiter_new(keeper, events, owner);

    search.running = find_running(keeper, wish->id);
    search.attempt = attempt_new(keeper, wish->id);
    index_each(keeper->index, &filter, look, &search);
    if (search.spoken_of == 0)
        events->on_recipient(owner, wish->id, wish->recipient, COPY_ERASED,
                             search.is_found ? "it has no such recipient"
                                             : "there is no such mail");
    waiter->attempt = search.attempt->target_count > 0 ? search.attempt : search.running;
    if (search.attempt->target_count > 0)
        try_it(keeper, search.attempt, wish->by);
    else
        attempt_free(search.attempt);
    if (waiter->attempt == NULL)
        loop_defer(keeper->loop, &waiter->end_task);
}
