/* SPDX-License-Identifier: BSD-2-Clause */
/* What each command does to the server dialogue. For server_dialogue.c only. */
#ifndef POSTERN_SMTP_SERVER_COMMANDS_H
#define POSTERN_SMTP_SERVER_COMMANDS_H

#include <stdbool.h>

#include "smtp/server_dialogue.h"

/*
 * Executes one line, given without its CRLF. `is_followed`: more input has
 * arrived behind it. Gives the event for the owner.
 */
enum server_event server_commands_run(struct server_dialogue *dialogue, struct slice line,
                                      bool is_followed, struct text *out);

/* Closes when the line starts another protocol, and is true then. */
bool server_commands_close_foreign(struct server_dialogue *dialogue, struct slice line,
                                   struct text *out);
/* Closes when the session has used up its errors or its commands, and is true then. */
bool server_commands_close_spent(struct server_dialogue *dialogue, struct text *out);

#endif
