/* SPDX-License-Identifier: BSD-2-Clause */
/* IP addresses and prefixes; see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/number.h"

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool ip_is_v4(const struct ip_address *address)
{
    return memcmp(address->bytes, v4_mapped, sizeof v4_mapped) == 0;
}

bool ip_equals(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool ip_is_loopback(const struct ip_address *address)
{
    static const struct ip_address v6_loopback = { { [15] = 1 } };

    return ip_is_v4(address) ? address->bytes[12] == 127 : ip_equals(address, &v6_loopback);
}

bool ip_is_unspecified(const struct ip_address *address)
{
    static const struct ip_address v4_any = { { [10] = 0xff, [11] = 0xff } };
    static const struct ip_address v6_any;

    return ip_equals(address, &v4_any) || ip_equals(address, &v6_any);
}

bool ip_parse(struct slice s, struct ip_address *address)
{
    char text[INET6_ADDRSTRLEN];

    if (s.length >= sizeof text || s.length == 0 || memchr(s.data, '\0', s.length) != NULL)
        return false;
    memcpy(text, s.data, s.length);
    text[s.length] = '\0';
    memcpy(address->bytes, v4_mapped, sizeof v4_mapped);
    if (inet_pton(AF_INET, text, address->bytes + sizeof v4_mapped) == 1)
        return true;
    return inet_pton(AF_INET6, text, address->bytes) == 1;
}

void ip_print(struct text *out, const struct ip_address *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (!ip_is_v4(address)) {
        inet_ntop(AF_INET6, address->bytes, text, sizeof text);
        text_add_string(out, text);
        return;
    }
    /* By hand: every line of the log has one, and inet_ntop goes by way of printf. */
    for (size_t i = sizeof v4_mapped; i < sizeof address->bytes; i++) {
        if (i > sizeof v4_mapped)
            text_add_byte(out, '.');
        text_add_number(out, address->bytes[i]);
    }
}

void ip_print_literal(struct text *out, const struct ip_address *address)
{
    text_add_string(out, ip_is_v4(address) ? "[" : "[IPv6:");
    ip_print(out, address);
    text_add_byte(out, ']');
}

static bool bit_is_set(const struct ip_address *address, unsigned int bit)
{
    return (address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

bool ip_prefix_parse(struct slice s, struct ip_prefix *prefix)
{
    size_t slash;
    uint64_t length;
    unsigned int v4_offset;

    if (!slice_find_byte(s, '/', &slash)) {
        prefix->length = 128;
        return ip_parse(s, &prefix->address);
    }
    if (!ip_parse(slice_until(s, slash), &prefix->address))
        return false;
    v4_offset = ip_is_v4(&prefix->address) ? 96 : 0;
    if (!number_parse(slice_from_offset(s, slash + 1), 128 - v4_offset, &length))
        return false;
    prefix->length = (unsigned int)length + v4_offset;
    for (unsigned int bit = prefix->length; bit < 128; bit++)
        if (bit_is_set(&prefix->address, bit))
            return false;
    return true;
}

bool ip_prefix_is_v4(const struct ip_prefix *prefix)
{
    return prefix->length >= 96 && ip_is_v4(&prefix->address);
}

void ip_prefix_print(struct text *out, const struct ip_prefix *prefix)
{
    ip_print(out, &prefix->address);
    if (prefix->length < 128)
        text_add_format(out, "/%u", ip_prefix_is_v4(prefix) ? prefix->length - 96 : prefix->length);
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address)
{
    unsigned int whole = prefix->length / 8;
    unsigned int rest = prefix->length % 8;

    if (ip_prefix_is_v4(prefix) != ip_is_v4(address) ||
        memcmp(prefix->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

bool ip_endpoint_parse(struct slice s, struct ip_endpoint *endpoint)
{
    bool is_bracketed = s.length > 0 && s.data[0] == '[';
    size_t end;
    uint64_t port;

    if (!slice_find_last_byte(s, ':', &end) ||
        !number_parse(slice_from_offset(s, end + 1), UINT16_MAX, &port))
        return false;
    endpoint->port = (uint16_t)port;
    s = slice_until(s, end);
    if (is_bracketed) {
        if (s.data[s.length - 1] != ']')
            return false;
        s = slice_from_offset(slice_until(s, s.length - 1), 1);
    }
    return ip_parse(s, &endpoint->address) && is_bracketed != ip_is_v4(&endpoint->address);
}

void ip_endpoint_print(struct text *out, const struct ip_endpoint *endpoint)
{
    bool is_v4 = ip_is_v4(&endpoint->address);

    if (!is_v4)
        text_add_byte(out, '[');
    ip_print(out, &endpoint->address);
    text_add_string(out, is_v4 ? ":" : "]:");
    text_add_number(out, endpoint->port);
}

bool ip_endpoint_equals(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && ip_equals(&a->address, &b->address);
}

bool ip_endpoint_from_sockaddr(const struct sockaddr *socket_address, struct ip_endpoint *endpoint)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (socket_address->sa_family == AF_INET) {
        memcpy(&v4, socket_address, sizeof v4);
        memcpy(endpoint->address.bytes, v4_mapped, sizeof v4_mapped);
        memcpy(endpoint->address.bytes + sizeof v4_mapped, &v4.sin_addr, 4);
        endpoint->port = ntohs(v4.sin_port);
        return true;
    }
    if (socket_address->sa_family == AF_INET6) {
        memcpy(&v6, socket_address, sizeof v6);
        memcpy(endpoint->address.bytes, &v6.sin6_addr, 16);
        endpoint->port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

socklen_t ip_endpoint_to_sockaddr(const struct ip_endpoint *endpoint,
                                  struct sockaddr_storage *socket_address)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(endpoint->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(endpoint->port) };

    memset(socket_address, 0, sizeof *socket_address);
    if (ip_is_v4(&endpoint->address)) {
        memcpy(&v4.sin_addr, endpoint->address.bytes + sizeof v4_mapped, 4);
        memcpy(socket_address, &v4, sizeof v4);
        return sizeof v4;
    }
    memcpy(&v6.sin6_addr, endpoint->address.bytes, 16);
    memcpy(socket_address, &v6, sizeof v6);
    return sizeof v6;
}
