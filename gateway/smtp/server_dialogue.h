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
#include "smtp/command.h"
#include "smtp/data_reader.h"

/*
 * Of a command line, CRLF included: RFC 5321 4.5.3.1.4 says 512, and the parameters of RFC 1870,
 * 3461, 6152 and 6531 add some 1,100. Of a longer line only this much is dropped before we close.
 */
#define SERVER_MAX_LINE_BYTES 2048
#define SERVER_MAX_DROPPED_BYTES 65536

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
    size_t max_data_line_bytes;  /* of a line of content; DATA_DEFAULT_MAX_LINE_BYTES; 0 for none */
    unsigned int extensions;     /* bits this listener offers at most */
    bool is_tls_required;        /* MAIL before TLS gets 530 */
    uint32_t max_recipients;     /* accepted ones in a transaction; more get 452 4.5.3 */
    /* So many 5xx, but for the owner's at the end of data; the next command gets 421; 0: never. */
    uint32_t max_errors;
    /* So many commands since content was last asked for; the next gets 421; 0: never. */
    uint32_t max_commands_without_mail;
};

enum server_state {
    SERVER_STATE_FRESH,         /* greeting sent, or TLS just done: no HELO yet */
    SERVER_STATE_READY,         /* HELO or EHLO given, no transaction */
    SERVER_STATE_MAIL,          /* sender accepted, no recipient yet */
    SERVER_STATE_RCPT,          /* at least one recipient accepted */
    SERVER_STATE_DATA,          /* content comes, up to CRLF.CRLF */
    SERVER_STATE_DATA_REFUSED,  /* the same, and it is swallowed */
    SERVER_STATE_CHUNK,         /* octets of a BDAT chunk come */
    SERVER_STATE_CHUNK_REFUSED, /* the same, and they are swallowed */
    SERVER_STATE_CHUNKING,      /* between the chunks of a message: only BDAT and RSET go on */
    SERVER_STATE_CHUNKS_LOST,   /* a chunk was refused: BDAT gets 503 until RSET (RFC 3030 2) */
    SERVER_STATE_SECURING,      /* 220 to STARTTLS is written; nothing is read until _on_secured */
    SERVER_STATE_CLOSED,        /* the last reply is written */
};

/* What the line reader does with the bytes of a command line. */
enum server_line {
    SERVER_LINE_READ,       /* waits for a whole line */
    SERVER_LINE_DROPPED,    /* the line was refused: drops it up to its CRLF */
    SERVER_LINE_DROPPED_CR, /* the same, and the last byte was a CR */
};

enum server_event {
    SERVER_EVENT_NEED_INPUT,  /* nothing more to do with these bytes */
    SERVER_EVENT_ANSWERED,    /* a command was dealt with; feed on */
    SERVER_EVENT_HELLO,       /* HELO or EHLO was answered; any transaction is void */
    SERVER_EVENT_MAIL_REFUSED,/* own_reply was said to dialogue->mail, for the log: its sender */
    SERVER_EVENT_RCPT_REFUSED,/* likewise to dialogue->recipient: may be address_set_raw */
    /* An answer is owed, with server_dialogue_answer. */
    SERVER_EVENT_MAIL,        /* dialogue->mail */
    SERVER_EVENT_RCPT,        /* dialogue->recipient */
    SERVER_EVENT_DATA,        /* DATA, or the first BDAT: a 3xx answer opens the content */
    SERVER_EVENT_END_OF_DATA, /* the whole content has come: the final answer is owed */
    /* No answer is owed. */
    SERVER_EVENT_CONTENT,     /* dialogue->content: the next bytes of the message */
    SERVER_EVENT_CONTENT_LOST,/* it has what no message may: dialogue->refusal; RESET at its end */
    SERVER_EVENT_RESET,       /* the transaction is void: RSET, or refused content, was answered */
    SERVER_EVENT_START_TLS,   /* 220 was written: start the handshake, then _on_secured */
    SERVER_EVENT_CLOSE,       /* the last reply was written: send it and close; see close_reason */
};

struct server_dialogue {
    /* Lent by the owner. */
    const struct server_options *options;
    /* Set by the owner at any time. */
    unsigned int offered;    /* bits of what can be done now; EHLO cuts them with the options' */
    uint64_t max_size_bytes; /* for SIZE, at EHLO and MAIL; 0 for none */
    const char *reference;   /* session or transaction id for replies; "" for none; kept */
    /* State. */
    enum server_state state;
    enum server_event owed;  /* the event whose answer is owed; NEED_INPUT for none */
    unsigned int extensions; /* those named in the last EHLO; 0 behind HELO */
    bool is_extended;        /* the last greeting was EHLO */
    bool is_secured;         /* inside TLS */
    bool has_read_line;      /* a command line was read since the connection or TLS began */
    char *hello_name;        /* argument of HELO or EHLO as sent; owned; NULL before */
    uint32_t error_count;
    uint32_t idle_command_count; /* since content was last asked for */
    /* State of a line that is refused. */
    enum server_line line;
    uint32_t dropped_bytes;
    /* State of the transaction. */
    uint32_t recipient_count; /* accepted ones */
    bool was_recipient_refused;
    bool is_smtputf8;        /* MAIL said so */
    bool is_prdr;            /* likewise */
    bool is_chunked;         /* this message comes by BDAT */
    bool is_last_chunk;
    uint64_t chunk_left;     /* octets of the current chunk still to come */
    struct data_reader reader;
    enum server_state after_chunk; /* where the end of a refused chunk leads */
    struct reply refusal;    /* owed behind refused content; code 0 for none */
    /* Results, valid with the event that names them, borrowed until the next call. */
    struct envelope mail;    /* sender and parameters of SERVER_EVENT_MAIL; no recipients */
    struct recipient recipient;
    struct slice content;
    /* Results, valid at any time. */
    /*
     * The last reply that was not written by server_dialogue_answer, for the log. Its strings are
     * static, or those of the refusal that the owner gave.
     */
    struct reply own_reply;
    const char *close_reason;/* the closing reply's reason id; "quit" after QUIT; NULL while open */
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
 * `out`. Call it in a loop, with empty input too, until NEED_INPUT, an event that owes an answer,
 * START_TLS or CLOSE. Not to be called while an answer is owed. A partial line is left in the
 * input; a line longer than the limit is refused once and dropped up to its end, however it is cut
 * into pieces. Whether input waits behind a command that must be the last of its group (RFC 2920
 * 3.1) is seen from `input`: give all that has arrived.
 */
enum server_event server_dialogue_feed(struct server_dialogue *dialogue, struct slice input,
                                       size_t *consumed, struct text *out);

/* The next feed does something even without input: content has ended, or the dialogue has. */
bool server_dialogue_has_work(const struct server_dialogue *dialogue);

/*
 * The owed answer. A 421 closes in any case: the next feed says so.
 * MAIL and RCPT: 2xx goes on, 4xx and 5xx do not.
 * DATA: 3xx is written as 354 and content follows; for BDAT nothing is written and the chunk is
 * read. Any other answer ends the transaction; a chunk is swallowed first, and then RESET comes.
 * End of data: any reply ends the transaction. The chunks before the last are answered here.
 * The strings of a reply to DATA are kept until RESET, the reason of a 421 until the end.
 */
void server_dialogue_answer(struct server_dialogue *dialogue, const struct reply *reply,
                            struct text *out);
/*
 * The final answer where the client asked for PRDR (dialogue->is_prdr): 353, one reply for each
 * accepted recipient in order, and the overall one.
 */
void server_dialogue_answer_each(struct server_dialogue *dialogue, const struct reply *replies,
                                 size_t count, const struct reply *overall, struct text *out);
/*
 * While content comes, or between two chunks: the owner cannot take the message (too large, no
 * memory). The rest is swallowed up to its end and then answered with `reply`, whose strings are
 * kept until then; END_OF_DATA does not come, RESET does. The first refusal stands.
 */
void server_dialogue_refuse_content(struct server_dialogue *dialogue, const struct reply *reply);

/*
 * The handshake is done: everything the client said before is forgotten (RFC 3207 4.2). With TLS
 * from the start, call it before the greeting.
 */
void server_dialogue_on_secured(struct server_dialogue *dialogue);

/* True between an accepted MAIL and the end of its transaction, or the refusal of its content. */
bool server_dialogue_has_transaction(const struct server_dialogue *dialogue);
/* True until server_dialogue_answer is called for MAIL, RCPT, DATA or END_OF_DATA. */
bool server_dialogue_is_answer_owed(const struct server_dialogue *dialogue);

#endif
