/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load-gen: SMTP load from one process and one epoll loop. A closed loop: each
 * of N sessions sends its next mail as soon as the one before was answered.
 *
 *   load-gen --port P --sessions 10 --messages 2000 --per-connection 1 --size 4096
 *   load-gen --port P --messages 1000 --per-connection 1 --pause-ms 5
 *   load-gen --port P --messages 1000 --mails FILE --from 192.0.2.10 --dots FILE
 *   load-gen --port P --sessions 2000 --idle --tls implicit
 *
 * It ends with one line of JSON. With --pause-ms it sends one mail at a time, and
 * they begin so far apart, unless one takes longer than that. With --idle it opens
 * a few sessions up to the reply to EHLO, prints {"idle": N}, waits for a line on
 * stdin, opens the rest, prints again, waits again and ends: the bench measures the
 * gateway's memory at the two stops, so that what the first sessions cost once is
 * not shared out among all.
 *
 * --mails names a file of mails to send in turn, one behind the other as they go out:
 * dot-stuffed, each with its final dot. --dots names one to write: microseconds on the
 * monotonic clock, a line each time that the last octet of a mail went out.
 */
#include "bench.h"
#include "session.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FIRST_IDLE_SESSIONS 10
#define MAX_OPENING 64     /* idle sessions on their way at a time: no backlog overflows */
#define GRACE_US 5000000   /* after the time is over, for mails in flight */

struct options {
    uint16_t port;
    uint64_t sessions;
    uint64_t messages;
    uint64_t per_connection;
    uint64_t message_bytes;
    uint64_t seconds;
    uint64_t pause_us;
    enum tls_mode tls;
    bool idle;
    const char *mails;       /* path; NULL: a mail of our own of `message_bytes` */
    const char *dots;        /* path; NULL: none */
    struct in_addr source;
};

static enum tls_mode parse_tls(const char *text)
{
    if (strcmp(text, "none") == 0)
        return TLS_NONE;
    if (strcmp(text, "starttls") == 0)
        return TLS_STARTTLS;
    if (strcmp(text, "implicit") == 0)
        return TLS_IMPLICIT;
    bench_fail("--tls wants none, starttls or implicit, not \"%s\"", text);
}

static void set_option(struct options *order, int option)
{
    switch (option) {
    case 'p':
        order->port = (uint16_t)bench_parse_number("--port", optarg, 1, 65535);
        break;
    case 'n':
        order->sessions = bench_parse_number("--sessions", optarg, 1, 100000);
        break;
    case 'm':
        order->messages = bench_parse_number("--messages", optarg, 1, 100000000);
        break;
    case 'k':
        order->per_connection = bench_parse_number("--per-connection", optarg, 0, 1000000);
        break;
    case 's':
        order->message_bytes = bench_parse_number("--size", optarg, 256, 1000000000);
        break;
    case 't':
        order->tls = parse_tls(optarg);
        break;
    case 'd':
        order->seconds = bench_parse_number("--seconds", optarg, 1, 3600);
        break;
    case 'u':
        order->pause_us = 1000 * bench_parse_number("--pause-ms", optarg, 1, 60000);
        break;
    case 'i':
        order->idle = true;
        break;
    case 'f':
        order->mails = optarg;
        break;
    case 'o':
        order->dots = optarg;
        break;
    case 'a':
        if (inet_pton(AF_INET, optarg, &order->source) != 1)
            bench_fail("--from wants an IPv4 address, not \"%s\"", optarg);
        break;
    default:
        bench_fail("usage: load-gen --port N [--sessions N] [--messages N] [--per-connection N] "
                   "[--size BYTES | --mails FILE] [--tls none|starttls|implicit] [--seconds N] "
                   "[--pause-ms N] [--from ADDRESS] [--dots FILE] [--idle]");
    }
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", required_argument, NULL, 'p' },
        { "sessions", required_argument, NULL, 'n' },
        { "messages", required_argument, NULL, 'm' },
        { "per-connection", required_argument, NULL, 'k' },
        { "size", required_argument, NULL, 's' },
        { "tls", required_argument, NULL, 't' },
        { "seconds", required_argument, NULL, 'd' },
        { "pause-ms", required_argument, NULL, 'u' },
        { "idle", no_argument, NULL, 'i' },
        { "mails", required_argument, NULL, 'f' },
        { "dots", required_argument, NULL, 'o' },
        { "from", required_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 },
    };
    struct options order = { .sessions = 1, .messages = 1, .message_bytes = 4096, .seconds = 60 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        set_option(&order, option);
    if (order.port == 0 || optind < argc)
        set_option(&order, '?');
    return order;
}

/*
 * A mail of exactly `bytes` octets as the receiver counts them, dot-stuffed and
 * with the final dot: headers, one line that begins with a dot (so that a
 * gateway which forgets dot-stuffing is caught by the octets counted at the
 * sink), and lines of 76.
 */
static char *build_message(size_t bytes, size_t *length)
{
    static const char head[] = "From: Load <load@sender.example>\r\n"
                               "To: Someone <someone@bench.example>\r\n"
                               "Subject: a mail of the bench\r\n"
                               "Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
                               "Message-ID: <bench@sender.example>\r\n\r\n"
                               "..a line that begins with a dot\r\n";
    static const char tail[] = "\r\n.\r\n";
    size_t left = bytes - (sizeof(head) - 2); /* the stuffed dot and the NUL do not count */
    char *message = bench_alloc(bytes + 16, 1);
    char *end = message + sizeof(head) - 1;

    memcpy(message, head, sizeof(head));
    while (left > 80) {
        memset(end, 'a' + (char)(left / 78 % 26), 76);
        memcpy(end + 76, "\r\n", 2);
        end += 78;
        left -= 78;
    }
    memset(end, 'z', left - 2);
    memcpy(end + left - 2, tail, sizeof(tail));
    *length = (size_t)(end - message) + left - 2 + sizeof(tail) - 1;
    return message;
}

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    long size;
    char *octets;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0)
        bench_fail("cannot read %s, or it is empty", path);
    octets = bench_alloc((size_t)size, 1);
    rewind(file);
    if (fread(octets, 1, (size_t)size, file) != (size_t)size)
        bench_fail("cannot read %s", path);
    fclose(file);
    *length = (size_t)size;
    return octets;
}

/* A file of mails: each ends with its final dot, which dot-stuffing keeps unique. */
static void split_mails(struct load *load, const char *path)
{
    static const char end_of_mail[] = "\r\n.\r\n";
    const size_t end_length = sizeof(end_of_mail) - 1;
    const char *next = load->octets;
    size_t left = load->octet_count;
    const char *end;

    load->mails = bench_alloc(left / end_length + 1, sizeof(*load->mails));
    while ((end = memmem(next, left, end_of_mail, end_length)) != NULL) {
        struct mail mail = { .octets = next, .length = (size_t)(end - next) + end_length };

        load->mails[load->mail_count++] = mail;
        next += mail.length;
        left -= mail.length;
    }
    if (left > 0)
        bench_fail("the last mail of %s has no end", path);
}

static void prepare_mails(struct load *load, const struct options *order)
{
    if (order->mails != NULL) {
        load->octets = read_file(order->mails, &load->octet_count);
        split_mails(load, order->mails);
        return;
    }
    load->octets = build_message(order->message_bytes, &load->octet_count);
    load->mails = bench_alloc(1, sizeof(*load->mails));
    load->mails[0] = (struct mail){ load->octets, load->octet_count };
    load->mail_count = 1;
}

/* Full TLS 1.3 handshakes with one key exchange, so that every gateway does the same work. */
static SSL_CTX *new_tls_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519") != 1)
        bench_fail("OpenSSL gives no TLS 1.3 context");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

static struct load new_load(const struct options *order)
{
    struct load load = {
        .address = { .sin_family = AF_INET, .sin_port = htons(order->port) },
        .source = { .sin_family = AF_INET, .sin_addr = order->source },
        .tls = order->tls,
        .per_connection = order->per_connection,
        .stays_idle = order->idle,
        .mails_left = order->idle ? 0 : order->messages,
    };

    load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load.tls_context = order->tls == TLS_NONE ? NULL : new_tls_context();
    prepare_mails(&load, order);
    load.latencies_us = bench_alloc(order->messages, sizeof(*load.latencies_us));
    load.dots_us = bench_alloc(order->messages, sizeof(*load.dots_us));
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return load;
}

static void clear_load(struct load *load)
{
    close(load->epoll_fd);
    free(load->latencies_us);
    free(load->dots_us);
    free(load->mails);
    free(load->octets);
    SSL_CTX_free(load->tls_context);
}

/* One turn of the loop; `until_us` bounds the wait. */
static void turn(struct load *load, uint64_t until_us)
{
    struct epoll_event events[256];
    uint64_t now = bench_now_us();
    int wait_ms = now >= until_us ? 0 : (int)((until_us - now) / 1000 + 1);
    int count = epoll_wait(load->epoll_fd, events, 256, wait_ms);

    for (int i = 0; i < count; i++)
        session_on_ready(events[i].data.ptr);
}

static void abort_all(struct session *sessions, uint64_t count, const char *why)
{
    for (uint64_t i = 0; i < count; i++) {
        if (sessions[i].load != NULL)
            session_abort(&sessions[i], why);
    }
}

static void send_mails(struct load *load, struct session *sessions, uint64_t count,
                       uint64_t until_us)
{
    for (uint64_t i = 0; i < count; i++)
        session_start(&sessions[i], load);
    while (load->active > 0 && bench_now_us() < until_us)
        turn(load, until_us);
    load->mails_left = 0;
    while (load->active > 0 && bench_now_us() < until_us + GRACE_US)
        turn(load, until_us + GRACE_US);
    abort_all(sessions, count, "no answer in time");
}

/* One mail after the other, each on a connection of its own. */
static void send_paced(struct load *load, struct session *session, const struct options *order,
                       uint64_t until_us)
{
    uint64_t next_us = bench_now_us();

    for (uint64_t i = 0; i < order->messages && next_us < until_us; i++) {
        uint64_t now_us;

        *session = (struct session){ 0 };
        load->mails_left = 1;
        session_start(session, load);
        while (load->active > 0 && bench_now_us() < until_us + GRACE_US)
            turn(load, until_us + GRACE_US);
        abort_all(session, 1, "no answer in time");
        next_us += order->pause_us;
        now_us = bench_now_us();
        if (now_us < next_us)
            usleep((useconds_t)(next_us - now_us));
        else
            next_us = now_us;
    }
}

/* Opens sessions [from, to) a few at a time, and returns when they are idle or have failed. */
static void open_idle(struct load *load, struct session *sessions, uint64_t from, uint64_t to,
                      uint64_t until_us)
{
    while ((from < to || load->active > load->idle) && bench_now_us() < until_us) {
        while (from < to && load->active - load->idle < MAX_OPENING)
            session_start(&sessions[from++], load);
        turn(load, until_us);
    }
}

/* Holds the sessions open until a line comes on stdin, or its end. */
static void wait_for_line(struct load *load)
{
    char byte;

    printf("{\"idle\": %ju}\n", (uintmax_t)load->idle);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
        continue;
}

static void hold_idle(struct load *load, struct session *sessions, uint64_t count,
                      uint64_t until_us)
{
    uint64_t first = count < FIRST_IDLE_SESSIONS ? count : FIRST_IDLE_SESSIONS;

    open_idle(load, sessions, 0, first, until_us);
    wait_for_line(load);
    open_idle(load, sessions, first, count, until_us);
    wait_for_line(load);
    turn(load, 0); /* notices sessions that the gateway has closed meanwhile */
    abort_all(sessions, count, "did not become idle in time");
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* The latency that `permille` of the mails did not exceed, in milliseconds. */
static double latency_ms(const struct load *load, uint64_t permille)
{
    uint64_t rank = (load->accepted * permille + 999) / 1000;

    return load->accepted == 0 ? 0 : load->latencies_us[rank > 0 ? rank - 1 : 0] / 1000.0;
}

static void write_dots(const struct load *load, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        bench_fail("cannot write %s", path);
    for (uint64_t i = 0; i < load->dots; i++)
        fprintf(file, "%ju\n", (uintmax_t)load->dots_us[i]);
    if (fclose(file) != 0)
        bench_fail("cannot write %s", path);
}

static void report(struct load *load, uint64_t started_us)
{
    double seconds = load->accepted == 0 ? 0 : (double)(load->last_reply_us - started_us) / 1e6;

    qsort(load->latencies_us, load->accepted, sizeof(*load->latencies_us), compare_latencies);
    printf("{\"messages\": %ju, \"errors\": %ju, \"connections\": %ju, \"resumed\": %ju, "
           "\"seconds\": %.6f, \"per_second\": %.1f, \"median_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"max_ms\": %.3f, \"tls\": ",
           (uintmax_t)load->accepted, (uintmax_t)load->errors, (uintmax_t)load->connections,
           (uintmax_t)load->resumed, seconds, seconds > 0 ? (double)load->accepted / seconds : 0,
           latency_ms(load, 500), latency_ms(load, 990), latency_ms(load, 1000));
    bench_print_string(load->tls_name, strlen(load->tls_name));
    printf(", \"first_error\": ");
    bench_print_string(load->first_error, strlen(load->first_error));
    printf("}\n");
}

int main(int argc, char **argv)
{
    struct options order = parse_options(argc, argv);
    struct load load;
    struct session *sessions = bench_alloc(order.sessions, sizeof(*sessions));
    uint64_t started_us;

    bench_die_with_parent();
    bench_raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    load = new_load(&order);
    started_us = bench_now_us();
    if (order.idle)
        hold_idle(&load, sessions, order.sessions, started_us + order.seconds * 1000000);
    else if (order.pause_us > 0)
        send_paced(&load, sessions, &order, started_us + order.seconds * 1000000);
    else
        send_mails(&load, sessions, order.sessions, started_us + order.seconds * 1000000);
    if (order.dots != NULL)
        write_dots(&load, order.dots);
    report(&load, started_us);
    clear_load(&load);
    free(sessions);
    return 0;
}
