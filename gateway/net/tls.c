/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS contexts; see tls.h. A server has one OpenSSL context for each certificate;
 * the name the client asks for picks one. A connection that cannot be encrypted
 * well is worth more than one that is not encrypted at all, where nothing is
 * verified: so the lists are wide where the owner lowers the version, and never
 * hold a cipher without authentication or with a broken one.
 */
#include "net/tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/ip.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/tls_internal.h"

/* TLS 1.2 and below, best first; 1.3 has its own. Plain RSA key exchange last, for old peers. */
#define CIPHERS \
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:RSA+AESGCM:RSA+AES:" \
    "!aNULL:!eNULL:!MD5:!DSS:!PSK:!SRP:!CCM"
static char groups[] = "X25519:P-256:P-384"; /* not const: OpenSSL's macro casts that away */

#define KEY_NAME_BYTES 16
#define KEY_AES_BYTES 32
#define KEY_HMAC_BYTES 32
#define KEY_BYTES (KEY_NAME_BYTES + KEY_AES_BYTES + KEY_HMAC_BYTES)
_Static_assert(TLS_TICKET_KEYS_BYTES == 2 * KEY_BYTES, "the present and the previous key");

struct tls_server {
    unsigned int references;
    struct tls_ticket_keys keys;
    SSL_CTX **contexts;    /* owned; one for each certificate, the default first */
    size_t context_count;
    struct map names;      /* lower case, wildcards as "*.example.org" -> SSL_CTX, lent */
};

struct tls_client {
    unsigned int references;
    SSL_CTX *context;      /* owned */
    enum tls_verify verify;
};

const char *tls_error_text(void)
{
    unsigned long code = ERR_peek_error();
    const char *words = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    if (words == NULL && code != 0)
        return "unknown error";
    return words;
}

/* ---- What servers and clients have in common. */

void tls_read_system_settings(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

static int version_number(enum tls_version version)
{
    static const int numbers[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };

    return numbers[version];
}

static SSL_CTX *new_context(const SSL_METHOD *method, enum tls_version lowest, int security_level)
{
    SSL_CTX *context = SSL_CTX_new(method);
    uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF
                       | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE
                       | SSL_OP_PRIORITIZE_CHACHA;
    bool is_done;

    /* TLS 1.0 and 1.1 sign with SHA-1 and MD5, which no level above 0 allows. */
    if (lowest < TLS_VERSION_1_2)
        security_level = 0;
    assert(context != NULL);
    SSL_CTX_set_security_level(context, security_level);
    SSL_CTX_set_options(context, options);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    is_done = SSL_CTX_set_min_proto_version(context, version_number(lowest)) == 1
              && SSL_CTX_set_cipher_list(context, CIPHERS) == 1
              && SSL_CTX_set1_groups_list(context, groups) == 1;
    assert(is_done);
    (void)is_done;
    return context;
}

/* Never asks on a terminal. */
static int refuse_password(char *buffer, int size, int is_writing, void *owner)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)owner;
    return -1;
}

static BIO *open_bytes(struct slice bytes)
{
    BIO *bio = BIO_new_mem_buf(bytes.length > 0 ? bytes.data : "",
                               bytes.length < INT_MAX ? (int)bytes.length : INT_MAX);

    assert(bio != NULL);
    return bio;
}

/* The next certificate; NULL at the end, or when it does not parse: then `*is_bad`. */
static X509 *read_certificate(BIO *bio, bool *is_bad)
{
    X509 *certificate;
    unsigned long code;

    ERR_clear_error();
    certificate = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
    code = ERR_peek_last_error();
    *is_bad = certificate == NULL
              && !(ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
    ERR_clear_error();
    return certificate;
}

static X509 *read_leaf(struct slice chain_pem)
{
    BIO *bio = open_bytes(chain_pem);
    bool is_bad;
    X509 *leaf = read_certificate(bio, &is_bad);

    BIO_free(bio);
    return leaf;
}

bool tls_certificate_read_expiry(struct slice chain_pem, int64_t *expires_at)
{
    X509 *leaf = read_leaf(chain_pem);
    struct tm time;
    bool is_read = leaf != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &time) == 1;

    if (is_read)
        *expires_at = timegm(&time);
    X509_free(leaf);
    return is_read;
}

bool tls_certificate_serves(struct slice chain_pem, const char *name)
{
    X509 *leaf = read_leaf(chain_pem);
    unsigned int flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    bool serves = leaf != NULL && name[0] != '\0'
                  && X509_check_host(leaf, name, 0, flags, NULL) == 1;

    X509_free(leaf);
    return serves;
}

/* ---- Tickets (RFC 5077, RFC 8446 4.6.1). */

void tls_ticket_keys_make(struct tls_ticket_keys *keys)
{
    crypto_random(keys->bytes, sizeof keys->bytes);
}

void tls_ticket_keys_rotate(struct tls_ticket_keys *keys)
{
    memcpy(keys->bytes + KEY_BYTES, keys->bytes, KEY_BYTES);
    crypto_random(keys->bytes, KEY_BYTES);
}

/* The key of this name, or NULL. */
static uint8_t *find_ticket_key(struct tls_ticket_keys *keys, const unsigned char *name)
{
    for (size_t i = 0; i < 2; i++)
        if (memcmp(keys->bytes + i * KEY_BYTES, name, KEY_NAME_BYTES) == 0)
            return keys->bytes + i * KEY_BYTES;
    return NULL;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb wants it: 0 no ticket, 1 good, 2 good but issue anew. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_new)
{
    struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint8_t *key = is_new ? server->keys.bytes : find_ticket_key(&server->keys, name);
    char digest[] = "sha256";
    OSSL_PARAM parameters[3];
    bool is_ready;

    if (key == NULL)
        return 0;
    if (is_new) {
        memcpy(name, key, KEY_NAME_BYTES);
        crypto_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    }
    parameters[0] = OSSL_PARAM_construct_octet_string(
        OSSL_MAC_PARAM_KEY, key + KEY_NAME_BYTES + KEY_AES_BYTES, KEY_HMAC_BYTES);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[2] = OSSL_PARAM_construct_end();
    is_ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + KEY_NAME_BYTES, iv,
                                 is_new) == 1
               && EVP_MAC_CTX_set_params(mac, parameters) == 1;
    if (!is_ready)
        return is_new ? -1 : 0;
    return is_new || key == server->keys.bytes ? 1 : 2;
}

/* ---- Servers. */

/* The context for `name` as the client gave it, or NULL. Exact names win over wildcards. */
static SSL_CTX *find_context(const struct tls_server *server, const char *name)
{
    char lower[TLSEXT_MAXLEN_host_name + 1];
    struct slice wanted = slice_from(name);
    struct slice key;
    SSL_CTX *context;
    size_t dot;

    if (wanted.length > 0 && wanted.data[wanted.length - 1] == '.')
        wanted.length--;
    if (wanted.length >= sizeof lower)
        return NULL;
    for (size_t i = 0; i < wanted.length; i++)
        lower[i] = ascii_lower(wanted.data[i]);
    key = (struct slice){ lower, wanted.length };
    context = map_find(&server->names, key);
    if (context != NULL || !slice_find_byte(key, '.', &dot) || dot == 0)
        return context;
    /* "*.example.org" stands for one label and no more (RFC 6125 6.4.3). */
    lower[dot - 1] = '*';
    return map_find(&server->names, slice_from_offset(key, dot - 1));
}

static int on_server_name(SSL *ssl, int *alert, void *owner)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *context;

    (void)alert;
    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    context = find_context(owner, name);
    if (context == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
}

static bool say(struct text *problem, const struct tls_certificate *certificate, const char *what)
{
    const char *words = tls_error_text();

    text_add_format(problem, "%s: %s", certificate->origin, what);
    if (words != NULL)
        text_add_format(problem, ": %s", words);
    return false;
}

/* The leaf, which must be there, and the rest of the chain. False with a sentence. */
static bool use_chain(SSL_CTX *context, BIO *bio, const struct tls_certificate *certificate,
                      struct text *problem)
{
    bool is_bad;
    X509 *next = read_certificate(bio, &is_bad);
    bool is_used;

    if (next == NULL)
        return say(problem, certificate,
                   is_bad ? "the certificate does not parse" : "holds no certificate");
    is_used = SSL_CTX_use_certificate(context, next) == 1;
    X509_free(next);
    if (!is_used)
        return say(problem, certificate, "the certificate is refused");
    while ((next = read_certificate(bio, &is_bad)) != NULL)
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            return say(problem, certificate, "a certificate of the chain is refused");
        }
    return !is_bad || say(problem, certificate, "a certificate of the chain does not parse");
}

static bool use_key(SSL_CTX *context, const struct tls_certificate *certificate,
                    struct text *problem)
{
    BIO *bio = open_bytes(certificate->key_pem);
    EVP_PKEY *key;
    bool is_used;

    ERR_clear_error();
    key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    if (key == NULL)
        return say(problem, certificate, "its key cannot be read (none, damaged, or encrypted)");
    is_used = SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return is_used || say(problem, certificate, "its key does not belong to the certificate");
}

static SSL_CTX *new_server_context(struct tls_server *server,
                                   const struct tls_certificate *certificate,
                                   enum tls_version lowest, struct text *problem)
{
    static const unsigned char session_id_context[] = "postern";
    SSL_CTX *context = new_context(TLS_server_method(), lowest, 2);
    BIO *bio = open_bytes(certificate->chain_pem);
    bool is_good = use_chain(context, bio, certificate, problem)
                   && use_key(context, certificate, problem);

    BIO_free(bio);
    if (!is_good) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_session_id_context(context, session_id_context, sizeof session_id_context - 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    SSL_CTX_set_num_tickets(context, 1);
    return context;
}

static void add_names(struct tls_server *server, const struct tls_certificate *certificate,
                      SSL_CTX *context)
{
    for (size_t i = 0; i < certificate->name_count; i++) {
        struct slice name = slice_from(certificate->names[i]);
        char *lower = mem_copy(name);

        for (size_t k = 0; k < name.length; k++)
            lower[k] = ascii_lower(lower[k]);
        /* The first certificate that names it serves it. */
        if (map_find(&server->names, slice_from(lower)) == NULL)
            (void)map_set(&server->names, slice_from(lower), context);
        mem_free(lower);
    }
}

struct tls_server *tls_server_new(const struct tls_certificate *certificates, size_t count,
                                  enum tls_version lowest, const struct tls_ticket_keys *keys,
                                  struct text *problem)
{
    struct tls_server *server = mem_new(sizeof *server);

    assert(count > 0);
    server->references = 1;
    server->keys = *keys;
    server->contexts = mem_new_array(count, sizeof(*server->contexts));
    map_init(&server->names);
    for (size_t i = 0; i < count; i++) {
        SSL_CTX *context = new_server_context(server, &certificates[i], lowest, problem);

        if (context == NULL) {
            tls_server_free(&server);
            return NULL;
        }
        server->contexts[server->context_count++] = context;
        add_names(server, &certificates[i], context);
    }
    return server;
}

void tls_server_unref(struct tls_server *server)
{
    if (--server->references > 0)
        return;
    map_clear(&server->names);
    for (size_t i = 0; i < server->context_count; i++)
        SSL_CTX_free(server->contexts[i]);
    mem_free(server->contexts);
    mem_free(server);
}

void tls_server_free(struct tls_server **server)
{
    if (*server != NULL)
        tls_server_unref(*server);
    *server = NULL;
}

void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_keys *keys)
{
    server->keys = *keys;
}

SSL *tls_server_open(struct tls_server *server)
{
    SSL *ssl = SSL_new(server->contexts[0]);

    assert(ssl != NULL);
    SSL_set_accept_state(ssl);
    server->references++;
    return ssl;
}

/* ---- Clients. */

/* False with a sentence when there is no CA in it, or one does not parse. */
static bool trust(SSL_CTX *context, struct slice ca_pem, struct text *problem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    BIO *bio = open_bytes(ca_pem);
    X509 *authority;
    bool is_bad = false;
    size_t count = 0;

    while ((authority = read_certificate(bio, &is_bad)) != NULL) {
        count += X509_STORE_add_cert(store, authority) == 1;
        X509_free(authority);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (is_bad)
        text_add_format(problem, "CA certificate %zu does not parse", count + 1);
    else if (count == 0)
        text_add_string(problem, "there is no CA certificate to verify with");
    return !is_bad && count > 0;
}

struct tls_client *tls_client_new(enum tls_verify verify, struct slice ca_pem,
                                  enum tls_version lowest, struct text *problem)
{
    /* Where nobody's name is checked, a short key still keeps listeners out. */
    int security_level = verify == TLS_VERIFY_NAME ? 2 : 1;
    SSL_CTX *context = new_context(TLS_client_method(), lowest, security_level);
    struct tls_client *client;

    /* Servers of that age do not know RFC 5746; and renegotiation is off on our side anyway. */
    if (lowest < TLS_VERSION_1_2)
        SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    if (verify == TLS_VERIFY_NAME) {
        if (!trust(context, ca_pem, problem)) {
            SSL_CTX_free(context);
            return NULL;
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    client = mem_new(sizeof *client);
    client->references = 1;
    client->context = context;
    client->verify = verify;
    return client;
}

void tls_client_unref(struct tls_client *client)
{
    if (--client->references > 0)
        return;
    SSL_CTX_free(client->context);
    mem_free(client);
}

void tls_client_free(struct tls_client **client)
{
    if (*client != NULL)
        tls_client_unref(*client);
    *client = NULL;
}

/* The name to ask for (RFC 6066 3). OpenSSL's macro casts its constness away: hence the copy. */
static bool ask_for(SSL *ssl, const char *name)
{
    char *copy = mem_copy(slice_from(name));
    bool is_set = SSL_set_tlsext_host_name(ssl, copy) == 1;

    mem_free(copy);
    return is_set;
}

/* False when `name` can be no name. */
static bool set_name(SSL *ssl, const char *name, bool is_verified)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    struct ip_address address;
    bool is_address = ip_parse(slice_from(name), &address);

    if (!is_address && !ask_for(ssl, name))
        return false;
    if (!is_verified)
        return true;
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1;
    return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1;
}

SSL *tls_client_open(struct tls_client *client, const char *name)
{
    bool is_verified = client->verify == TLS_VERIFY_NAME;
    /* An empty name would be "any name" to OpenSSL. */
    bool has_name = name != NULL && name[0] != '\0';
    SSL *ssl;

    if (is_verified && !has_name)
        return NULL;
    ssl = SSL_new(client->context);
    assert(ssl != NULL);
    if (has_name && !set_name(ssl, name, is_verified)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    client->references++;
    return ssl;
}
