/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tls: versions, tickets and certificates, with a client of OpenSSL's own. */
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
    tcase_add_test(foreign, a_session_is_resumed_by_any_server_that_has_the_keys);
    tcase_add_test(foreign, rotation_moves_the_present_key_back);
    tcase_add_test(contexts, bad_certificates_and_keys_are_refused_with_a_sentence);
    tcase_add_test(contexts, a_key_too_short_for_our_level_is_refused_and_an_old_version_lowers_it);
    tcase_add_test(contexts, an_intermediate_certificate_is_sent_along);
    tcase_add_test(contexts, a_client_that_verifies_needs_a_ca);
    tcase_add_test(contexts, expiry_and_names_of_a_certificate_can_be_read);
    return unit_run(suite);
}
