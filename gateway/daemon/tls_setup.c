/* SPDX-License-Identifier: BSD-2-Clause */
/* Contexts of TLS from the configuration; see tls_setup.h. */
#include "daemon/tls_setup.h"

#include "base/memory.h"

/* config/ may not know net/, so it has an enum of its own in the same order. */
_Static_assert((int)TLS_LOWEST_1_0 == (int)TLS_VERSION_1_0 &&
                   (int)TLS_LOWEST_1_3 == (int)TLS_VERSION_1_3,
               "both enums count the versions alike");

static bool read_secret(struct sources *secrets, const char *path, struct slice *bytes,
                        struct text *problem)
{
    struct text reason;
    bool is_read;

    text_init(&reason, 200);
    is_read = sources_get_file(secrets, path, bytes, &reason);
    if (!is_read)
        text_add_format(problem, "cannot read %s: %s", path, text_string(&reason));
    text_clear(&reason);
    return is_read;
}

bool tls_setup_read(const struct config_certificate *config, struct sources *secrets,
                    struct tls_certificate *certificate, struct text *problem)
{
    *certificate = (struct tls_certificate){ .names = (const char *const *)config->names,
                                             .name_count = config->name_count,
                                             .origin = config->chain_path };
    return read_secret(secrets, config->chain_path, &certificate->chain_pem, problem) &&
           read_secret(secrets, config->key_path, &certificate->key_pem, problem);
}

struct tls_server *tls_setup_server(const struct config *config, size_t listener_index,
                                    struct sources *secrets, const struct tls_ticket_keys *keys,
                                    struct text *problem)
{
    struct tls_certificate *certificates =
        mem_new_array(config->certificate_count, sizeof *certificates);
    enum tls_version lowest =
        (enum tls_version)config->listeners[listener_index].tls_lowest;
    struct tls_server *server = NULL;
    size_t count = 0;

    while (count < config->certificate_count &&
           tls_setup_read(&config->certificates[count], secrets, &certificates[count], problem))
        count++;
    if (count == config->certificate_count)
        server = tls_server_new(certificates, count, lowest, keys, problem);
    mem_free(certificates);
    return server;
}

/* The file that a backend's certificate is checked against; NULL when it is not checked. */
static const char *find_ca_path(const struct config_backend *backend)
{
    if (backend->tls != BACKEND_TLS_VERIFIED)
        return NULL;
    return backend->tls_ca_path != NULL ? backend->tls_ca_path : TLS_SETUP_SYSTEM_CA;
}

/* Old versions are taken where nothing at all would be the other choice, and nowhere else. */
static enum tls_version find_lowest(const struct config_backend *backend)
{
    if (backend->tls_lowest != TLS_LOWEST_AUTO)
        return (enum tls_version)backend->tls_lowest;
    return backend->tls == BACKEND_TLS_OPTIONAL && !backend->is_tls_implicit ? TLS_VERSION_1_0
                                                                            : TLS_VERSION_1_2;
}

bool tls_setup_has_client(const struct config_backend *backend)
{
    return backend->tls != BACKEND_TLS_OFF || backend->is_tls_implicit;
}

struct tls_client *tls_setup_client(const struct config_backend *backend, struct sources *secrets,
                                    struct text *problem)
{
    const char *ca_path = find_ca_path(backend);
    struct slice ca_pem = SLICE_EMPTY;

    if (ca_path != NULL && !read_secret(secrets, ca_path, &ca_pem, problem))
        return NULL;
    return tls_client_new(ca_path != NULL ? TLS_VERIFY_NAME : TLS_VERIFY_NOTHING, ca_pem,
                          find_lowest(backend), problem);
}
