/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every reply that a client can get, in one table: code, enhanced code, words
 * and reason id. The words say what class of thing went wrong and nothing of
 * users, backends or software. postern-reasons(7) explains each id.
 */
#ifndef POSTERN_SMTP_SERVER_REPLIES_H
#define POSTERN_SMTP_SERVER_REPLIES_H

#include <stddef.h>

#include "mail/reply.h"

/* Defined in order of the table in server_replies.c; see there for codes and words. */
enum server_reply {
    /* Successes. */
    REPLY_OK, REPLY_SENDER_OK, REPLY_RECIPIENT_OK, REPLY_START_CONTENT, REPLY_MESSAGE_ACCEPTED,
    REPLY_CHUNK_OK, REPLY_EACH_FOLLOWS, REPLY_BYE, REPLY_START_TLS, REPLY_HELP, REPLY_PROBE_HIDDEN,
    /* The dialogue itself. */
    REPLY_UNKNOWN_COMMAND, REPLY_SYNTAX, REPLY_BAD_CHUNK_SIZE, REPLY_BAD_PARAMETER,
    REPLY_UNKNOWN_PARAMETER, REPLY_BAD_SEQUENCE_HELLO, REPLY_BAD_SEQUENCE_MAIL,
    REPLY_BAD_SEQUENCE_RCPT, REPLY_BAD_SEQUENCE_NESTED, REPLY_BAD_SEQUENCE_CHUNKS,
    REPLY_NO_VALID_RECIPIENTS, REPLY_PROBE_REFUSED, REPLY_NOT_IMPLEMENTED, REPLY_TLS_NOT_OFFERED,
    REPLY_TLS_ALREADY, REPLY_TLS_REQUIRED, REPLY_TLS_INJECTION, REPLY_LINE_TOO_LONG,
    REPLY_LINE_ENDLESS, REPLY_BAD_BYTES, REPLY_EARLY_INPUT, REPLY_FOREIGN_PROTOCOL,
    REPLY_TOO_MANY_ERRORS, REPLY_TOO_MANY_COMMANDS, REPLY_IDLE_TIMEOUT, REPLY_SESSION_TIMEOUT,
    REPLY_SHUTDOWN, REPLY_TOO_MANY_SESSIONS, REPLY_BAD_SENDER, REPLY_BAD_RECIPIENT,
    REPLY_ADDRESS_NEEDS_UTF8, REPLY_TOO_MANY_RECIPIENTS,
    /* Content. */
    REPLY_BARE_CR, REPLY_BARE_LF, REPLY_NUL, REPLY_CONTENT_LINE_TOO_LONG, REPLY_MESSAGE_TOO_LARGE,
    REPLY_HEADER_TOO_LARGE, REPLY_LOOP,
    /* Where mail may go. */
    REPLY_RELAY_DENIED, REPLY_ADDRESS_ROUTED, REPLY_NEEDS_8BITMIME, REPLY_NEEDS_SMTPUTF8,
    REPLY_SPLIT_BACKEND, REPLY_SPLIT_POLICY,
    /* The backend's word, by class. */
    REPLY_RECIPIENT_UNKNOWN, REPLY_MAILBOX_FULL, REPLY_BACKEND_REFUSED, REPLY_BACKEND_TOO_LARGE,
    REPLY_BACKEND_DEFERRED, REPLY_BACKEND_UNREACHABLE, REPLY_BACKEND_BUSY, REPLY_BACKEND_LOST,
    /* Ourselves. */
    REPLY_NO_SPACE, REPLY_DISK_TIMEOUT, REPLY_LOG_FULL, REPLY_BUDGET_SPENT, REPLY_INTERNAL,
    /* Policy, where a rule gives no words of its own; the reason is the rule's. */
    REPLY_POLICY_REJECT, REPLY_POLICY_TEMPFAIL, REPLY_MIXED_TEMPFAIL, REPLY_MIXED_SPLIT,
    REPLY_COUNT
};

/* The table's row, by value; its strings are static. */
struct reply server_reply_get(enum server_reply id);

/* What the row means, for the owner: one sentence without its full stop. */
const char *server_reply_meaning(enum server_reply id);

#endif
