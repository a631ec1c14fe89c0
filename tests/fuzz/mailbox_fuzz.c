/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From fields with hostile bytes. Whatever address comes out must be clean, its
 * domain in the one form, and be read back as itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "mail/domain.h"
#include "mail/mailbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void expect_clean(const struct mailbox *mailbox)
{
    struct slice address = slice_from(mailbox->address);
    struct slice domain = slice_from(mailbox->domain);
    struct mailbox_list again;
    struct text form;

    require(address.length <= MAILBOX_MAX_BYTES && utf8_is_valid(address));
    require(mailbox->domain > mailbox->address + 1 && mailbox->domain[-1] == '@');
    for (size_t i = 0; i < address.length; i++)
        require(ascii_is_printable(address.data[i]) || address.data[i] == '\t' ||
                (address.data[i] & 0x80) != 0);

    text_init(&form, DOMAIN_MAX_BYTES);
    require(domain.data[0] == '[' ? domain_normalise_literal(domain, &form)
                                  : domain_normalise(domain, &form) == DOMAIN_OK);
    require(slice_equals(text_slice(&form), domain));
    text_clear(&form);

    mailbox_list_parse(&again, address);
    require(again.count == 1 && !again.is_malformed);
    require(slice_equals(slice_from(again.mailboxes[0].address), address));
    mailbox_list_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mailbox_list list;

    mailbox_list_parse(&list, (struct slice){ (const char *)data, size });
    require(list.count <= MAILBOX_MAX_COUNT);
    for (size_t i = 0; i < list.count; i++)
        expect_clean(&list.mailboxes[i]);
    mailbox_list_clear(&list);
    return 0;
}
