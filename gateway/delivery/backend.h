/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend as one worker knows it: its addresses with their failures, what it
 * can do, and the pool of connections to it.
 */
#ifndef POSTERN_DELIVERY_BACKEND_H
#define POSTERN_DELIVERY_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "mail/address.h"
#include "net/loop.h"
#include "net/spill.h"
#include "net/tls.h"

struct backend;

/*
 * `config`, `tls` (NULL when the block has tls off) and `spill` (for messages on disk) are lent and
 * outlive the backend. `hostname` is what we say in EHLO. It connects at once,
 * to learn what the backend can do, and again after `retry` while that fails.
 */
struct backend *backend_new(struct loop *loop, const struct config_backend *config,
                            struct tls_client *tls, struct spill *spill, const char *hostname);
/* One that is never connected to, for who only asks what would become of a mail. */
struct backend *backend_new_unasked(struct loop *loop, const struct config_backend *config,
                                    const char *hostname);
/* Closes the pool. Every forward on it must have ended. */
void backend_free(struct backend **backend);
/* Lets idle connections go and opens no learning ones: the worker drains. */
void backend_drain(struct backend *backend);

/* As given to backend_new. */
const struct config_backend *backend_config(const struct backend *backend);

/* What it can do as last known, as SERVER_* bits of smtp/server_dialogue.h, `assume` included. */
unsigned int backend_extensions(const struct backend *backend);
/* True once an EHLO (or a refused one) told. Before that only `assume` counts. */
bool backend_is_known(const struct backend *backend);
/* True once it is known, or could not be learnt at the first attempt. */
bool backend_has_settled(const struct backend *backend);
/* `done` comes once, from the loop, when that becomes true; NULL: nobody waits any more. */
void backend_await_settled(struct backend *backend, void (*done)(void *owner), void *owner);
/* Its SIZE limit less 8 KiB for our headers; 0 for none. */
uint64_t backend_max_size(const struct backend *backend);

/* With `recipients file`: is the address in it? True for the other kinds. */
bool backend_has_recipient(const struct backend *backend, const struct address *address);

#endif
