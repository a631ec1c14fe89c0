/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The facts of one transaction as a check or a rule may see them: read-only,
 * borrowed, and each known from a certain phase on. flow/ fills them in; tools
 * fill them from options; nothing here owns anything.
 */
#ifndef POSTERN_EVIDENCE_FACTS_H
#define POSTERN_EVIDENCE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "evidence/finding.h"
#include "mail/address.h"
#include "mail/mailbox.h"
#include "mail/message.h"

/* How far a transaction has come: what belongs to this phase and those before is known. */
enum phase {
    PHASE_CONNECT, /* client, listener */
    PHASE_HELO,    /* helo */
    PHASE_MAIL,    /* sender, announced size; tls, since before MAIL a client may still upgrade */
    PHASE_RCPT,    /* the recipient at hand */
    PHASE_DATA,    /* all recipients: their count */
    PHASE_MESSAGE, /* header fields, real size */
};
#define PHASE_COUNT 6

/* "connect", "helo", "mail", "rcpt", "data", "message". */
const char *phase_name(enum phase phase);

struct facts {
    enum phase phase;
    struct ip_endpoint client;
    const char *listener;            /* its name */
    const char *helo;                /* as sent; NULL before */
    bool is_extended;                /* EHLO */
    const char *tls_version;         /* "TLSv1.3"; NULL for plain */
    const struct address *sender;    /* NULL before MAIL */
    uint64_t announced_size_bytes;   /* SIZE=; 0 when not given */
    const struct address *recipient; /* the one this walk is about; NULL before RCPT */
    uint64_t recipient_count;        /* accepted ones */
    /* NULL before its end. Behind it, NULL says that nobody has it any more (tools that read logs):
       then `from` may have one author of it, announced_size_bytes is its size, and no term about
       the rest of its header is ever known. */
    const struct message *message;
    const struct mailbox_list *from; /* see facts_parse_from; NULL before the end of the message */
    const struct findings *findings; /* of the checks so far; NULL: none is run */
    /*
     * What terms about the header came to, for walks over the same message for other recipients:
     * effective_policy.memo_count bytes, zero at first. Lent; NULL: each walk reads it anew.
     */
    unsigned char *memo;
};

/*
 * Reads the authors of a complete message out of every From field that it has, not of the first
 * alone: a second field must not be a way past a rule on header-from. Clear the list with
 * mailbox_list_clear.
 */
void facts_parse_from(struct mailbox_list *list, const struct message *message);

#endif
