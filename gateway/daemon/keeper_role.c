/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's process; see keeper_role.h. When the master is gone, owners are
 * not served any more, and workers are until the last of them has ended.
 */
#include "daemon/keeper_role.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/handover.h"
#include "daemon/identity.h"
#include "daemon/memory_file.h"
#include "daemon/notice.h"
#include "daemon/sandbox.h"
#include "net/loop.h"
#include "quarantine/keeper.h"
#include "record/log_ring.h"

#define EXIT_CANNOT_START 2
#define MAX_MESSAGES_PER_TURN 64
#define SENTENCE_BYTES 500

struct keeper_role {
    struct loop *loop;
    struct loop_watch *channel;   /* NULL once the master is gone */
    struct keeper *keeper;
    /* The log. */
    uint64_t ring_bytes;
    void *ring_memory;
    struct log_ring_writer *ring;
    struct notice_sink sink;
    int life_fd;                  /* closed by our end alone */
    int wake_fd;
};

static void on_channel(void *owner);

/* ---- Beginning. */

static size_t ring_memory_bytes(const struct keeper_role *role)
{
    size_t ring_bytes = (size_t)role->ring_bytes;

    return log_ring_memory_bytes(ring_bytes, log_ring_slot_count(ring_bytes));
}

static bool open_ring(struct keeper_role *role, struct handover *message)
{
    const struct handover_keep *orders = &message->body.keep;
    size_t ring_bytes = (size_t)orders->ring_bytes;

    role->ring_bytes = orders->ring_bytes;
    role->wake_fd = packet_take_fd(&message->packet, HANDOVER_KEEP_WAKE);
    role->life_fd = packet_take_fd(&message->packet, HANDOVER_KEEP_LIFE);
    role->ring_memory =
        memory_file_map_shared(message->packet.fds[HANDOVER_KEEP_RING], ring_memory_bytes(role));
    if (role->ring_memory == NULL)
        return false;
    role->ring = log_ring_writer_new(role->ring_memory, ring_bytes,
                                     log_ring_slot_count(ring_bytes), role->wake_fd);
    role->sink = (struct notice_sink){ .ring = role->ring,
                                       .format = (enum record_format)orders->format };
    log_set_sink(notice_write, &role->sink);
    if (orders->is_debug)
        log_set_level(LOG_LEVEL_DEBUG);
    return true;
}

static struct keeper_settings read_settings(const struct handover_keep_settings *settings)
{
    return (struct keeper_settings){ .max_bytes = settings->max_bytes,
                                     .max_age_ms = settings->max_age_ms,
                                     .max_mail_bytes = settings->max_mail_bytes };
}

static bool open_keeper(struct keeper_role *role, struct handover *message, struct text *problem)
{
    struct keeper_settings settings = read_settings(&message->body.keep.settings);

    role->keeper = keeper_new(role->loop, packet_take_fd(&message->packet, HANDOVER_KEEP_FOLDER),
                              &settings, problem);
    return role->keeper != NULL;
}

/* Its root is its folder, where root can still be given up for that. */
static bool give_up_privileges(const struct handover *message, struct text *problem)
{
    const struct handover_identity *identity = &message->body.keep.identity;

    if (identity->is_confined)
        sandbox_change_root(message->packet.fds[HANDOVER_KEEP_FOLDER]);
    return identity_become(identity, problem);
}

static bool enter_sandbox(const struct handover_identity *identity, int folder_fd,
                          struct text *problem)
{
    struct sandbox_needs needs = { .folder_fd = folder_fd };

    return !identity->is_confined || sandbox_enter(SANDBOX_KEEPER, &needs, problem);
}

static bool start(struct keeper_role *role, struct handover *message)
{
    /* The keeper's soon, and open as it is. */
    int folder_fd = message->packet.fds[HANDOVER_KEEP_FOLDER];
    struct text problem;
    bool is_started;

    if (!open_ring(role, message))
        return false;
    text_init(&problem, SENTENCE_BYTES);
    umask(S_IRWXG | S_IRWXO); /* whatever is made in the folder is for its owner alone */
    role->loop = loop_new();
    is_started = give_up_privileges(message, &problem) && open_keeper(role, message, &problem) &&
                 enter_sandbox(&message->body.keep.identity, folder_fd, &problem);
    if (!is_started)
        log_error("keeper-not-started", "%s", text_string(&problem));
    text_clear(&problem);
    if (!is_started)
        return false;
    fcntl(HANDOVER_CHANNEL_FD, F_SETFL, O_NONBLOCK);
    role->channel = loop_watch_new(role->loop, HANDOVER_CHANNEL_FD, false, on_channel, role);
    return handover_send(HANDOVER_CHANNEL_FD, HANDOVER_READY, SLICE_EMPTY, NULL, 0) ==
           PACKET_DONE;
}

/* ---- The channel. */

static void on_message(struct keeper_role *role, struct handover *message)
{
    if (handover_type(message) == HANDOVER_KEEP_WORKER) {
        keeper_add_worker(role->keeper, packet_take_fd(&message->packet, 0));
    } else if (handover_type(message) == HANDOVER_KEEP_SETTINGS) {
        struct keeper_settings settings = read_settings(&message->body.keep_settings);

        keeper_set_settings(role->keeper, &settings);
    } else {
        log_error("keeper-misled", "the master says what no master says to a keeper");
    }
}

static void on_channel(void *owner)
{
    struct keeper_role *role = owner;
    enum packet_result result = PACKET_DONE;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && result == PACKET_DONE; i++) {
        struct handover message;

        result = handover_receive(HANDOVER_CHANNEL_FD, &message);
        if (result == PACKET_DONE)
            on_message(role, &message);
        packet_clear(&message.packet);
    }
    if (result != PACKET_GONE && result != PACKET_BROKEN)
        return;
    loop_watch_free(&role->channel);
    keeper_leave(role->keeper);
    if (keeper_is_alone(role->keeper))
        loop_stop(role->loop);
}

/* ---- End. */

static void clear(struct keeper_role *role)
{
    loop_watch_free(&role->channel);
    keeper_free(&role->keeper);
    loop_free(&role->loop);
    log_set_sink(NULL, NULL);
    log_ring_writer_free(&role->ring);
    if (role->ring_memory != NULL)
        memory_file_unmap_shared(role->ring_memory, ring_memory_bytes(role));
}

int keeper_role_run(void)
{
    struct keeper_role role = { .life_fd = -1 };
    struct handover message;
    bool is_started = handover_receive(HANDOVER_CHANNEL_FD, &message) == PACKET_DONE &&
                      handover_type(&message) == HANDOVER_KEEP && start(&role, &message);

    packet_clear(&message.packet);
    if (is_started)
        loop_run(role.loop);
    clear(&role);
    return is_started ? EXIT_SUCCESS : EXIT_CANNOT_START;
}
