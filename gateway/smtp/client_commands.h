/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of an SMTP client that carry foreign words, as bytes. Parameters
 * are written only where the server offers them. Nothing here can inject a
 * command: a CR, LF or NUL in any word is our bug and ends the process.
 */
#ifndef POSTERN_SMTP_CLIENT_COMMANDS_H
#define POSTERN_SMTP_CLIENT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "smtp/client_offer.h"

/* Whom a server is told that we speak for (XCLIENT). Lent. */
struct client_identity {
    struct ip_endpoint client;
    struct ip_endpoint listener; /* the address of ours that it connected to */
    const char *helo;            /* as sent, any bytes; "" or NULL for none */
    bool is_extended;            /* it said EHLO */
};

/* "VERB argument"; the argument is left out when empty. */
void client_print_command(struct text *out, const char *verb, struct slice argument);
/* MAIL with SIZE, BODY, SMTPUTF8, RET and ENVID (RFC 1870, 6152, 6531, 3461). */
void client_print_mail(struct text *out, const struct envelope *sender, uint64_t size_bytes,
                       unsigned int extensions);
/* RCPT with NOTIFY and ORCPT (RFC 3461). */
void client_print_recipient(struct text *out, const struct recipient *recipient,
                            unsigned int extensions);
/*
 * One XCLIENT line of at most 512 bytes with the attributes of `wanted` from bit number `*next`
 * on, every one with a value, [UNAVAILABLE] for none; moves `*next`. It is
 * XCLIENT_ATTRIBUTE_COUNT when all were written.
 */
void client_print_xclient(struct text *out, const struct client_identity *identity,
                          unsigned int wanted, unsigned int *next);
/* True when `name` can be the argument of EHLO: 1 to 255 printable bytes, no space. */
bool client_is_hello_name(const char *name);

#endif
