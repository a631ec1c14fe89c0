/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program says about itself; see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/text.h"

#define MAX_MESSAGE_BYTES 2000

static void write_to_stderr(void *owner, enum log_level level, const char *event,
                            struct slice message);

static log_sink_fn current_sink = write_to_stderr;
static void *sink_owner;
static enum log_level highest_level = LOG_LEVEL_NOTICE;

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = { "error", "warning", "notice", "debug" };

    return names[level];
}

static void write_to_stderr(void *owner, enum log_level level, const char *event,
                            struct slice message)
{
    struct text line;

    (void)owner;
    text_init(&line, MAX_MESSAGE_BYTES * 2);
    text_add_string(&line, "ts=");
    clock_print_utc(&line, clock_wall_us());
    text_add_format(&line, " v=%d event=%s level=%s text=\"%.*s\"\n", LOG_VERSION, event,
                    log_level_name(level), SLICE_ARGS(message));
    fputs(text_string(&line), stderr);
    text_clear(&line);
}

void log_set_sink(log_sink_fn sink, void *owner)
{
    current_sink = sink != NULL ? sink : write_to_stderr;
    sink_owner = owner;
}

void log_set_level(enum log_level level)
{
    highest_level = level;
}

static void log_list(enum log_level level, const char *event, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void log_list(enum log_level level, const char *event, const char *format, va_list arguments)
{
    struct text raw;
    struct text message;

    if (level > highest_level)
        return;
    text_init(&raw, MAX_MESSAGE_BYTES);
    text_init(&message, MAX_MESSAGE_BYTES);
    text_add_format_list(&raw, format, arguments);
    escape_add_ascii(&message, text_slice(&raw));
    current_sink(sink_owner, level, event, text_slice(&message));
    text_clear(&raw);
    text_clear(&message);
}

/* Four doors to one room: a macro would hide the va_list, and nothing else differs. */
void log_error(const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(LOG_LEVEL_ERROR, event, format, arguments);
    va_end(arguments);
}

void log_warning(const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(LOG_LEVEL_WARNING, event, format, arguments);
    va_end(arguments);
}

void log_notice(const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(LOG_LEVEL_NOTICE, event, format, arguments);
    va_end(arguments);
}

void log_debug(const char *event, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_list(LOG_LEVEL_DEBUG, event, format, arguments);
    va_end(arguments);
}
