/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both halves of the server dialogue do: change its state, write a reply,
 * end a transaction. For server_dialogue.c and server_commands.c only.
 */
#ifndef POSTERN_SMTP_SERVER_STATE_H
#define POSTERN_SMTP_SERVER_STATE_H

#include "base/text.h"
#include "mail/reply.h"
#include "smtp/server_dialogue.h"
#include "smtp/server_replies.h"

/* The only assignment of the state. */
void server_state_enter(struct server_dialogue *dialogue, enum server_state state);

/* Any reply but that to the end of data. A 5xx counts as an error, a 421 closes. */
void server_state_write(struct server_dialogue *dialogue, const struct reply *reply,
                        struct text *out);
/* The reply to the end of data: it carries the reference in any case and is no error. */
void server_state_write_final(struct server_dialogue *dialogue, const struct reply *reply,
                              struct text *out);
/* A reply of the dialogue's own. Gives ANSWERED, or CLOSE for a 421. */
enum server_event server_state_say(struct server_dialogue *dialogue, enum server_reply id,
                                   struct text *out);
/* Writes `reply`, whatever its code, and closes. Gives CLOSE. `close_reason` is kept. */
enum server_event server_state_close(struct server_dialogue *dialogue, const struct reply *reply,
                                     const char *close_reason, struct text *out);

/* Forgets the transaction, if there is one. Does not change the state. */
void server_state_end_transaction(struct server_dialogue *dialogue);

#endif
