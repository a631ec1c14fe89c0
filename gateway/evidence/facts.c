/* SPDX-License-Identifier: BSD-2-Clause */
/* What a check or a rule may know, and when; see facts.h. */
#include "evidence/facts.h"

#include "base/memory.h"

const char *phase_name(enum phase phase)
{
    static const char *const names[PHASE_COUNT] = {
        [PHASE_CONNECT] = "connect", [PHASE_HELO] = "helo", [PHASE_MAIL] = "mail",
        [PHASE_RCPT] = "rcpt",       [PHASE_DATA] = "data", [PHASE_MESSAGE] = "message",
    };

    return names[phase];
}

/* Moves what fits under the ceiling; what does not makes the list malformed, as in one field. */
static void move_mailboxes(struct mailbox_list *to, struct mailbox_list *from)
{
    size_t moved = 0;

    while (moved < from->count && to->count < MAILBOX_MAX_COUNT) {
        to->mailboxes = mem_grow(to->mailboxes, to->count, &to->capacity, sizeof *to->mailboxes);
        to->mailboxes[to->count++] = from->mailboxes[moved];
        from->mailboxes[moved++] = (struct mailbox){ NULL, NULL };
    }
    if (moved < from->count || from->is_malformed)
        to->is_malformed = true;
}

void facts_parse_from(struct mailbox_list *list, const struct message *message)
{
    *list = (struct mailbox_list){ 0 };
    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];
        struct mailbox_list one = { 0 };

        if (!slice_equals_nocase(message_field_name(message, field), SLICE("From")))
            continue;
        mailbox_list_parse(&one, message_field_value(message, field));
        move_mailboxes(list, &one);
        mailbox_list_clear(&one);
    }
}
