/* SPDX-License-Identifier: BSD-2-Clause */
/* The copy of a transaction that is held; see holding.h. */
#include "flow/holding.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/outcome.h"
#include "verdict/stamp.h"

/* Header values for the list of held mail are cut at this. */
#define MAX_VALUE_BYTES 500

static char *copy_string(const char *text)
{
    return text != NULL && text[0] != '\0' ? mem_copy(slice_from(text)) : NULL;
}

static char *copy_field(const struct message *message, struct slice name)
{
    const struct header_field *field = message_find_field(message, name, 0);
    struct slice value;

    if (field == NULL)
        return NULL;
    value = slice_until(message_field_value(message, field), MAX_VALUE_BYTES);
    return value.length > 0 ? mem_copy(value) : NULL;
}

static bool is_held(const struct attempt *attempt)
{
    return attempt->is_accepted && attempt->verdict.action == ACTION_QUARANTINE;
}

static void add_recipients(struct copy *copy, const struct recipients *recipients)
{
    copy->reasons = mem_new_array(recipients->count, sizeof *copy->reasons);
    copy->notes = mem_new_array(recipients->count, sizeof *copy->notes);
    for (size_t i = 0; i < recipients->count; i++) {
        const struct attempt *attempt = &recipients->attempts[i];
        size_t number = copy->envelope.recipient_count;

        if (!is_held(attempt))
            continue;
        envelope_add_recipient(&copy->envelope, &attempt->recipient);
        copy->reasons[number] = copy_string(attempt_hold_reason(attempt));
        copy->notes[number] = copy_string(attempt_hold_note(attempt));
    }
}

static void make_copy(struct copy *copy, const struct holding_order *order)
{
    const struct forward_identity *identity = order->party->identity;
    const struct facts *facts = order->facts;

    copy_init(copy);
    snprintf(copy->id, sizeof copy->id, "%s", order->id);
    copy->held_us = clock_wall_us();
    copy->is_pending = order->is_pending;
    envelope_copy_sender(&copy->envelope, order->mail);
    add_recipients(copy, order->recipients);
    copy->client = identity->client;
    copy->local = identity->listener;
    copy->helo = copy_string(identity->helo);
    copy->is_extended = identity->is_extended;
    copy->backend = copy_string(backend_config(order->backend)->name);
    copy->listener = copy_string(facts->listener);
    copy->tls_version = copy_string(facts->tls_version);
    copy->domain = copy_string(order->policy->domain);
    copy->policy = copy_string(order->policy->policy);
    copy->message_id = copy_field(facts->message, SLICE("Message-ID"));
    copy->header_from = copy_field(facts->message, SLICE("From"));
    copy->subject = copy_field(facts->message, SLICE("Subject"));
}

/* What accepted mail would have on top. Only a sole recipient is named, as there. */
static void print_stamp(struct text *out, const struct holding_order *order,
                        const struct copy *copy)
{
    const struct tag *tags[RECIPIENTS_MAX_TAGS];
    struct facts facts = *order->facts;
    struct stamp stamp = {
        .facts = &facts,
        .hostname = order->party->shared->settings.config->hostname,
        .id = order->id,
        .tls_cipher = order->party->tls_cipher,
        .is_smtputf8 = order->mail->is_smtputf8,
        .wall_us = clock_wall_us(),
        .tags = tags,
        .tag_count = recipients_collect_tags(order->recipients, ACTION_QUARANTINE, tags),
        .message = order->facts->message,
        .subject = order->subject,
    };

    facts.recipient_count = copy->envelope.recipient_count;
    facts.recipient = facts.recipient_count == 1 ? &copy->envelope.recipients[0].address : NULL;
    text_add(out, order->results);
    stamp_print(out, &stamp);
}

static void forget_copy(struct holding *holding)
{
    copy_clear(&holding->copy);
    text_clear(&holding->on_top);
}

static void on_stored(void *owner, enum hold_result result)
{
    struct holding *holding = owner;

    holding->done(holding->owner, outcome_reply_to_hold(result));
}

void holding_start(struct holding *holding, const struct holding_order *order,
                   struct intake *intake, void (*done)(void *owner, enum server_reply problem),
                   void *owner)
{
    *holding = (struct holding){
        .shared = order->party->shared,
        .intake = intake,
        .done = done,
        .owner = owner,
        .is_started = true,
        .is_pending = order->is_pending,
    };
    make_copy(&holding->copy, order);
    text_init(&holding->on_top, order->results.length + STAMP_MAX_BYTES +
                                    stamp_subject_max_bytes(order->facts->message,
                                                            order->subject));
    print_stamp(&holding->on_top, order, &holding->copy);
    intake_to_disk(intake);
    if (intake_is_settled(intake))
        holding_on_disk(holding);
}

void holding_on_disk(struct holding *holding)
{
    if (!intake_is_settled(holding->intake) || holding->hold != NULL)
        return;
    if (holding->intake->problem != REPLY_OK) {
        holding->done(holding->owner, holding->intake->problem);
        return;
    }
    holding->hold = hold_start(holding->shared->settings.keeper, &holding->copy,
                               text_slice(&holding->on_top), &holding->intake->message, on_stored,
                               holding);
    forget_copy(holding);
}

void holding_end(struct holding *holding, enum holding_end end)
{
    if (!holding->is_started)
        return;
    holding->is_started = false;
    forget_copy(holding);
    switch (end) {
    case HOLDING_KEEP:
        if (holding->is_pending)
            hold_commit(&holding->hold);
        else
            hold_forget(&holding->hold);
        break;
    case HOLDING_ERASE: hold_erase(&holding->hold); break;
    case HOLDING_LEAVE: hold_forget(&holding->hold); break;
    }
}
