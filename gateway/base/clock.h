/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks. Waiting and measuring use the monotonic one; what people
 * read uses the wall clock. Unit tests put a source of their own in place.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

#include "base/text.h"

/* Never goes back; its zero means nothing. */
uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ms(void);
/* Microseconds since 1970-01-01T00:00:00Z. */
uint64_t clock_wall_us(void);

/* For unit tests: both clocks read `*microseconds` from now on; NULL gives the real ones back. */
void clock_set_source(const uint64_t *microseconds);

/* "2026-11-22T14:03:05.123Z" (RFC 3339, UTC, milliseconds). */
void clock_print_utc(struct text *out, uint64_t wall_us);
/* "Sun, 22 Nov 2026 14:03:05 +0000" (RFC 5322 3.3), in UTC whatever the system's zone. */
void clock_print_mail_date(struct text *out, uint64_t wall_us);

#endif
