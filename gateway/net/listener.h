/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepts connections on one listening socket. Out of descriptors, it waits
 * 100 ms instead of spinning; the connections wait in the kernel meanwhile.
 */
#ifndef POSTERN_NET_LISTENER_H
#define POSTERN_NET_LISTENER_H

#include <stdbool.h>

#include "base/ip.h"
#include "base/text.h"
#include "net/loop.h"

struct listener;

/* Takes the accepted socket `take_fd`: non-blocking, close-on-exec. */
typedef void (*listener_accept_fn)(void *owner, int take_fd, const struct ip_endpoint *peer);

/*
 * Polls `fd`, which stays the caller's and must be non-blocking, and accepts at
 * most 16 connections a turn, so that a flood does not starve the sessions.
 */
struct listener *listener_new(struct loop *loop, int fd, listener_accept_fn on_accept, void *owner);
void listener_free(struct listener **listener);

/*
 * A bound and listening TCP socket: non-blocking, close-on-exec, SO_REUSEADDR,
 * SO_REUSEPORT (slots, see daemon/), IPV6_V6ONLY. -1 and a sentence when the
 * system refuses. Used by the master and by tools; workers bind nothing.
 */
int listener_bind(const struct ip_endpoint *endpoint, int backlog, struct text *problem);

#endif
