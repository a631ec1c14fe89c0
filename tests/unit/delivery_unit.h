/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of delivery/ share: a fake backend on loopback, in the same
 * loop, whose every answer can be changed by a rule; and a mailer that hands one
 * mail to a forward and writes down what it is told.
 */
#ifndef POSTERN_TESTS_DELIVERY_UNIT_H
#define POSTERN_TESTS_DELIVERY_UNIT_H

#include "base/log.h"
#include "base/memory.h"
#include "delivery/backend.h"
#include "delivery/forward.h"
#include "mail/address.h"
#include "net/listener.h"
#include "net_unit.h"
#include "smtp/command.h"

#define MAX_FAKE_CONNECTIONS 32
#define MAX_RULES 6

/* ---- The fake backend ---- */

/*
 * `verb` is the first word of a command, "greeting", "content" (at its first byte) or "." (the end
 * of data, or of a chunk with LAST). The reply may be or end in an action: !close, !stall (read and
 * say no more), !drip (a byte every 5 ms), !endless (a reply without end).
 */
struct rule {
    const char *verb;
    const char *reply;
    int connection; /* from 1; 0 for any */
    int at;         /* the nth such command on the connection, from 1; 0 for each */
};

struct fake;

struct fake_connection {
    struct fake *fake;
    int number;                 /* from 1 */
    struct stream *stream;      /* NULL once it is closed */
    struct loop_timer drip;
    struct text verbs;          /* all that were said: " EHLO MAIL" */
    char last_class;            /* first digit of the last reply */
    bool is_in_content;
    size_t content_start;       /* in fake->content */
    bool is_chunked;            /* content is counted, and has no dot */
    uint64_t chunk_left;
    bool is_last;               /* the chunk is */
};

struct fake {
    struct loop *loop;
    int fd;
    struct listener *listener;
    struct ip_endpoint endpoint;
    struct tls_server *tls;     /* for STARTTLS, or from the first byte; NULL for none */
    bool is_tls_implicit;
    const char *ehlo;
    struct rule rules[MAX_RULES];
    struct fake_connection connections[MAX_FAKE_CONNECTIONS];
    int connection_count;
    struct text said;           /* every command: "1>MAIL FROM:<a@b>\n" */
    struct text content;        /* of all mails, with dots as they came */
    int mail_count;             /* ends of data that came */
};

/* The rule for this command of this connection, or the answer of a friendly server. */
static inline const char *fake_find_reply(struct fake_connection *connection, const char *verb)
{
    static const struct {
        const char *verb;
        const char *reply;
    } friendly[] = {
        { "greeting", "220 fake ESMTP\r\n" }, { "DATA", "354 go\r\n" },
        { "XCLIENT", "220 fake ESMTP\r\n" },  { "STARTTLS", "220 go\r\n" },
        { "QUIT", "221 bye\r\n!close" },      { ".", "250 2.0.0 queued as F1\r\n" },
        { "content", "" },
    };
    struct fake *fake = connection->fake;
    int count = 0;

    for (const char *p = text_string(&connection->verbs); (p = strstr(p, verb)) != NULL; p++)
        count++;
    for (size_t i = 0; i < MAX_RULES && fake->rules[i].verb != NULL; i++) {
        const struct rule *rule = &fake->rules[i];

        if (strcmp(rule->verb, verb) == 0
            && (rule->connection == 0 || rule->connection == connection->number)
            && (rule->at == 0 || rule->at == count))
            return rule->reply;
    }
    for (size_t i = 0; i < COUNT(friendly); i++)
        if (strcmp(friendly[i].verb, verb) == 0)
            return friendly[i].reply;
    return strcmp(verb, "EHLO") == 0 ? fake->ehlo : "250 2.0.0 ok\r\n";
}

static inline void fake_drip(void *owner)
{
    struct fake_connection *connection = owner;

    stream_write(connection->stream, SLICE("2"));
    loop_timer_start(&connection->drip, 5);
}

/* Frees the stream of a connection that has ended. */
static inline void fake_close(struct fake_connection *connection)
{
    loop_timer_cancel(&connection->drip);
    stream_finish(&connection->stream, 50);
}

/* Answers a command, a greeting or content. False when the connection is gone. */
static inline bool fake_answer(struct fake_connection *connection, const char *verb)
{
    const char *reply;
    const char *action;
    size_t length;

    text_add_byte(&connection->verbs, ' ');
    text_add_string(&connection->verbs, verb);
    reply = fake_find_reply(connection, verb);
    action = strchr(reply, '!');
    length = action != NULL ? (size_t)(action - reply) : strlen(reply);
    stream_write(connection->stream, (struct slice){ reply, length });
    if (length > 0)
        connection->last_class = reply[0];
    if (strcmp(verb, "DATA") == 0 && strncmp(reply, "354", 3) == 0) {
        connection->is_in_content = true;
        connection->is_chunked = false;
        connection->content_start = connection->fake->content.length;
    }
    if (strcmp(verb, "STARTTLS") == 0 && strncmp(reply, "220", 3) == 0
        && connection->fake->tls != NULL)
        ck_assert(stream_accept_tls(connection->stream, connection->fake->tls));
    if (action == NULL)
        return true;
    if (strcmp(action, "!close") == 0) {
        fake_close(connection);
        return false;
    }
    if (strcmp(action, "!drip") == 0)
        fake_drip(connection);
    if (strcmp(action, "!endless") == 0)
        for (int i = 0; i < 3000; i++)
            stream_write(connection->stream, SLICE("250-and so on and so on and so on\r\n"));
    if (strcmp(action, "!stall") == 0)
        stream_pause(connection->stream);
    return !stream_is_paused(connection->stream);
}

/* The end of data, at the end of what has come so far. */
static inline bool fake_has_dot(const struct fake_connection *connection)
{
    const struct text *content = &connection->fake->content;
    struct slice mail = slice_from_offset(text_slice(content), connection->content_start);

    return slice_equals(mail, SLICE(".\r\n"))
           || (mail.length >= 5 && memcmp(mail.data + mail.length - 5, "\r\n.\r\n", 5) == 0);
}

/* Takes content; the tests' mails hold no dot of their own that a read could end in. */
static inline bool fake_take_content(struct fake_connection *connection)
{
    struct slice input = stream_input(connection->stream);
    bool is_first = connection->fake->content.length == connection->content_start;

    text_add(&connection->fake->content, input);
    stream_consume(connection->stream, input.length);
    if (is_first && !fake_answer(connection, "content"))
        return false;
    if (!fake_has_dot(connection))
        return true;
    connection->is_in_content = false;
    connection->fake->mail_count++;
    return fake_answer(connection, ".");
}

/* Takes octets of a chunk. Behind one that was refused the next is too (RFC 3030 2). */
static inline bool fake_take_chunk(struct fake_connection *connection)
{
    struct slice input = slice_until(stream_input(connection->stream), connection->chunk_left);
    bool is_first = connection->fake->content.length == connection->content_start;

    text_add(&connection->fake->content, input);
    stream_consume(connection->stream, input.length);
    connection->chunk_left -= input.length;
    if (is_first && input.length > 0 && !fake_answer(connection, "content"))
        return false;
    if (connection->chunk_left > 0)
        return true;
    connection->is_in_content = false;
    if (!connection->is_last)
        return fake_answer(connection, "BDAT");
    if (connection->last_class > '3') {
        stream_write(connection->stream, SLICE("503 5.5.1 not now\r\n"));
        return true;
    }
    connection->fake->mail_count++;
    return fake_answer(connection, ".");
}

/* "BDAT 86 LAST". The answer comes behind its octets, if there are any. */
static inline bool fake_start_chunk(struct fake_connection *connection, struct slice line)
{
    ck_assert_int_eq(command_parse_bdat(slice_from_offset(line, strlen("BDAT ")),
                                        &connection->chunk_left, &connection->is_last),
                     COMMAND_OK);
    connection->is_in_content = connection->is_chunked = true;
    connection->content_start = connection->fake->content.length;
    return connection->chunk_left > 0 || fake_take_chunk(connection);
}

static inline void fake_on_input(void *owner)
{
    struct fake_connection *connection = owner;
    struct slice line;

    while (stream_input(connection->stream).length > 0) {
        char verb[20];

        if (connection->is_in_content) {
            if (!(connection->is_chunked ? fake_take_chunk : fake_take_content)(connection))
                return;
            continue;
        }
        if (stream_take_line(connection->stream, 2000, &line) != STREAM_LINE_FOUND)
            return;
        text_add_format(&connection->fake->said, "%d>%.*s\n", connection->number, SLICE_ARGS(line));
        snprintf(verb, sizeof verb, "%.*s", (int)strcspn(line.data, " \r\n"), line.data);
        if (!(strcmp(verb, "BDAT") == 0 ? fake_start_chunk(connection, line)
                                        : fake_answer(connection, verb)))
            return;
    }
}

static inline void fake_on_end(void *owner, enum stream_end end, const char *detail)
{
    struct fake_connection *connection = owner;

    (void)end;
    (void)detail;
    loop_timer_cancel(&connection->drip);
    stream_free(&connection->stream);
}

static inline void fake_on_secured(void *owner)
{
    struct fake_connection *connection = owner;

    if (connection->fake->is_tls_implicit)
        (void)fake_answer(connection, "greeting");
}

static const struct stream_events fake_events = {
    .on_input = fake_on_input,
    .on_secured = fake_on_secured,
    .on_end = fake_on_end,
};

static inline void fake_on_accept(void *owner, int take_fd, const struct ip_endpoint *peer)
{
    struct fake *fake = owner;
    struct fake_connection *connection = &fake->connections[fake->connection_count];

    (void)peer;
    ck_assert_int_lt(fake->connection_count, MAX_FAKE_CONNECTIONS);
    connection->fake = fake;
    connection->number = ++fake->connection_count;
    text_init(&connection->verbs, 1 << 16);
    loop_timer_init(&connection->drip, fake->loop, fake_drip, connection);
    connection->stream = stream_new(fake->loop, take_fd, &fake_events, connection);
    if (fake->is_tls_implicit)
        ck_assert(stream_accept_tls(connection->stream, fake->tls));
    else
        (void)fake_answer(connection, "greeting");
}

/* Listens on a port of the system's choice. */
static inline void fake_init(struct fake *fake, struct loop *in_loop)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct ip_endpoint any;
    struct text why;

    *fake = (struct fake){ .loop = in_loop, .ehlo = "250-fake\r\n250 PIPELINING\r\n" };
    text_init(&why, 200);
    ck_assert(ip_endpoint_parse(SLICE("127.0.0.1:0"), &any));
    fake->fd = listener_bind(&any, 100, &why);
    ck_assert_msg(fake->fd >= 0, "%s", text_string(&why));
    ck_assert_int_eq(getsockname(fake->fd, (struct sockaddr *)&address, &length), 0);
    ck_assert(ip_endpoint_from_sockaddr((struct sockaddr *)&address, &fake->endpoint));
    fake->listener = listener_new(in_loop, fake->fd, fake_on_accept, fake);
    text_init(&fake->said, 1 << 20);
    text_init(&fake->content, 64 << 20);
    text_clear(&why);
}

/* Nobody is there any more: connections are refused from now on. */
static inline void fake_leave(struct fake *fake)
{
    listener_free(&fake->listener);
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
}

static inline void fake_clear(struct fake *fake)
{
    fake_leave(fake);
    for (int i = 0; i < fake->connection_count; i++) {
        loop_timer_cancel(&fake->connections[i].drip);
        stream_free(&fake->connections[i].stream);
        text_clear(&fake->connections[i].verbs);
    }
    text_clear(&fake->said);
    text_clear(&fake->content);
}

/* ---- What every test begins with ---- */

static struct loop *loop;
static struct fake first;
static struct fake second;
static struct ip_endpoint endpoints[2];
static struct config_backend config;
static struct backend *backend;
static struct text log_lines; /* "backend-down backend-up " */

/* A log sink. */
static inline void keep_log(void *owner, enum log_level level, const char *event,
                            struct slice message)
{
    (void)owner;
    (void)level;
    (void)message;
    text_add_format(&log_lines, "%s ", event);
}

/* One backend with one address; a test changes what it wants before start_backend. */
static inline void prepare(void)
{
    loop = loop_new();
    fake_init(&first, loop);
    fake_init(&second, loop);
    endpoints[0] = first.endpoint;
    endpoints[1] = second.endpoint;
    text_init(&log_lines, 10000);
    log_set_sink(keep_log, NULL);
    config = (struct config_backend){
        .name = "legacy",
        .addresses = endpoints,
        .address_count = 1,
        .max_connections = 10,
        .max_idle = 5,
        .max_transactions = 100,
        .idle_timeout_ms = 60000,
        .connect_timeout_ms = 2000,
        .command_timeout_ms = 2000,
        .data_timeout_ms = 2000,
        .dot_timeout_ms = 2000,
        .hold_ms = 10000,
        .wait_ms = 2000,
        .retry_ms = 60000,
        .is_chunking_wanted = true,
    };
}

static inline void tidy(void)
{
    backend_free(&backend);
    fake_clear(&first);
    fake_clear(&second);
    log_set_sink(NULL, NULL);
    text_clear(&log_lines);
    loop_free(&loop);
}

static inline bool is_known(void *owner)
{
    return backend_is_known(owner);
}

static inline void start_backend(void)
{
    backend = backend_new(loop, &config, NULL, NULL, "gw.example.org");
}

/* Started, and its first connection lies in the pool. */
static inline void start_known_backend(void)
{
    start_backend();
    net_run_until(loop, "the backend's EHLO", is_known, backend);
}

/* ---- The mailer ---- */

struct told {
    enum forward_class class;
    int code;
    char enhanced[20];
    char text[500];
    char detail[500];
    char tls_version[20];
    struct ip_endpoint address;
    bool is_reused;
};

struct mailer {
    struct forward *forward;
    struct envelope sender;    /* and the recipients to be delivered to */
    struct forward_identity identity;
    struct message_limits limits;
    struct spool_budget budget;
    struct message message;
    struct told recipient;     /* the last one told */
    struct told outcome;
    int recipients_told;
    int outcomes_told;
    bool refuses_dot;
    bool cancels_when_told;
};

/* Keeps what is borrowed. */
static inline void write_down(struct told *told, const struct forward_answer *answer)
{
    told->class = answer->class;
    told->code = answer->code;
    told->address = answer->address;
    told->is_reused = answer->is_reused;
    snprintf(told->enhanced, sizeof told->enhanced, "%s", answer->enhanced);
    snprintf(told->text, sizeof told->text, "%s", answer->text);
    snprintf(told->detail, sizeof told->detail, "%s", answer->detail);
    snprintf(told->tls_version, sizeof told->tls_version, "%s",
             answer->tls_version != NULL ? answer->tls_version : "");
}

/* The events of a forward. */
static inline void on_recipient(void *owner, const struct forward_answer *answer)
{
    struct mailer *mailer = owner;

    write_down(&mailer->recipient, answer);
    mailer->recipients_told++;
    if (mailer->cancels_when_told)
        forward_cancel(&mailer->forward);
}

/* See on_recipient. */
static inline void on_outcome(void *owner, const struct forward_answer *answer)
{
    struct mailer *mailer = owner;

    write_down(&mailer->outcome, answer);
    mailer->outcomes_told++;
    if (mailer->cancels_when_told)
        forward_cancel(&mailer->forward);
}

/* See on_recipient. */
static inline bool may_send_dot(void *owner)
{
    return !((struct mailer *)owner)->refuses_dot;
}

static const struct forward_events mailer_events = {
    .on_recipient = on_recipient,
    .on_outcome = on_outcome,
    .may_send_dot = may_send_dot,
};

/* From a@b.example, with a small message. */
static inline void mailer_init(struct mailer *mailer)
{
    size_t used;

    *mailer = (struct mailer){ .identity = { .helo = "client.example", .is_extended = true } };
    mailer->budget.max_bytes = 100 << 20;
    mailer->limits = (struct message_limits){ .max_header_bytes = 10000, .max_header_fields = 100 };
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.7:4711"), &mailer->identity.client));
    ck_assert(ip_endpoint_parse(SLICE("192.0.2.1:25"), &mailer->identity.listener));
    envelope_init(&mailer->sender);
    ck_assert_int_eq(address_parse(SLICE("<a@b.example>"), ADDRESS_REVERSE_PATH, true,
                                   &mailer->sender.sender, &used), ADDRESS_OK);
    message_init(&mailer->message, &mailer->limits, &mailer->budget);
    ck_assert_int_eq(message_append(&mailer->message, SLICE("Subject: x\r\n\r\n.Hi\r\n")),
                     MESSAGE_OK);
    mailer->forward = forward_start(backend, &mailer->sender, &mailer->identity, &mailer_events,
                                    mailer);
}

static inline void mailer_clear(struct mailer *mailer)
{
    forward_cancel(&mailer->forward);
    message_clear(&mailer->message);
    envelope_clear(&mailer->sender);
}

/* 12 MB more: larger than what both kernels buffer. */
static inline void make_large(struct mailer *mailer)
{
    for (int i = 0; i < 200000; i++)
        ck_assert_int_eq(message_append(&mailer->message,
                                        SLICE("A line of sixty bytes, as there are many in large "
                                              "mails...\r\n")), MESSAGE_OK);
}

static inline void parse_recipient(struct recipient *recipient, const char *path)
{
    size_t used;

    *recipient = (struct recipient){ 0 };
    ck_assert_int_eq(address_parse(slice_from(path), ADDRESS_FORWARD_PATH, true,
                                   &recipient->address, &used), ADDRESS_OK);
}

/* Adds it to what forward_deliver will get, without asking. */
static inline void expect_recipient(struct mailer *mailer, const char *path)
{
    struct recipient recipient;

    parse_recipient(&recipient, path);
    envelope_add_recipient(&mailer->sender, &recipient);
    recipient_clear(&recipient);
}

static inline bool is_recipient_told(void *owner)
{
    return ((struct mailer *)owner)->recipients_told > 0;
}

static inline bool is_outcome_told(void *owner)
{
    return ((struct mailer *)owner)->outcomes_told > 0;
}

/* Asks without waiting for the answer. */
static inline void start_asking(struct mailer *mailer, const char *path)
{
    struct recipient recipient;

    mailer->recipients_told = 0;
    parse_recipient(&recipient, path);
    forward_add_recipient(mailer->forward, &recipient);
    ck_assert_msg(mailer->recipients_told == 0, "told from within the call");
    recipient_clear(&recipient);
}

/* Asks; what is accepted will be delivered to. */
static inline enum forward_class ask(struct mailer *mailer, const char *path)
{
    start_asking(mailer, path);
    net_run_until(loop, "the answer to RCPT", is_recipient_told, mailer);
    ck_assert_int_eq(mailer->recipients_told, 1);
    if (mailer->recipient.class == FORWARD_OK)
        expect_recipient(mailer, path);
    return mailer->recipient.class;
}

static inline void start_delivering(struct mailer *mailer)
{
    ck_assert_int_eq(message_end(&mailer->message), MESSAGE_OK);
    forward_deliver(mailer->forward, &mailer->sender, &mailer->message);
    ck_assert_msg(mailer->outcomes_told == 0, "told from within the call");
}

static inline enum forward_class deliver(struct mailer *mailer)
{
    start_delivering(mailer);
    net_run_until(loop, "the outcome", is_outcome_told, mailer);
    ck_assert_int_eq(mailer->outcomes_told, 1);
    return mailer->outcome.class;
}

/* A whole mail to one recipient; the class of its outcome, or of its recipient when refused. */
static inline enum forward_class send_mail(const char *path)
{
    struct mailer mailer;
    enum forward_class class;

    mailer_init(&mailer);
    class = ask(&mailer, path);
    if (class == FORWARD_OK)
        class = deliver(&mailer);
    mailer_clear(&mailer);
    return class;
}

/* What was said to a backend so far. */
static inline void expect_said(const struct fake *fake, const char *want)
{
    unit_expect_text("said", &fake->said, slice_from(want));
}

#endif
