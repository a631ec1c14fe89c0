/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the program says about itself: started, reloaded, lost a worker. The
 * lines about mail are record/'s, not these. A process sets one sink at its
 * start; a worker's leads into its log ring and never waits.
 */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include "base/slice.h"

/* Of the contract that all lines keep, those about mail too: `v` in postern-log(7). */
#define LOG_VERSION 1

enum log_level {
    LOG_LEVEL_ERROR,   /* something the owner must mend */
    LOG_LEVEL_WARNING, /* works on, but look at it */
    LOG_LEVEL_NOTICE,  /* start, stop, reload */
    LOG_LEVEL_DEBUG,   /* only with -d */
};

/*
 * `message` is one line without its end, already escaped, at most 2,000 bytes.
 * The event is a stable word such as "worker-died".
 */
typedef void (*log_sink_fn)(void *owner, enum log_level level, const char *event,
                            struct slice message);

/* The sink is kept until the next call; NULL is the default: logfmt on stderr. */
void log_set_sink(log_sink_fn sink, void *owner);
/* Lines above this level are dropped. The default is LOG_LEVEL_NOTICE. */
void log_set_level(enum log_level level);

/*
 * log_error("config-refused", "%s:%u: ...", ...). What came from outside is
 * escaped here, so a caller prints it as it is.
 */
void log_error(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_notice(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "error", "warning", "notice", "debug". */
const char *log_level_name(enum log_level level);

#endif
