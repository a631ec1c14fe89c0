/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slice is a borrowed run of bytes: a pointer and a length, not terminated,
 * any byte allowed. It owns nothing and is passed by value. All case folding
 * here is ASCII only, and nothing depends on the locale.
 */
#ifndef POSTERN_BASE_SLICE_H
#define POSTERN_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct slice {
    const char *data; /* NULL only when length is 0 */
    size_t length;    /* bytes */
};

/* A slice of a string literal, without its terminator; also as initialiser. */
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_EMPTY ((struct slice){ NULL, 0 })
/* For printf: "%.*s". */
#define SLICE_ARGS(s) ((int)(s).length), ((s).length > 0 ? (s).data : "")

/* The bytes of a C string; NULL gives the empty slice. */
struct slice slice_from(const char *text);

/* Byte for byte; the `nocase` forms take A to Z for a to z. Everything begins with "". */
bool slice_equals(struct slice a, struct slice b);
bool slice_equals_nocase(struct slice a, struct slice b);
bool slice_has_prefix(struct slice s, struct slice prefix);
bool slice_has_prefix_nocase(struct slice s, struct slice prefix);

/* The part from `start` on, and the part before `end`; out of range is cut to fit. */
struct slice slice_from_offset(struct slice s, size_t start);
struct slice slice_until(struct slice s, size_t end);

/* True and the position of the first `byte`; false when there is none. */
bool slice_find_byte(struct slice s, char byte, size_t *position);
bool slice_find_last_byte(struct slice s, char byte, size_t *position);

/* Without leading and trailing SP, HTAB, CR and LF. */
struct slice slice_trim(struct slice s);

/*
 * Cuts the next word off `*rest`: bytes up to `separator`, which is dropped.
 * False when `*rest` was empty. "a,,b" gives "a", "", "b".
 */
bool slice_next(struct slice *rest, char separator, struct slice *word);

/* ASCII classes that take any char safely. */
static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool ascii_is_lower(char c) { return c >= 'a' && c <= 'z'; }
static inline bool ascii_is_alpha(char c) { return ascii_is_upper(c) || ascii_is_lower(c); }
static inline bool ascii_is_alnum(char c) { return ascii_is_alpha(c) || ascii_is_digit(c); }
static inline bool ascii_is_blank(char c) { return c == ' ' || c == '\t'; }
/* Space to tilde. */
static inline bool ascii_is_printable(char c) { return c >= ' ' && c <= '~'; }
static inline char ascii_lower(char c) { return ascii_is_upper(c) ? (char)(c + ('a' - 'A')) : c; }
/* 0 to 15, or -1 when `c` is no hexadecimal digit. */
static inline int ascii_hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
