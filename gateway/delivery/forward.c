/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One attempt to hand over one transaction; see forward.h. In the order of its
 * life: start, a recipient (a channel, MAIL and RCPT), the hold, the delivery
 * (replay, content, dot), the answers, cancel.
 *
 * Whatever is to be told is first kept and then told by a task of its own, so
 * that the owner is never called from within a call of its own, and may cancel
 * whenever it is told something.
 *
 * Up to an accepted MAIL another channel or address may take over: nothing
 * has happened yet. From there on the answer is this backend's.
 */
#include "delivery/forward.h"

#include <assert.h>

#include "base/memory.h"
#include "delivery/answer.h"
#include "delivery/backend_internal.h"
#include "delivery/content.h"
#include "smtp/command.h"

enum forward_state {
    FORWARD_STATE_IDLE,        /* no channel; the owner's next call ends it */
    FORWARD_STATE_ACQUIRING,   /* a channel for the new recipient is awaited */
    FORWARD_STATE_OPENING,     /* MAIL and RCPT are said; their replies end it */
    FORWARD_STATE_ANSWERING,   /* its answer is known and told by the task */
    FORWARD_STATE_OPEN,        /* the envelope is kept for the client, at most for `hold` */
    FORWARD_STATE_REFUSED,     /* MAIL was refused: the answer to every recipient; no channel */
    FORWARD_STATE_REACQUIRING, /* a channel for the whole envelope is awaited */
    FORWARD_STATE_REPLAYING,   /* MAIL, RCPT and perhaps DATA are said; a refusal, the last answer
                                * to RCPT or the 354 ends it */
    FORWARD_STATE_STARTING,    /* DATA is said to an open envelope; its reply ends it */
    FORWARD_STATE_SENDING,     /* content goes out; its end ends it */
    FORWARD_STATE_FINISHING,   /* the dot is out; the answer to it ends it */
    FORWARD_STATE_CONCLUDING,  /* the outcome is known and told by the task */
    FORWARD_STATE_DONE,
};

struct forward {
    /* Lent by the owner. */
    struct backend *backend;
    const struct envelope *sender;
    const struct forward_events *events;
    void *owner;
    const struct envelope *envelope;   /* of forward_deliver; NULL before */
    const struct message *message;     /* likewise */
    /* State. */
    enum forward_state state;
    enum forward_state after_answer;   /* where ANSWERING leads to */
    struct client_identity identity;
    struct envelope opened;            /* recipients said on the channel, refused ones empty */
    struct recipient wanted;           /* the new recipient while there is no channel */
    size_t next_address;               /* the first that did not fail us */
    bool is_fresh_needed;              /* a used channel failed us: the next one is new */
    bool was_asked;                    /* about a recipient, so what follows is a replay */
    bool has_sent_dot;
    struct loop_task tell;
    struct loop_timer hold_timer;      /* set in OPEN */
    struct pool_hold hold;             /* likewise */
    struct content content;
    /* In flight. */
    struct pool_request *request;      /* NULL when idle */
    struct channel *channel;           /* NULL while there is none */
    /* Results. */
    struct answer result;
};

static void tell(void *owner);
static void release_envelope(void *owner);
static void send_content(void *owner);
static void on_event(void *owner, struct channel *channel, enum client_event event);
static void on_drained(void *owner);

static const struct channel_events channel_events = {
    .on_event = on_event,
    .on_drained = on_drained,
};

/* The only assignment of the state. */
static void enter(struct forward *forward, enum forward_state state)
{
    forward->state = state;
}

/* ---- Life begins. */

struct forward *forward_start(struct backend *backend, const struct envelope *sender,
                              const struct forward_identity *identity,
                              const struct forward_events *events, void *owner)
{
    struct forward *forward = mem_new(sizeof *forward);

    forward->backend = backend;
    forward->sender = sender;
    forward->identity = (struct client_identity){
        .client = identity->client,
        .listener = identity->listener,
        .helo = identity->helo,
        .is_extended = identity->is_extended,
    };
    forward->events = events;
    forward->owner = owner;
    envelope_init(&forward->opened);
    answer_init(&forward->result);
    loop_task_init(&forward->tell, tell, forward);
    loop_timer_init(&forward->hold_timer, backend->loop, release_envelope, forward);
    pool_hold_init(&forward->hold, release_envelope, forward);
    enter(forward, FORWARD_STATE_IDLE);
    return forward;
}

/* ---- Answers. */

static void answer_recipient(struct forward *forward, enum forward_state after)
{
    forward->after_answer = after;
    enter(forward, FORWARD_STATE_ANSWERING);
    loop_defer(forward->backend->loop, &forward->tell);
}

static void conclude(struct forward *forward)
{
    enter(forward, FORWARD_STATE_CONCLUDING);
    loop_defer(forward->backend->loop, &forward->tell);
}

static void start_hold(struct forward *forward)
{
    loop_timer_start(&forward->hold_timer, forward->backend->config->hold_ms);
    pool_hold_start(&forward->backend->pool, &forward->hold);
}

static void end_hold(struct forward *forward)
{
    loop_timer_cancel(&forward->hold_timer);
    pool_hold_cancel(&forward->hold);
}

static void tell(void *owner)
{
    struct forward *forward = owner;

    if (forward->state == FORWARD_STATE_CONCLUDING) {
        enter(forward, FORWARD_STATE_DONE);
        forward->events->on_outcome(forward->owner, answer_get(&forward->result));
        return;
    }
    enter(forward, forward->after_answer);
    if (forward->state == FORWARD_STATE_OPEN)
        start_hold(forward);
    forward->events->on_recipient(forward->owner, answer_get(&forward->result));
}

/* The result is in place: it goes to the new recipient, or is the outcome. */
static void settle(struct forward *forward, enum forward_state after)
{
    if (forward->envelope == NULL)
        answer_recipient(forward, after);
    else
        conclude(forward);
}

/* Where we are with whom, and why a channel failed. */
static void describe(struct forward *forward, enum forward_class class)
{
    channel_describe(forward->channel, class, &forward->result);
}

static void describe_reply(struct forward *forward)
{
    channel_describe_reply(forward->channel, &forward->result);
}

/* ---- A channel. */

static void forget_opened(struct forward *forward)
{
    for (size_t i = 0; i < forward->opened.recipient_count; i++)
        recipient_clear(&forward->opened.recipients[i]);
    forward->opened.recipient_count = 0;
}

static void return_channel(struct forward *forward)
{
    content_clear(&forward->content);
    if (forward->channel != NULL)
        pool_return(&forward->backend->pool, &forward->channel);
}

static void discard_channel(struct forward *forward)
{
    content_clear(&forward->content);
    if (forward->channel != NULL)
        pool_discard(&forward->backend->pool, &forward->channel);
}

static void prepare_content(struct forward *forward)
{
    content_init(&forward->content, forward->backend->spill, forward->message, forward->channel,
                 send_content, forward);
}

/* XCLIENT, MAIL, and the new recipient or the whole envelope. */
static void start_mail(struct forward *forward)
{
    bool is_replay = forward->envelope != NULL;
    struct client_mail mail = {
        .sender = forward->sender,
        .to = is_replay ? forward->envelope : &forward->opened,
        .identity = forward->backend->config->identity == IDENTITY_XCLIENT ? &forward->identity
                                                                           : NULL,
        .goes_on_to_content = is_replay,
    };

    forget_opened(forward);
    if (is_replay) {
        mail.size_bytes = message_outgoing_bytes(forward->message);
    } else {
        envelope_add_recipient(&forward->opened, &forward->wanted);
        recipient_clear(&forward->wanted);
        mail.size_bytes = forward->sender->has_size ? forward->sender->size_bytes : 0;
    }
    if (is_replay)
        prepare_content(forward);
    enter(forward, is_replay ? FORWARD_STATE_REPLAYING : FORWARD_STATE_OPENING);
    if (channel_start_mail(forward->channel, &mail) == CLIENT_EVENT_LACKS)
        on_event(forward, forward->channel, CLIENT_EVENT_LACKS);
}

static void on_channel(void *owner, struct channel *channel, const struct answer *failure)
{
    struct forward *forward = owner;

    forward->request = NULL;
    if (failure != NULL) {
        answer_copy(&forward->result, failure);
        settle(forward, FORWARD_STATE_IDLE);
        return;
    }
    forward->channel = channel;
    start_mail(forward);
}

/* One from the pool, or else the way to a new one. */
static void acquire(struct forward *forward)
{
    struct pool *pool = &forward->backend->pool;

    if (!forward->is_fresh_needed)
        forward->channel = pool_take(pool, &channel_events, forward);
    if (forward->channel != NULL) {
        start_mail(forward);
        return;
    }
    enter(forward, forward->envelope != NULL ? FORWARD_STATE_REACQUIRING
                                             : FORWARD_STATE_ACQUIRING);
    forward->request = pool_request_start(pool, forward->is_fresh_needed, forward->next_address,
                                          &channel_events, on_channel, forward);
}

/*
 * The channel failed before MAIL was accepted. One that was used before may have grown old: a
 * fresh one takes its place, once. A fresh one says something of its address: the next is tried.
 */
static void replace_channel(struct forward *forward)
{
    struct channel *channel = forward->channel;
    bool was_used = channel->handed_out > 1 || channel->dialogue.mails_accepted > 0;

    if (!was_used) {
        describe(forward, FORWARD_UNREACHABLE);
        addresses_note_failure(&forward->backend->pool.addresses, channel->address_index,
                               loop_now_ms(forward->backend->loop), &forward->result);
        forward->next_address = channel->address_index + 1;
    }
    forward->is_fresh_needed = true;
    if (forward->envelope == NULL)
        recipient_copy(&forward->wanted, &forward->opened.recipients[0]);
    discard_channel(forward);
    acquire(forward);
}

/* ---- Recipients. */

void forward_add_recipient(struct forward *forward, const struct recipient *recipient)
{
    forward->was_asked = true;
    if (forward->state == FORWARD_STATE_REFUSED) {
        answer_recipient(forward, FORWARD_STATE_REFUSED);
        return;
    }
    if (forward->state == FORWARD_STATE_OPEN) {
        end_hold(forward);
        envelope_add_recipient(&forward->opened, recipient);
        enter(forward, FORWARD_STATE_OPENING);
        channel_add_recipients(forward->channel);
        return;
    }
    assert(forward->state == FORWARD_STATE_IDLE);
    recipient_copy(&forward->wanted, recipient);
    forward->is_fresh_needed = false;
    forward->next_address = 0;
    acquire(forward);
}

/*
 * The client is slow: `hold` is over, or somebody else wants the channel. The backend need not wait
 * with us; the envelope is replayed later.
 */
static void release_envelope(void *owner)
{
    struct forward *forward = owner;

    end_hold(forward);
    return_channel(forward);
    forget_opened(forward);
    enter(forward, FORWARD_STATE_IDLE);
}

static void on_recipient(struct forward *forward)
{
    size_t index = forward->opened.recipient_count - 1;

    describe_reply(forward);
    if (forward->result.public.class != FORWARD_OK)
        recipient_clear(&forward->opened.recipients[index]);
    if (forward->channel->dialogue.state == CLIENT_STATE_ENVELOPE) {
        answer_recipient(forward, FORWARD_STATE_OPEN);
        return;
    }
    /* 421: the backend takes its leave, and its envelope with it. */
    discard_channel(forward);
    forget_opened(forward);
    answer_recipient(forward, FORWARD_STATE_IDLE);
}

/* MAIL or XCLIENT was refused, which nothing that the client does can change. */
static void on_mail_refused(struct forward *forward)
{
    bool is_client_refused = forward->channel->dialogue.answered != CLIENT_STATE_MAIL;

    describe_reply(forward);
    if (is_client_refused)
        discard_channel(forward);
    else
        return_channel(forward);
    forget_opened(forward);
    settle(forward, FORWARD_STATE_REFUSED);
}

static void on_lacking(struct forward *forward)
{
    bool is_8bit = forward->channel->dialogue.lacking == SERVER_8BITMIME;

    describe(forward, is_8bit ? FORWARD_NEEDS_8BITMIME : FORWARD_NEEDS_SMTPUTF8);
    answer_set_detail(&forward->result, "the backend does not offer %s",
                      is_8bit ? "8BITMIME" : "SMTPUTF8");
    return_channel(forward);
    forget_opened(forward);
    settle(forward, FORWARD_STATE_REFUSED);
}

/* ---- The message. */

/* Is the envelope that is open the one to be delivered, recipient by recipient? */
static bool is_opened(const struct forward *forward)
{
    const struct envelope *opened = &forward->opened;
    const struct envelope *wanted = forward->envelope;
    size_t found = 0;

    for (size_t i = 0; i < opened->recipient_count; i++) {
        const struct address *address = &opened->recipients[i].address;

        if (address->text == NULL)
            continue;
        if (found == wanted->recipient_count
            || !slice_equals(address_text(address),
                             address_text(&wanted->recipients[found].address)))
            return false;
        found++;
    }
    return found == wanted->recipient_count;
}

static void begin_sending(struct forward *forward)
{
    enter(forward, FORWARD_STATE_SENDING);
    send_content(forward);
}

/* The envelope is open at the backend, and the right one. */
static void start_content(struct forward *forward)
{
    enter(forward, FORWARD_STATE_STARTING);
    if (content_start(&forward->content) == CLIENT_EVENT_GO_AHEAD)
        begin_sending(forward);
}

void forward_deliver(struct forward *forward, const struct envelope *envelope,
                     const struct message *message)
{
    bool is_open = forward->state == FORWARD_STATE_OPEN;

    assert(is_open || forward->state == FORWARD_STATE_IDLE
           || forward->state == FORWARD_STATE_REFUSED);
    end_hold(forward);
    forward->envelope = envelope;
    forward->message = message;
    forward->is_fresh_needed = false;
    forward->next_address = 0;
    if (is_open && is_opened(forward)) {
        prepare_content(forward);
        start_content(forward);
    } else if (is_open) {
        start_mail(forward);
    } else {
        acquire(forward);
    }
}

/*
 * What was accepted at first is refused now: the client is to come again with all of it. A sole
 * recipient that was never asked about is another matter: the backend's word is the answer.
 */
static void on_replayed_recipient(struct forward *forward)
{
    describe_reply(forward);
    if (forward->result.public.class == FORWARD_OK) {
        if (forward->channel->dialogue.state == CLIENT_STATE_ENVELOPE)
            start_content(forward);
        return;
    }
    if (forward->was_asked || forward->envelope->recipient_count > 1) {
        forward->result.public.class = FORWARD_DEFERRED;
        answer_set_detail(&forward->result,
                          "a recipient was refused when the envelope was replayed");
    }
    discard_channel(forward);
    conclude(forward);
}

static void send_dot(struct forward *forward)
{
    const struct forward_events *events = forward->events;

    if (events->may_send_dot != NULL && !events->may_send_dot(forward->owner)) {
        describe(forward, FORWARD_WITHDRAWN);
        answer_set_detail(&forward->result, "withdrawn before the dot");
        discard_channel(forward);
        conclude(forward);
        return;
    }
    forward->has_sent_dot = true;
    enter(forward, FORWARD_STATE_FINISHING);
    content_end(&forward->content);
}

static void send_content(void *owner)
{
    struct forward *forward = owner;

    switch (content_step(&forward->content)) {
    case CONTENT_STEP_WAIT:
        break;
    case CONTENT_STEP_END:
        send_dot(forward);
        break;
    case CONTENT_STEP_FAILED:
        describe(forward, FORWARD_BROKEN);
        answer_set_detail(&forward->result, "the message could not be read from the spool");
        discard_channel(forward);
        conclude(forward);
        break;
    }
}

static void on_drained(void *owner)
{
    struct forward *forward = owner;

    if (forward->state == FORWARD_STATE_SENDING)
        send_content(forward);
}

/* The answer to DATA, to half the content, or to the dot. */
static void on_outcome(struct forward *forward)
{
    describe_reply(forward);
    if (client_dialogue_is_bdat_unknown(&forward->channel->dialogue))
        pool_give_up_chunking(&forward->backend->pool);
    return_channel(forward);
    conclude(forward);
}

/* ---- What the channel tells. */

/* While the envelope was kept: it will be replayed. */
static void on_envelope_lost(struct forward *forward)
{
    end_hold(forward);
    discard_channel(forward);
    forget_opened(forward);
    if (forward->state == FORWARD_STATE_ANSWERING)
        forward->after_answer = FORWARD_STATE_IDLE;
    else
        enter(forward, FORWARD_STATE_IDLE);
}

static void on_failed(struct forward *forward)
{
    bool is_asking = forward->state == FORWARD_STATE_OPENING
                     || forward->state == FORWARD_STATE_REPLAYING;

    if (forward->state == FORWARD_STATE_OPEN || forward->state == FORWARD_STATE_ANSWERING) {
        on_envelope_lost(forward);
        return;
    }
    if (is_asking && !forward->channel->dialogue.is_mail_accepted) {
        replace_channel(forward);
        return;
    }
    describe(forward, forward->has_sent_dot ? FORWARD_LOST : FORWARD_BROKEN);
    discard_channel(forward);
    forget_opened(forward);
    settle(forward, FORWARD_STATE_IDLE);
}

static void on_event(void *owner, struct channel *channel, enum client_event event)
{
    struct forward *forward = owner;
    bool is_data_refused = channel->dialogue.answered == CLIENT_STATE_DATA
                           || channel->dialogue.answered == CLIENT_STATE_CONTENT;

    switch (event) {
    case CLIENT_EVENT_LACKS:
        on_lacking(forward);
        break;
    case CLIENT_EVENT_RECIPIENT:
        if (forward->state == FORWARD_STATE_REPLAYING)
            on_replayed_recipient(forward);
        else
            on_recipient(forward);
        break;
    case CLIENT_EVENT_GO_AHEAD:
        begin_sending(forward);
        break;
    case CLIENT_EVENT_REFUSED:
        if (is_data_refused)
            on_outcome(forward);
        else
            on_mail_refused(forward);
        break;
    case CLIENT_EVENT_OUTCOME:
        on_outcome(forward);
        break;
    case CLIENT_EVENT_FAILED:
        on_failed(forward);
        break;
    case CLIENT_EVENT_NEED_INPUT:
    case CLIENT_EVENT_START_TLS:
    case CLIENT_EVENT_READY:
        break;
    }
}

/* ---- The end. */

bool forward_has_sent_dot(const struct forward *forward)
{
    return forward->has_sent_dot;
}

void forward_cancel(struct forward **handle)
{
    struct forward *forward = *handle;

    *handle = NULL;
    if (forward == NULL)
        return;
    loop_task_cancel(&forward->tell);
    end_hold(forward);
    pool_request_cancel(&forward->request);
    return_channel(forward);
    envelope_clear(&forward->opened);
    recipient_clear(&forward->wanted);
    answer_clear(&forward->result);
    mem_free(forward);
}
