/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP addresses and prefixes. An IPv4 address is held as its IPv4-mapped IPv6
 * form (RFC 4291 2.5.5.2), so that a client reads the same whichever socket it
 * came through.
 */
#ifndef POSTERN_BASE_IP_H
#define POSTERN_BASE_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "base/text.h"

struct ip_address {
    uint8_t bytes[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
};

struct ip_prefix {
    struct ip_address address; /* bits past `length` are zero */
    unsigned int length;       /* 0 to 128; an IPv4 /24 is 120 here */
};

struct ip_endpoint {
    struct ip_address address;
    uint16_t port; /* host order */
};

/* Dotted quad or RFC 4291 text, no brackets, no zone. */
bool ip_parse(struct slice s, struct ip_address *address) __attribute__((warn_unused_result));
/* "a.b.c.d", or the short form of RFC 5952. */
void ip_print(struct text *out, const struct ip_address *address);
/* An address literal (RFC 5321 4.1.3): [192.0.2.1], [IPv6:2001:db8::1]. */
void ip_print_literal(struct text *out, const struct ip_address *address);
bool ip_is_v4(const struct ip_address *address);
bool ip_equals(const struct ip_address *a, const struct ip_address *b);
/* 127.0.0.0/8 and ::1. */
bool ip_is_loopback(const struct ip_address *address);
/* 0.0.0.0 and ::, which stand for every address of their family. */
bool ip_is_unspecified(const struct ip_address *address);

/*
 * "192.0.2.0/24", "2001:db8::/32" or a bare address. Bits set past the length
 * are an error, since the writer meant something else.
 */
bool ip_prefix_parse(struct slice s, struct ip_prefix *prefix) __attribute__((warn_unused_result));
void ip_prefix_print(struct text *out, const struct ip_prefix *prefix);
/* Only addresses of the prefix's own family: ::/0 is all of IPv6 and no IPv4 address. */
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);
bool ip_prefix_is_v4(const struct ip_prefix *prefix);

/* "192.0.2.1:25", "[2001:db8::1]:25". Port 0 is allowed: the system picks one. */
bool ip_endpoint_parse(struct slice s, struct ip_endpoint *endpoint)
    __attribute__((warn_unused_result));
void ip_endpoint_print(struct text *out, const struct ip_endpoint *endpoint);
bool ip_endpoint_equals(const struct ip_endpoint *a, const struct ip_endpoint *b);

/* From and to the system's form. IPv4 becomes sockaddr_in, all else sockaddr_in6. */
bool ip_endpoint_from_sockaddr(const struct sockaddr *socket_address, struct ip_endpoint *endpoint);
socklen_t ip_endpoint_to_sockaddr(const struct ip_endpoint *endpoint,
                                  struct sockaddr_storage *socket_address);

#endif
