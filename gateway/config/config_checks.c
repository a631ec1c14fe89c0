/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a configuration dangerous or impossible as a whole; see
 * config_checks.h.
 *
 * An open relay hides well: 0.0.0.0/0 in halves, in a hundred parts, over
 * several blocks, or 2000::/3, which is all of IPv6 that anyone has. So it is
 * not the spelling that is judged but what all networks cover together.
 */
#include "config/config_checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A client waits 10 minutes for the answer to its dot (RFC 5321 4.5.3.2.6); half of one is kept. */
#define MAX_AFTER_DOT_MS 570000
/* No owner has more of the Internet than this; in thousandths. */
#define MAX_COVERED 60
/* Nobody was ever given a larger network than these. */
#define WIDEST_V4 8
#define WIDEST_V6 16

/* ---- Relay networks ---- */

/* First and last address, or for IPv6 the first and last of the upper 64 bits. */
struct range {
    uint64_t first;
    uint64_t last;
};

/* IPv4 that is not in public use (RFC 6890, multicast, reserved); sorted. */
static const struct range private_v4[] = {
    { 0x00000000, 0x00ffffff }, /* 0.0.0.0/8 */
    { 0x0a000000, 0x0affffff }, /* 10.0.0.0/8 */
    { 0x64400000, 0x647fffff }, /* 100.64.0.0/10 */
    { 0x7f000000, 0x7fffffff }, /* 127.0.0.0/8 */
    { 0xa9fe0000, 0xa9feffff }, /* 169.254.0.0/16 */
    { 0xac100000, 0xac1fffff }, /* 172.16.0.0/12 */
    { 0xc0a80000, 0xc0a8ffff }, /* 192.168.0.0/16 */
    { 0xc6120000, 0xc613ffff }, /* 198.18.0.0/15 */
    { 0xe0000000, 0xffffffff }, /* multicast and reserved */
};
/*
 * IPv6 that no registry gives out (IANA's list of global unicast assignments): what lies between
 * 2001::/16, 2003::/18, 2400::/11, 2600::/12, 2610::/23, 2620::/23, 2630::/12, 2800::/12, 2a00::/11
 * and 2c00::/12. Measured by all of 2000::/3, everyone that there is would look like a few percent.
 */
static const struct range private_v6[] = {
    { 0x0000000000000000, 0x2000ffffffffffff },
    { 0x2002000000000000, 0x2002ffffffffffff },
    { 0x2003400000000000, 0x23ffffffffffffff },
    { 0x2420000000000000, 0x25ffffffffffffff },
    { 0x2610020000000000, 0x261fffffffffffff },
    { 0x2620020000000000, 0x262fffffffffffff },
    { 0x2640000000000000, 0x27ffffffffffffff },
    { 0x2810000000000000, 0x29ffffffffffffff },
    { 0x2a20000000000000, 0x2bffffffffffffff },
    { 0x2c10000000000000, 0xffffffffffffffff },
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* IPv6 in which all of IPv4 appears: NAT64 (RFC 6052, 8215), 6to4 (RFC 3056), Teredo (RFC 4380). */
static const char *const translated_v4[] = { "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",
                                             "2001::/32" };

static uint64_t read_number(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* False for IPv6 networks inside one /64: next to nothing. */
static bool make_range(const struct ip_prefix *network, struct range *range)
{
    bool is_v4 = ip_prefix_is_v4(network);
    unsigned int bits = is_v4 ? 32 : 64;
    unsigned int length = is_v4 ? network->length - 96 : network->length;

    if (length > bits)
        return false;
    range->first = is_v4 ? read_number(network->address.bytes + 12, 4)
                         : read_number(network->address.bytes, 8);
    range->last = range->first;
    if (length < bits)
        range->last |= UINT64_MAX >> (64 - bits) >> length;
    return true;
}

static int compare_ranges(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;

    return a->first < b->first ? -1 : a->first > b->first;
}

/* How many numbers of `range` lie in none of the private ranges. */
static uint64_t count_public(struct range range, const struct range *private, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count && range.first <= range.last; i++) {
        if (private[i].last < range.first)
            continue;
        if (private[i].first > range.last)
            break;
        if (private[i].first > range.first)
            total += private[i].first - range.first;
        if (private[i].last >= range.last)
            return total;
        range.first = private[i].last + 1;
    }
    return total + (range.last - range.first + 1);
}

/* Sorts the ranges and adds up what they cover, each number once. */
static uint64_t count_covered(struct range *ranges, size_t count, const struct range *private,
                              size_t private_count)
{
    uint64_t total = 0;
    struct range open = { 0, 0 };

    if (count == 0)
        return 0;
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    open = ranges[0];
    for (size_t i = 1; i < count; i++) {
        if (ranges[i].first <= open.last) {
            if (ranges[i].last > open.last)
                open.last = ranges[i].last;
        } else {
            total += count_public(open, private, private_count);
            open = ranges[i];
        }
    }
    return total + count_public(open, private, private_count);
}

unsigned int config_measure_relays(const struct config *config, bool is_v4)
{
    const struct range *private = is_v4 ? private_v4 : private_v6;
    size_t private_count = is_v4 ? COUNT(private_v4) : COUNT(private_v6);
    struct range all = { 0, is_v4 ? UINT32_MAX : UINT64_MAX };
    uint64_t public_count = count_public(all, private, private_count);
    struct range *ranges = NULL;
    size_t count = 0;
    size_t capacity = 0;
    uint64_t covered;

    for (size_t i = 0; i < config->relay_count; i++) {
        for (size_t j = 0; j < config->relays[i].network_count; j++) {
            const struct ip_prefix *network = &config->relays[i].networks[j];

            ranges = mem_grow(ranges, count, &capacity, sizeof *ranges);
            if (ip_prefix_is_v4(network) == is_v4 && make_range(network, &ranges[count]))
                count++;
        }
    }
    covered = count_covered(ranges, count, private, private_count);
    mem_free(ranges);
    return (unsigned int)(covered / (public_count / 1000));
}

/* The translation that this network takes in whole, or NULL. */
static const char *find_translated(const struct ip_prefix *network)
{
    for (size_t i = 0; i < COUNT(translated_v4); i++) {
        struct ip_prefix all;

        if (ip_prefix_parse(slice_from(translated_v4[i]), &all) &&
            network->length <= all.length && ip_prefix_contains(network, &all.address))
            return translated_v4[i];
    }
    return NULL;
}

static void check_relay_networks(const struct config_relay *relay, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < relay->network_count; i++) {
        const struct ip_prefix *network = &relay->networks[i];
        unsigned int widest = ip_prefix_is_v4(network) ? 96 + WIDEST_V4 : WIDEST_V6;
        const char *translated = find_translated(network);
        struct text printed;

        if (network->length >= widest && translated != NULL)
            diagnostics_add(diagnostics, SEVERITY_ERROR, "relay.open", relay->at,
                            "relay %s lets all of %s send mail to anywhere through this host, and "
                            "everyone on IPv4 can come from there, by way of a translator",
                            relay->name, translated);
        if (network->length >= widest)
            continue;
        text_init(&printed, 100);
        ip_prefix_print(&printed, network);
        diagnostics_add(diagnostics, SEVERITY_ERROR, "relay.open", relay->at,
                        "relay %s lets everyone in %s send mail to anywhere through this host, and "
                        "nobody owns a network that wide: spammers would find it within hours",
                        relay->name, text_string(&printed));
        text_clear(&printed);
    }
}

/* One network and the block it stands in. */
struct claim {
    struct ip_prefix network;
    const struct config_relay *relay;
};

/* Equal networks come together, in the order of their blocks. */
static int compare_claims(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    int order = memcmp(a->network.address.bytes, b->network.address.bytes,
                       sizeof a->network.address.bytes);

    if (order == 0)
        order = (int)a->network.length - (int)b->network.length;
    if (order == 0)
        order = a->relay < b->relay ? -1 : a->relay > b->relay;
    return order;
}

static bool is_same_network(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->length == b->length && ip_equals(&a->address, &b->address);
}

/* A network in two blocks would leave open whose policy its mail gets. */
static void check_claims(const struct config *config, struct diagnostics *diagnostics)
{
    struct claim *claims = NULL;
    size_t count = 0;
    size_t capacity = 0;

    for (size_t i = 0; i < config->relay_count; i++) {
        for (size_t j = 0; j < config->relays[i].network_count; j++) {
            claims = mem_grow(claims, count, &capacity, sizeof *claims);
            claims[count++] = (struct claim){ config->relays[i].networks[j], &config->relays[i] };
        }
    }
    if (count > 0)
        qsort(claims, count, sizeof *claims, compare_claims);
    for (size_t i = 1; i < count; i++) {
        struct text printed;

        if (!is_same_network(&claims[i - 1].network, &claims[i].network))
            continue;
        text_init(&printed, 100);
        ip_prefix_print(&printed, &claims[i].network);
        diagnostics_add(diagnostics, SEVERITY_ERROR, "relay.twice", claims[i].relay->at,
                        "%s is in relay %s and again in relay %s; one of them is one too many",
                        text_string(&printed), claims[i - 1].relay->name, claims[i].relay->name);
        text_clear(&printed);
    }
    mem_free(claims);
}

static void check_relays(const struct config *config, struct diagnostics *diagnostics)
{
    size_t errors_before = diagnostics->error_count;

    check_claims(config, diagnostics);
    for (size_t i = 0; i < config->relay_count; i++)
        check_relay_networks(&config->relays[i], diagnostics);
    /* The parts of 0.0.0.0/0 are said once. */
    if (diagnostics->error_count > errors_before || config->relay_count == 0)
        return;
    for (int is_v4 = 0; is_v4 <= 1; is_v4++) {
        unsigned int covered = config_measure_relays(config, is_v4 != 0);

        if (covered > MAX_COVERED)
            diagnostics_add(diagnostics, SEVERITY_ERROR, "relay.open", config->relays[0].at,
                            "the relay blocks together let %u%% of the public IPv%d Internet send "
                            "mail to anywhere through this host: spammers would find it within "
                            "hours",
                            (covered + 9) / 10, is_v4 ? 4 : 6);
    }
}

/* ---- Listeners ---- */

/* The name of the first listener that has this endpoint before it stands here; or NULL. */
static const char *find_endpoint_user(const struct config *config, size_t last, size_t index)
{
    const struct ip_endpoint *wanted = &config->listeners[last].endpoints[index];

    for (size_t i = 0; i <= last; i++) {
        const struct config_listener *listener = &config->listeners[i];
        size_t count = i < last ? listener->endpoint_count : index;

        for (size_t j = 0; j < count; j++)
            if (ip_endpoint_equals(&listener->endpoints[j], wanted))
                return listener->name;
    }
    return NULL;
}

static void check_endpoints(const struct config *config, size_t at, struct diagnostics *diagnostics)
{
    const struct config_listener *listener = &config->listeners[at];

    for (size_t i = 0; i < listener->endpoint_count; i++) {
        const char *user = find_endpoint_user(config, at, i);
        struct text printed;

        if (user == NULL || listener->endpoints[i].port == 0)
            continue;
        text_init(&printed, 100);
        ip_endpoint_print(&printed, &listener->endpoints[i]);
        diagnostics_add(diagnostics, SEVERITY_ERROR, "listener.taken", listener->at,
                        "%s cannot be used by listener %s, since listener %s has it already",
                        text_string(&printed), listener->name, user);
        text_clear(&printed);
    }
}

static void check_listener(const struct config *config, size_t at, struct diagnostics *diagnostics)
{
    const struct config_listener *listener = &config->listeners[at];

    check_endpoints(config, at, diagnostics);
    if (listener->tls != LISTENER_TLS_OFF && config->certificate_count == 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "listener.no-certificate", listener->at,
                        "listener %s offers TLS, but there is no certificate block; add one, or "
                        "write: tls off;",
                        listener->name);
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct config_backend *backend = &config->backends[i];

        if (listener->post_dot_budget_ms + backend->dot_timeout_ms > MAX_AFTER_DOT_MS)
            diagnostics_add(diagnostics, SEVERITY_ERROR, "listener.too-patient", listener->at,
                            "post-dot-budget of listener %s and dot-timeout of backend %s are more "
                            "than 570s together: the client would give up first, and send its mail "
                            "again though it was delivered",
                            listener->name, backend->name);
    }
}

/* ---- Backends ---- */

/*
 * Does what is sent to `wanted` come to this listener? A listener on all addresses also has those
 * of this host's interfaces; which these are the configuration does not say, so only loopback is
 * certain. Our [::] takes no IPv4 (net/listener.c).
 */
static bool is_reached_at(const struct ip_endpoint *listening, const struct ip_endpoint *wanted)
{
    bool is_same_family = ip_is_v4(&listening->address) == ip_is_v4(&wanted->address);

    if (listening->port != wanted->port || !is_same_family)
        return false;
    if (ip_equals(&listening->address, &wanted->address))
        return true;
    /* To connect to 0.0.0.0 or :: is to connect to the loopback address. */
    return (ip_is_unspecified(&listening->address) && ip_is_loopback(&wanted->address)) ||
           (ip_is_loopback(&listening->address) && ip_is_unspecified(&wanted->address));
}

static bool listens_at(const struct config_listener *listener, const struct ip_endpoint *wanted)
{
    for (size_t i = 0; i < listener->endpoint_count; i++)
        if (is_reached_at(&listener->endpoints[i], wanted))
            return true;
    return false;
}

/* A gateway that is its own backend hands each mail to itself until the loop check ends it. */
static void check_backend_address(const struct config *config, const struct config_backend *backend,
                                  const struct ip_endpoint *address,
                                  struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        struct text printed;

        if (!listens_at(listener, address))
            continue;
        text_init(&printed, 100);
        ip_endpoint_print(&printed, address);
        diagnostics_add(diagnostics, SEVERITY_ERROR, "backend.loop", backend->at,
                        "backend %s at %s is this gateway itself: listener %s listens there, so "
                        "mail would go in circles; give the mail server another port, and name it "
                        "here",
                        backend->name, text_string(&printed), listener->name);
        text_clear(&printed);
        return;
    }
}

static void check_backend(const struct config *config, const struct config_backend *backend,
                          struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < backend->address_count; i++)
        check_backend_address(config, backend, &backend->addresses[i], diagnostics);
    if (backend->tls == BACKEND_TLS_OFF && backend->is_tls_implicit)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "backend.tls-off", backend->at,
                        "backend %s has both tls off and tls-implicit on, which contradict each "
                        "other; take one of the lines away",
                        backend->name);
    if (backend->tls != BACKEND_TLS_VERIFIED && backend->tls_ca_path != NULL)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "backend.unverified", backend->at,
                        "backend %s has a tls-ca, which is only used with tls verified: as it is, "
                        "any certificate will do, also that of someone in between; write: tls "
                        "verified; or take tls-ca away",
                        backend->name);
}

/* ---- Held mail ---- */

static void check_quarantine(const struct config *config, struct diagnostics *diagnostics)
{
    const struct config_quarantine *quarantine = &config->quarantine;

    for (size_t i = 0; i < config->listener_count && !quarantine->is_set; i++)
        if (config->listeners[i].mixed == MIXED_HOLD)
            diagnostics_add(diagnostics, SEVERITY_ERROR, "quarantine.missing",
                            config_find_place(config, config->listeners[i].at, "mixed"),
                            "mixed hold needs a quarantine block that says where held mail is "
                            "kept; write: quarantine { folder /var/lib/postern/quarantine; }");
    if (quarantine->folder != NULL && strcmp(quarantine->folder, config->spool_folder) == 0)
        diagnostics_add(diagnostics, SEVERITY_ERROR, "quarantine.folder",
                        config_find_place(config, quarantine->at, "folder"),
                        "held mail needs a folder of its own, and %s is the spool-folder, which "
                        "workers write to",
                        quarantine->folder);
}

/* ---- The DNS ---- */

static void check_resolver(const struct config *config, struct diagnostics *diagnostics)
{
    const struct config_resolver *resolver = &config->resolver;
    struct position anchor_at = config_find_place(config, resolver->at, "trust-anchor");

    if (resolver->is_set && !resolver->is_validating &&
        (anchor_at.line != resolver->at.line || anchor_at.column != resolver->at.column))
        diagnostics_add(diagnostics, SEVERITY_ERROR, "resolver.unvalidated", anchor_at,
                        "a trust-anchor is only used with validate on: as it is, no answer is "
                        "checked; write: validate on; or take trust-anchor away");
}

/* ---- The checks ---- */

static void check_checks(const struct config *config, struct diagnostics *diagnostics)
{
    const struct config_checks *checks = &config->checks;
    struct position list_at = config_find_place(config, checks->at, "suffix-list");

    if (checks->dmarc_discovery == DMARC_BY_TREE &&
        (list_at.line != checks->at.line || list_at.column != checks->at.column))
        diagnostics_add(diagnostics, SEVERITY_ERROR, "checks.suffix-list", list_at,
                        "a suffix-list is only used with dmarc-discovery suffix: write that as "
                        "well, or take suffix-list away");
}

void config_check(const struct config *config, struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < config->backend_count; i++)
        check_backend(config, &config->backends[i], diagnostics);
    for (size_t i = 0; i < config->listener_count; i++)
        check_listener(config, i, diagnostics);
    check_relays(config, diagnostics);
    check_quarantine(config, diagnostics);
    check_resolver(config, diagnostics);
    check_checks(config, diagnostics);
}
