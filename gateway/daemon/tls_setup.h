/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration's blocks and the bytes of certificates and keys to the
 * contexts of net/tls: the same for the loader, which only tries, and for the
 * workers.
 */
#ifndef POSTERN_DAEMON_TLS_SETUP_H
#define POSTERN_DAEMON_TLS_SETUP_H

#include <stddef.h>

#include "base/text.h"
#include "config/config.h"
#include "config/sources.h"
#include "net/tls.h"

/* What backends are verified against when their block names no file. */
#define TLS_SETUP_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/*
 * The certificate of a block; false and a sentence when chain or key cannot be read. Its bytes are
 * borrowed from `secrets`, its names from the configuration.
 */
bool tls_setup_read(const struct config_certificate *config, struct sources *secrets,
                    struct tls_certificate *certificate, struct text *problem)
    __attribute__((warn_unused_result));
/* The context of a listener that has TLS. NULL and a sentence when there can be none. */
struct tls_server *tls_setup_server(const struct config *config, size_t listener_index,
                                    struct sources *secrets, const struct tls_ticket_keys *keys,
                                    struct text *problem) __attribute__((warn_unused_result));

/* Does the block ask for TLS at all? */
bool tls_setup_has_client(const struct config_backend *backend);
/* The context towards such a backend; likewise. */
struct tls_client *tls_setup_client(const struct config_backend *backend, struct sources *secrets,
                                    struct text *problem) __attribute__((warn_unused_result));

#endif
