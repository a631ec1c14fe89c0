/* SPDX-License-Identifier: BSD-2-Clause */
/* What an SMTP client says, and what was said already; see client_say.h. */
#include "smtp/client_say.h"

#include <inttypes.h>

bool client_has(const struct client_dialogue *dialogue, enum server_extension extension)
{
    return (dialogue->offer.extensions & extension) != 0;
}

bool client_may_say(const struct client_dialogue *dialogue)
{
    return dialogue->awaited == 0 || client_has(dialogue, SERVER_PIPELINING);
}

bool client_uses_chunking(const struct client_dialogue *dialogue)
{
    return dialogue->options->is_chunking_wanted && client_has(dialogue, SERVER_CHUNKING);
}

bool client_needs_xclient(const struct client_dialogue *dialogue)
{
    return dialogue->mail.identity != NULL && !dialogue->is_identified;
}

void client_say(struct client_dialogue *dialogue, const char *verb, const char *argument,
                struct text *out)
{
    client_print_command(out, verb, slice_from(argument));
    dialogue->awaited++;
}

void client_say_client_hello(struct client_dialogue *dialogue, struct text *out)
{
    const char *name = dialogue->mail.identity->helo;

    client_say(dialogue, "EHLO", client_is_hello_name(name) ? name : dialogue->options->hostname,
               out);
}

void client_say_xclient(struct client_dialogue *dialogue, struct text *out)
{
    client_print_xclient(out, dialogue->mail.identity, dialogue->offer.xclient,
                         &dialogue->xclient_next);
    dialogue->awaited++;
}

void client_say_reset(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->has_said_reset || !client_may_say(dialogue))
        return;
    client_say(dialogue, "RSET", NULL, out);
    dialogue->has_said_reset = true;
}

void client_say_mail(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->has_said_mail || !client_may_say(dialogue))
        return;
    client_print_mail(out, dialogue->mail.sender, dialogue->mail.size_bytes,
                      dialogue->offer.extensions);
    dialogue->awaited++;
    dialogue->has_said_mail = true;
}

void client_say_recipients(struct client_dialogue *dialogue, struct text *out)
{
    const struct envelope *to = dialogue->mail.to;

    while (dialogue->recipients_said < to->recipient_count && client_may_say(dialogue)) {
        client_print_recipient(out, &to->recipients[dialogue->recipients_said],
                               dialogue->offer.extensions);
        dialogue->awaited++;
        dialogue->recipients_said++;
    }
}

void client_say_data(struct client_dialogue *dialogue, struct text *out)
{
    if (dialogue->has_said_data || !client_may_say(dialogue))
        return;
    client_say(dialogue, "DATA", NULL, out);
    dialogue->has_said_data = true;
}

void client_say_rest(struct client_dialogue *dialogue, struct text *out)
{
    if (!client_has(dialogue, SERVER_PIPELINING))
        return;
    client_say_recipients(dialogue, out);
    if (dialogue->mail.goes_on_to_content && !client_uses_chunking(dialogue))
        client_say_data(dialogue, out);
}

void client_say_chunk(struct client_dialogue *dialogue, uint64_t bytes, bool is_last,
                      struct text *out)
{
    text_add_format(out, "BDAT %" PRIu64 "%s\r\n", bytes, is_last ? " LAST" : "");
    dialogue->awaited++;
    dialogue->chunk_left = bytes;
    dialogue->has_said_last = is_last;
}

void client_say_end(struct client_dialogue *dialogue, struct text *out)
{
    if (!dialogue->is_chunked) {
        text_add(out, data_writer_end(&dialogue->writer));
        dialogue->awaited++;
    } else if (!dialogue->has_said_last) {
        client_say_chunk(dialogue, 0, true, out);
    }
}
