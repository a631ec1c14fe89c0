/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of the loader, as the master sees it; see loading.h. */
#include "daemon/loading.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/memory.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 1000
/* The loader reads files and asks nobody: one that takes longer hangs, on a dead mount mostly. */
#define LOAD_MS 60000

struct loading {
    const char *path;            /* lent */
    struct child *loader;        /* NULL once it has ended */
    struct loop_timer timer;
    struct blueprint blueprint;  /* what it handed over */
    bool is_loaded;              /* it did */
    const struct loading_events *events;
    void *owner;
};

static void on_message(void *owner, struct handover *message);
static void on_exit(void *owner, pid_t pid, int wait_status);
static void on_timeout(void *owner);

static const struct child_events loader_events = { .on_message = on_message, .on_exit = on_exit };

struct loading *loading_start(struct children *children, const char *path,
                              const struct loading_events *events, void *owner,
                              struct text *problem)
{
    struct loading *loading = mem_new(sizeof *loading);

    loading->path = path;
    loading->events = events;
    loading->owner = owner;
    blueprint_init(&loading->blueprint);
    loop_timer_init(&loading->timer, children->loop, on_timeout, loading);
    loading->loader = child_start(children, "posternd: loader", &loader_events, loading, problem);
    if (loading->loader == NULL) {
        loading_cancel(&loading);
        return NULL;
    }
    loop_timer_start(&loading->timer, LOAD_MS);
    child_send(loading->loader, HANDOVER_LOAD, path, strlen(path), NULL, 0);
    return loading;
}

void loading_cancel(struct loading **handle)
{
    struct loading *loading = *handle;

    if (loading == NULL)
        return;
    loop_timer_cancel(&loading->timer);
    child_abandon(&loading->loader);
    blueprint_clear(&loading->blueprint);
    mem_free(loading);
    *handle = NULL;
}

static void on_message(void *owner, struct handover *message)
{
    struct loading *loading = owner;

    if (handover_type(message) == HANDOVER_DIAGNOSTIC) {
        loading->events->on_line(loading->owner,
                                 (enum severity)message->body.diagnostic.severity,
                                 handover_text(message));
    } else if (handover_type(message) == HANDOVER_LOADED && !loading->is_loaded) {
        loading->is_loaded = true;
        loading->blueprint.identity = message->body.identity;
        loading->blueprint.sources_fd = packet_take_fd(&message->packet, 0);
        loading->blueprint.secrets_fd = packet_take_fd(&message->packet, 1);
        loading->blueprint.spool_fd = packet_take_fd(&message->packet, 2);
        if (message->packet.fd_count > 3)
            loading->blueprint.quarantine_fd = packet_take_fd(&message->packet, 3);
    } else {
        log_error("loader-broken", "the loader says what no loader says, and is ended");
        child_kill(loading->loader);
    }
}

/* It is freed first: the owner may start the next one. */
static void end(struct loading *loading, const char *why)
{
    const struct loading_events *events = loading->events;
    void *owner = loading->owner;
    struct blueprint blueprint = loading->blueprint;

    if (why == NULL)
        blueprint_init(&loading->blueprint);
    loading_cancel(&loading);
    events->on_end(owner, why == NULL ? &blueprint : NULL, why);
}

static void on_exit(void *owner, pid_t pid, int wait_status)
{
    struct loading *loading = owner;
    struct text why;

    (void)pid;
    loading->loader = NULL;
    if (loading->is_loaded && wait_status == 0) {
        end(loading, NULL);
        return;
    }
    text_init(&why, SENTENCE_BYTES);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_CANNOT_START) {
        text_add_format(&why, "%s is not loaded", loading->path);
    } else {
        text_add_string(&why, "the loader ended with ");
        child_print_end(&why, wait_status);
    }
    end(loading, text_string(&why));
    text_clear(&why);
}

static void on_timeout(void *owner)
{
    struct loading *loading = owner;
    char why[SENTENCE_BYTES];

    snprintf(why, sizeof why, "%s is not loaded: it, or a file that it names, is not read in %d s",
             loading->path, LOAD_MS / 1000);
    end(loading, why);
}
