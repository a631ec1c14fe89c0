/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's upkeep: the audit and room for it, what the dead left behind, and
 * mail that is dropped by an owner or by age.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "quarantine/keeper_internal.h"

#define SENTENCE_BYTES 500
/* How often it is looked for dead workers and old mail. */
#define SWEEP_MS 10000
/* Room that is kept for the audit and the index. */
#define RESERVE_NAME "reserve"
#define RESERVE_BYTES (1 << 20)
/* Mails that are deleted in one turn: each waits for the disk, and so do all workers meanwhile. */
#define EXPIRE_COUNT 20

/* ---- The audit, and room for it. */

/*
 * On a full disk owners must be able to delete, and to delete is to write to audit and index first.
 * So some room is taken beforehand, and given up for that; copies never get it.
 */
static void take_reserve(struct keeper *keeper)
{
    int folder_fd = store_folder_fd(keeper->store);
    int fd = openat(folder_fd, RESERVE_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    keeper->has_reserve = fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) == 0;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !keeper->has_reserve)
        unlinkat(folder_fd, RESERVE_NAME, 0); /* half of it helps nobody, and is in the way */
}

static bool give_up_reserve(struct keeper *keeper)
{
    bool had_reserve = keeper->has_reserve;

    keeper->has_reserve = false;
    return had_reserve && unlinkat(store_folder_fd(keeper->store), RESERVE_NAME, 0) == 0;
}

void keeper_note(struct keeper *keeper, const struct audit_entry *entries, size_t count,
                 bool is_synced)
{
    struct text problem;
    bool is_noted;

    text_init(&problem, SENTENCE_BYTES);
    is_noted = audit_append(keeper->audit, entries, count, is_synced, &problem);
    if (!is_noted && give_up_reserve(keeper)) {
        text_reset(&problem);
        is_noted = audit_append(keeper->audit, entries, count, is_synced, &problem);
    }
    if (!is_noted) {
        log_error("quarantine-failed", "%s", text_string(&problem));
        /* What is to be done must be noted down first; a keeper that cannot write starts anew. */
        exit(EXIT_FAILURE);
    }
    text_clear(&problem);
    index_catch_up(keeper->index);
}

void keeper_note_all(struct keeper *keeper, enum audit_event event, const char *id)
{
    struct audit_entry entry = { .wall_us = clock_wall_us(), .event = event,
                                 .recipient = AUDIT_ALL_RECIPIENTS };

    snprintf(entry.id, sizeof entry.id, "%s", id);
    keeper_note(keeper, &entry, 1, false);
}

/* ---- Looking over what is there. */

/* Ids that were found, to be worked on once the index may be changed again. */
struct finds {
    struct keeper *keeper;
    char (*ids)[COPY_ID_MAX_BYTES + 1];
    size_t count;
    size_t capacity;
};

static void add_find(struct finds *finds, const char *id)
{
    finds->ids = mem_grow(finds->ids, finds->count, &finds->capacity, sizeof *finds->ids);
    snprintf(finds->ids[finds->count++], sizeof *finds->ids, "%s", id);
}

/* Releases that no keeper has seen the end of. */
struct unended {
    struct keeper *keeper;
    struct audit_entry *entries; /* owned */
    size_t count;
    size_t capacity;
};

static bool find_unended(void *owner, const struct index_mail *mail)
{
    struct unended *unended = owner;

    for (size_t i = 0; i < mail->recipient_count; i++) {
        struct audit_entry *entry;

        if (mail->recipients[i].state != COPY_RELEASING ||
            attempts_has(unended->keeper, mail->recipients[i].attempt))
            continue;
        unended->entries = mem_grow(unended->entries, unended->count, &unended->capacity,
                                    sizeof *unended->entries);
        entry = &unended->entries[unended->count++];
        *entry = (struct audit_entry){ .wall_us = clock_wall_us(), .event = AUDIT_LOST,
                                       .recipient = mail->recipients[i].number,
                                       .attempt = mail->recipients[i].attempt,
                                       .text = SLICE("the keeper died before its end") };
        snprintf(entry->id, sizeof entry->id, "%s", mail->id);
    }
    return true;
}

/*
 * Whose keeper drains are under way: to take them for lost would let an owner send them again. Of
 * several that live one may be the dead one's heir; then all wait until they have ended.
 */
static void mark_unended(struct keeper *keeper)
{
    struct index_filter filter = { .states = 1u << COPY_RELEASING };
    struct unended unended = { .keeper = keeper };

    keeper->awaits_others = keeper_sweep_lives(keeper);
    if (keeper->awaits_others)
        return;
    index_each(keeper->index, &filter, find_unended, &unended);
    if (unended.count > 0)
        keeper_note(keeper, unended.entries, unended.count, true);
    mem_free(unended.entries);
}

void keeper_count_bytes(struct keeper *keeper)
{
    struct index_totals totals = index_get_totals(keeper->index);

    if (totals.is_known)
        keeper->file_bytes = totals.file_bytes;
}

static bool find_orphan(void *owner, const struct index_mail *mail)
{
    struct finds *finds = owner;

    if (!keeper_is_alive(finds->keeper, mail->owner))
        add_find(finds, mail->id);
    return true;
}

void keeper_sweep(struct keeper *keeper)
{
    struct index_filter filter = { .states = 1u << COPY_PENDING };
    struct finds finds = { .keeper = keeper };

    index_each(keeper->index, &filter, find_orphan, &finds);
    for (size_t i = 0; i < finds.count; i++) {
        log_warning("quarantine-uncertain",
                    "%s may be at the backend for its other recipients, or may come again: its "
                    "worker died before it knew",
                    finds.ids[i]);
        keeper_note_all(keeper, AUDIT_ORPHAN, finds.ids[i]);
    }
    mem_free(finds.ids);
    if (keeper->awaits_others)
        mark_unended(keeper);
    keeper_count_bytes(keeper);
}

/* What is looked for of one mail. */
struct sight {
    bool is_open;        /* some recipient is in one of KEEPER_OPEN_STATES */
    uint64_t file_bytes;
};

static bool see(void *owner, const struct index_mail *mail)
{
    struct sight *sight = owner;

    sight->file_bytes = mail->file_bytes;
    for (size_t i = 0; i < mail->recipient_count; i++)
        if ((KEEPER_OPEN_STATES >> mail->recipients[i].state & 1) != 0)
            sight->is_open = true;
    return false;
}

static struct sight look_at(struct keeper *keeper, const char *id)
{
    struct index_filter filter = { .id = id, .states = KEEPER_ALL_STATES };
    struct sight sight = { .is_open = false };

    index_each(keeper->index, &filter, see, &sight);
    return sight;
}

void keeper_remove_file(struct keeper *keeper, const char *id, uint64_t file_bytes)
{
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    if (store_remove(keeper->store, id, &problem) == STORE_FAILED)
        log_error("quarantine-failed", "%s", text_string(&problem));
    text_clear(&problem);
    index_remove(keeper->index, id);
    keeper->file_bytes -= file_bytes < keeper->file_bytes ? file_bytes : keeper->file_bytes;
}

void keeper_remove_done(struct keeper *keeper, const char *id)
{
    struct sight sight = look_at(keeper, id);

    if (!sight.is_open && sight.file_bytes > 0)
        keeper_remove_file(keeper, id, sight.file_bytes);
}

static bool find_any(void *owner, const struct index_mail *mail)
{
    add_find(owner, mail->id);
    return true;
}

/* ---- Dropping what is held. */

/* Recipients that are dropped: entries for the audit, and the strings that these point to. */
struct dropping {
    const struct keeper_drop *drop;
    struct audit_entry *entries; /* owned */
    char **addresses;            /* owned, as the strings */
    size_t count;
    bool is_found;
};

static bool is_meant(const struct keeper_drop *drop, const char *address)
{
    return drop->recipient == NULL ||
           slice_equals_nocase(slice_from(drop->recipient), slice_from(address));
}

static void add_dropped(struct dropping *dropping, const char *id,
                        const struct index_recipient *recipient)
{
    char *address = mem_copy(slice_from(recipient->address));
    struct audit_entry *entry = &dropping->entries[dropping->count];

    *entry = (struct audit_entry){
        .wall_us = clock_wall_us(),
        .event = dropping->drop->event,
        .recipient = recipient->number,
        .address = slice_from(address),
        .by = slice_from(dropping->drop->by),
    };
    snprintf(entry->id, sizeof entry->id, "%s", id);
    dropping->addresses[dropping->count++] = address;
}

static bool find_dropped(void *owner, const struct index_mail *mail)
{
    struct dropping *dropping = owner;
    const struct keeper_drop *drop = dropping->drop;

    dropping->entries = mem_new_array(mail->recipient_count, sizeof *dropping->entries);
    dropping->addresses = mem_new_array(mail->recipient_count, sizeof *dropping->addresses);
    for (size_t i = 0; i < mail->recipient_count; i++) {
        const struct index_recipient *recipient = &mail->recipients[i];

        if (!is_meant(drop, recipient->address))
            continue;
        dropping->is_found = true;
        if (recipient->state == COPY_HELD || recipient->state == COPY_UNCERTAIN)
            add_dropped(dropping, mail->id, recipient);
        else if (drop->on_recipient != NULL)
            drop->on_recipient(drop->owner, mail->id, recipient->address, recipient->state);
    }
    return false;
}

bool keeper_drop(struct keeper *keeper, const struct keeper_drop *drop)
{
    struct index_filter filter = { .id = drop->id, .states = KEEPER_ALL_STATES };
    enum copy_state state = drop->event == AUDIT_DELETE ? COPY_DELETED : COPY_EXPIRED;
    struct dropping dropping = { .drop = drop };

    index_each(keeper->index, &filter, find_dropped, &dropping);
    if (dropping.count > 0) {
        keeper_note(keeper, dropping.entries, dropping.count, true);
        keeper_remove_done(keeper, drop->id);
    }
    for (size_t i = 0; i < dropping.count; i++) {
        if (drop->on_recipient != NULL)
            drop->on_recipient(drop->owner, drop->id, dropping.addresses[i], state);
        mem_free(dropping.addresses[i]);
    }
    mem_free(dropping.addresses);
    mem_free(dropping.entries);
    return dropping.is_found;
}

size_t keeper_expire(struct keeper *keeper)
{
    uint64_t now_us = clock_wall_us();
    uint64_t age_us = keeper->settings.max_age_ms * 1000;
    struct index_filter filter = { .states = 1u << COPY_HELD | 1u << COPY_UNCERTAIN,
                                   .before_us = now_us > age_us ? now_us - age_us : 1,
                                   .limit = EXPIRE_COUNT };
    struct finds finds = { .keeper = keeper };

    index_each(keeper->index, &filter, find_any, &finds);
    for (size_t i = 0; i < finds.count; i++) {
        struct keeper_drop drop = { .id = finds.ids[i], .event = AUDIT_EXPIRE, .by = "age" };

        keeper_drop(keeper, &drop);
    }
    mem_free(finds.ids);
    keeper->expired_count += finds.count;
    if (finds.count == 0 && keeper->expired_count > 0) {
        log_notice("quarantine-expired", "%zu mails that were held longer than max-age are deleted",
                   keeper->expired_count);
        keeper->expired_count = 0;
    }
    return finds.count;
}

void keeper_expire_some(void *owner)
{
    struct keeper *keeper = owner;

    /* The settings of a keeper that drains are of another day. */
    if (!keeper->is_leaving && keeper_expire(keeper) > 0)
        loop_defer_again(keeper->loop, &keeper->expire_task);
}

/* ---- After a death of our own. */

static bool find_done(void *owner, const struct index_mail *mail)
{
    if (mail->file_bytes > 0)
        add_find(owner, mail->id);
    return true;
}

/* Files that nobody needs, where we died before they were removed. */
static void remove_leftovers(struct keeper *keeper)
{
    struct index_filter filter = { .states = KEEPER_ALL_STATES & ~KEEPER_OPEN_STATES };
    struct finds finds = { .keeper = keeper };

    index_each(keeper->index, &filter, find_done, &finds);
    for (size_t i = 0; i < finds.count; i++)
        keeper_remove_done(keeper, finds.ids[i]);
    mem_free(finds.ids);
}

void keeper_mend(struct keeper *keeper)
{
    mark_unended(keeper);
    remove_leftovers(keeper);
}

void keeper_on_sweep(void *owner)
{
    struct keeper *keeper = owner;

    keeper_sweep(keeper);
    (void)keeper_sweep_lives(keeper);
    keeper_expire_some(keeper);
    if (!keeper->has_reserve)
        take_reserve(keeper);
    loop_timer_start(&keeper->sweep_timer, SWEEP_MS);
}
