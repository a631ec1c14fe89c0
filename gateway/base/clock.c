/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks; see clock.h. Dates are printed without strftime, whose words
 * follow the locale.
 */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static const uint64_t *test_source;

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;

    if (test_source != NULL)
        return *test_source;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

uint64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_set_source(const uint64_t *microseconds)
{
    test_source = microseconds;
}

static struct tm utc_parts(uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    return parts;
}

/* "14:03:05" */
static void print_time(struct text *out, const struct tm *parts)
{
    text_add_padded(out, (uint64_t)parts->tm_hour, 2);
    text_add_byte(out, ':');
    text_add_padded(out, (uint64_t)parts->tm_min, 2);
    text_add_byte(out, ':');
    text_add_padded(out, (uint64_t)parts->tm_sec, 2);
}

void clock_print_utc(struct text *out, uint64_t wall_us)
{
    struct tm parts = utc_parts(wall_us);

    text_add_padded(out, (uint64_t)parts.tm_year + 1900, 4);
    text_add_byte(out, '-');
    text_add_padded(out, (uint64_t)parts.tm_mon + 1, 2);
    text_add_byte(out, '-');
    text_add_padded(out, (uint64_t)parts.tm_mday, 2);
    text_add_byte(out, 'T');
    print_time(out, &parts);
    text_add_byte(out, '.');
    text_add_padded(out, wall_us / 1000 % 1000, 3);
    text_add_byte(out, 'Z');
}

void clock_print_mail_date(struct text *out, uint64_t wall_us)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm parts = utc_parts(wall_us);

    text_add_string(out, days[parts.tm_wday]);
    text_add_string(out, ", ");
    text_add_number(out, (uint64_t)parts.tm_mday);
    text_add_byte(out, ' ');
    text_add_string(out, months[parts.tm_mon]);
    text_add_byte(out, ' ');
    text_add_padded(out, (uint64_t)parts.tm_year + 1900, 4);
    text_add_byte(out, ' ');
    print_time(out, &parts);
    text_add_string(out, " +0000");
}
