/* SPDX-License-Identifier: BSD-2-Clause */
/* The ground under the server dialogue; see server_state.h. */
#include "smtp/server_state.h"

void server_state_enter(struct server_dialogue *dialogue, enum server_state state)
{
    dialogue->state = state;
}

/* RFC 2034 3: with the extension off, there are no enhanced codes. */
static void print(const struct server_dialogue *dialogue, const struct reply *reply,
                  const char *reference, struct text *out)
{
    struct reply printed = *reply;

    if ((dialogue->options->extensions & SERVER_ENHANCEDSTATUSCODES) == 0)
        printed.enhanced = "";
    reply_print(out, &printed, reference);
}

static void close_with(struct server_dialogue *dialogue, const char *reason)
{
    dialogue->owed = SERVER_EVENT_NEED_INPUT;
    dialogue->close_reason = reason;
    server_state_enter(dialogue, SERVER_STATE_CLOSED);
}

void server_state_write(struct server_dialogue *dialogue, const struct reply *reply,
                        struct text *out)
{
    bool is_refusal = reply_is_temporary(reply) || reply_is_permanent(reply);

    print(dialogue, reply, is_refusal ? dialogue->reference : "", out);
    if (reply_is_permanent(reply))
        dialogue->error_count++;
    if (reply->code == 421)
        close_with(dialogue, reply->reason);
}

void server_state_write_final(struct server_dialogue *dialogue, const struct reply *reply,
                              struct text *out)
{
    print(dialogue, reply, dialogue->reference, out);
    if (reply->code == 421)
        close_with(dialogue, reply->reason);
}

enum server_event server_state_say(struct server_dialogue *dialogue, enum server_reply id,
                                   struct text *out)
{
    dialogue->own_reply = server_reply_get(id);
    server_state_write(dialogue, &dialogue->own_reply, out);
    return dialogue->state == SERVER_STATE_CLOSED ? SERVER_EVENT_CLOSE : SERVER_EVENT_ANSWERED;
}

enum server_event server_state_close(struct server_dialogue *dialogue, const struct reply *reply,
                                     const char *close_reason, struct text *out)
{
    dialogue->own_reply = *reply;
    server_state_write(dialogue, reply, out);
    close_with(dialogue, close_reason);
    return SERVER_EVENT_CLOSE;
}

void server_state_end_transaction(struct server_dialogue *dialogue)
{
    dialogue->recipient_count = 0;
    dialogue->was_recipient_refused = false;
    dialogue->is_smtputf8 = false;
    dialogue->is_prdr = false;
    dialogue->is_chunked = false;
    dialogue->refusal = (struct reply){ 0 };
    envelope_clear(&dialogue->mail);
    recipient_clear(&dialogue->recipient);
}
