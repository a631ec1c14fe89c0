/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recipients of one transaction: each RCPT of the client with its route,
 * its verdict and the reply it got. What can be said of a recipient without
 * its backend is said here; nothing waits.
 */
#ifndef POSTERN_FLOW_RECIPIENTS_H
#define POSTERN_FLOW_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "evidence/facts.h"
#include "flow/party.h"
#include "flow/route.h"
#include "mail/envelope.h"
#include "mail/spool.h"
#include "verdict/decide.h"
#include "verdict/stamp.h"

/* One RCPT, whatever became of it. */
struct attempt {
    struct recipient recipient;  /* owned */
    struct route route;
    struct verdict verdict;      /* as far as the facts went when it was last asked for */
    struct reply reply;          /* to RCPT, code 0 before it; in the end the final one */
    bool is_accepted;            /* the client was told 250 */
    bool is_mixed;               /* held because it could not be refused alone */
};

struct recipients {
    struct spool_budget *budget; /* lent; what they take of memory is counted there */
    uint64_t memory_bytes;       /* so much of it */
    struct attempt *attempts;    /* in the client's order; owned */
    size_t count;
    size_t capacity;
    size_t accepted_count;
};

/* `budget` is kept until recipients_clear. */
void recipients_init(struct recipients *recipients, struct spool_budget *budget);
void recipients_clear(struct recipients *recipients);

/*
 * Adds a copy of `recipient`. The attempt is borrowed until the next one is added. NULL when the
 * budget is spent: many clients with many recipients and no message are as heavy as messages. The
 * first one always finds room, and a few more while there are none but such.
 */
struct attempt *recipients_add(struct recipients *recipients, const struct recipient *recipient)
    __attribute__((warn_unused_result));
/* The one that was added last. */
struct attempt *recipients_last(struct recipients *recipients);
/* Fills in the route, and refuses where there is none. */
struct reply recipients_route(struct attempt *attempt, const struct party *party,
                              const struct envelope *mail);
/*
 * After that: fills in the verdict and gives the reply: a refusal, or a success that the backend
 * may still overrule. `facts` is brought to PHASE_RCPT for this recipient.
 */
struct reply recipients_judge(const struct recipients *recipients, struct attempt *attempt,
                              const struct party *party, struct facts *facts);
/*
 * CHECK_BITs of the checks that its policy needs, once it has a route: none for one that is exempt
 * from rules, whose mail must not wait for the DNS.
 */
unsigned int attempt_checks(const struct attempt *attempt);
/* Of those that the accepted ones need, or that are to be shown. */
unsigned int recipients_checks(const struct recipients *recipients, const struct party *party);
/* The smallest size limit of the accepted ones' policies; 0 for none. */
uint64_t recipients_max_size(const struct recipients *recipients);
/* True when the backend has to say its word before the client gets its answer. */
bool attempt_needs_backend(const struct attempt *attempt);
/* The reply has been given. */
void recipients_settle(struct recipients *recipients, struct attempt *attempt,
                       const struct reply *reply);

/*
 * Decides for every accepted recipient at `phase` and says what they come to together.
 * `*are_final`: no content could change it any more.
 */
enum joint_verdict recipients_decide(struct recipients *recipients, struct facts *facts,
                                     enum phase phase, bool *are_final);
/*
 * Where one reply must do for all and some are to be refused: these are held instead (DESIGN
 * section 8, mixed.reject), and what is left is JOINT_DELIVER or JOINT_HOLD.
 */
void recipients_hold_rejected(struct recipients *recipients);
/* Why an accepted one with ACTION_QUARANTINE is held: a reason id, and words or NULL. */
const char *attempt_hold_reason(const struct attempt *attempt);
const char *attempt_hold_note(const struct attempt *attempt);
/* For the log: what each held one got, as far as its copy is stored. */
void recipients_note_held(struct recipients *recipients);
/*
 * The tags of all accepted ones with this action, each once: they share one message. Returns how
 * many; `tags` has room for RECIPIENTS_MAX_TAGS.
 */
size_t recipients_collect_tags(const struct recipients *recipients, enum action action,
                               const struct tag **tags);
#define RECIPIENTS_MAX_TAGS STAMP_MAX_TAGS
/* The first accepted recipient whose verdict is `action`, or NULL: its rule speaks for all. */
const struct attempt *recipients_find(const struct recipients *recipients, enum action action);
/*
 * Where none stands in the way of the others: accept if one's verdict is that, else quarantine,
 * else discard.
 */
enum action recipients_furthest(const struct recipients *recipients);
/* All accepted ones get `reply`. */
void recipients_reply_alike(struct recipients *recipients, const struct reply *reply);
/*
 * Each accepted one gets its own: a refusal by its verdict, `delivered` or `held` where that became
 * of it, and a plain success where it was discarded. Returns the accepted_count replies in
 * order; the caller frees the array.
 */
struct reply *recipients_reply_each(struct recipients *recipients, const struct reply *delivered,
                                    const struct reply *held);

#endif
