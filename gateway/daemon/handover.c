/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between our processes; see handover.h. */
#include "daemon/handover.h"

#include <errno.h>

static const struct packet_shape shapes[HANDOVER_TYPE_COUNT] = {
    [HANDOVER_ESTATE] = { 0, .min_fds = 1, .max_fds = 1 },
    [HANDOVER_DIAGNOSTIC] = { sizeof(struct handover_diagnostic), .has_text = true },
    [HANDOVER_AGREED] = { 0, .max_fds = 0 },
    [HANDOVER_SOCKETS] = { sizeof(struct handover_socket), .has_many = true, .min_fds = 1,
                           .max_fds = HANDOVER_MAX_FDS },
    [HANDOVER_POLL] = { sizeof(struct handover_poll), .max_fds = 0 },
    [HANDOVER_DRAIN] = { sizeof(struct handover_drain), .max_fds = 0 },
    [HANDOVER_TICKET_KEYS] = { sizeof(struct tls_ticket_keys), .max_fds = 0 },
    [HANDOVER_READY] = { 0, .max_fds = 0 },
    [HANDOVER_KEEPER] = { 0, .min_fds = 1, .max_fds = 1 },
    [HANDOVER_KEEP_SETTINGS] = { sizeof(struct handover_keep_settings), .max_fds = 0 },
    [HANDOVER_KEEP_WORKER] = { 0, .min_fds = 1, .max_fds = 1 },
    [HANDOVER_LEAVE] = { 0, .max_fds = 0 },
    [HANDOVER_RING_DONE] = { sizeof(struct handover_ring_done), .max_fds = 0 },
    [HANDOVER_LOAD] = { .has_text = true },
    [HANDOVER_LOADED] = { sizeof(struct handover_identity), .min_fds = 3, .max_fds = 4 },
    [HANDOVER_WORK] = { sizeof(struct handover_work), .has_text = true,
                        .min_fds = HANDOVER_WORK_FD_COUNT, .max_fds = HANDOVER_WORK_FD_COUNT },
    [HANDOVER_LOG] = { sizeof(struct handover_log), .min_fds = 1, .max_fds = 1 },
    [HANDOVER_OUTPUT] = { sizeof(struct handover_output), .min_fds = 0, .max_fds = 1 },
    [HANDOVER_RING] = { sizeof(struct handover_ring), .min_fds = 2, .max_fds = 2 },
    [HANDOVER_KEEP] = { sizeof(struct handover_keep), .min_fds = HANDOVER_KEEP_FD_COUNT,
                        .max_fds = HANDOVER_KEEP_FD_COUNT },
    [HANDOVER_SPF] = { sizeof(struct handover_identity), .max_fds = 0 },
    [HANDOVER_SPF_WORKER] = { 0, .min_fds = 1, .max_fds = 1 },
    [HANDOVER_SPF_ENGINE] = { 0, .min_fds = 1, .max_fds = 1 },
};

_Static_assert(sizeof(struct handover_work) <= HANDOVER_MAX_BYTES, "a body fits a message");
_Static_assert(sizeof(struct handover_identity) == (5 + HANDOVER_MAX_GROUPS) * 4, "no padding");
_Static_assert(sizeof(struct handover_work) == sizeof(struct handover_identity) + 48 +
                                                   sizeof(struct tls_ticket_keys) + 32,
               "no padding");
_Static_assert(sizeof(struct handover_keep) == sizeof(struct handover_identity) + 40,
               "no padding");
_Static_assert(sizeof(struct handover_ring) == 12 + HANDOVER_LABEL_BYTES, "no padding");

static bool has_shape(uint32_t type, size_t body_bytes, size_t fd_count)
{
    return type < HANDOVER_TYPE_COUNT && packet_has_shape(&shapes[type], body_bytes, fd_count);
}

enum packet_result handover_send(int channel, enum handover_type type, struct slice body,
                                 const int *fds, size_t fd_count)
{
    if (body.length <= HANDOVER_MAX_BYTES && has_shape(type, body.length, fd_count))
        return packet_send(channel, type, body, fds, fd_count);
    errno = EMSGSIZE;
    return PACKET_BROKEN;
}

enum packet_result handover_receive(int channel, struct handover *message)
{
    struct packet *packet = &message->packet;
    enum packet_result result =
        packet_receive(channel, packet, message->body.bytes, sizeof message->body.bytes);

    if (result != PACKET_DONE || has_shape(packet->type, packet->length, packet->fd_count))
        return result;
    errno = EBADMSG;
    return PACKET_BROKEN;
}

struct slice handover_text(const struct handover *message)
{
    size_t skipped = shapes[message->packet.type].body_bytes;

    return (struct slice){ message->body.bytes + skipped, message->packet.length - skipped };
}
