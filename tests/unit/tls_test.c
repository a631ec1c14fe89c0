/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS on net/stream, both sides through streams: handshakes, names, bytes, ends. */
#include "base/memory.h"
#include "tls_unit.h"

static const struct slice farewell = { "QUIT\r\n", 6 };

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
            ck_assert_msg((client_end.secured == 1) == matches, "case %zu: %s", i,
                          client_end.detail);
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
    ck_assert(!stream_has_peer_left(server_end.stream, farewell));
    stream_write(client_end.stream, SLICE("QUIT\r\n"));
    net_run_for(loop, 5);
    ck_assert(!stream_has_peer_left(server_end.stream, farewell));
    stream_finish(&client_end.stream, 1000);
    net_run_for(loop, 5);
    ck_assert_msg(!stream_has_peer_left(server_end.stream, farewell), "QUIT is still to be read");
    stream_resume(server_end.stream);
    net_run_until(loop, "the end", net_has_ended, &server_end);
    ck_assert_int_eq(server_end.end, STREAM_END_CLOSED);
    unit_expect_text("input", &server_end.input, SLICE("QUIT\r\n"));
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

/* What the peer said last, in records of its own, and then it closed. */
START_TEST(only_a_farewell_is_taken_for_one_inside_tls)
{
    static const struct {
        struct slice words[3];
        bool has_left;
    } cases[] = {
        { { BYTES("QUIT\r\n") }, false },
        { { BYTES("NOOP\r\n"), BYTES("qu"), BYTES("it\r\n") }, false },
        { { BYTES("NOOP\r\n") }, true },
        { { BYTES("QUIT\r\n"), BYTES("NOOP\r\n") }, true },
        { { BYTES("QUIT\r") }, true },
        { { BYTES("MAIL FROM:<a@example.net>\r\n"), BYTES("QUIT \r\n") }, true },
    };
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text said;

        text_init(&said, 1000);
        shake_hands(server, client, NULL);
        stream_pause(server_end.stream);
        for (size_t k = 0; k < 3; k++) {
            stream_write(client_end.stream, cases[i].words[k]);
            text_add(&said, cases[i].words[k]);
            net_run_for(loop, 1);
            ck_assert_msg(!stream_has_peer_left(server_end.stream, farewell),
                          "case %zu: it is still there", i);
        }
        stream_free(&client_end.stream);
        ck_assert_msg(stream_has_peer_left(server_end.stream, farewell) == cases[i].has_left,
                      "case %zu, asked before it is read", i);
        ck_assert_uint_eq(server_end.inputs, 0);
        stream_resume(server_end.stream);
        net_run_until(loop, "the end", net_has_ended, &server_end);
        ck_assert_int_eq(server_end.end, STREAM_END_CLOSED);
        unit_expect_text("input", &server_end.input, text_slice(&said));
        text_clear(&said);
        part();
        meet();
    }
    tls_server_free(&server);
    tls_client_free(&client);
}
END_TEST

/* More than a stream keeps: its end cannot be seen, and a client that pipelines so much is gone. */
START_TEST(who_left_behind_a_flood_has_left)
{
    struct tls_server *server = new_server(&mx, NULL, TLS_VERSION_1_2);
    struct tls_client *client = new_client(TLS_VERIFY_NOTHING);
    char *bytes = mem_new(STREAM_MAX_INPUT_BYTES + 20000);

    shake_hands(server, client, NULL);
    stream_pause(server_end.stream);
    stream_write(client_end.stream, (struct slice){ bytes, STREAM_MAX_INPUT_BYTES + 20000 });
    while (stream_pending_output(client_end.stream) > 0)
        net_run_for(loop, 1);
    ck_assert(!stream_has_peer_left(server_end.stream, farewell));
    ck_assert_uint_lt(stream_input(server_end.stream).length, 2 * STREAM_MAX_INPUT_BYTES);
    stream_free(&client_end.stream);
    ck_assert(stream_has_peer_left(server_end.stream, farewell));
    stream_resume(server_end.stream);
    net_run_until(loop, "the end", net_has_ended, &server_end);
    ck_assert_uint_eq(server_end.input.length, STREAM_MAX_INPUT_BYTES + 20000);
    mem_free(bytes);
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
    ck_assert(!stream_has_peer_left(server_end.stream, farewell));
    stream_free(&client_end.stream);
    ck_assert(stream_has_peer_left(server_end.stream, farewell));
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

int main(void)
{
    Suite *suite = suite_create("tls");
    TCase *handshakes = new_case(suite, "handshakes");
    TCase *bytes = new_case(suite, "bytes");

    tcase_add_test(handshakes, starttls_keeps_plain_and_secret_apart_and_both_sides_know_the_terms);
    tcase_add_test(handshakes, plaintext_behind_starttls_is_never_taken_for_a_secret);
    tcase_add_test(handshakes, what_is_no_tls_gets_a_clear_word);
    tcase_add_test(handshakes, a_server_that_stays_plain_is_told_by_the_client);
    tcase_add_test(handshakes, the_name_asked_for_picks_the_certificate);
    tcase_add_test(handshakes, a_certificate_that_does_not_hold_is_refused_with_the_reason);
    tcase_add_test(handshakes,
                   who_verifies_nothing_takes_any_certificate_and_does_not_call_it_verified);
    tcase_add_test(bytes, megabytes_go_both_ways_through_tls);
    tcase_add_test(bytes, a_paused_tls_stream_gets_the_rest_when_it_resumes);
    tcase_add_test(bytes, a_tls_close_is_an_orderly_end_behind_the_last_bytes);
    tcase_add_test(bytes, only_a_farewell_is_taken_for_one_inside_tls);
    tcase_add_test(bytes, who_left_behind_a_flood_has_left);
    tcase_add_test(bytes, who_left_without_a_word_is_known_while_paused);
    tcase_add_test(bytes, the_last_reply_arrives_through_tls);
    tcase_add_test(bytes, a_stream_may_be_freed_anywhere_in_its_handshake);
    tcase_add_test(bytes, a_handshake_that_stalls_ends_with_the_read_deadline);
    return unit_run(suite);
}
