/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of a backend, for backend.c and forward.c only. */
#ifndef POSTERN_DELIVERY_BACKEND_INTERNAL_H
#define POSTERN_DELIVERY_BACKEND_INTERNAL_H

#include "delivery/backend.h"
#include "delivery/pool.h"

struct backend {
    /* Lent. */
    struct loop *loop;
    const struct config_backend *config;
    struct spill *spill;
    /* State. */
    struct pool pool;
    struct loop_timer retry_timer;  /* learning that failed is tried again */
    bool has_settled;               /* learning has succeeded, or failed for the first time */
    void (*on_settled)(void *owner); /* NULL when nobody waits for that */
    void *settled_owner;
    /* In flight. */
    struct pool_request *learning;  /* NULL when idle */
};

#endif
