/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper and its workers; see keeper.h. It may wait for the disk, so all it
 * does is done at once, one thing after the other.
 */
#include "quarantine/keeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "quarantine/keeper_internal.h"

#define MAX_MESSAGES_PER_TURN 64
/* When a channel ends, the process that had it is about to be gone. */
#define SOON_MS 50
/* More than the largest post-dot-budget: no transaction lasts that long behind its copy. */
#define ERASE_US (10 * 60000000ull)

static void on_channel(void *owner);

/* An answer that waits until its worker reads. */
struct answer {
    struct list_link entry;     /* in worker->answers */
    enum exchange_type type;
    size_t length;
    union {
        struct exchange_stored stored;
        struct exchange_claim ended;
    } body;
};

/* ---- Answers. */

static enum packet_result send_answer(const struct keeper_worker *worker, enum exchange_type type,
                                      const void *body, size_t length)
{
    return exchange_send(worker->channel, type, body, length, SLICE_EMPTY, NULL, 0);
}

static void answer_free(struct answer *answer)
{
    list_remove(&answer->entry);
    mem_free(answer);
}

static void forget_answers(struct keeper_worker *worker)
{
    while (!list_is_empty(&worker->answers))
        answer_free(LIST_OWNER(worker->answers.next, struct answer, entry));
}

/* What cannot go through any more ends the worker by way of its channel. */
static void on_writable(void *owner)
{
    struct keeper_worker *worker = owner;
    enum packet_result result = PACKET_DONE;

    while (result == PACKET_DONE && !list_is_empty(&worker->answers)) {
        struct answer *answer = LIST_OWNER(worker->answers.next, struct answer, entry);

        result = send_answer(worker, answer->type, &answer->body, answer->length);
        if (result == PACKET_DONE)
            answer_free(answer);
    }
    if (result == PACKET_NOTHING)
        return;
    if (result != PACKET_DONE)
        shutdown(worker->channel, SHUT_RDWR);
    forget_answers(worker);
    loop_watch_free(&worker->writable);
    loop_watch_resume(worker->watch);
}

void keeper_answer(struct keeper_worker *worker, enum exchange_type type, const void *body,
                   size_t length)
{
    struct answer *answer;

    if (list_is_empty(&worker->answers)) {
        enum packet_result result = send_answer(worker, type, body, length);

        if (result != PACKET_NOTHING) {
            if (result == PACKET_BROKEN)
                shutdown(worker->channel, SHUT_RDWR);
            return;
        }
        loop_watch_pause(worker->watch);
        worker->writable =
            loop_watch_new(worker->keeper->loop, worker->channel, true, on_writable, worker);
    }
    answer = mem_new(sizeof *answer);
    answer->type = type;
    answer->length = length;
    assert(length <= sizeof answer->body);
    memcpy(&answer->body, body, length);
    list_add_last(&worker->answers, &answer->entry);
}

/* ---- Workers come and go. */

static void worker_free(struct keeper_worker *worker)
{
    struct keeper *keeper = worker->keeper;

    list_remove(&worker->entry);
    if (keeper->last_worker == worker)
        keeper->last_worker = NULL;
    forget_answers(worker);
    loop_watch_free(&worker->watch);
    loop_watch_free(&worker->writable);
    close(worker->channel);
    mem_free(worker);
}

/* Its copies in the group that gathers are stored all the same, and swept if it is dead. */
static void on_worker_gone(struct keeper_worker *worker)
{
    struct keeper *keeper = worker->keeper;

    keeper_write_group(keeper);
    attempts_on_worker_gone(keeper, worker);
    worker_free(worker);
    loop_timer_start(&keeper->sweep_timer, SOON_MS);
    if (keeper->is_leaving && list_is_empty(&keeper->workers))
        loop_stop(keeper->loop);
}

void keeper_add_worker(struct keeper *keeper, int take_channel)
{
    struct keeper_worker *worker = mem_new(sizeof *worker);
    int life_fd = keeper_make_life(keeper, &worker->owner);

    worker->keeper = keeper;
    worker->joined_us = clock_monotonic_us();
    list_init(&worker->answers);
    worker->channel = take_channel;
    fcntl(take_channel, F_SETFL, O_NONBLOCK);
    worker->watch = loop_watch_new(keeper->loop, take_channel, false, on_channel, worker);
    list_add_last(&keeper->workers, &worker->entry);
    if (life_fd < 0 || exchange_send(take_channel, EXCHANGE_WELCOME, NULL, 0, SLICE_EMPTY,
                                     &life_fd, 1) != PACKET_DONE)
        log_error("quarantine-failed", "a worker cannot be served: %s", strerror(errno));
    if (life_fd >= 0)
        close(life_fd);
}

/* ---- Committing and erasing. */

struct owned {
    const struct exchange_claim *claim;
    bool is_found;
    bool is_theirs;
    bool is_pending;
    bool is_released; /* an owner has been at it: it is no copy to erase any more */
    uint64_t file_bytes;
};

static bool look_at_owned(void *owner, const struct index_mail *mail)
{
    struct owned *owned = owner;

    owned->is_found = true;
    owned->file_bytes = mail->file_bytes;
    owned->is_theirs = exchange_claim_fits(owned->claim, mail->claim);
    for (size_t i = 0; i < mail->recipient_count; i++) {
        enum copy_state state = mail->recipients[i].state;

        owned->is_pending = owned->is_pending || state == COPY_PENDING;
        owned->is_released = owned->is_released || mail->recipients[i].attempt != 0 ||
                             (state != COPY_PENDING && state != COPY_HELD &&
                              state != COPY_UNCERTAIN);
    }
    return false;
}

/*
 * What was stored for all of a mail's recipients is erased when the client left or our time was
 * spent, which is soon or never. Behind that it is its owner's, and a worker that was taken over
 * must not make mail go away that was held long ago. Who has just come may be late: there was no
 * keeper.
 */
static bool is_too_late(const struct keeper_worker *worker, const char *id)
{
    uint64_t now_us = clock_wall_us();
    uint64_t written_us;

    return store_find_time(worker->keeper->store, id, &written_us) && now_us > written_us &&
           now_us - written_us > ERASE_US &&
           clock_monotonic_us() - worker->joined_us > ERASE_US;
}

/* An id that is not there was ended before, to a keeper whose answer got lost. */
static void on_end(struct keeper_worker *worker, const struct exchange_claim *claim,
                   enum audit_event event)
{
    struct keeper *keeper = worker->keeper;
    struct index_filter filter = { .id = claim->id, .states = KEEPER_OPEN_STATES };
    struct owned owned = { .claim = claim };

    keeper_write_group(keeper);
    index_each(keeper->index, &filter, look_at_owned, &owned);
    if (owned.is_found && !owned.is_theirs) {
        log_error("keeper-misled", "a worker wants to end %s, which is not its own", claim->id);
    } else if (owned.is_found && event == AUDIT_ERASE && !owned.is_pending &&
               is_too_late(worker, claim->id)) {
        log_error("keeper-misled", "a worker wants to erase %s, which was held long ago",
                  claim->id);
    } else if (owned.is_found && (event == AUDIT_COMMIT || !owned.is_released)) {
        keeper_note_all(keeper, event, claim->id);
        if (event == AUDIT_ERASE)
            keeper_remove_file(keeper, claim->id, owned.file_bytes);
    }
    keeper_answer(worker, EXCHANGE_ENDED, claim, sizeof *claim);
}

/* ---- A worker's messages. */

/* False when it says what no worker says. */
static bool on_message(struct keeper_worker *worker, struct exchange *message)
{
    enum exchange_type type = exchange_type(message);
    bool has_claim = type == EXCHANGE_STORE || type == EXCHANGE_COMMIT || type == EXCHANGE_ERASE;

    if (has_claim && !exchange_claim_is_valid(&message->body.claim))
        return false;
    switch (type) {
    case EXCHANGE_STORE: keeper_on_store(worker, message); return true;
    case EXCHANGE_COMMIT: on_end(worker, &message->body.claim, AUDIT_COMMIT); return true;
    case EXCHANGE_ERASE: on_end(worker, &message->body.claim, AUDIT_ERASE); return true;
    case EXCHANGE_OUTCOME: attempts_on_outcome(worker->keeper, worker, message); return true;
    case EXCHANGE_RELEASED:
        attempts_on_released(worker->keeper, worker, message->body.attempt.attempt);
        return true;
    case EXCHANGE_LEAVING: worker->is_leaving = true; return true;
    case EXCHANGE_WELCOME:
    case EXCHANGE_STORED:
    case EXCHANGE_ENDED:
    case EXCHANGE_RELEASE:
    case EXCHANGE_TYPE_COUNT: return false;
    }
    return false;
}

static void on_channel(void *owner)
{
    struct keeper_worker *worker = owner;
    enum packet_result result = PACKET_DONE;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && result == PACKET_DONE &&
                    list_is_empty(&worker->answers); i++) {
        struct exchange message;

        result = exchange_receive(worker->channel, &message);
        if (result == PACKET_DONE && !on_message(worker, &message))
            result = PACKET_BROKEN;
        packet_clear(&message.packet);
    }
    if (result == PACKET_BROKEN)
        log_error("keeper-misled", "a worker says what no worker says, and is not heard any more");
    if (result == PACKET_GONE || result == PACKET_BROKEN)
        on_worker_gone(worker);
}

/* ---- Life. */

static bool open_all(struct keeper *keeper, int take_folder_fd, struct text *problem)
{
    keeper->store = store_open(take_folder_fd, problem);
    if (keeper->store == NULL)
        return false;
    keeper->audit = audit_open(store_folder_fd(keeper->store), problem);
    if (keeper->audit == NULL)
        return false;
    keeper->index = index_open(keeper->store, keeper->audit, problem);
    if (keeper->index == NULL)
        return false;
    keeper->desk = desk_new(keeper, problem);
    return keeper->desk != NULL;
}

struct keeper *keeper_new(struct loop *loop, int take_folder_fd,
                          const struct keeper_settings *settings, struct text *problem)
{
    struct keeper *keeper = mem_new(sizeof *keeper);

    keeper->loop = loop;
    keeper->life_fd = -1;
    keeper->settings = *settings;
    list_init(&keeper->workers);
    list_init(&keeper->attempts);
    list_init(&keeper->waiters);
    keeper->items = mem_new_array(KEEPER_GROUP_COUNT, sizeof *keeper->items);
    loop_task_init(&keeper->group_task, keeper_write_group, keeper);
    loop_task_init(&keeper->expire_task, keeper_expire_some, keeper);
    loop_timer_init(&keeper->sweep_timer, loop, keeper_on_sweep, keeper);
    if (!open_all(keeper, take_folder_fd, problem)) {
        keeper_free(&keeper);
        return NULL;
    }
    keeper_show_life(keeper);
    keeper_mend(keeper);
    keeper_count_bytes(keeper);
    loop_timer_start(&keeper->sweep_timer, SOON_MS);
    return keeper;
}

void keeper_free(struct keeper **handle)
{
    struct keeper *keeper = *handle;

    if (keeper == NULL)
        return;
    desk_free(&keeper->desk);
    attempts_clear(keeper);
    while (!list_is_empty(&keeper->workers))
        worker_free(LIST_OWNER(keeper->workers.next, struct keeper_worker, entry));
    keeper_forget_group(keeper);
    loop_task_cancel(&keeper->group_task);
    loop_task_cancel(&keeper->expire_task);
    loop_timer_cancel(&keeper->sweep_timer);
    if (keeper->life_fd >= 0)
        close(keeper->life_fd);
    index_close(&keeper->index);
    audit_close(&keeper->audit);
    store_close(&keeper->store);
    mem_free(keeper->items);
    mem_free(keeper);
    *handle = NULL;
}

void keeper_set_settings(struct keeper *keeper, const struct keeper_settings *settings)
{
    keeper->settings = *settings;
}

void keeper_leave(struct keeper *keeper)
{
    keeper->is_leaving = true;
    desk_free(&keeper->desk);
}

bool keeper_is_alone(const struct keeper *keeper)
{
    return list_is_empty(&keeper->workers);
}
