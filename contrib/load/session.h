/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SMTP client session of load-gen: it connects, sends the mails it is
 * given, connects again when a connection has carried its share, and ends when
 * there is no mail left. What all sessions share is in `struct load`.
 */
#ifndef LOAD_SESSION_H
#define LOAD_SESSION_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_mode {
    TLS_NONE,
    TLS_STARTTLS,
    TLS_IMPLICIT, /* the handshake comes before the greeting */
};

/* As it goes out: dot-stuffed, with its final dot. */
struct mail {
    const char *octets;
    size_t length;
};

/* What to do, and what came of it; one for the process. */
struct load {
    /* the order, fixed before the first session starts */
    struct sockaddr_in address;
    struct sockaddr_in source; /* where connections come from; 0.0.0.0: anywhere */
    enum tls_mode tls;
    SSL_CTX *tls_context;    /* NULL without TLS */
    char *octets;            /* of all mails */
    size_t octet_count;
    struct mail *mails;      /* sent in turn, from the first again behind the last */
    size_t mail_count;
    uint64_t per_connection; /* mails on one connection; 0: as many as there are */
    bool stays_idle;         /* sessions stop after EHLO and send nothing */
    int epoll_fd;

    /* the state of the run */
    uint64_t mails_left;     /* not given to a session yet */
    size_t next_mail;        /* place in `mails` */
    uint64_t active;         /* sessions that have not ended */
    uint64_t idle;           /* sessions that stopped after EHLO */

    /* results */
    uint32_t *latencies_us;  /* one per accepted mail: connect or MAIL to the final reply */
    uint64_t *dots_us;       /* when each final dot went out, in this order */
    uint64_t dots;           /* how many did */
    uint64_t accepted;       /* mails that got 250 */
    uint64_t errors;         /* mails or idle sessions that came to nothing */
    uint64_t connections;
    uint64_t resumed;        /* TLS handshakes that were not full ones */
    uint64_t last_reply_us;  /* when the latest mail was accepted */
    char first_error[256];   /* "" when there was none */
    char tls_name[64];       /* version and cipher of the latest handshake */
};

enum session_state {
    SESSION_ENDED,      /* no connection, and no mail left for it */
    SESSION_CONNECTING, /* for connect() */
    SESSION_HANDSHAKE,  /* for the TLS handshake */
    SESSION_GREETING,   /* for 220 */
    SESSION_EHLO,       /* for the reply to EHLO */
    SESSION_STARTTLS,   /* for the reply to STARTTLS */
    SESSION_ENVELOPE,   /* for the replies to MAIL, RCPT and DATA */
    SESSION_MESSAGE,    /* for the reply to the final dot */
    SESSION_IDLE,       /* for nothing: it holds the connection open */
    SESSION_QUIT,       /* for 221 */
};

struct session {
    enum session_state state;
    struct load *load;          /* lent */
    int fd;                     /* -1 without a connection */
    SSL *ssl;                   /* NULL while the connection is plain */
    bool had_handshake;         /* STARTTLS is done */
    bool has_pipelining;        /* as the latest EHLO said */
    bool wants_write;           /* what epoll was asked for */
    unsigned envelope_step;     /* envelope commands answered: 0 to 3 */
    uint64_t sent;              /* mails on this connection */
    uint64_t mail_started_us;
    const char *output;         /* what is left to write: `command` or the message */
    size_t output_length;
    size_t input_length;        /* octets of a reply line that has not ended */
    char command[256];
    char input[2048];
};

/* Opens the first connection. `session` is zeroed and `load` outlives it. */
void session_start(struct session *session, struct load *load);

/* Its descriptor is ready to read or write. */
void session_on_ready(struct session *session);

/* Drops the connection; a mail in flight counts as an error with the reason `why`. */
void session_abort(struct session *session, const char *why);

#endif
