/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines that the program writes about itself, in the same stream and format as
 * the lines about mail: ts, v, event, level, what belongs to the event, text.
 */
#ifndef POSTERN_DAEMON_NOTICE_H
#define POSTERN_DAEMON_NOTICE_H

#include <stddef.h>

#include "base/log.h"
#include "base/text.h"
#include "record/log_ring.h"
#include "record/record.h"

/* No such line is longer. */
#define NOTICE_MAX_BYTES RECORD_MAX_BYTES

struct notice_field {
    const char *key;   /* a word */
    const char *value; /* foreign bytes allowed */
};

/* Appends one line. `message` is empty, or escaped as log_sink_fn gets it. */
void notice_print(struct text *out, enum record_format format, enum log_level level,
                  const char *event, const struct notice_field *fields, size_t field_count,
                  struct slice message);

/* Where a process with a ring sends what it logs. Kept by log_set_sink. */
struct notice_sink {
    struct log_ring_writer *ring; /* lent */
    enum record_format format;
};
/* A log_sink_fn whose owner is a notice_sink. A line for which there is no room is lost. */
void notice_write(void *owner, enum log_level level, const char *event, struct slice message);
/* The same with fields and without a text, at level notice. */
void notice_write_fields(const struct notice_sink *sink, const char *event,
                         const struct notice_field *fields, size_t field_count);

#endif
