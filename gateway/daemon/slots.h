/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which worker polls which listening socket: a pure function of the sockets, of
 * who had them before, and of who is alive.
 *
 * An address has several sockets (slots) among which the kernel spreads new
 * connections. A socket must not be closed while its address is in use, since
 * the connections that wait in it would be lost; so they are handed from worker
 * to worker instead.
 */
#ifndef POSTERN_DAEMON_SLOTS_H
#define POSTERN_DAEMON_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_NOBODY 0

struct slot {
    uint32_t id;
    uint32_t group;  /* slots of one address have the same */
    bool is_shared;  /* the only one of its address: every worker polls it */
    uint32_t owner;  /* id of the worker that polls it; SLOTS_NOBODY for none, and when shared */
};

/*
 * Gives every slot that is not shared to one of `workers` (ids above SLOTS_NOBODY, each once): of
 * each address every worker gets the same number, or one more. Who has a slot keeps it as far as
 * that allows. Without workers nobody has any.
 */
void slots_assign(struct slot *slots, size_t slot_count, const uint32_t *workers,
                  size_t worker_count);

/* Does this worker poll the slot? */
bool slot_is_polled_by(const struct slot *slot, uint32_t worker);

#endif
