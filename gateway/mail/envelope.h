/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The envelope of one transaction: sender, recipients, and what the client asked
 * for with them. It holds no results; a recipient that was refused never gets in.
 */
#ifndef POSTERN_MAIL_ENVELOPE_H
#define POSTERN_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/address.h"

/* BODY= of RFC 6152 and RFC 3030. */
enum body_type { BODY_NONE, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* RET= of RFC 3461 4.3. */
enum dsn_return { DSN_RETURN_NONE, DSN_RETURN_FULL, DSN_RETURN_HEADERS };

/* NOTIFY= of RFC 3461 4.1: a set of bits, 0 when the client said nothing. */
enum dsn_notify {
    DSN_NOTIFY_NEVER = 1,
    DSN_NOTIFY_SUCCESS = 2,
    DSN_NOTIFY_FAILURE = 4,
    DSN_NOTIFY_DELAY = 8,
};

struct recipient {
    struct address address;
    unsigned int notify; /* bits of enum dsn_notify */
    char *orcpt;         /* xtext as the client sent it, "rfc822;user@example.org"; NULL for none */
};

struct envelope {
    struct address sender; /* address_is_null for <> */
    bool has_size;
    uint64_t size_bytes;   /* SIZE= of the client (RFC 1870), when has_size */
    enum body_type body;
    bool is_smtputf8;      /* SMTPUTF8 was given (RFC 6531 3.4) */
    enum dsn_return ret;
    char *envid;           /* xtext as sent; NULL for none */
    struct recipient *recipients;
    size_t recipient_count;
    size_t recipient_capacity;
};

void envelope_init(struct envelope *envelope);
void envelope_clear(struct envelope *envelope);
/* Copies `recipient` to the end of the list; the ceiling of their number is the caller's. */
void envelope_add_recipient(struct envelope *envelope, const struct recipient *recipient);
/* Everything but the recipients. `to` is cleared first. */
void envelope_copy_sender(struct envelope *to, const struct envelope *from);

/* `to` is cleared first, so it must have been copied to or zeroed. */
void recipient_copy(struct recipient *to, const struct recipient *from);
void recipient_clear(struct recipient *recipient);

#endif
