/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an SMTP client says, with the books of it that client_dialogue.c goes by:
 * each command once to a transaction, and none before the server can take it.
 * For client_dialogue.c only.
 */
#ifndef POSTERN_SMTP_CLIENT_SAY_H
#define POSTERN_SMTP_CLIENT_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "smtp/client_dialogue.h"
#include "smtp/command.h"

/* Has the server's last EHLO offered it? */
bool client_has(const struct client_dialogue *dialogue, enum server_extension extension);
/* One command at a time, unless the server takes more. */
bool client_may_say(const struct client_dialogue *dialogue);
/* Does content go by BDAT, where nothing else speaks against it? */
bool client_uses_chunking(const struct client_dialogue *dialogue);
/* Must the server be told whom the present mail is from? */
bool client_needs_xclient(const struct client_dialogue *dialogue);

/* Now, whatever else is awaited; `argument` is NULL for none. */
void client_say(struct client_dialogue *dialogue, const char *verb, const char *argument,
                struct text *out);
/* EHLO in the client's name: behind XCLIENT the server sees the client, and hears its name too. */
void client_say_client_hello(struct client_dialogue *dialogue, struct text *out);
/* One line of XCLIENT, which may be one of several. */
void client_say_xclient(struct client_dialogue *dialogue, struct text *out);

/* These say what may be said now and was not said before, which may be nothing. */
void client_say_reset(struct client_dialogue *dialogue, struct text *out);
void client_say_mail(struct client_dialogue *dialogue, struct text *out);
void client_say_recipients(struct client_dialogue *dialogue, struct text *out);
void client_say_data(struct client_dialogue *dialogue, struct text *out);
/* What may follow MAIL in its packet. */
void client_say_rest(struct client_dialogue *dialogue, struct text *out);

/* "BDAT 86 LAST" (RFC 3030 2). */
void client_say_chunk(struct client_dialogue *dialogue, uint64_t bytes, bool is_last,
                      struct text *out);
/* What ends the content: the dot, or LAST unless it was said. */
void client_say_end(struct client_dialogue *dialogue, struct text *out);

#endif
