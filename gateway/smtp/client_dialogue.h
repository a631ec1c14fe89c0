/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side of SMTP as a state machine without sockets (RFC 5321, 1870,
 * 2920, 3030, 3207, 3461, 6152, 6531, XCLIENT). Bytes of the server go in; commands
 * and events come out. It may be used for one transaction after another.
 *
 *     init                       GREETING .. READY
 *     start_mail                 [RSET] [XCLIENT, EHLO] MAIL, RCPT ..; ENVELOPE
 *     add_recipients             RCPT; ENVELOPE
 *     start_content              CONTENT, behind DATA where it goes by that
 *     [start_chunk]              BDAT where it goes by that
 *     take_content               what the owner writes, run by run
 *     end_content                DOT; READY
 *     reset                      makes it fit for somebody else: RSET; READY
 *
 * Where the server has PIPELINING, all that may go out goes out at once. Content
 * goes by BDAT where CHUNKING is offered, and by DATA elsewhere: BDAT waits for no
 * 354, and dots in what follows it mean nothing. What the owner writes in one go is
 * one BDAT with LAST, a command with its octets that gets one answer. Anything
 * longer is one BDAT for all of it, and then `BDAT 0 LAST` where DATA has its dot:
 * a server that loses us halfway has not heard of a last chunk.
 *
 * Not `BDAT n LAST` for the long ones too: to take it back we should have to trust
 * that no server takes the end of the connection for the end of the chunk. Not
 * many chunks either: each is answered, and only a refusal would be news. The two
 * answers are awaited together, which takes PIPELINING; without it the long ones
 * go by DATA, which has no more to wait for.
 */
#ifndef POSTERN_SMTP_CLIENT_DIALOGUE_H
#define POSTERN_SMTP_CLIENT_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "smtp/client_commands.h"
#include "smtp/client_offer.h"
#include "smtp/client_state.h"
#include "smtp/data_writer.h"
#include "smtp/reply_parser.h"

enum client_tls {
    CLIENT_TLS_OFF,
    CLIENT_TLS_OPTIONAL, /* STARTTLS where it is offered; in plain when it is refused */
    CLIENT_TLS_REQUIRED, /* no MAIL without */
};

/* What is decided once for a backend. Lent to every dialogue with it. */
struct client_options {
    const char *hostname;   /* in EHLO */
    enum client_tls tls;
    bool is_xclient_needed; /* a server that does not offer XCLIENT with ADDR is of no use */
    unsigned int assumed;   /* SERVER_* bits that need not be offered: `assume` */
    bool is_chunking_wanted;/* BDAT where it can be; the only one that may change: to false */
};

enum client_event {
    CLIENT_EVENT_NEED_INPUT, /* nothing more to do with these bytes */
    CLIENT_EVENT_START_TLS,  /* start the handshake, then _on_secured */
    CLIENT_EVENT_READY,      /* greeted, secured, no transaction: start_mail may be called */
    CLIENT_EVENT_LACKS,      /* the server lacks dialogue->lacking; MAIL was not said */
    CLIENT_EVENT_RECIPIENT,  /* the answer to the next recipient in order, 2xx, 4xx or 5xx */
    CLIENT_EVENT_GO_AHEAD,   /* write the content: the 354, or from start_content */
    CLIENT_EVENT_REFUSED,    /* 4xx or 5xx to what `answered` says: the transaction is over */
    CLIENT_EVENT_OUTCOME,    /* the answer to the dot, or to BDAT up to LAST */
    CLIENT_EVENT_FAILED,     /* the connection is of no more use; dialogue->failure says why */
};

/* One transaction. What it points to is kept until the transaction has ended. */
struct client_mail {
    const struct envelope *sender;          /* its recipients are ignored */
    const struct envelope *to;              /* only its recipients; it may grow: add_recipients */
    const struct client_identity *identity; /* for XCLIENT; NULL where nobody is to be told */
    uint64_t size_bytes;                    /* for SIZE; 0 when not known */
    bool goes_on_to_content;                /* start_content follows the last recipient at once:
                                             * DATA by itself, perhaps in the same packet. Where
                                             * BDAT can be used the owner does it, in ENVELOPE */
};

struct client_dialogue {
    /* Lent by the owner. */
    const struct client_options *options;
    /* State. */
    enum client_state state;
    struct reply_parser replies;
    struct client_offer offer;   /* of the last EHLO */
    bool is_secured;
    bool stays_plain;            /* no STARTTLS, though it is offered */
    bool is_identified;          /* XCLIENT was said for the present client, and EHLO after it */
    struct client_mail mail;     /* sender is NULL while there is none */
    bool has_said_mail;
    size_t recipients_said;
    size_t recipients_answered;
    bool has_said_data;
    unsigned int xclient_next;   /* first attribute not said yet */
    size_t awaited;              /* replies that the server owes */
    size_t stale;                /* of these, those before RSET's own: of no interest any more */
    bool has_said_reset;
    bool is_chunked;             /* the content goes by BDAT */
    bool has_said_last;          /* then: with LAST */
    uint64_t chunk_left;         /* then: octets that are owed to the server */
    struct data_writer writer;   /* for the content behind DATA, in CLIENT_STATE_CONTENT */
    /* Results. */
    enum client_state answered;  /* the state in which the last reply came */
    size_t reply_count;          /* replies read in all its life */
    bool has_reply;              /* `replies` holds the reply that led to the last event */
    bool is_mail_accepted;       /* the server took MAIL of the present transaction */
    unsigned int mails_accepted; /* in all its life */
    unsigned int refusals;       /* 4xx and 5xx from XCLIENT to the dot, in all its life */
    enum client_failure failure;
    unsigned int lacking;        /* SERVER_8BITMIME or SERVER_SMTPUTF8 */
};

/* `is_secured`: the connection began with TLS. */
void client_dialogue_init(struct client_dialogue *dialogue, const struct client_options *options,
                          bool is_secured);
void client_dialogue_clear(struct client_dialogue *dialogue);
/* Before the first input: it goes on in plain where TLS is optional, since it has failed there. */
void client_dialogue_stay_plain(struct client_dialogue *dialogue);

/*
 * Reads from `input`, at most up to the next event, and says in `*consumed` how far. Commands go to
 * `out`, which must have no ceiling that they could reach. Call it until NEED_INPUT.
 */
enum client_event client_dialogue_feed(struct client_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out);
/* After START_TLS: EHLO anew, what was learnt in plain is forgotten (RFC 3207 4.2). */
void client_dialogue_on_secured(struct client_dialogue *dialogue, struct text *out);

/*
 * Begins a transaction, in READY, ENVELOPE or SPENT. Gives NEED_INPUT, or LACKS when that is known
 * at once. `mail` is copied, not what it points to; `to` has at least one recipient.
 */
enum client_event client_dialogue_start_mail(struct client_dialogue *dialogue,
                                             const struct client_mail *mail, struct text *out);
/* `to` has more recipients than before; in ENVELOPE. */
void client_dialogue_add_recipients(struct client_dialogue *dialogue, struct text *out);
/*
 * In ENVELOPE. Gives NEED_INPUT when DATA was said: GO_AHEAD follows. Gives GO_AHEAD when the
 * content goes by BDAT: nothing was said, start_chunk is next. `is_in_one_go`: the owner will write
 * all of the content together with its end.
 */
enum client_event client_dialogue_start_content(struct client_dialogue *dialogue, bool is_in_one_go,
                                                struct text *out);
/* BDAT, once, with the length of the whole content. `is_last`: in one go, with LAST. */
void client_dialogue_start_chunk(struct client_dialogue *dialogue, uint64_t bytes, bool is_last,
                                 struct text *out);
/*
 * The next run of `*content`, taken off its front, to be written as it is; in CONTENT. `*content`
 * is not empty; behind BDAT no more than was announced.
 */
struct slice client_dialogue_take_content(struct client_dialogue *dialogue, struct slice *content);
/* The final dot, or LAST; in CONTENT. All that was announced was taken. */
void client_dialogue_end_content(struct client_dialogue *dialogue, struct text *out);

/*
 * True when the last reply is one to BDAT of the kind x0z (RFC 5321 4.2.1): the command is not
 * understood, which says nothing of the mail.
 */
bool client_dialogue_is_bdat_unknown(const struct client_dialogue *dialogue);

/* True where `reset` can make the connection fit for another client: not behind DATA or BDAT. */
bool client_dialogue_can_reset(const struct client_dialogue *dialogue);
/* Ends the transaction and forgets the client. READY at once, or with a READY event. */
void client_dialogue_reset(struct client_dialogue *dialogue, struct text *out);
/* QUIT, where the server can expect it. Nothing is awaited any more. */
void client_dialogue_quit(struct client_dialogue *dialogue, struct text *out);

/* True while it is the server's turn: a reply is awaited, and not content of ours. */
bool client_dialogue_is_waiting(const struct client_dialogue *dialogue);
/* One phrase on why it failed, for the log. Static. */
const char *client_dialogue_failure_text(const struct client_dialogue *dialogue);

#endif
