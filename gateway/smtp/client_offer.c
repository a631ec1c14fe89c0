/* SPDX-License-Identifier: BSD-2-Clause */
/* The reply to EHLO; see client_offer.h. */
#include "smtp/client_offer.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/number.h"
#include "smtp/command.h"

static const struct {
    struct slice keyword;
    enum server_extension extension;
} extensions[] = {
    { { "PIPELINING", 10 }, SERVER_PIPELINING },
    { { "SIZE", 4 }, SERVER_SIZE },
    { { "8BITMIME", 8 }, SERVER_8BITMIME },
    { { "SMTPUTF8", 8 }, SERVER_SMTPUTF8 },
    { { "DSN", 3 }, SERVER_DSN },
    { { "ENHANCEDSTATUSCODES", 19 }, SERVER_ENHANCEDSTATUSCODES },
    { { "CHUNKING", 8 }, SERVER_CHUNKING },
    { { "STARTTLS", 8 }, SERVER_STARTTLS },
    { { "PRDR", 4 }, SERVER_PRDR },
};

static const char *const attribute_names[XCLIENT_ATTRIBUTE_COUNT] = {
    "NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT",
};

const char *xclient_attribute_name(unsigned int index)
{
    return attribute_names[index];
}

static bool equals_nocase(struct slice a, struct slice b)
{
    return a.length == b.length && slice_has_prefix_nocase(a, b);
}

static void parse_xclient(struct client_offer *offer, struct slice words)
{
    struct slice word;

    while (slice_next(&words, ' ', &word))
        for (unsigned int i = 0; i < XCLIENT_ATTRIBUTE_COUNT; i++)
            if (equals_nocase(word, slice_from(attribute_names[i])))
                offer->xclient |= 1u << i;
}

static void parse_line(struct client_offer *offer, struct slice line)
{
    struct slice rest = slice_trim(line);
    struct slice keyword;

    if (!slice_next(&rest, ' ', &keyword))
        return;
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (equals_nocase(keyword, extensions[i].keyword))
            offer->extensions |= extensions[i].extension;
    if (equals_nocase(keyword, SLICE("SIZE")) &&
        !number_parse(slice_trim(rest), UINT64_MAX, &offer->max_size_bytes))
        offer->max_size_bytes = 0;
    if (equals_nocase(keyword, SLICE("XCLIENT")))
        parse_xclient(offer, rest);
}

void client_offer_parse(struct client_offer *offer, struct slice lines)
{
    struct slice line;

    *offer = (struct client_offer){ 0 };
    (void)slice_next(&lines, '\n', &line);
    while (slice_next(&lines, '\n', &line))
        parse_line(offer, line);
}
