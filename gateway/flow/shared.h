/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all sessions of one gate share: the configuration's generation, the
 * backends as this worker knows them, the budget of memory, and what each
 * listener offers. Sessions see only this, not the gate that keeps them.
 */
#ifndef POSTERN_FLOW_SHARED_H
#define POSTERN_FLOW_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/hoard.h"
#include "base/slice.h"
#include "base/text.h"
#include "delivery/backend.h"
#include "flow/check_run.h"
#include "flow/gate.h"
#include "smtp/server_dialogue.h"

struct shared {
    struct gate_settings settings;    /* a copy; what it points to is lent */
    struct backend **backends;        /* by index of config->backends */
    struct server_options *options;   /* by index of config->listeners */
    struct message_limits *limits;    /* likewise; without max_bytes, which the policy sets */
    struct spool_budget spool_budget;
    struct spool_budget recipient_budget; /* likewise, of open transactions */
    struct hoard holders;             /* intakes by the memory that they hold of it */
    struct hoard writers;             /* intakes by what of that the disk could take */
    struct check_settings checks;     /* of all transactions */
    bool names_local_address;         /* a backend is told which address of ours was chosen */
    struct text scratch;              /* replies are printed here; empty between uses */
};

/* Starts the backends. What `settings` points to is kept until the end; all sessions end before. */
struct shared *shared_new(const struct gate_settings *settings);
void shared_free(struct shared **shared);

/* The worker's view of a backend block. */
struct backend *shared_get_backend(const struct shared *shared,
                                   const struct config_backend *config);

/* What EHLO offers: our own extensions, and end to end what all reachable backends have. */
struct shared_offer {
    unsigned int extensions; /* SERVER_* bits */
    uint64_t max_size_bytes; /* 0 for no limit */
};
/* `relay` is the block that the client's address is in, or NULL. */
struct shared_offer shared_offer_for(const struct shared *shared, size_t listener_index,
                                     const struct config_relay *relay);

/* Writes lines to the worker's ring; a loss is counted there. */
void shared_log(const struct shared *shared, const struct record *record);

#endif
