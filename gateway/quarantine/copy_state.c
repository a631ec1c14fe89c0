/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a copy; see copy_state.h. */
#include "quarantine/copy_state.h"

#include <stddef.h>

#define BIT(state) (1u << (state))

/* Which attempt an entry must name. */
enum attempt_rule {
    ATTEMPT_NONE, /* it is about no release */
    ATTEMPT_NEW,  /* any but 0; the recipient's from now on */
    ATTEMPT_SAME, /* the recipient's last one */
};

/*
 * An outcome that comes late (we had died, and took the attempt for lost) still counts: what the
 * backend said is better than not to know. HOLD stands for what the file of the copy says.
 */
static const struct {
    unsigned int from; /* states */
    enum copy_state to;
    enum attempt_rule attempt;
} transitions[AUDIT_EVENT_COUNT] = {
    [AUDIT_HOLD] = { 0, COPY_HELD, ATTEMPT_NONE },
    [AUDIT_COMMIT] = { BIT(COPY_PENDING), COPY_HELD, ATTEMPT_NONE },
    [AUDIT_ERASE] = { BIT(COPY_PENDING), COPY_ERASED, ATTEMPT_NONE },
    [AUDIT_ORPHAN] = { BIT(COPY_PENDING), COPY_UNCERTAIN, ATTEMPT_NONE },
    [AUDIT_RELEASE] = { BIT(COPY_HELD) | BIT(COPY_UNCERTAIN), COPY_RELEASING, ATTEMPT_NEW },
    [AUDIT_RELEASED] = { BIT(COPY_RELEASING) | BIT(COPY_UNCERTAIN), COPY_RELEASED, ATTEMPT_SAME },
    [AUDIT_REFUSED] = { BIT(COPY_RELEASING) | BIT(COPY_UNCERTAIN), COPY_HELD, ATTEMPT_SAME },
    [AUDIT_LOST] = { BIT(COPY_RELEASING), COPY_UNCERTAIN, ATTEMPT_SAME },
    [AUDIT_DELETE] = { BIT(COPY_HELD) | BIT(COPY_UNCERTAIN), COPY_DELETED, ATTEMPT_NONE },
    [AUDIT_EXPIRE] = { BIT(COPY_HELD) | BIT(COPY_UNCERTAIN), COPY_EXPIRED, ATTEMPT_NONE },
};

const char *copy_state_name(enum copy_state state)
{
    static const char *const names[COPY_STATE_COUNT] = {
        "pending", "held", "releasing", "uncertain", "released", "deleted", "expired", "erased",
    };

    return names[state];
}

bool copy_state_apply(enum copy_state *state, uint64_t *attempt, enum audit_event event,
                      uint64_t entry_attempt)
{
    enum attempt_rule rule = transitions[event].attempt;

    if ((transitions[event].from & BIT(*state)) == 0)
        return false;
    if (rule != ATTEMPT_NONE && entry_attempt == 0)
        return false;
    if (rule == ATTEMPT_SAME && entry_attempt != *attempt)
        return false;
    if (rule == ATTEMPT_NEW)
        *attempt = entry_attempt;
    *state = transitions[event].to;
    return true;
}
