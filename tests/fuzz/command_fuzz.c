/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines from hostile bytes. The first byte chooses the extensions. What
 * is taken must be fit to be written into a command to the backend: no blanks,
 * no control bytes, nothing that an extension not offered could have brought in.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/escape.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void require_word(const char *word, size_t max_bytes, bool allow_utf8)
{
    struct slice s = slice_from(word);

    if (word == NULL)
        return;
    require(s.length > 0 && s.length <= max_bytes);
    require(utf8_is_valid(s));
    for (size_t i = 0; i < s.length; i++)
        require((s.data[i] > ' ' && s.data[i] <= '~') || (allow_utf8 && (s.data[i] & 0x80) != 0));
}

static void try_mail(struct slice argument, unsigned int extensions)
{
    struct envelope mail;
    bool is_prdr;

    envelope_init(&mail);
    if (command_parse_mail(argument, extensions, &mail, &is_prdr) == COMMAND_OK) {
        require(mail.sender.text != NULL);
        require(!mail.sender.is_utf8 || mail.is_smtputf8);
        require(!mail.has_size || (extensions & SERVER_SIZE) != 0);
        require(mail.body == BODY_NONE || (extensions & SERVER_8BITMIME) != 0);
        require(mail.body != BODY_BINARYMIME);
        require(!mail.is_smtputf8 || (extensions & SERVER_SMTPUTF8) != 0);
        require(mail.ret == DSN_RETURN_NONE || (extensions & SERVER_DSN) != 0);
        require(mail.envid == NULL || (extensions & SERVER_DSN) != 0);
        require(!is_prdr || (extensions & SERVER_PRDR) != 0);
        require_word(mail.envid, COMMAND_MAX_ENVID_BYTES, false);
    }
    envelope_clear(&mail);
}

static void try_rcpt(struct slice argument, unsigned int extensions, bool allow_utf8)
{
    struct recipient recipient = { .notify = 0 };

    if (command_parse_rcpt(argument, extensions, allow_utf8, &recipient) == COMMAND_OK) {
        require(recipient.address.text != NULL && recipient.address.text[0] != '\0');
        require(!recipient.address.is_utf8 || allow_utf8);
        require((recipient.notify & DSN_NOTIFY_NEVER) == 0 || recipient.notify == DSN_NOTIFY_NEVER);
        require((recipient.notify == 0 && recipient.orcpt == NULL) ||
                (extensions & SERVER_DSN) != 0);
        require_word(recipient.orcpt, COMMAND_MAX_ORCPT_BYTES, allow_utf8);
    }
    recipient_clear(&recipient);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = { (const char *)data, size };
    unsigned int extensions = size > 0 ? data[0] | (data[0] & 1u) << 8 : 0;
    bool allow_utf8 = (extensions & SERVER_SMTPUTF8) != 0;
    struct command command;
    uint64_t chunk_bytes;
    bool is_last;

    line = slice_from_offset(line, 1);
    command = command_parse(line);
    require(command.argument.length <= line.length);
    if (!command_has_bad_bytes(&command, line, allow_utf8)) {
        try_mail(command.argument, extensions);
        try_rcpt(command.argument, extensions, allow_utf8);
    }
    if (command_parse_bdat(command.argument, &chunk_bytes, &is_last) == COMMAND_OK)
        require(chunk_bytes <= INT64_MAX);
    if (command_is_hello_name(command.argument))
        require(command.argument.length <= COMMAND_MAX_HELLO_BYTES);
    require(command_find_foreign(&command, line) == NULL || command.verb == COMMAND_UNKNOWN);
    if (size > 0)
        command_find_foreign_byte((char)data[0], is_last);
    return 0;
}
