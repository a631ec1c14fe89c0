/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delivery/: everything that a backend can do wrong, at every place. Each ends in
 * one answer of the right class, and never in FORWARD_OK.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "delivery_unit.h"

/* No answer to the recipient, or to the message, is expected. */
#define NONE FORWARD_OK

struct failure {
    const char *verb;
    const char *reply;
    int at;
    enum forward_class recipient; /* OK: accepted */
    enum forward_class outcome;
    const char *detail;           /* of the answer that is not OK */
};

/* Classes of replies at RCPT, MAIL, DATA and the end. */
static const struct failure refusals[] = {
    { "MAIL", "550 5.7.1 no\r\n", 0, FORWARD_REFUSED, NONE, "" },
    { "MAIL", "552 5.3.4 too large\r\n", 0, FORWARD_TOO_LARGE, NONE, "" },
    { "MAIL", "552 too large\r\n", 0, FORWARD_TOO_LARGE, NONE, "" },
    { "MAIL", "451 4.7.1 later\r\n", 0, FORWARD_DEFERRED, NONE, "" },
    { "MAIL", "452 4.3.1 full\r\n", 0, FORWARD_DEFERRED, NONE, "" },
    { "RCPT", "550 5.1.1 who?\r\n", 0, FORWARD_UNKNOWN_USER, NONE, "" },
    { "RCPT", "550 who?\r\n", 0, FORWARD_UNKNOWN_USER, NONE, "" },
    { "RCPT", "550 5.0.0 who?\r\n", 0, FORWARD_UNKNOWN_USER, NONE, "" },
    { "RCPT", "551 elsewhere\r\n", 0, FORWARD_UNKNOWN_USER, NONE, "" },
    { "RCPT", "553 5.1.3 syntax\r\n", 0, FORWARD_UNKNOWN_USER, NONE, "" },
    { "RCPT", "554 5.7.1 relay denied\r\n", 0, FORWARD_REFUSED, NONE, "" },
    { "RCPT", "550 5.7.1 policy\r\n", 0, FORWARD_REFUSED, NONE, "" },
    { "RCPT", "554 no\r\n", 0, FORWARD_REFUSED, NONE, "" },
    { "RCPT", "552 full\r\n", 0, FORWARD_MAILBOX_FULL, NONE, "" },
    { "RCPT", "550 5.2.2 full\r\n", 0, FORWARD_MAILBOX_FULL, NONE, "" },
    { "RCPT", "552 5.3.4 too large\r\n", 0, FORWARD_TOO_LARGE, NONE, "" },
    { "RCPT", "452 4.2.2 full\r\n", 0, FORWARD_DEFERRED, NONE, "" },
    { "RCPT", "450 4.1.1 greylisted\r\n", 0, FORWARD_DEFERRED, NONE, "" },
    { "RCPT", "421 4.3.2 bye\r\n!close", 0, FORWARD_DEFERRED, NONE, "" },
    { "DATA", "554 5.5.1 no\r\n", 0, NONE, FORWARD_REFUSED, "" },
    { "DATA", "451 later\r\n", 0, NONE, FORWARD_DEFERRED, "" },
    { "DATA", "421 bye\r\n!close", 0, NONE, FORWARD_DEFERRED, "" },
    { ".", "550 5.7.1 spam\r\n", 0, NONE, FORWARD_REFUSED, "" },
    { ".", "552 too large\r\n", 0, NONE, FORWARD_TOO_LARGE, "" },
    { ".", "552 5.2.2 full\r\n", 0, NONE, FORWARD_MAILBOX_FULL, "" },
    { ".", "451 4.7.1 later\r\n", 0, NONE, FORWARD_DEFERRED, "" },
    { ".", "421 bye\r\n!close", 0, NONE, FORWARD_DEFERRED, "" },
};

/* Broken, stalled, hostile. */
static const struct failure failures[] = {
    { "greeting", "!close", 0, FORWARD_UNREACHABLE, NONE,
      "greeting: the server closed the connection" },
    { "greeting", "!stall", 0, FORWARD_UNREACHABLE, NONE, "greeting: no answer in time" },
    { "greeting", "!drip", 0, FORWARD_UNREACHABLE, NONE, "greeting: no answer in time" },
    { "greeting", "!endless", 0, FORWARD_UNREACHABLE, NONE,
      "greeting: a reply with too many lines" },
    { "greeting", "421 4.3.2 busy\r\n!close", 0, FORWARD_UNREACHABLE, NONE,
      "greeting: the server closes" },
    { "greeting", "554 no\r\n", 0, FORWARD_UNREACHABLE, NONE, "greeting: refused" },
    { "greeting", "250 ok\r\n", 0, FORWARD_UNREACHABLE, NONE,
      "greeting: a reply that does not fit" },
    { "greeting", "SSH-2.0-OpenSSH_9\r\n", 0, FORWARD_UNREACHABLE, NONE,
      "greeting: a line without a reply code" },
    { "EHLO", "!stall", 0, FORWARD_UNREACHABLE, NONE, "EHLO: no answer in time" },
    { "EHLO", "250-fake\r\n!close", 0, FORWARD_UNREACHABLE, NONE,
      "EHLO: the server closed within a reply" },
    { "EHLO", "250-fake\r\n!drip", 0, FORWARD_UNREACHABLE, NONE, "EHLO: no answer in time" },
    { "EHLO", "!endless", 0, FORWARD_UNREACHABLE, NONE, "EHLO: a reply with too many lines" },
    { "MAIL", "!close", 0, FORWARD_UNREACHABLE, NONE, "MAIL: the server closed the connection" },
    { "MAIL", "!stall", 0, FORWARD_UNREACHABLE, NONE, "MAIL: no answer in time" },
    { "MAIL", "354 what\r\n", 0, FORWARD_UNREACHABLE, NONE, "MAIL: a reply that does not fit" },
    { "MAIL", "421 bye\r\n!close", 0, FORWARD_UNREACHABLE, NONE, "MAIL: the server closes" },
    { "RCPT", "!close", 0, FORWARD_BROKEN, NONE, "RCPT: the server closed the connection" },
    { "RCPT", "!stall", 0, FORWARD_BROKEN, NONE, "RCPT: no answer in time" },
    { "RCPT", "!drip", 0, FORWARD_BROKEN, NONE, "RCPT: no answer in time" },
    { "RCPT", "354 what\r\n", 0, FORWARD_BROKEN, NONE, "RCPT: a reply that does not fit" },
    { "RCPT", "hm\r\n", 0, FORWARD_BROKEN, NONE, "RCPT: a line without a reply code" },
    { "DATA", "!close", 0, NONE, FORWARD_BROKEN, "DATA: the server closed the connection" },
    { "DATA", "!stall", 0, NONE, FORWARD_BROKEN, "DATA: no answer in time" },
    { "DATA", "250 ok\r\n", 0, NONE, FORWARD_BROKEN, "DATA: a reply that does not fit" },
    { "DATA", "!endless", 0, NONE, FORWARD_BROKEN, "DATA: a reply with too many lines" },
    { ".", "!close", 0, NONE, FORWARD_LOST, "end of data: the server closed the connection" },
    { ".", "!stall", 0, NONE, FORWARD_LOST, "end of data: no answer in time" },
    { ".", "!drip", 0, NONE, FORWARD_LOST, "end of data: no answer in time" },
    { ".", "354 more\r\n", 0, NONE, FORWARD_LOST, "end of data: a reply that does not fit" },
    { ".", "ok\r\n", 0, NONE, FORWARD_LOST, "end of data: a line without a reply code" },
    { ".", "!endless", 0, NONE, FORWARD_LOST, "end of data: a reply with too many lines" },
};

#define CHUNKED "250-fake\r\n250-PIPELINING\r\n250 CHUNKING\r\n"

static const char *const offers[] = {
    "250 fake\r\n", "250-fake\r\n250 PIPELINING\r\n", CHUNKED,
};

/* A fault at DATA needs a backend that is told DATA. */
static bool can_happen(const struct failure *failure, const char *offer)
{
    return strcmp(failure->verb, "DATA") != 0 || strstr(offer, "CHUNKING") == NULL;
}

/* Sends a mail to a backend with this fault, and compares the first answer that is not OK. */
static void try_failure(const struct failure *failure, const char *offer)
{
    struct mailer mailer;
    const struct told *told = &mailer.recipient;
    enum forward_class want = failure->recipient, got;

    prepare();
    config.command_timeout_ms = config.dot_timeout_ms = 150;
    first.ehlo = offer;
    first.rules[0] = (struct rule){ failure->verb, failure->reply, 0, failure->at };
    start_backend();
    mailer_init(&mailer);
    got = ask(&mailer, "<c@d.example>");
    if (got == FORWARD_OK && want == FORWARD_OK) {
        told = &mailer.outcome;
        want = failure->outcome;
        got = deliver(&mailer);
    }
    ck_assert_msg(got == want, "%s %s: got %d (%s), want %d", failure->verb, failure->reply, got,
                  told->detail, want);
    ck_assert_msg(strcmp(told->detail, failure->detail) == 0, "%s %s: got \"%s\", want \"%s\"",
                  failure->verb, failure->reply, told->detail, failure->detail);
    ck_assert_msg(ip_endpoint_equals(&told->address, &first.endpoint), "%s %s: no address",
                  failure->verb, failure->reply);
    if (failure->detail[0] == '\0')
        ck_assert_int_eq(told->code, (int)strtol(failure->reply, NULL, 10));
    net_run_for(loop, 5);
    ck_assert_int_eq(mailer.recipients_told, 1);
    ck_assert_int_le(mailer.outcomes_told, 1);
    ck_assert_msg(first.mail_count == (strcmp(failure->verb, ".") == 0), "%s %s: %d dots came",
                  failure->verb, failure->reply, first.mail_count);
    mailer_clear(&mailer);
    tidy();
}

START_TEST(every_refusal_has_its_class)
{
    for (size_t i = 0; i < COUNT(refusals); i++)
        for (size_t k = 0; k < COUNT(offers); k++)
            if (can_happen(&refusals[i], offers[k]))
                try_failure(&refusals[i], offers[k]);
}
END_TEST

START_TEST(every_fault_ends_in_one_answer_and_none_in_success)
{
    for (size_t i = 0; i < COUNT(failures); i++)
        for (size_t k = 0; k < COUNT(offers); k++)
            if (can_happen(&failures[i], offers[k]))
                try_failure(&failures[i], offers[k]);
}
END_TEST

/* ---- replay ---- */

static const struct failure replays[] = {
    { "MAIL", "550 5.7.1 no\r\n", 0, NONE, FORWARD_REFUSED, "" },
    { "MAIL", "451 later\r\n", 0, NONE, FORWARD_DEFERRED, "" },
    { "MAIL", "!stall", 0, NONE, FORWARD_UNREACHABLE, "MAIL: no answer in time" },
    { "RCPT", "550 5.1.1 gone\r\n", 1, NONE, FORWARD_DEFERRED,
      "a recipient was refused when the envelope was replayed" },
    { "RCPT", "550 5.1.1 gone\r\n", 2, NONE, FORWARD_DEFERRED,
      "a recipient was refused when the envelope was replayed" },
    { "RCPT", "451 later\r\n", 0, NONE, FORWARD_DEFERRED,
      "a recipient was refused when the envelope was replayed" },
    { "RCPT", "!close", 2, NONE, FORWARD_BROKEN, "RCPT: the server closed the connection" },
    { "DATA", "554 no\r\n", 0, NONE, FORWARD_REFUSED, "" },
    { "DATA", "!close", 0, NONE, FORWARD_BROKEN, "DATA: the server closed the connection" },
    { ".", "!close", 0, NONE, FORWARD_LOST, "end of data: the server closed the connection" },
};

START_TEST(a_replay_that_fails_delivers_nothing)
{
    for (size_t i = 0; i < COUNT(replays) * COUNT(offers); i++) {
        const struct failure *failure = &replays[i / COUNT(offers)];
        const char *offer = offers[i % COUNT(offers)];
        struct mailer mailer;
        enum forward_class got;

        if (!can_happen(failure, offer))
            continue;
        prepare();
        config.command_timeout_ms = config.dot_timeout_ms = 150;
        first.ehlo = offer;
        first.rules[0] = (struct rule){ failure->verb, failure->reply, 0, failure->at };
        start_backend();
        mailer_init(&mailer);
        expect_recipient(&mailer, "<c@d.example>");
        expect_recipient(&mailer, "<e@f.example>");
        got = deliver(&mailer);
        ck_assert_msg(got == failure->outcome, "%s %s: got %d (%s), want %d", failure->verb,
                      failure->reply, got, mailer.outcome.detail, failure->outcome);
        ck_assert_str_eq(mailer.outcome.detail, failure->detail);
        net_run_for(loop, 5);
        ck_assert_int_eq(first.mail_count, strcmp(failure->verb, ".") == 0);
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

/* ---- while content is sent ---- */

static const struct failure early[] = {
    { "content", "552 5.3.4 enough\r\n", 0, NONE, FORWARD_TOO_LARGE, "" },
    { "content", "451 4.3.0 tired\r\n!close", 0, NONE, FORWARD_DEFERRED, "" },
    { "content", "!close", 0, NONE, FORWARD_BROKEN, NULL },
    { "content", "what?\r\n", 0, NONE, FORWARD_BROKEN, "content: a line without a reply code" },
    { "content", "250 ok\r\n", 0, NONE, FORWARD_BROKEN, "content: a reply that does not fit" },
    { "content", "!stall", 0, NONE, FORWARD_BROKEN, NULL },
};

START_TEST(a_backend_may_end_it_while_content_is_sent)
{
    for (size_t k = 0; k < COUNT(early) * 2; k++) {
        size_t i = k / 2;
        struct mailer mailer;
        enum forward_class got;

        prepare();
        config.data_timeout_ms = 200;
        first.ehlo = offers[1 + k % 2];
        first.rules[0] = (struct rule){ early[i].verb, early[i].reply, 0, 0 };
        start_known_backend();
        mailer_init(&mailer);
        make_large(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        got = deliver(&mailer);
        ck_assert_msg(got == early[i].outcome, "%s: got %d (%s), want %d", early[i].reply, got,
                      mailer.outcome.detail, early[i].outcome);
        if (early[i].detail != NULL)
            ck_assert_str_eq(mailer.outcome.detail, early[i].detail);
        ck_assert(!forward_has_sent_dot(mailer.forward));
        net_run_for(loop, 20);
        ck_assert_int_eq(first.mail_count, 0);
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

/* LAST is out when the chunk in front of it is answered: the outcome is the backend's. */
static const struct failure chunks[] = {
    { "BDAT", "552 5.3.4 too large\r\n", 0, NONE, FORWARD_TOO_LARGE, "" },
    { "BDAT", "451 4.3.0 disk\r\n", 0, NONE, FORWARD_DEFERRED, "" },
    { "BDAT", "421 4.3.2 bye\r\n!close", 0, NONE, FORWARD_DEFERRED, "" },
    { "BDAT", "!close", 0, NONE, FORWARD_LOST, "end of data: the server closed the connection" },
    { "BDAT", "!stall", 0, NONE, FORWARD_LOST, "end of data: no answer in time" },
    { "BDAT", "354 go\r\n", 0, NONE, FORWARD_LOST, "end of data: a reply that does not fit" },
    { "BDAT", "hm\r\n", 0, NONE, FORWARD_LOST, "end of data: a line without a reply code" },
    { ".", "550 5.7.1 spam\r\n", 0, NONE, FORWARD_REFUSED, "" },
    { ".", "!close", 0, NONE, FORWARD_LOST, "end of data: the server closed the connection" },
    { ".", "!stall", 0, NONE, FORWARD_LOST, "end of data: no answer in time" },
};

START_TEST(a_backend_may_end_it_at_a_chunk)
{
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct mailer mailer;
        enum forward_class got;

        prepare();
        config.dot_timeout_ms = 1000;
        first.ehlo = CHUNKED;
        first.rules[0] = (struct rule){ chunks[i].verb, chunks[i].reply, 0, 0 };
        start_known_backend();
        mailer_init(&mailer);
        make_large(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        got = deliver(&mailer);
        ck_assert_msg(got == chunks[i].outcome, "%s: got %d (%s), want %d", chunks[i].reply, got,
                      mailer.outcome.detail, chunks[i].outcome);
        ck_assert_str_eq(mailer.outcome.detail, chunks[i].detail);
        ck_assert(forward_has_sent_dot(mailer.forward));
        net_run_for(loop, 20);
        ck_assert_int_eq(mailer.outcomes_told, 1);
        if (strcmp(chunks[i].verb, "BDAT") == 0)
            ck_assert_int_eq(send_mail("<e@f.example>"), FORWARD_OK);
        ck_assert_msg(first.connection_count == 2 || strcmp(chunks[i].verb, "BDAT") != 0,
                      "%s: the connection was used again", chunks[i].reply);
        mailer_clear(&mailer);
        tidy();
    }
}
END_TEST

START_TEST(a_backend_that_does_not_know_bdat_gets_data)
{
    static const char *const replies[] = {
        "500 5.5.2 what?\r\n", "501 what?\r\n", "502 5.5.1 what?\r\n", "503 what?\r\n",
    };

    for (size_t i = 0; i < COUNT(replies) * 2; i++) {
        struct mailer mailer;

        prepare();
        first.ehlo = CHUNKED;
        first.rules[0] = (struct rule){ i % 2 == 0 ? "." : "BDAT", replies[i / 2], 1, 0 };
        start_known_backend();
        mailer_init(&mailer);
        if (i % 2 != 0)
            make_large(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(deliver(&mailer), FORWARD_DEFERRED);
        ck_assert_str_eq(mailer.outcome.detail,
                         "BDAT was not understood, though CHUNKING is offered");
        ck_assert_int_eq(mailer.outcome.code, (int)strtol(replies[i / 2], NULL, 10));
        mailer_clear(&mailer);
        ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
        ck_assert_int_eq(first.connection_count, 2);
        ck_assert(strstr(text_string(&first.said), "2>DATA\n") != NULL);
        ck_assert_str_eq(text_string(&log_lines), "backend-no-bdat ");
        tidy();
    }
}
END_TEST

/* ---- several addresses ---- */

START_TEST(the_next_address_is_tried_up_to_an_accepted_mail)
{
    static const struct rule faults[] = {
        { "greeting", "421 busy\r\n!close", 0, 0 }, { "greeting", "!stall", 0, 0 },
        { "EHLO", "!close", 0, 0 },                 { "MAIL", "!close", 0, 0 },
        { "MAIL", "421 bye\r\n", 0, 0 },            { "MAIL", "!stall", 0, 0 },
    };

    for (size_t i = 0; i < COUNT(faults); i++) {
        prepare();
        config.address_count = 2;
        config.command_timeout_ms = 150;
        first.rules[0] = faults[i];
        start_backend();
        ck_assert_msg(send_mail("<c@d.example>") == FORWARD_OK, "%s %s", faults[i].verb,
                      faults[i].reply);
        ck_assert_int_eq(first.mail_count, 0);
        ck_assert_int_eq(second.mail_count, 1);
        ck_assert_str_eq(text_string(&log_lines), "backend-down ");
        tidy();
    }
}
END_TEST

START_TEST(an_address_that_refuses_connections_is_passed_over)
{
    prepare();
    config.address_count = 2;
    fake_leave(&first);
    start_known_backend();
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_int_eq(second.mail_count, 2);
    ck_assert_str_eq(text_string(&log_lines), "backend-down ");
    tidy();
}
END_TEST

START_TEST(a_refusal_is_no_reason_for_another_address)
{
    prepare();
    config.address_count = 2;
    first.rules[0] = (struct rule){ "MAIL", "550 5.7.1 no\r\n", 0, 0 };
    start_known_backend();
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_REFUSED);
    ck_assert_int_eq(second.connection_count, 0);
    ck_assert_str_eq(text_string(&log_lines), "");
    tidy();
}
END_TEST

START_TEST(an_address_that_failed_is_left_alone_for_a_while)
{
    struct mailer mailer;

    prepare();
    config.retry_ms = 80;
    first.rules[0] = (struct rule){ "greeting", "554 no\r\n!close", 1, 0 };
    start_backend();
    net_run_for(loop, 20);
    ck_assert_int_eq(first.connection_count, 1);
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_UNREACHABLE);
    ck_assert_str_eq(mailer.recipient.detail, "greeting: refused");
    ck_assert_int_eq(mailer.recipient.code, 554);
    ck_assert_int_eq(first.connection_count, 1);
    mailer_clear(&mailer);
    net_run_for(loop, 100);
    ck_assert_int_eq(send_mail("<c@d.example>"), FORWARD_OK);
    ck_assert_str_eq(text_string(&log_lines), "backend-down backend-up ");
    tidy();
}
END_TEST

START_TEST(a_backend_that_is_not_there_is_unreachable)
{
    struct mailer mailer;

    prepare();
    fake_leave(&first);
    start_backend();
    mailer_init(&mailer);
    ck_assert_int_eq(ask(&mailer, "<c@d.example>"), FORWARD_UNREACHABLE);
    ck_assert_str_eq(mailer.recipient.detail, "connect: connection refused");
    ck_assert(ip_endpoint_equals(&mailer.recipient.address, &first.endpoint));
    expect_recipient(&mailer, "<c@d.example>");
    ck_assert_int_eq(deliver(&mailer), FORWARD_UNREACHABLE);
    mailer_clear(&mailer);
    ck_assert_str_eq(text_string(&log_lines), "backend-down ");
    tidy();
}
END_TEST

/* ---- what our own system refuses ---- */

/* Errors that the next calls fail with; 0 for none. */
static int socket_error;
static int connect_error;

/* In front of the system's own. */
int socket(int family, int type, int protocol)
{
    errno = socket_error;
    return socket_error != 0 ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    errno = connect_error;
    return connect_error != 0 ? -1 : (int)syscall(SYS_connect, fd, address, length);
}

static const struct local_fault {
    int socket_error;
    int connect_error;
    bool is_ours;
    const char *detail;
} local_faults[] = {
    { EMFILE, 0, true, "connect, on our side: too many open files" },
    { ENFILE, 0, true, "connect, on our side: too many open files in system" },
    { ENOBUFS, 0, true, "connect, on our side: no buffer space available" },
    { ENOMEM, 0, true, "connect, on our side: cannot allocate memory" },
    { 0, EADDRNOTAVAIL, true, "connect, on our side: cannot assign requested address" },
    { 0, ENOBUFS, true, "connect, on our side: no buffer space available" },
    { 0, ENETUNREACH, false, "connect: network is unreachable" },
    { 0, ECONNREFUSED, false, "connect: connection refused" },
};

START_TEST(what_our_own_system_refuses_is_no_failure_of_an_address)
{
    for (size_t i = 0; i < COUNT(local_faults); i++) {
        const struct local_fault *fault = &local_faults[i];
        struct mailer mailer;

        prepare();
        config.address_count = 2;
        config.max_idle = 0;
        start_known_backend();
        socket_error = fault->socket_error;
        connect_error = fault->connect_error;
        mailer_init(&mailer);
        ck_assert_int_eq(ask(&mailer, "<c@d.example>"),
                         fault->is_ours ? FORWARD_BUSY : FORWARD_UNREACHABLE);
        ck_assert_str_eq(mailer.recipient.detail, fault->detail);
        mailer_clear(&mailer);
        socket_error = connect_error = 0;
        ck_assert_str_eq(text_string(&log_lines),
                         fault->is_ours ? "" : "backend-down backend-down ");
        ck_assert_msg(send_mail("<c@d.example>") == (fault->is_ours ? FORWARD_OK
                                                                    : FORWARD_UNREACHABLE),
                      "%s: the mail behind it", fault->detail);
        tidy();
    }
}
END_TEST

START_TEST(where_no_connection_can_be_made_those_in_use_will_do)
{
    struct mailer mailers[2];

    prepare();
    start_known_backend();
    for (size_t i = 0; i < COUNT(mailers); i++)
        mailer_init(&mailers[i]);
    ck_assert_int_eq(ask(&mailers[0], "<c@d.example>"), FORWARD_OK);
    socket_error = EMFILE;
    start_asking(&mailers[1], "<e@f.example>");
    net_run_for(loop, 50);
    ck_assert_int_eq(mailers[1].recipients_told, 0);
    ck_assert_int_eq(deliver(&mailers[0]), FORWARD_OK);
    net_run_until(loop, "the answer to RCPT", is_recipient_told, &mailers[1]);
    ck_assert_int_eq(mailers[1].recipient.class, FORWARD_OK);
    socket_error = 0;
    for (size_t i = 0; i < COUNT(mailers); i++)
        mailer_clear(&mailers[i]);
    ck_assert_int_eq(first.connection_count, 1);
    tidy();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery_failure");
    TCase *failure = tcase_create("failure");
    TCase *address = tcase_create("address");

    tcase_set_timeout(failure, 60);
    tcase_add_test(failure, every_refusal_has_its_class);
    tcase_add_test(failure, every_fault_ends_in_one_answer_and_none_in_success);
    tcase_add_test(failure, a_replay_that_fails_delivers_nothing);
    tcase_add_test(failure, a_backend_may_end_it_while_content_is_sent);
    tcase_add_test(failure, a_backend_may_end_it_at_a_chunk);
    tcase_add_test(failure, a_backend_that_does_not_know_bdat_gets_data);
    suite_add_tcase(suite, failure);
    tcase_set_timeout(address, 60);
    tcase_add_test(address, the_next_address_is_tried_up_to_an_accepted_mail);
    tcase_add_test(address, an_address_that_refuses_connections_is_passed_over);
    tcase_add_test(address, a_refusal_is_no_reason_for_another_address);
    tcase_add_test(address, an_address_that_failed_is_left_alone_for_a_while);
    tcase_add_test(address, a_backend_that_is_not_there_is_unreachable);
    tcase_add_test(address, what_our_own_system_refuses_is_no_failure_of_an_address);
    tcase_add_test(address, where_no_connection_can_be_made_those_in_use_will_do);
    suite_add_tcase(suite, address);
    return unit_run(suite);
}
