/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's side of the second SPF engine; see spf_link.h. Calls stand in one list in
 * the order in which they began, and are said when the channel takes them. What was said
 * to an engine that died has no answer: perhaps it was this request that it died of, so
 * it is not said again.
 */
#include "flow/spf_link.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/packet.h"

#define MAX_ANSWERS_PER_TURN 64
#define ANSWER_MAX_BYTES (2 * DNS_NAME_MAX_BYTES)

struct spf_call {
    struct spf_link *link;
    struct list_link entry;    /* in link->calls */
    uint32_t number;
    struct text request;       /* empty once it was said */
    bool is_said;
    const char *problem;       /* for the timer, which then only reports it; NULL: time is up */
    struct loop_timer timer;
    spf_call_done_fn done;
    void *owner;
};

struct spf_link {
    struct loop *loop;
    int channel;                 /* -1 while there is no engine */
    struct loop_watch *watch;
    struct loop_watch *writable; /* NULL unless the channel was full */
    uint32_t last_number;
    struct list_link calls;
};

static void on_readable(void *owner);
static void on_writable(void *owner);
static void on_due(void *owner);

/* ---- Life. */

struct spf_link *spf_link_new(struct loop *loop)
{
    struct spf_link *link = mem_new(sizeof *link);

    link->loop = loop;
    link->channel = -1;
    list_init(&link->calls);
    return link;
}

static void disconnect(struct spf_link *link)
{
    loop_watch_free(&link->watch);
    loop_watch_free(&link->writable);
    if (link->channel >= 0)
        close(link->channel);
    link->channel = -1;
}

void spf_link_free(struct spf_link **handle)
{
    struct spf_link *link = *handle;

    if (link == NULL)
        return;
    disconnect(link);
    mem_free(link);
    *handle = NULL;
}

static void call_free(struct spf_call *call)
{
    list_remove(&call->entry);
    loop_timer_cancel(&call->timer);
    text_clear(&call->request);
    mem_free(call);
}

static void end(struct spf_call *call, const struct spf_second *second, const char *problem)
{
    spf_call_done_fn done = call->done;
    void *owner = call->owner;

    call_free(call);
    done(owner, second, problem);
}

/* From the loop, though we may be within some other call now. */
static void fail_soon(struct spf_call *call, const char *problem)
{
    call->problem = problem;
    loop_timer_start(&call->timer, 0);
}

/* ---- The channel. */

/* Whoever was told of a request may have died of it. */
static void lose_engine(struct spf_link *link)
{
    disconnect(link);
    for (struct list_link *entry = link->calls.next; entry != &link->calls; entry = entry->next) {
        struct spf_call *call = LIST_OWNER(entry, struct spf_call, entry);

        if (call->is_said)
            fail_soon(call, "the process of libspf2 has died");
    }
}

/* False while the channel takes no more. */
static bool say(struct spf_link *link, struct spf_call *call)
{
    enum packet_result result =
        packet_send(link->channel, call->number, text_slice(&call->request), NULL, 0);

    if (result == PACKET_NOTHING && link->writable == NULL)
        link->writable = loop_watch_new(link->loop, link->channel, true, on_writable, link);
    if (result != PACKET_DONE)
        return false; /* where it is gone, reading tells */
    call->is_said = true;
    text_clear(&call->request);
    return true;
}

static void say_all(struct spf_link *link)
{
    if (link->channel < 0)
        return;
    for (struct list_link *entry = link->calls.next; entry != &link->calls; entry = entry->next) {
        struct spf_call *call = LIST_OWNER(entry, struct spf_call, entry);

        if (!call->is_said && !say(link, call))
            return;
    }
}

static void on_writable(void *owner)
{
    struct spf_link *link = owner;

    loop_watch_free(&link->writable);
    say_all(link);
}

void spf_link_connect(struct spf_link *link, int take_channel)
{
    lose_engine(link);
    fcntl(take_channel, F_SETFL, O_NONBLOCK);
    link->channel = take_channel;
    link->watch = loop_watch_new(link->loop, take_channel, false, on_readable, link);
    say_all(link);
}

static struct spf_call *find_said(struct spf_link *link, uint32_t number)
{
    for (struct list_link *entry = link->calls.next; entry != &link->calls; entry = entry->next) {
        struct spf_call *call = LIST_OWNER(entry, struct spf_call, entry);

        if (call->number == number)
            return call->is_said && call->problem == NULL ? call : NULL;
    }
    return NULL;
}

/* False when the engine speaks no sense: then it must not be listened to any more. */
static bool take_answer(struct spf_link *link, uint32_t number, struct slice bytes)
{
    struct spf_call *call = find_said(link, number);
    struct spf_second second;

    if (!spf_second_unpack(bytes, &second))
        return false;
    if (call != NULL) /* else it comes too late */
        end(call, &second, NULL);
    return true;
}

static void on_readable(void *owner)
{
    struct spf_link *link = owner;
    enum packet_result result = PACKET_DONE;
    char bytes[ANSWER_MAX_BYTES];

    for (int i = 0; i < MAX_ANSWERS_PER_TURN && result == PACKET_DONE && link->channel >= 0; i++) {
        struct packet packet;

        result = packet_receive(link->channel, &packet, bytes, sizeof bytes);
        if (result == PACKET_DONE &&
            !take_answer(link, packet.type, (struct slice){ bytes, packet.length }))
            result = PACKET_BROKEN;
        packet_clear(&packet);
    }
    if (result == PACKET_BROKEN)
        log_error("spf-broken", "the process of libspf2 says what it never says; it is not "
                                "listened to any more");
    if (result == PACKET_GONE || result == PACKET_BROKEN)
        lose_engine(link);
}

/* ---- Calls. */

struct spf_call *spf_call_start(struct spf_link *link, struct text *take_request,
                                spf_call_done_fn done, void *owner)
{
    struct spf_call *call = mem_new(sizeof *call);

    call->link = link;
    call->number = ++link->last_number;
    call->request = *take_request;
    text_init(take_request, 0);
    call->done = done;
    call->owner = owner;
    list_add_last(&link->calls, &call->entry);
    loop_timer_init(&call->timer, link->loop, on_due, call);
    loop_timer_start(&call->timer, SPF_LINK_MAX_MS);
    /* Behind those that wait for room. */
    if (link->writable == NULL)
        say_all(link);
    return call;
}

static void on_due(void *owner)
{
    struct spf_call *call = owner;

    end(call, NULL, call->problem != NULL ? call->problem : "libspf2 gave no answer in time");
}

void spf_call_cancel(struct spf_call **call)
{
    if (*call != NULL)
        call_free(*call);
    *call = NULL;
}
