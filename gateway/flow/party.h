/* SPDX-License-Identifier: BSD-2-Clause */
/* What a transaction knows of the session that it belongs to. */
#ifndef POSTERN_FLOW_PARTY_H
#define POSTERN_FLOW_PARTY_H

#include <stdbool.h>
#include <stddef.h>

#include "delivery/forward.h"
#include "evidence/facts.h"
#include "flow/shared.h"

/* All lent by the session, and outliving the transaction. */
struct party {
    struct shared *shared;
    size_t listener_index;
    const struct config_relay *relay;        /* the block of the client's address; NULL for none */
    const struct facts *facts;               /* up to PHASE_HELO */
    const struct forward_identity *identity;
    const char *session_id;
    const char *tls_cipher;                  /* NULL while plain; static */
    const char *tls_server_name;             /* that the client asked for; until transaction_new */
    bool tls_is_resumed;
    bool is_prdr;                            /* asked for with this MAIL */
};

#endif
