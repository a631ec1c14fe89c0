/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logger; see logger.h.
 *
 * One batch of lines is on its way at a time: from one ring, or of our own. Only
 * when all of it is written is it taken out of the ring, so that the death of a
 * logger loses no line; its successor may write the last batch once more.
 *
 * A ring ends with its writer, which shows as the end of a pipe whose other end
 * the writer alone holds. Then come the lines of the transactions that it left
 * open, and then the ring is done.
 */
#include "daemon/logger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/handover.h"
#include "daemon/identity.h"
#include "daemon/log_output.h"
#include "daemon/memory_file.h"
#include "daemon/notice.h"
#include "daemon/sandbox.h"
#include "net/loop.h"
#include "record/log_ring.h"

#define EXIT_CANNOT_START 2
#define MAX_MESSAGES_PER_TURN 64
/* Batches in a turn; between turns, the master is heard. */
#define MAX_BATCHES_PER_TURN 32
/* Lines of our own wait for their turn up to here. */
#define OWN_MAX_BYTES (64u * 1024)
/* How long lines are gathered before they are written; see on_wake. */
#define GATHER_MS 5
/* How long the last lines are tried for when everyone else has ended. */
#define GIVE_UP_MS 5000

struct ring {
    struct list_link link;
    uint32_t id;
    char label[HANDOVER_LABEL_BYTES];
    void *memory;
    size_t memory_bytes;
    struct log_ring_reader *reader;
    int life_fd;
    struct loop_watch *life; /* NULL: its writer has ended */
    struct logger *logger;
};

struct logger {
    struct loop *loop;
    struct loop_watch *channel;  /* NULL once the master is gone */
    struct loop_watch *wake;
    int wake_fd;
    struct log_output *output;   /* NULL until the master has said which */
    enum record_format format;
    bool is_leaving;             /* another logger goes on with the rings */
    struct list_link rings;      /* the one that was read last is the last */
    struct text own;             /* lines of our own */
    /* The batch. */
    struct text batch;
    size_t written;              /* bytes of it */
    struct ring *source;         /* to release when it is written; NULL for our own lines */
    struct loop_task step_task;
    struct loop_timer gather_timer;  /* lines are coming; ends with a step */
    struct loop_timer give_up_timer;
};

static void step(void *owner);
static void on_channel(void *owner);
static void on_wake(void *owner);
static void on_life(void *owner);
static void on_give_up(void *owner);

/* A log_sink_fn: what this process itself has to say goes between the others' lines. */
static void write_own(void *owner, enum log_level level, const char *event, struct slice message)
{
    struct logger *logger = owner;

    notice_print(&logger->own, logger->format, level, event, NULL, 0, message);
}

/* ---- Rings. */

static void ring_free(struct ring *ring)
{
    list_remove(&ring->link);
    loop_watch_free(&ring->life);
    close(ring->life_fd);
    log_ring_reader_free(&ring->reader);
    memory_file_unmap_shared(ring->memory, ring->memory_bytes);
    mem_free(ring);
}

static void add_ring(struct logger *logger, struct handover *message)
{
    const struct handover_ring *head = &message->body.ring;
    size_t ring_bytes = (size_t)head->ring_bytes;
    size_t slot_count = log_ring_slot_count(ring_bytes);
    size_t memory_bytes = log_ring_memory_bytes(ring_bytes, slot_count);
    void *memory = memory_file_map_shared(message->packet.fds[0], memory_bytes);
    struct ring *ring;

    if (memory == NULL) {
        log_error("ring-unusable", "the lines of %.*s cannot be read", HANDOVER_LABEL_BYTES,
                  head->label);
        return;
    }
    ring = mem_new(sizeof *ring);
    ring->logger = logger;
    ring->id = head->id;
    memcpy(ring->label, head->label, sizeof ring->label - 1);
    ring->memory = memory;
    ring->memory_bytes = memory_bytes;
    ring->reader = log_ring_reader_new(memory, ring_bytes, slot_count);
    ring->life_fd = packet_take_fd(&message->packet, 1);
    ring->life = loop_watch_new(logger->loop, ring->life_fd, false, on_life, ring);
    list_add_first(&logger->rings, &ring->link);
}

/* Nobody writes to that pipe: readable means that its writer is gone. */
static void on_life(void *owner)
{
    struct ring *ring = owner;

    loop_watch_free(&ring->life);
    loop_defer(ring->logger->loop, &ring->logger->step_task);
}

static void report_lost(struct logger *logger, struct ring *ring)
{
    uint64_t count = log_ring_take_lost_count(ring->reader);
    char digits[24];
    struct notice_field fields[] = { { "count", digits }, { "from", ring->label } };

    if (count == 0)
        return;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    notice_print(&logger->own, logger->format, LOG_LEVEL_ERROR, "log-lost", fields, 2,
                 SLICE("there was no room for these lines: the log is written too slowly"));
}

static void finish_ring(struct ring *ring)
{
    struct handover_ring_done done = { .id = ring->id };

    /* A master that is gone does not want to know. */
    if (handover_send(HANDOVER_CHANNEL_FD, HANDOVER_RING_DONE,
                      (struct slice){ (const char *)&done, sizeof done }, NULL, 0) ==
        PACKET_BROKEN)
        log_error("logger-mute", "the master cannot be told of a ring that is done");
    ring_free(ring);
}

/* ---- Batches. */

/* The next lines of this ring; false when there are none now. */
static bool read_ring(struct logger *logger, struct ring *ring)
{
    report_lost(logger, ring);
    if (log_ring_read(ring->reader, &logger->batch))
        return true;
    return ring->life == NULL && log_ring_recover(ring->reader, &logger->batch);
}

/* Fills the batch from whoever's turn it is; false when nobody has anything. */
static bool fill_batch(struct logger *logger)
{
    struct list_link *link = logger->rings.next;

    if (logger->own.length > 0) {
        text_add(&logger->batch, text_slice(&logger->own));
        text_reset(&logger->own);
        return true;
    }
    while (link != &logger->rings) {
        struct ring *ring = LIST_OWNER(link, struct ring, link);

        link = link->next;
        if (read_ring(logger, ring)) {
            logger->source = ring;
            list_remove(&ring->link);
            list_add_last(&logger->rings, &ring->link);
            return true;
        }
        if (ring->life == NULL)
            finish_ring(ring);
    }
    return logger->own.length > 0;
}

/* True when the batch is empty: all of it was written, or there was none. */
static bool write_batch(struct logger *logger)
{
    struct slice rest = slice_from_offset(text_slice(&logger->batch), logger->written);

    logger->written += log_output_write(logger->output, rest);
    if (logger->written < logger->batch.length)
        return false;
    if (logger->source != NULL)
        log_ring_release(logger->source->reader);
    logger->source = NULL;
    logger->written = 0;
    text_reset(&logger->batch);
    return true;
}

static bool is_all_over(const struct logger *logger)
{
    return (logger->is_leaving || (logger->channel == NULL && list_is_empty(&logger->rings))) &&
           logger->own.length == 0 && logger->batch.length == 0;
}

/* Writers are gone, but for what is on its way: it is not waited for without end. */
static void watch_the_end(struct logger *logger)
{
    if (is_all_over(logger)) {
        loop_stop(logger->loop);
        return;
    }
    if (logger->channel != NULL || loop_timer_is_set(&logger->give_up_timer))
        return;
    for (struct list_link *link = logger->rings.next; link != &logger->rings; link = link->next)
        if (LIST_OWNER(link, struct ring, link)->life != NULL)
            return;
    loop_timer_start(&logger->give_up_timer, GIVE_UP_MS);
}

static void step(void *owner)
{
    struct logger *logger = owner;

    for (int i = 0; logger->output != NULL; i++) {
        if (i == MAX_BATCHES_PER_TURN) {
            loop_defer(logger->loop, &logger->step_task);
            break;
        }
        if (!write_batch(logger))
            break;
        if (logger->is_leaving && logger->own.length == 0)
            break;
        if (!fill_batch(logger))
            break;
    }
    watch_the_end(logger);
}

static void on_give_up(void *owner)
{
    struct logger *logger = owner;

    fprintf(stderr, "posternd: the last lines of the log could not be written\n");
    loop_stop(logger->loop);
}

/*
 * A writer wakes a reader once, and not again before the reader has found its ring empty. So lines
 * are gathered for a moment: under load that saves workers and logger a system call for each mail.
 */
static void on_wake(void *owner)
{
    struct logger *logger = owner;
    uint64_t count;
    ssize_t ignored = read(logger->wake_fd, &count, sizeof count);

    (void)ignored;
    loop_timer_start(&logger->gather_timer, GATHER_MS);
}

/* ---- The channel. */

/* A line that stands in the old file by half is written whole to the new one. */
static void rewind_to_line(struct logger *logger)
{
    size_t end;

    if (slice_find_last_byte(slice_until(text_slice(&logger->batch), logger->written), '\n', &end))
        logger->written = end + 1;
    else
        logger->written = 0;
}

static void set_output(struct logger *logger, struct handover *message)
{
    const struct handover_output *output = &message->body.output;
    enum log_target target = (enum log_target)output->target;
    int fd = STDERR_FILENO;

    if (target == LOG_TARGET_SYSLOG)
        fd = -1;
    else if (message->packet.fd_count > 0)
        fd = packet_take_fd(&message->packet, 0);
    log_output_free(&logger->output);
    rewind_to_line(logger);
    logger->format = (enum record_format)output->format;
    logger->output = log_output_new(logger->loop, target, fd, LOG_OUTPUT_SYSLOG_PATH,
                                    output->facility, step, logger);
}

static void on_message(struct logger *logger, struct handover *message)
{
    if (handover_type(message) == HANDOVER_OUTPUT)
        set_output(logger, message);
    else if (handover_type(message) == HANDOVER_RING)
        add_ring(logger, message);
    else if (handover_type(message) == HANDOVER_LEAVE)
        logger->is_leaving = true;
    else
        log_error("logger-misled", "the master says what no master says to a logger");
}

static void on_channel(void *owner)
{
    struct logger *logger = owner;
    enum packet_result result = PACKET_DONE;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && result == PACKET_DONE; i++) {
        struct handover message;

        result = handover_receive(HANDOVER_CHANNEL_FD, &message);
        if (result == PACKET_DONE)
            on_message(logger, &message);
        packet_clear(&message.packet);
    }
    if (result == PACKET_GONE || result == PACKET_BROKEN)
        loop_watch_free(&logger->channel);
    step(logger);
}

/* ---- Life. */

static void start(struct logger *logger, int take_wake_fd)
{
    list_init(&logger->rings);
    text_init(&logger->own, OWN_MAX_BYTES);
    text_init(&logger->batch, OWN_MAX_BYTES + LOG_RING_BATCH_BYTES);
    logger->loop = loop_new();
    loop_task_init(&logger->step_task, step, logger);
    loop_timer_init(&logger->gather_timer, logger->loop, step, logger);
    loop_timer_init(&logger->give_up_timer, logger->loop, on_give_up, logger);
    logger->wake_fd = take_wake_fd;
    logger->wake = loop_watch_new(logger->loop, take_wake_fd, false, on_wake, logger);
    fcntl(HANDOVER_CHANNEL_FD, F_SETFL, O_NONBLOCK);
    logger->channel = loop_watch_new(logger->loop, HANDOVER_CHANNEL_FD, false, on_channel, logger);
    log_set_sink(write_own, logger);
}

static void clear(struct logger *logger)
{
    log_set_sink(NULL, NULL);
    while (!list_is_empty(&logger->rings))
        ring_free(LIST_OWNER(logger->rings.next, struct ring, link));
    log_output_free(&logger->output);
    loop_watch_free(&logger->wake);
    loop_watch_free(&logger->channel);
    loop_free(&logger->loop);
    close(logger->wake_fd);
    text_clear(&logger->own);
    text_clear(&logger->batch);
}

static bool enter_sandbox(const struct handover_identity *identity, struct text *problem)
{
    struct sandbox_needs needs = { .folder_fd = -1 };

    return !identity->is_confined || sandbox_enter(SANDBOX_LOGGER, &needs, problem);
}

static bool receive_orders(struct handover *message)
{
    struct text problem;
    bool is_fine;

    if (handover_receive(HANDOVER_CHANNEL_FD, message) != PACKET_DONE ||
        handover_type(message) != HANDOVER_LOG)
        return false;
    text_init(&problem, 200);
    is_fine = identity_become(&message->body.log.identity, &problem) &&
              enter_sandbox(&message->body.log.identity, &problem);
    if (!is_fine)
        fprintf(stderr, "posternd: logger: %s\n", text_string(&problem));
    text_clear(&problem);
    return is_fine;
}

int logger_run(void)
{
    struct logger logger = { .source = NULL };
    struct handover message;
    bool is_started = receive_orders(&message);

    if (is_started) {
        start(&logger, packet_take_fd(&message.packet, 0));
        loop_run(logger.loop);
        clear(&logger);
    }
    packet_clear(&message.packet);
    return is_started ? EXIT_SUCCESS : EXIT_CANNOT_START;
}
