/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of one transaction; see check_run.h. One step runs each check that has
 * begun and not ended, in an order in which none comes before what it builds on, and
 * then asks what they have missed. Answers that come in one turn make one step.
 *
 * Whoever sends chooses how much is asked, and what is answered, and may then fall
 * silent. So all that is held is in a budget: a question and its answer until the
 * checks that are under way have ended, and a signed message's hashes until DKIM has.
 *
 * Nor may one who is named in the envelope use up the time and the questions of the
 * checks that protect another, whose name is in From: a policy that ignores a
 * temperror would take forged mail then. DKIM's keys and DMARC's records are asked for
 * whatever SPF has cost, and DMARC, which waits for SPF, has time of its own.
 */
#include "flow/check_run.h"

#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "checks/arc.h"
#include "checks/dmarc.h"
#include "flow/spf_trial.h"
#include "policy/policy.h"

/* Checks that need the whole content. */
#define SIGNATURE_CHECKS (CHECK_BIT(CHECK_DKIM) | CHECK_BIT(CHECK_DMARC))

/* What a question takes without its name, here, in the table and in the resolver; ... */
#define QUESTION_BYTES 1024
/* ... and how often its name is kept. */
#define NAME_COPIES 3

/* A question that is out. */
struct question {
    struct check_run *run;
    struct list_link entry;    /* in run->questions */
    struct dns_question asked;
    struct dns_lookup *lookup; /* owned */
};

struct check_run {
    /* Lent. */
    const struct check_settings *settings;
    const struct facts *facts;
    const struct check_run_events *events;
    void *owner;
    /* State. */
    unsigned int begun;        /* CHECK_BITs */
    bool is_stopped;
    bool wants_explanation;
    bool has_dmarc_begun;
    bool is_awaited;           /* on_done is still to come */
    struct dkim_check *dkim;   /* owned; NULL when the content is not looked at for it, or was */
    struct arc_check *arc;     /* likewise */
    uint64_t content_bytes;    /* of memory, taken for both */
    uint64_t answer_bytes;     /* likewise for questions and answers */
    struct spf_trial *spf;     /* owned; NULL before it has begun */
    struct spf_trial *spf_helo; /* likewise */
    /* In flight. */
    struct dns_answers *answers; /* owned */
    struct list_link questions;
    struct loop_task step_task;
    struct loop_timer timer;
    uint64_t waiting_since_ms; /* while is_awaited */
    /* Results. */
    struct findings findings;
    uint64_t waited_ms;
};

static void step_later(void *owner);
static void on_timeout(void *owner);

/* ---- Life. */

struct check_run *check_run_new(const struct check_settings *settings, const struct facts *facts,
                                const struct check_run_events *events, void *owner)
{
    struct check_run *run = mem_new(sizeof *run);

    run->settings = settings;
    run->facts = facts;
    run->events = events;
    run->owner = owner;
    run->answers = dns_answers_new(settings->max_questions);
    list_init(&run->questions);
    loop_task_init(&run->step_task, step_later, run);
    loop_timer_init(&run->timer, settings->loop, on_timeout, run);
    return run;
}

static void question_free(struct question *question)
{
    list_remove(&question->entry);
    resolver_cancel(&question->lookup);
    mem_free(question);
}

static void forget_questions(struct check_run *run)
{
    while (!list_is_empty(&run->questions))
        question_free(LIST_OWNER(run->questions.next, struct question, entry));
}

/* ---- Memory. */

static bool take_memory(struct check_run *run, uint64_t *taken, uint64_t bytes)
{
    if (bytes > 0 && !run->events->take_memory(run->owner, bytes))
        return false;
    *taken += bytes;
    return true;
}

static void give_back_memory(struct check_run *run, uint64_t *taken)
{
    if (*taken > 0)
        run->events->give_back_memory(run->owner, *taken);
    *taken = 0;
}

/* What was asked ahead of its need may still be out; its answer is for the cache. */
static void drop_answers(struct check_run *run)
{
    forget_questions(run);
    dns_answers_forget(run->answers);
    give_back_memory(run, &run->answer_bytes);
}

static void drop_content(struct check_run *run)
{
    dkim_check_free(&run->dkim);
    arc_check_free(&run->arc);
    give_back_memory(run, &run->content_bytes);
}

void check_run_stop(struct check_run *run)
{
    if (run == NULL)
        return;
    run->waited_ms = check_run_waited_ms(run);
    run->is_stopped = true;
    run->is_awaited = false;
    loop_task_cancel(&run->step_task);
    loop_timer_cancel(&run->timer);
    spf_trial_free(&run->spf);
    spf_trial_free(&run->spf_helo);
    drop_answers(run);
    drop_content(run);
}

void check_run_free(struct check_run **handle)
{
    struct check_run *run = *handle;

    if (run == NULL)
        return;
    check_run_stop(run);
    dns_answers_free(&run->answers);
    findings_clear(&run->findings);
    mem_free(run);
    *handle = NULL;
}

/* ---- Each check: true when it has ended. */

static void on_spf_answer(void *owner)
{
    struct check_run *run = owner;

    loop_defer(run->settings->loop, &run->step_task);
}

/* Nobody may take the words of a stranger for ours (RFC 7208 6.2). */
static void name_who_explains(struct spf_finding *finding)
{
    struct text words;

    if (finding->explanation == NULL || finding->domain == NULL)
        return;
    text_init(&words, POLICY_MAX_WORDS_BYTES);
    text_add_format(&words, "%s explains: %s", finding->domain, finding->explanation);
    mem_free(finding->explanation);
    finding->explanation = mem_copy(text_slice(&words));
    text_clear(&words);
}

static bool run_spf(struct check_run *run, bool is_about_helo, struct spf_finding *finding)
{
    struct spf_trial **trial = is_about_helo ? &run->spf_helo : &run->spf;
    const struct facts *facts = run->facts;
    struct spf_question question = {
        .client = facts->client.address,
        .helo = slice_from(facts->helo),
        .receiver = run->settings->receiver,
        .now_s = clock_wall_us() / 1000000,
        .max_void_lookups = run->settings->max_void_lookups,
    };

    question.wants_explanation = run->wants_explanation && !is_about_helo;
    if (!is_about_helo && !address_is_null(facts->sender)) {
        question.sender_local = address_local(facts->sender);
        question.sender_domain = address_domain(facts->sender);
    }
    if (*trial == NULL)
        *trial = spf_trial_new(run->settings->spf_engine, run->settings->spf_link, on_spf_answer,
                               run);
    if (!spf_trial_step(*trial, &question, run->answers, finding))
        return false;
    if (!is_about_helo)
        name_who_explains(finding);
    return true;
}

static bool run_dkim(struct check_run *run)
{
    return run->dkim != NULL && dkim_check_conclude(run->dkim, run->answers, &run->findings.dkim);
}

static bool run_arc(struct check_run *run)
{
    return run->arc != NULL && arc_check_conclude(run->arc, run->answers, &run->findings.arc);
}

static bool run_dmarc(struct check_run *run)
{
    const struct dkim_finding *dkim = &run->findings.dkim;
    struct dmarc_question question = {
        .from = run->facts->from,
        .from_field_count = message_count_fields(run->facts->message, SLICE("From")),
        .spf = &run->findings.spf,
        .signature_count = dkim->signature_count,
        .suffixes = run->settings->suffixes,
    };
    struct dmarc_signature *signatures =
        mem_new_array(dkim->signature_count + 1, sizeof *signatures);
    bool has_ended;

    if (!run->has_dmarc_begun)
        dns_answers_make_room(run->answers, DMARC_MAX_QUESTIONS);
    run->has_dmarc_begun = true;
    for (size_t i = 0; i < dkim->signature_count; i++)
        signatures[i] = (struct dmarc_signature){ slice_from(dkim->signatures[i].domain),
                                                  dkim->signatures[i].result };
    question.signatures = signatures;
    has_ended = dmarc_evaluate(&question, run->answers, &run->findings.dmarc) == DMARC_DONE;
    mem_free(signatures);
    return has_ended;
}

static bool run_check(struct check_run *run, enum check_id check)
{
    switch (check) {
    case CHECK_SPF: return run_spf(run, false, &run->findings.spf);
    case CHECK_SPF_HELO: return run_spf(run, true, &run->findings.spf_helo);
    case CHECK_DKIM: return run_dkim(run);
    case CHECK_DMARC: return run_dmarc(run);
    case CHECK_ARC: return run_arc(run);
    }
    return true;
}

/* What must have ended before. */
static unsigned int foundation_of(enum check_id check)
{
    return check == CHECK_DMARC ? CHECK_BIT(CHECK_SPF) | CHECK_BIT(CHECK_DKIM) : 0;
}

static bool has_ended(const struct check_run *run)
{
    return (run->begun & ~run->findings.done) == 0;
}

static void run_checks(struct check_run *run)
{
    for (int i = 0; i < CHECK_COUNT; i++) {
        enum check_id check = (enum check_id)i;
        bool is_due = (run->begun & ~run->findings.done & CHECK_BIT(check)) != 0;

        if (is_due && (foundation_of(check) & ~run->findings.done) == 0 && run_check(run, check))
            run->findings.done |= CHECK_BIT(check);
    }
}

/* ---- Steps. */

static const char no_memory[] = "no memory";

static void on_answer(void *owner, struct dns_answer *answer)
{
    struct question *question = owner;
    struct check_run *run = question->run;

    question->lookup = NULL; /* it ends with this */
    if (take_memory(run, &run->answer_bytes, dns_answer_bytes(answer)))
        dns_answers_put(run->answers, &question->asked, dns_answer_ref(answer));
    else
        dns_answers_put(run->answers, &question->asked, dns_answer_new_failed(no_memory));
    question_free(question);
    loop_defer(run->settings->loop, &run->step_task);
}

static void start_question(struct check_run *run, const struct dns_question *wanted)
{
    struct question *question = mem_new(sizeof *question);

    question->run = run;
    question->asked = *wanted;
    list_add_last(&run->questions, &question->entry);
    question->lookup = resolver_start(run->settings->resolver, slice_from(wanted->name),
                                      wanted->type, on_answer, question);
}

static void ask(struct check_run *run)
{
    struct dns_question wanted;

    while (dns_answers_take_wanted(run->answers, &wanted)) {
        uint64_t bytes = QUESTION_BYTES + NAME_COPIES * strlen(wanted.name);

        if (take_memory(run, &run->answer_bytes, bytes)) {
            start_question(run, &wanted);
            continue;
        }
        dns_answers_put(run->answers, &wanted, dns_answer_new_failed(no_memory));
        loop_defer(run->settings->loop, &run->step_task);
    }
}

static void finish(struct check_run *run)
{
    loop_timer_cancel(&run->timer);
    drop_answers(run);
    drop_content(run);
    run->waited_ms = check_run_waited_ms(run);
    run->is_awaited = false;
}

static bool step(struct check_run *run)
{
    run_checks(run);
    ask(run);
    if (!has_ended(run))
        return false;
    finish(run);
    return true;
}

static void step_later(void *owner)
{
    struct check_run *run = owner;

    /* Keys that are asked for while the content comes wait for nobody. */
    if (run->is_awaited && step(run))
        run->events->on_done(run->owner);
}

static void on_timeout(void *owner)
{
    struct check_run *run = owner;

    forget_questions(run);
    dns_answers_give_up(run->answers, "timeout");
    if ((run->begun & CHECK_BIT(CHECK_DMARC)) != 0 && !run->has_dmarc_begun)
        loop_timer_start(&run->timer, run->settings->timeout_ms);
    loop_defer(run->settings->loop, &run->step_task);
}

bool check_run_start(struct check_run *run, unsigned int checks)
{
    for (int i = 0; i < CHECK_COUNT; i++)
        if ((checks & CHECK_BIT(i)) != 0)
            checks |= foundation_of((enum check_id)i);
    run->wants_explanation = run->wants_explanation || (checks & CHECK_EXPLAINED) != 0;
    checks &= ~CHECK_EXPLAINED;
    run->begun |= checks;
    if (run->is_stopped || step(run))
        return true;
    run->is_awaited = true;
    run->waiting_since_ms = loop_now_ms(run->settings->loop);
    loop_timer_start(&run->timer, run->settings->timeout_ms);
    return false;
}

/* ---- The content. */

void check_run_open_content(struct check_run *run, unsigned int checks)
{
    const struct check_settings *settings = run->settings;
    uint64_t now_s = clock_wall_us() / 1000000;

    if ((checks & SIGNATURE_CHECKS) != 0 && run->dkim == NULL)
        run->dkim = dkim_check_new(settings->dkim, &settings->dkim_settings, now_s);
    if ((checks & CHECK_BIT(CHECK_ARC)) != 0 && run->arc == NULL)
        run->arc = arc_check_new(&settings->dkim_settings, settings->max_arc_sets, now_s);
}

/* True when it has just learned of keys: they are to come while the body does. */
static bool take_for_dkim(struct check_run *run, const struct message *message,
                          struct slice piece)
{
    bool had_header = dkim_check_is_header_taken(run->dkim);

    dkim_check_take(run->dkim, message, piece);
    return !had_header && dkim_check_is_header_taken(run->dkim) &&
           !dkim_check_want_keys(run->dkim, run->answers);
}

static bool take_for_arc(struct check_run *run, const struct message *message, struct slice piece)
{
    bool had_header = arc_check_is_header_taken(run->arc);

    arc_check_take(run->arc, message, piece);
    return !had_header && arc_check_is_header_taken(run->arc) &&
           !arc_check_want_keys(run->arc, run->answers);
}

static bool is_looked_at(const struct check_run *run)
{
    return run->dkim != NULL || run->arc != NULL;
}

/* Before the checks see the signatures: what they need, of memory and of questions. */
static bool prepare_for_header(struct check_run *run, const struct message *message)
{
    const struct check_settings *settings = run->settings;
    uint64_t bytes = 0;
    size_t keys = 0;

    if (run->dkim != NULL && !dkim_check_is_header_taken(run->dkim)) {
        bytes += dkim_check_bytes(&settings->dkim_settings, message);
        keys += settings->dkim_settings.max_signatures;
    }
    if (run->arc != NULL && !arc_check_is_header_taken(run->arc)) {
        bytes += arc_check_bytes(settings->max_arc_sets, message);
        keys += settings->max_arc_sets + 1;
    }
    if (keys > 0)
        dns_answers_make_room(run->answers, keys);
    return take_memory(run, &run->content_bytes, bytes);
}

void check_run_take_content(struct check_run *run, const struct message *message,
                            struct slice piece)
{
    bool wants_keys = false;

    if (!is_looked_at(run) ||
        (message_is_header_complete(message) && !prepare_for_header(run, message)))
        return;
    if (run->dkim != NULL && take_for_dkim(run, message, piece))
        wants_keys = true;
    if (run->arc != NULL && take_for_arc(run, message, piece))
        wants_keys = true;
    if (wants_keys)
        ask(run);
}

bool check_run_is_hashing(const struct check_run *run)
{
    return is_looked_at(run) && run->content_bytes > 0;
}

void check_run_end_content(struct check_run *run, const struct message *message)
{
    if (!is_looked_at(run) || !prepare_for_header(run, message))
        return;
    if (run->dkim != NULL)
        dkim_check_end(run->dkim, message);
    if (run->arc != NULL)
        arc_check_end(run->arc, message);
}

/* ---- Results. */

const struct findings *check_run_findings(const struct check_run *run)
{
    return &run->findings;
}

size_t check_run_question_count(const struct check_run *run)
{
    return dns_answers_count(run->answers);
}

uint64_t check_run_waited_ms(const struct check_run *run)
{
    if (!run->is_awaited)
        return run->waited_ms;
    return run->waited_ms + loop_now_ms(run->settings->loop) - run->waiting_since_ms;
}
