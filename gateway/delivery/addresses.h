/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of a backend, tried in order, with a memory of failures: one
 * that failed is left alone for a second, then for twice as long each time up to
 * `retry`, also when there is no other, so that a dead backend costs each client
 * nothing but a quick 451, and one that restarted is soon found.
 *
 * Where TLS is optional, a failed handshake is no failure of the address: it is
 * remembered beside the other, and for ten times `retry`, an hour at most, no
 * connection tries TLS there. Then a single one does: it succeeds, or the time
 * begins anew.
 */
#ifndef POSTERN_DELIVERY_ADDRESSES_H
#define POSTERN_DELIVERY_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "delivery/answer.h"

struct addresses {
    const struct config_backend *config; /* lent */
    struct address_health *healths;      /* owned; by index of config->addresses */
    struct answer last_failure;          /* of any of them */
};

/* `config` outlives it. */
void addresses_init(struct addresses *addresses, const struct config_backend *config);
void addresses_clear(struct addresses *addresses);

/* The first from `start` on that is not left alone; address_count when there is none. */
size_t addresses_find(const struct addresses *addresses, size_t start, uint64_t now_ms);
/* It is left alone from `now_ms` on. Logs "backend-down" when that is news. */
void addresses_note_failure(struct addresses *addresses, size_t index, uint64_t now_ms,
                            const struct answer *failure);
/* It works. Logs "backend-up" when that is news. */
void addresses_note_success(struct addresses *addresses, size_t index);

/* May a new connection try TLS there? Where it has failed, one may from time to time. */
bool addresses_take_tls_trial(struct addresses *addresses, size_t index, uint64_t now_ms);
/* A handshake failed, by `why`. Logs "backend-tls-failed" when that is news. */
void addresses_note_tls_failure(struct addresses *addresses, size_t index, uint64_t now_ms,
                                const char *why);
/* One succeeded. Logs "backend-tls-up" when that is news. */
void addresses_note_tls_success(struct addresses *addresses, size_t index);

#endif
