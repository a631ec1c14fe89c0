/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers as people and protocols write them: decimal digits only, no sign, no
 * spaces, and a ceiling instead of an overflow.
 */
#ifndef POSTERN_BASE_NUMBER_H
#define POSTERN_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/* Digits only, 0 to `max`. False, with *value untouched, for anything else. */
bool number_parse(struct slice s, uint64_t max, uint64_t *value)
    __attribute__((warn_unused_result));

/* Bytes: digits and an optional K, M or G (1024 each), as in "25M". */
bool number_parse_size(struct slice s, uint64_t max_bytes, uint64_t *bytes)
    __attribute__((warn_unused_result));

/* A time: digits and a unit that must be there: ms, s, m, h or d, as in "500ms" or "2h". */
bool number_parse_duration(struct slice s, uint64_t max_ms, uint64_t *ms)
    __attribute__((warn_unused_result));

/* The shortest form that the parsers above read back. */
void number_print_size(struct text *out, uint64_t bytes);
void number_print_duration(struct text *out, uint64_t ms);

#endif
