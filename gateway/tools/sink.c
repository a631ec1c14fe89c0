/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern sink: a small receiving SMTP server in one process and one loop. It
 * stands behind the gateway in the quickstart, in tests and in benchmarks. It
 * takes any mail for anyone, so it listens on loopback unless told otherwise.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mail/domain.h"
#include "net/listener.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/sink_session.h"
#include "tools/subcommand.h"

#define BACKLOG 1024
#define MAX_PEM_BYTES (1u << 20)
#define MAX_RECIPIENTS 10000
#define DEFAULT_MAX_SIZE_BYTES (100u << 20)
#define GRACE_MS 500      /* what clients get to say QUIT once enough has come */
#define LAST_WORDS_MS 200 /* what they get to read our 421 */
#define ALL_EXTENSIONS                                                                           \
    (SERVER_PIPELINING | SERVER_SIZE | SERVER_8BITMIME | SERVER_SMTPUTF8 | SERVER_DSN |          \
     SERVER_ENHANCEDSTATUSCODES | SERVER_CHUNKING | SERVER_STARTTLS | SERVER_PRDR)

struct sink_values {
    struct ip_endpoint listen;
    const char *maildir;
    bool is_discarding;
    bool is_unsynced;
    const char *hostname;
    const char *chain_path;
    const char *key_path;
    struct option_texts rejected_users;
    unsigned int withheld_extensions;
    uint64_t max_message_bytes;
    uint64_t stop_after; /* messages; 0: never */
};

struct sink {
    const struct sink_values *values;
    struct sink_site site;
    struct text hostname;       /* in the one form */
    int listen_fd;              /* -1 while there is none */
    struct listener *listener;
    struct loop_timer grace;      /* set once enough messages have come */
    struct loop_timer last_words; /* set once we stop */
};

/* ---- Stopping ---- */

static void stop_loop(void *owner)
{
    struct sink *sink = owner;

    loop_stop(sink->site.loop);
}

static void stop(void *owner)
{
    struct sink *sink = owner;

    listener_free(&sink->listener);
    sink_sessions_end(&sink->site);
    loop_timer_start(&sink->last_words, LAST_WORDS_MS);
}

static void on_message(void *owner)
{
    struct sink *sink = owner;

    if (sink->values->stop_after > 0 && sink->site.message_count == sink->values->stop_after)
        loop_timer_start(&sink->grace, GRACE_MS);
}

/* ---- Starting ---- */

static bool read_certificate(struct sink *sink, struct text *problem)
{
    const struct sink_values *values = sink->values;
    struct tls_ticket_keys keys;
    struct text chain;
    struct text key;

    if (values->chain_path == NULL && values->key_path == NULL) {
        sink->site.options.extensions &= ~(unsigned int)SERVER_STARTTLS;
        return true;
    }
    if (values->chain_path == NULL || values->key_path == NULL) {
        text_add_string(problem, "--tls-cert and --tls-key go together");
        return false;
    }
    tls_ticket_keys_make(&keys);
    text_init(&chain, MAX_PEM_BYTES);
    text_init(&key, MAX_PEM_BYTES);
    if (file_read(values->chain_path, &chain, problem) &&
        file_read(values->key_path, &key, problem)) {
        struct tls_certificate certificate = {
            .chain_pem = text_slice(&chain),
            .key_pem = text_slice(&key),
            .origin = values->chain_path,
        };

        sink->site.tls = tls_server_new(&certificate, 1, TLS_VERSION_1_2, &keys, problem);
    }
    text_clear(&chain);
    text_clear(&key);
    return sink->site.tls != NULL;
}

static bool open_maildir(struct sink *sink, struct text *problem)
{
    const struct sink_values *values = sink->values;

    if (values->is_discarding)
        return true;
    sink->site.maildir = maildir_new(sink->site.loop, values->maildir,
                                     text_string(&sink->hostname), !values->is_unsynced, problem);
    return sink->site.maildir != NULL;
}

static void on_accept(void *owner, int take_fd, const struct ip_endpoint *peer)
{
    struct sink *sink = owner;

    (void)peer;
    sink_session_start(&sink->site, take_fd);
}

static bool open_listener(struct sink *sink, struct text *problem)
{
    sink->listen_fd = listener_bind(&sink->values->listen, BACKLOG, problem);
    if (sink->listen_fd >= 0)
        sink->listener = listener_new(sink->site.loop, sink->listen_fd, on_accept, sink);
    return sink->listen_fd >= 0;
}

static bool set_hostname(struct sink *sink, struct text *problem)
{
    enum domain_problem trouble =
        domain_normalise(slice_from(sink->values->hostname), &sink->hostname);

    if (trouble != DOMAIN_OK)
        text_add_format(problem, "--hostname \"%s\" %s", sink->values->hostname,
                        domain_problem_text(trouble));
    return trouble == DOMAIN_OK;
}

static void set_options(struct sink *sink)
{
    sink->site.options = (struct server_options){
        .hostname = text_string(&sink->hostname),
        .greeting = "ESMTP",
        .max_data_line_bytes = DATA_DEFAULT_MAX_LINE_BYTES,
        .extensions = ALL_EXTENSIONS & ~sink->values->withheld_extensions,
        .max_recipients = MAX_RECIPIENTS,
    };
}

static void init(struct sink *sink, const struct sink_values *values)
{
    *sink = (struct sink){ .values = values, .listen_fd = -1 };
    sink->site.loop = loop_new();
    sink->site.rejected_users = &values->rejected_users;
    sink->site.max_message_bytes = values->max_message_bytes;
    sink->site.on_message = on_message;
    sink->site.owner = sink;
    list_init(&sink->site.sessions);
    text_init(&sink->site.scratch, TEXT_MAX_LENGTH);
    text_init(&sink->hostname, DOMAIN_MAX_BYTES);
    loop_timer_init(&sink->grace, sink->site.loop, stop, sink);
    loop_timer_init(&sink->last_words, sink->site.loop, stop_loop, sink);
    loop_on_signal(sink->site.loop, SIGTERM, stop, sink);
    loop_on_signal(sink->site.loop, SIGINT, stop, sink);
}

static void clear(struct sink *sink)
{
    listener_free(&sink->listener);
    if (sink->listen_fd >= 0)
        close(sink->listen_fd);
    maildir_free(&sink->site.maildir);
    tls_server_free(&sink->site.tls);
    loop_timer_cancel(&sink->last_words);
    loop_timer_cancel(&sink->grace);
    loop_free(&sink->site.loop);
    text_clear(&sink->site.scratch);
    text_clear(&sink->hostname);
}

/* As many sessions as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Scripts wait for this line and take the port from it. */
static void print_ready(const struct sink *sink)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    struct ip_endpoint endpoint = sink->values->listen;
    struct text line;

    if (getsockname(sink->listen_fd, (struct sockaddr *)&address, &length) == 0)
        ip_endpoint_from_sockaddr((const struct sockaddr *)&address, &endpoint);
    text_init(&line, 100);
    ip_endpoint_print(&line, &endpoint);
    printf("listening on %s\n", text_string(&line));
    fflush(stdout);
    text_clear(&line);
}

static enum tool_exit run(const void *values, const char *const *operands)
{
    enum tool_exit result = TOOL_UNABLE;
    struct text problem;
    struct sink sink;

    (void)operands;
    text_init(&problem, 1000);
    init(&sink, values);
    raise_descriptor_limit();
    if (!set_hostname(&sink, &problem)) {
        tool_complain("sink", "%s", text_string(&problem));
    } else {
        set_options(&sink);
        if (read_certificate(&sink, &problem) && open_maildir(&sink, &problem) &&
            open_listener(&sink, &problem)) {
            print_ready(&sink);
            loop_run(sink.site.loop);
            printf("received %llu messages, %llu bytes\n",
                   (unsigned long long)sink.site.message_count,
                   (unsigned long long)sink.site.byte_count);
            result = TOOL_DONE;
        } else {
            tool_complain("sink", "%s", text_string(&problem));
        }
    }
    clear(&sink);
    text_clear(&problem);
    return result;
}

/* ---- How it is called ---- */

static void set_defaults(void *memory)
{
    struct sink_values *values = memory;

    if (!ip_endpoint_parse(SLICE("127.0.0.1:0"), &values->listen))
        values->listen.port = 0;
    values->maildir = "Maildir";
    values->hostname = "sink.example";
    values->max_message_bytes = DEFAULT_MAX_SIZE_BYTES;
}

#define FIELD(field) offsetof(struct sink_values, field)
#define WITHHOLD(name, bit)                                                                      \
    { "--no-" name, OPTION_BIT, FIELD(withheld_extensions), bit, NULL, "do not offer it" }

static const struct option options[] = {
    { "--listen", OPTION_ENDPOINT, FIELD(listen), 0, "ADDRESS:PORT",
      "default 127.0.0.1:0; port 0: any free one" },
    { "--maildir", OPTION_TEXT, FIELD(maildir), 0, "FOLDER", "made if missing; default ./Maildir" },
    { "--discard", OPTION_FLAG, FIELD(is_discarding), 0, NULL, "count mail and throw it away" },
    { "--no-sync", OPTION_FLAG, FIELD(is_unsynced), 0, NULL, "do not wait for the disk" },
    { "--hostname", OPTION_TEXT, FIELD(hostname), 0, "NAME", "default sink.example" },
    { "--tls-cert", OPTION_TEXT, FIELD(chain_path), 0, "FILE", "certificate chain, PEM: STARTTLS" },
    { "--tls-key", OPTION_TEXT, FIELD(key_path), 0, "FILE", "its key, PEM, not encrypted" },
    { "--reject-user", OPTION_TEXTS, FIELD(rejected_users), 0, "ADDRESS",
      "550 for it; without @: for this local part" },
    { "--max-size", OPTION_SIZE, FIELD(max_message_bytes), 0, "SIZE", "default 100M; 0: no limit" },
    { "--once", OPTION_NUMBER, FIELD(stop_after), 0, "N", "end after N messages" },
    WITHHOLD("pipelining", SERVER_PIPELINING),
    WITHHOLD("size", SERVER_SIZE),
    WITHHOLD("8bitmime", SERVER_8BITMIME),
    WITHHOLD("smtputf8", SERVER_SMTPUTF8),
    WITHHOLD("dsn", SERVER_DSN),
    WITHHOLD("enhancedstatuscodes", SERVER_ENHANCEDSTATUSCODES),
    WITHHOLD("chunking", SERVER_CHUNKING),
    WITHHOLD("starttls", SERVER_STARTTLS),
    WITHHOLD("prdr", SERVER_PRDR),
};

const struct subcommand subcommand_sink = {
    .name = "sink",
    .operands = "",
    .summary = "receive mail into a Maildir (for tests and trials)",
    .description =
        "Receives mail for anyone and stores it in a Maildir. Prints \"listening on\n"
        "ADDRESS:PORT\" once it does. A message is on disk before it is accepted. Ends\n"
        "with SIGTERM or SIGINT, and then prints how much came.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct sink_values),
    .set_defaults = set_defaults,
    .run = run,
};
