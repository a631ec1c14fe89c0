/* SPDX-License-Identifier: BSD-2-Clause */
/* Borrowed runs of bytes; see slice.h. */
#include "base/slice.h"

#include <string.h>

struct slice slice_from(const char *text)
{
    return (struct slice){ text, text != NULL ? strlen(text) : 0 };
}

bool slice_equals(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool slice_equals_nocase(struct slice a, struct slice b)
{
    return a.length == b.length && slice_has_prefix_nocase(a, b);
}

bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return slice_equals(slice_until(s, prefix.length), prefix);
}

bool slice_has_prefix_nocase(struct slice s, struct slice prefix)
{
    if (s.length < prefix.length)
        return false;
    for (size_t i = 0; i < prefix.length; i++)
        if (ascii_lower(s.data[i]) != ascii_lower(prefix.data[i]))
            return false;
    return true;
}

struct slice slice_from_offset(struct slice s, size_t start)
{
    if (start >= s.length)
        return SLICE_EMPTY;
    return (struct slice){ s.data + start, s.length - start };
}

struct slice slice_until(struct slice s, size_t end)
{
    return (struct slice){ s.data, end < s.length ? end : s.length };
}

bool slice_find_byte(struct slice s, char byte, size_t *position)
{
    const char *found = s.length > 0 ? memchr(s.data, byte, s.length) : NULL;

    if (found == NULL)
        return false;
    *position = (size_t)(found - s.data);
    return true;
}

bool slice_find_last_byte(struct slice s, char byte, size_t *position)
{
    const char *found = s.length > 0 ? memrchr(s.data, byte, s.length) : NULL;

    if (found == NULL)
        return false;
    *position = (size_t)(found - s.data);
    return true;
}

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.length > 0 && is_space(s.data[0]))
        s = slice_from_offset(s, 1);
    while (s.length > 0 && is_space(s.data[s.length - 1]))
        s.length--;
    return s;
}

bool slice_next(struct slice *rest, char separator, struct slice *word)
{
    size_t end;

    if (rest->length == 0)
        return false;
    if (!slice_find_byte(*rest, separator, &end))
        end = rest->length;
    *word = slice_until(*rest, end);
    *rest = slice_from_offset(*rest, end + 1);
    return true;
}
