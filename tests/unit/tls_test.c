/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tls and TLS on net/stream, both sides through streams; certificates are made here. */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
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

static void print_pem(struct paper *paper)
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

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* `signer` NULL: signed by itself. `names` as for subjectAltName; NULL makes a CA. */
static void make_paper(struct paper *paper, const struct paper *signer, const char *names, int days)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    const char *name = names == NULL ? "Test CA" : "test";

    paper->key = EVP_EC_gen("P-256");
    paper->certificate = certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -100L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         X509_get_subject_name(signer != NULL ? signer->certificate : certificate));
    X509_set_pubkey(certificate, paper->key);
    if (names == NULL)
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(certificate, NID_subject_alt_name, names);
    ck_assert_int_ne(X509_sign(certificate, signer != NULL ? signer->key : paper->key, EVP_sha256()),
                     0);
    print_pem(paper);
}

static void free_paper(struct paper *paper)
{
    EVP_PKEY_free(paper->key);
    X509_free(paper->certificate);
}

static void make_papers(void)
{
    make_paper(&authority, NULL, NULL, 100);
    make_paper(&mx, &authority, "DNS:mx.example.org,DNS:*.mail.example.org,IP:192.0.2.7", 100);
    make_paper(&other, &authority, "DNS:other.example", 100);
    make_paper(&expired, &authority, "DNS:mx.example.org", -1);
    make_paper(&stranger, NULL, "DNS:mx.example.org", 100);
}

static void free_papers(void)
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

static struct tls_server *new_server(const struct paper *first, const struct paper *second,
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

static struct tls_client *new_client(enum tls_verify verify)
{
    struct tls_client *client = tls_client_new(verify, slice_from(authority.chain_pem),
                                               TLS_VERSION_1_2, &problem);

    ck_assert_msg(client != NULL, "%s", text_string(&problem));
    return client;
}

static void meet(void)
{
    int fds[2];

    net_socketpair(fds);
    net_end_init(&server_end, loop, fds[0]);
    net_end_init(&client_end, loop, fds[1]);
}

static void part(void)
{
    net_end_clear(&client_end);
    net_end_clear(&server_end);
}

static void set_up(void)
{
    loop = loop_new();
    text_init(&problem, 500);
    tls_ticket_keys_make(&keys);
    meet();
}

static void tear_down(void)
{
    part();
    text_clear(&problem);
    loop_free(&loop);
}

/* Both sides know how it went. */
static void shake_hands(struct tls_server *server, struct tls_client *client, const char *name)
{
    ck_assert(stream_accept_tls(server_end.stream, server));
    ck_assert(stream_connect_tls(client_end.stream, client, name));
    net_run_until(loop, "the client's handshake", net_is_secured, &client_end);
    net_run_until(loop, "the server's handshake", net_is_secured, &server_end);
}

START_TEST(starttls_keeps_plain_and_secret_apart_and_both_sides_know_the_terms)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NAME);
    const struct tls_info *info;

    ck_assert_ptr_null(stream_tls_info(server_end.stream));
    stream_write(server_end.stream, SLICE("220 go ahead\r\n"));
    ck_assert(stream_accept_tls(server_end.stream, server));
    stream_write(server_end.stream, SLICE("secret"));
    net_wait_for_bytes(loop, &client_end, 14);
    unit_expect_text("plain part", &client_end.input, SLICE("220 go ahead\r\n"));
    ck_assert(stream_connect_tls(client_end.stream, client, "mx.example.org"));
    ck_assert_ptr_null(stream_tls_info(client_end.stream));
    stream_write(client_end.stream, SLICE("EHLO again\r\n"));
    net_wait_for_bytes(loop, &server_end, 12);
    net_wait_for_bytes(loop, &client_end, 20);
    unit_expect_text("at the server", &server_end.input, SLICE("EHLO again\r\n"));
    unit_expect_text("at the client", &client_end.input, SLICE("220 go ahead\r\nsecret"));
    ck_assert_uint_eq(server_end.secured, 1);
    ck_assert_uint_eq(client_end.secured, 1);
    info = stream_tls_info(client_end.stream);
    ck_assert_str_eq(info->version, "TLSv1.3");
    ck_assert_str_eq(info->cipher, "TLS_AES_256_GCM_SHA384");
    ck_assert_int_eq(info->bits, 256);
    ck_assert(info->is_verified);
    ck_assert(!info->is_resumed);
    info = stream_tls_info(server_end.stream);
    ck_assert_str_eq(info->version, "TLSv1.3");
    ck_assert_str_eq(info->server_name, "mx.example.org");
    ck_assert(!info->is_verified);
    ck_assert(!stream_accept_tls(server_end.stream, server));
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

START_TEST(plaintext_behind_starttls_is_never_taken_for_a_secret)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);

    /* Read already: refused. */
    server_end.leaves_input = true;
    stream_write(client_end.stream, SLICE("STARTTLS\r\nMAIL FROM:<a@b>\r\n"));
    net_run_until(loop, "input", net_has_input, &server_end);
    stream_consume(server_end.stream, 10);
    ck_assert(!stream_accept_tls(server_end.stream, server));
    ck_assert_uint_eq(server_end.ends, 0);
    stream_consume(server_end.stream, stream_input(server_end.stream).length);
    /* Still on its way: read as TLS, which it is not. */
    stream_write(client_end.stream, SLICE("RCPT TO:<c@d>\r\n"));
    stream_pause(server_end.stream);
    net_run_for(loop, 5);
    ck_assert(stream_accept_tls(server_end.stream, server));
    net_run_until(loop, "the end", net_has_ended, &server_end);
    ck_assert_int_eq(server_end.end, STREAM_END_TLS_FAILED);
    ck_assert_str_eq(server_end.detail, "the peer speaks no TLS: first bytes 'RCPT TO:'");
    ck_assert_uint_eq(server_end.inputs, 1);
    tls_server_free(&server);
}
END_TEST

START_TEST(what_is_no_tls_gets_a_clear_word)
{
    static const struct {
        struct slice sent;
        bool closes;
        const char *want;
    } cases[] = {
        { BYTES("GET / HTTP/1.1\r\n"), false, "the peer speaks no TLS: first bytes 'GET / HT'" },
        { BYTES("\0\1"), false, "the peer speaks no TLS: first bytes '\\x00\\x01'" },
        { BYTES("\x16\x03\x01\0\x05GARBAGE"), false, "unexpected message" },
        { BYTES("\x16\x03\x01"), true, "the peer closed the connection during the handshake" },
        { BYTES(""), true, "the peer closed the connection during the handshake" },
        { BYTES("\x15\x03\x01\0\2\2\x28"), false, "unexpected message" },
    };
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);

    for (size_t i = 0; i < COUNT(cases); i++) {
        part();
        meet();
        ck_assert(stream_accept_tls(server_end.stream, server));
        stream_write(client_end.stream, cases[i].sent);
        if (cases[i].closes)
            stream_finish(&client_end.stream, 100);
        net_run_until(loop, "the end", net_has_ended, &server_end);
        ck_assert_int_eq(server_end.end, STREAM_END_TLS_FAILED);
        ck_assert_msg(strcmp(server_end.detail, cases[i].want) == 0, "case %zu: got \"%s\"", i,
                      server_end.detail);
        ck_assert(!stream_can_write(server_end.stream));
    }
    tls_server_free(&server);
}
END_TEST

START_TEST(a_server_that_stays_plain_is_told_by_the_client)
{
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    ck_assert(stream_connect_tls(client_end.stream, client, NULL));
    net_run_until(loop, "the hello", net_has_input, &server_end);
    ck_assert_msg(server_end.input.data[0] == 0x16, "a plain stream just sees the bytes");
    stream_write(server_end.stream, SLICE("500 what?\r\n"));
    net_run_until(loop, "the end", net_has_ended, &client_end);
    ck_assert_int_eq(client_end.end, STREAM_END_TLS_FAILED);
    ck_assert_str_eq(client_end.detail, "the peer speaks no TLS: first bytes '500 what'");
    tls_client_free(&client);
}
END_TEST

/* ---- names ---- */

START_TEST(the_name_asked_for_picks_the_certificate)
{
    static const struct {
        const char *asked;
        const struct paper *want;
        const char *seen;
    } cases[] = {
        { NULL, &mx, "" },
        { "mx.example.org", &mx, "mx.example.org" },
        { "other.example", &other, "other.example" },
        { "OTHER.Example", &other, "OTHER.Example" },
        { "a.mail.example.org", &mx, "a.mail.example.org" },
        { "unknown.example", &mx, "unknown.example" },
        { "a.other.example", &mx, "a.other.example" },
    };
    struct tls_server *server = new_server(&mx, &other, TLS_VERSION_1_2);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
        struct net_end *ends[] = { &client_end, &server_end };

        part();
        meet();
        shake_hands(server, client, cases[i].asked);
        for (size_t k = 0; k < 2; k++) {
            ck_assert_msg(ends[k]->secured == 1, "case %zu: %s", i, ends[k]->detail);
            ck_assert_msg(strcmp(stream_tls_info(ends[k]->stream)->server_name, cases[i].seen) == 0,
                          "case %zu: got \"%s\"", i, stream_tls_info(ends[k]->stream)->server_name);
        }
        tls_client_free(&client);
        /* Which certificate it was shows when it is verified. */
        part();
        meet();
        client = new_client(TLS_VERIFY_NAME);
        if (cases[i].asked != NULL) {
            bool matches = tls_certificate_serves(slice_from(cases[i].want->chain_pem),
                                                  cases[i].asked);

            shake_hands(server, client, cases[i].asked);
            ck_assert_msg((client_end.secured == 1) == matches, "case %zu: %s", i, client_end.detail);
        }
        tls_client_free(&client);
    }
    tls_server_free(&server);
}
END_TEST

START_TEST(a_certificate_that_does_not_hold_is_refused_with_the_reason)
{
    static const struct {
        const struct paper *shown;
        const char *name;
        const char *want; /* NULL: accepted */
    } cases[] = {
        { &mx, "mx.example.org", NULL },
        { &mx, "b.mail.example.org", NULL },
        { &mx, "192.0.2.7", NULL },
        { &mx, "192.0.2.8", "certificate not accepted: IP address mismatch" },
        { &mx, "mail.example.org", "certificate not accepted: hostname mismatch" },
        { &mx, "a.b.mail.example.org", "certificate not accepted: hostname mismatch" },
        { &other, "mx.example.org", "certificate not accepted: hostname mismatch" },
        { &expired, "mx.example.org", "certificate not accepted: certificate has expired" },
        { &stranger, "mx.example.org", "certificate not accepted: self-signed certificate" },
    };
    struct tls_client *client = new_client(TLS_VERIFY_NAME);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_server *server = new_server(cases[i].shown, NULL, TLS_VERSION_1_2);

        part();
        meet();
        shake_hands(server, client, cases[i].name);
        if (cases[i].want == NULL) {
            ck_assert_msg(client_end.secured == 1, "case %zu: %s", i, client_end.detail);
            ck_assert(stream_tls_info(client_end.stream)->is_verified);
        } else {
            ck_assert_int_eq(client_end.end, STREAM_END_TLS_FAILED);
            ck_assert_msg(strcmp(client_end.detail, cases[i].want) == 0, "case %zu: got \"%s\"", i,
                          client_end.detail);
            ck_assert_uint_eq(client_end.secured, 0);
            ck_assert_int_eq(server_end.end, STREAM_END_TLS_FAILED);
            ck_assert_msg(strncmp(server_end.detail, "the peer refused: ", 18) == 0,
                          "case %zu: got \"%s\"", i, server_end.detail);
        }
        tls_server_free(&server);
    }
    part();
    meet();
    ck_assert_msg(!stream_connect_tls(client_end.stream, client, NULL), "no name to verify");
    ck_assert(!stream_connect_tls(client_end.stream, client, ""));
    tls_client_free(&client);
}
END_TEST

START_TEST(who_verifies_nothing_takes_any_certificate_and_does_not_call_it_verified)
{
    struct tls_server *server = new_server(&expired, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    shake_hands(server, client, "elsewhere.example");
    ck_assert_msg(client_end.secured == 1, "%s", client_end.detail);
    ck_assert(!stream_tls_info(client_end.stream)->is_verified);
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

/* ---- foreign clients: OpenSSL itself on the other side, for what our client cannot do ---- */

static struct tls_server *foreign_server;
static SSL_SESSION *session;

/* Handshake with `ssl` on the client's descriptor. False when it failed. */
static bool foreign_handshake(SSL *ssl)
{
    int fds[2];
    char byte;

    part();
    net_socketpair(fds);
    net_end_init(&server_end, loop, fds[0]);
    net_end_init(&client_end, loop, -1);
    ck_assert(stream_accept_tls(server_end.stream, foreign_server));
    SSL_set_fd(ssl, fds[1]);
    SSL_set_connect_state(ssl);
    while (server_end.secured == 0 && server_end.ends == 0) {
        SSL_do_handshake(ssl);
        net_run_for(loop, 1);
    }
    SSL_read(ssl, &byte, 1); /* takes the tickets */
    stream_free(&server_end.stream);
    close(fds[1]);
    return server_end.secured == 1;
}

START_TEST(versions_below_the_lowest_are_refused)
{
    static const struct {
        enum tls_version lowest;
        int offered;
        const char *want; /* NULL: accepted */
    } cases[] = {
        { TLS_VERSION_1_2, TLS1_3_VERSION, NULL },
        { TLS_VERSION_1_2, TLS1_2_VERSION, NULL },
        { TLS_VERSION_1_2, TLS1_1_VERSION, "unsupported protocol" },
        { TLS_VERSION_1_2, TLS1_VERSION, "unsupported protocol" },
        { TLS_VERSION_1_3, TLS1_2_VERSION, "unsupported protocol" },
        { TLS_VERSION_1_1, TLS1_1_VERSION, NULL },
        { TLS_VERSION_1_0, TLS1_VERSION, NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL *ssl;
        bool is_secured;

        foreign_server = new_server(&mx, NULL, cases[i].lowest);
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
        SSL_CTX_set_min_proto_version(context, cases[i].offered);
        SSL_CTX_set_max_proto_version(context, cases[i].offered);
        ssl = SSL_new(context);
        is_secured = foreign_handshake(ssl);
        ck_assert_msg(is_secured == (cases[i].want == NULL), "case %zu: %s", i, server_end.detail);
        if (cases[i].want != NULL)
            ck_assert_msg(strcmp(server_end.detail, cases[i].want) == 0, "case %zu: got \"%s\"", i,
                          server_end.detail);
        SSL_free(ssl);
        SSL_CTX_free(context);
        tls_server_free(&foreign_server);
    }
}
END_TEST

START_TEST(a_client_without_a_cipher_in_common_is_told_so_in_the_log)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    foreign_server = new_server(&mx, NULL, TLS_VERSION_1_2);
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, "DHE-RSA-CAMELLIA128-SHA:@SECLEVEL=0");
    ssl = SSL_new(context);
    ck_assert(!foreign_handshake(ssl));
    ck_assert_str_eq(server_end.detail, "no shared cipher");
    SSL_free(ssl);
    SSL_CTX_free(context);
    tls_server_free(&foreign_server);
}
END_TEST

/* One handshake with the session of the one before; was it resumed? */
static bool resumes(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);
    char name[] = "other.example";
    bool is_resumed;

    SSL_set_tlsext_host_name(ssl, name);
    if (session != NULL)
        SSL_set_session(ssl, session);
    ck_assert_msg(foreign_handshake(ssl), "%s", server_end.detail);
    is_resumed = SSL_session_reused(ssl) == 1;
    SSL_SESSION_free(session);
    session = SSL_get1_session(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    return is_resumed;
}

START_TEST(a_session_is_resumed_by_any_server_that_has_the_keys)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());

        SSL_CTX_set_max_proto_version(context, versions[i]);
        foreign_server = new_server(&mx, &other, TLS_VERSION_1_2);
        ck_assert(!resumes(context));
        tls_server_free(&foreign_server);
        foreign_server = new_server(&mx, &other, TLS_VERSION_1_2); /* another worker */
        ck_assert(resumes(context));
        /* The present key becomes the previous one: still good. */
        tls_ticket_keys_rotate(&keys);
        tls_server_set_ticket_keys(foreign_server, &keys);
        ck_assert(resumes(context));
        /* The new ticket is under the new key. */
        tls_ticket_keys_rotate(&keys);
        tls_server_set_ticket_keys(foreign_server, &keys);
        ck_assert(resumes(context));
        tls_ticket_keys_rotate(&keys);
        tls_ticket_keys_rotate(&keys);
        tls_server_set_ticket_keys(foreign_server, &keys);
        ck_assert_msg(!resumes(context), "two rotations later it is forgotten");
        SSL_SESSION_free(session);
        session = NULL;
        SSL_CTX_free(context);
        tls_server_free(&foreign_server);
    }
}
END_TEST

START_TEST(rotation_moves_the_present_key_back)
{
    struct tls_ticket_keys before = keys;

    tls_ticket_keys_rotate(&keys);
    ck_assert_mem_eq(keys.bytes + 80, before.bytes, 80);
    ck_assert_mem_ne(keys.bytes, before.bytes, 80);
}
END_TEST

/* ---- contexts ---- */

START_TEST(bad_certificates_and_keys_are_refused_with_a_sentence)
{
    const char *cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    char two[9000];
    struct {
        const char *chain, *key, *want;
    } cases[] = {
        { "", mx.key_pem, "x.pem: holds no certificate" },
        { mx.key_pem, mx.key_pem, "x.pem: holds no certificate" },
        { cut, mx.key_pem, "x.pem: the certificate does not parse" },
        { two, mx.key_pem, "x.pem: a certificate of the chain does not parse" },
        { mx.chain_pem, "", "x.pem: its key cannot be read (none, damaged, or encrypted)" },
        { mx.chain_pem, other.key_pem, "x.pem: its key does not belong to the certificate" },
    };

    snprintf(two, sizeof two, "%s%s", mx.chain_pem, cut);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_certificate certificate = { mx_names, 2, slice_from(cases[i].chain),
                                               slice_from(cases[i].key), "x.pem" };
        size_t length = strlen(cases[i].want);

        text_reset(&problem);
        ck_assert_ptr_null(tls_server_new(&certificate, 1, TLS_VERSION_1_2, &keys, &problem));
        /* OpenSSL's own words may follow. */
        ck_assert_msg(strncmp(text_string(&problem), cases[i].want, length) == 0
                          && (problem.length == length || problem.data[length] == ':'),
                      "case %zu: got \"%s\"", i, text_string(&problem));
    }
}
END_TEST

START_TEST(a_key_too_short_for_our_level_is_refused_and_an_old_version_lowers_it)
{
    struct paper weak = { 0 };
    struct tls_certificate certificate;
    struct tls_server *server;

    make_paper(&weak, &authority, "DNS:weak.example", 10);
    free_paper(&weak);
    weak.key = EVP_RSA_gen(1024);
    weak.certificate = X509_new();
    X509_set_version(weak.certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(weak.certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(weak.certificate), 86400);
    X509_set_pubkey(weak.certificate, weak.key);
    ck_assert_int_ne(X509_sign(weak.certificate, weak.key, EVP_sha256()), 0);
    print_pem(&weak);
    certificate = (struct tls_certificate){ mx_names, 2, slice_from(weak.chain_pem),
                                            slice_from(weak.key_pem), "weak.pem" };
    ck_assert_ptr_null(tls_server_new(&certificate, 1, TLS_VERSION_1_2, &keys, &problem));
    unit_expect_text("problem", &problem,
                     SLICE("weak.pem: the certificate is refused: ee key too small"));
    server = tls_server_new(&certificate, 1, TLS_VERSION_1_0, &keys, &problem);
    ck_assert_ptr_nonnull(server);
    tls_server_free(&server);
    free_paper(&weak);
}
END_TEST

START_TEST(an_intermediate_certificate_is_sent_along)
{
    struct paper between;
    struct paper leaf;
    struct paper bundle;
    size_t length;
    struct tls_server *server;
    struct tls_client *client = new_client(TLS_VERIFY_NAME);

    make_paper(&between, &authority, NULL, 50);
    /* Its own name, or the leaf would seem to be signed by the root. */
    X509_NAME_add_entry_by_txt(X509_get_subject_name(between.certificate), "O", MBSTRING_ASC,
                               (const unsigned char *)"between", -1, -1, 0);
    ck_assert_int_ne(X509_sign(between.certificate, authority.key, EVP_sha256()), 0);
    print_pem(&between);
    make_paper(&leaf, &between, "DNS:mx.example.org", 50);
    bundle = leaf;
    length = strlen(leaf.chain_pem);
    snprintf(bundle.chain_pem + length, sizeof bundle.chain_pem - length, "%s", between.chain_pem);
    server = new_server(&bundle, NULL, TLS_VERSION_1_2);
    shake_hands(server, client, "mx.example.org");
    ck_assert_msg(client_end.secured == 1, "%s", client_end.detail);
    tls_server_free(&server);
    part();
    meet();
    server = new_server(&leaf, NULL, TLS_VERSION_1_2);
    shake_hands(server, client, "mx.example.org");
    ck_assert_str_eq(client_end.detail,
                     "certificate not accepted: unable to get local issuer certificate");
    tls_server_free(&server);
    tls_client_free(&client);
    free_paper(&between);
    free_paper(&leaf);
}
END_TEST

START_TEST(a_client_that_verifies_needs_a_ca)
{
    ck_assert_ptr_null(tls_client_new(TLS_VERIFY_NAME, SLICE_EMPTY, TLS_VERSION_1_2, &problem));
    unit_expect_text("problem", &problem, SLICE("there is no CA certificate to verify with"));
    text_reset(&problem);
    ck_assert_ptr_null(tls_client_new(
        TLS_VERIFY_NAME, SLICE("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
        TLS_VERSION_1_2, &problem));
    unit_expect_text("problem", &problem, SLICE("CA certificate 1 does not parse"));
}
END_TEST

START_TEST(expiry_and_names_of_a_certificate_can_be_read)
{
    int64_t at = 0;
    int64_t want = (int64_t)time(NULL) + 100 * 86400;

    ck_assert(tls_certificate_read_expiry(slice_from(mx.chain_pem), &at));
    ck_assert_int_ge(at, want - 120);
    ck_assert_int_le(at, want);
    ck_assert(!tls_certificate_read_expiry(SLICE("nothing"), &at));
    ck_assert(!tls_certificate_read_expiry(SLICE_EMPTY, &at));
    ck_assert(tls_certificate_serves(slice_from(mx.chain_pem), "mx.example.org"));
    ck_assert(tls_certificate_serves(slice_from(mx.chain_pem), "a.mail.example.org"));
    ck_assert(!tls_certificate_serves(slice_from(mx.chain_pem), "example.org"));
    ck_assert(!tls_certificate_serves(slice_from(mx.chain_pem), ""));
    ck_assert(!tls_certificate_serves(SLICE("nothing"), "mx.example.org"));
}
END_TEST

/* ---- bytes ---- */

struct transfer {
    size_t total;
    size_t written;
    size_t checked;
};

static struct transfer transfers[2]; /* of the server's end, of the client's */

static struct transfer *transfer_of(const struct net_end *end)
{
    return &transfers[end == &client_end];
}

static char pattern(size_t offset)
{
    return (char)(offset * 31 + offset / 4093);
}

static void send_more(struct net_end *end)
{
    struct transfer *transfer = transfer_of(end);
    char bytes[20011];

    while (transfer->written < transfer->total && stream_pending_output(end->stream) < 40000) {
        size_t part_bytes = transfer->total - transfer->written;

        if (part_bytes > sizeof bytes)
            part_bytes = sizeof bytes;
        for (size_t i = 0; i < part_bytes; i++)
            bytes[i] = pattern(transfer->written + i);
        stream_write(end->stream, (struct slice){ bytes, part_bytes });
        transfer->written += part_bytes;
    }
}

static void check_more(struct net_end *end)
{
    struct transfer *transfer = transfer_of(end);

    for (size_t i = 0; i < end->input.length; i++)
        if (end->input.data[i] != pattern(transfer->checked + i))
            ck_abort_msg("wrong byte at %zu", transfer->checked + i);
    transfer->checked += end->input.length;
    text_reset(&end->input);
}

static bool transfers_are_done(void *owner)
{
    (void)owner;
    return transfers[0].checked == transfers[1].total && transfers[1].checked == transfers[0].total;
}

START_TEST(megabytes_go_both_ways_through_tls)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    transfers[0].total = 3000001;
    transfers[1].total = 4000003;
    server_end.on_drained = client_end.on_drained = send_more;
    server_end.on_input = client_end.on_input = check_more;
    server_end.on_secured = client_end.on_secured = send_more;
    shake_hands(server, client, NULL);
    tls_server_free(&server);
    tls_client_free(&client);
    net_run_until(loop, "all bytes", transfers_are_done, NULL);
}
END_TEST

START_TEST(a_paused_tls_stream_gets_the_rest_when_it_resumes)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    char *bytes = mem_new(200000);

    shake_hands(server, client, NULL);
    server_end.leaves_input = true;
    server_end.on_input = NULL;
    stream_pause(server_end.stream);
    stream_write(client_end.stream, (struct slice){ bytes, 200000 });
    net_run_for(loop, 10);
    ck_assert_uint_eq(server_end.inputs, 0);
    server_end.leaves_input = false;
    while (server_end.input.length < 200000) {
        unsigned int before = server_end.inputs;

        stream_resume(server_end.stream);
        net_run_until(loop, "input", net_has_input, &server_end);
        stream_pause(server_end.stream);
        net_run_for(loop, 1);
        ck_assert_uint_le(server_end.inputs, before + 2);
        server_end.inputs = 0;
    }
    mem_free(bytes);
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

START_TEST(a_tls_close_is_an_orderly_end_behind_the_last_bytes)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    shake_hands(server, client, NULL);
    stream_pause(server_end.stream);
    ck_assert(!stream_has_peer_left(server_end.stream));
    stream_write(client_end.stream, SLICE("QUIT\r\n"));
    net_run_for(loop, 5);
    ck_assert(!stream_has_peer_left(server_end.stream));
    stream_finish(&client_end.stream, 1000);
    net_run_for(loop, 5);
    ck_assert_msg(!stream_has_peer_left(server_end.stream), "QUIT is still to be read");
    stream_resume(server_end.stream);
    net_run_until(loop, "the end", net_has_ended, &server_end);
    ck_assert_int_eq(server_end.end, STREAM_END_CLOSED);
    unit_expect_text("input", &server_end.input, SLICE("QUIT\r\n"));
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

START_TEST(who_left_without_a_word_is_known_while_paused)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    shake_hands(server, client, NULL);
    net_run_for(loop, 5);
    stream_pause(server_end.stream);
    ck_assert(!stream_has_peer_left(server_end.stream));
    stream_free(&client_end.stream);
    ck_assert(stream_has_peer_left(server_end.stream));
    ck_assert_uint_eq(server_end.ends, 0);
    stream_resume(server_end.stream);
    net_run_until(loop, "the end", net_has_ended, &server_end);
    ck_assert_int_eq(server_end.end, STREAM_END_CLOSED);
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

START_TEST(the_last_reply_arrives_through_tls)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    char *bytes = mem_new(100000);

    shake_hands(server, client, NULL);
    stream_write(client_end.stream, (struct slice){ bytes, 30000 });
    stream_write(server_end.stream, (struct slice){ bytes, 100000 });
    stream_write(server_end.stream, SLICE("221 bye\r\n"));
    stream_finish(&server_end.stream, 2000);
    net_run_until(loop, "the end", net_has_ended, &client_end);
    ck_assert_int_eq(client_end.end, STREAM_END_CLOSED);
    ck_assert_uint_eq(client_end.input.length, 100009);
    mem_free(bytes);
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

static void free_stream(struct net_end *end)
{
    stream_free(&end->stream);
}

START_TEST(a_stream_may_be_freed_anywhere_in_its_handshake)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    for (size_t turns = 0; turns < 8; turns++) {
        part();
        meet();
        ck_assert(stream_accept_tls(server_end.stream, server));
        ck_assert(stream_connect_tls(client_end.stream, client, NULL));
        net_run_for(loop, turns / 2);
        if (turns % 2 == 0)
            stream_free(&server_end.stream);
        else
            stream_finish(&server_end.stream, 100);
        net_run_until(loop, "the end", net_has_ended, &client_end);
    }
    part();
    meet();
    server_end.on_secured = free_stream;
    ck_assert(stream_accept_tls(server_end.stream, server));
    ck_assert(stream_connect_tls(client_end.stream, client, NULL));
    net_run_until(loop, "the end", net_has_ended, &client_end);
    ck_assert_ptr_null(server_end.stream);
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

START_TEST(a_handshake_that_stalls_ends_with_the_read_deadline)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);

    ck_assert(stream_accept_tls(server_end.stream, server));
    stream_set_read_deadline(server_end.stream, 20);
    net_run_until(loop, "the deadline", net_has_ended, &server_end);
    ck_assert_int_eq(server_end.end, STREAM_END_READ_TIMEOUT);
    ck_assert_msg(!stream_can_write(server_end.stream), "there is no way to say anything");
    tls_server_free(&server);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_papers, free_papers);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("tls");
    TCase *handshakes = new_case(suite, "handshakes");
    TCase *contexts = new_case(suite, "contexts");
    TCase *bytes = new_case(suite, "bytes");

    tcase_add_test(handshakes, starttls_keeps_plain_and_secret_apart_and_both_sides_know_the_terms);
    tcase_add_test(handshakes, plaintext_behind_starttls_is_never_taken_for_a_secret);
    tcase_add_test(handshakes, what_is_no_tls_gets_a_clear_word);
    tcase_add_test(handshakes, a_server_that_stays_plain_is_told_by_the_client);
    tcase_add_test(handshakes, the_name_asked_for_picks_the_certificate);
    tcase_add_test(handshakes, a_certificate_that_does_not_hold_is_refused_with_the_reason);
    tcase_add_test(handshakes,
                   who_verifies_nothing_takes_any_certificate_and_does_not_call_it_verified);
    tcase_add_test(handshakes, versions_below_the_lowest_are_refused);
    tcase_add_test(handshakes, a_client_without_a_cipher_in_common_is_told_so_in_the_log);
    tcase_add_test(handshakes, a_session_is_resumed_by_any_server_that_has_the_keys);
    tcase_add_test(handshakes, rotation_moves_the_present_key_back);
    tcase_add_test(contexts, bad_certificates_and_keys_are_refused_with_a_sentence);
    tcase_add_test(contexts, a_key_too_short_for_our_level_is_refused_and_an_old_version_lowers_it);
    tcase_add_test(contexts, an_intermediate_certificate_is_sent_along);
    tcase_add_test(contexts, a_client_that_verifies_needs_a_ca);
    tcase_add_test(contexts, expiry_and_names_of_a_certificate_can_be_read);
    tcase_add_test(bytes, megabytes_go_both_ways_through_tls);
    tcase_add_test(bytes, a_paused_tls_stream_gets_the_rest_when_it_resumes);
    tcase_add_test(bytes, a_tls_close_is_an_orderly_end_behind_the_last_bytes);
    tcase_add_test(bytes, who_left_without_a_word_is_known_while_paused);
    tcase_add_test(bytes, the_last_reply_arrives_through_tls);
    tcase_add_test(bytes, a_stream_may_be_freed_anywhere_in_its_handshake);
    tcase_add_test(bytes, a_handshake_that_stalls_ends_with_the_read_deadline);
    return unit_run(suite);
}
