/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate of one worker: everything a session needs, the sessions that are in,
 * and the caps on how many may be. One gate belongs to one generation of the
 * configuration.
 */
#ifndef POSTERN_FLOW_GATE_H
#define POSTERN_FLOW_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "config/config.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/spill.h"
#include "net/tls.h"
#include "policy/policy_book.h"
#include "quarantine/keeper_link.h"
#include "record/counters.h"
#include "record/log_ring.h"
#include "record/presence.h"
#include "record/record.h"

struct dkim_library;
struct gate;
struct spf_link;
struct suffix_list;

/* All lent, and outliving the gate. */
struct gate_settings {
    struct loop *loop;
    const struct config *config;
    const struct policy_book *book;
    struct tls_server *const *tls_servers;  /* by index of config->listeners; NULL: no TLS */
    struct tls_client *const *tls_clients;  /* by index of config->backends; likewise */
    struct spill *spill;
    struct keeper_link *keeper;             /* NULL: there is no quarantine */
    struct resolver *resolver;              /* NULL: nothing asks the DNS, so no check is run */
    struct dkim_library *dkim;              /* likewise */
    struct spf_link *spf_link;              /* NULL: there is no second SPF engine */
    const struct suffix_list *suffixes;     /* NULL: DMARC goes by the tree walk */
    struct log_ring_writer *log;
    struct counters *counters;              /* the worker's block */
    struct presence *presence;              /* its place in what all workers count */
    struct record_style style;
    uint64_t generation;                    /* of the configuration */
    bool is_trial;                          /* of tools: no gate, and no backend is asked */
};

struct gate *gate_new(const struct gate_settings *settings);
/* Every session must have ended, or ends here without a reply. */
void gate_free(struct gate **gate);

/*
 * `done` comes once, from the loop: when every backend has told what it can do or could not be
 * reached, at the latest after `max_ms`; not any more after gate_drain. Sessions from before offer
 * less than the backends have, and a sender that misses SMTPUTF8 bounces its mail.
 */
void gate_await_backends(struct gate *gate, uint64_t max_ms, void (*done)(void *owner),
                         void *owner);

/* Lets an accepted socket in, or turns it away with a reply. Takes `take_fd`. */
void gate_accept(struct gate *gate, size_t listener_index, int take_fd,
                 const struct ip_endpoint *peer);

/*
 * No new sessions from now on. Idle ones get 421 at once, those in a transaction when it has ended,
 * all at the latest after `max_ms`. For the first `spare_ms`, who has not had a transaction yet is
 * not idle: somebody has just come, and is about to send. `done` comes once, when none is left.
 */
void gate_drain(struct gate *gate, uint64_t max_ms, uint64_t spare_ms, void (*done)(void *owner),
                void *owner);

/* Sessions that are in now. */
size_t gate_session_count(const struct gate *gate);

#endif
