/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A string that grows up to a ceiling. What does not fit is left out and
 * `is_cut` says so: hostile input can make a text short, never large. The
 * bytes are always followed by a NUL that `length` does not count.
 */
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* The largest ceiling: what one allocation can hold, with its NUL. */
#define TEXT_MAX_LENGTH ((size_t)PTRDIFF_MAX / 2)

struct text {
    char *data;        /* heap, ours; NULL while nothing was added */
    size_t length;     /* bytes in use, terminator not counted */
    size_t capacity;   /* bytes allocated */
    size_t max_length; /* the ceiling for length, in bytes */
    bool is_cut;       /* something did not fit */
};

/* An empty text that never holds more than `max_length` bytes; at most TEXT_MAX_LENGTH of them. */
void text_init(struct text *text, size_t max_length);
/* Frees the bytes; the text is empty again and keeps its ceiling. */
void text_clear(struct text *text);
/* Empty again, with the memory kept for the next use. */
void text_reset(struct text *text);

/* `s` is no part of this same text: growing may move it. */
void text_add(struct text *text, struct slice s);
/* All of `s`, or none of it where it does not fit: then false, and the text is marked as cut. */
bool text_add_whole(struct text *text, struct slice s);
void text_add_string(struct text *text, const char *string);
void text_add_byte(struct text *text, char byte);
/* In decimal; with zeros in front up to `digits` digits (at most 20). */
void text_add_number(struct text *text, uint64_t number);
void text_add_padded(struct text *text, uint64_t number, unsigned int digits);
/* Two digits for each byte, in small letters. */
void text_add_hex(struct text *text, const uint8_t *bytes, size_t count);
/* As printf. What it prints is cut at the ceiling like everything else. */
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_add_format_list(struct text *text, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* The bytes, borrowed until the text changes. */
struct slice text_slice(const struct text *text);
/* The bytes with a NUL behind them; "" when empty. Borrowed until the text changes. */
const char *text_string(const struct text *text);

#endif
