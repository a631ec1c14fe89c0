/* SPDX-License-Identifier: BSD-2-Clause */
/* How soon to start a dead process again; see backoff.h. */
#include "daemon/backoff.h"

uint64_t backoff_add_death(struct backoff *backoff, uint64_t now_ms)
{
    uint64_t oldest_ms = backoff->deaths_ms[backoff->next];

    backoff->deaths_ms[backoff->next] = now_ms;
    backoff->next = (backoff->next + 1) % BACKOFF_MAX_DEATHS;
    return oldest_ms != 0 && now_ms - oldest_ms < BACKOFF_WINDOW_MS ? BACKOFF_DELAY_MS : 0;
}
