/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server side of SMTP as a state machine without sockets (RFC 5321, 1870,
 * 2034, 2920, 3030, 3207, 3461, 6152, 6531, PRDR). Bytes go in, replies and
 * events come out. This and data_reader are the only readers of what a client
 * sends: lines, dots and chunks are told apart here and nowhere else.
 *
 * What needs no decision is answered here at once (sequence errors, syntax,
 * VRFY, NOOP ...). For the rest the owner gets an event and owes an answer;
 * until then the dialogue takes no further byte.
 */
#ifndef POSTERN_SMTP_SERVER_DIALOGUE_H
#define POSTERN_SMTP_SERVER_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "smtp/data_reader.h"

/* Service extensions, as bits. */
enum server_extension {
    SERVER_PIPELINING = 1 << 0,
    SERVER_SIZE = 1 << 1,
    SERVER_8BITMIME = 1 << 2,
    SERVER_SMTPUTF8 = 1 << 3,
    SERVER_DSN = 1 << 4,
    SERVER_ENHANCEDSTATUSCODES = 1 << 5,
    SERVER_CHUNKING = 1 << 6,
    SERVER_STARTTLS = 1 << 7,
    SERVER_PRDR = 1 << 8,
};

/* How VRFY and EXPN are answered: alike for every argument, without asking anyone. */
enum server_probe_answer {
    SERVER_PROBE_HIDE,   /* 252: cannot verify, will try */
    SERVER_PROBE_REFUSE, /* 502: not here */
};

/* What a listener decides once. Lent to every dialogue, immutable. */
struct server_options {
    const char *hostname;        /* in the greeting and EHLO */
    const char *greeting;        /* behind the hostname: "ESMTP" */
    enum server_probe_answer vrfy;
    enum server_probe_answer expn;
    enum data_line_ends line_ends; /* what bare LF in DATA gets */
    unsigned int extensions;     /* bits this listener offers at most */
    bool is_tls_required;        /* MAIL before TLS gets 530 */
    uint32_t max_recipients;     /* accepted ones in a transaction; more get 452 4.5.3 */
    uint32_t max_errors;         /* this many 5xx of the client's making: 421 and the end */
    uint32_t max_commands_without_mail; /* NOOP, RSET, VRFY ...: past it 421 */
};

enum server_state {
    SERVER_STATE_FRESH,      /* greeting sent, or TLS just done: no HELO yet */
    SERVER_STATE_READY,      /* HELO or EHLO given, no transaction */
    SERVER_STATE_MAIL,       /* sender accepted, no recipient yet */
    SERVER_STATE_RCPT,       /* at least one recipient accepted */
    SERVER_STATE_DATA,       /* content comes, up to CRLF.CRLF */
    SERVER_STATE_CHUNK,      /* octets of a BDAT chunk come */
    SERVER_STATE_CHUNKING,   /* between the chunks of a message: only BDAT and RSET go on */
    SERVER_STATE_CHUNKS_LOST,/* a chunk was refused: BDAT gets 503 until RSET (RFC 3030 2) */
    SERVER_STATE_CLOSED,     /* the last reply is written */
};

enum server_event {
    SERVER_EVENT_NEED_INPUT,  /* nothing more to do with these bytes */
    SERVER_EVENT_ANSWERED,    /* one command was answered; feed on */
    SERVER_EVENT_HELLO,       /* HELO or EHLO was answered; any transaction is void */
    /* An answer is owed, with server_dialogue_answer. */
    SERVER_EVENT_MAIL,        /* dialogue->mail */
    SERVER_EVENT_RCPT,        /* dialogue->recipient */
    SERVER_EVENT_DATA,        /* DATA: a 3xx answer opens the content */
    SERVER_EVENT_END_OF_DATA, /* the whole content has come: the final answer is owed */
    /* No answer is owed. */
    SERVER_EVENT_CONTENT,     /* dialogue->content: the next bytes of the message */
    SERVER_EVENT_RESET,       /* RSET was answered: the transaction is void */
    SERVER_EVENT_START_TLS,   /* 220 was written: start the handshake, then _on_secured */
    SERVER_EVENT_CLOSE,       /* the last reply was written: send it, close; dialogue->close_reason */
};

struct server_dialogue {
    /* Lent by the owner. */
    const struct server_options *options;
    /* Set by the owner at any time; counts from the next EHLO and MAIL. */
    unsigned int offered;    /* bits of what can be done now; cut with options->extensions */
    uint64_t max_size_bytes; /* for SIZE; 0 for none */
    const char *reference;   /* session or transaction id for replies; "" for none; kept */
    /* State. */
    enum server_state state;
    bool is_answer_owed;
    bool is_extended;        /* the last greeting was EHLO */
    bool is_secured;         /* inside TLS */
    char *hello_name;        /* argument of HELO or EHLO as sent; owned; NULL before */
    uint32_t error_count;
    uint32_t idle_command_count; /* since the last MAIL */
    uint32_t recipient_count; /* accepted in this transaction */
    struct data_reader reader;
    uint64_t chunk_left;     /* octets of the current chunk still to come */
    bool is_last_chunk;
    bool is_chunked;         /* this message comes by BDAT */
    bool is_chunk_refused;   /* its octets are swallowed */
    bool is_prdr;            /* asked for with this MAIL */
    /* Results, valid with the event that names them, borrowed until the next call. */
    struct envelope mail;    /* sender and parameters of SERVER_EVENT_MAIL; no recipients */
    struct recipient recipient;
    struct slice content;
    const char *close_reason;/* reason id, "quit" when the client said QUIT */
};

void server_dialogue_init(struct server_dialogue *dialogue, const struct server_options *options);
void server_dialogue_clear(struct server_dialogue *dialogue);

/* Writes the 220 greeting. */
void server_dialogue_greet(struct server_dialogue *dialogue, struct text *out);
/*
 * Writes `reply` and closes the dialogue, in any state: 421 on shutdown or timeout, 554 instead of
 * a greeting.
 */
void server_dialogue_close(struct server_dialogue *dialogue, const struct reply *reply,
                           struct text *out);

/*
 * Reads from `input`, at most up to the next event, and says in `*consumed` how far. Replies go to
 * `out`. Call it in a loop until NEED_INPUT, an event that owes an answer, START_TLS or CLOSE. Not
 * to be called while an answer is owed. A partial line is left in the input; a line longer than the
 * limit is refused once and dropped up to its end, however it is cut into pieces.
 */
enum server_event server_dialogue_feed(struct server_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out);

/*
 * The owed answer. For DATA a 3xx reply is written as 354 and content follows. For the end of data
 * any reply ends the transaction. For BDAT chunks before the last the dialogue answers by itself.
 */
void server_dialogue_answer(struct server_dialogue *dialogue, const struct reply *reply,
                            struct text *out);
/*
 * The final answer where the client asked for PRDR: 353, one reply for each accepted recipient in
 * order, and the overall one.
 */
void server_dialogue_answer_each(struct server_dialogue *dialogue, const struct reply *replies,
                                 size_t count, const struct reply *overall, struct text *out);
/*
 * While content comes: the owner cannot take the message (too large, no memory). The rest is
 * swallowed up to its end and then answered with `reply`; END_OF_DATA does not come, RESET does.
 */
void server_dialogue_refuse_content(struct server_dialogue *dialogue, const struct reply *reply);

/* The handshake is done: everything the client said before is forgotten (RFC 3207 4.2). */
void server_dialogue_on_secured(struct server_dialogue *dialogue);

/* True between an accepted MAIL and the end of its transaction. */
bool server_dialogue_has_transaction(const struct server_dialogue *dialogue);

#endif
