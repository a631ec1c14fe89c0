/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of TLS share: certificates made on the spot, and two streams that meet. */
#ifndef POSTERN_TESTS_TLS_UNIT_H
#define POSTERN_TESTS_TLS_UNIT_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/stream.h"
#include "net/tls.h"
#include "net_unit.h"

/* ---- certificates ---- */

/* A certificate and its key, as OpenSSL has them and as PEM. */
struct paper {
    EVP_PKEY *key;
    X509 *certificate;
    char chain_pem[4096];
    char key_pem[2048];
};

static struct paper authority;
static struct paper mx;       /* mx.example.org, *.mail.example.org */
static struct paper other;    /* other.example */
static struct paper expired;  /* mx.example.org, until yesterday */
static struct paper stranger; /* mx.example.org, signed by itself */

/* Fills in the PEM forms. */
static inline void print_pem(struct paper *paper)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    long length;

    ck_assert_int_eq(PEM_write_bio_X509(bio, paper->certificate), 1);
    length = BIO_get_mem_data(bio, &bytes);
    snprintf(paper->chain_pem, sizeof paper->chain_pem, "%.*s", (int)length, bytes);
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, paper->key, NULL, NULL, 0, NULL, NULL), 1);
    length = BIO_get_mem_data(bio, &bytes);
    snprintf(paper->key_pem, sizeof paper->key_pem, "%.*s", (int)length, bytes);
    BIO_free(bio);
}

/* `kind` is an NID, `value` as in openssl.cnf. */
static inline void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* `signer` NULL: signed by itself. `names` as for subjectAltName; NULL makes a CA. */
static inline void make_paper(struct paper *paper, const struct paper *signer,
                              const char *names, int days)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    const char *name = names == NULL ? "Test CA" : "test";
    const struct paper *by = signer != NULL ? signer : paper;

    paper->key = EVP_EC_gen("P-256");
    paper->certificate = certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -100L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate));
    X509_set_pubkey(certificate, paper->key);
    if (names == NULL)
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(certificate, NID_subject_alt_name, names);
    ck_assert_int_ne(X509_sign(certificate, by->key, EVP_sha256()), 0);
    print_pem(paper);
}

static inline void free_paper(struct paper *paper)
{
    EVP_PKEY_free(paper->key);
    X509_free(paper->certificate);
}

static inline void make_papers(void)
{
    make_paper(&authority, NULL, NULL, 100);
    make_paper(&mx, &authority, "DNS:mx.example.org,DNS:*.mail.example.org,IP:192.0.2.7", 100);
    make_paper(&other, &authority, "DNS:other.example", 100);
    make_paper(&expired, &authority, "DNS:mx.example.org", -1);
    make_paper(&stranger, NULL, "DNS:mx.example.org", 100);
}

static inline void free_papers(void)
{
    free_paper(&authority);
    free_paper(&mx);
    free_paper(&other);
    free_paper(&expired);
    free_paper(&stranger);
}

/* ---- two streams that meet ---- */

static struct loop *loop;
static struct net_end server_end;
static struct net_end client_end;
static struct tls_ticket_keys keys;
static struct text problem;

static const char *const mx_names[] = { "MX.example.org", "*.mail.example.org" };
static const char *const other_names[] = { "other.example" };

/* With one certificate, for mx_names, or with a second, for other_names. */
static inline struct tls_server *new_server(const struct paper *first, const struct paper *second,
                                     enum tls_version lowest)
{
    struct tls_certificate certificates[2] = {
        { mx_names, 2, slice_from(first->chain_pem), slice_from(first->key_pem), "first.pem" },
        { other_names, 1, SLICE_EMPTY, SLICE_EMPTY, "second.pem" },
    };
    struct tls_server *server;

    if (second != NULL) {
        certificates[1].chain_pem = slice_from(second->chain_pem);
        certificates[1].key_pem = slice_from(second->key_pem);
    }
    server = tls_server_new(certificates, second != NULL ? 2 : 1, lowest, &keys, &problem);
    ck_assert_msg(server != NULL, "%s", text_string(&problem));
    return server;
}

/* It knows `authority`. */
static inline struct tls_client *new_client(enum tls_verify verify)
{
    struct tls_client *client = tls_client_new(verify, slice_from(authority.chain_pem),
                                               TLS_VERSION_1_2, &problem);

    ck_assert_msg(client != NULL, "%s", text_string(&problem));
    return client;
}

/* Connects client_end and server_end, plain. */
static inline void meet(void)
{
    int fds[2];

    net_socketpair(fds);
    net_end_init(&server_end, loop, fds[0]);
    net_end_init(&client_end, loop, fds[1]);
}

/* Frees them. */
static inline void part(void)
{
    net_end_clear(&client_end);
    net_end_clear(&server_end);
}

/* The fixture. */
static inline void set_up(void)
{
    loop = loop_new();
    text_init(&problem, 500);
    tls_ticket_keys_make(&keys);
    meet();
}

/* Its end. */
static inline void tear_down(void)
{
    part();
    text_clear(&problem);
    loop_free(&loop);
}

/* Both sides know how it went. */
static inline void shake_hands(struct tls_server *server, struct tls_client *client,
                               const char *name)
{
    ck_assert(stream_accept_tls(server_end.stream, server));
    ck_assert(stream_connect_tls(client_end.stream, client, name));
    net_run_until(loop, "the client's handshake", net_is_secured, &client_end);
    net_run_until(loop, "the server's handshake", net_is_secured, &server_end);
}

/* A case with the fixture, in the suite. */
static inline TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_papers, free_papers);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}

#endif
