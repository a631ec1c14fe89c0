/* SPDX-License-Identifier: BSD-2-Clause */
/* What all sessions of one gate share; see shared.h. */
#include "flow/shared.h"

#include "base/memory.h"

/* A final PRDR answer has a line for each recipient; nothing of ours is longer. */
#define SCRATCH_MAX_BYTES (1024 * 1024)

/* Recipients may take as much memory again as one in so many parts of what messages may. */
#define RECIPIENT_PARTS 4

/* Extensions that are ours alone: they need nothing of a backend (DESIGN section 9). */
#define OWN_EXTENSIONS                                                                       \
    (SERVER_PIPELINING | SERVER_SIZE | SERVER_ENHANCEDSTATUSCODES | SERVER_CHUNKING | SERVER_PRDR)
/* Extensions that change what travels, and so need the backend's as well. */
#define END_TO_END_EXTENSIONS (SERVER_8BITMIME | SERVER_SMTPUTF8 | SERVER_DSN)

static struct server_options make_options(const struct config_listener *listener,
                                          const char *hostname)
{
    return (struct server_options){
        .hostname = listener->hostname != NULL ? listener->hostname : hostname,
        .greeting = listener->greeting,
        .vrfy = listener->vrfy == PROBE_HIDE ? SERVER_PROBE_HIDE : SERVER_PROBE_REFUSE,
        .expn = listener->expn == PROBE_HIDE ? SERVER_PROBE_HIDE : SERVER_PROBE_REFUSE,
        .line_ends = listener->bare_lf == BARE_LF_REFUSE ? DATA_LINE_ENDS_STRICT
                                                         : DATA_LINE_ENDS_REWRITE,
        .extensions = ~listener->withheld_extensions,
        .is_tls_required = listener->tls == LISTENER_TLS_REQUIRED,
        .max_recipients = (uint32_t)listener->max_recipients,
        .max_errors = (uint32_t)listener->max_errors,
        .max_commands_without_mail = (uint32_t)listener->max_commands_without_mail,
        .max_data_line_bytes = listener->max_line_bytes,
    };
}

static struct check_settings make_check_settings(const struct gate_settings *settings)
{
    static const enum dkim_length_policy length_policies[] = {
        [DKIM_LENGTH_WHOLE] = DKIM_LENGTH_IGNORE,
        [DKIM_LENGTH_PART] = DKIM_LENGTH_ACCEPT,
        [DKIM_LENGTH_NONE] = DKIM_LENGTH_REFUSE,
    };
    const struct config_checks *checks = &settings->config->checks;

    return (struct check_settings){
        .loop = settings->loop,
        .resolver = settings->resolver,
        .dkim = settings->dkim,
        .spf_link = settings->spf_link,
        /* A tool has no process for the second one. */
        .spf_engine = settings->spf_link != NULL ? checks->spf_engine : SPF_ENGINE_NATIVE,
        .suffixes = settings->suffixes,
        .dkim_settings = {
            .max_signatures = checks->max_signatures,
            .min_rsa_bits = (unsigned int)checks->min_key_bits,
            .length_policy = length_policies[checks->dkim_length],
            .clock_drift_s = checks->clock_drift_ms / 1000,
        },
        .max_arc_sets = checks->max_arc_sets,
        .timeout_ms = checks->timeout_ms,
        .max_questions = checks->max_questions,
        .max_void_lookups = (unsigned int)checks->max_void_lookups,
        .receiver = slice_from(settings->config->hostname),
    };
}

static struct backend *make_backend(const struct gate_settings *settings, size_t index)
{
    const struct config *config = settings->config;

    if (settings->is_trial)
        return backend_new_unasked(settings->loop, &config->backends[index], config->hostname);
    return backend_new(settings->loop, &config->backends[index], settings->tls_clients[index],
                       settings->spill, config->hostname);
}

struct shared *shared_new(const struct gate_settings *settings)
{
    const struct config *config = settings->config;
    struct shared *shared = mem_new(sizeof *shared);

    shared->settings = *settings;
    shared->spool_budget.max_bytes = config->max_spool_memory_bytes;
    shared->recipient_budget.max_bytes = config->max_spool_memory_bytes / RECIPIENT_PARTS;
    hoard_init(&shared->holders);
    hoard_init(&shared->writers);
    shared->checks = make_check_settings(settings);
    text_init(&shared->scratch, SCRATCH_MAX_BYTES);
    shared->backends = mem_new_array(config->backend_count, sizeof(*shared->backends));
    for (size_t i = 0; i < config->backend_count; i++)
        shared->backends[i] = make_backend(settings, i);
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].identity == IDENTITY_XCLIENT)
            shared->names_local_address = true;
    shared->options = mem_new_array(config->listener_count, sizeof(*shared->options));
    shared->limits = mem_new_array(config->listener_count, sizeof(*shared->limits));
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];

        shared->options[i] = make_options(listener, config->hostname);
        shared->limits[i].max_header_bytes = listener->max_header_bytes;
        shared->limits[i].max_header_fields = listener->max_header_fields;
    }
    return shared;
}

void shared_free(struct shared **handle)
{
    struct shared *shared = *handle;

    if (shared == NULL)
        return;
    for (size_t i = 0; i < shared->settings.config->backend_count; i++)
        backend_free(&shared->backends[i]);
    mem_free(shared->backends);
    mem_free(shared->options);
    mem_free(shared->limits);
    text_clear(&shared->scratch);
    mem_free(shared);
    *handle = NULL;
}

struct backend *shared_get_backend(const struct shared *shared,
                                   const struct config_backend *config)
{
    return shared->backends[config - shared->settings.config->backends];
}

static bool has_tls(const struct shared *shared, size_t listener_index)
{
    return shared->settings.tls_servers[listener_index] != NULL;
}

/* May mail that comes this way end up at this backend? */
static bool reaches(const struct shared *shared, const struct config_relay *relay,
                    const struct config_backend *backend)
{
    if (relay != NULL)
        return relay->backend == backend;
    return policy_book_reaches(shared->settings.book, backend);
}

/* The smaller of two limits of which 0 means none. */
static uint64_t tighter_limit(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a > b ? a : b;
    return a < b ? a : b;
}

struct shared_offer shared_offer_for(const struct shared *shared, size_t listener_index,
                                     const struct config_relay *relay)
{
    const struct config *config = shared->settings.config;
    unsigned int end_to_end = END_TO_END_EXTENSIONS;
    uint64_t largest_backend = 0;
    bool is_unlimited = false;
    uint64_t policy_limit;

    for (size_t i = 0; i < config->backend_count; i++) {
        uint64_t limit;

        if (!reaches(shared, relay, &config->backends[i]))
            continue;
        end_to_end &= backend_extensions(shared->backends[i]);
        limit = backend_max_size(shared->backends[i]);
        is_unlimited = is_unlimited || limit == 0;
        if (limit > largest_backend)
            largest_backend = limit;
    }
    if (relay != NULL)
        policy_limit = policy_book_get_relay(shared->settings.book, relay)->max_size_bytes;
    else
        policy_limit = policy_book_largest_size(shared->settings.book);
    return (struct shared_offer){
        .extensions = OWN_EXTENSIONS | end_to_end |
                      (has_tls(shared, listener_index) ? SERVER_STARTTLS : 0),
        .max_size_bytes = tighter_limit(policy_limit, is_unlimited ? 0 : largest_backend),
    };
}

void shared_log(const struct shared *shared, const struct record *record)
{
    struct text lines;

    text_init(&lines, record_max_bytes(record->recipient_count));
    record_print(&lines, record, &shared->settings.style);
    log_ring_write(shared->settings.log, text_slice(&lines));
    text_clear(&lines);
}
