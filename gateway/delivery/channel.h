/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel is one connection of ours to an address of a backend: a stream, the
 * client dialogue on it, TLS and the deadlines. It passes from owner to owner:
 * who asked for it, a forward, the pool.
 */
#ifndef POSTERN_DELIVERY_CHANNEL_H
#define POSTERN_DELIVERY_CHANNEL_H

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

struct channel;

/* Always called from the loop. The owner may free the channel or give it away in any of them. */
struct channel_events {
    /*
     * An event of the dialogue; never NEED_INPUT or START_TLS. FAILED also comes for everything
     * that is wrong with the stream, and is the last: the owner frees the channel.
     */
    void (*on_event)(void *owner, struct channel *channel, enum client_event event);
    void (*on_drained)(void *owner); /* as a stream's; may be NULL */
};

/* What all channels to a backend share. Lent. */
struct channel_settings {
    struct loop *loop;
    const struct config_backend *config;
    struct tls_client *tls; /* NULL with tls off */
    struct client_options options;
};

enum channel_state {
    CHANNEL_CONNECTING, /* ends when the socket is connected, or fails */
    CHANNEL_SECURING,   /* the TLS handshake is under way */
    CHANNEL_TALKING,    /* the dialogue goes on */
    CHANNEL_ENDED,      /* FAILED was told */
};

struct channel {
    /* Identity. */
    const struct channel_settings *settings;
    size_t address_index;
    /* Lent by the owner. */
    const struct channel_events *events;
    void *owner;
    /* State. */
    struct list_link link;         /* in a list of the pool's, while it is the owner */
    enum channel_state state;
    struct stream *stream;
    struct client_dialogue dialogue;
    struct text out;               /* said and not yet given to the stream */
    size_t handed_out;             /* times that the pool gave it to somebody */
    struct loop_timer idle_timer;  /* the pool's; without a loop until it has set it */
    bool *is_gone;                 /* set when it is freed inside its own callback; NULL outside */
    /* Results. */
    bool is_failure_ours;          /* our own system refused to connect, whatever the server does */
    bool has_failed_tls;           /* it ended in a handshake without which one can do */
    struct text problem;           /* why it ended, for the log */
};

/* Is TLS wanted, and can one do without it? Then a channel may be plain from the first. */
bool channel_can_be_plain(const struct channel_settings *settings);
/* Starts connecting. READY or FAILED follows. */
struct channel *channel_new(const struct channel_settings *settings, size_t address_index,
                            bool is_plain, const struct channel_events *events, void *owner);
/* Closes at once: what is half said stays half said. */
void channel_free(struct channel **channel);
/* Says QUIT where that can be, and closes. */
void channel_finish(struct channel **channel);
void channel_set_owner(struct channel *channel, const struct channel_events *events, void *owner);

/* The dialogue's calls of the same names. */
enum client_event channel_start_mail(struct channel *channel, const struct client_mail *mail);
void channel_add_recipients(struct channel *channel);
enum client_event channel_start_content(struct channel *channel, bool is_in_one_go);
void channel_start_chunk(struct channel *channel, uint64_t bytes, bool is_last);
void channel_end_content(struct channel *channel);
void channel_reset(struct channel *channel);

/* Content in any pieces, while the dialogue is in CONTENT. */
void channel_write_content(struct channel *channel, struct slice bytes);
/* Bytes of it that the kernel has not taken. */
size_t channel_pending_output(const struct channel *channel);

/* True while its dialogue can be used for another transaction, perhaps after a reset. */
bool channel_can_reset(const struct channel *channel);

/*
 * Fills in who it is, and for one that has failed why: the problem, and the reply if it was one.
 */
void channel_describe(const struct channel *channel, enum forward_class class,
                      struct answer *answer);
/* The same with the reply that has just come, and its class. */
void channel_describe_reply(const struct channel *channel, struct answer *answer);

#endif
