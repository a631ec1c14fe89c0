/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One attempt to hand one transaction to a backend, while the client waits.
 * There is no queue: what the backend says is what the client will hear.
 *
 *   forward_start            nothing is sent yet
 *   forward_add_recipient    connection, MAIL and RCPT on the way; on_recipient
 *   ...                      one at a time, in the client's order
 *   forward_deliver          envelope replayed if it was let go; content by
 *                            BDAT or DATA; on_outcome
 *   forward_cancel           at any time
 *
 * A connection comes from the backend's pool and goes back to it. While the
 * client sends a slow message the envelope is kept for the backend's `hold` time
 * after the last recipient, then reset and the connection returned.
 *
 * "The dot" is what lets the backend deliver: the dot behind DATA, LAST of BDAT.
 */
#ifndef POSTERN_DELIVERY_FORWARD_H
#define POSTERN_DELIVERY_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "delivery/backend.h"
#include "mail/envelope.h"
#include "mail/message.h"

/* What kind of word the backend's answer (or its absence) is. flow/ has one reply for each. */
enum forward_class {
    FORWARD_OK,              /* 2xx */
    FORWARD_UNKNOWN_USER,    /* 5.1.x, 550/551/553 at RCPT */
    FORWARD_MAILBOX_FULL,    /* 5.2.2, 552 at RCPT; a 4xx that says so is DEFERRED */
    FORWARD_REFUSED,         /* any other 5xx */
    FORWARD_TOO_LARGE,       /* 552 or 5.3.4 at MAIL or at the end */
    FORWARD_DEFERRED,        /* any other 4xx */
    FORWARD_UNREACHABLE,     /* no address took us up to MAIL: down, 421, TLS, no XCLIENT */
    FORWARD_BUSY,            /* no free connection within `wait`, or nothing to make one of */
    FORWARD_BROKEN,          /* it closed, stalled or spoke garbage before our dot */
    FORWARD_NEEDS_8BITMIME,  /* this backend lacks what the message needs */
    FORWARD_NEEDS_SMTPUTF8,
    FORWARD_LOST,            /* our dot went out, no answer came: nobody knows */
    FORWARD_WITHDRAWN,       /* may_send_dot said no: the backend got no dot and was hung up on */
};

/* A word of the backend. Strings are borrowed for the callback only. */
struct forward_answer {
    enum forward_class class;
    int code;                    /* the backend's, 0 when it said nothing */
    const char *enhanced;        /* as it said, "" when it said none */
    const char *text;            /* its words, all lines joined by "/", cut at 400 bytes, raw */
    const char *detail;          /* ours, on a failure: "connect: Connection refused" */
    struct ip_endpoint address;  /* of the backend; zero when none was reached */
    const char *tls_version;     /* of the backend connection; NULL for plain */
    bool is_reused;              /* on a pooled connection */
};

/* Called from the loop, never from inside a call of the owner. */
struct forward_events {
    /* The recipient just added. A refused MAIL is the answer to each of them. */
    void (*on_recipient)(void *owner, const struct forward_answer *answer);
    /* The whole transaction, once; after it only forward_cancel may be called. */
    void (*on_outcome)(void *owner, const struct forward_answer *answer);
    /*
     * A question, not an event, and the one call that comes while the forward works: asked once, at
     * the last moment before the dot is given to the stream, perhaps from within forward_deliver,
     * so that a client that left meanwhile causes no delivery. The owner only answers and calls
     * nothing here. NULL: yes.
     */
    bool (*may_send_dot)(void *owner);
};

/* Who the client is, for backends that are told (XCLIENT). Borrowed until the end. */
struct forward_identity {
    struct ip_endpoint client;
    struct ip_endpoint listener; /* the address it connected to */
    const char *helo;            /* as sent */
    bool is_extended;            /* ESMTP */
};

struct forward;

/*
 * `sender` (its recipients are ignored) and `identity` are kept until the end.
 * `is_8bit_allowed`: the envelope's BODY as the client gave it is passed on
 * where the backend has 8BITMIME. Never NULL; failures come by the callbacks.
 */
struct forward *forward_start(struct backend *backend, const struct envelope *sender,
                              const struct forward_identity *identity,
                              const struct forward_events *events, void *owner);
/* `recipient` is copied. Not to be called while an on_recipient is owed. */
void forward_add_recipient(struct forward *forward, const struct recipient *recipient);
/*
 * Sends the message to every recipient of `envelope` (those accepted and still wanted; when they
 * are not all that the backend accepted, the envelope is reset and replayed with these). Both are
 * kept until on_outcome. `message` may lie partly in its spool's file.
 */
void forward_deliver(struct forward *forward, const struct envelope *envelope,
                     const struct message *message);
/* True once the final dot was given to the stream: the outcome is the backend's from then on. */
bool forward_has_sent_dot(const struct forward *forward);
/*
 * No callback comes any more; *forward becomes NULL. A clean connection goes back to the pool with
 * RSET, one in the middle of content is closed before the dot: the backend then has nothing.
 */
void forward_cancel(struct forward **forward);

#endif
