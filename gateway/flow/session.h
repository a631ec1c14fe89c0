/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SMTP session: the dialogue with the client, and its transactions one
 * after the other. It sees bytes and gives bytes; sockets and deadlines are
 * flow/connection's.
 */
#ifndef POSTERN_FLOW_SESSION_H
#define POSTERN_FLOW_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "flow/shared.h"
#include "net/tls.h"

struct session;

/* What the connection is to do next. */
enum session_step {
    SESSION_STEP_GO_ON,      /* a command was carried out, or content taken: feed on */
    SESSION_STEP_NEED_INPUT, /* nothing more to do with these bytes */
    SESSION_STEP_WAIT,       /* an answer is being found, or room made: on_ready will come */
    SESSION_STEP_START_TLS,  /* send the output, then shake hands, then session_on_secured */
    SESSION_STEP_CLOSE,      /* the last reply is in the output */
};

/* Called from the loop, never from inside a call of the owner. */
struct session_events {
    /* After SESSION_STEP_WAIT: send `output`; then feeding goes on, or (closing) it is over. */
    void (*on_ready)(void *owner, struct slice output, bool is_closing);
    /* A question: has the client closed its side without anything left to read? */
    bool (*client_has_left)(void *owner);
};

/* `local` is the address that the client chose; NULL where no backend is told. Both are copied. */
struct session *session_new(struct shared *shared, size_t listener_index,
                            const struct ip_endpoint *client, const struct ip_endpoint *local,
                            const struct session_events *events, void *owner);
/*
 * Ends it and writes what the log still needs: the line of an open transaction, or the session's
 * own if it had none. `reason` is a reason id ("quit", "client-closed", "timeout.idle" ...),
 * `detail` foreign words or NULL.
 */
void session_free(struct session **session, const char *reason, const char *detail);

/* The greeting. */
void session_greet(struct session *session, struct text *out);
/* Feeds bytes; `*consumed` says how far it read. Not to be called while it waits. */
enum session_step session_feed(struct session *session, struct slice input, size_t *consumed,
                               struct text *out);
/* Feeding it would do something even without more bytes. */
bool session_has_work(const struct session *session);
/* The handshake is done; `info` is kept until the session ends. */
void session_on_secured(struct session *session, const struct tls_info *info);
/*
 * The client has gone. True when the session can be freed now; false while a transaction is
 * committed at the backend: on_ready comes once more when its outcome is known.
 */
bool session_on_lost(struct session *session);

/* Writes a closing reply (421 ...) in whatever state it is; free it next. */
void session_close(struct session *session, const struct reply *reply, struct text *out);
/* No transaction is open: it may be closed without hurting anyone. */
bool session_is_idle(const struct session *session);
/* It has had a transaction, or has one. */
bool session_has_begun(const struct session *session);
/* Content is being received that takes long to look at: others should have their turn. */
bool session_is_costly(const struct session *session);
/* Content is being received, be it refused already: other deadlines hold. */
bool session_is_receiving(const struct session *session);
/* The client said QUIT, and it was the last word of it. */
bool session_has_quit(const struct session *session);
/* Why the dialogue itself ended, a reason id; "" while it has not. */
const char *session_close_reason(const struct session *session);

#endif
