/* SPDX-License-Identifier: BSD-2-Clause */
/* SPF by one engine or both; see spf_trial.h. */
#include "flow/spf_trial.h"

#include "base/memory.h"

/* One for each answer that only the second engine misses; more is a sign of a trick. */
#define MAX_ROUNDS 20

enum trial_state {
    TRIAL_NATIVE,  /* until the native engine has ended */
    TRIAL_ASKING,  /* until the second one answers, or does not */
    TRIAL_MISSING, /* until the DNS has told what that one asked for */
    TRIAL_HEARD,   /* it has ended */
};

struct spf_trial {
    /* Lent. */
    struct spf_link *link;
    void (*on_answer)(void *owner);
    void *owner;
    /* State. */
    enum spf_engine engine;
    enum trial_state state;
    unsigned int rounds;
    /* In flight. */
    struct spf_call *call;
    /* Results. */
    struct spf_second second; /* what it said last */
    const char *problem;      /* why it said nothing; NULL: it did */
};

struct spf_trial *spf_trial_new(enum spf_engine engine, struct spf_link *link,
                                void (*on_answer)(void *owner), void *owner)
{
    struct spf_trial *trial = mem_new(sizeof *trial);

    trial->engine = engine;
    trial->link = link;
    trial->on_answer = on_answer;
    trial->owner = owner;
    return trial;
}

void spf_trial_free(struct spf_trial **trial)
{
    if (*trial == NULL)
        return;
    spf_call_cancel(&(*trial)->call);
    mem_free(*trial);
    *trial = NULL;
}

static void on_second(void *owner, const struct spf_second *second, const char *problem)
{
    struct spf_trial *trial = owner;

    trial->call = NULL; /* it ends with this */
    trial->problem = problem;
    if (second != NULL)
        trial->second = *second;
    trial->state = second != NULL && second->end == SPF_SECOND_MISSING ? TRIAL_MISSING
                                                                       : TRIAL_HEARD;
    trial->on_answer(trial->owner);
}

static void ask(struct spf_trial *trial, const struct spf_question *question,
                const struct dns_answers *answers, const struct spf_finding *native)
{
    struct text request;

    text_init(&request, SPF_PARCEL_MAX_BYTES);
    trial->second = (struct spf_second){ .end = SPF_SECOND_REFUSED };
    trial->state = TRIAL_HEARD;
    if (!spf_parcel_pack(question, native, answers, &request)) {
        text_clear(&request);
        return;
    }
    if (++trial->rounds > MAX_ROUNDS) {
        trial->problem = "libspf2 has asked for too many answers";
        text_clear(&request);
        return;
    }
    trial->state = TRIAL_ASKING;
    trial->call = spf_call_start(trial->link, &request, on_second, trial);
}

/* ---- Both results. */

static enum check_result result_of_second(const struct spf_trial *trial)
{
    if (trial->problem != NULL)
        return RESULT_TEMPERROR;
    return trial->second.end == SPF_SECOND_DONE ? trial->second.result : RESULT_PERMERROR;
}

static const char *problem_of_second(const struct spf_trial *trial)
{
    if (trial->problem != NULL)
        return trial->problem;
    return trial->second.end == SPF_SECOND_TOO_MUCH
               ? "libspf2 asks for more than one evaluation may"
               : "libspf2 takes it for an error";
}

/* The term that decided, and what the domain says of a fail, are of the native engine. */
static void replace(const struct spf_trial *trial, enum check_result result,
                    struct spf_finding *finding)
{
    char *domain = finding->domain;

    finding->domain = NULL;
    spf_finding_clear(finding);
    finding->domain = domain;
    finding->result = result;
    if (result == RESULT_TEMPERROR || result == RESULT_PERMERROR)
        finding->problem = mem_copy(slice_from(problem_of_second(trial)));
}

static void compare(const struct spf_trial *trial, struct spf_finding *finding)
{
    enum check_result result = result_of_second(trial);

    if (trial->problem == NULL && trial->second.end == SPF_SECOND_REFUSED)
        return;
    if (result == finding->result)
        return;
    if (trial->engine == SPF_ENGINE_LIBSPF2)
        replace(trial, result, finding);
    else
        finding->second_result = result;
}

/* ---- Steps. */

static bool run_native(struct spf_trial *trial, const struct spf_question *question,
                       struct dns_answers *answers, struct spf_finding *finding)
{
    if (spf_evaluate(question, answers, finding) != SPF_DONE)
        return false;
    if (trial->engine == SPF_ENGINE_NATIVE)
        return true;
    ask(trial, question, answers, finding);
    return trial->state == TRIAL_HEARD; /* kept back: there is nothing to compare */
}

bool spf_trial_step(struct spf_trial *trial, const struct spf_question *question,
                    struct dns_answers *answers, struct spf_finding *finding)
{
    switch (trial->state) {
    case TRIAL_NATIVE:
        return run_native(trial, question, answers, finding);
    case TRIAL_ASKING:
        return false;
    case TRIAL_MISSING:
        if (dns_answers_find(answers, slice_from(trial->second.name), trial->second.type) == NULL)
            return false;
        ask(trial, question, answers, finding);
        if (trial->state != TRIAL_HEARD)
            return false;
        break;
    case TRIAL_HEARD:
        break;
    }
    compare(trial, finding);
    return true;
}
