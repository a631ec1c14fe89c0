/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master; see master.h.
 *
 *   LOADING -> STARTING -> SERVING -> LOADING -> STARTING -> RETIRING -> SERVING ...
 *   SERVING -> UPGRADING -> LOADING, of another program
 *   and from everywhere -> STOPPING -> ENDING
 *
 * This is what happens when; loading.h reads a configuration, generations.h makes
 * workers of it and hands the sockets on, upgrade.h hands all of it on to another
 * program. While one of these is not over, a further SIGHUP or SIGUSR2 is only
 * noted, and carried out after that.
 */
#include "daemon/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/child.h"
#include "daemon/estate.h"
#include "daemon/generations.h"
#include "daemon/keeper_feed.h"
#include "daemon/loading.h"
#include "daemon/log_feed.h"
#include "daemon/notify.h"
#include "daemon/presence_file.h"
#include "daemon/sandbox.h"
#include "daemon/sockets.h"
#include "daemon/upgrade.h"
#include "net/loop.h"
#include "net/tls.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 1000
/* A ticket is good for one to two of these. */
#define TICKET_KEYS_MS (2ull * 3600 * 1000)

enum master_state {
    MASTER_LOADING,  /* until the loader has ended, or hangs */
    MASTER_STARTING, /* until all workers of the next generation are ready, or it has failed */
    MASTER_SERVING,  /* until a signal */
    MASTER_RETIRING, /* until the last worker of the old generation has ended */
    MASTER_UPGRADING, /* until the new program has refused, or we are it */
    MASTER_STOPPING, /* until the last worker of all has ended */
    MASTER_ENDING,   /* until keeper and logger have ended */
};

struct master {
    struct master_options options;
    char *program;               /* owned: the path that we were started by */
    struct estate estate;        /* of the program before; options and log_switch borrow from it */
    enum master_state state;
    bool is_reload_wanted;       /* SIGHUP came while it could not be followed */
    bool is_upgrade_wanted;      /* SIGUSR2 did */
    bool is_taken_over;          /* those who serve are workers of the program before */
    int exit_status;
    struct loop *loop;
    struct children children;
    struct notify notify;
    struct sockets sockets;
    struct log_feed *feed;
    struct keeper_feed *keeper;
    struct spf_feed *spf;
    struct tls_ticket_keys ticket_keys;
    struct presence_file presence;
    struct loop_timer ticket_timer;
    struct loading *loading;     /* NULL but in MASTER_LOADING */
    struct upgrade *upgrade;     /* NULL but in MASTER_UPGRADING */
    struct generations generations;
};

static void on_line(void *owner, enum severity severity, struct slice line);
static void on_load_end(void *owner, struct blueprint *take_blueprint, const char *why);
static void on_next_ready(void *owner);
static void on_next_failed(void *owner);
static void on_generation_gone(void *owner);
static void on_upgrade_line(void *owner, struct slice line);
static void on_upgrade_refused(void *owner, const char *why);
static void describe(void *owner, struct estate *estate);
static void start_load(struct master *master);
static void start_upgrade(struct master *master);
static void stop(struct master *master);
static void end_when_alone(struct master *master);

static const struct loading_events loading_events = { .on_line = on_line, .on_end = on_load_end };
static const struct upgrade_events upgrade_events = {
    .describe = describe,
    .on_line = on_upgrade_line,
    .on_refused = on_upgrade_refused,
};
static const struct generations_events generations_events = {
    .on_ready = on_next_ready,
    .on_failed = on_next_failed,
    .on_gone = on_generation_gone,
};

/* The only assignment of the state. */
static void enter(struct master *master, enum master_state state)
{
    static const char *const names[] = {
        [MASTER_LOADING] = "loading",   [MASTER_STARTING] = "starting",
        [MASTER_SERVING] = "serving",   [MASTER_RETIRING] = "retiring",
        [MASTER_UPGRADING] = "upgrading", [MASTER_STOPPING] = "stopping",
        [MASTER_ENDING] = "ending",
    };

    log_debug("master-state", "%s", names[state]);
    master->state = state;
}

/* Nothing has served yet: what goes wrong now is the end, and is said on stderr. */
static bool is_first_start(const struct master *master)
{
    return generations_is_first_start(&master->generations);
}

static const struct generation_settings *settings_in_force(const struct master *master)
{
    return generation_get_settings(master->generations.current);
}

static void tell_ready(struct master *master)
{
    char status[100];

    snprintf(status, sizeof status, "serving, generation %llu, %zu workers",
             (unsigned long long)settings_in_force(master)->number,
             settings_in_force(master)->worker_count);
    notify_send_ready(&master->notify, status);
}

/* An upgrade comes first: a reload belongs to it. */
static void enter_serving(struct master *master)
{
    enter(master, MASTER_SERVING);
    if (master->is_upgrade_wanted)
        start_upgrade(master);
    else if (master->is_reload_wanted)
        start_load(master);
}

/* ---- Loading. */

/* A configuration that cannot be served: the end, or everything stays as it is. */
static void refuse_load(struct master *master, const char *why)
{
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

static void start_load(struct master *master)
{
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    master->is_reload_wanted = false;
    enter(master, MASTER_LOADING);
    if (!is_first_start(master))
        notify_send_reloading(&master->notify);
    master->loading = loading_start(&master->children, master->options.path, &loading_events,
                                    master, &problem);
    if (master->loading == NULL)
        refuse_load(master, text_string(&problem));
    text_clear(&problem);
}

/* One sentence of the loader's: for the terminal at first, for the log later. */
static void on_line(void *owner, enum severity severity, struct slice line)
{
    const struct master *master = owner;

    if (is_first_start(master))
        fprintf(stderr, "%.*s\n", SLICE_ARGS(line));
    else if (severity == SEVERITY_ERROR)
        log_error("config-refused", "%.*s", SLICE_ARGS(line));
    else
        log_warning("config-warning", "%.*s", SLICE_ARGS(line));
}

static void on_load_end(void *owner, struct blueprint *take_blueprint, const char *why)
{
    struct master *master = owner;
    struct text problem;

    master->loading = NULL;
    if (why != NULL) {
        refuse_load(master, why);
        return;
    }
    text_init(&problem, SENTENCE_BYTES);
    if (generations_begin(&master->generations, take_blueprint, &problem))
        enter(master, MASTER_STARTING);
    else
        refuse_load(master, text_string(&problem));
    text_clear(&problem);
}

/* ---- From one generation to the next. */

static void log_switch(const struct master *master, bool is_first)
{
    const struct generation_settings *settings = settings_in_force(master);

    if (is_first)
        log_notice("started", "postern %s serves, with %zu workers", master->options.version,
                   settings->worker_count);
    else if (master->is_taken_over)
        log_notice("upgraded", "postern %s serves in place of %s: generation %llu, %zu workers",
                   master->options.version, master->estate.version,
                   (unsigned long long)settings->number, settings->worker_count);
    else
        log_notice("reloaded", "generation %llu serves, with %zu workers",
                   (unsigned long long)settings->number, settings->worker_count);
    if (is_first || !settings->is_confined)
        sandbox_report(settings->is_confined);
}

static void on_next_ready(void *owner)
{
    struct master *master = owner;
    bool is_first = is_first_start(master);

    if (master->state != MASTER_STARTING)
        return;
    generations_switch(&master->generations);
    log_switch(master, is_first);
    master->is_taken_over = false;
    tell_ready(master);
    if (is_first)
        enter_serving(master);
    else
        enter(master, MASTER_RETIRING);
}

static void on_next_failed(void *owner)
{
    struct master *master = owner;

    if (master->state != MASTER_STARTING)
        return;
    log_error("generation-failed", "the workers of the new configuration do not start");
    if (is_first_start(master)) {
        fprintf(stderr, "posternd: the workers do not start; the log says why\n");
        master->exit_status = EXIT_CANNOT_START;
        stop(master);
        return;
    }
    enter(master, MASTER_RETIRING);
    generations_give_up_next(&master->generations);
    tell_ready(master);
}

static void on_generation_gone(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_RETIRING)
        enter_serving(master);
    end_when_alone(master);
}

/* ---- Upgrading. */

static void describe(void *owner, struct estate *estate)
{
    const struct master *master = owner;
    uint64_t now_ms = loop_now_ms(master->loop);

    estate->pid = (uint32_t)getpid();
    estate->version = mem_copy(slice_from(master->options.version));
    estate->path = mem_copy(slice_from(master->options.path));
    estate->program = mem_copy(slice_from(master->program));
    estate->is_debug = master->options.is_debug;
    estate->is_upgrade_wanted = master->is_upgrade_wanted;
    estate->notify_fd = master->notify.fd;
    estate->ticket_keys = master->ticket_keys;
    if (master->ticket_timer.due_ms > now_ms)
        estate->ticket_ms = master->ticket_timer.due_ms - now_ms;
    log_feed_bequeath(master->feed, &estate->log);
    keeper_feed_bequeath(master->keeper, &estate->keepers);
    estate->presence_fd = master->presence.fd;
    memcpy(estate->presence_secret, master->presence.secret, sizeof estate->presence_secret);
    sockets_bequeath(&master->sockets, &estate->sockets);
    generations_bequeath(&master->generations, estate);
}

static void on_upgrade_line(void *owner, struct slice line)
{
    (void)owner;
    log_error("upgrade-refused", "%.*s", SLICE_ARGS(line));
}

static void on_upgrade_refused(void *owner, const char *why)
{
    struct master *master = owner;

    master->upgrade = NULL;
    log_error("upgrade-refused", "%s; the program that runs goes on", why);
    tell_ready(master);
    enter_serving(master);
}

static void start_upgrade(struct master *master)
{
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    master->is_upgrade_wanted = false;
    enter(master, MASTER_UPGRADING);
    notify_send_reloading(&master->notify);
    master->upgrade = upgrade_start(&master->children, master->program, master->options.arguments,
                                    &upgrade_events, master, &problem);
    if (master->upgrade == NULL)
        on_upgrade_refused(master, text_string(&problem));
    text_clear(&problem);
}

/* ---- The end. */

static void on_log_ended(void *owner)
{
    struct master *master = owner;

    loop_stop(master->loop);
}

static void on_keeper_ended(void *owner)
{
    struct master *master = owner;

    log_feed_end(master->feed, on_log_ended, master);
}

/* The logger ends last: the others have something to say up to their end. */
static void end_when_alone(struct master *master)
{
    if (generations_has_any(&master->generations) || master->state != MASTER_STOPPING)
        return;
    if (master->exit_status == 0)
        log_notice("stopped", "postern %s has ended", master->options.version);
    enter(master, MASTER_ENDING);
    spf_feed_free(&master->spf);
    keeper_feed_end(master->keeper, on_keeper_ended, master);
}

/* Sockets are closed first: clients go to another gateway rather than wait for this one. */
static void stop(struct master *master)
{
    enter(master, MASTER_STOPPING);
    loading_cancel(&master->loading);
    upgrade_cancel(&master->upgrade);
    sockets_clear(&master->sockets);
    generations_tell_all(&master->generations, generation_drain);
    end_when_alone(master);
}

static void on_stop_signal(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_ENDING)
        return;
    if (master->state == MASTER_STOPPING) {
        log_notice("stopping", "told twice: sessions are cut off");
        generations_tell_all(&master->generations, generation_drain_now);
        return;
    }
    notify_send_stopping(&master->notify, "letting the sessions end");
    if (!is_first_start(master))
        log_notice("stopping", "%llu sessions are open",
                   (unsigned long long)generation_session_count(master->generations.current));
    stop(master);
}

/* ---- Other signals and times. */

static bool is_stopping(const struct master *master)
{
    return master->state == MASTER_STOPPING || master->state == MASTER_ENDING;
}

static void on_reload_signal(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_SERVING) {
        start_load(master);
    } else if (!is_stopping(master)) {
        master->is_reload_wanted = true;
        log_notice("reload-waits", "a reload or upgrade is not over; this reload follows it");
    }
}

static void on_upgrade_signal(void *owner)
{
    struct master *master = owner;

    if (master->state == MASTER_SERVING) {
        start_upgrade(master);
    } else if (!is_stopping(master)) {
        master->is_upgrade_wanted = true;
        log_notice("upgrade-waits", "a reload or upgrade is not over; this upgrade follows it");
    }
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
    generations_tell_all(&master->generations, generation_send_ticket_keys);
    loop_timer_start(&master->ticket_timer, TICKET_KEYS_MS);
}

/* ---- Life. */

/* And those who serve their workers. */
static void init_generations(struct master *master)
{
    struct generation_tools tools = {
        .children = &master->children,
        .feed = master->feed,
        .sockets = &master->sockets,
        .ticket_keys = &master->ticket_keys,
        .presence = &master->presence,
    };

    tools.keeper = master->keeper = keeper_feed_new(
        &master->children, master->feed, &generations_keeper_events, &master->generations);
    tools.spf = master->spf =
        spf_feed_new(&master->children, generations_on_new_spf, &master->generations);
    generations_init(&master->generations, master->options.path, master->options.is_debug,
                     &tools, &generations_events, master);
}

static void follow_signals(struct master *master)
{
    loop_on_signal(master->loop, SIGCHLD, on_child_signal, master);
    loop_on_signal(master->loop, SIGTERM, on_stop_signal, master);
    loop_on_signal(master->loop, SIGINT, on_stop_signal, master);
    loop_on_signal(master->loop, SIGHUP, on_reload_signal, master);
    loop_on_signal(master->loop, SIGUSR1, on_reopen_signal, master);
    loop_on_signal(master->loop, SIGUSR2, on_upgrade_signal, master);
}

static void init(struct master *master, const struct master_options *options)
{
    *master = (struct master){ .options = *options, .state = MASTER_LOADING, .notify.fd = -1,
                               .children.program_fd = -1 };
    list_init(&master->children.list);
    estate_init(&master->estate);
    master->loop = loop_new();
    loop_timer_init(&master->ticket_timer, master->loop, on_ticket_time, master);
}

static bool begin(struct master *master, struct text *problem)
{
    sockets_init(&master->sockets);
    notify_init(&master->notify);
    master->program = upgrade_find_program();
    tls_ticket_keys_make(&master->ticket_keys);
    loop_timer_start(&master->ticket_timer, TICKET_KEYS_MS);
    if (!children_init(&master->children, master->loop, problem) ||
        !presence_file_init(&master->presence, problem))
        return false;
    master->feed = log_feed_new(&master->children, problem);
    if (master->feed == NULL)
        return false;
    init_generations(master);
    follow_signals(master);
    return true;
}

/* The signals of the program before still wait, and those of children that ended meanwhile. */
static bool take_over(struct master *master, struct text *problem)
{
    struct estate *estate = &master->estate;

    if (!upgrade_receive(estate, problem) ||
        !children_init(&master->children, master->loop, problem) ||
        !presence_file_inherit(&master->presence, estate->presence_fd, estate->presence_secret,
                               problem))
        return false;
    master->options.path = estate->path;
    master->options.is_debug = estate->is_debug;
    master->program = mem_copy(slice_from(estate->program));
    master->is_upgrade_wanted = estate->is_upgrade_wanted;
    master->is_taken_over = true;
    master->notify.fd = estate->notify_fd;
    master->ticket_keys = estate->ticket_keys;
    loop_timer_start(&master->ticket_timer, estate->ticket_ms);
    sockets_inherit(&master->sockets, &estate->sockets);
    master->feed = log_feed_inherit(&master->children, &estate->log, problem);
    if (master->feed == NULL)
        return false;
    init_generations(master);
    keeper_feed_inherit(master->keeper, &estate->keepers);
    generations_inherit(&master->generations, estate);
    follow_signals(master);
    log_notice("upgrading", "postern %s goes on in place of %s, whose workers serve until those of "
               "the new version do", master->options.version, estate->version);
    return true;
}

/* libevent gives them back their defaults: one that comes at our very end must not be our end. */
static void clear(struct master *master)
{
    loop_hold_signals(true);
    generations_clear(&master->generations);
    keeper_feed_free(&master->keeper);
    spf_feed_free(&master->spf);
    log_feed_free(&master->feed);
    sockets_clear(&master->sockets);
    presence_file_clear(&master->presence);
    notify_clear(&master->notify);
    children_clear(&master->children);
    loop_free(&master->loop);
    mem_free(master->program);
    estate_clear(&master->estate);
}

static int run(const struct master_options *options,
               bool (*begin_somehow)(struct master *master, struct text *problem), int bad_status)
{
    struct master master;
    struct text problem;

    text_init(&problem, SENTENCE_BYTES);
    sandbox_shield_master();
    init(&master, options);
    if (begin_somehow(&master, &problem)) {
        if (master.options.is_debug)
            log_set_level(LOG_LEVEL_DEBUG);
        loop_hold_signals(false);
        on_child_signal(&master);
        start_load(&master);
        loop_run(master.loop);
    } else {
        fprintf(stderr, "posternd: %s\n", text_string(&problem));
        master.exit_status = bad_status;
    }
    text_clear(&problem);
    clear(&master);
    return master.exit_status;
}

int master_run(const struct master_options *options)
{
    return run(options, begin, EXIT_CANNOT_START);
}

int master_take_over(const struct master_options *options)
{
    return run(options, take_over, EXIT_FAILURE);
}
