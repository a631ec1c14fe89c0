/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between our processes; see packet.h. */
#include "net/packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool packet_has_shape(const struct packet_shape *shape, size_t body_bytes, size_t fd_count)
{
    if (fd_count < shape->min_fds || fd_count > shape->max_fds)
        return false;
    if (shape->has_many)
        return body_bytes == fd_count * shape->body_bytes;
    return shape->has_text ? body_bytes >= shape->body_bytes : body_bytes == shape->body_bytes;
}

/* Room for the control message that carries descriptors. */
union fd_room {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int) * PACKET_MAX_FDS)];
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

static enum packet_result result_of_errno(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return PACKET_NOTHING;
    return errno == EPIPE || errno == ECONNRESET ? PACKET_GONE : PACKET_BROKEN;
}

enum packet_result packet_send(int channel, uint32_t type, struct slice body, const int *fds,
                               size_t fd_count)
{
    struct iovec parts[] = { { &type, sizeof type },
                             { (void *)(uintptr_t)body.data, body.length } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = body.length > 0 ? 2 : 1 };
    union fd_room room;
    ssize_t sent;

    assert(fd_count <= PACKET_MAX_FDS);
    add_fds(&message, &room, fds, fd_count);
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? result_of_errno() : PACKET_DONE;
}

/* The kernel has opened them in this process already: all must be kept track of. */
static void take_fds(struct packet *packet, struct msghdr *header)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(header); head != NULL;
         head = CMSG_NXTHDR(header, head)) {
        size_t count;

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (count > PACKET_MAX_FDS - packet->fd_count)
            count = PACKET_MAX_FDS - packet->fd_count; /* cannot be: the room is no larger */
        memcpy(packet->fds + packet->fd_count, CMSG_DATA(head), count * sizeof(int));
        packet->fd_count += count;
    }
}

enum packet_result packet_receive(int channel, struct packet *packet, char *body,
                                  size_t max_bytes)
{
    struct iovec parts[] = { { &packet->type, sizeof packet->type }, { body, max_bytes } };
    union fd_room room;
    struct msghdr header = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes };
    ssize_t received;

    *packet = (struct packet){ .type = UINT32_MAX };
    /* A peer that ended with messages of ours unread is reported first, once; what it said before
       is still there. */
    do
        received = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    while (received < 0 && (errno == EINTR || errno == ECONNRESET));
    if (received < 0)
        return result_of_errno();
    take_fds(packet, &header);
    if (received == 0 && packet->fd_count == 0)
        return PACKET_GONE;
    if ((size_t)received < sizeof packet->type ||
        (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        errno = EBADMSG;
        return PACKET_BROKEN;
    }
    packet->length = (size_t)received - sizeof packet->type;
    return PACKET_DONE;
}

void packet_clear(struct packet *packet)
{
    for (size_t i = 0; i < packet->fd_count; i++)
        if (packet->fds[i] >= 0)
            close(packet->fds[i]);
    packet->fd_count = 0;
}

int packet_take_fd(struct packet *packet, size_t index)
{
    int fd = packet->fds[index];

    packet->fds[index] = -1;
    return fd;
}
