/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines that the program writes about itself; see notice.h. */
#include "daemon/notice.h"

#include "base/clock.h"
#include "base/escape.h"

struct printer {
    struct text *out;
    enum record_format format;
    bool has_key;
};

static void add_key(struct printer *printer, const char *key)
{
    bool is_json = printer->format == RECORD_JSON;

    if (printer->has_key)
        text_add_byte(printer->out, is_json ? ',' : ' ');
    printer->has_key = true;
    text_add_format(printer->out, is_json ? "\"%s\":" : "%s=", key);
}

static void add(struct printer *printer, const char *key, struct slice value)
{
    add_key(printer, key);
    if (printer->format == RECORD_JSON)
        escape_add_json(printer->out, value);
    else
        escape_add_logfmt(printer->out, value);
}

static void add_time(struct printer *printer)
{
    struct text now;

    text_init(&now, 40);
    clock_print_utc(&now, clock_wall_us());
    add(printer, "ts", text_slice(&now));
    text_clear(&now);
}

/* It is escaped already, so logfmt takes it as it is. */
static void add_message(struct printer *printer, struct slice message)
{
    if (message.length == 0)
        return;
    if (printer->format == RECORD_JSON) {
        add(printer, "text", message);
        return;
    }
    add_key(printer, "text");
    text_add_format(printer->out, "\"%.*s\"", SLICE_ARGS(message));
}

void notice_print(struct text *out, enum record_format format, enum log_level level,
                  const char *event, const struct notice_field *fields, size_t field_count,
                  struct slice message)
{
    struct printer printer = { .out = out, .format = format };

    if (format == RECORD_JSON)
        text_add_byte(out, '{');
    add_time(&printer);
    add_key(&printer, "v");
    text_add_format(out, "%d", LOG_VERSION);
    add(&printer, "event", slice_from(event));
    add(&printer, "level", slice_from(log_level_name(level)));
    for (size_t i = 0; i < field_count; i++)
        add(&printer, fields[i].key, slice_from(fields[i].value));
    add_message(&printer, message);
    if (format == RECORD_JSON)
        text_add_byte(out, '}');
    text_add_byte(out, '\n');
}

static void write_line(const struct notice_sink *sink, enum log_level level, const char *event,
                       const struct notice_field *fields, size_t field_count, struct slice message)
{
    struct text line;

    text_init(&line, 2 * NOTICE_MAX_BYTES);
    notice_print(&line, sink->format, level, event, fields, field_count, message);
    log_ring_write(sink->ring, text_slice(&line));
    text_clear(&line);
}

void notice_write(void *owner, enum log_level level, const char *event, struct slice message)
{
    write_line(owner, level, event, NULL, 0, message);
}

void notice_write_fields(const struct notice_sink *sink, const char *event,
                         const struct notice_field *fields, size_t field_count)
{
    write_line(sink, LOG_LEVEL_NOTICE, event, fields, field_count, SLICE_EMPTY);
}
