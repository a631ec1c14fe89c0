/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mailboxes in a header field: who the message says wrote it (RFC 5322 3.4, RFC
 * 6854 group syntax in From). A strict reader of a field that attackers write:
 * comments, quoted names and encoded words never turn into addresses. Obsolete
 * forms are refused but for dots in an unquoted name ("John Q. Public"), which
 * are everywhere.
 */
#ifndef POSTERN_MAIL_MAILBOX_H
#define POSTERN_MAIL_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define MAILBOX_MAX_COUNT 64
#define MAILBOX_MAX_BYTES 512 /* of one address in our form */
#define MAILBOX_MAX_COMMENT_DEPTH 32

struct mailbox {
    char *address; /* "local@domain", the domain in domain.h's one form, the local part in quotes
                      only where it needs them; owned */
    char *domain;  /* inside `address` */
};

struct mailbox_list {
    struct mailbox *mailboxes;
    size_t count;
    size_t capacity;
    bool is_malformed; /* the field does not follow the grammar, or passes a ceiling above */
};

/*
 * Parses the value of From, Sender or Reply-To, folded as it came. `list` is initialised here: zero
 * it, or clear it, before. A malformed field gives the mailboxes in front of the trouble; one whose
 * only fault is bytes in names or comments that are no UTF-8 gives all of them. An empty group has
 * no mailboxes and is well-formed; an empty field is not. Clear with mailbox_list_clear.
 */
void mailbox_list_parse(struct mailbox_list *list, struct slice value);
void mailbox_list_clear(struct mailbox_list *list);

#endif
