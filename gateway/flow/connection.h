/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of one accepted socket: it joins a stream to a session, starts TLS,
 * keeps the deadlines and sees to it that no client gets more than its turn.
 */
#ifndef POSTERN_FLOW_CONNECTION_H
#define POSTERN_FLOW_CONNECTION_H

#include "base/ip.h"
#include "base/list.h"
#include "flow/shared.h"

struct connection;

/* Takes `take_fd`. `on_gone` comes once, from the loop; the connection frees itself after it. */
struct connection *connection_new(struct shared *shared, size_t listener_index, int take_fd,
                                  const struct ip_endpoint *peer,
                                  void (*on_gone)(void *owner, struct connection *connection),
                                  void *owner);
/* At once, without a reply and without on_gone. */
void connection_free(struct connection **connection);

/* Ends it with 421, as soon as this allows. A later call may be stricter. */
enum connection_shutdown {
    CONNECTION_SHUTDOWN_NONE,
    CONNECTION_SHUTDOWN_SPARING, /* when it has had a transaction, and none is open */
    CONNECTION_SHUTDOWN_IDLE,    /* while no transaction is open */
    CONNECTION_SHUTDOWN_NOW,
};
void connection_shut_down(struct connection *connection, enum connection_shutdown how);

/* For the gate: its list, and what it has counted. */
struct list_link *connection_link(struct connection *connection);
struct connection *connection_from_link(struct list_link *link);
size_t connection_listener(const struct connection *connection);
struct presence_mark *connection_presence(struct connection *connection);

#endif
