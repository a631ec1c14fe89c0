/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tls: versions, tickets and certificates, with a client of OpenSSL's own. */
#include "net/tls_internal.h"
#include "tls_unit.h"

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

/*
 * Ciphers that nobody is to be served with: without encryption, without authentication; and, where
 * a build of OpenSSL still has them, RC4, DES and what was made for export.
 */
static const char *const unfit_ciphers[] = {
    "ECDHE-ECDSA-NULL-SHA", "AECDH-NULL-SHA", "AECDH-AES128-SHA", "ADH-AES256-GCM-SHA384",
    "eNULL:aNULL:RC4:3DES:DES:EXP:MD5:SEED:IDEA:PSK:SRP",
};

/* At level 0, to which an old version takes a server, nothing but its own list keeps them out. */
START_TEST(unfit_ciphers_are_refused_whatever_the_version)
{
    static const enum tls_version lowest[] = { TLS_VERSION_1_0, TLS_VERSION_1_2 };

    for (size_t i = 0; i < COUNT(unfit_ciphers) * COUNT(lowest); i++) {
        const char *ciphers = unfit_ciphers[i / COUNT(lowest)];
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL *ssl;

        foreign_server = new_server(&mx, NULL, lowest[i % COUNT(lowest)]);
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
        ck_assert_msg(SSL_CTX_set_cipher_list(context, ciphers) == 1, "%s", ciphers);
        ssl = SSL_new(context);
        ck_assert_msg(!foreign_handshake(ssl), "%s was taken: %s", ciphers,
                      SSL_get_cipher_name(ssl));
        ck_assert_msg(strcmp(server_end.detail, "no shared cipher") == 0, "%s: got \"%s\"", ciphers,
                      server_end.detail);
        SSL_free(ssl);
        SSL_CTX_free(context);
        tls_server_free(&foreign_server);
    }
}
END_TEST

/* What is offered to backends, at level 0: the same list. */
START_TEST(no_unfit_cipher_is_offered)
{
    struct tls_client *client = tls_client_new(TLS_VERIFY_NOTHING, SLICE_EMPTY, TLS_VERSION_1_0,
                                               &problem);
    SSL *ssl = tls_client_open(client, NULL);
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(ssl);

    ck_assert_int_gt(sk_SSL_CIPHER_num(ciphers), 5);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        const char *name = SSL_CIPHER_get_name(cipher);

        ck_assert_msg(SSL_CIPHER_get_bits(cipher, NULL) >= 128, "%s", name);
        ck_assert_msg(SSL_CIPHER_get_auth_nid(cipher) != NID_auth_null, "%s", name);
        ck_assert_msg(strstr(name, "AES") != NULL || strstr(name, "CHACHA20") != NULL, "%s", name);
    }
    SSL_free(ssl);
    tls_client_unref(client);
    tls_client_free(&client);
}
END_TEST

/* ---- renegotiation ---- */

static int finished_read;

/* OpenSSL's information callback: the other side's Finished ends a handshake, and nothing else. */
static void count_finished(const SSL *ssl, int where, int result)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);

    (void)result;
    finished_read += (where & SSL_CB_LOOP) != 0
                     && (state == TLS_ST_SR_FINISHED || state == TLS_ST_CR_FINISHED);
}

/* A first handshake of `ssl` with `end`, and a second one that `ssl` asks for. */
static void shake_hands_twice(SSL *ssl, struct net_end *end)
{
    char byte;

    while (end->ends == 0 && (end->secured == 0 || !SSL_is_init_finished(ssl))) {
        SSL_do_handshake(ssl);
        net_run_for(loop, 1);
    }
    ck_assert_msg(end->secured == 1, "%s", end->detail);
    ck_assert_int_eq(finished_read, 1);
    ck_assert_int_eq(SSL_renegotiate(ssl), 1);
    for (int i = 0; i < 50; i++) {
        SSL_do_handshake(ssl);
        SSL_read(ssl, &byte, 1);
        net_run_for(loop, 1);
    }
}

static SSL *open_foreign(const SSL_METHOD *method, SSL_CTX **context, int fd)
{
    SSL *ssl;

    *context = SSL_CTX_new(method);
    SSL_CTX_set_max_proto_version(*context, TLS1_2_VERSION);
    SSL_CTX_set_options(*context, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    SSL_CTX_set_info_callback(*context, count_finished);
    if (method == TLS_server_method()) {
        SSL_CTX_use_certificate(*context, mx.certificate);
        SSL_CTX_use_PrivateKey(*context, mx.key);
    }
    ssl = SSL_new(*context);
    SSL_set_fd(ssl, fd);
    return ssl;
}

/* A client that asks for it again and again costs a server a key exchange each time. */
START_TEST(no_client_and_no_server_gets_a_second_handshake)
{
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    struct net_end *const ours[] = { &server_end, &client_end };

    foreign_server = new_server(&mx, NULL, TLS_VERSION_1_2);
    for (size_t i = 0; i < COUNT(ours); i++) {
        SSL_CTX *context;
        SSL *ssl;
        int fds[2];

        finished_read = 0;
        part();
        net_socketpair(fds);
        net_end_init(&server_end, loop, i == 0 ? fds[0] : -1);
        net_end_init(&client_end, loop, i == 0 ? -1 : fds[0]);
        ssl = open_foreign(i == 0 ? TLS_client_method() : TLS_server_method(), &context, fds[1]);
        if (i == 0) {
            SSL_set_connect_state(ssl);
            ck_assert(stream_accept_tls(server_end.stream, foreign_server));
        } else {
            SSL_set_accept_state(ssl);
            ck_assert(stream_connect_tls(client_end.stream, client, NULL));
        }
        shake_hands_twice(ssl, ours[i]);
        ck_assert_msg(finished_read == 1, "%s", i == 0 ? "by our server" : "by our client");
        SSL_free(ssl);
        SSL_CTX_free(context);
        close(fds[1]);
    }
    tls_server_free(&foreign_server);
    tls_client_free(&client);
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

int main(void)
{
    Suite *suite = suite_create("tls_context");
    TCase *foreign = new_case(suite, "foreign");
    TCase *contexts = new_case(suite, "contexts");

    tcase_add_test(foreign, versions_below_the_lowest_are_refused);
    tcase_add_test(foreign, a_client_without_a_cipher_in_common_is_told_so_in_the_log);
    tcase_add_test(foreign, unfit_ciphers_are_refused_whatever_the_version);
    tcase_add_test(foreign, no_unfit_cipher_is_offered);
    tcase_add_test(foreign, no_client_and_no_server_gets_a_second_handshake);
    tcase_add_test(foreign, a_session_is_resumed_by_any_server_that_has_the_keys);
    tcase_add_test(foreign, rotation_moves_the_present_key_back);
    tcase_add_test(contexts, bad_certificates_and_keys_are_refused_with_a_sentence);
    tcase_add_test(contexts, a_key_too_short_for_our_level_is_refused_and_an_old_version_lowers_it);
    tcase_add_test(contexts, an_intermediate_certificate_is_sent_along);
    tcase_add_test(contexts, a_client_that_verifies_needs_a_ca);
    tcase_add_test(contexts, expiry_and_names_of_a_certificate_can_be_read);
    return unit_run(suite);
}
