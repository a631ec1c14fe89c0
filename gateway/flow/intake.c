/* SPDX-License-Identifier: BSD-2-Clause */
/* The content of one transaction on its way in; see intake.h. */
#include "flow/intake.h"

#include "flow/outcome.h"

/* A message may have this much in memory before the disk is asked to help, ... */
#define SPILL_FROM_BYTES (256 * 1024)
/* ... less when memory runs short: one part in so many of what is left of it. */
#define SPILL_PARTS 128
/* And while the disk works, so many times as much before the client has to wait. */
#define PAUSE_FACTOR 4

/* With more than these parts of all memory in use, whoever holds the most goes to the disk. */
#define SHORT_FROM_PARTS 3
#define SHORT_PARTS 4

static void on_disk_stuck(void *owner);
static void tell_evicted(void *owner);

void intake_init(struct intake *intake, struct shared *shared, void (*on_progress)(void *owner),
                 void (*on_evicted)(void *owner), void *owner)
{
    *intake = (struct intake){
        .shared = shared,
        .on_progress = on_progress,
        .on_evicted = on_evicted,
        .owner = owner,
        .problem = REPLY_OK,
    };
    hoarder_init(&intake->holder, intake);
    hoarder_init(&intake->writer, intake);
    loop_timer_init(&intake->timer, shared->settings.loop, on_disk_stuck, intake);
    loop_task_init(&intake->evicted, tell_evicted, intake);
}

/* ---- Its memory. */

static uint64_t find_memory(const struct intake *intake)
{
    const struct message *message = &intake->message;

    return message->spool.chunk_count * SPOOL_CHUNK_BYTES + message->header_bytes +
           intake->extra_bytes;
}

/* Only of what is not complete, or not decided on, something can be taken away. */
static void note_memory(struct intake *intake)
{
    struct shared *shared = intake->shared;
    bool is_coming = intake->problem == REPLY_OK && !intake->message.is_complete;
    bool is_checked = intake->problem == REPLY_OK && intake->extra_bytes > 0;
    bool is_idle = is_coming && intake->job == NULL;

    hoard_note(&shared->holders, &intake->holder,
               is_coming || is_checked ? find_memory(intake) : 0);
    hoard_note(&shared->writers, &intake->writer,
               is_idle ? spool_memory_bytes(&intake->message.spool) : 0);
}

static void cancel_spill(struct intake *intake)
{
    loop_timer_cancel(&intake->timer);
    if (intake->job != NULL)
        spill_cancel(&intake->job);
}

static void drop_content(struct intake *intake)
{
    cancel_spill(intake);
    if (!intake->is_open)
        return;
    message_clear(&intake->message);
    note_memory(intake);
}

void intake_clear(struct intake *intake)
{
    loop_task_cancel(&intake->evicted);
    drop_content(intake);
}

void intake_open(struct intake *intake, size_t listener_index, uint64_t max_bytes)
{
    if (intake->is_open)
        return;
    intake->limits = intake->shared->limits[listener_index];
    intake->limits.max_bytes = max_bytes;
    message_init(&intake->message, &intake->limits, &intake->shared->spool_budget);
    intake->is_open = true;
}

/* ---- The disk. */

/* So that a crowd of slow clients fills the disk before it shuts others out of memory. */
static uint64_t find_spill_from(const struct intake *intake)
{
    const struct spool_budget *budget = &intake->shared->spool_budget;
    uint64_t part = (budget->max_bytes - budget->used_bytes) / SPILL_PARTS;

    if (part >= SPILL_FROM_BYTES)
        return SPILL_FROM_BYTES;
    return part > SPOOL_CHUNK_BYTES ? part : SPOOL_CHUNK_BYTES;
}

static void on_spilled(void *owner, enum spill_result result);

static void start_spill(struct intake *intake)
{
    const struct gate_settings *settings = &intake->shared->settings;

    intake->job = spill_write_start(settings->spill, &intake->message.spool, on_spilled, intake);
    loop_timer_start(&intake->timer, settings->config->spool_timeout_ms);
    note_memory(intake);
}

static void spill_if_wanted(struct intake *intake)
{
    uint64_t in_memory = spool_memory_bytes(&intake->message.spool);
    uint64_t wanted = intake->is_to_disk ? 1 : find_spill_from(intake);

    if (intake->job == NULL && in_memory >= wanted)
        start_spill(intake);
}

static void go_on(struct intake *intake, enum server_reply problem)
{
    if (intake->problem == REPLY_OK)
        intake->problem = problem;
    if (intake->problem == REPLY_OK)
        spill_if_wanted(intake);
    note_memory(intake);
    intake->on_progress(intake->owner);
}

static void on_spilled(void *owner, enum spill_result result)
{
    struct intake *intake = owner;

    loop_timer_cancel(&intake->timer);
    intake->job = NULL;
    go_on(intake, outcome_reply_to_spill(result));
}

static void on_disk_stuck(void *owner)
{
    struct intake *intake = owner;

    cancel_spill(intake);
    go_on(intake, REPLY_DISK_TIMEOUT);
}

bool intake_is_settled(const struct intake *intake)
{
    return intake->job == NULL;
}

/* ---- Memory that runs short. */

/*
 * Those who fall silent go to the disk as well, not only those who send on. One at a time: each
 * piece of content may bring about one write.
 */
static void relieve_memory(struct shared *shared)
{
    const struct spool_budget *budget = &shared->spool_budget;
    struct intake *largest;

    if (budget->used_bytes <= budget->max_bytes / SHORT_PARTS * SHORT_FROM_PARTS)
        return;
    largest = hoard_find(&shared->writers, 0);
    if (largest != NULL)
        start_spill(largest);
}

static void tell_evicted(void *owner)
{
    struct intake *intake = owner;

    intake->on_progress(intake->owner);
}

/* Its client hears of it with the next content, or at the end; the room is there now. */
static void evict(struct intake *intake)
{
    intake->problem = REPLY_NO_SPACE;
    intake->on_evicted(intake->owner);
    drop_content(intake);
    note_memory(intake);
    loop_defer(intake->shared->settings.loop, &intake->evicted);
}

/* `bytes` more of the budget, from those who hold at least as much as it would then. */
static void find_room(struct intake *intake, uint64_t bytes, uint64_t content_bytes)
{
    struct shared *shared = intake->shared;
    const struct spool_budget *budget = &shared->spool_budget;

    while (bytes > budget->max_bytes - budget->used_bytes) {
        struct intake *largest = hoard_find(&shared->holders, find_memory(intake) + content_bytes);

        if (largest == NULL || largest == intake)
            return;
        evict(largest);
    }
}

/*
 * A header has to stay in memory until its end, and the disk may be full or slow: then somebody who
 * holds more than this one is to have when it has taken `bytes` has to go, or one who has held as
 * much for longer. Nobody can keep others out by holding what they have for hours.
 */
static void make_room(struct intake *intake, size_t bytes)
{
    uint64_t chunk_bytes = bytes + SPOOL_CHUNK_BYTES;
    uint64_t header_bytes = message_is_header_complete(&intake->message)
                                ? 0
                                : bytes + intake->message.header_bytes; /* it grows by doubling */

    find_room(intake, chunk_bytes + header_bytes, bytes);
}

bool intake_take_extra(struct intake *intake, uint64_t bytes)
{
    if (intake->problem != REPLY_OK)
        return false;
    find_room(intake, bytes, bytes);
    if (spool_budget_take(&intake->shared->spool_budget, bytes))
        intake->extra_bytes += bytes;
    else
        intake->problem = REPLY_NO_SPACE;
    note_memory(intake);
    relieve_memory(intake->shared);
    return intake->problem == REPLY_OK;
}

void intake_give_back_extra(struct intake *intake, uint64_t bytes)
{
    spool_budget_give_back(&intake->shared->spool_budget, bytes);
    intake->extra_bytes -= bytes;
    note_memory(intake);
}

/* ---- Content. */

bool intake_take(struct intake *intake, struct slice content)
{
    if (intake->problem == REPLY_OK) {
        make_room(intake, content.length);
        intake->problem = outcome_reply_to_problem(message_append(&intake->message, content));
    }
    note_memory(intake);
    if (intake->problem != REPLY_OK)
        return false;
    spill_if_wanted(intake);
    relieve_memory(intake->shared);
    return true;
}

bool intake_wants_pause(const struct intake *intake)
{
    return intake->job != NULL &&
           spool_memory_bytes(&intake->message.spool) >= PAUSE_FACTOR * find_spill_from(intake);
}

void intake_end(struct intake *intake)
{
    if (intake->problem == REPLY_OK)
        intake->problem = outcome_reply_to_problem(message_end(&intake->message));
    note_memory(intake);
}

void intake_to_disk(struct intake *intake)
{
    intake->is_to_disk = true;
    if (intake->problem == REPLY_OK)
        spill_if_wanted(intake);
}
