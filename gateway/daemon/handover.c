/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between our processes; see handover.h. */
#include "daemon/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a message of each type must look like. */
struct shape {
    size_t body_bytes;   /* of the struct in front */
    bool has_text;       /* any bytes may follow it */
    bool has_many;       /* the body is an array of such structs, one for each descriptor */
    size_t min_fds;
    size_t max_fds;
};

static const struct shape shapes[HANDOVER_TYPE_COUNT] = {
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
_Static_assert(sizeof(struct handover_keep) == sizeof(struct handover_identity) + 32,
               "no padding");
_Static_assert(sizeof(struct handover_ring) == 12 + HANDOVER_LABEL_BYTES, "no padding");

static bool has_shape(enum handover_type type, size_t body_bytes, size_t fd_count)
{
    const struct shape *shape;

    if ((unsigned int)type >= HANDOVER_TYPE_COUNT)
        return false;
    shape = &shapes[type];
    if (fd_count < shape->min_fds || fd_count > shape->max_fds)
        return false;
    if (shape->has_many)
        return body_bytes == fd_count * shape->body_bytes;
    return shape->has_text ? body_bytes >= shape->body_bytes : body_bytes == shape->body_bytes;
}

/* Room for the control message that carries descriptors. */
union fd_room {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int) * HANDOVER_MAX_FDS)];
};

static void add_fds(struct msghdr *message, union fd_room *room, const int *fds, size_t count)
{
    struct cmsghdr *head;

    if (count == 0)
        return;
    memset(room, 0, sizeof *room);
    message->msg_control = room->bytes;
    message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
    head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
}

static enum handover_result result_of_errno(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return HANDOVER_NOTHING;
    return errno == EPIPE || errno == ECONNRESET ? HANDOVER_GONE : HANDOVER_BROKEN;
}

enum handover_result handover_send(int channel, enum handover_type type, struct slice body,
                                   const int *fds, size_t fd_count)
{
    uint32_t code = type;
    struct iovec parts[] = { { &code, sizeof code },
                             { (void *)(uintptr_t)body.data, body.length } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    union fd_room room;
    ssize_t sent;

    if (body.length > HANDOVER_MAX_BYTES || !has_shape(type, body.length, fd_count)) {
        errno = EMSGSIZE;
        return HANDOVER_BROKEN;
    }
    add_fds(&message, &room, fds, fd_count);
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? result_of_errno() : HANDOVER_DONE;
}

/* The kernel has opened them in this process already: all must be kept track of. */
static void take_fds(struct handover *message, struct msghdr *header)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head != NULL;
         head = CMSG_NXTHDR(header, head)) {
        size_t count;

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (count > HANDOVER_MAX_FDS - message->fd_count)
            count = HANDOVER_MAX_FDS - message->fd_count; /* cannot be: the room is no larger */
        memcpy(message->fds + message->fd_count, CMSG_DATA(head), count * sizeof(int));
        message->fd_count += count;
    }
}

enum handover_result handover_receive(int channel, struct handover *message)
{
    uint32_t code = HANDOVER_TYPE_COUNT;
    struct iovec parts[] = { { &code, sizeof code },
                             { message->body.bytes, sizeof message->body.bytes } };
    union fd_room room;
    struct msghdr header = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes };
    ssize_t received;

    message->fd_count = 0;
    message->length = 0;
    do
        received = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return result_of_errno();
    take_fds(message, &header);
    if (received == 0 && message->fd_count == 0)
        return HANDOVER_GONE;
    if ((size_t)received < sizeof code || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        errno = EBADMSG;
        return HANDOVER_BROKEN;
    }
    message->type = (enum handover_type)code;
    message->length = (size_t)received - sizeof code;
    if (has_shape(message->type, message->length, message->fd_count))
        return HANDOVER_DONE;
    errno = EBADMSG;
    return HANDOVER_BROKEN;
}

void handover_clear(struct handover *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
}

int handover_take_fd(struct handover *message, size_t index)
{
    int fd = message->fds[index];

    message->fds[index] = -1;
    return fd;
}

struct slice handover_text(const struct handover *message)
{
    size_t skipped = shapes[message->type].body_bytes;

    return (struct slice){ message->body.bytes + skipped, message->length - skipped };
}
