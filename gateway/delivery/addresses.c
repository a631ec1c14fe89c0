/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses of a backend and their failures; see addresses.h. */
#include "delivery/addresses.h"

#include "base/log.h"
#include "base/memory.h"

#define MAX_ENDPOINT_BYTES 64
/* The first rest of an address that failed: a server that restarts is back soon. */
#define FIRST_REST_MS 1000
/* A server without TLS works: it need not be asked again as soon as one that does not. */
#define TLS_RETRIES 10
#define TLS_MAX_REST_MS (3600 * 1000)

struct address_health {
    bool is_down;      /* its last use failed */
    uint64_t until_ms; /* left alone before this moment (monotonic) */
    uint64_t rest_ms;  /* how long it was left alone the last time */
    bool is_tls_broken;      /* the last handshake failed */
    uint64_t plain_until_ms; /* then: nobody tries TLS before this moment (monotonic) */
};

void addresses_init(struct addresses *addresses, const struct config_backend *config)
{
    *addresses = (struct addresses){ .config = config };
    addresses->healths = mem_new_array(config->address_count, sizeof(*addresses->healths));
    answer_init(&addresses->last_failure);
    answer_reset(&addresses->last_failure, FORWARD_UNREACHABLE);
}

void addresses_clear(struct addresses *addresses)
{
    mem_free(addresses->healths);
    addresses->healths = NULL;
    answer_clear(&addresses->last_failure);
}

size_t addresses_find(const struct addresses *addresses, size_t start, uint64_t now_ms)
{
    size_t index = start;

    while (index < addresses->config->address_count
           && addresses->healths[index].until_ms > now_ms)
        index++;
    return index;
}

/* Twice as long with each failure, up to `retry`. */
static uint64_t next_rest(const struct address_health *health, uint64_t retry_ms)
{
    uint64_t rest_ms = health->is_down ? 2 * health->rest_ms : FIRST_REST_MS;

    return rest_ms < retry_ms ? rest_ms : retry_ms;
}

/* "10.0.0.5:25" */
static void print_endpoint(struct text *out, const struct addresses *addresses, size_t index)
{
    text_init(out, MAX_ENDPOINT_BYTES);
    ip_endpoint_print(out, &addresses->config->addresses[index]);
}

void addresses_note_failure(struct addresses *addresses, size_t index, uint64_t now_ms,
                            const struct answer *failure)
{
    struct address_health *health = &addresses->healths[index];
    struct text endpoint;

    answer_copy(&addresses->last_failure, failure);
    addresses->last_failure.public.class = FORWARD_UNREACHABLE;
    health->rest_ms = next_rest(health, addresses->config->retry_ms);
    health->until_ms = now_ms + health->rest_ms;
    if (health->is_down)
        return;
    health->is_down = true;
    print_endpoint(&endpoint, addresses, index);
    if (failure->public.code != 0)
        log_warning("backend-down", "backend %s at %s: %s: %d %s", addresses->config->name,
                    text_string(&endpoint), text_string(&failure->detail), failure->public.code,
                    text_string(&failure->text));
    else
        log_warning("backend-down", "backend %s at %s: %s", addresses->config->name,
                    text_string(&endpoint), text_string(&failure->detail));
    text_clear(&endpoint);
}

void addresses_note_success(struct addresses *addresses, size_t index)
{
    struct address_health *health = &addresses->healths[index];
    struct text endpoint;

    health->until_ms = 0;
    if (!health->is_down)
        return;
    health->is_down = false;
    print_endpoint(&endpoint, addresses, index);
    log_notice("backend-up", "backend %s at %s", addresses->config->name, text_string(&endpoint));
    text_clear(&endpoint);
}

/* ---- TLS where it is optional. */

static void rest_tls(struct addresses *addresses, size_t index, uint64_t now_ms)
{
    uint64_t rest_ms = TLS_RETRIES * addresses->config->retry_ms;

    addresses->healths[index].plain_until_ms =
        now_ms + (rest_ms < TLS_MAX_REST_MS ? rest_ms : TLS_MAX_REST_MS);
}

bool addresses_take_tls_trial(struct addresses *addresses, size_t index, uint64_t now_ms)
{
    const struct address_health *health = &addresses->healths[index];

    if (!health->is_tls_broken)
        return true;
    if (health->plain_until_ms > now_ms)
        return false;
    rest_tls(addresses, index, now_ms);
    return true;
}

void addresses_note_tls_failure(struct addresses *addresses, size_t index, uint64_t now_ms,
                                const char *why)
{
    struct address_health *health = &addresses->healths[index];
    struct text endpoint;

    rest_tls(addresses, index, now_ms);
    if (health->is_tls_broken)
        return;
    health->is_tls_broken = true;
    print_endpoint(&endpoint, addresses, index);
    log_warning("backend-tls-failed", "backend %s at %s: %s; mail goes there in the clear",
                addresses->config->name, text_string(&endpoint), why);
    text_clear(&endpoint);
}

void addresses_note_tls_success(struct addresses *addresses, size_t index)
{
    struct address_health *health = &addresses->healths[index];
    struct text endpoint;

    if (!health->is_tls_broken)
        return;
    health->is_tls_broken = false;
    print_endpoint(&endpoint, addresses, index);
    log_notice("backend-tls-up", "backend %s at %s: mail goes there by TLS again",
               addresses->config->name, text_string(&endpoint));
    text_clear(&endpoint);
}
