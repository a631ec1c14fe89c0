/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Those who are turned away at the gate: told why, and closed at once, without
 * the memory and the work of a session. They leave a line each, up to a ceiling:
 * who connects ten thousand times a second must not fill the log's disk.
 */
#ifndef POSTERN_FLOW_TURNSTILE_H
#define POSTERN_FLOW_TURNSTILE_H

#include <stddef.h>

#include "base/ip.h"
#include "flow/shared.h"
#include "smtp/server_replies.h"

/* So many lines for one reason in such a time; the others are counted, and the count has a line. */
#define TURNSTILE_MAX_LINES 100
#define TURNSTILE_WINDOW_MS 10000

struct turnstile;

/* `shared` is kept until turnstile_free. */
struct turnstile *turnstile_new(struct shared *shared);
/* Tells the log of those who have no line yet. */
void turnstile_free(struct turnstile **turnstile);

/* Takes `take_fd`, says why and closes. */
void turnstile_refuse(struct turnstile *turnstile, size_t listener_index, int take_fd,
                      const struct ip_endpoint *peer, enum server_reply id);

#endif
