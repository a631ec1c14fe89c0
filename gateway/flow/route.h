/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a recipient may go: the one place where relaying is decided. Nothing
 * here waits, and shadow never opens anything here.
 */
#ifndef POSTERN_FLOW_ROUTE_H
#define POSTERN_FLOW_ROUTE_H

#include "config/config.h"
#include "flow/shared.h"
#include "mail/envelope.h"
#include "policy/policy_book.h"
#include "smtp/server_replies.h"

struct route {
    /* REPLY_RECIPIENT_OK when it may go there, else the refusal. */
    enum server_reply reply;
    const struct effective_policy *policy; /* NULL when refused for want of one */
    struct backend *backend;               /* NULL with policy */
};

/*
 * `relay` is the block of the client's address, or NULL. Checked in this order, so that a stranger
 * learns the same about every foreign address: form of the address, who may relay, what the
 * message needs of the backend, size. Whether the recipient exists comes after the policy.
 */
struct route route_find(const struct shared *shared, const struct config_relay *relay,
                        const struct envelope *mail, const struct address *recipient);

/*
 * Is the recipient known, as far as we know without asking the backend? For after the policy has
 * spoken, so that a client that a rule refuses learns nothing about users.
 */
bool route_has_recipient(const struct route *route, const struct address *recipient);

#endif
