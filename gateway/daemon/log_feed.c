/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings, logger and log file, as the master sees them; see log_feed.h. */
#include "daemon/log_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/backoff.h"
#include "daemon/estate.h"
#include "daemon/memory_file.h"
#include "daemon/notice.h"
#include "record/log_ring.h"

/* What the master itself has to say is little. */
#define OWN_RING_BYTES (256u * 1024)
/* How long the logger may take at the end; it gives up before, so that it can say so. */
#define END_MS 8000
/* How long that of another program may take for the batch that it has begun. */
#define LEAVE_MS 5000

enum feed_state {
    FEED_IDLE,    /* no logger yet; log_feed_start ends it */
    FEED_RUNNING, /* a logger runs, or is about to be started again */
    FEED_PASSING, /* the logger of another program is to end; its exit or LEAVE_MS ends it */
    FEED_ENDING,  /* the logger writes what is left; its exit or END_MS ends it */
    FEED_ENDED,
};

/* A ring that some logger has yet to empty. */
struct feed_ring {
    struct list_link link;
    struct handover_ring head;
    int memory_fd;
    int life_fd; /* the end to read from */
};

struct log_feed {
    struct children *children;         /* lent */
    enum feed_state state;
    struct list_link rings;
    uint32_t last_ring;
    int wake_fd;
    /* The logger. */
    struct child *logger;              /* NULL while there is none */
    struct handover_identity identity;
    struct backoff backoff;
    struct loop_timer restart;
    /* Where it writes to. */
    struct handover_output output;
    char *path;                        /* owned; NULL without a file */
    int file_fd;                       /* -1 without a file */
    /* Our own lines. */
    struct notice_sink sink;
    void *own_memory;
    int own_life_fd;                   /* -1 once it was closed */
    /* Passing and ending. */
    struct loop_timer deadline;
    struct loop_task ended;
    void (*done)(void *owner);         /* NULL before log_feed_end */
    void *done_owner;
};

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);
static void on_restart(void *owner);
static void let_logger_end(struct log_feed *feed);
static void on_deadline(void *owner);
static void report_end(void *owner);

static const struct child_events logger_events = { .on_message = on_message, .on_exit = on_exit };

static bool fail(struct text *problem, const char *what)
{
    text_add_format(problem, "%s: %s", what, strerror(errno));
    return false;
}

/* ---- Rings. */

static void ring_free(struct feed_ring *ring)
{
    list_remove(&ring->link);
    if (ring->memory_fd >= 0)
        close(ring->memory_fd);
    if (ring->life_fd >= 0)
        close(ring->life_fd);
    mem_free(ring);
}

static size_t memory_bytes(uint64_t ring_bytes)
{
    return log_ring_memory_bytes((size_t)ring_bytes, log_ring_slot_count((size_t)ring_bytes));
}

/* One that is to leave is told nothing more, and is of another version perhaps. */
static bool has_hearer(const struct log_feed *feed)
{
    return feed->logger != NULL && feed->state != FEED_PASSING;
}

static void hand_on_ring(struct log_feed *feed, const struct feed_ring *ring)
{
    const int fds[] = { ring->memory_fd, ring->life_fd };

    if (has_hearer(feed))
        child_send(feed->logger, HANDOVER_RING, &ring->head, sizeof ring->head, fds, 2);
}

bool log_feed_add_ring(struct log_feed *feed, const char *label, uint64_t ring_bytes,
                       struct log_feed_ring *ends, struct text *problem)
{
    struct feed_ring *ring = mem_new(sizeof *ring);
    struct slice name = slice_until(slice_from(label), sizeof ring->head.label - 1);
    int life[2];

    list_init(&ring->link);
    ring->life_fd = -1;
    ring->head.id = ++feed->last_ring;
    ring->head.ring_bytes = ring_bytes;
    memcpy(ring->head.label, name.data, name.length);
    ring->memory_fd = memory_file_share("postern-log", memory_bytes(ring_bytes));
    if (ring->memory_fd < 0 || pipe2(life, O_CLOEXEC) != 0) {
        fail(problem, "cannot make room for log lines");
        ring_free(ring);
        return false;
    }
    ring->life_fd = life[0];
    list_add_last(&feed->rings, &ring->link);
    hand_on_ring(feed, ring);
    *ends = (struct log_feed_ring){ .memory_fd = ring->memory_fd, .life_fd = life[1] };
    return true;
}

int log_feed_wake_fd(const struct log_feed *feed)
{
    return feed->wake_fd;
}

/* ---- Life. */

static bool open_own_ring(struct log_feed *feed, struct text *problem)
{
    struct log_feed_ring ring;

    if (!log_feed_add_ring(feed, "master", OWN_RING_BYTES, &ring, problem))
        return false;
    feed->own_life_fd = ring.life_fd;
    feed->own_memory = memory_file_map_shared(ring.memory_fd, memory_bytes(OWN_RING_BYTES));
    if (feed->own_memory == NULL)
        return fail(problem, "cannot map the memory for log lines");
    feed->sink.ring = log_ring_writer_new(feed->own_memory, OWN_RING_BYTES,
                                          log_ring_slot_count(OWN_RING_BYTES), feed->wake_fd);
    return true;
}

/* Nothing in it yet. */
static struct log_feed *make_feed(struct children *children)
{
    struct log_feed *feed = mem_new(sizeof *feed);

    feed->children = children;
    feed->wake_fd = feed->file_fd = feed->own_life_fd = -1;
    list_init(&feed->rings);
    loop_timer_init(&feed->restart, children->loop, on_restart, feed);
    loop_timer_init(&feed->deadline, children->loop, on_deadline, feed);
    loop_task_init(&feed->ended, report_end, feed);
    return feed;
}

struct log_feed *log_feed_new(struct children *children, struct text *problem)
{
    struct log_feed *feed = make_feed(children);

    feed->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (feed->wake_fd < 0)
        fail(problem, "cannot make an eventfd");
    if (feed->wake_fd < 0 || !open_own_ring(feed, problem))
        log_feed_free(&feed);
    return feed;
}

void log_feed_free(struct log_feed **handle)
{
    struct log_feed *feed = *handle;

    if (feed == NULL)
        return;
    log_set_sink(NULL, NULL);
    loop_timer_cancel(&feed->restart);
    loop_timer_cancel(&feed->deadline);
    loop_task_cancel(&feed->ended);
    while (!list_is_empty(&feed->rings))
        ring_free(LIST_OWNER(feed->rings.next, struct feed_ring, link));
    log_ring_writer_free(&feed->sink.ring);
    memory_file_unmap_shared(feed->own_memory, memory_bytes(OWN_RING_BYTES));
    if (feed->own_life_fd >= 0)
        close(feed->own_life_fd);
    if (feed->file_fd >= 0)
        close(feed->file_fd);
    if (feed->wake_fd >= 0)
        close(feed->wake_fd);
    mem_free(feed->path);
    mem_free(feed);
    *handle = NULL;
}

/* ---- Where the lines go. */

/* Non-blocking so that a named pipe that nobody reads is an error and no trap. */
static int open_file(const char *path, struct text *problem)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

    if (fd < 0)
        text_add_format(problem, "cannot open the log file %s: %s", path, strerror(errno));
    return fd;
}

static void hand_on_output(struct log_feed *feed)
{
    if (has_hearer(feed))
        child_send(feed->logger, HANDOVER_OUTPUT, &feed->output, sizeof feed->output,
                   &feed->file_fd, feed->file_fd >= 0 ? 1 : 0);
}

static void replace_file(struct log_feed *feed, int take_fd)
{
    if (feed->file_fd >= 0)
        close(feed->file_fd);
    feed->file_fd = take_fd;
    hand_on_output(feed);
}

bool log_feed_set_output(struct log_feed *feed, const struct config_log *config,
                         struct text *problem)
{
    struct slice facility = slice_from(config->facility);
    int fd = -1;

    if (config->target == LOG_TARGET_FILE) {
        fd = open_file(config->path, problem);
        if (fd < 0)
            return false;
    }
    mem_free(feed->path);
    feed->path = config->target == LOG_TARGET_FILE ? mem_copy(slice_from(config->path)) : NULL;
    feed->output = (struct handover_output){ .target = config->target };
    feed->output.format = config->format == LOG_FORMAT_JSON ? RECORD_JSON : RECORD_LOGFMT;
    facility = slice_until(facility, sizeof feed->output.facility - 1);
    if (facility.length > 0)
        memcpy(feed->output.facility, facility.data, facility.length);
    feed->sink.format = (enum record_format)feed->output.format;
    replace_file(feed, fd);
    return true;
}

void log_feed_reopen(struct log_feed *feed)
{
    struct text problem;
    int fd;

    if (feed->path == NULL)
        return;
    text_init(&problem, 500);
    fd = open_file(feed->path, &problem);
    if (fd >= 0)
        replace_file(feed, fd);
    else
        log_error("log-not-reopened", "%s", text_string(&problem));
    text_clear(&problem);
    if (fd >= 0)
        log_notice("log-reopened", "%s", feed->path);
}

void log_feed_write_ready(struct log_feed *feed, const char *listener, const char *address)
{
    const struct notice_field fields[] = { { "listener", listener }, { "address", address } };

    notice_write_fields(&feed->sink, "ready", fields, 2);
}

/* ---- The logger. */

static bool start_logger(struct log_feed *feed, struct text *problem)
{
    struct handover_log orders = { .identity = feed->identity };

    feed->logger = child_start(feed->children, "posternd: logger", &logger_events, feed, problem);
    if (feed->logger == NULL)
        return false;
    child_send(feed->logger, HANDOVER_LOG, &orders, sizeof orders, &feed->wake_fd, 1);
    hand_on_output(feed);
    for (struct list_link *link = feed->rings.next; link != &feed->rings; link = link->next)
        hand_on_ring(feed, LIST_OWNER(link, struct feed_ring, link));
    return true;
}

void log_feed_set_identity(struct log_feed *feed, const struct handover_identity *identity)
{
    feed->identity = *identity;
}

bool log_feed_start(struct log_feed *feed, const struct handover_identity *identity,
                    struct text *problem)
{
    log_feed_set_identity(feed, identity);
    if (!start_logger(feed, problem))
        return false;
    feed->state = FEED_RUNNING;
    log_set_sink(notice_write, &feed->sink);
    return true;
}

static void on_restart(void *owner)
{
    struct log_feed *feed = owner;
    struct text problem;

    text_init(&problem, 300);
    if (!start_logger(feed, &problem)) {
        /* Nobody can read the log now; stderr is all that is left. */
        log_error("logger-not-started", "%s", text_string(&problem));
        loop_timer_start(&feed->restart, BACKOFF_DELAY_MS);
    }
    text_clear(&problem);
}

static void on_message(void *owner, struct handover *message)
{
    struct log_feed *feed = owner;

    if (handover_type(message) != HANDOVER_RING_DONE) {
        log_error("logger-broken", "the logger says what no logger says, and is ended");
        child_kill(feed->logger);
        return;
    }
    for (struct list_link *link = feed->rings.next; link != &feed->rings; link = link->next) {
        struct feed_ring *ring = LIST_OWNER(link, struct feed_ring, link);

        if (ring->head.id == message->body.ring_done.id) {
            ring_free(ring);
            return;
        }
    }
}

/* The old logger has ended, whichever way; where it was cut off, some lines come twice. */
static void end_passing(struct log_feed *feed)
{
    loop_timer_cancel(&feed->deadline);
    feed->state = FEED_RUNNING;
    on_restart(feed);
    if (feed->done != NULL)
        let_logger_end(feed);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct log_feed *feed = owner;
    struct text end;

    feed->logger = NULL;
    if (feed->state == FEED_ENDING) {
        loop_defer(feed->children->loop, &feed->ended);
        return;
    }
    if (feed->state == FEED_PASSING) {
        end_passing(feed);
        return;
    }
    text_init(&end, 100);
    child_print_end(&end, wait_status);
    log_error("logger-died", "the logger, process %ld, ended with %s; a new one goes on with the "
              "same lines", (long)pid, text_string(&end));
    text_clear(&end);
    loop_timer_start(&feed->restart,
                     backoff_add_death(&feed->backoff, loop_now_ms(feed->children->loop)));
}

/* ---- The end. */

static void report_end(void *owner)
{
    struct log_feed *feed = owner;

    loop_timer_cancel(&feed->deadline);
    feed->state = FEED_ENDED;
    feed->done(feed->done_owner);
}

static void on_deadline(void *owner)
{
    struct log_feed *feed = owner;

    child_kill(feed->logger);
}

static void let_logger_end(struct log_feed *feed)
{
    feed->state = FEED_ENDING;
    loop_timer_cancel(&feed->restart);
    if (feed->logger == NULL) {
        loop_defer(feed->children->loop, &feed->ended);
        return;
    }
    child_hang_up(feed->logger);
    loop_timer_start(&feed->deadline, END_MS);
}

/* While one logger passes on to the next, there is nobody yet who could write the last lines. */
void log_feed_end(struct log_feed *feed, void (*done)(void *owner), void *owner)
{
    feed->done = done;
    feed->done_owner = owner;
    log_set_sink(NULL, NULL);
    close(feed->own_life_fd);
    feed->own_life_fd = -1;
    if (feed->state != FEED_PASSING)
        let_logger_end(feed);
}

/* ---- From one program to the next. */

static void inherit_rings(struct log_feed *feed, const struct estate_log *estate)
{
    for (size_t i = 0; i < estate->ring_count; i++) {
        struct feed_ring *ring = mem_new(sizeof *ring);

        *ring = (struct feed_ring){ .head = estate->rings[i].head,
                                    .memory_fd = estate->rings[i].memory_fd,
                                    .life_fd = estate->rings[i].life_fd };
        list_add_last(&feed->rings, &ring->link);
    }
    feed->last_ring = estate->last_ring;
}

/*
 * Two loggers would write into each other's lines, where a pipe takes only a part at once; so one
 * begins when the other has ended.
 */
static void pass_on(struct log_feed *feed, const struct estate_child *logger)
{
    feed->state = FEED_PASSING;
    if (logger->pid == 0) {
        end_passing(feed);
        return;
    }
    feed->logger = child_adopt(feed->children, (pid_t)logger->pid, logger->channel,
                               &logger_events, feed);
    child_send(feed->logger, HANDOVER_LEAVE, NULL, 0, NULL, 0);
    loop_timer_start(&feed->deadline, LEAVE_MS);
}

struct log_feed *log_feed_inherit(struct children *children, struct estate_log *take_estate,
                                  struct text *problem)
{
    struct log_feed *feed = make_feed(children);

    feed->wake_fd = take_estate->wake_fd;
    feed->file_fd = take_estate->file_fd;
    feed->path = take_estate->path;
    take_estate->path = NULL;
    feed->identity = take_estate->identity;
    feed->output = take_estate->output;
    feed->sink.format = (enum record_format)feed->output.format;
    inherit_rings(feed, take_estate);
    if (!open_own_ring(feed, problem)) {
        log_feed_free(&feed);
        return NULL;
    }
    pass_on(feed, &take_estate->logger);
    log_set_sink(notice_write, &feed->sink);
    return feed;
}

static void bequeath_rings(const struct log_feed *feed, struct estate_log *estate)
{
    struct estate_ring *to;

    for (struct list_link *link = feed->rings.next; link != &feed->rings; link = link->next)
        estate->ring_count++;
    to = estate->rings = mem_new_array(estate->ring_count, sizeof(*estate->rings));
    for (struct list_link *link = feed->rings.next; link != &feed->rings; link = link->next) {
        const struct feed_ring *ring = LIST_OWNER(link, struct feed_ring, link);

        *to++ = (struct estate_ring){ .head = ring->head, .memory_fd = ring->memory_fd,
                                      .life_fd = ring->life_fd };
    }
}

void log_feed_bequeath(const struct log_feed *feed, struct estate_log *estate)
{
    *estate = (struct estate_log){ .logger.channel = -1, .identity = feed->identity,
                                   .output = feed->output, .file_fd = feed->file_fd,
                                   .wake_fd = feed->wake_fd, .last_ring = feed->last_ring };
    if (feed->path != NULL)
        estate->path = mem_copy(slice_from(feed->path));
    if (feed->logger != NULL)
        estate->logger = (struct estate_child){ .pid = (uint32_t)child_pid(feed->logger),
                                                .channel = child_channel(feed->logger) };
    bequeath_rings(feed, estate);
}
