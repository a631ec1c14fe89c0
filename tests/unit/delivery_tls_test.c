/* SPDX-License-Identifier: BSD-2-Clause */
/* delivery/: TLS to the backend: off, optional, required, verified, and from the first byte. */
#include "tls_unit.h"

#include "delivery_unit.h"
#include "net/tls_internal.h"

#define STARTTLS_OFFER "250-fake\r\n250-PIPELINING\r\n250 STARTTLS\r\n"

/* Of PAPER_OLD, the server speaks TLS 1.1 at most. */
enum server_paper { PAPER_NONE, PAPER_GOOD, PAPER_STRANGER, PAPER_EXPIRED, PAPER_OLD };

static const struct tls_trial {
    const char *name;
    enum backend_tls tls;
    bool is_implicit;
    const char *tls_name;
    const char *offer;
    enum server_paper paper;
    const char *starttls;      /* the answer to STARTTLS; NULL for 220 */
    enum forward_class want;
    const char *tls_version;   /* "" for plain */
    const char *detail;        /* a part of it; NULL with success */
} trials[] = {
    { "off", BACKEND_TLS_OFF, false, NULL, STARTTLS_OFFER, PAPER_GOOD, NULL, FORWARD_OK, "", NULL },
    { "optional", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER, PAPER_STRANGER, NULL,
      FORWARD_OK, "TLSv1.3", NULL },
    { "optional, not offered", BACKEND_TLS_OPTIONAL, false, NULL, "250 fake\r\n", PAPER_NONE, NULL,
      FORWARD_OK, "", NULL },
    { "optional, refused", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER, PAPER_NONE,
      "454 4.7.0 not now\r\n", FORWARD_OK, "", NULL },
    { "optional, and no TLS behind the 220", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER,
      PAPER_NONE, NULL, FORWARD_OK, "", NULL },
    { "optional, and the end behind the 220", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER,
      PAPER_NONE, "220 go\r\n!close", FORWARD_OK, "", NULL },
    { "required", BACKEND_TLS_REQUIRED, false, NULL, STARTTLS_OFFER, PAPER_EXPIRED, NULL,
      FORWARD_OK, "TLSv1.3", NULL },
    { "required, not offered", BACKEND_TLS_REQUIRED, false, NULL, "250 fake\r\n", PAPER_NONE, NULL,
      FORWARD_UNREACHABLE, "", "EHLO: STARTTLS is required and not offered" },
    { "required, refused", BACKEND_TLS_REQUIRED, false, NULL, STARTTLS_OFFER, PAPER_NONE,
      "454 4.7.0 not now\r\n", FORWARD_UNREACHABLE, "", "STARTTLS: refused" },
    { "required, and no TLS behind the 220", BACKEND_TLS_REQUIRED, false, NULL, STARTTLS_OFFER,
      PAPER_NONE, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: " },
    { "required, and the end behind the 220", BACKEND_TLS_REQUIRED, false, NULL, STARTTLS_OFFER,
      PAPER_NONE, "220 go\r\n!close", FORWARD_UNREACHABLE, "", "TLS handshake: " },
    { "implicit and optional, and no TLS there", BACKEND_TLS_OPTIONAL, true, NULL, "250 fake\r\n",
      PAPER_OLD, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: " },
    { "optional, too old", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER, PAPER_OLD, NULL,
      FORWARD_OK, "", NULL },
    { "required, too old", BACKEND_TLS_REQUIRED, false, NULL, STARTTLS_OFFER, PAPER_OLD, NULL,
      FORWARD_UNREACHABLE, "", "TLS handshake: " },
    { "plaintext behind the 220", BACKEND_TLS_OPTIONAL, false, NULL, STARTTLS_OFFER, PAPER_NONE,
      "220 go\r\n250 2.0.0 evil\r\n", FORWARD_UNREACHABLE, "",
      "STARTTLS: bytes behind the reply to STARTTLS" },
    { "verified", BACKEND_TLS_VERIFIED, false, "mx.example.org", STARTTLS_OFFER, PAPER_GOOD, NULL,
      FORWARD_OK, "TLSv1.3", NULL },
    { "verified, another name", BACKEND_TLS_VERIFIED, false, "other.example", STARTTLS_OFFER,
      PAPER_GOOD, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: certificate not accepted" },
    { "verified, by the address alone", BACKEND_TLS_VERIFIED, false, NULL, STARTTLS_OFFER,
      PAPER_GOOD, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: certificate not accepted" },
    { "verified, an unknown signer", BACKEND_TLS_VERIFIED, false, "mx.example.org", STARTTLS_OFFER,
      PAPER_STRANGER, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: certificate not accepted" },
    { "verified, expired", BACKEND_TLS_VERIFIED, false, "mx.example.org", STARTTLS_OFFER,
      PAPER_EXPIRED, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: certificate not accepted" },
    { "implicit", BACKEND_TLS_VERIFIED, true, "mx.example.org", "250 fake\r\n", PAPER_GOOD, NULL,
      FORWARD_OK, "TLSv1.3", NULL },
    { "implicit, another name", BACKEND_TLS_VERIFIED, true, "other.example", "250 fake\r\n",
      PAPER_GOOD, NULL, FORWARD_UNREACHABLE, "", "TLS handshake: certificate not accepted" },
};

static const struct paper *find_paper(enum server_paper paper)
{
    static const struct paper *const papers[] = { NULL, &mx, &stranger, &expired, &mx };

    return papers[paper];
}

/* A server that speaks TLS 1.1 at most, as ours cannot be told to be. */
static struct tls_server *new_old_server(void)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_0);
    SSL *ssl = tls_server_open(server);

    ck_assert_int_eq(SSL_CTX_set_max_proto_version(SSL_get_SSL_CTX(ssl), TLS1_1_VERSION), 1);
    SSL_free(ssl);
    tls_server_unref(server);
    return server;
}

static void try_trial(const struct tls_trial *trial)
{
    struct tls_client *client =
        new_client(trial->tls == BACKEND_TLS_VERIFIED ? TLS_VERIFY_NAME : TLS_VERIFY_NOTHING);
    const struct told *told;
    struct mailer mailer;

    prepare();
    config.tls = trial->tls;
    config.is_tls_implicit = trial->is_implicit;
    config.tls_name = trial->tls_name;
    config.command_timeout_ms = 300;
    first.ehlo = trial->offer;
    first.is_tls_implicit = trial->is_implicit;
    if (trial->paper == PAPER_OLD)
        first.tls = new_old_server();
    else if (trial->paper != PAPER_NONE)
        first.tls = new_server(find_paper(trial->paper), NULL, TLS_VERSION_1_2);
    if (trial->starttls != NULL)
        first.rules[0] = (struct rule){ "STARTTLS", trial->starttls, 0, 0 };
    backend = backend_new(loop, &config, client, NULL, "gw.example.org");
    mailer_init(&mailer);
    told = &mailer.recipient;
    if (ask(&mailer, "<c@d.example>") == FORWARD_OK) {
        told = &mailer.outcome;
        (void)deliver(&mailer);
    }
    ck_assert_msg(told->class == trial->want, "%s: got %d (%s)", trial->name, told->class,
                  told->detail);
    ck_assert_msg(strcmp(told->tls_version, trial->tls_version) == 0, "%s: TLS is \"%s\"",
                  trial->name, told->tls_version);
    if (trial->detail != NULL)
        ck_assert_msg(strstr(told->detail, trial->detail) != NULL, "%s: got \"%s\"", trial->name,
                      told->detail);
    ck_assert_msg(first.mail_count == (trial->want == FORWARD_OK), "%s: %d mails", trial->name,
                  first.mail_count);
    mailer_clear(&mailer);
    backend_free(&backend);
    tls_server_free(&first.tls);
    tidy();
    tls_client_free(&client);
}

START_TEST(tls_is_as_the_owner_wants_it_or_there_is_no_mail)
{
    for (size_t i = 0; i < COUNT(trials); i++)
        try_trial(&trials[i]);
}
END_TEST

static int count_said(const char *word)
{
    int count = 0;

    for (const char *p = text_string(&first.said); (p = strstr(p, word)) != NULL; p++)
        count++;
    return count;
}

/* Ten times `retry`, and some. */
#define PLAIN_MS 400

/* A backend whose handshake has failed once, where one can do without; nothing is kept idle. */
static void start_with_old_server(struct tls_client *client)
{
    prepare();
    config.tls = BACKEND_TLS_OPTIONAL;
    config.max_idle = 0;
    config.retry_ms = PLAIN_MS / 10;
    first.ehlo = STARTTLS_OFFER;
    first.tls = new_old_server();
    backend = backend_new(loop, &config, client, NULL, "gw.example.org");
    net_run_until(loop, "the backend's EHLO", is_known, backend);
}

START_TEST(tls_that_fails_where_it_is_optional_is_left_alone_for_a_while)
{
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    struct mailer mailer;

    start_with_old_server(client);
    ck_assert_int_eq(first.connection_count, 2);
    ck_assert_int_eq(count_said("STARTTLS"), 1);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(count_said("STARTTLS"), 1);
    /* One tries again, and fails: neither news, nor anything to the others. */
    net_run_for(loop, PLAIN_MS);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(count_said("STARTTLS"), 2);
    ck_assert_str_eq(text_string(&log_lines), "backend-tls-failed ");
    /* The server has been mended. */
    tls_server_free(&first.tls);
    first.tls = new_server(&mx, NULL, TLS_VERSION_1_2);
    net_run_for(loop, PLAIN_MS);
    for (int i = 0; i < 2; i++) {
        mailer_init(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert_str_eq(mailer.recipient.tls_version, "TLSv1.3");
        mailer_clear(&mailer);
    }
    ck_assert_str_eq(text_string(&log_lines), "backend-tls-failed backend-tls-up ");
    tls_server_free(&first.tls);
    tidy();
    tls_client_free(&client);
}
END_TEST

START_TEST(only_one_of_many_finds_out_whether_tls_works_again)
{
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    struct mailer mailers[5];

    start_with_old_server(client);
    net_run_for(loop, PLAIN_MS);
    for (size_t i = 0; i < COUNT(mailers); i++) {
        mailer_init(&mailers[i]);
        start_asking(&mailers[i], "<c@d.example>");
    }
    for (size_t i = 0; i < COUNT(mailers); i++) {
        net_run_until(loop, "the answer to RCPT", is_recipient_told, &mailers[i]);
        ck_assert_int_eq(mailers[i].recipient.class, FORWARD_OK);
        mailer_clear(&mailers[i]);
    }
    ck_assert_int_eq(count_said("STARTTLS"), 2);
    tls_server_free(&first.tls);
    tidy();
    tls_client_free(&client);
}
END_TEST

static void set_up_keys(void)
{
    text_init(&problem, 500);
    tls_ticket_keys_make(&keys);
}

static void tear_down_keys(void)
{
    text_clear(&problem);
}

int main(void)
{
    Suite *suite = suite_create("delivery_tls");
    TCase *tls = tcase_create("tls");

    tcase_set_timeout(tls, 60);
    tcase_add_unchecked_fixture(tls, make_papers, free_papers);
    tcase_add_checked_fixture(tls, set_up_keys, tear_down_keys);
    tcase_add_test(tls, tls_is_as_the_owner_wants_it_or_there_is_no_mail);
    tcase_add_test(tls, tls_that_fails_where_it_is_optional_is_left_alone_for_a_while);
    tcase_add_test(tls, only_one_of_many_finds_out_whether_tls_works_again);
    suite_add_tcase(suite, tls);
    return unit_run(suite);
}
