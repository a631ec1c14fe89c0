/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets libunbound up; see resolver_context.h. The order matters to the library:
 * options, servers, anchors, and last the zones, with which it takes all of it as
 * final. It is told no file name: whatever is in one, the loader has read.
 */
#include "net/resolver_context.h"

#include <stdio.h>
#include <unbound.h>
#include <unbound-event.h>

#include "net/loop_internal.h"

/* Two thirds for records, one for answers; keys and proofs are few. */
#define RECORD_SHARE 2 / 3
#define ANSWER_SHARE 1 / 3

static const struct {
    const char *name;
    const char *value;
} options[] = {
    { "verbosity:", "0" },
    { "use-syslog:", "no" },
    /* One thread; and enough that our own ceiling is what counts. */
    { "outgoing-range:", "256" },
    { "num-queries-per-thread:", "4096" },
    { "outgoing-num-tcp:", "32" },
    { "msg-cache-slabs:", "1" },
    { "rrset-cache-slabs:", "1" },
    { "infra-cache-slabs:", "1" },
    { "key-cache-slabs:", "1" },
    { "key-cache-size:", "1m" },
    { "neg-cache-size:", "1m" },
    { "do-not-query-localhost:", "no" },
    /* A server that was away is tried again within a minute of its return, not within 15. */
    { "infra-host-ttl:", "60" },
    { "infra-keep-probing:", "yes" },
    /* What servers here say of private networks is what counts, and nobody else can sign it. */
    { "unblock-lan-zones:", "yes" },
    { "insecure-lan-zones:", "yes" },
    { "trust-anchor-signaling:", "no" },
};

/* The library would answer these by itself; but the servers that are asked may know more. */
static const char *const own_zones[] = {
    "localhost.", "test.", "invalid.", "home.arpa.", "127.in-addr.arpa.",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
};

static bool fail(struct text *problem, const char *what, int error)
{
    text_add_format(problem, "libunbound does not take %s: %s", what, ub_strerror(error));
    return false;
}

static bool set_option(struct ub_ctx *context, const char *name, const char *value,
                       struct text *problem)
{
    int error = ub_ctx_set_option(context, name, value);

    return error == 0 || fail(problem, name, error);
}

static bool set_size(struct ub_ctx *context, const char *name, uint64_t bytes,
                     struct text *problem)
{
    char value[24];

    snprintf(value, sizeof value, "%llu", (unsigned long long)bytes);
    return set_option(context, name, value, problem);
}

static bool set_options(struct ub_ctx *context, const struct resolver_settings *settings,
                        struct text *problem)
{
    bool validates = settings->trust_anchors.length > 0;

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (!set_option(context, options[i].name, options[i].value, problem))
            return false;
    return set_option(context, "module-config:", validates ? "validator iterator" : "iterator",
                      problem) &&
           set_size(context, "rrset-cache-size:", settings->cache_bytes * RECORD_SHARE, problem) &&
           set_size(context, "msg-cache-size:", settings->cache_bytes * ANSWER_SHARE, problem);
}

/* "192.0.2.1@53". */
static bool add_server(struct ub_ctx *context, const struct ip_endpoint *server,
                       struct text *problem)
{
    struct text address;
    int error;

    text_init(&address, 100);
    ip_print(&address, &server->address);
    text_add_format(&address, "@%u", (unsigned int)server->port);
    error = ub_ctx_set_fwd(context, text_string(&address));
    if (error != 0)
        fail(problem, text_string(&address), error);
    text_clear(&address);
    return error == 0;
}

static struct slice without_comment(struct slice line)
{
    size_t semicolon;

    return slice_trim(slice_find_byte(line, ';', &semicolon) ? slice_until(line, semicolon) : line);
}

static bool add_anchors(struct ub_ctx *context, struct slice anchors, struct text *problem)
{
    struct slice line;

    while (slice_next(&anchors, '\n', &line)) {
        struct text anchor;
        int error = 0;

        text_init(&anchor, 8192);
        text_add(&anchor, without_comment(line));
        if (anchor.length > 0)
            error = ub_ctx_add_ta(context, text_string(&anchor));
        text_clear(&anchor);
        if (error != 0)
            return fail(problem, "a trust anchor", error);
    }
    return true;
}

/*
 * Taken away with their names: a zone of the kind that passes questions on ("nodefault") would
 * still answer those. With the first, the anchors are read: only now is it said that one is none.
 */
static bool remove_own_zones(struct ub_ctx *context, struct text *problem)
{
    for (size_t i = 0; i < sizeof own_zones / sizeof own_zones[0]; i++) {
        int error = ub_ctx_zone_remove(context, own_zones[i]);

        if (error != 0)
            return fail(problem, "the trust anchors", error);
    }
    return true;
}

static bool set_up(struct ub_ctx *context, const struct resolver_settings *settings,
                   struct text *problem)
{
    ub_ctx_debugout(context, NULL); /* its complaints would go to a stderr that nobody reads */
    if (!set_options(context, settings, problem))
        return false;
    for (size_t i = 0; i < settings->address_count; i++)
        if (!add_server(context, &settings->addresses[i], problem))
            return false;
    return add_anchors(context, settings->trust_anchors, problem) &&
           remove_own_zones(context, problem);
}

struct ub_ctx *resolver_context_new(struct loop *loop, const struct resolver_settings *settings,
                                    struct text *problem)
{
    struct ub_ctx *context = ub_ctx_create_event(loop_base(loop));

    if (context == NULL) {
        text_add_string(problem, "libunbound cannot start");
        return NULL;
    }
    if (set_up(context, settings, problem))
        return context;
    ub_ctx_delete(context);
    return NULL;
}
