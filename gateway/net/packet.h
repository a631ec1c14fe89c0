/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed messages with descriptors between our own processes, over a socket pair
 * that keeps their borders (SOCK_SEQPACKET). Who receives holds each message to
 * the shape of its type: a process that was taken over may send anything.
 */
#ifndef POSTERN_NET_PACKET_H
#define POSTERN_NET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define PACKET_MAX_FDS 64

/* What a message of one type must look like. */
struct packet_shape {
    size_t body_bytes;   /* of the struct in front */
    bool has_text;       /* any bytes may follow it */
    bool has_many;       /* the body is an array of such structs, one for each descriptor */
    size_t min_fds;
    size_t max_fds;
};
bool packet_has_shape(const struct packet_shape *shape, size_t body_bytes, size_t fd_count);

/* A received message. A descriptor is the receiver's once it is set to -1 here. */
struct packet {
    uint32_t type;
    size_t length;       /* bytes of the body */
    int fds[PACKET_MAX_FDS];
    size_t fd_count;
};

enum packet_result {
    PACKET_DONE,
    PACKET_NOTHING, /* not now: nothing there, or the other side does not read */
    PACKET_GONE,    /* the other side is gone */
    PACKET_BROKEN,  /* what came is no message of ours; or the system refused, see errno */
};

/* Descriptors are lent. Blocks only on a blocking channel. */
enum packet_result packet_send(int channel, uint32_t type, struct slice body, const int *fds,
                               size_t fd_count) __attribute__((warn_unused_result));
/*
 * Whatever the result, packet_clear may be called; descriptors come close-on-exec. A body of more
 * than `max_bytes` is PACKET_BROKEN.
 */
enum packet_result packet_receive(int channel, struct packet *packet, char *body,
                                  size_t max_bytes) __attribute__((warn_unused_result));
/* Closes the descriptors that nobody took. */
void packet_clear(struct packet *packet);
/* Takes a descriptor out of the message. */
int packet_take_fd(struct packet *packet, size_t index);

#endif
