/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a recipient may go; see route.h.
 *
 * Forms that old servers route by (user%host, host!user, "user@host"@ours) are
 * refused from outside: our idea of where they lead and the backend's may
 * differ, and then the backend relays for a stranger. A client in a relay block
 * may send anywhere anyway, so its addresses are left alone.
 */
#include "flow/route.h"

/*
 * <postmaster> without a domain must be taken (RFC 5321 4.5.1): it is ours by the gateway's own
 * name, else by the first domain block.
 */
static const struct effective_policy *find_postmaster_policy(const struct shared *shared)
{
    const struct policy_book *book = shared->settings.book;
    const struct effective_policy *policy =
        policy_book_find_domain(book, slice_from(shared->settings.config->hostname));

    if (policy == NULL)
        policy = policy_book_at(book, 0);
    return policy != NULL && policy->domain[0] != '\0' ? policy : NULL;
}

static const struct effective_policy *find_policy(const struct shared *shared,
                                                  const struct config_relay *relay,
                                                  const struct address *recipient)
{
    const struct policy_book *book = shared->settings.book;

    if (relay != NULL)
        return policy_book_get_relay(book, relay);
    if (recipient->is_literal)
        return NULL;
    if (recipient->domain_length > 0)
        return policy_book_find_domain(book, address_domain(recipient));
    return find_postmaster_policy(shared);
}

static bool is_routed_by_old_servers(const struct address *recipient)
{
    return recipient->has_percent || recipient->has_bang || recipient->has_inner_at;
}

/* What the client announced, against what policy and backend take. */
static enum server_reply check_needs(const struct route *route, const struct envelope *mail)
{
    unsigned int extensions = backend_extensions(route->backend);
    uint64_t backend_limit = backend_max_size(route->backend);
    uint64_t policy_limit = route->policy->max_size_bytes;

    if (mail->is_smtputf8 && (extensions & SERVER_SMTPUTF8) == 0)
        return REPLY_NEEDS_SMTPUTF8;
    if (mail->body == BODY_8BITMIME && (extensions & SERVER_8BITMIME) == 0)
        return REPLY_NEEDS_8BITMIME;
    if (mail->has_size && ((policy_limit > 0 && mail->size_bytes > policy_limit) ||
                           (backend_limit > 0 && mail->size_bytes > backend_limit)))
        return REPLY_MESSAGE_TOO_LARGE;
    return REPLY_RECIPIENT_OK;
}

struct route route_find(const struct shared *shared, const struct config_relay *relay,
                        const struct envelope *mail, const struct address *recipient)
{
    struct route route = { .reply = REPLY_RELAY_DENIED };

    if (relay == NULL && is_routed_by_old_servers(recipient)) {
        route.reply = REPLY_ADDRESS_ROUTED;
        return route;
    }
    route.policy = find_policy(shared, relay, recipient);
    if (route.policy == NULL)
        return route;
    route.backend = shared_get_backend(shared, route.policy->backend);
    route.reply = check_needs(&route, mail);
    return route;
}

bool route_has_recipient(const struct route *route, const struct address *recipient)
{
    return backend_has_recipient(route->backend, recipient);
}
