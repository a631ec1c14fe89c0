/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A release; see release.h. In the order of its life: the keeper's order, each
 * recipient in turn, the message to those that the backend took, the outcomes.
 * Every recipient of the order gets one outcome, whatever happens.
 */
#include "flow/release.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "delivery/forward.h"
#include "flow/outcome.h"
#include "quarantine/exchange.h"
#include "quarantine/keeper_link.h"

/* What is written of a backend's answer in the audit. */
#define WORDS_BYTES 400

struct releases {
    struct shared *shared;      /* lent */
    struct list_link list;
    void (*on_idle)(void *owner);
    void *owner;
};

struct release {
    struct releases *releases;
    struct list_link entry;
    /* The order. */
    uint64_t attempt;
    struct copy copy;           /* owned */
    struct spool_budget budget; /* nothing of the file is in memory */
    struct message_limits limits;
    struct message message;     /* the file */
    struct forward_identity identity;
    /* State. */
    struct forward *forward;    /* NULL once it is over */
    size_t asked;               /* recipients that the backend was asked for */
    struct envelope envelope;   /* those that it took */
    uint32_t *numbers;          /* of these, in the order; owned */
    struct record_recipient *fates; /* one for each of the order, for the log; owned */
    struct loop_task end_task;  /* what ends is freed in the loop */
};

static void on_recipient(void *owner, const struct forward_answer *answer);
static void on_outcome(void *owner, const struct forward_answer *answer);

static const struct forward_events forward_events = {
    .on_recipient = on_recipient,
    .on_outcome = on_outcome,
};

static struct keeper_link *link_of(const struct release *release)
{
    return release->releases->shared->settings.keeper;
}

/* ---- The end. */

static void release_free(struct release *release)
{
    list_remove(&release->entry);
    loop_task_cancel(&release->end_task);
    if (release->forward != NULL)
        forward_cancel(&release->forward);
    message_clear(&release->message);
    copy_clear(&release->copy);
    envelope_clear(&release->envelope);
    mem_free(release->numbers);
    mem_free(release->fates);
    mem_free(release);
}

static void end_release(void *owner)
{
    struct release *release = owner;
    struct keeper_link *link = link_of(release);
    uint64_t attempt = release->attempt;

    release_free(release);
    keeper_link_end_release(link, attempt);
}

/* ---- Outcomes. */

static void tell(struct release *release, uint32_t number, enum exchange_fate fate,
                 const struct forward_answer *answer)
{
    struct text words;

    text_init(&words, WORDS_BYTES);
    text_add_string(&words, release->copy.backend);
    if (answer->address.port != 0) {
        text_add_byte(&words, ' ');
        ip_endpoint_print(&words, &answer->address);
    }
    text_add_string(&words, ": ");
    if (answer->code != 0)
        text_add_format(&words, "%d%s%s %s", answer->code,
                        answer->enhanced[0] != '\0' ? " " : "", answer->enhanced, answer->text);
    else
        text_add_string(&words, answer->detail != NULL && answer->detail[0] != '\0'
                                    ? answer->detail
                                    : "no answer");
    keeper_link_tell(link_of(release), release->attempt, number, fate, text_slice(&words));
    text_clear(&words);
}

static void note_fate(struct release *release, uint32_t number, const struct reply *reply)
{
    release->fates[number].code = reply->code;
    release->fates[number].reason = reply->reason;
}

/* The line about it: as of the mail when it came, with what the backend said now. */
static void write_line(const struct release *release, enum record_verdict verdict,
                       const struct forward_answer *answer)
{
    const struct shared *shared = release->releases->shared;
    const struct copy *copy = &release->copy;
    struct record record;

    record_init(&record);
    record.event = RECORD_RELEASE;
    record.wall_us = clock_wall_us();
    record.verdict = verdict;
    record.client = copy->client;
    record.transaction_id = copy->id;
    record.quarantine_id = copy->id;
    record.listener = copy->listener;
    record.helo = copy->helo;
    record.sender = &copy->envelope.sender;
    record.recipients = release->fates;
    record.recipient_count = copy->envelope.recipient_count;
    record.message_id = copy->message_id;
    record.size_bytes = release->message.spool.length;
    record.domain = copy->domain;
    record.policy = copy->policy;
    record.backend = copy->backend;
    record.backend_address = answer->address;
    record.backend_code = answer->code;
    record.backend_reply = answer->text;
    record.backend_tls = answer->tls_version;
    record.backend_is_reused = answer->is_reused;
    record.detail = answer->detail;
    record.generation = shared->settings.generation;
    shared_log(shared, &record);
}

static void finish(struct release *release, enum record_verdict verdict,
                   const struct forward_answer *answer)
{
    write_line(release, verdict, answer);
    if (release->forward != NULL)
        forward_cancel(&release->forward);
    loop_defer(release->releases->shared->settings.loop, &release->end_task);
}

/* The same for all that are left from `first` on; nobody was asked about them. */
static void refuse_rest(struct release *release, size_t first, const struct forward_answer *answer)
{
    struct reply reply = server_reply_get(outcome_reply_to_backend(answer, REPLY_INTERNAL));

    for (size_t i = first; i < release->copy.envelope.recipient_count; i++) {
        note_fate(release, (uint32_t)i, &reply);
        tell(release, (uint32_t)i, EXCHANGE_REFUSED, answer);
    }
}

static void on_outcome(void *owner, const struct forward_answer *answer)
{
    struct release *release = owner;
    struct reply reply =
        server_reply_get(outcome_reply_to_backend(answer, REPLY_MESSAGE_ACCEPTED));
    enum exchange_fate fate = answer->class == FORWARD_OK     ? EXCHANGE_DELIVERED
                              : answer->class == FORWARD_LOST ? EXCHANGE_LOST
                                                              : EXCHANGE_REFUSED;

    for (size_t i = 0; i < release->envelope.recipient_count; i++) {
        note_fate(release, release->numbers[i], &reply);
        tell(release, release->numbers[i], fate, answer);
    }
    finish(release,
           answer->class == FORWARD_LOST ? RECORD_VERDICT_UNKNOWN : outcome_verdict(&reply),
           answer);
}

/* ---- One recipient after the other. */

static void ask_next(struct release *release)
{
    forward_add_recipient(release->forward,
                          &release->copy.envelope.recipients[release->asked++]);
}

static void on_recipient(void *owner, const struct forward_answer *answer)
{
    struct release *release = owner;
    uint32_t number = (uint32_t)release->asked - 1;
    struct reply reply = server_reply_get(outcome_reply_to_backend(answer, REPLY_RECIPIENT_OK));

    if (answer->class == FORWARD_OK) {
        release->numbers[release->envelope.recipient_count] = number;
        envelope_add_recipient(&release->envelope, &release->copy.envelope.recipients[number]);
    } else {
        note_fate(release, number, &reply);
        tell(release, number, EXCHANGE_REFUSED, answer);
    }
    if (release->asked < release->copy.envelope.recipient_count)
        ask_next(release);
    else if (release->envelope.recipient_count > 0)
        forward_deliver(release->forward, &release->envelope, &release->message);
    else
        finish(release, outcome_verdict(&reply), answer);
}

/* ---- The beginning. */

static struct backend *find_backend(const struct release *release)
{
    const struct shared *shared = release->releases->shared;
    const struct config_backend *config =
        config_find_backend(shared->settings.config, slice_from(release->copy.backend));

    return config != NULL ? shared_get_backend(shared, config) : NULL;
}

static void prepare(struct release *release, int take_fd, uint64_t content_bytes)
{
    size_t count = release->copy.envelope.recipient_count;

    release->limits.max_header_bytes = release->limits.max_header_fields = 1;
    message_init_stored(&release->message, &release->limits, &release->budget, take_fd,
                        content_bytes);
    envelope_init(&release->envelope);
    release->numbers = mem_new_array(count, sizeof *release->numbers);
    release->fates = mem_new_array(count, sizeof *release->fates);
    for (size_t i = 0; i < count; i++) {
        release->fates[i].address = &release->copy.envelope.recipients[i].address;
        release->fates[i].reason = "";
    }
    release->identity = (struct forward_identity){
        .client = release->copy.client,
        .listener = release->copy.local,
        .helo = release->copy.helo,
        .is_extended = release->copy.is_extended,
    };
}

static void on_release(void *owner, uint64_t attempt, int take_fd, uint64_t content_bytes,
                       struct copy *take_copy)
{
    struct releases *releases = owner;
    struct release *release = mem_new(sizeof *release);
    struct backend *backend;

    release->releases = releases;
    release->attempt = attempt;
    release->copy = *take_copy;
    copy_init(take_copy);
    loop_task_init(&release->end_task, end_release, release);
    list_add_last(&releases->list, &release->entry);
    prepare(release, take_fd, content_bytes);
    backend = find_backend(release);
    if (backend == NULL) {
        struct forward_answer answer = { .class = FORWARD_UNREACHABLE, .enhanced = "", .text = "",
                                         .detail = "the configuration has no such backend" };

        refuse_rest(release, 0, &answer);
        finish(release, RECORD_VERDICT_TEMPFAIL, &answer);
        return;
    }
    release->forward = forward_start(backend, &release->copy.envelope, &release->identity,
                                     &forward_events, release);
    ask_next(release);
}

static void on_idle(void *owner)
{
    struct releases *releases = owner;

    releases->on_idle(releases->owner);
}

static const struct keeper_link_events link_events = {
    .on_release = on_release,
    .on_idle = on_idle,
};

struct releases *releases_new(struct shared *shared, void (*on_idle_fn)(void *owner), void *owner)
{
    struct releases *releases = mem_new(sizeof *releases);

    releases->shared = shared;
    releases->on_idle = on_idle_fn;
    releases->owner = owner;
    list_init(&releases->list);
    keeper_link_set_events(shared->settings.keeper, &link_events, releases);
    return releases;
}

void releases_free(struct releases **handle)
{
    struct releases *releases = *handle;

    if (releases == NULL)
        return;
    keeper_link_set_events(releases->shared->settings.keeper, NULL, NULL);
    while (!list_is_empty(&releases->list))
        release_free(LIST_OWNER(releases->list.next, struct release, entry));
    mem_free(releases);
    *handle = NULL;
}
