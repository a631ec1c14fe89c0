/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Envelope paths and domain names with hostile bytes. Whatever is accepted must
 * be harmless in our form, and that form must be read back as itself: a second
 * spelling of the same name would be a way round a policy.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "mail/address.h"
#include "mail/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void expect_domain_form(struct slice domain)
{
    struct text again;

    text_init(&again, DOMAIN_MAX_BYTES);
    require(domain.length > 0 && domain.length <= 253);
    for (size_t i = 0; i < domain.length; i++)
        require(ascii_is_lower(domain.data[i]) || ascii_is_digit(domain.data[i]) ||
                strchr("-_.", domain.data[i]) != NULL);
    require(domain_normalise(domain, &again) == DOMAIN_OK);
    require(slice_equals(text_slice(&again), domain));
    text_clear(&again);
}

static void expect_literal_form(struct slice literal)
{
    struct text again;

    text_init(&again, DOMAIN_MAX_BYTES);
    require(domain_normalise_literal(literal, &again));
    require(slice_equals(text_slice(&again), literal));
    text_clear(&again);
}

/* `is_again` for a path that we wrote ourselves. */
static void try_path(struct slice input, enum address_form form, bool allow_utf8, bool is_again)
{
    struct address address = { 0 };
    size_t used;
    struct slice text;
    struct text path;

    if (address_parse(input, form, allow_utf8, &address, &used) != ADDRESS_OK) {
        require(address.text == NULL && used == 0 && !is_again);
        return;
    }
    text = address_text(&address);
    require(used >= 2 && used <= input.length && used <= ADDRESS_PATH_MAX_BYTES);
    require(input.data[0] == '<' && input.data[used - 1] == '>');
    require(text.length + 2 <= ADDRESS_PATH_MAX_BYTES && utf8_is_valid(text));
    require(address.local_length <= ADDRESS_LOCAL_MAX_BYTES);
    for (size_t i = 0; i < text.length; i++)
        require(ascii_is_printable(text.data[i]) || (allow_utf8 && (text.data[i] & 0x80) != 0));
    if (address.is_literal)
        expect_literal_form(address_domain(&address));
    else if (address.domain_length > 0)
        expect_domain_form(address_domain(&address));
    else
        require(address_is_null(&address) || address_is_postmaster(&address));
    if (!is_again) {
        text_init(&path, ADDRESS_PATH_MAX_BYTES);
        text_add_byte(&path, '<');
        text_add(&path, text);
        text_add_byte(&path, '>');
        try_path(text_slice(&path), form, allow_utf8, true);
        text_clear(&path);
    }
    address_clear(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct text out;

    for (int allow_utf8 = 0; allow_utf8 < 2; allow_utf8++) {
        try_path(input, ADDRESS_REVERSE_PATH, allow_utf8, false);
        try_path(input, ADDRESS_FORWARD_PATH, allow_utf8, false);
    }

    text_init(&out, DOMAIN_MAX_BYTES);
    if (domain_normalise(input, &out) == DOMAIN_OK)
        expect_domain_form(text_slice(&out));
    else
        require(out.length == 0);
    text_reset(&out);
    if (domain_normalise_literal(input, &out))
        expect_literal_form(text_slice(&out));
    else
        require(out.length == 0);
    text_clear(&out);
    return 0;
}
