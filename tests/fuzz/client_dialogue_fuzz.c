/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile server against the client dialogue. The first byte chooses what the
 * owner wants; "|" stands between the server's packets, since what comes along with
 * a reply is judged by that. Whatever is answered: every command is one clean
 * line, content behind DATA goes out only after a 354 and behind BDAT only after
 * every reply to the envelope, success is told only for a 2xx behind the dot or
 * LAST.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"
#include "smtp/client_dialogue.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

struct owner {
    struct client_options options;
    struct client_dialogue dialogue;
    struct envelope envelope;
    struct client_identity identity;
    struct client_mail mail;
    struct text out;
    bool resets_after_recipient;
    bool is_long;             /* more than goes out in one go */
    bool is_slow;             /* the next reply is heard before the end of the content */
    bool has_dot_gone;
};

static void add_recipient(struct envelope *envelope, struct slice path)
{
    struct recipient recipient = { 0 };
    size_t used;

    require(address_parse(path, ADDRESS_FORWARD_PATH, true, &recipient.address, &used)
            == ADDRESS_OK);
    envelope_add_recipient(envelope, &recipient);
    recipient_clear(&recipient);
}

static void owner_init(struct owner *owner, unsigned int wishes)
{
    *owner = (struct owner){
        .options = { .hostname = "gw.example.org", .is_chunking_wanted = true },
    };
    owner->options.tls = (enum client_tls)(wishes % 3);
    owner->options.is_xclient_needed = (wishes & 4) != 0;
    owner->identity.helo = "c\r\nd e=";
    envelope_init(&owner->envelope);
    add_recipient(&owner->envelope, SLICE("<a@b.example>"));
    address_copy(&owner->envelope.sender, &owner->envelope.recipients[0].address);
    add_recipient(&owner->envelope, SLICE("<c@d.example>"));
    owner->envelope.body = (wishes & 8) != 0 ? BODY_8BITMIME : BODY_NONE;
    owner->mail = (struct client_mail){
        .sender = &owner->envelope,
        .to = &owner->envelope,
        .identity = owner->options.is_xclient_needed ? &owner->identity : NULL,
        .goes_on_to_content = (wishes & 16) != 0,
    };
    owner->resets_after_recipient = (wishes & 32) != 0;
    owner->is_long = (wishes & 64) != 0;
    owner->is_slow = (wishes & 128) != 0;
    text_init(&owner->out, TEXT_MAX_LENGTH);
    client_dialogue_init(&owner->dialogue, &owner->options, false);
}

static void start_mail(struct owner *owner)
{
    owner->has_dot_gone = false;
    (void)client_dialogue_start_mail(&owner->dialogue, &owner->mail, &owner->out);
}

static void end_content(struct owner *owner)
{
    struct slice content = SLICE(".\r\n");

    while (content.length > 0)
        text_add(&owner->out, client_dialogue_take_content(&owner->dialogue, &content));
    owner->has_dot_gone = true;
    client_dialogue_end_content(&owner->dialogue, &owner->out);
}

static void on_go_ahead(struct owner *owner)
{
    struct client_dialogue *dialogue = &owner->dialogue;

    require(dialogue->awaited == 0 && dialogue->is_mail_accepted);
    if (dialogue->is_chunked)
        client_dialogue_start_chunk(dialogue, strlen(".\r\n"), !owner->is_long, &owner->out);
    else
        require(dialogue->replies.code == 354);
    if (!owner->is_slow)
        end_content(owner);
}

static void on_recipient(struct owner *owner)
{
    struct client_dialogue *dialogue = &owner->dialogue;

    if (owner->resets_after_recipient && client_dialogue_can_reset(dialogue))
        client_dialogue_reset(dialogue, &owner->out);
    else if (dialogue->state == CLIENT_STATE_ENVELOPE
             && client_dialogue_start_content(dialogue, !owner->is_long, &owner->out)
                    == CLIENT_EVENT_GO_AHEAD)
        on_go_ahead(owner);
}

/* No command holds a CR or LF of its own. */
static void check_out(struct owner *owner)
{
    struct slice rest = text_slice(&owner->out);
    struct slice line;

    while (slice_next(&rest, '\n', &line)) {
        require(line.length > 0 && line.data[line.length - 1] == '\r');
        require(memchr(line.data, '\r', line.length - 1) == NULL);
        require(memchr(line.data, '\0', line.length) == NULL);
        require(line.length <= 1000);
    }
    text_reset(&owner->out);
}

static void on_event(struct owner *owner, enum client_event event)
{
    struct client_dialogue *dialogue = &owner->dialogue;

    switch (event) {
    case CLIENT_EVENT_START_TLS:
        client_dialogue_on_secured(dialogue, &owner->out);
        break;
    case CLIENT_EVENT_READY:
        require(owner->options.tls != CLIENT_TLS_REQUIRED || dialogue->is_secured);
        start_mail(owner);
        break;
    case CLIENT_EVENT_RECIPIENT:
        on_recipient(owner);
        break;
    case CLIENT_EVENT_GO_AHEAD:
        on_go_ahead(owner);
        break;
    case CLIENT_EVENT_OUTCOME:
        require(owner->has_dot_gone && dialogue->is_mail_accepted);
        require(dialogue->awaited == 0 || dialogue->replies.code >= 400);
        if (dialogue->state == CLIENT_STATE_READY)
            start_mail(owner);
        else if (client_dialogue_can_reset(dialogue))
            client_dialogue_reset(dialogue, &owner->out);
        break;
    case CLIENT_EVENT_REFUSED:
        require(dialogue->replies.code >= 400);
        if (client_dialogue_can_reset(dialogue))
            start_mail(owner);
        break;
    case CLIENT_EVENT_FAILED:
        require(dialogue->state == CLIENT_STATE_OVER);
        require(client_dialogue_failure_text(dialogue)[0] != '\0');
        break;
    case CLIENT_EVENT_LACKS:
    case CLIENT_EVENT_NEED_INPUT:
        break;
    }
    check_out(owner);
}

/* One packet, event by event. */
static void feed_packet(struct owner *owner, struct slice packet)
{
    while (packet.length > 0) {
        size_t used;
        enum client_event event =
            client_dialogue_feed(&owner->dialogue, packet, &used, &owner->out);

        require(used > 0);
        packet = slice_from_offset(packet, used);
        on_event(owner, event);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct slice packet;
    struct owner owner;

    owner_init(&owner, size > 0 ? data[0] : 0);
    input = slice_from_offset(input, 1);
    while (slice_next(&input, '|', &packet))
        feed_packet(&owner, packet);
    client_dialogue_quit(&owner.dialogue, &owner.out);
    check_out(&owner);
    client_dialogue_clear(&owner.dialogue);
    envelope_clear(&owner.envelope);
    text_clear(&owner.out);
    return 0;
}
