/* SPDX-License-Identifier: BSD-2-Clause */
/* The envelope of one transaction; see envelope.h. */
#include "mail/envelope.h"

#include "base/memory.h"

static char *copy_string(const char *string)
{
    return string != NULL ? mem_copy(slice_from(string)) : NULL;
}

void envelope_init(struct envelope *envelope)
{
    *envelope = (struct envelope){ 0 };
}

void envelope_clear(struct envelope *envelope)
{
    for (size_t i = 0; i < envelope->recipient_count; i++)
        recipient_clear(&envelope->recipients[i]);
    mem_free(envelope->recipients);
    mem_free(envelope->envid);
    address_clear(&envelope->sender);
    envelope_init(envelope);
}

void envelope_add_recipient(struct envelope *envelope, const struct recipient *recipient)
{
    envelope->recipients = mem_grow(envelope->recipients, envelope->recipient_count,
                                    &envelope->recipient_capacity, sizeof *envelope->recipients);
    envelope->recipients[envelope->recipient_count] = (struct recipient){ 0 };
    recipient_copy(&envelope->recipients[envelope->recipient_count], recipient);
    envelope->recipient_count++;
}

void envelope_copy_sender(struct envelope *to, const struct envelope *from)
{
    envelope_clear(to);
    address_copy(&to->sender, &from->sender);
    to->has_size = from->has_size;
    to->size_bytes = from->size_bytes;
    to->body = from->body;
    to->is_smtputf8 = from->is_smtputf8;
    to->ret = from->ret;
    to->envid = copy_string(from->envid);
}

void recipient_copy(struct recipient *to, const struct recipient *from)
{
    recipient_clear(to);
    address_copy(&to->address, &from->address);
    to->notify = from->notify;
    to->orcpt = copy_string(from->orcpt);
}

void recipient_clear(struct recipient *recipient)
{
    address_clear(&recipient->address);
    mem_free(recipient->orcpt);
    *recipient = (struct recipient){ 0 };
}
