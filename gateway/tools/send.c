/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern send: sends one mail by hand and shows the dialogue, one command at a
 * time. `enter` says what we say in each state, `on_reply` where each answer
 * leads; the states stand in the same order in both.
 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/number.h"
#include "net/stream.h"
#include "smtp/data_writer.h"
#include "smtp/reply_parser.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#define REPLY_TIMEOUT_MS 120000
#define LAST_WORDS_MS 1000
#define MAX_COMMAND_BYTES 4096
#define MAX_MESSAGE_BYTES (100u << 20)

struct send_values {
    const char *to;
    const char *from;
    struct option_texts recipients;
    struct option_texts probes;      /* addresses for VRFY */
    const char *helo;
    const char *subject;
    const char *path;                /* of the message; NULL: we write one */
    bool wants_starttls;
    bool wants_tls;                  /* from the first byte */
};

enum send_state {
    SEND_SECURING, /* a handshake runs; ends with on_secured */
    SEND_GREETING, /* each of the others waits for a reply */
    SEND_HELLO,
    SEND_STARTTLS,
    SEND_PROBE,
    SEND_MAIL,
    SEND_RECIPIENT,
    SEND_DATA,
    SEND_CONTENT,
    SEND_QUIT,
    SEND_DONE,     /* nothing more is expected */
};

struct sender {
    /* Lent. */
    const struct send_values *values;
    /* Owned. */
    struct loop *loop;
    struct stream *stream;      /* NULL before the connection and after its end */
    struct tls_client *tls;     /* NULL without TLS */
    struct reply_parser parser;
    struct text message;        /* CRLF line ends */
    /* State. */
    enum send_state state;
    size_t next;                /* recipient or probe at hand */
    size_t accepted_count;      /* recipients */
    bool has_greeted;           /* the 220 has come */
    bool is_secured;
    bool is_8bit;               /* the message is */
    /* What the last EHLO offered. */
    bool has_8bitmime;
    bool has_smtputf8;
    /* Result. */
    enum tool_exit result;
};

/* ---- What we say ---- */

static void say(struct sender *sender, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct sender *sender, const char *format, ...)
{
    struct text line;
    va_list arguments;

    text_init(&line, MAX_COMMAND_BYTES);
    va_start(arguments, format);
    text_add_format_list(&line, format, arguments);
    va_end(arguments);
    tool_print_line(stdout, "C: ", text_slice(&line));
    stream_write(sender->stream, text_slice(&line));
    stream_write(sender->stream, SLICE("\r\n"));
    text_clear(&line);
}

static void say_content(struct sender *sender)
{
    struct data_writer writer;
    struct slice rest = text_slice(&sender->message);

    printf("C: (a message of %zu bytes, and a dot)\n", sender->message.length);
    data_writer_init(&writer);
    while (rest.length > 0)
        stream_write(sender->stream, data_writer_next(&writer, &rest));
    stream_write(sender->stream, data_writer_end(&writer));
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 128)
        text++;
    return *text == '\0';
}

static bool needs_smtputf8(const struct send_values *values)
{
    bool needs = !is_ascii(values->from);

    for (size_t i = 0; i < values->recipients.count; i++)
        needs = needs || !is_ascii(values->recipients.items[i]);
    return needs;
}

static void end(struct sender *sender)
{
    stream_finish(&sender->stream, LAST_WORDS_MS);
    loop_stop(sender->loop);
}

static void enter(struct sender *sender, enum send_state state)
{
    const struct send_values *values = sender->values;

    sender->state = state;
    if (state != SEND_DONE)
        stream_set_read_deadline(sender->stream, REPLY_TIMEOUT_MS);
    switch (state) {
    case SEND_SECURING:
    case SEND_GREETING:
        return;
    case SEND_HELLO:
        say(sender, "EHLO %s", values->helo);
        return;
    case SEND_STARTTLS:
        say(sender, "STARTTLS");
        return;
    case SEND_PROBE:
        say(sender, "VRFY %s", values->probes.items[sender->next]);
        return;
    case SEND_MAIL:
        say(sender, "MAIL FROM:<%s>%s%s", values->from,
            sender->is_8bit && sender->has_8bitmime ? " BODY=8BITMIME" : "",
            needs_smtputf8(values) && sender->has_smtputf8 ? " SMTPUTF8" : "");
        return;
    case SEND_RECIPIENT:
        say(sender, "RCPT TO:<%s>", values->recipients.items[sender->next]);
        return;
    case SEND_DATA:
        say(sender, "DATA");
        return;
    case SEND_CONTENT:
        say_content(sender);
        return;
    case SEND_QUIT:
        say(sender, "QUIT");
        return;
    case SEND_DONE:
        end(sender);
        return;
    }
}

/* ---- What we hear ---- */

static void give_up(struct sender *sender, const char *what, const char *detail)
{
    tool_complain("send", "%s%s%s", what, detail[0] == '\0' ? "" : ": ", detail);
    sender->result = TOOL_UNABLE;
    enter(sender, SEND_DONE);
}

static void start_tls(struct sender *sender)
{
    enter(sender, SEND_SECURING);
    if (!stream_connect_tls(sender->stream, sender->tls, NULL))
        give_up(sender, "the server sent something behind its reply to STARTTLS", "");
}

static enum send_state after_hello(const struct sender *sender)
{
    if (sender->values->wants_starttls && !sender->is_secured)
        return SEND_STARTTLS;
    if (sender->values->probes.count > 0)
        return SEND_PROBE;
    return sender->values->recipients.count > 0 ? SEND_MAIL : SEND_QUIT;
}

static void on_probe(struct sender *sender)
{
    bool is_last = ++sender->next == sender->values->probes.count;

    if (is_last)
        sender->next = 0;
    if (!is_last)
        enter(sender, SEND_PROBE);
    else
        enter(sender, sender->values->recipients.count > 0 ? SEND_MAIL : SEND_QUIT);
}

static void on_recipient(struct sender *sender, bool is_accepted)
{
    sender->accepted_count += is_accepted;
    if (++sender->next < sender->values->recipients.count)
        enter(sender, SEND_RECIPIENT);
    else
        enter(sender, sender->accepted_count > 0 ? SEND_DATA : SEND_QUIT);
}

static void read_extensions(struct sender *sender)
{
    struct slice rest = text_slice(&sender->parser.lines);
    struct slice line;

    sender->has_8bitmime = sender->has_smtputf8 = false;
    while (slice_next(&rest, '\n', &line)) {
        sender->has_8bitmime |= slice_equals_nocase(line, SLICE("8BITMIME"));
        sender->has_smtputf8 |= slice_equals_nocase(line, SLICE("SMTPUTF8"));
    }
}

static void on_reply(struct sender *sender)
{
    int code = sender->parser.code;
    bool is_accepted = code / 100 == (sender->state == SEND_DATA ? 3 : 2);

    if (!is_accepted)
        sender->result = TOOL_REFUSED;
    if (code == 421) {
        enter(sender, SEND_DONE);
        return;
    }
    switch (sender->state) {
    case SEND_SECURING:
        return;
    case SEND_GREETING:
        sender->has_greeted = true;
        enter(sender, is_accepted ? SEND_HELLO : SEND_QUIT);
        return;
    case SEND_HELLO:
        read_extensions(sender);
        enter(sender, is_accepted ? after_hello(sender) : SEND_QUIT);
        return;
    case SEND_STARTTLS:
        if (is_accepted)
            start_tls(sender);
        else
            enter(sender, SEND_QUIT);
        return;
    case SEND_PROBE:
        on_probe(sender);
        return;
    case SEND_MAIL:
        enter(sender, is_accepted ? SEND_RECIPIENT : SEND_QUIT);
        return;
    case SEND_RECIPIENT:
        on_recipient(sender, is_accepted);
        return;
    case SEND_DATA:
        enter(sender, is_accepted ? SEND_CONTENT : SEND_QUIT);
        return;
    case SEND_CONTENT:
        enter(sender, SEND_QUIT);
        return;
    case SEND_QUIT:
    case SEND_DONE:
        enter(sender, SEND_DONE);
        return;
    }
}

/* As it came: the parser takes the enhanced code off the lines. */
static void print_reply(const struct reply_parser *parser)
{
    struct slice rest = text_slice(&parser->lines);
    char prefix[sizeof "S: 250-" + REPLY_PARSER_MAX_ENHANCED_BYTES + 1];
    bool has_more = true;

    while (has_more) {
        struct slice line = rest;
        size_t newline;

        has_more = slice_find_byte(rest, '\n', &newline);
        if (has_more) {
            line = slice_until(rest, newline);
            rest = slice_from_offset(rest, newline + 1);
        }
        snprintf(prefix, sizeof prefix, "S: %03d%c%s%s", parser->code, has_more ? '-' : ' ',
                 parser->enhanced, parser->enhanced[0] != '\0' ? " " : "");
        tool_print_line(stdout, prefix, line);
    }
}

static void on_input(void *owner)
{
    struct sender *sender = owner;
    enum reply_step step = REPLY_STEP_REPLY;

    while (step == REPLY_STEP_REPLY && sender->state != SEND_SECURING && sender->stream != NULL) {
        size_t consumed;

        step = reply_parser_feed(&sender->parser, stream_input(sender->stream), &consumed);
        stream_consume(sender->stream, consumed);
        if (step == REPLY_STEP_REPLY) {
            print_reply(&sender->parser);
            on_reply(sender);
        }
    }
    if (step == REPLY_STEP_GARBAGE)
        give_up(sender, "this is no SMTP reply", sender->parser.problem);
}

static void on_secured(void *owner)
{
    struct sender *sender = owner;
    const struct tls_info *info = stream_tls_info(sender->stream);

    printf("*: %s, %s\n", info->version, info->cipher);
    sender->is_secured = true;
    enter(sender, sender->has_greeted ? SEND_HELLO : SEND_GREETING);
}

static void on_end(void *owner, enum stream_end stream_end, const char *detail)
{
    struct sender *sender = owner;

    switch (stream_end) {
    case STREAM_END_CLOSED:
        give_up(sender, "the server closed the connection", detail);
        return;
    case STREAM_END_RESET:
        give_up(sender, "connection lost", detail);
        return;
    case STREAM_END_TLS_FAILED:
        give_up(sender, "TLS failed", detail);
        return;
    case STREAM_END_READ_TIMEOUT:
    case STREAM_END_WRITE_TIMEOUT:
        give_up(sender, "the server fell silent", detail);
        return;
    }
}

static const struct stream_events stream_events = {
    .on_input = on_input,
    .on_secured = on_secured,
    .on_end = on_end,
};

/* ---- The message ---- */

static void write_message(struct sender *sender)
{
    const struct send_values *values = sender->values;
    struct id id = id_new();

    text_add_format(&sender->message, "From: <%s>\r\nTo: ",
                    values->from[0] == '\0' ? "postmaster@localhost" : values->from);
    for (size_t i = 0; i < values->recipients.count; i++)
        text_add_format(&sender->message, "%s<%s>", i > 0 ? ",\r\n " : "",
                        values->recipients.items[i]);
    text_add_format(&sender->message, "\r\nSubject: %s\r\nDate: ", values->subject);
    clock_print_mail_date(&sender->message, clock_wall_us());
    text_add_format(&sender->message,
                    "\r\nMessage-ID: <%s@%s>\r\n\r\nThis is a test, sent by postern send.\r\n",
                    id.text, values->helo);
}

static bool prepare_message(struct sender *sender, struct text *problem)
{
    struct text content;
    bool is_read = true;

    if (sender->values->path == NULL) {
        write_message(sender);
    } else {
        text_init(&content, MAX_MESSAGE_BYTES);
        is_read = file_read(sender->values->path, &content, problem);
        file_add_with_crlf(&sender->message, text_slice(&content));
        text_clear(&content);
    }
    for (size_t i = 0; i < sender->message.length; i++)
        sender->is_8bit |= (unsigned char)sender->message.data[i] > 127;
    return is_read;
}

/* ---- Beginning ---- */

/* No word of the command line becomes a second command. */
static bool is_one_line(const char *word)
{
    return strpbrk(word, "\r\n") == NULL;
}

static bool check_words(const struct send_values *values, struct text *problem)
{
    bool is_good = is_one_line(values->from) && is_one_line(values->helo) &&
                   is_one_line(values->subject);

    for (size_t i = 0; i < values->recipients.count; i++)
        is_good = is_good && is_one_line(values->recipients.items[i]);
    for (size_t i = 0; i < values->probes.count; i++)
        is_good = is_good && is_one_line(values->probes.items[i]);
    if (!is_good)
        text_add_string(problem, "an option has a line end in it");
    else if (values->to == NULL)
        text_add_string(problem, "--to HOST:PORT is missing");
    else if (values->recipients.count == 0 && values->probes.count == 0)
        text_add_string(problem, "nothing to do: neither --rcpt nor --vrfy was given");
    else
        return true;
    return false;
}

/* HOST:PORT, where HOST may be a name. Asking for its address may take a while; nobody waits. */
static bool find_endpoint(const char *to, struct ip_endpoint *endpoint, struct text *problem)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    struct text host;
    uint64_t port;
    size_t colon;
    int error = EAI_NONAME;

    if (ip_endpoint_parse(slice_from(to), endpoint))
        return true;
    if (!slice_find_last_byte(slice_from(to), ':', &colon) ||
        !number_parse(slice_from(to + colon + 1), UINT16_MAX, &port)) {
        text_add_format(problem, "--to takes HOST:PORT, and \"%s\" is none", to);
        return false;
    }
    text_init(&host, 255);
    text_add(&host, slice_until(slice_from(to), colon));
    error = getaddrinfo(text_string(&host), NULL, &hints, &found);
    if (error != 0)
        text_add_format(problem, "cannot find the host %s: %s", text_string(&host),
                        gai_strerror(error));
    else
        ip_endpoint_from_sockaddr(found->ai_addr, endpoint);
    if (found != NULL)
        freeaddrinfo(found);
    text_clear(&host);
    endpoint->port = (uint16_t)port;
    return error == 0;
}

static bool wants_any_tls(const struct send_values *values)
{
    return values->wants_tls || values->wants_starttls;
}

/* Encrypts to whoever answers: a trial, not a delivery. */
static bool prepare_tls(struct sender *sender, struct text *problem)
{
    if (wants_any_tls(sender->values))
        sender->tls =
            tls_client_new(TLS_VERIFY_NOTHING, SLICE_EMPTY, TLS_VERSION_1_2, problem);
    return sender->tls != NULL || !wants_any_tls(sender->values);
}

static void talk(struct sender *sender, const struct ip_endpoint *endpoint)
{
    sender->stream = stream_connect(sender->loop, endpoint, &stream_events, sender);
    if (sender->values->wants_tls)
        start_tls(sender);
    else
        enter(sender, SEND_GREETING);
    loop_run(sender->loop);
}

static enum tool_exit run(const void *values, const char *const *operands)
{
    struct sender sender = { .values = values, .result = TOOL_DONE };
    struct ip_endpoint endpoint;
    struct text problem;

    (void)operands;
    text_init(&problem, 1000);
    text_init(&sender.message, TEXT_MAX_LENGTH);
    reply_parser_init(&sender.parser);
    sender.loop = loop_new();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (check_words(values, &problem) && find_endpoint(sender.values->to, &endpoint, &problem) &&
        prepare_message(&sender, &problem) && prepare_tls(&sender, &problem)) {
        talk(&sender, &endpoint);
    } else {
        tool_complain("send", "%s", text_string(&problem));
        sender.result = TOOL_UNABLE;
    }
    stream_free(&sender.stream);
    tls_client_free(&sender.tls);
    loop_free(&sender.loop);
    reply_parser_clear(&sender.parser);
    text_clear(&sender.message);
    text_clear(&problem);
    return sender.result;
}

/* ---- How it is called ---- */

static void set_defaults(void *memory)
{
    struct send_values *values = memory;

    values->from = "";
    values->helo = "localhost";
    values->subject = "a test";
}

#define FIELD(field) offsetof(struct send_values, field)

static const struct option options[] = {
    { "--to", OPTION_TEXT, FIELD(to), 0, "HOST:PORT", "the server to talk to" },
    { "--from", OPTION_TEXT, FIELD(from), 0, "ADDRESS", "sender; default: the null sender <>" },
    { "--rcpt", OPTION_TEXTS, FIELD(recipients), 0, "ADDRESS", "recipient" },
    { "--vrfy", OPTION_TEXTS, FIELD(probes), 0, "ADDRESS", "try VRFY with it first" },
    { "--helo", OPTION_TEXT, FIELD(helo), 0, "NAME", "our name in EHLO; default localhost" },
    { "--subject", OPTION_TEXT, FIELD(subject), 0, "TEXT", "of the message that is written" },
    { "--file", OPTION_TEXT, FIELD(path), 0, "FILE", "send this message instead; - is stdin" },
    { "--starttls", OPTION_FLAG, FIELD(wants_starttls), 0, NULL, "STARTTLS first" },
    { "--tls", OPTION_FLAG, FIELD(wants_tls), 0, NULL, "TLS from the first byte" },
};

const struct subcommand subcommand_send = {
    .name = "send",
    .operands = "",
    .summary = "send one mail by hand and show the dialogue",
    .description =
        "Sends one mail and prints what the client (C:) and the server (S:) say. With\n"
        "--vrfy and no --rcpt it only asks. Certificates are not checked. Exit status 1\n"
        "means that the server refused something.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct send_values),
    .set_defaults = set_defaults,
    .run = run,
};
