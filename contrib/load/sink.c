/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load-sink: the mail server behind every gateway of the bench. It takes any
 * mail and throws it away, in one process and one epoll loop, so that it costs
 * little and costs the same whoever stands in front of it.
 *
 * It listens on 127.0.0.1, prints "ready PORT", and then one line of JSON with
 * its counts for each line read from stdin, and a last one at the end of stdin.
 * Instead of an empty line, "ends" asks when each message ended since it was last
 * asked for (microseconds on the monotonic clock), and "head" for the first octets of
 * the latest message.
 * The counts are what makes the bench honest: what a gateway said it delivered
 * must have arrived here, and as many octets of it.
 *
 * It believes in CRLF.CRLF alone, and takes messages by BDAT too (RFC 3030), as
 * most mail servers do: a gateway may use what it could use in front of them. It
 * is not a server for anything but the bench.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_LINE 1024            /* octets of a command line */
#define MAX_REPLIES 4096         /* octets of replies not written yet */
#define READ_BYTES (64 * 1024)
#define MAX_MESSAGE_BYTES 104857600
#define MAX_ENDS 65536           /* moments kept between two questions for them */
#define HEAD_BYTES 4096          /* octets kept of the latest message */

/* Where in a message the next octet falls. */
enum data_place {
    DATA_LINE_START, /* right after a CRLF, or at the first octet */
    DATA_IN_LINE,    /* somewhere in a line */
    DATA_CR,         /* after a CR in a line */
    DATA_DOT,        /* after a dot at the start of a line */
    DATA_DOT_CR,     /* after dot and CR at the start of a line */
};

struct client {
    int fd;
    bool in_data;         /* octets are message behind DATA, not commands */
    bool in_chunk;        /* octets are a chunk behind BDAT */
    bool is_last_chunk;   /* it ends the message */
    bool is_chunked;      /* the message has chunks: DATA is too late */
    bool in_transaction;  /* MAIL was accepted */
    bool has_recipient;
    bool is_ending;       /* QUIT was answered: close once the replies are out */
    bool waits_to_write;  /* epoll is asked for EPOLLOUT alone */
    enum data_place place;
    uint64_t chunk_left;    /* octets of the chunk that have not come */
    uint64_t message_bytes; /* of the message in hand, without stuffed dots */
    size_t line_length;
    size_t reply_length;
    char line[MAX_LINE];
    char replies[MAX_REPLIES];
};

static struct {
    uint64_t connections;
    uint64_t messages;
    uint64_t chunked;  /* of these, by BDAT */
    uint64_t bytes;  /* of complete messages, without stuffed dots and the final dot */
    uint64_t open;   /* connections now */
    uint64_t errors; /* commands refused, connections lost inside a message */
} counts;

static struct {
    uint64_t ends_us[MAX_ENDS];
    size_t end_count;
    char head[HEAD_BYTES]; /* of the message whose MAIL came last */
    size_t head_length;
} latest;

static int epoll_fd;
static char input[READ_BYTES];

static void print_counts(void)
{
    printf("{\"connections\": %ju, \"messages\": %ju, \"chunked\": %ju, \"bytes\": %ju, "
           "\"open\": %ju, \"errors\": %ju}\n",
           (uintmax_t)counts.connections, (uintmax_t)counts.messages, (uintmax_t)counts.chunked,
           (uintmax_t)counts.bytes, (uintmax_t)counts.open, (uintmax_t)counts.errors);
    fflush(stdout);
}

static void print_ends(void)
{
    printf("[");
    for (size_t i = 0; i < latest.end_count; i++)
        printf("%s%ju", i == 0 ? "" : ", ", (uintmax_t)latest.ends_us[i]);
    printf("]\n");
    fflush(stdout);
    latest.end_count = 0;
}

static void print_head(void)
{
    bench_print_string(latest.head, latest.head_length);
    printf("\n");
    fflush(stdout);
}

/* Octets of a message, as they come: stuffed dots and the final one are not taken out. */
static void keep_head(const char *data, size_t length)
{
    size_t room = sizeof(latest.head) - latest.head_length;

    memcpy(latest.head + latest.head_length, data, length < room ? length : room);
    latest.head_length += length < room ? length : room;
}

static void client_free(struct client *client)
{
    if (client->in_data || client->in_chunk)
        counts.errors++;
    counts.open--;
    close(client->fd);
    free(client);
}

/* Replies that do not fit are lost: only a client that never reads gets there. */
static void add_reply(struct client *client, const char *reply)
{
    size_t length = strlen(reply);

    if (length > sizeof(client->replies) - client->reply_length) {
        counts.errors++;
        return;
    }
    memcpy(client->replies + client->reply_length, reply, length);
    client->reply_length += length;
}

static void watch(struct client *client, bool waits_to_write)
{
    struct epoll_event event = { .events = waits_to_write ? EPOLLOUT : EPOLLIN,
                                 .data.ptr = client };

    if (client->waits_to_write != waits_to_write)
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
    client->waits_to_write = waits_to_write;
}

/* Writes what there is; false when the client is gone, or has been served. */
static bool flush_replies(struct client *client)
{
    ssize_t written;

    if (client->reply_length > 0) {
        written = send(client->fd, client->replies, client->reply_length, MSG_NOSIGNAL);
        if (written < 0 && errno != EAGAIN)
            return false;
        if (written > 0) {
            client->reply_length -= (size_t)written;
            memmove(client->replies, client->replies + written, client->reply_length);
        }
    }
    watch(client, client->reply_length > 0);
    return client->reply_length > 0 || !client->is_ending;
}

static bool line_is(const struct client *client, const char *verb)
{
    size_t length = strlen(verb);

    return client->line_length >= length && strncasecmp(client->line, verb, length) == 0;
}

static void reset(struct client *client)
{
    client->in_transaction = client->has_recipient = client->is_chunked = false;
    client->message_bytes = 0;
}

static void end_message(struct client *client)
{
    client->in_data = false;
    if (client->message_bytes > MAX_MESSAGE_BYTES) {
        counts.errors++;
        add_reply(client, "552 5.3.4 too big\r\n");
    } else {
        counts.messages++;
        counts.chunked += client->is_chunked;
        counts.bytes += client->message_bytes;
        if (latest.end_count < MAX_ENDS)
            latest.ends_us[latest.end_count++] = bench_now_us();
        add_reply(client, "250 2.0.0 thrown away\r\n");
    }
    reset(client);
}

static void answer_data(struct client *client)
{
    if (!client->has_recipient || client->is_chunked) {
        counts.errors++;
        add_reply(client, "503 5.5.1 recipients first\r\n");
        return;
    }
    client->in_data = true;
    client->place = DATA_LINE_START;
    add_reply(client, "354 go on\r\n");
}

static void end_chunk(struct client *client)
{
    client->in_chunk = false;
    if (client->is_last_chunk)
        end_message(client);
    else
        add_reply(client, "250 2.0.0 go on\r\n");
}

/* "BDAT 86 LAST". What cannot be read, or comes without a recipient, ends the connection. */
static void answer_chunk(struct client *client)
{
    char *rest;

    client->line[client->line_length - 1] = '\0';
    errno = 0;
    client->chunk_left = strtoull(client->line + 5, &rest, 10);
    client->is_last_chunk = strcasecmp(rest, " LAST\r") == 0;
    if (errno != 0 || rest == client->line + 5 || !client->has_recipient ||
        (!client->is_last_chunk && strcmp(rest, "\r") != 0)) {
        counts.errors++;
        add_reply(client, "503 5.5.1 no such chunk\r\n");
        client->is_ending = true;
        return;
    }
    client->in_chunk = client->is_chunked = true;
    client->message_bytes += client->chunk_left;
    if (client->chunk_left == 0)
        end_chunk(client);
}

static void answer_command(struct client *client)
{
    if (line_is(client, "EHLO")) {
        reset(client);
        add_reply(client, "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n"
                          "250-8BITMIME\r\n250 CHUNKING\r\n");
    } else if (line_is(client, "HELO")) {
        reset(client);
        add_reply(client, "250 sink.example\r\n");
    } else if (line_is(client, "MAIL FROM:") && !client->in_transaction) {
        client->in_transaction = true;
        latest.head_length = 0;
        add_reply(client, "250 2.1.0 ok\r\n");
    } else if (line_is(client, "RCPT TO:") && client->in_transaction) {
        client->has_recipient = true;
        add_reply(client, "250 2.1.5 ok\r\n");
    } else if (line_is(client, "BDAT ")) {
        answer_chunk(client);
    } else if (line_is(client, "DATA")) {
        answer_data(client);
    } else if (line_is(client, "RSET")) {
        reset(client);
        add_reply(client, "250 2.0.0 ok\r\n");
    } else if (line_is(client, "NOOP")) {
        add_reply(client, "250 2.0.0 ok\r\n");
    } else if (line_is(client, "QUIT")) {
        client->is_ending = true;
        add_reply(client, "221 2.0.0 bye\r\n");
    } else {
        counts.errors++;
        add_reply(client, "500 5.5.2 no\r\n");
    }
}

/* Takes octets up to the end of one command line; returns how many. */
static size_t take_command(struct client *client, const char *data, size_t length)
{
    const char *newline = memchr(data, '\n', length);
    size_t taken = newline == NULL ? length : (size_t)(newline - data) + 1;

    if (taken > sizeof(client->line) - client->line_length) {
        counts.errors++;
        add_reply(client, "500 5.5.2 line too long\r\n");
        client->is_ending = true;
        return length;
    }
    memcpy(client->line + client->line_length, data, taken);
    client->line_length += taken;
    if (newline != NULL) {
        answer_command(client);
        client->line_length = 0;
    }
    return taken;
}

/* One octet at a place where it matters; true when it ended the message. */
static bool step_data(struct client *client, char octet)
{
    switch (client->place) {
    case DATA_LINE_START:
        if (octet == '.') {
            client->place = DATA_DOT;
            return false;
        }
        break;
    case DATA_CR:
        client->message_bytes++;
        client->place = octet == '\n' ? DATA_LINE_START : octet == '\r' ? DATA_CR : DATA_IN_LINE;
        return false;
    case DATA_DOT:
        if (octet == '\r') {
            client->place = DATA_DOT_CR;
            return false;
        }
        break;
    case DATA_DOT_CR:
        if (octet == '\n')
            return true;
        client->message_bytes++; /* the CR that was held back */
        break;
    case DATA_IN_LINE:
        break;
    }
    client->message_bytes++;
    client->place = octet == '\r' ? DATA_CR : DATA_IN_LINE;
    return false;
}

/* Takes octets up to the end of the message; returns how many. */
static size_t take_data(struct client *client, const char *data, size_t length)
{
    size_t taken = 0;

    while (taken < length) {
        if (client->place == DATA_IN_LINE) {
            const char *cr = memchr(data + taken, '\r', length - taken);
            size_t skipped = cr == NULL ? length - taken : (size_t)(cr - data) - taken;

            client->message_bytes += skipped;
            taken += skipped;
            if (cr == NULL)
                break;
        }
        if (step_data(client, data[taken++])) {
            end_message(client);
            break;
        }
    }
    return taken;
}

/* Takes octets up to the end of the chunk; returns how many. */
static size_t take_chunk(struct client *client, size_t length)
{
    size_t taken = length < client->chunk_left ? length : (size_t)client->chunk_left;

    client->chunk_left -= taken;
    if (client->chunk_left == 0)
        end_chunk(client);
    return taken;
}

/* False when the client is gone. */
static bool read_client(struct client *client)
{
    ssize_t got = recv(client->fd, input, sizeof(input), 0);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    for (size_t used = 0; used < (size_t)got && !client->is_ending;) {
        size_t left = (size_t)got - used;

        if (client->in_chunk || client->in_data)
            keep_head(input + used, left);
        if (client->in_chunk)
            used += take_chunk(client, left);
        else if (client->in_data)
            used += take_data(client, input + used, left);
        else
            used += take_command(client, input + used, left);
    }
    return flush_replies(client);
}

static void accept_clients(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = bench_alloc(1, sizeof(*client));
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

        client->fd = fd;
        counts.connections++;
        counts.open++;
        bench_set_nodelay(fd);
        add_reply(client, "220 sink.example ESMTP\r\n");
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            bench_fail("epoll: %s", strerror(errno));
        if (!flush_replies(client))
            client_free(client);
    }
    if (errno == EMFILE || errno == ENFILE)
        bench_fail("out of descriptors with %ju clients", (uintmax_t)counts.open);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t length = sizeof(address);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 8192) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        bench_fail("cannot listen on 127.0.0.1:%u: %s", port, strerror(errno));
    printf("ready %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Answers each line of stdin, which comes in one piece; false at its end. */
static bool read_stdin(void)
{
    char line[256];
    ssize_t got = read(STDIN_FILENO, line, sizeof(line));

    if (got == 5 && memcmp(line, "ends\n", 5) == 0)
        print_ends();
    else if (got == 5 && memcmp(line, "head\n", 5) == 0)
        print_head();
    else if (got > 0)
        print_counts();
    return got > 0;
}

static void add_source(int fd, void *source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_fail("cannot watch descriptor %d: %s", fd, strerror(errno));
}

static void serve(int listener)
{
    struct epoll_event events[256];
    static char stdin_source, listener_source; /* told from clients by their addresses */

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    add_source(STDIN_FILENO, &stdin_source);
    add_source(listener, &listener_source);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, 256, -1);

        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;

            if (events[i].data.ptr == &stdin_source) {
                if (!read_stdin())
                    return;
            } else if (events[i].data.ptr == &listener_source) {
                accept_clients(listener);
            } else if (!(client->waits_to_write ? flush_replies(client) : read_client(client))) {
                client_free(client);
            }
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "port", required_argument, NULL, 'p' },
                                             { NULL, 0, NULL, 0 } };
    uint16_t port = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'p')
            bench_fail("usage: load-sink [--port N]");
        port = (uint16_t)bench_parse_number("--port", optarg, 0, 65535);
    }
    bench_die_with_parent();
    bench_raise_descriptor_limit();
    serve(listen_on(port));
    print_counts();
    return 0;
}
