/* SPDX-License-Identifier: BSD-2-Clause */
/* One client of `postern sink`: a stream and a server dialogue, and mail into a Maildir. */
#ifndef POSTERN_TOOLS_SINK_SESSION_H
#define POSTERN_TOOLS_SINK_SESSION_H

#include <stdint.h>

#include "base/list.h"
#include "base/text.h"
#include "net/loop.h"
#include "net/tls.h"
#include "smtp/server_dialogue.h"
#include "tools/maildir.h"
#include "tools/subcommand.h"

struct sink_session;

/* What all sessions of a sink share. */
struct sink_site {
    /* Settings; they outlive the sessions. */
    struct loop *loop;
    struct server_options options;
    struct tls_server *tls;                     /* NULL: no STARTTLS */
    struct maildir *maildir;                    /* NULL: mail is counted and thrown away */
    const struct option_texts *rejected_users;  /* "user@domain", or a local part alone */
    uint64_t max_message_bytes;                 /* 0 for no limit */
    void (*on_message)(void *owner);            /* the reply to a stored message was written */
    void *owner;
    /* State. */
    struct list_link sessions;
    struct text scratch;                        /* output of the session that runs */
    /* Results. */
    uint64_t message_count;
    uint64_t byte_count;                        /* of their content */
};

/* Takes an accepted socket. The session is in site->sessions and frees itself when it is over. */
void sink_session_start(struct sink_site *site, int take_fd);
/* Says 421 and lets go of the client. For all of site->sessions. */
void sink_sessions_end(struct sink_site *site);

#endif
