/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master; see master.h.
 *
 *   LOADING -> STARTING -> SERVING -> LOADING -> STARTING -> RETIRING -> SERVING ...
 *   and from everywhere -> STOPPING -> ENDING
 *
 * At most two generations of workers live at a time. While one of them starts or
 * drains, a further SIGHUP is only noted, and carried out after that. Sockets go
 * over to the new generation in one step, when all its workers are ready; until
 * then the old one has them, and for the short time in which both poll, either
 * may accept.
 */
#include "daemon/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/child.h"
#include "daemon/generation.h"
#include "daemon/log_feed.h"
#include "daemon/memory_file.h"
#include "daemon/notify.h"
#include "daemon/plan.h"
#include "daemon/presence_file.h"
#include "daemon/slots.h"
#include "daemon/sockets.h"
#include "net/loop.h"
#include "net/tls.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 1000
/* The loader reads files and asks nobody: one that takes longer hangs, on a dead mount mostly. */
#define LOAD_MS 60000
/* A ticket is good for one to two of these. */
#define TICKET_KEYS_MS (2ull * 3600 * 1000)

enum master_state {
    MASTER_LOADING,  /* until the loader ends, or LOAD_MS are over */
    MASTER_STARTING, /* until all workers of `next` are ready, or it has failed */
    MASTER_SERVING,  /* until a signal */
    MASTER_RETIRING, /* until the last worker of `old` has ended */
    MASTER_STOPPING, /* until the last worker of all has ended */
    MASTER_ENDING,   /* until the logger has ended */
};

struct master {
    const struct master_options *options;
    enum master_state state;
    bool is_reload_wanted;       /* SIGHUP came while it could not be followed */
    int exit_status;
    struct loop *loop;
    struct children children;
    struct notify notify;
    struct sockets sockets;
    struct log_feed *feed;
    struct tls_ticket_keys ticket_keys;
    struct loop_timer ticket_timer;
    struct presence_file presence;
    uint8_t hash_key[32];
    uint64_t last_number;        /* of a generation */
    /* In flight. */
    struct child *loader;        /* NULL but in MASTER_LOADING */
    struct loop_timer load_timer; /* set likewise */
    struct blueprint blueprint;  /* what it handed over */
    bool is_loaded;              /* it did */
    struct loop_task free_task;  /* generations are freed here, not inside their own events */
    struct generation *gone;     /* for the above */
    /* The generations. */
    struct generation *next;     /* starts */
    struct generation *current;  /* serves */
    struct generation *old;      /* drains */
};

static void on_workers_changed(void *owner);
static void on_generation_failed(void *owner, struct generation *generation);
static void on_generation_gone(void *owner, struct generation *generation);
static void on_diagnostic(void *owner, struct handover *message);
static void on_loader_exit(void *owner, pid_t pid, int wait_status);
static void start_load(struct master *master);
static void refuse_load(struct master *master, const char *why);
static void stop(struct master *master);
static void end_when_alone(struct master *master);

static const struct generation_events generation_events = {
    .on_change = on_workers_changed,
    .on_failed = on_generation_failed,
    .on_gone = on_generation_gone,
};
static const struct child_events loader_events = {
    .on_message = on_diagnostic,
    .on_exit = on_loader_exit,
};

/* The only assignment of the state. */
static void enter(struct master *master, enum master_state state)
{
    static const char *const names[] = {
        [MASTER_LOADING] = "loading",   [MASTER_STARTING] = "starting",
        [MASTER_SERVING] = "serving",   [MASTER_RETIRING] = "retiring",
        [MASTER_STOPPING] = "stopping", [MASTER_ENDING] = "ending",
    };

    log_debug("master-state", "%s", names[state]);
    master->state = state;
}

/* Nothing has served yet: what goes wrong now is the end, and is said on stderr. */
static bool is_first_start(const struct master *master)
{
    return master->current == NULL;
}

/* ---- Sockets and workers. */

/* Gives the sockets to the workers that serve and are ready. */
static void assign_sockets(struct master *master)
{
    uint32_t *workers = NULL;
    size_t worker_count = 0;

    if (master->current == NULL || master->state == MASTER_STOPPING)
        return;
    generation_add_ready(master->current, &workers, &worker_count);
    slots_assign(master->sockets.slots, master->sockets.slot_count, workers, worker_count);
    generation_assign(master->current);
    mem_free(workers);
}

static void write_ready_lines(struct master *master)
{
    const char *listener;
    struct text address;

    text_init(&address, 100);
    while (sockets_take_news(&master->sockets, &listener, &address)) {
        log_feed_write_ready(master->feed, listener, text_string(&address));
        text_reset(&address);
    }
    text_clear(&address);
}

static void tell_ready(struct master *master)
{
    char status[100];

    snprintf(status, sizeof status, "serving, generation %llu, %zu workers",
             (unsigned long long)generation_get_settings(master->current)->number,
             generation_get_settings(master->current)->worker_count);
    notify_send_ready(&master->notify, status);
}

static void enter_serving(struct master *master)
{
    enter(master, MASTER_SERVING);
    if (master->is_reload_wanted)
        start_load(master);
}

/* The new generation has what it needs: it takes over, and the old one drains. */
static void switch_generations(struct master *master)
{
    const struct generation_settings *settings = generation_get_settings(master->next);
    bool is_first = is_first_start(master);

    master->old = master->current;
    master->current = master->next;
    master->next = NULL;
    sockets_keep_only(&master->sockets, generation_get_uses(master->current));
    sockets_grow(&master->sockets, generation_get_uses(master->current), settings->worker_count);
    assign_sockets(master);
    write_ready_lines(master);
    if (is_first)
        log_notice("started", "postern %s serves, with %zu workers", master->options->version,
                   settings->worker_count);
    else
        log_notice("reloaded", "generation %llu serves, with %zu workers",
                   (unsigned long long)settings->number, settings->worker_count);
    tell_ready(master);
    if (master->old == NULL) {
        enter_serving(master);
        return;
    }
    enter(master, MASTER_RETIRING);
    generation_drain(master->old);
}

static void on_workers_changed(void *owner)
{
    struct master *master = owner;

    assign_sockets(master);
    if (master->state == MASTER_STARTING && generation_is_ready(master->next))
        switch_generations(master);
}

/* ---- Loading. */

static void start_load(struct master *master)
{
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    master->is_reload_wanted = false;
    master->is_loaded = false;
    enter(master, MASTER_LOADING);
    if (!is_first_start(master))
        notify_send_reloading(&master->notify);
    master->loader = child_start(&master->children, "posternd: loader", &loader_events, master,
                                 &problem);
    if (master->loader != NULL) {
        loop_timer_start(&master->load_timer, LOAD_MS);
        child_send(master->loader, HANDOVER_LOAD, master->options->path,
                   strlen(master->options->path), NULL, 0);
    } else {
        refuse_load(master, text_string(&problem));
    }
    text_clear(&problem);
}

/* One sentence of the loader's: for the terminal at first, for the log later. */
static void report_diagnostic(const struct master *master, const struct handover *message)
{
    struct slice line = handover_text(message);

    if (is_first_start(master))
        fprintf(stderr, "%.*s\n", SLICE_ARGS(line));
    else if (message->body.diagnostic.severity == SEVERITY_ERROR)
        log_error("config-refused", "%.*s", SLICE_ARGS(line));
    else
        log_warning("config-warning", "%.*s", SLICE_ARGS(line));
}

static void on_diagnostic(void *owner, struct handover *message)
{
    struct master *master = owner;

    if (message->type == HANDOVER_DIAGNOSTIC) {
        report_diagnostic(master, message);
    } else if (message->type == HANDOVER_LOADED && !master->is_loaded) {
        master->is_loaded = true;
        master->blueprint.identity = message->body.identity;
        master->blueprint.sources_fd = handover_take_fd(message, 0);
        master->blueprint.secrets_fd = handover_take_fd(message, 1);
        master->blueprint.spool_fd = handover_take_fd(message, 2);
    } else {
        log_error("loader-broken", "the loader says what no loader says, and is ended");
        child_kill(master->loader);
    }
}

/* A configuration that cannot be served: the end, or everything stays as it is. */
static void refuse_load(struct master *master, const char *why)
{
    blueprint_clear(&master->blueprint);
    if (is_first_start(master)) {
        fprintf(stderr, "posternd: %s\n", why);
        master->exit_status = EXIT_CANNOT_START;
        stop(master);
        return;
    }
    log_error("config-refused", "%s; the configuration in force stays", why);
    tell_ready(master);
    enter_serving(master);
}

/* ---- From a blueprint to a generation. */

static struct generation_settings make_settings(const struct master *master,
                                                const struct config *config)
{
    struct generation_settings settings = {
        .path = master->options->path,
        .number = master->last_number + 1,
        .worker_count = plan_count_workers(config),
        .ring_bytes = config->log.ring_bytes,
        .drain_ms = config->drain_timeout_ms,
        .is_debug = master->options->is_debug,
    };

    memcpy(settings.hash_key, master->hash_key, sizeof settings.hash_key);
    return settings;
}

/* The sockets, then the log, since that cannot fail half-way any more. */
static bool open_all(struct master *master, const struct config *config, struct socket_uses *uses,
                     struct text *problem)
{
    if (!sockets_open(&master->sockets, config, uses, problem))
        return false;
    if (log_feed_set_output(master->feed, &config->log, problem)) {
        log_feed_set_identity(master->feed, &master->blueprint.identity);
        if (!is_first_start(master) ||
            log_feed_start(master->feed, &master->blueprint.identity, problem))
            return true;
    }
    socket_uses_clear(uses);
    sockets_keep_only(&master->sockets,
                      is_first_start(master) ? NULL : generation_get_uses(master->current));
    return false;
}

static bool begin_generation(struct master *master, const struct config *config,
                             struct text *problem)
{
    const struct generation_tools tools = {
        .children = &master->children,
        .feed = master->feed,
        .sockets = &master->sockets,
        .ticket_keys = &master->ticket_keys,
        .presence = &master->presence,
    };
    struct generation_settings settings = make_settings(master, config);
    struct socket_uses uses;

    plan_raise_file_limit(config, master->sockets.slot_count);
    if (!open_all(master, config, &uses, problem))
        return false;
    master->last_number = settings.number;
    master->next = generation_new(&settings, &tools, &master->blueprint, &uses,
                                  &generation_events, master);
    enter(master, MASTER_STARTING);
    generation_start(master->next);
    return true;
}

static void follow_blueprint(struct master *master)
{
    struct config *config;
    struct slice packed;
    struct text problem;
    bool is_begun;

    text_init(&problem, SENTENCE_BYTES);
    config = plan_read_config(master->blueprint.sources_fd, master->options->path, &packed);
    if (config == NULL)
        text_add_string(&problem, "the configuration was not handed over whole");
    is_begun = config != NULL && begin_generation(master, config, &problem);
    config_free(&config);
    memory_file_unmap_sealed(&packed);
    if (!is_begun)
        refuse_load(master, text_string(&problem));
    text_clear(&problem);
}

static void on_loader_exit(void *owner, pid_t pid, int wait_status)
{
    struct master *master = owner;
    struct text why;

    (void)pid;
    master->loader = NULL;
    loop_timer_cancel(&master->load_timer);
    if (master->is_loaded && wait_status == 0) {
        follow_blueprint(master);
        return;
    }
    text_init(&why, SENTENCE_BYTES);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_CANNOT_START) {
        text_add_format(&why, "%s is not loaded", master->options->path);
    } else {
        text_add_string(&why, "the loader ended with ");
        child_print_end(&why, wait_status);
    }
    refuse_load(master, text_string(&why));
    text_clear(&why);
}

static void on_load_timeout(void *owner)
{
    struct master *master = owner;
    char why[SENTENCE_BYTES];

    child_abandon(&master->loader);
    snprintf(why, sizeof why, "%s is not loaded: it, or a file that it names, is not read in %d s",
             master->options->path, LOAD_MS / 1000);
    refuse_load(master, why);
}

/* ---- The end of a generation. */

static void free_gone(void *owner)
{
    struct master *master = owner;

    generation_free(&master->gone);
}

/* Not at once: this is called from inside it. */
static void dispose(struct master *master, struct generation *generation)
{
    struct generation **places[] = { &master->next, &master->current, &master->old };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (*places[i] == generation)
            *places[i] = NULL;
    generation_free(&master->gone);
    master->gone = generation;
    loop_defer(master->loop, &master->free_task);
}

/* It comes to nothing; what it has started is ended, as if it had served. */
static void on_generation_failed(void *owner, struct generation *generation)
{
    struct master *master = owner;

    if (master->state != MASTER_STARTING || generation != master->next)
        return;
    log_error("generation-failed", "the workers of the new configuration do not start");
    if (is_first_start(master)) {
        fprintf(stderr, "posternd: the workers do not start; the log says why\n");
        master->exit_status = EXIT_CANNOT_START;
        stop(master);
        return;
    }
    sockets_keep_only(&master->sockets, generation_get_uses(master->current));
    master->old = master->next;
    master->next = NULL;
    enter(master, MASTER_RETIRING);
    generation_drain_now(master->old);
    tell_ready(master);
}

static void on_log_ended(void *owner)
{
    struct master *master = owner;

    loop_stop(master->loop);
}

static void end_when_alone(struct master *master)
{
    bool has_workers = master->next != NULL || master->current != NULL || master->old != NULL;

    if (has_workers || master->state != MASTER_STOPPING)
        return;
    if (master->exit_status == 0)
        log_notice("stopped", "postern %s has ended", master->options->version);
    enter(master, MASTER_ENDING);
    log_feed_end(master->feed, on_log_ended, master);
}

static void on_generation_gone(void *owner, struct generation *generation)
{
    struct master *master = owner;

    dispose(master, generation);
    if (master->state == MASTER_RETIRING)
        enter_serving(master);
    end_when_alone(master);
}

/* ---- Stopping. */

static void tell_all(struct master *master, void (*tell)(struct generation *generation))
{
    struct generation *generations[] = { master->next, master->current, master->old };

    for (size_t i = 0; i < sizeof generations / sizeof generations[0]; i++)
        if (generations[i] != NULL)
            tell(generations[i]);
}

/* Sockets are closed first: clients go to another gateway rather than wait for this one. */
static void stop(struct master *master)
{
    enter(master, MASTER_STOPPING);
    loop_timer_cancel(&master->load_timer);
    child_abandon(&master->loader);
    sockets_clear(&master->sockets);
    tell_all(master, generation_drain);
    end_when_alone(master);
}

static void on_stop_signal(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_ENDING)
        return;
    if (master->state == MASTER_STOPPING) {
        log_notice("stopping", "told twice: sessions are cut off");
        tell_all(master, generation_drain_now);
        return;
    }
    notify_send_stopping(&master->notify, "letting the sessions end");
    if (master->current != NULL)
        log_notice("stopping", "%llu sessions are open",
                   (unsigned long long)generation_session_count(master->current));
    stop(master);
}

/* ---- Other signals and times. */

static void on_reload_signal(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_SERVING) {
        start_load(master);
        return;
    }
    master->is_reload_wanted = true;
    log_notice("reload-waits", "the last reload is not over; another one follows it");
}

static void on_reopen_signal(void *owner)
{
    struct master *master = owner;

    log_feed_reopen(master->feed);
}

static void on_child_signal(void *owner)
{
    struct master *master = owner;

    children_reap(&master->children);
}

static void on_ticket_time(void *owner)
{
    struct master *master = owner;

    tls_ticket_keys_rotate(&master->ticket_keys);
    tell_all(master, generation_send_ticket_keys);
    loop_timer_start(&master->ticket_timer, TICKET_KEYS_MS);
}

/* ---- Life. */

static bool init(struct master *master, struct text *problem)
{
    master->loop = loop_new();
    blueprint_init(&master->blueprint);
    loop_task_init(&master->free_task, free_gone, master);
    sockets_init(&master->sockets);
    notify_init(&master->notify);
    tls_ticket_keys_make(&master->ticket_keys);
    crypto_random(master->hash_key, sizeof master->hash_key);
    loop_timer_init(&master->ticket_timer, master->loop, on_ticket_time, master);
    loop_timer_start(&master->ticket_timer, TICKET_KEYS_MS);
    loop_timer_init(&master->load_timer, master->loop, on_load_timeout, master);
    if (master->options->is_debug)
        log_set_level(LOG_LEVEL_DEBUG);
    if (!children_init(&master->children, master->loop, problem) ||
        !presence_file_init(&master->presence, problem))
        return false;
    master->feed = log_feed_new(&master->children, problem);
    if (master->feed == NULL)
        return false;
    loop_on_signal(master->loop, SIGCHLD, on_child_signal, master);
    loop_on_signal(master->loop, SIGTERM, on_stop_signal, master);
    loop_on_signal(master->loop, SIGINT, on_stop_signal, master);
    loop_on_signal(master->loop, SIGHUP, on_reload_signal, master);
    loop_on_signal(master->loop, SIGUSR1, on_reopen_signal, master);
    return true;
}

static void clear(struct master *master)
{
    loop_task_cancel(&master->free_task);
    generation_free(&master->gone);
    blueprint_clear(&master->blueprint);
    log_feed_free(&master->feed);
    sockets_clear(&master->sockets);
    presence_file_clear(&master->presence);
    notify_clear(&master->notify);
    children_clear(&master->children);
    loop_free(&master->loop);
}

int master_run(const struct master_options *options)
{
    struct master master = { .options = options, .state = MASTER_LOADING };
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    if (init(&master, &problem)) {
        start_load(&master);
        loop_run(master.loop);
    } else {
        fprintf(stderr, "posternd: %s\n", text_string(&problem));
        master.exit_status = EXIT_CANNOT_START;
    }
    text_clear(&problem);
    clear(&master);
    return master.exit_status;
}
