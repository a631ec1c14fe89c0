/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line about a transaction while it comes together: a record, and the
 * strings that it needs kept. Nothing here decides anything.
 */
#ifndef POSTERN_FLOW_ACCOUNT_H
#define POSTERN_FLOW_ACCOUNT_H

#include <stdint.h>

#include "delivery/forward.h"
#include "evidence/finding.h"
#include "flow/party.h"
#include "mail/mailbox.h"
#include "mail/message.h"
#include "mail/reply.h"
#include "record/log_ring.h"
#include "record/record.h"
#include "verdict/decide.h"

struct account {
    struct shared *shared;           /* lent */
    struct record record;
    struct record_recipient *recipients; /* owned; addresses lent by the transaction */
    size_t recipient_capacity;
    uint64_t mail_ms;                /* monotonic: when MAIL came */
    uint64_t content_from_ms;        /* when content was asked for; 0 before */
    uint64_t dot_ms;                 /* when the end of data came; 0 before */
    const char *tags[VERDICT_MAX_TAGS]; /* names of those that the line has */
    /* Owned copies; NULL while unknown. */
    char *tls_server_name;
    char *message_id;
    char *header_from;
    char *backend_reply;
    char *backend_queue_id;
    char *backend_tls;
    char *detail;
    char *dkim_domains;
    char *check_text;
};

/* `party` and `id` are kept until account_clear. */
void account_init(struct account *account, const struct party *party, const char *id);
void account_clear(struct account *account);

/* As things happen. What is passed is borrowed for the call unless it says "kept". */
void account_set_mail(struct account *account, const struct envelope *kept_mail);
void account_set_route(struct account *account, const struct effective_policy *kept_policy);
void account_on_recipient(struct account *account, const struct verdict *verdict,
                          const struct reply *reply);
void account_on_backend(struct account *account, const struct forward_answer *answer);
void account_set_message(struct account *account, const struct message *message,
                         const struct mailbox_list *from, uint64_t dot_ms);
/* What the checks found, kept until the line is written; the DNS's part in it. */
void account_set_findings(struct account *account, const struct findings *kept_findings,
                          size_t question_count, uint64_t waited_ms);
void account_set_verdict(struct account *account, const struct verdict *verdict);
/* The copy that is held; NULL: there is none, or none any more. */
void account_set_quarantine(struct account *account, const char *kept_id);
void account_set_end(struct account *account, enum record_verdict verdict,
                     const struct reply *reply);
/* Before a line is reserved or written, once for each RCPT; `kept_address` until it is written. */
void account_forget_recipients(struct account *account);
void account_add_recipient(struct account *account, const struct address *kept_address,
                           const struct reply *reply);

/* Reserves the line in the log, as it would read if this process died. NULL: the log is full. */
struct log_ring_slot *account_reserve(struct account *account);
/* Writes the line: into the reservation if there is one (`*slot` becomes NULL), else as it fits. */
void account_write(struct account *account, struct log_ring_slot **slot);
/* After the line: the reply it names never reached the client. */
void account_write_reply_lost(struct account *account);

#endif
