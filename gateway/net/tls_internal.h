/* SPDX-License-Identifier: BSD-2-Clause */
/* What the TLS contexts give to the stream and to nobody else: the door to libssl. */
#ifndef POSTERN_NET_TLS_INTERNAL_H
#define POSTERN_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* A connection of this context, without a socket; the context lives on until its last unref. */
SSL *tls_server_open(struct tls_server *server);
void tls_server_unref(struct tls_server *server);
/* NULL when `name` must be verified and is NULL, or can be no name. */
SSL *tls_client_open(struct tls_client *client, const char *name);
void tls_client_unref(struct tls_client *client);

/*
 * OpenSSL's words for the oldest error in its queue: "no shared cipher". NULL when there is none.
 * Static.
 */
const char *tls_error_text(void);

#endif
