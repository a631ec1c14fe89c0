/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the log's way: stderr, a file or syslog. It never waits longer than
 * one write to a plain file takes; what does not go now is tried again.
 */
#ifndef POSTERN_DAEMON_LOG_OUTPUT_H
#define POSTERN_DAEMON_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "config/config.h"
#include "net/loop.h"

struct log_output;

#define LOG_OUTPUT_SYSLOG_PATH "/dev/log"

/*
 * With LOG_TARGET_STDERR and LOG_TARGET_FILE the lines go to `take_fd` (file, pipe, terminal or
 * stream socket); with LOG_TARGET_SYSLOG to a socket of its own at `path`, under `facility`, and
 * take_fd is -1. `on_ready` is called from the loop when a write that was cut short is worth
 * another try.
 */
struct log_output *log_output_new(struct loop *loop, enum log_target target, int take_fd,
                                  const char *path, const char *facility,
                                  void (*on_ready)(void *owner), void *owner);
/* Closes the descriptor, but for stderr. */
void log_output_free(struct log_output **output);

/*
 * Writes from the start of `lines`, which are whole ones; gives how many bytes went out. When that
 * is not all, on_ready comes. What it fails for is told once on stderr, until it works again.
 */
size_t log_output_write(struct log_output *output, struct slice lines);

/* "mail" and its kind: the number of a syslog facility (RFC 5424 6.2.1); false for other words. */
bool log_output_find_facility(struct slice name, unsigned int *facility);

#endif
