/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over the rules for one recipient, step by step: what verdict/decide does, to be told. */
#ifndef POSTERN_TOOLS_WALK_H
#define POSTERN_TOOLS_WALK_H

#include "tools/trial.h"

/* A phase in which there was no verdict yet, and the rule that it waited for. */
struct walk_wait {
    enum phase phase;
    const struct rule *rule;
};

struct walk_step {
    const struct rule *rule;
    enum truth truth;
};

struct walk {
    const struct effective_policy *policy; /* lent */
    struct walk_wait waits[PHASE_COUNT];
    size_t wait_count;
    enum phase phase;          /* the last, whose steps follow; `facts` are of it */
    struct facts facts;
    struct walk_step *steps;   /* owned: the rules that were tried in it, in order */
    size_t step_count;
};

/* For an attempt that was judged. What was lent to the trial is kept until walk_clear. */
void walk_init(struct walk *walk, const struct trial *trial, const struct attempt *attempt);
void walk_clear(struct walk *walk);

/* "true", "false", "not known yet", "left open by the DNS". */
const char *walk_truth_text(enum truth truth);

#endif
