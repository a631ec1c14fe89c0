/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has become of a copy for one of its recipients: the states, and which
 * entries of the audit lead from one to another. All else leaves a state alone.
 */
#ifndef POSTERN_QUARANTINE_COPY_STATE_H
#define POSTERN_QUARANTINE_COPY_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "quarantine/audit.h"

enum copy_state {
    COPY_PENDING,   /* the backend's word on the others is awaited */
    COPY_HELD,
    COPY_RELEASING, /* an attempt is under way */
    COPY_UNCERTAIN, /* it may be at the backend already */
    COPY_RELEASED,
    COPY_DELETED,
    COPY_EXPIRED,
    COPY_ERASED,    /* was never accepted from the client */
};
#define COPY_STATE_COUNT 8

/* Sets of states are bits, 1 << state. */
#define COPY_STATES_OPEN                                                                        \
    (1u << COPY_PENDING | 1u << COPY_HELD | 1u << COPY_RELEASING | 1u << COPY_UNCERTAIN)
/* What is remembered once the file of the copy is gone. */
#define COPY_STATES_PAST (1u << COPY_RELEASED | 1u << COPY_DELETED | 1u << COPY_EXPIRED)

/* "pending", ... */
const char *copy_state_name(enum copy_state state);

/*
 * The state after an entry that is about this recipient; `*attempt` is that of its last release, 0
 * for none. False when the state does not allow the event, or when the outcome is of another
 * attempt: then both are as before.
 */
bool copy_state_apply(enum copy_state *state, uint64_t *attempt, enum audit_event event,
                      uint64_t entry_attempt);

#endif
