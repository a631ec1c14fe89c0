/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides: facts and policy in, verdict out. A pure function; the same call
 * serves a live session, `postern explain` and the tests.
 *
 * Rules are walked in order. A rule is true, false or not known yet. The walk
 * stops at the first rule that is not known yet and could end it, and a match
 * before it is the verdict. A rule in shadow that matches is noted and the walk
 * goes on. Neither such a rule nor a tag can end a walk, so a refusal behind one
 * that is not known yet need not wait for it; anything else does, lest the note
 * or the tag be missed.
 *
 * A rule that the DNS has left open ends the walk as a match would, with what the
 * policy says of that (`on dns-temperror`) for its action: then the verdict's rule is
 * one of ours, "dns-temperror". One that is false all the same, or could not have
 * decided, stops nobody.
 */
#ifndef POSTERN_VERDICT_DECIDE_H
#define POSTERN_VERDICT_DECIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "evidence/facts.h"
#include "mail/reply.h"
#include "policy/policy_book.h"
#include "policy/rules.h"

#define VERDICT_MAX_TAGS POLICY_MAX_TAGS

struct verdict {
    bool is_final;              /* false: the walk met a rule that is not known yet in this phase */
    enum action action;         /* what we do: never ACTION_TAG; ACCEPT while not final */
    const struct rule *rule;    /* that decided; NULL while not final, for exempt recipients, and
                                   where shadow made an accept of what it decided */
    const char *words;          /* for the client, or the owner of held mail: the rule's, or of SPF;
                                   NULL for none; lives as long as book and findings */
    enum phase phase;           /* in which it was decided; while not final, that of the facts */
    /* The first rule that would have acted had nothing been in shadow. NULL for none. */
    const struct rule *shadow_rule;
    enum phase shadow_phase;    /* in which it would have */
    const struct tag *tags[VERDICT_MAX_TAGS]; /* of tag rules that matched, in order, each once */
    size_t tag_count;
    const struct rule *pending_rule;    /* the first that has to be known yet; NULL when final */
};

/* Rules are not asked about this one: postmaster, abuse. NULL is none. */
bool decide_is_exempt(const struct address *recipient);

/*
 * The walk goes no further than this rule, which came to `truth`: it decides, or what it will come
 * to has to be known first.
 */
bool decide_ends_at(const struct effective_policy *policy, const struct rule *rule,
                    enum truth truth);

/*
 * The verdict on facts->recipient (or on the sender alone, before RCPT) under
 * `policy`, as far as facts->phase tells. Shadow at gateway, domain or policy
 * turns the verdict into accept, without tags, and notes the rule as shadow_rule.
 * Postmaster and abuse recipients are exempt from rules (RFC 5321 4.5.1, RFC 2142).
 *
 * A call with all facts gives what the calls on the way would have given: the phases
 * from RCPT on are gone through in turn, and the first final verdict stands.
 */
struct verdict decide(const struct effective_policy *policy, const struct facts *facts);

/* The client's reply for a reject or tempfail. Its strings live as long as book and findings. */
struct reply verdict_reply(const struct verdict *verdict);

/*
 * The result of a whole transaction from the verdicts of its recipients (DESIGN: recipients with
 * different wishes).
 */
enum joint_verdict {
    JOINT_DELIVER,      /* at least one accept; the others accept, quarantine or discard */
    JOINT_HOLD,         /* no accept, at least one quarantine; the others discard */
    JOINT_DISCARD,      /* all discard */
    JOINT_REJECT,       /* all reject */
    JOINT_TEMPFAIL,     /* a tempfail among them: nobody gets anything, the client comes back */
    JOINT_MIXED_REJECT, /* a reject beside anything else */
};
/* `count` is at least 1 and all are final. */
enum joint_verdict decide_jointly(const struct verdict *verdicts, size_t count);

#endif
