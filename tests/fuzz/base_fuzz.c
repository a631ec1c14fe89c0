/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/ with hostile bytes: every parser and every escape. What is printed must
 * be harmless, and what was read and printed must be read back as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/ip.h"
#include "base/number.h"
#include "base/slice.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

typedef void (*escape_fn)(struct text *out, struct slice bytes);

/* Under any ceiling: printable ASCII only, and quotes that are opened are closed. */
static void try_escape(escape_fn escape, struct slice input, size_t ceiling, bool keeps_utf8)
{
    struct text out;
    struct slice got;

    text_init(&out, ceiling);
    escape(&out, input);
    got = text_slice(&out);
    require(got.length <= ceiling);
    require(utf8_is_valid(got));
    for (size_t i = 0; i < got.length; i++)
        require(ascii_is_printable(got.data[i]) || (keeps_utf8 && (got.data[i] & 0x80) != 0));
    if (got.length > 0 && got.data[0] == '"' && escape != escape_add_ascii) {
        size_t i = 1;

        while (i < got.length && got.data[i] != '"')
            i += got.data[i] == '\\' ? 2 : 1;
        require(i + 1 == got.length);
    }
    text_clear(&out);
}

static void try_addresses(struct slice input)
{
    struct text out;
    struct ip_address address, address_again;
    struct ip_prefix prefix, prefix_again;
    struct ip_endpoint endpoint, endpoint_again;

    text_init(&out, 100);
    if (ip_parse(input, &address)) {
        ip_print(&out, &address);
        require(ip_parse(text_slice(&out), &address_again) && ip_equals(&address, &address_again));
        text_reset(&out);
    }
    if (ip_prefix_parse(input, &prefix)) {
        require(ip_prefix_contains(&prefix, &prefix.address));
        ip_prefix_print(&out, &prefix);
        require(ip_prefix_parse(text_slice(&out), &prefix_again) &&
                prefix.length == prefix_again.length &&
                ip_equals(&prefix.address, &prefix_again.address));
        text_reset(&out);
    }
    if (ip_endpoint_parse(input, &endpoint)) {
        ip_endpoint_print(&out, &endpoint);
        require(ip_endpoint_parse(text_slice(&out), &endpoint_again) &&
                ip_endpoint_equals(&endpoint, &endpoint_again));
    }
    text_clear(&out);
}

static void try_numbers(struct slice input)
{
    struct text out;
    uint64_t value, again;

    text_init(&out, 100);
    if (number_parse(input, UINT64_MAX, &value) && value > 0)
        require(!number_parse(input, value - 1, &again));
    if (number_parse_size(input, UINT64_MAX, &value)) {
        number_print_size(&out, value);
        require(number_parse_size(text_slice(&out), value, &again) && again == value);
        text_reset(&out);
    }
    if (number_parse_duration(input, UINT64_MAX, &value)) {
        number_print_duration(&out, value);
        require(number_parse_duration(text_slice(&out), value, &again) && again == value);
    }
    text_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    size_t ceiling = size > 0 ? data[0] : 0;

    try_addresses(input);
    try_numbers(input);
    try_escape(escape_add_ascii, input, ceiling, false);
    try_escape(escape_add_logfmt, input, ceiling, false);
    try_escape(escape_add_json, input, ceiling, true);
    try_escape(escape_add_json, input, size * 6 + 2, true);
    return 0;
}
