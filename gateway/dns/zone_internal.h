/* SPDX-License-Identifier: BSD-2-Clause */
/* What the reader of zone files puts in; for zone.c and zone_parser.c alone. */
#ifndef POSTERN_DNS_ZONE_INTERNAL_H
#define POSTERN_DNS_ZONE_INTERNAL_H

#include "dns/zone.h"

/* The name is in the file, and so are those above it. In the one form; empty for the root. */
void zone_add_name(struct zone *zone, struct slice name);
/* Its bytes are copied. False, and nothing added: an alias would stand beside other records. */
bool zone_add_record(struct zone *zone, struct slice name, enum dns_type type, uint32_t ttl_s,
                     const struct dns_record *record) __attribute__((warn_unused_result));
/* Asked for this type, the name's answer is a failure; for every type when `is_all`. */
void zone_add_failure(struct zone *zone, struct slice name, enum dns_type type, bool is_all);

/* Reads the file into an empty zone; false and a problem. */
bool zone_parse(struct zone *zone, struct slice bytes, struct zone_problem *problem)
    __attribute__((warn_unused_result));

#endif
