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

static void on_disk_stuck(void *owner);

void intake_init(struct intake *intake, struct shared *shared, void (*on_progress)(void *owner),
                 void *owner)
{
    *intake = (struct intake){
        .shared = shared,
        .on_progress = on_progress,
        .owner = owner,
        .problem = REPLY_OK,
    };
    loop_timer_init(&intake->timer, shared->settings.loop, on_disk_stuck, intake);
}

static void cancel_spill(struct intake *intake)
{
    loop_timer_cancel(&intake->timer);
    if (intake->job != NULL)
        spill_cancel(&intake->job);
}

void intake_clear(struct intake *intake)
{
    cancel_spill(intake);
    if (intake->is_open)
        message_clear(&intake->message);
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

static void spill_if_wanted(struct intake *intake)
{
    const struct gate_settings *settings = &intake->shared->settings;

    uint64_t in_memory = spool_memory_bytes(&intake->message.spool);
    uint64_t wanted = intake->is_to_disk ? 1 : find_spill_from(intake);

    if (intake->job != NULL || in_memory < wanted)
        return;
    intake->job = spill_write_start(settings->spill, &intake->message.spool, on_spilled, intake);
    loop_timer_start(&intake->timer, settings->config->spool_timeout_ms);
}

static void go_on(struct intake *intake, enum server_reply problem)
{
    if (intake->problem == REPLY_OK)
        intake->problem = problem;
    if (intake->problem == REPLY_OK)
        spill_if_wanted(intake);
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

/* ---- Content. */

bool intake_take(struct intake *intake, struct slice content)
{
    if (intake->problem == REPLY_OK)
        intake->problem = outcome_reply_to_problem(message_append(&intake->message, content));
    if (intake->problem != REPLY_OK)
        return false;
    spill_if_wanted(intake);
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
}

void intake_to_disk(struct intake *intake)
{
    intake->is_to_disk = true;
    if (intake->problem == REPLY_OK)
        spill_if_wanted(intake);
}
