/* SPDX-License-Identifier: BSD-2-Clause */
/* The states of an SMTP client, why it may fail, and their names for the log. */
#ifndef POSTERN_SMTP_CLIENT_STATE_H
#define POSTERN_SMTP_CLIENT_STATE_H

/* In the order of a session. What each says and hears is in client_dialogue.c, in this order. */
enum client_state {
    CLIENT_STATE_GREETING,     /* the 220 is awaited */
    CLIENT_STATE_EHLO,
    CLIENT_STATE_HELO,         /* EHLO was refused */
    CLIENT_STATE_STARTTLS,
    CLIENT_STATE_HANDSHAKE,    /* its 220 has come; ends with client_dialogue_on_secured */
    CLIENT_STATE_READY,        /* no transaction; nothing is awaited */
    CLIENT_STATE_XCLIENT,
    CLIENT_STATE_XCLIENT_EHLO, /* the EHLO that must follow it */
    CLIENT_STATE_MAIL,
    CLIENT_STATE_RCPT,
    CLIENT_STATE_ENVELOPE,     /* every recipient so far is answered; nothing is awaited */
    CLIENT_STATE_DATA,         /* the 354 is awaited */
    CLIENT_STATE_CONTENT,      /* the owner writes content, which the server may only refuse */
    CLIENT_STATE_DOT,          /* the final answer is awaited, perhaps behind that to a chunk */
    CLIENT_STATE_SPENT,        /* the transaction was refused: only RSET goes on */
    CLIENT_STATE_RSET,
    CLIENT_STATE_OVER,         /* failed, or QUIT was said: of no more use */
};

enum client_failure {
    CLIENT_FAILURE_NONE,
    CLIENT_FAILURE_REFUSED,    /* 4xx or 5xx to greeting, EHLO, STARTTLS or RSET */
    CLIENT_FAILURE_CLOSING,    /* 421 outside of a transaction, or to MAIL */
    CLIENT_FAILURE_UNEXPECTED, /* a reply of a class that does not fit, or to nothing */
    CLIENT_FAILURE_GARBAGE,    /* no SMTP reply */
    CLIENT_FAILURE_NO_TLS,     /* required and not offered */
    CLIENT_FAILURE_INJECTION,  /* bytes behind the 220 to STARTTLS (RFC 3207 6) */
    CLIENT_FAILURE_NO_XCLIENT, /* needed and not offered */
};

/* "greeting", "MAIL", "end of data": what is awaited in `state`. */
const char *client_state_name(enum client_state state);
/* One phrase. */
const char *client_failure_text(enum client_failure failure);

#endif
