/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands as bytes; see client_commands.h. Each is printed in place, and then
 * looked at as a whole before its CRLF is set: whatever went into it, it is one
 * line. XCLIENT is described in Postfix's XCLIENT_README.
 */
#include "smtp/client_commands.h"

#include <assert.h>
#include <string.h>

#include "smtp/command.h"

#define MAX_XCLIENT_LINE_BYTES 510 /* without CRLF */
#define MAX_XCLIENT_VALUE_BYTES 255

/* The command that starts at `start` is complete. */
static void end_command(struct text *out, size_t start)
{
    struct slice command = slice_from_offset(text_slice(out), start);

    assert(!out->is_cut);
    assert(memchr(command.data, '\r', command.length) == NULL);
    assert(memchr(command.data, '\n', command.length) == NULL);
    assert(memchr(command.data, '\0', command.length) == NULL);
    text_add(out, SLICE("\r\n"));
}

void client_print_command(struct text *out, const char *verb, struct slice argument)
{
    size_t start = out->length;

    text_add_string(out, verb);
    if (argument.length > 0) {
        text_add_byte(out, ' ');
        text_add(out, argument);
    }
    end_command(out, start);
}

static void add_parameter(struct text *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    text_add_byte(out, ' ');
    text_add_string(out, name);
    text_add_byte(out, '=');
    text_add_string(out, value);
}

static const char *body_name(enum body_type body)
{
    switch (body) {
    case BODY_7BIT:
        return "7BIT";
    case BODY_8BITMIME:
        return "8BITMIME";
    case BODY_NONE:
    case BODY_BINARYMIME:
        break;
    }
    return NULL;
}

static const char *return_name(enum dsn_return ret)
{
    switch (ret) {
    case DSN_RETURN_FULL:
        return "FULL";
    case DSN_RETURN_HEADERS:
        return "HDRS";
    case DSN_RETURN_NONE:
        break;
    }
    return NULL;
}

void client_print_mail(struct text *out, const struct envelope *sender, uint64_t size_bytes,
                       unsigned int extensions)
{
    size_t start = out->length;

    text_add(out, SLICE("MAIL FROM:<"));
    text_add(out, address_text(&sender->sender));
    text_add_byte(out, '>');
    if ((extensions & SERVER_SIZE) != 0 && size_bytes > 0)
        text_add_format(out, " SIZE=%llu", (unsigned long long)size_bytes);
    if ((extensions & SERVER_8BITMIME) != 0)
        add_parameter(out, "BODY", body_name(sender->body));
    if ((extensions & SERVER_SMTPUTF8) != 0 && sender->is_smtputf8)
        text_add(out, SLICE(" SMTPUTF8"));
    if ((extensions & SERVER_DSN) != 0) {
        add_parameter(out, "RET", return_name(sender->ret));
        add_parameter(out, "ENVID", sender->envid);
    }
    end_command(out, start);
}

static void add_notify(struct text *out, unsigned int notify)
{
    static const struct {
        enum dsn_notify bit;
        const char *name;
    } names[] = {
        { DSN_NOTIFY_NEVER, "NEVER" },
        { DSN_NOTIFY_SUCCESS, "SUCCESS" },
        { DSN_NOTIFY_FAILURE, "FAILURE" },
        { DSN_NOTIFY_DELAY, "DELAY" },
    };
    const char *separator = " NOTIFY=";

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((notify & names[i].bit) == 0)
            continue;
        text_add_string(out, separator);
        text_add_string(out, names[i].name);
        separator = ",";
    }
}

void client_print_recipient(struct text *out, const struct recipient *recipient,
                            unsigned int extensions)
{
    size_t start = out->length;

    text_add(out, SLICE("RCPT TO:<"));
    text_add(out, address_text(&recipient->address));
    text_add_byte(out, '>');
    if ((extensions & SERVER_DSN) != 0) {
        add_notify(out, recipient->notify);
        add_parameter(out, "ORCPT", recipient->orcpt);
    }
    end_command(out, start);
}

/*
 * xtext of RFC 3461 4: "+" and "=", and what is not printable or is a space, become "+HH". What
 * would make it longer than a value may be is left out.
 */
static void add_xtext(struct text *out, struct slice value)
{
    size_t max_length = out->length + MAX_XCLIENT_VALUE_BYTES;

    for (size_t i = 0; i < value.length && out->length + 3 <= max_length; i++) {
        char c = value.data[i];

        if (c > ' ' && c <= '~' && c != '+' && c != '=')
            text_add_byte(out, c);
        else
            text_add_format(out, "+%02X", (unsigned char)c);
    }
}

static void add_ip(struct text *out, const struct ip_address *address)
{
    if (!ip_is_v4(address))
        text_add(out, SLICE("IPV6:"));
    ip_print(out, address);
}

static void add_attribute(struct text *out, const struct client_identity *identity,
                          enum xclient_attribute attribute)
{
    struct slice helo = slice_from(identity->helo);

    switch (attribute) {
    case XCLIENT_ADDR:
        add_ip(out, &identity->client.address);
        return;
    case XCLIENT_PORT:
        text_add_format(out, "%u", identity->client.port);
        return;
    case XCLIENT_PROTO:
        text_add_string(out, identity->is_extended ? "ESMTP" : "SMTP");
        return;
    case XCLIENT_DESTADDR:
        add_ip(out, &identity->listener.address);
        return;
    case XCLIENT_DESTPORT:
        text_add_format(out, "%u", identity->listener.port);
        return;
    case XCLIENT_HELO:
        if (helo.length > 0) {
            add_xtext(out, helo);
            return;
        }
        break;
    case XCLIENT_NAME:
    case XCLIENT_LOGIN:
        break;
    }
    text_add(out, SLICE("[UNAVAILABLE]"));
}

void client_print_xclient(struct text *out, const struct client_identity *identity,
                          unsigned int wanted, unsigned int *next)
{
    size_t start = out->length;
    struct text part;

    text_init(&part, MAX_XCLIENT_LINE_BYTES);
    text_add(out, SLICE("XCLIENT"));
    for (; *next < XCLIENT_ATTRIBUTE_COUNT; (*next)++) {
        if ((wanted & 1u << *next) == 0)
            continue;
        text_reset(&part);
        text_add_format(&part, " %s=", xclient_attribute_name(*next));
        add_attribute(&part, identity, (enum xclient_attribute)(1u << *next));
        if (out->length - start + part.length > MAX_XCLIENT_LINE_BYTES)
            break;
        text_add(out, text_slice(&part));
    }
    text_clear(&part);
    end_command(out, start);
}

bool client_is_hello_name(const char *name)
{
    struct slice s = slice_from(name);

    for (size_t i = 0; i < s.length; i++)
        if (!ascii_is_printable(s.data[i]) || s.data[i] == ' ')
            return false;
    return s.length > 0 && s.length <= COMMAND_MAX_HELLO_BYTES;
}
