/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS contexts. Certificates and keys come as bytes, never as paths: a worker
 * opens no files. A context is immutable once made; a reload makes a new one,
 * and streams that began with the old one keep it alive by reference.
 */
#ifndef POSTERN_NET_TLS_H
#define POSTERN_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/* What a finished handshake came to, for log, Received header and policy. */
struct tls_info {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* OpenSSL's name */
    int bits;            /* strength of the cipher */
    char server_name[256];  /* the SNI asked for (server) or sent (client); "" for none */
    bool is_resumed;
    bool is_verified;    /* the peer's certificate was checked and its name matched */
};

enum tls_version { TLS_VERSION_1_0, TLS_VERSION_1_1, TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* One certificate of a server. */
struct tls_certificate {
    const char *const *names; /* the SNI names it serves, "*.example.org" allowed; the first
                                 certificate is also the answer to no and unknown names */
    size_t name_count;
    struct slice chain_pem; /* leaf first */
    struct slice key_pem;   /* not encrypted */
    const char *origin;     /* for messages, such as "/etc/postern/mx.pem" */
};

/* Shared by all workers and over reloads, so that any of them can resume a session. */
#define TLS_TICKET_KEYS_BYTES 160
struct tls_ticket_keys {
    uint8_t bytes[TLS_TICKET_KEYS_BYTES]; /* present and previous: name 16, AES 32, HMAC 32 */
};
void tls_ticket_keys_make(struct tls_ticket_keys *keys);
/* The present key becomes the previous one, a new one takes its place. */
void tls_ticket_keys_rotate(struct tls_ticket_keys *keys);

/*
 * What the system's owner has set for all programs (openssl.cnf). Read at the first use of TLS, or
 * here: for a process that will not be able to open files by then.
 */
void tls_read_system_settings(void);

struct tls_server;

/*
 * NULL and a sentence in `problem` when a chain or key does not parse, does not
 * match, or is refused by the security level.
 */
struct tls_server *tls_server_new(const struct tls_certificate *certificates, size_t count,
                                  enum tls_version lowest, const struct tls_ticket_keys *keys,
                                  struct text *problem);
void tls_server_free(struct tls_server **server);
/* For rotation: used from the next handshake on. */
void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_keys *keys);

/* When the leaf certificate in `chain_pem` runs out, in seconds since 1970; false if unreadable. */
bool tls_certificate_read_expiry(struct slice chain_pem, int64_t *expires_at);
/* Does the leaf certificate serve `name` (subjectAltName, RFC 6125)? */
bool tls_certificate_serves(struct slice chain_pem, const char *name);

enum tls_verify {
    TLS_VERIFY_NOTHING, /* encrypt, whoever it is */
    TLS_VERIFY_NAME,    /* a chain to a known CA, and the name in it */
};

struct tls_client;

/* `ca_pem` empty: the system's CA bundle bytes must have been given there if TLS_VERIFY_NAME. */
struct tls_client *tls_client_new(enum tls_verify verify, struct slice ca_pem,
                                  enum tls_version lowest, struct text *problem);
void tls_client_free(struct tls_client **client);

#endif
