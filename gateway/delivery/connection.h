/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to one address of a backend: a stream, the client dialogue on
 * it, TLS and the deadlines. It passes from owner to owner: who asked for it, a
 * forward, the pool.
 */
#ifndef POSTERN_DELIVERY_CONNECTION_H
#define POSTERN_DELIVERY_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/list.h"
#include "base/slice.h"
#include "config/config.h"
#include "delivery/answer.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/client_dialogue.h"

struct connection;

/* Always called from the loop. The owner may free the connection or give it away in any of them. */
struct connection_events {
    /*
     * An event of the dialogue; never NEED_INPUT or START_TLS. FAILED also comes for everything
     * that is wrong with the stream, and is the last: the owner frees the connection.
     */
    void (*on_event)(void *owner, struct connection *connection, enum client_event event);
    void (*on_drained)(void *owner); /* as a stream's; may be NULL */
};

/* What all connections to a backend share. Lent. */
struct connection_settings {
    struct loop *loop;
    const struct config_backend *config;
    struct tls_client *tls; /* NULL with tls off */
    struct client_options options;
};

enum connection_state {
    CONNECTION_CONNECTING, /* ends when the socket is connected, or fails */
    CONNECTION_SECURING,   /* the TLS handshake is under way */
    CONNECTION_TALKING,    /* the dialogue goes on */
    CONNECTION_ENDED,      /* FAILED was told */
};

struct connection {
    /* Identity. */
    const struct connection_settings *settings;
    size_t address_index;
    /* Lent by the owner. */
    const struct connection_events *events;
    void *owner;
    /* State. */
    struct list_link link;         /* in a list of the pool's, while it is the owner */
    enum connection_state state;
    struct stream *stream;
    struct client_dialogue dialogue;
    struct text out;               /* said and not yet given to the stream */
    size_t handed_out;             /* times that the pool gave it to somebody */
    struct loop_timer idle_timer;  /* the pool's; without a loop until it has set it */
    bool *is_gone;                 /* set when it is freed inside its own callback; NULL outside */
    /* Result. */
    struct text problem;           /* why it ended, for the log */
};

/* Starts connecting. READY or FAILED follows. */
struct connection *connection_new(const struct connection_settings *settings, size_t address_index,
                                  const struct connection_events *events, void *owner);
/* Closes at once: what is half said stays half said. */
void connection_free(struct connection **connection);
/* Says QUIT where that can be, and closes. */
void connection_finish(struct connection **connection);
void connection_set_owner(struct connection *connection, const struct connection_events *events,
                          void *owner);

/* The dialogue's calls of the same names. */
enum client_event connection_start_mail(struct connection *connection,
                                        const struct client_mail *mail);
void connection_add_recipients(struct connection *connection);
void connection_start_content(struct connection *connection);
void connection_end_content(struct connection *connection);
void connection_reset(struct connection *connection);

/* Content in any pieces, while the dialogue is in CONTENT. */
void connection_write_content(struct connection *connection, struct slice bytes);
/* Bytes of it that the kernel has not taken. */
size_t connection_pending_output(const struct connection *connection);

/* True while its dialogue can be used for another transaction, perhaps after a reset. */
bool connection_can_reset(const struct connection *connection);

/*
 * Fills in who it is, and for one that has failed why: the problem, and the reply if it was one.
 */
void connection_describe(const struct connection *connection, enum forward_class class,
                         struct answer *answer);

#endif
