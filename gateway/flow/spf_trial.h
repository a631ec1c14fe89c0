/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF of one identity of one mail, by the engines that the configuration names: first
 * the native one, whose answers from the DNS and whose approval the second one needs
 * (checks/spf_parcel.h), and then that. What the guard keeps from libspf2 the native
 * engine alone decides.
 */
#ifndef POSTERN_FLOW_SPF_TRIAL_H
#define POSTERN_FLOW_SPF_TRIAL_H

#include "checks/spf.h"
#include "config/config.h"
#include "flow/spf_link.h"

struct spf_trial;

/* `link` may be NULL with SPF_ENGINE_NATIVE. `on_answer` comes from the loop, between steps. */
struct spf_trial *spf_trial_new(enum spf_engine engine, struct spf_link *link,
                                void (*on_answer)(void *owner), void *owner);
/* NULL is fine. */
void spf_trial_free(struct spf_trial **trial);

/*
 * Goes on as far as it gets, always with the same question. True when it has ended and `finding`
 * holds; else it misses answers of the DNS, which are wanted of the table now, or of the engine.
 */
bool spf_trial_step(struct spf_trial *trial, const struct spf_question *question,
                    struct dns_answers *answers, struct spf_finding *finding)
    __attribute__((warn_unused_result));

#endif
