/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's side of the quarantine; see keeper_link.h. What has to be said to
 * the keeper stands in one list in the order in which it came up, and is said
 * when the channel takes it: STOREs and ends stay in it until they are answered,
 * so that a new keeper hears all that the old one may not have carried out.
 */
#include "quarantine/keeper_link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "quarantine/exchange.h"

#define MAX_MESSAGES_PER_TURN 64
/* A message is given in pieces of at most this; only cuts and ends make more of them. */
#define PIECE_BYTES (1ull << 40)

enum hold_state {
    HOLD_STORING,   /* until STORED */
    HOLD_IS_STORED, /* until its owner ends it */
    HOLD_REFUSED,   /* likewise; a copy may be there all the same, if it was said */
    HOLD_COMMITTING,/* until ENDED; nobody owns it any more */
    HOLD_ERASING,   /* likewise */
};

struct hold {
    struct keeper_link *link;
    struct list_link entry;      /* in link->holds */
    struct exchange_claim claim;
    enum hold_state state;
    bool is_said;                /* to the present keeper */
    bool was_said;               /* to any: a copy may be there */
    int sheet_fd;                /* owned while STORING; else -1 */
    struct spool_file *file;     /* a reference while STORING; NULL for no content at all */
    enum hold_result result;     /* for the task */
    struct loop_task task;       /* `done` comes from the loop */
    hold_done_fn done;           /* NULL once it has come, or must not */
    void *owner;
};

/* What is to be said about a release. */
struct report {
    struct list_link entry;      /* in link->reports */
    bool is_outcome;             /* else RELEASED */
    struct exchange_outcome outcome;
    char *words;                 /* owned; NULL for none */
};

struct keeper_link {
    struct loop *loop;
    size_t max_waiting;
    const struct keeper_link_events *events; /* NULL: nobody wants releases */
    void *owner;
    int channel;                 /* -1 while there is no keeper */
    struct loop_watch *watch;
    struct loop_watch *writable; /* NULL unless the channel was full */
    char secret[EXCHANGE_SECRET_BYTES + 1]; /* of this worker */
    char claim[COPY_CLAIM_BYTES + 1]; /* of its copies */
    int *lives;                  /* owned: files that say that we live, one of each keeper */
    size_t life_count;
    bool is_leaving;
    bool is_leaving_said;
    struct list_link holds;
    size_t storing_count;
    struct list_link reports;
    size_t release_count;        /* under way */
};

static void say_all(struct keeper_link *link);
static void on_readable(void *owner);
static void report_done(void *owner);

/* ---- Life. */

static void make_secret(char secret[EXCHANGE_SECRET_BYTES + 1])
{
    uint8_t bytes[EXCHANGE_SECRET_BYTES / 2];
    struct text hex;

    crypto_random(bytes, sizeof bytes);
    text_init(&hex, EXCHANGE_SECRET_BYTES);
    text_add_hex(&hex, bytes, sizeof bytes);
    memcpy(secret, text_string(&hex), EXCHANGE_SECRET_BYTES + 1);
    text_clear(&hex);
}

struct keeper_link *keeper_link_new(struct loop *loop, size_t max_waiting)
{
    struct keeper_link *link = mem_new(sizeof *link);

    link->loop = loop;
    link->max_waiting = max_waiting;
    link->channel = -1;
    make_secret(link->secret);
    exchange_digest_secret(link->secret, link->claim);
    list_init(&link->holds);
    list_init(&link->reports);
    return link;
}

void keeper_link_set_events(struct keeper_link *link, const struct keeper_link_events *events,
                            void *owner)
{
    link->events = events;
    link->owner = owner;
}

static void disconnect(struct keeper_link *link)
{
    loop_watch_free(&link->watch);
    loop_watch_free(&link->writable);
    if (link->channel >= 0)
        close(link->channel);
    link->channel = -1;
}

static void let_go_of_content(struct hold *hold)
{
    if (hold->sheet_fd >= 0)
        close(hold->sheet_fd);
    hold->sheet_fd = -1;
    spool_file_unref(hold->file);
    hold->file = NULL;
}

static void tell_idle(struct keeper_link *link)
{
    if (link->events != NULL && keeper_link_is_idle(link))
        link->events->on_idle(link->owner);
}

static void hold_free(struct hold *hold)
{
    if (hold->state == HOLD_STORING)
        hold->link->storing_count--;
    loop_task_cancel(&hold->task);
    list_remove(&hold->entry);
    let_go_of_content(hold);
    mem_free(hold);
}

static void report_free(struct report *report)
{
    list_remove(&report->entry);
    mem_free(report->words);
    mem_free(report);
}

void keeper_link_free(struct keeper_link **handle)
{
    struct keeper_link *link = *handle;

    if (link == NULL)
        return;
    disconnect(link);
    while (!list_is_empty(&link->holds))
        hold_free(LIST_OWNER(link->holds.next, struct hold, entry));
    while (!list_is_empty(&link->reports))
        report_free(LIST_OWNER(link->reports.next, struct report, entry));
    for (size_t i = 0; i < link->life_count; i++)
        close(link->lives[i]);
    mem_free(link->lives);
    mem_free(link);
    *handle = NULL;
}

bool keeper_link_is_idle(const struct keeper_link *link)
{
    return list_is_empty(&link->holds) && list_is_empty(&link->reports) &&
           link->release_count == 0;
}

void keeper_link_leave(struct keeper_link *link)
{
    link->is_leaving = true;
    say_all(link);
}

/* ---- Saying. */

/* True when it was said; a channel that is full or gone is looked after. */
static bool say(struct keeper_link *link, enum exchange_type type, const void *body, size_t length,
                struct slice words, const int *fds, size_t fd_count)
{
    enum packet_result result;

    if (link->channel < 0)
        return false;
    result = exchange_send(link->channel, type, body, length, words, fds, fd_count);
    if (result == PACKET_NOTHING && link->writable == NULL)
        link->writable = loop_watch_new(link->loop, link->channel, true, on_readable, link);
    return result == PACKET_DONE; /* where it is gone, reading tells */
}

static bool say_hold(struct hold *hold)
{
    struct keeper_link *link = hold->link;
    const void *claim = &hold->claim;

    if (hold->state == HOLD_STORING) {
        const int fds[] = { hold->sheet_fd,
                            hold->file != NULL ? hold->file->fd : hold->sheet_fd };

        return say(link, EXCHANGE_STORE, claim, sizeof hold->claim, SLICE_EMPTY, fds, 2);
    }
    return say(link, hold->state == HOLD_COMMITTING ? EXCHANGE_COMMIT : EXCHANGE_ERASE, claim,
               sizeof hold->claim, SLICE_EMPTY, NULL, 0);
}

static bool has_to_be_said(const struct hold *hold)
{
    return !hold->is_said && hold->state != HOLD_IS_STORED && hold->state != HOLD_REFUSED;
}

static bool say_holds(struct keeper_link *link)
{
    for (struct list_link *entry = link->holds.next; entry != &link->holds; entry = entry->next) {
        struct hold *hold = LIST_OWNER(entry, struct hold, entry);

        if (!has_to_be_said(hold))
            continue;
        if (!say_hold(hold))
            return false;
        hold->is_said = hold->was_said = true;
    }
    return true;
}

static bool say_report(struct keeper_link *link, const struct report *report)
{
    struct exchange_attempt attempt = { .attempt = report->outcome.attempt };

    if (report->is_outcome)
        return say(link, EXCHANGE_OUTCOME, &report->outcome, sizeof report->outcome,
                   slice_from(report->words), NULL, 0);
    return say(link, EXCHANGE_RELEASED, &attempt, sizeof attempt, SLICE_EMPTY, NULL, 0);
}

/* A report that reached a keeper which then died is lost: the mail is uncertain then. */
static bool say_reports(struct keeper_link *link)
{
    while (!list_is_empty(&link->reports)) {
        struct report *report = LIST_OWNER(link->reports.next, struct report, entry);

        if (!say_report(link, report))
            return false;
        report_free(report);
    }
    return true;
}

static void say_all(struct keeper_link *link)
{
    if (link->channel < 0 || link->writable != NULL)
        return;
    if (link->is_leaving && !link->is_leaving_said) {
        link->is_leaving_said =
            say(link, EXCHANGE_LEAVING, NULL, 0, SLICE_EMPTY, NULL, 0);
        if (!link->is_leaving_said)
            return;
    }
    if (say_holds(link) && say_reports(link))
        tell_idle(link);
}

/* ---- Hearing. */

static struct hold *find_hold(struct keeper_link *link, const char *id)
{
    for (struct list_link *entry = link->holds.next; entry != &link->holds; entry = entry->next) {
        struct hold *hold = LIST_OWNER(entry, struct hold, entry);

        if (strncmp(hold->claim.id, id, sizeof hold->claim.id) == 0)
            return hold;
    }
    return NULL;
}

static void on_stored(struct keeper_link *link, const struct exchange_stored *stored)
{
    struct hold *hold = find_hold(link, stored->id);

    if (hold == NULL || hold->state != HOLD_STORING)
        return; /* it was given up meanwhile, or a new keeper says it again */
    link->storing_count--;
    let_go_of_content(hold);
    hold->state = stored->result == STORE_DONE ? HOLD_IS_STORED : HOLD_REFUSED;
    hold->result = stored->result == STORE_DONE   ? HOLD_STORED
                   : stored->result == STORE_FULL ? HOLD_FULL
                                                  : HOLD_FAILED;
    loop_defer(link->loop, &hold->task);
}

static void on_ended(struct keeper_link *link, const struct exchange_claim *claim)
{
    struct hold *hold = find_hold(link, claim->id);

    if (hold == NULL || (hold->state != HOLD_COMMITTING && hold->state != HOLD_ERASING))
        return;
    hold_free(hold);
    tell_idle(link);
}

static void on_release(struct keeper_link *link, struct exchange *message)
{
    struct text words;
    struct text problem;
    struct copy copy;

    text_init(&problem, 200);
    copy_init(&copy);
    link->release_count++;
    if (exchange_read_text(message->packet.fds[1], COPY_MAX_BYTES, &words) &&
        copy_parse(&copy, text_slice(&words), &problem) && link->events != NULL)
        link->events->on_release(link->owner, message->body.attempt.attempt,
                                 packet_take_fd(&message->packet, 0),
                                 message->body.attempt.content_bytes, &copy);
    else
        keeper_link_end_release(link, message->body.attempt.attempt);
    text_clear(&words);
    text_clear(&problem);
    copy_clear(&copy);
}

/* Kept open as long as we live; one more only when a keeper has died. */
static void keep_life(struct keeper_link *link, int take_fd)
{
    link->lives = mem_resize(link->lives, link->life_count + 1, sizeof *link->lives);
    link->lives[link->life_count++] = take_fd;
}

static void on_message(struct keeper_link *link, struct exchange *message)
{
    switch (exchange_type(message)) {
    case EXCHANGE_WELCOME: keep_life(link, packet_take_fd(&message->packet, 0)); break;
    case EXCHANGE_STORED: on_stored(link, &message->body.stored); break;
    case EXCHANGE_ENDED: on_ended(link, &message->body.claim); break;
    case EXCHANGE_RELEASE: on_release(link, message); break;
    case EXCHANGE_STORE:
    case EXCHANGE_COMMIT:
    case EXCHANGE_ERASE:
    case EXCHANGE_OUTCOME:
    case EXCHANGE_RELEASED:
    case EXCHANGE_LEAVING:
    case EXCHANGE_TYPE_COUNT:
        log_error("keeper-misled", "the keeper says what no keeper says to a worker");
        break;
    }
}

static void on_readable(void *owner)
{
    struct keeper_link *link = owner;
    enum packet_result result = PACKET_DONE;

    loop_watch_free(&link->writable);
    for (int i = 0; i < MAX_MESSAGES_PER_TURN && result == PACKET_DONE; i++) {
        struct exchange message;

        result = exchange_receive(link->channel, &message);
        if (result == PACKET_DONE)
            on_message(link, &message);
        packet_clear(&message.packet);
    }
    if (result == PACKET_GONE || result == PACKET_BROKEN)
        disconnect(link);
    else
        say_all(link);
}

void keeper_link_connect(struct keeper_link *link, int take_channel)
{
    disconnect(link);
    link->channel = take_channel;
    fcntl(take_channel, F_SETFL, O_NONBLOCK);
    link->watch = loop_watch_new(link->loop, take_channel, false, on_readable, link);
    link->is_leaving_said = false;
    for (struct list_link *entry = link->holds.next; entry != &link->holds; entry = entry->next)
        LIST_OWNER(entry, struct hold, entry)->is_said = false;
    say_all(link);
}

/* ---- Holding. */

static void report_done(void *owner)
{
    struct hold *hold = owner;
    hold_done_fn done = hold->done;

    hold->done = NULL;
    if (done != NULL)
        done(hold->owner, hold->result);
}

/* The message as the backend would get it, but for what goes on top. */
static struct store_piece *list_pieces(const struct message *message, struct slice on_top,
                                       size_t *count)
{
    struct message_position position = { .added = 0 };
    struct store_piece *pieces = NULL;
    size_t capacity = 0;

    pieces = mem_grow(pieces, 0, &capacity, sizeof *pieces);
    pieces[0] = (struct store_piece){ .bytes = on_top.data, .length = on_top.length };
    for (*count = on_top.length > 0;; ++*count) {
        struct message_piece piece = message_next_piece(message, &position, PIECE_BYTES);

        if (piece.kind == MESSAGE_PIECE_END)
            return pieces;
        pieces = mem_grow(pieces, *count, &capacity, sizeof *pieces);
        pieces[*count] = (struct store_piece){
            .bytes = piece.kind == MESSAGE_PIECE_MEMORY ? piece.bytes.data : NULL,
            .offset = piece.offset,
            .length = piece.kind == MESSAGE_PIECE_MEMORY ? piece.bytes.length : piece.length,
        };
    }
}

static int make_sheet(const struct copy *copy, struct slice on_top, const struct message *message)
{
    size_t piece_count;
    struct store_piece *pieces = list_pieces(message, on_top, &piece_count);
    struct text words;
    int fd;

    text_init(&words, copy_max_bytes(copy->envelope.recipient_count));
    copy_print(&words, copy);
    fd = exchange_make_sheet(text_slice(&words), pieces, piece_count);
    if (fd < 0)
        log_error("quarantine-failed", "%s is not handed to the keeper: %s", copy->id,
                  errno == EFBIG ? "what is known of it takes too much room" : strerror(errno));
    text_clear(&words);
    mem_free(pieces);
    return fd;
}

static void refuse_later(struct hold *hold, enum hold_result result)
{
    hold->state = HOLD_REFUSED;
    hold->result = result;
    loop_defer(hold->link->loop, &hold->task);
}

struct hold *hold_start(struct keeper_link *link, struct copy *copy, struct slice on_top,
                        const struct message *message, hold_done_fn done, void *owner)
{
    struct hold *hold = mem_new(sizeof *hold);

    assert(spool_memory_bytes(&message->spool) == 0);
    memcpy(copy->claim, link->claim, sizeof copy->claim);
    *hold = (struct hold){ .link = link, .sheet_fd = -1, .done = done, .owner = owner };
    memcpy(hold->claim.id, copy->id, sizeof hold->claim.id);
    memcpy(hold->claim.secret, link->secret, sizeof hold->claim.secret);
    loop_task_init(&hold->task, report_done, hold);
    list_add_last(&link->holds, &hold->entry);
    if (link->storing_count >= link->max_waiting) {
        refuse_later(hold, HOLD_BUSY);
        return hold;
    }
    hold->sheet_fd = make_sheet(copy, on_top, message);
    if (hold->sheet_fd < 0) {
        refuse_later(hold, HOLD_FAILED);
        return hold;
    }
    hold->state = HOLD_STORING;
    if (message->spool.file != NULL)
        hold->file = spool_file_ref(message->spool.file);
    link->storing_count++;
    say_all(link);
    return hold;
}

/* Nobody owns it from now on; the keeper has to be told. */
static void end_hold(struct hold **handle, enum hold_state state)
{
    struct hold *hold = *handle;
    struct keeper_link *link;

    *handle = NULL;
    if (hold == NULL)
        return;
    link = hold->link;
    hold->done = NULL;
    /* A keeper that refused may have failed behind the disk, or follow one that had stored it. */
    if (!hold->was_said || (hold->state == HOLD_REFUSED && state != HOLD_ERASING)) {
        hold_free(hold);
        tell_idle(link);
        return;
    }
    if (hold->state == HOLD_STORING)
        link->storing_count--;
    let_go_of_content(hold);
    hold->state = state;
    hold->is_said = false;
    say_all(link);
}

void hold_commit(struct hold **hold)
{
    end_hold(hold, HOLD_COMMITTING);
}

void hold_erase(struct hold **hold)
{
    end_hold(hold, HOLD_ERASING);
}

void hold_forget(struct hold **hold)
{
    struct keeper_link *link = *hold != NULL ? (*hold)->link : NULL;

    if (link == NULL)
        return;
    hold_free(*hold);
    *hold = NULL;
    tell_idle(link);
}

/* ---- Releases. */

void keeper_link_tell(struct keeper_link *link, uint64_t attempt, uint32_t recipient,
                      unsigned int fate, struct slice words)
{
    struct report *report = mem_new(sizeof *report);

    report->is_outcome = true;
    report->outcome = (struct exchange_outcome){ attempt, recipient, fate };
    report->words = words.length > 0 ? mem_copy(words) : NULL;
    list_add_last(&link->reports, &report->entry);
}

void keeper_link_end_release(struct keeper_link *link, uint64_t attempt)
{
    struct report *report = mem_new(sizeof *report);

    report->outcome.attempt = attempt;
    list_add_last(&link->reports, &report->entry);
    link->release_count--;
    say_all(link);
}
