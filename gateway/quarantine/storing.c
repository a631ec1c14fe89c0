/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the keeper stores copies: those that have come while the last ones went to
 * the disk make the next group. Files first, then the disk, then the index, and
 * only then the answers.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "quarantine/keeper_internal.h"

#define SENTENCE_BYTES 500

static void item_clear(struct keeper_item *item)
{
    close(item->sheet_fd);
    close(item->content_fd);
    copy_clear(&item->copy);
}

static bool is_group_full(const struct keeper *keeper)
{
    return keeper->item_count == KEEPER_GROUP_COUNT ||
           keeper->sheet_bytes >= KEEPER_GROUP_SHEET_BYTES ||
           keeper->content_bytes >= KEEPER_GROUP_CONTENT_BYTES;
}

void keeper_on_store(struct keeper_worker *worker, struct exchange *message)
{
    struct keeper *keeper = worker->keeper;
    struct keeper_item *item = &keeper->items[keeper->item_count++];

    *item = (struct keeper_item){
        .worker = worker,
        .claim = message->body.claim,
        .sheet_fd = packet_take_fd(&message->packet, 0),
        .content_fd = packet_take_fd(&message->packet, 1),
        .result = STORE_BROKEN,
    };
    copy_init(&item->copy);
    if (!exchange_measure_file(item->sheet_fd, &item->sheet_bytes) ||
        item->sheet_bytes > EXCHANGE_MAX_SHEET_BYTES)
        item->sheet_bytes = 0; /* of which nothing can be read */
    item->has_content = exchange_measure_file(item->content_fd, &item->content_bytes);
    keeper->sheet_bytes += item->sheet_bytes;
    keeper->content_bytes += item->content_bytes;
    if (is_group_full(keeper))
        keeper_write_group(keeper);
    else
        loop_defer(keeper->loop, &keeper->group_task);
}

static uint64_t count_content(const struct exchange_sheet *sheet)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < sheet->piece_count; i++) {
        if (sheet->pieces[i].length > UINT64_MAX / 2 - bytes)
            return UINT64_MAX / 2;
        bytes += sheet->pieces[i].length;
    }
    return bytes;
}

/*
 * The content is a message once through, perhaps with parts left out. Pieces that go back and forth
 * would make a full disk of a small file.
 */
static bool has_good_pieces(const struct keeper_item *item, const struct exchange_sheet *sheet)
{
    uint64_t end = 0;

    for (size_t i = 0; i < sheet->piece_count; i++) {
        const struct store_piece *piece = &sheet->pieces[i];

        if (piece->bytes != NULL || piece->length == 0)
            continue;
        if (piece->offset < end || piece->offset > item->content_bytes ||
            piece->length > item->content_bytes - piece->offset)
            return false;
        end = piece->offset + piece->length;
    }
    return true;
}

static bool has_good_content(const struct keeper *keeper, const struct keeper_item *item,
                             const struct exchange_sheet *sheet, struct text *problem)
{
    uint64_t max_bytes = keeper->settings.max_mail_bytes;

    if (!item->has_content)
        text_add_string(problem, "the content that was handed over is no regular file");
    else if (item->content_bytes > max_bytes)
        text_add_format(problem,
                        "the content that was handed over has %llu bytes, and no message can have "
                        "more than max-spool-disk, %llu",
                        (unsigned long long)item->content_bytes, (unsigned long long)max_bytes);
    else if (!has_good_pieces(item, sheet))
        text_add_string(problem, "the content that was handed over is shorter than was said, or "
                                 "is to be written more than once");
    else
        return true;
    return false;
}

static bool see_closed(void *owner, const struct index_mail *mail)
{
    *(bool *)owner = mail->recipient_count > 0;
    return false;
}

/* Its file is gone, since an owner had released or deleted it, or its time was over. */
static bool is_closed(struct keeper *keeper, const char *id)
{
    struct index_filter filter = { .id = id, .states = COPY_STATES_PAST };
    bool is_there = false;

    index_each(keeper->index, &filter, see_closed, &is_there);
    return is_there;
}

/*
 * One that was stored before, for a worker that has not heard the answer; STORE_ABSENT: none. An
 * owner may have been faster than the answer; a second file would be a second mail.
 */
static enum store_result recognise(struct keeper *keeper, struct keeper_item *item,
                                   struct text *problem)
{
    struct store_file file;
    enum store_result result = store_read(keeper->store, item->claim.id, false, &file, problem);

    if (result == STORE_ABSENT && is_closed(keeper, item->claim.id))
        return STORE_DONE;
    if (result != STORE_DONE)
        return result;
    if (!exchange_claim_fits(&item->claim, file.copy.claim)) {
        text_add_format(problem, "there is another mail of the id %s", item->claim.id);
        result = STORE_FAILED;
    }
    item->was_unanswered = !file.is_answered;
    store_file_clear(&file);
    if (result == STORE_DONE)
        result = store_sync_folder(keeper->store, problem);
    return result;
}

static enum store_result write_new(struct keeper *keeper, struct keeper_item *item,
                                   const struct exchange_sheet *sheet, struct text *problem)
{
    uint64_t bytes = count_content(sheet);
    enum store_result result;

    if (!has_good_content(keeper, item, sheet, problem))
        return STORE_BROKEN;
    if (bytes > keeper->settings.max_bytes ||
        keeper->file_bytes > keeper->settings.max_bytes - bytes)
        return STORE_FULL;
    item->copy.owner = item->worker->owner;
    result = store_write(keeper->store, &item->copy, item->content_fd, sheet->pieces,
                         sheet->piece_count, &item->draft, problem);
    if (result == STORE_EXISTS) /* another keeper was faster */
        return recognise(keeper, item, problem);
    if (result != STORE_DONE)
        return result;
    item->file_bytes = store_draft_bytes(item->draft);
    keeper->file_bytes += item->file_bytes;
    return STORE_DONE;
}

/* What is there already needs no room, so it is looked for first. */
static enum store_result write_item(struct keeper *keeper, struct keeper_item *item,
                                    struct text *problem)
{
    struct exchange_sheet sheet;
    enum store_result result = STORE_BROKEN;

    if (!exchange_read_sheet(item->sheet_fd, (size_t)item->sheet_bytes, &sheet)) {
        text_add_string(problem, "a worker hands over a copy that cannot be read");
    } else if (copy_parse(&item->copy, sheet.copy, problem)) {
        if (strcmp(item->copy.id, item->claim.id) != 0 ||
            !exchange_claim_fits(&item->claim, item->copy.claim)) {
            text_add_string(problem, "a worker hands over another copy than it says");
        } else {
            result = recognise(keeper, item, problem);
            if (result == STORE_ABSENT) {
                text_reset(problem);
                result = write_new(keeper, item, &sheet, problem);
            }
        }
    }
    exchange_sheet_clear(&sheet);
    return result;
}

/* A full disk is told of once, until there is room again: every client would make a line. */
static void report_item(struct keeper *keeper, const struct keeper_item *item,
                        struct text *problem)
{
    if (item->result == STORE_FULL && !keeper->was_full)
        log_error("quarantine-full",
                  "a mail that should be held is put off: there is no room, with %llu bytes held "
                  "of max-size %llu%s%s",
                  (unsigned long long)keeper->file_bytes,
                  (unsigned long long)keeper->settings.max_bytes,
                  problem->length > 0 ? ": " : "", text_string(problem));
    else if (item->result != STORE_DONE && item->result != STORE_FULL)
        log_error("quarantine-failed", "%s is not stored: %s", item->claim.id,
                  text_string(problem));
    keeper->was_full = item->result == STORE_FULL;
    text_reset(problem);
}

static void sync_group(struct keeper *keeper, struct text *problem)
{
    struct store_draft *drafts[KEEPER_GROUP_COUNT];
    enum store_result results[KEEPER_GROUP_COUNT];
    size_t places[KEEPER_GROUP_COUNT];
    size_t count = 0;

    for (size_t i = 0; i < keeper->item_count; i++)
        if (keeper->items[i].draft != NULL) {
            places[count] = i;
            drafts[count++] = keeper->items[i].draft;
        }
    if (count == 0)
        return;
    store_sync(keeper->store, drafts, count, results, problem);
    for (size_t i = 0; i < count; i++) {
        struct keeper_item *item = &keeper->items[places[i]];

        item->result = results[i] == STORE_EXISTS ? recognise(keeper, item, problem) : results[i];
        if (results[i] != STORE_DONE) {
            keeper->file_bytes -= item->file_bytes;
            report_item(keeper, item, problem);
        }
    }
}

static bool can_hear(const struct keeper_worker *worker)
{
    struct pollfd channel = { .fd = worker->channel };

    return poll(&channel, 1, 0) == 0;
}

/*
 * A copy counts for held once its worker is told so: a worker that had given up by then, and told
 * its client to come again, may have died before it could have the copy erased. So what no worker
 * was told of stays pending, until the worker says it again or is found dead.
 */
static void note_answers(struct keeper *keeper, struct text *problem)
{
    for (size_t i = 0; i < keeper->item_count; i++) {
        struct keeper_item *item = &keeper->items[i];
        bool is_there = item->draft != NULL || item->was_unanswered;

        if (item->result != STORE_DONE || !is_there || !can_hear(item->worker))
            continue;
        item->result = store_note_answered(keeper->store, item->claim.id, problem);
        item->is_answered = item->result == STORE_DONE;
        if (!item->is_answered)
            report_item(keeper, item, problem);
        else if (item->was_unanswered && !item->copy.is_pending)
            keeper_note_all(keeper, AUDIT_COMMIT, item->claim.id);
    }
}

static void note_group(struct keeper *keeper)
{
    struct audit_entry entries[KEEPER_GROUP_COUNT];
    size_t count = 0;

    for (size_t i = 0; i < keeper->item_count; i++) {
        struct keeper_item *item = &keeper->items[i];

        if (item->result != STORE_DONE || item->draft == NULL)
            continue;
        index_add(keeper->index, &item->copy, item->is_answered, item->file_bytes);
        entries[count] = (struct audit_entry){ .wall_us = clock_wall_us(), .event = AUDIT_HOLD,
                                               .recipient = AUDIT_ALL_RECIPIENTS };
        memcpy(entries[count].id, item->claim.id, sizeof entries[count].id);
        count++;
    }
    if (count > 0)
        keeper_note(keeper, entries, count, false);
}

/* The worker may be gone; then its copies are in the group, and it is not. */
static void answer_item(const struct keeper_item *item)
{
    struct exchange_stored stored = { .result = (uint32_t)item->result };

    memcpy(stored.id, item->claim.id, sizeof stored.id);
    keeper_answer(item->worker, EXCHANGE_STORED, &stored, sizeof stored);
}

void keeper_write_group(void *owner)
{
    struct keeper *keeper = owner;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    loop_task_cancel(&keeper->group_task);
    for (size_t i = 0; i < keeper->item_count; i++) {
        struct keeper_item *item = &keeper->items[i];

        item->result = write_item(keeper, item, &problem);
        report_item(keeper, item, &problem);
    }
    sync_group(keeper, &problem);
    note_answers(keeper, &problem);
    note_group(keeper);
    for (size_t i = 0; i < keeper->item_count; i++) {
        answer_item(&keeper->items[i]);
        item_clear(&keeper->items[i]);
    }
    keeper->item_count = 0;
    keeper->sheet_bytes = keeper->content_bytes = 0;
    text_clear(&problem);
}

void keeper_forget_group(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->item_count; i++)
        item_clear(&keeper->items[i]);
    keeper->item_count = 0;
    keeper->sheet_bytes = keeper->content_bytes = 0;
}
