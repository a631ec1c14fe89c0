/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mailboxes in a header field: who the message says wrote it (RFC 5322 3.4, RFC
 * 6854 group syntax in From). A strict reader of a field that attackers write:
 * comments, quoted names and encoded words never turn into addresses.
 */
#ifndef POSTERN_MAIL_MAILBOX_H
#define POSTERN_MAIL_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define MAILBOX_MAX_COUNT 64

struct mailbox {
    char *address; /* "local@domain", the domain in domain.h's one form; owned */
    char *domain;  /* inside `address` */
};

struct mailbox_list {
    struct mailbox *mailboxes;
    size_t count;
    size_t capacity;
    bool is_malformed; /* the field does not follow the grammar, or holds more than 64 */
};

/* Parses the value of From, Sender or Reply-To, folded as it came. Clear with mailbox_list_clear. */
void mailbox_list_parse(struct mailbox_list *list, struct slice value);
void mailbox_list_clear(struct mailbox_list *list);

#endif
