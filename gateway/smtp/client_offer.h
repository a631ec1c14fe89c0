/* SPDX-License-Identifier: BSD-2-Clause */
/* What a server says in its reply to EHLO that it can do (RFC 5321 4.1.1.1). */
#ifndef POSTERN_SMTP_CLIENT_OFFER_H
#define POSTERN_SMTP_CLIENT_OFFER_H

#include <stdint.h>

#include "base/slice.h"

/* Attributes of XCLIENT, as bits, in the order in which they are sent. */
enum xclient_attribute {
    XCLIENT_NAME = 1 << 0,
    XCLIENT_ADDR = 1 << 1,
    XCLIENT_PORT = 1 << 2,
    XCLIENT_PROTO = 1 << 3,
    XCLIENT_HELO = 1 << 4,
    XCLIENT_LOGIN = 1 << 5,
    XCLIENT_DESTADDR = 1 << 6,
    XCLIENT_DESTPORT = 1 << 7,
};
#define XCLIENT_ATTRIBUTE_COUNT 8

struct client_offer {
    unsigned int extensions; /* SERVER_* bits of smtp/command.h */
    uint64_t max_size_bytes; /* of SIZE; 0 for none */
    unsigned int xclient;    /* XCLIENT_* bits; 0 without XCLIENT */
};

/*
 * `lines` as reply_parser gives them; the first is the server's name. Keywords in any case; what
 * is not known or does not parse is passed over.
 */
void client_offer_parse(struct client_offer *offer, struct slice lines);

/* "ADDR"; `index` is the number of the attribute's bit. */
const char *xclient_attribute_name(unsigned int index);

#endif
