/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the DNS; see resolver.h.
 *
 * A lookup is what somebody has started; a question is what is asked, and has one
 * lookup or more. A question waits for its turn, is with the library, and has its
 * answer, in this order; it leaves out what it does not need. Answers are told in
 * one place, a task of the loop, whether they come from local data, from inside
 * the call that asked (the library's cache), from its events, or from our clock:
 * the library takes 12 seconds and more to give up on a silent server.
 *
 * It goes on with a question that we have given up, and its answer may still get
 * into the cache. So that nobody piles up such work, by coming with ever new names
 * and going again, there is a ceiling on all that the library has in hand.
 */
#include "net/resolver.h"

#include <string.h>
#include <unbound.h>
#include <unbound-event.h>

#include "base/crypto.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/sip_hash.h"
#include "dns/dns_wire.h"
#include "net/loop_internal.h"
#include "net/resolver_context.h"

#define BUCKET_COUNT 256
#define CLASS_IN 1
/* The library's word on what it has proved. */
enum { PROVED_NOTHING = 0, PROVED_WRONG = 1, PROVED_RIGHT = 2 };

/*
 * So many requests for each of `max_questions` may be with the library, most of them given up. It
 * takes 12 KiB for each.
 */
#define REQUEST_FACTOR 4

enum question_state {
    QUESTION_WAITING,  /* for its turn: in `waiting` */
    QUESTION_ASKED,    /* it has a request; ends with its answer, or with our timer */
    QUESTION_ANSWERED, /* in `answered`, until the task tells it */
    QUESTION_TOLD,     /* is being told: its lookups are called one after the other */
};

struct question {
    /* Identity. */
    struct resolver *resolver;
    char *name;                /* owned; in the one form */
    enum dns_type type;
    /* State. */
    enum question_state state;
    struct list_link link;     /* in `waiting` or `answered`; in none while it is asked */
    struct list_link bucket_link; /* until it has an answer: who asks the same joins it */
    struct list_link lookups;  /* never empty before it is told */
    struct loop_timer timer;
    struct request *request;   /* while it is asked */
    /* Result. */
    struct dns_answer *answer; /* held */
};

/* What the library has in hand, until it calls back. */
struct request {
    struct list_link link;     /* in `requests` */
    struct resolver *resolver;
    struct question *question; /* NULL once it was given up */
    bool is_starting;          /* ub_resolve_event runs, and may answer at once */
};

struct dns_lookup {
    struct list_link link;     /* in its question's */
    struct question *question;
    resolver_done_fn done;
    void *owner;
};

struct resolver {
    struct loop *loop;         /* lent, as are the next two */
    const struct zone *overrides;
    const struct zone *local_data;
    struct ub_ctx *context;    /* NULL: there are no servers */
    uint64_t timeout_ms;
    uint64_t max_questions;
    uint64_t hash_secret[2];
    /* State. */
    struct list_link buckets[BUCKET_COUNT]; /* of questions that can be joined */
    struct list_link waiting;
    struct list_link answered;
    uint64_t waiting_count;
    uint64_t asked_count;
    struct list_link requests;
    uint64_t request_count;
    struct loop_task tell;
    struct resolver_counts counts;
};

static void on_tell(void *owner);
static void on_timeout(void *owner);

struct resolver *resolver_new(struct loop *loop, const struct resolver_settings *settings,
                              struct text *problem)
{
    struct ub_ctx *context = NULL;
    struct resolver *resolver;

    if (settings->address_count > 0) {
        context = resolver_context_new(loop, settings, problem);
        if (context == NULL)
            return NULL;
    }
    resolver = mem_new(sizeof *resolver);
    resolver->loop = loop;
    resolver->overrides = settings->overrides;
    resolver->local_data = settings->local_data;
    resolver->context = context;
    resolver->timeout_ms = settings->timeout_ms;
    resolver->max_questions = settings->max_questions;
    crypto_random(resolver->hash_secret, sizeof resolver->hash_secret);
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        list_init(&resolver->buckets[i]);
    list_init(&resolver->waiting);
    list_init(&resolver->answered);
    list_init(&resolver->requests);
    loop_task_init(&resolver->tell, on_tell, resolver);
    return resolver;
}

/* ---- Questions. */

static struct list_link *find_bucket(struct resolver *resolver, struct slice name,
                                     enum dns_type type)
{
    uint64_t hash = sip_hash(resolver->hash_secret, name) + (uint64_t)type;

    return &resolver->buckets[hash % BUCKET_COUNT];
}

static struct question *find_question(struct resolver *resolver, struct slice name,
                                      enum dns_type type)
{
    struct list_link *bucket = find_bucket(resolver, name, type);

    for (struct list_link *link = bucket->next; link != bucket; link = link->next) {
        struct question *question = LIST_OWNER(link, struct question, bucket_link);

        if (question->type == type && slice_equals(slice_from(question->name), name))
            return question;
    }
    return NULL;
}

static struct question *question_new(struct resolver *resolver, struct slice name,
                                     enum dns_type type)
{
    struct question *question = mem_new(sizeof *question);

    question->resolver = resolver;
    question->name = mem_copy(name);
    question->type = type;
    list_init(&question->link);
    list_init(&question->bucket_link);
    list_init(&question->lookups);
    loop_timer_init(&question->timer, resolver->loop, on_timeout, question);
    return question;
}

/* Leaves the places that its state puts it in; what the library still says of it is for nobody. */
static void leave_state(struct question *question)
{
    struct resolver *resolver = question->resolver;

    if (question->state == QUESTION_WAITING && !list_is_empty(&question->link))
        resolver->waiting_count--;
    if (question->state == QUESTION_ASKED)
        resolver->asked_count--;
    if (question->request != NULL)
        question->request->question = NULL;
    question->request = NULL;
    list_remove(&question->link);
    list_remove(&question->bucket_link);
    loop_timer_cancel(&question->timer);
}

static void question_free(struct question *question)
{
    struct list_link *link;

    leave_state(question);
    while ((link = list_take_first(&question->lookups)) != NULL)
        mem_free(LIST_OWNER(link, struct dns_lookup, link));
    dns_answer_unref(question->answer);
    mem_free(question->name);
    mem_free(question);
}

static void enter_answered(struct question *question, struct dns_answer *take_answer)
{
    struct resolver *resolver = question->resolver;

    leave_state(question);
    question->state = QUESTION_ANSWERED;
    question->answer = take_answer;
    list_add_last(&resolver->answered, &question->link);
    loop_defer(resolver->loop, &resolver->tell);
}

static void fail(struct question *question, const char *problem)
{
    question->resolver->counts.failed++;
    enter_answered(question, dns_answer_new_failed(problem));
}

static void on_timeout(void *owner)
{
    fail(owner, "timeout");
}

/* ---- The library. */

static struct dns_answer *read_answer(const struct question *question, int rcode,
                                      const void *packet, int packet_bytes, int proved)
{
    struct slice bytes = { packet, packet_bytes > 0 && packet != NULL ? (size_t)packet_bytes : 0 };
    struct dns_answer *answer;

    if (proved == PROVED_WRONG) {
        /* The packet has what was proved wrong in it. */
        answer = dns_answer_new_failed("bogus");
        answer->is_bogus = true;
        return answer;
    }
    if (rcode != 0)
        return dns_answer_new_failed("servfail");
    answer = dns_wire_read(bytes, slice_from(question->name), question->type);
    answer->is_secure = proved == PROVED_RIGHT && answer->result != DNS_FAILED;
    return answer;
}

static void request_free(struct request *request)
{
    list_remove(&request->link);
    request->resolver->request_count--;
    mem_free(request);
}

static void on_library_answer(void *owner, int rcode, void *packet, int packet_bytes, int proved,
                              char *why_bogus, int was_limited)
{
    struct request *request = owner;
    struct resolver *resolver = request->resolver;
    struct question *question = request->question;
    struct dns_answer *answer;

    (void)why_bogus;
    (void)was_limited;
    loop_enter_turn(resolver->loop);
    if (question != NULL) {
        answer = read_answer(question, rcode, packet, packet_bytes, proved);
        if (request->is_starting)
            resolver->counts.cached++;
        else
            resolver->counts.asked++;
        if (answer->result == DNS_FAILED)
            resolver->counts.failed++;
        enter_answered(question, answer);
    } else {
        loop_defer(resolver->loop, &resolver->tell); /* a place is free */
    }
    request_free(request);
}

static struct request *request_new(struct question *question)
{
    struct request *request = mem_new(sizeof *request);

    request->resolver = question->resolver;
    request->question = question;
    list_init(&request->link);
    list_add_last(&question->resolver->requests, &request->link);
    question->resolver->request_count++;
    return request;
}

static void ask(struct question *question)
{
    struct resolver *resolver = question->resolver;
    struct request *request = request_new(question);

    question->state = QUESTION_ASKED;
    question->request = request;
    resolver->asked_count++;
    request->is_starting = true;
    /* After a success the request is perhaps no more: it was answered inside of the call. */
    if (ub_resolve_event(resolver->context, question->name, (int)question->type, CLASS_IN,
                         request, on_library_answer, NULL) != 0) {
        request_free(request);
        question->request = NULL;
        fail(question, "resolver");
    } else if (question->state == QUESTION_ASKED) {
        request->is_starting = false;
    }
}

static bool can_ask(const struct resolver *resolver)
{
    return resolver->asked_count < resolver->max_questions &&
           resolver->request_count < resolver->max_questions * REQUEST_FACTOR;
}

/* Those that wait get the places of those that are answered. */
static void ask_waiting(struct resolver *resolver)
{
    while (can_ask(resolver)) {
        struct list_link *link = list_take_first(&resolver->waiting);

        if (link == NULL)
            return;
        resolver->waiting_count--;
        ask(LIST_OWNER(link, struct question, link));
    }
}

/* ---- Lookups. */

static struct dns_lookup *add_lookup(struct question *question, resolver_done_fn done, void *owner)
{
    struct dns_lookup *lookup = mem_new(sizeof *lookup);

    lookup->question = question;
    lookup->done = done;
    lookup->owner = owner;
    list_add_last(&question->lookups, &lookup->link);
    return lookup;
}

/* Its turn is now, later, or never. */
static void begin(struct resolver *resolver, struct question *question)
{
    if (resolver->waiting_count >= resolver->max_questions * RESOLVER_WAITING_FACTOR) {
        fail(question, "overloaded");
        return;
    }
    list_add_last(find_bucket(resolver, slice_from(question->name), question->type),
                  &question->bucket_link);
    loop_timer_start(&question->timer, resolver->timeout_ms);
    list_add_last(&resolver->waiting, &question->link);
    resolver->waiting_count++;
    ask_waiting(resolver);
}

/* What is known without asking anybody; NULL: nothing is. */
static struct dns_answer *find_local(const struct resolver *resolver, struct slice name,
                                     enum dns_type type)
{
    struct dns_answer *answer = NULL;

    if (name.length == 0)
        return dns_answer_new(DNS_NO_NAME, NULL, 0);
    if (resolver->overrides != NULL)
        answer = zone_answer(resolver->overrides, name, type);
    if (answer == NULL && resolver->local_data != NULL)
        answer = zone_answer(resolver->local_data, name, type);
    if (answer == NULL && resolver->context == NULL)
        answer = dns_answer_new(DNS_NO_NAME, NULL, 0);
    return answer;
}

static struct question *start_question(struct resolver *resolver, struct slice name,
                                       enum dns_type type)
{
    struct question *question = find_question(resolver, name, type);
    struct dns_answer *local;

    if (question != NULL) {
        resolver->counts.joined++;
        return question;
    }
    question = question_new(resolver, name, type);
    local = find_local(resolver, name, type);
    if (local == NULL) {
        begin(resolver, question);
    } else {
        resolver->counts.local++;
        enter_answered(question, local);
    }
    return question;
}

struct dns_lookup *resolver_start(struct resolver *resolver, struct slice name,
                                  enum dns_type type, resolver_done_fn done, void *owner)
{
    struct dns_lookup *lookup;
    struct text normal;

    text_init(&normal, DNS_NAME_MAX_BYTES);
    if (!dns_name_normalise(name, &normal))
        text_reset(&normal);
    resolver->counts.lookups++;
    lookup = add_lookup(start_question(resolver, text_slice(&normal), type), done, owner);
    text_clear(&normal);
    return lookup;
}

void resolver_cancel(struct dns_lookup **handle)
{
    struct dns_lookup *lookup = *handle;
    struct question *question;

    *handle = NULL;
    if (lookup == NULL)
        return;
    question = lookup->question;
    list_remove(&lookup->link);
    mem_free(lookup);
    if (!list_is_empty(&question->lookups) || question->state == QUESTION_TOLD)
        return;
    /* The place of a question that nobody waits for any more is free: the task sees to it. */
    loop_defer(question->resolver->loop, &question->resolver->tell);
    question_free(question);
}

/* ---- Telling. */

/* A `done` may cancel other lookups of the same question, or start one like it. */
static void tell_question(struct question *question)
{
    struct list_link *link;

    question->state = QUESTION_TOLD;
    while ((link = list_take_first(&question->lookups)) != NULL) {
        struct dns_lookup *lookup = LIST_OWNER(link, struct dns_lookup, link);
        resolver_done_fn done = lookup->done;
        void *owner = lookup->owner;

        mem_free(lookup);
        done(owner, question->answer);
    }
    question_free(question);
}

/* What is answered meanwhile is told the next time, so that nobody keeps the loop from going on. */
static void on_tell(void *owner)
{
    struct resolver *resolver = owner;
    struct list_link batch;
    struct list_link *link;

    list_init(&batch);
    while ((link = list_take_first(&resolver->answered)) != NULL)
        list_add_last(&batch, link);
    while ((link = list_take_first(&batch)) != NULL)
        tell_question(LIST_OWNER(link, struct question, link));
    ask_waiting(resolver);
}

/* ---- End. */

void resolver_free(struct resolver **handle)
{
    struct resolver *resolver = *handle;
    struct list_link *link;

    *handle = NULL;
    if (resolver == NULL)
        return;
    while ((link = list_take_first(&resolver->answered)) != NULL)
        question_free(LIST_OWNER(link, struct question, link));
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        while ((link = list_take_first(&resolver->buckets[i])) != NULL) {
            struct question *question = LIST_OWNER(link, struct question, bucket_link);

            question_free(question);
        }
    }
    if (resolver->context != NULL)
        ub_ctx_delete(resolver->context); /* it may call back for what it has in hand */
    loop_task_cancel(&resolver->tell);
    while ((link = list_take_first(&resolver->requests)) != NULL)
        mem_free(LIST_OWNER(link, struct request, link));
    mem_free(resolver);
}

const struct resolver_counts *resolver_get_counts(const struct resolver *resolver)
{
    return &resolver->counts;
}
