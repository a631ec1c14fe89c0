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

void clock_print_utc(struct text *out, uint64_t wall_us)
{
    struct tm parts = utc_parts(wall_us);

    text_add_format(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                    (int)(wall_us / 1000 % 1000));
}

void clock_print_mail_date(struct text *out, uint64_t wall_us)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm parts = utc_parts(wall_us);

    text_add_format(out, "%s, %d %s %04d %02d:%02d:%02d +0000", days[parts.tm_wday], parts.tm_mday,
                    months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                    parts.tm_sec);
}
