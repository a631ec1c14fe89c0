/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process of the second SPF engine; see spf_role.h. One request after the other, of
 * all workers: a run takes some microseconds, and one that takes long is ended, with the
 * process, by a signal that nobody catches.
 *
 * What runs here must be reckoned with as taken over at any time. It has a channel to the
 * master, on which it says nothing, and one to each worker, which looks twice at what it
 * says. It writes no log: how it ended the master tells.
 */
#include "daemon/spf_role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "checks/spf2.h"
#include "daemon/handover.h"
#include "daemon/identity.h"
#include "daemon/sandbox.h"
#include "net/loop.h"
#include "net/packet.h"

#define EXIT_CANNOT_START 2
#define SENTENCE_BYTES 500
/* Processor time of one request. */
#define REQUEST_MAX_MS 200
/* Of one worker before the others have their turn. */
#define MAX_REQUESTS_PER_TURN 16
#define ANSWER_MAX_BYTES (2 * DNS_NAME_MAX_BYTES)

struct spf_role {
    struct loop *loop;
    struct loop_watch *channel;  /* NULL once the master is gone, or has let go of us */
    struct spf2 *engine;
    struct list_link askers;
    struct text answer;
    char request[SPF_PARCEL_MAX_BYTES];
};

/* A worker. */
struct asker {
    struct spf_role *role;
    struct list_link entry;
    int channel;
    struct loop_watch *watch;
};

static void on_request(void *owner);

/* ---- Workers. */

static void add_asker(struct spf_role *role, int take_channel)
{
    struct asker *asker = mem_new(sizeof *asker);

    fcntl(take_channel, F_SETFL, O_NONBLOCK);
    asker->role = role;
    asker->channel = take_channel;
    asker->watch = loop_watch_new(role->loop, take_channel, false, on_request, asker);
    list_add_last(&role->askers, &asker->entry);
}

static void asker_free(struct asker *asker)
{
    loop_watch_free(&asker->watch);
    close(asker->channel);
    list_remove(&asker->entry);
    mem_free(asker);
}

static void end_when_alone(struct spf_role *role)
{
    if (role->channel == NULL && list_is_empty(&role->askers))
        loop_stop(role->loop);
}

/* The process does not outlive a run that takes longer. */
static void limit_time(suseconds_t max_ms)
{
    const struct itimerval limit = { .it_value = { 0, max_ms * 1000 } };

    setitimer(ITIMER_PROF, &limit, NULL);
}

/* A worker that takes no answers gets none: its call ends by itself. */
static bool answer(struct asker *asker, uint32_t number, struct slice request)
{
    struct spf_role *role = asker->role;
    bool is_request;

    text_reset(&role->answer);
    limit_time(REQUEST_MAX_MS);
    is_request = spf2_run(role->engine, request, &role->answer);
    limit_time(0);
    return is_request && packet_send(asker->channel, number, text_slice(&role->answer), NULL, 0) !=
                             PACKET_GONE;
}

static void on_request(void *owner)
{
    struct asker *asker = owner;
    struct spf_role *role = asker->role;
    enum packet_result result = PACKET_DONE;

    for (int i = 0; i < MAX_REQUESTS_PER_TURN && result == PACKET_DONE; i++) {
        struct packet packet;

        result = packet_receive(asker->channel, &packet, role->request, sizeof role->request);
        if (result == PACKET_DONE &&
            !answer(asker, packet.type, (struct slice){ role->request, packet.length }))
            result = PACKET_BROKEN;
        packet_clear(&packet);
    }
    if (result != PACKET_GONE && result != PACKET_BROKEN)
        return;
    asker_free(asker);
    end_when_alone(role);
}

/* ---- The master. */

static void on_channel(void *owner)
{
    struct spf_role *role = owner;
    enum packet_result result = PACKET_DONE;

    while (result == PACKET_DONE) {
        struct handover message;

        result = handover_receive(HANDOVER_CHANNEL_FD, &message);
        if (result == PACKET_DONE && handover_type(&message) == HANDOVER_SPF_WORKER)
            add_asker(role, packet_take_fd(&message.packet, 0));
        packet_clear(&message.packet);
    }
    if (result == PACKET_NOTHING)
        return;
    loop_watch_free(&role->channel);
    end_when_alone(role);
}

/* ---- Beginning. */

/* The library must be there before the walls are: what it loads it loads now. */
static bool confine(struct spf_role *role, const struct handover_identity *identity,
                    struct text *problem)
{
    const struct sandbox_needs needs = { .folder_fd = -1 };

    role->engine = spf2_new();
    if (role->engine == NULL) {
        text_add_string(problem, "libspf2 does not start");
        return false;
    }
    role->loop = loop_new();
    if (identity->is_confined)
        sandbox_change_root(-1);
    return identity_become(identity, problem) &&
           (!identity->is_confined || sandbox_enter(SANDBOX_SPF, &needs, problem));
}

static bool start(struct spf_role *role, const struct handover_identity *identity)
{
    struct text problem;
    bool is_started;

    text_init(&problem, SENTENCE_BYTES);
    is_started = confine(role, identity, &problem);
    if (!is_started)
        log_error("spf-not-started", "%s", text_string(&problem));
    text_clear(&problem);
    if (!is_started)
        return false;
    fcntl(HANDOVER_CHANNEL_FD, F_SETFL, O_NONBLOCK);
    role->channel = loop_watch_new(role->loop, HANDOVER_CHANNEL_FD, false, on_channel, role);
    return true;
}

static void clear(struct spf_role *role)
{
    while (!list_is_empty(&role->askers))
        asker_free(LIST_OWNER(role->askers.next, struct asker, entry));
    loop_watch_free(&role->channel);
    loop_free(&role->loop);
    spf2_free(&role->engine);
    text_clear(&role->answer);
}

int spf_role_run(void)
{
    static struct spf_role role;
    struct handover message;
    bool is_started;

    list_init(&role.askers);
    text_init(&role.answer, ANSWER_MAX_BYTES);
    is_started = handover_receive(HANDOVER_CHANNEL_FD, &message) == PACKET_DONE &&
                 handover_type(&message) == HANDOVER_SPF && start(&role, &message.body.identity);
    packet_clear(&message.packet);
    if (is_started)
        loop_run(role.loop);
    clear(&role);
    return is_started ? EXIT_SUCCESS : EXIT_CANNOT_START;
}
