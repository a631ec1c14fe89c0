/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers with units and ceilings; see number.h. */
#include "base/number.h"

#include <inttypes.h>

struct unit {
    struct slice name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    { { "G", 1 }, 1ull << 30 }, { { "M", 1 }, 1ull << 20 }, { { "K", 1 }, 1ull << 10 },
};
static const struct unit duration_units[] = {
    { { "d", 1 }, 86400000 }, { { "h", 1 }, 3600000 }, { { "m", 1 }, 60000 },
    { { "s", 1 }, 1000 },     { { "ms", 2 }, 1 },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool number_parse(struct slice s, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    if (s.length == 0)
        return false;
    for (size_t i = 0; i < s.length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.data[i] - '0';

        if (!ascii_is_digit(s.data[i]) || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum) || sum > max)
            return false;
    }
    *value = sum;
    return true;
}

static bool parse_with_unit(struct slice s, const struct unit *units, size_t unit_count,
                            bool unit_required, uint64_t max, uint64_t *value)
{
    size_t digits = 0;
    struct slice name;
    uint64_t factor = unit_required ? 0 : 1;
    uint64_t count;

    while (digits < s.length && ascii_is_digit(s.data[digits]))
        digits++;
    name = slice_from_offset(s, digits);
    for (size_t i = 0; i < unit_count && name.length > 0; i++) {
        factor = slice_equals_nocase(name, units[i].name) ? units[i].factor : 0;
        if (factor > 0)
            break;
    }
    if (factor == 0 || !number_parse(slice_until(s, digits), max / factor, &count))
        return false;
    *value = count * factor;
    return true;
}

bool number_parse_size(struct slice s, uint64_t max_bytes, uint64_t *bytes)
{
    return parse_with_unit(s, size_units, COUNT(size_units), false, max_bytes, bytes);
}

bool number_parse_duration(struct slice s, uint64_t max_ms, uint64_t *ms)
{
    return parse_with_unit(s, duration_units, COUNT(duration_units), true, max_ms, ms);
}

static void print_with_unit(struct text *out, const struct unit *units, size_t unit_count,
                            uint64_t value)
{
    for (size_t i = 0; i < unit_count; i++) {
        if (value > 0 && value % units[i].factor == 0) {
            text_add_format(out, "%" PRIu64 "%s", value / units[i].factor, units[i].name.data);
            return;
        }
    }
    text_add_format(out, "%" PRIu64, value);
}

void number_print_size(struct text *out, uint64_t bytes)
{
    print_with_unit(out, size_units, COUNT(size_units), bytes);
}

void number_print_duration(struct text *out, uint64_t ms)
{
    if (ms == 0)
        text_add_string(out, "0s");
    else
        print_with_unit(out, duration_units, COUNT(duration_units), ms);
}
