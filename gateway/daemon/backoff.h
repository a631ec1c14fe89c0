/* SPDX-License-Identifier: BSD-2-Clause */
/* How soon to start a process again that has died: at once, unless it dies too often. */
#ifndef POSTERN_DAEMON_BACKOFF_H
#define POSTERN_DAEMON_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_MAX_DEATHS 5
#define BACKOFF_WINDOW_MS 10000
#define BACKOFF_DELAY_MS 2000

struct backoff {
    uint64_t deaths_ms[BACKOFF_MAX_DEATHS]; /* when the last ones were, in a circle; 0 for never */
    uint32_t next;                          /* place of the next one */
};

/*
 * Notes a death; gives the milliseconds to wait before the next start: 0, or BACKOFF_DELAY_MS at
 * the sixth death within BACKOFF_WINDOW_MS and each further one.
 */
uint64_t backoff_add_death(struct backoff *backoff, uint64_t now_ms);

#endif
