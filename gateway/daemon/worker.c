/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker; see worker.h.
 *
 * In order: orders from the master, the ring (so that it can say what goes
 * wrong), an empty root and the user's identity, configuration and book, TLS, the
 * sandbox, the resolver, the gate, what the backends can do, and then the sockets until it is
 * told to drain, or the master is gone.
 */
#include "daemon/worker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "daemon/check_setup.h"
#include "daemon/handover.h"
#include "daemon/identity.h"
#include "daemon/memory_file.h"
#include "daemon/notice.h"
#include "daemon/resolver_setup.h"
#include "daemon/sandbox.h"
#include "daemon/tls_setup.h"
#include "flow/gate.h"
#include "flow/spf_link.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/spill.h"
#include "net/tls.h"
#include "policy/policy_book.h"
#include "record/counters.h"
#include "record/log_ring.h"
#include "record/presence.h"

#define EXIT_CANNOT_START 2
#define MAX_MESSAGES_PER_TURN 64
/* Messages come and go: what a few dozens of them take is not asked of the system each time. */
#define KEPT_BYTES (4u * 1024 * 1024)
/* How often the loop's longest turn is published. */
#define COUNT_MS 1000
/* With -d, a turn as long as this is told of. */
#define LONG_TURN_US 1000
/* After the last session: so long its last words may take to reach the client. */
#define LINGER_MS 200
/*
 * So long a new worker waits to learn what the backends can do, before it takes sockets. A server
 * that greets late, against spam, takes a few seconds; and it must be well below the time that the
 * master, or a service manager, gives a start.
 */
#define BACKENDS_MS 5000

enum worker_state {
    WORKER_STARTING,  /* until the backends are known, or BACKENDS_MS are over */
    WORKER_SERVING,   /* until DRAIN, or until the master is gone */
    WORKER_DRAINING,  /* until the gate has no session left */
    WORKER_LINGERING, /* until LINGER_MS are over */
};

/* A listening socket; which of them are polled, the master says. */
struct worker_socket {
    struct worker *worker;
    uint32_t slot;
    size_t listener_index;
    int fd;                    /* owned */
    struct listener *listener; /* NULL while it is not polled by us */
};

struct worker {
    enum worker_state state;
    struct loop *loop;
    struct loop_watch *channel;   /* NULL once the master is gone */
    struct handover_work orders;
    /* The log. */
    void *ring_memory;
    struct log_ring_writer *ring;
    struct notice_sink sink;
    struct counters *counters;
    struct presence presence;
    int wake_fd;
    int life_fd;                  /* closed by our end alone */
    /* The configuration. */
    struct slice packed;          /* mapped; the configuration borrows from it */
    struct config *config;
    struct policy_book *book;
    struct tls_server **tls_servers; /* by listener; NULL without TLS */
    struct tls_client **tls_clients; /* by backend; likewise */
    int spool_fd;
    struct spill *spill;
    struct keeper_link *keeper;   /* NULL without a quarantine */
    struct check_tools tools;     /* nothing in it when no check is run */
    struct gate *gate;
    struct worker_socket **sockets;
    size_t socket_count;
    struct loop_timer count_timer;
    struct loop_timer linger_timer;
};

static void on_channel(void *owner);
static void on_count(void *owner);
static void on_lingered(void *owner);
static void on_backends(void *owner);

/* ---- Beginning. */

static size_t ring_memory_bytes(const struct worker *worker)
{
    size_t ring_bytes = (size_t)worker->orders.ring_bytes;

    return log_ring_memory_bytes(ring_bytes, log_ring_slot_count(ring_bytes));
}

/* From here on, what it logs goes the way of all lines. */
static bool open_shared_memory(struct worker *worker, struct handover *message)
{
    size_t ring_bytes = (size_t)worker->orders.ring_bytes;

    worker->wake_fd = packet_take_fd(&message->packet, HANDOVER_WORK_WAKE);
    worker->life_fd = packet_take_fd(&message->packet, HANDOVER_WORK_LIFE);
    worker->ring_memory =
        memory_file_map_shared(message->packet.fds[HANDOVER_WORK_RING], ring_memory_bytes(worker));
    worker->counters = memory_file_map_shared(message->packet.fds[HANDOVER_WORK_COUNTERS],
                                              sizeof *worker->counters);
    worker->presence = (struct presence){
        .memory = memory_file_map_shared(message->packet.fds[HANDOVER_WORK_PRESENCE],
                                         presence_memory_bytes()),
        .table = (unsigned int)worker->orders.presence_table,
        .secret = { worker->orders.presence_secret[0], worker->orders.presence_secret[1] },
    };
    if (worker->ring_memory == NULL || worker->counters == NULL ||
        worker->presence.memory == NULL)
        return false;
    worker->ring = log_ring_writer_new(worker->ring_memory, ring_bytes,
                                       log_ring_slot_count(ring_bytes), worker->wake_fd);
    worker->sink = (struct notice_sink){ .ring = worker->ring };
    log_set_sink(notice_write, &worker->sink);
    if (worker->orders.is_debug)
        log_set_level(LOG_LEVEL_DEBUG);
    return true;
}

static bool give_up_privileges(const struct worker *worker)
{
    struct text problem;
    bool is_done;

    if (worker->orders.identity.is_confined) {
        tls_read_system_settings(); /* while there are files */
        sandbox_change_root(-1);
    }
    text_init(&problem, 200);
    is_done = identity_become(&worker->orders.identity, &problem);
    if (!is_done)
        log_error("worker-not-started", "%s", text_string(&problem));
    text_clear(&problem);
    return is_done;
}

static bool fail(const char *what, const char *reason)
{
    log_error("worker-not-started", "%s%s%s", what, reason[0] != '\0' ? ": " : "", reason);
    return false;
}

/* The loader has read these bytes without an error, so any error now is our own. */
static bool read_config(struct worker *worker, int fd, const char *path)
{
    struct sources *sources = sources_new(NULL, NULL);
    struct diagnostics diagnostics;

    diagnostics_init(&diagnostics);
    if (!memory_file_map_sealed(fd, &worker->packed) || !sources_unpack(sources, worker->packed)) {
        sources_free(&sources);
        return fail("the configuration was not handed over whole", "");
    }
    worker->config = config_new(sources, path, &diagnostics);
    if (worker->config != NULL)
        worker->book = policy_book_new(worker->config, &diagnostics);
    for (size_t i = 0; i < diagnostics.count && worker->book == NULL; i++)
        fail(diagnostics.items[i].sentence, "");
    diagnostics_clear(&diagnostics);
    return worker->book != NULL;
}

static bool make_tls_contexts(struct worker *worker, struct sources *secrets, struct text *problem)
{
    const struct config *config = worker->config;

    for (size_t i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].tls == LISTENER_TLS_OFF)
            continue;
        worker->tls_servers[i] =
            tls_setup_server(config, i, secrets, &worker->orders.ticket_keys, problem);
        if (worker->tls_servers[i] == NULL)
            return false;
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        if (!tls_setup_has_client(&config->backends[i]))
            continue;
        worker->tls_clients[i] = tls_setup_client(&config->backends[i], secrets, problem);
        if (worker->tls_clients[i] == NULL)
            return false;
    }
    return true;
}

/* Afterwards the keys are in their contexts, and nowhere else in this process. */
static bool read_secrets(struct worker *worker, int fd)
{
    struct sources *secrets = sources_new(NULL, NULL);
    struct slice packed;
    struct text problem;
    bool is_done;

    text_init(&problem, 500);
    worker->tls_servers =
        mem_new_array(worker->config->listener_count, sizeof(*worker->tls_servers));
    worker->tls_clients =
        mem_new_array(worker->config->backend_count, sizeof(*worker->tls_clients));
    is_done = memory_file_map_sealed(fd, &packed) && sources_unpack(secrets, packed) &&
              make_tls_contexts(worker, secrets, &problem);
    if (!is_done)
        fail("TLS cannot be set up", text_string(&problem));
    sources_free(&secrets);
    memory_file_unmap_sealed(&packed);
    text_clear(&problem);
    return is_done;
}

static struct record_style make_style(const struct worker *worker)
{
    const struct config_log *log = &worker->config->log;
    static const enum record_addresses addresses[] = {
        [LOG_ADDRESSES_FULL] = RECORD_ADDRESSES_FULL,
        [LOG_ADDRESSES_DOMAIN] = RECORD_ADDRESSES_DOMAIN,
        [LOG_ADDRESSES_HASH] = RECORD_ADDRESSES_HASH,
    };

    return (struct record_style){
        .format = log->format == LOG_FORMAT_JSON ? RECORD_JSON : RECORD_LOGFMT,
        .addresses = addresses[log->addresses],
        .hash_key = { (const char *)worker->orders.hash_key, sizeof worker->orders.hash_key },
    };
}

static void add_ports(uint16_t **ports, size_t *count, const struct ip_endpoint *addresses,
                      size_t address_count)
{
    *ports = mem_resize(*ports, *count + address_count, sizeof **ports);
    for (size_t i = 0; i < address_count; i++)
        (*ports)[(*count)++] = addresses[i].port;
}

/* Of all backends, and of DNS servers if any is asked: where its connections may lead to. */
static size_t find_ports(const struct worker *worker, uint16_t **ports)
{
    const struct config *config = worker->config;
    size_t count = 0;

    *ports = NULL;
    for (size_t i = 0; i < config->backend_count; i++)
        add_ports(ports, &count, config->backends[i].addresses, config->backends[i].address_count);
    if (resolver_setup_is_needed(config, worker->book))
        add_ports(ports, &count, config->resolver.addresses, config->resolver.address_count);
    return count;
}

/* No byte from outside was read yet; and no thread runs that would be left out. */
static bool enter_sandbox(const struct worker *worker)
{
    struct sandbox_needs needs = {
        .folder_fd = worker->spool_fd,
        .has_unnamed_files = spill_has_unnamed_files(worker->spool_fd),
        .max_file_bytes = worker->config->max_spool_disk_bytes,
        .asks_dns = resolver_setup_is_needed(worker->config, worker->book),
    };
    struct text problem;
    uint16_t *ports;
    bool is_done;

    if (!worker->orders.identity.is_confined)
        return true;
    needs.port_count = find_ports(worker, &ports);
    needs.ports = ports;
    text_init(&problem, 300);
    is_done = sandbox_enter(SANDBOX_WORKER, &needs, &problem);
    if (!is_done)
        fail(text_string(&problem), "");
    text_clear(&problem);
    mem_free(ports);
    return is_done;
}

/* The loader has made the same. */
static bool prepare_checks(struct worker *worker)
{
    struct text problem;
    bool is_good;

    text_init(&problem, 500);
    is_good = check_setup_open(&worker->tools, worker->loop, worker->config, worker->book,
                               &problem);
    if (!is_good)
        fail("senders cannot be checked", text_string(&problem));
    text_clear(&problem);
    return is_good;
}

static void open_gate(struct worker *worker)
{
    struct gate_settings settings = {
        .loop = worker->loop,
        .config = worker->config,
        .book = worker->book,
        .tls_servers = worker->tls_servers,
        .tls_clients = worker->tls_clients,
        .log = worker->ring,
        .counters = worker->counters,
        .presence = &worker->presence,
        .style = make_style(worker),
        .generation = worker->orders.generation,
    };

    worker->sink.format = settings.style.format;
    settings.spill = worker->spill =
        spill_new(worker->loop, worker->spool_fd, worker->config->max_spool_disk_bytes);
    if (worker->config->quarantine.is_set)
        worker->keeper = keeper_link_new(worker->loop,
                                         (size_t)worker->config->quarantine.max_waiting);
    settings.keeper = worker->keeper;
    settings.resolver = worker->tools.resolver;
    settings.dkim = worker->tools.dkim;
    settings.suffixes = worker->tools.suffixes;
    settings.spf_link = worker->tools.spf_link;
    worker->gate = gate_new(&settings);
    gate_await_backends(worker->gate, BACKENDS_MS, on_backends, worker);
    loop_timer_init(&worker->count_timer, worker->loop, on_count, worker);
    loop_timer_start(&worker->count_timer, COUNT_MS);
    loop_timer_init(&worker->linger_timer, worker->loop, on_lingered, worker);
    fcntl(HANDOVER_CHANNEL_FD, F_SETFL, O_NONBLOCK);
    worker->channel = loop_watch_new(worker->loop, HANDOVER_CHANNEL_FD, false, on_channel, worker);
}

static bool start(struct worker *worker, struct handover *message)
{
    struct text path;
    bool is_started;

    mem_keep_freed(KEPT_BYTES);
    worker->orders = message->body.work;
    worker->spool_fd = packet_take_fd(&message->packet, HANDOVER_WORK_SPOOL);
    if (!open_shared_memory(worker, message) || !give_up_privileges(worker))
        return false;
    text_init(&path, HANDOVER_MAX_BYTES);
    text_add(&path, handover_text(message));
    is_started = read_config(worker, message->packet.fds[HANDOVER_WORK_SOURCES],
                             text_string(&path)) &&
                 read_secrets(worker, message->packet.fds[HANDOVER_WORK_SECRETS]) &&
                 enter_sandbox(worker);
    text_clear(&path);
    if (!is_started)
        return false;
    worker->loop = loop_new();
    if (!prepare_checks(worker))
        return false;
    open_gate(worker);
    return true;
}

/* From now on it is given sockets. Others had them, or clients have waited in their backlog. */
static void on_backends(void *owner)
{
    struct worker *worker = owner;

    if (worker->state != WORKER_STARTING) /* told to drain meanwhile */
        return;
    worker->state = WORKER_SERVING;
    if (handover_send(HANDOVER_CHANNEL_FD, HANDOVER_READY, SLICE_EMPTY, NULL, 0) != PACKET_DONE)
        loop_stop(worker->loop);
}

static void on_count(void *owner)
{
    struct worker *worker = owner;
    uint64_t longest_us = loop_take_longest_turn_us(worker->loop);

    if (longest_us > counter_get(worker->counters, COUNTER_LONGEST_TURN_US))
        atomic_store_explicit(&worker->counters->values[COUNTER_LONGEST_TURN_US], longest_us,
                              memory_order_relaxed);
    if (longest_us >= LONG_TURN_US)
        log_debug("worker-turn", "%llu us was the longest turn of the last second",
                  (unsigned long long)longest_us);
    loop_timer_start(&worker->count_timer, COUNT_MS);
}

/* ---- Listening. */

static void on_accept(void *owner, int take_fd, const struct ip_endpoint *peer)
{
    struct worker_socket *socket = owner;

    gate_accept(socket->worker->gate, socket->listener_index, take_fd, peer);
}

static void add_socket(struct worker *worker, const struct handover_socket *head, int take_fd)
{
    struct worker_socket *socket = mem_new(sizeof *socket);

    *socket = (struct worker_socket){ .worker = worker, .slot = head->slot,
                                      .listener_index = head->listener_index, .fd = take_fd };
    worker->sockets = mem_resize(worker->sockets, worker->socket_count + 1,
                                 sizeof(*worker->sockets));
    worker->sockets[worker->socket_count++] = socket;
}

static void take_sockets(struct worker *worker, struct handover *message)
{
    for (size_t i = 0; i < message->packet.fd_count; i++) {
        const struct handover_socket *head = &message->body.sockets[i];

        if (worker->state == WORKER_SERVING && head->slot < HANDOVER_MAX_SLOTS &&
            head->listener_index < worker->config->listener_count)
            add_socket(worker, head, packet_take_fd(&message->packet, i));
    }
}

static void poll_sockets(struct worker *worker, const struct handover_poll *poll)
{
    for (size_t i = 0; i < worker->socket_count; i++) {
        struct worker_socket *socket = worker->sockets[i];
        bool is_wanted = (poll->slots[socket->slot / 8] >> socket->slot % 8 & 1) != 0;

        if (!is_wanted)
            listener_free(&socket->listener);
        else if (socket->listener == NULL)
            socket->listener = listener_new(worker->loop, socket->fd, on_accept, socket);
    }
}

/* The master, or a successor, keeps those open that are still in use. */
static void close_sockets(struct worker *worker)
{
    for (size_t i = 0; i < worker->socket_count; i++) {
        listener_free(&worker->sockets[i]->listener);
        close(worker->sockets[i]->fd);
        mem_free(worker->sockets[i]);
    }
    worker->socket_count = 0;
}

/* ---- Draining. */

static void on_lingered(void *owner)
{
    struct worker *worker = owner;

    loop_stop(worker->loop);
}

static void on_drained(void *owner)
{
    struct worker *worker = owner;

    worker->state = WORKER_LINGERING;
    loop_timer_start(&worker->linger_timer, LINGER_MS);
}

/* A second order may shorten the time. */
static void drain(struct worker *worker, uint64_t max_ms, uint64_t spare_ms)
{
    if (worker->state == WORKER_LINGERING)
        return;
    worker->state = WORKER_DRAINING;
    close_sockets(worker);
    log_debug("worker-drains", "%zu sessions", gate_session_count(worker->gate));
    gate_drain(worker->gate, max_ms, spare_ms, on_drained, worker);
}

/* ---- The channel. */

static void on_message(struct worker *worker, struct handover *message)
{
    switch (handover_type(message)) {
    case HANDOVER_SOCKETS: take_sockets(worker, message); break;
    case HANDOVER_POLL: poll_sockets(worker, &message->body.poll); break;
    case HANDOVER_DRAIN:
        drain(worker, message->body.drain.max_ms, message->body.drain.spare_ms);
        break;
    case HANDOVER_TICKET_KEYS:
        for (size_t i = 0; i < worker->config->listener_count; i++)
            if (worker->tls_servers[i] != NULL)
                tls_server_set_ticket_keys(worker->tls_servers[i], &message->body.ticket_keys);
        break;
    case HANDOVER_KEEPER:
        if (worker->keeper != NULL)
            keeper_link_connect(worker->keeper, packet_take_fd(&message->packet, 0));
        break;
    case HANDOVER_SPF_ENGINE:
        if (worker->tools.spf_link != NULL)
            spf_link_connect(worker->tools.spf_link, packet_take_fd(&message->packet, 0));
        break;
    case HANDOVER_SPF:
    case HANDOVER_SPF_WORKER:
    case HANDOVER_KEEP:
    case HANDOVER_KEEP_SETTINGS:
    case HANDOVER_KEEP_WORKER:
    case HANDOVER_ESTATE:
    case HANDOVER_DIAGNOSTIC:
    case HANDOVER_AGREED:
    case HANDOVER_READY:
    case HANDOVER_LEAVE:
    case HANDOVER_RING_DONE:
    case HANDOVER_LOAD:
    case HANDOVER_LOADED:
    case HANDOVER_WORK:
    case HANDOVER_LOG:
    case HANDOVER_OUTPUT:
    case HANDOVER_RING:
    case HANDOVER_TYPE_COUNT:
        log_error("worker-misled", "the master says what no master says to a worker");
        break;
    }
}

static void on_channel(void *owner)
{
    struct worker *worker = owner;
    enum packet_result result = PACKET_DONE;

    for (int i = 0; i < MAX_MESSAGES_PER_TURN && result == PACKET_DONE; i++) {
        struct handover message;

        result = handover_receive(HANDOVER_CHANNEL_FD, &message);
        if (result == PACKET_DONE)
            on_message(worker, &message);
        packet_clear(&message.packet);
    }
    if (result != PACKET_GONE && result != PACKET_BROKEN)
        return;
    loop_watch_free(&worker->channel);
    if (worker->state == WORKER_STARTING || worker->state == WORKER_SERVING) {
        log_error("master-gone", "the master is gone: no new sessions, and then the end");
        drain(worker, worker->config->drain_timeout_ms, 0);
    }
}

/* ---- End. */

static void clear_contexts(struct worker *worker)
{
    for (size_t i = 0; worker->tls_servers != NULL && i < worker->config->listener_count; i++)
        tls_server_free(&worker->tls_servers[i]);
    for (size_t i = 0; worker->tls_clients != NULL && i < worker->config->backend_count; i++)
        tls_client_free(&worker->tls_clients[i]);
    mem_free(worker->tls_servers);
    mem_free(worker->tls_clients);
}

static void clear(struct worker *worker)
{
    if (worker->loop != NULL) {
        close_sockets(worker);
        loop_watch_free(&worker->channel);
        gate_free(&worker->gate);
        keeper_link_free(&worker->keeper);
        check_setup_close(&worker->tools);
        spill_free(&worker->spill);
        loop_free(&worker->loop);
        close(worker->spool_fd);
    }
    mem_free(worker->sockets);
    clear_contexts(worker);
    policy_book_free(&worker->book);
    config_free(&worker->config);
    memory_file_unmap_sealed(&worker->packed);
    log_set_sink(NULL, NULL);
    log_ring_writer_free(&worker->ring);
    if (worker->ring_memory != NULL)
        memory_file_unmap_shared(worker->ring_memory, ring_memory_bytes(worker));
    memory_file_unmap_shared(worker->counters, sizeof *worker->counters);
    memory_file_unmap_shared(worker->presence.memory, presence_memory_bytes());
}

int worker_run(void)
{
    struct worker worker = { .state = WORKER_STARTING };
    struct handover message;
    bool is_started;

    is_started = handover_receive(HANDOVER_CHANNEL_FD, &message) == PACKET_DONE &&
                 handover_type(&message) == HANDOVER_WORK && start(&worker, &message);
    packet_clear(&message.packet);
    if (is_started)
        loop_run(worker.loop);
    clear(&worker);
    return is_started ? EXIT_SUCCESS : EXIT_CANNOT_START;
}
