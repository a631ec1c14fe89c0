/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of one transaction while they run: it asks the resolver what they miss,
 * and runs them again when answers have come, until each has its finding or the time
 * is up. It decides nothing.
 *
 * SPF can be started from the first recipient on. DKIM and ARC look at the content
 * while it comes, and end behind it, as does DMARC, which builds on the others.
 */
#ifndef POSTERN_FLOW_CHECK_RUN_H
#define POSTERN_FLOW_CHECK_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "checks/dkim.h"
#include "evidence/facts.h"
#include "evidence/finding.h"
#include "flow/spf_trial.h"
#include "mail/message.h"
#include "net/loop.h"
#include "net/resolver.h"

/* What all runs of a worker share. */
struct check_settings {
    struct loop *loop;           /* lent */
    struct resolver *resolver;   /* lent; NULL: no check can be run */
    struct dkim_library *dkim;   /* lent; likewise */
    struct spf_link *spf_link;   /* lent; NULL with SPF_ENGINE_NATIVE */
    enum spf_engine spf_engine;
    const struct suffix_list *suffixes; /* lent; as in struct dmarc_question */
    struct dkim_settings dkim_settings;
    size_t max_arc_sets;
    uint64_t timeout_ms;         /* of all checks that are under way at one time */
    size_t max_questions;        /* of one mail */
    unsigned int max_void_lookups;
    struct slice receiver;       /* our name */
};

/* Those that need no more than client, HELO and sender. */
#define CHECK_RUN_OF_SENDER \
    (CHECK_BIT(CHECK_SPF) | CHECK_BIT(CHECK_SPF_HELO) | CHECK_EXPLAINED)

struct check_run_events {
    /* From the loop. */
    void (*on_done)(void *owner);
    /*
     * Of a budget, from inside of a call, for what is held while checks run: false when there is
     * none; what is found then counts for nothing. It may stop other runs, not this one.
     */
    bool (*take_memory)(void *owner, uint64_t bytes);
    void (*give_back_memory)(void *owner, uint64_t bytes);
};

struct check_run;

/*
 * `settings` and `facts` are kept until check_run_free; the facts of a phase are read when checks
 * that need them are started. `events` are static.
 */
struct check_run *check_run_new(const struct check_settings *settings, const struct facts *facts,
                                const struct check_run_events *events, void *owner);
/* Nothing comes any more; NULL is fine. */
void check_run_free(struct check_run **run);
/* The same, and what was found stays. The run is of no other use any more; NULL is fine. */
void check_run_stop(struct check_run *run);

/* Before the first content: it is to be looked at for these checks, too. */
void check_run_open_content(struct check_run *run, unsigned int checks);
/* What the message has just taken; its end. Nothing is done unless content was asked for. */
void check_run_take_content(struct check_run *run, const struct message *message,
                            struct slice piece);
/* The content is signed, and what is taken of it is hashed. */
bool check_run_is_hashing(const struct check_run *run);
void check_run_end_content(struct check_run *run, const struct message *message);

/*
 * Begins those of `checks` (CHECK_BIT of each, and what they build on) that were not begun, with
 * CHECK_EXPLAINED if SPF has not ended yet. Those
 * of the content only behind its end. True when all that were begun have ended; else on_done
 * follows, once.
 */
bool check_run_start(struct check_run *run, unsigned int checks);

/* Borrowed; findings of checks that have not ended say nothing. */
const struct findings *check_run_findings(const struct check_run *run);
/* Different questions to the DNS so far, and how long it was waited for them. */
size_t check_run_question_count(const struct check_run *run);
uint64_t check_run_waited_ms(const struct check_run *run);

#endif
