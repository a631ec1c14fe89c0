/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All policies and domains of a configuration, merged and immutable. A session
 * ends on the book it began with; a reload makes a new one beside it.
 */
#ifndef POSTERN_POLICY_POLICY_BOOK_H
#define POSTERN_POLICY_POLICY_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "config/config.h"
#include "evidence/facts.h"

struct policy_book;

enum action { ACTION_ACCEPT, ACTION_REJECT, ACTION_TEMPFAIL, ACTION_DISCARD, ACTION_TAG };
/* "accept" ... as in the language. */
const char *action_name(enum action action);

struct term; /* see policy/rules.h */

/* One rule, or a policy's `otherwise` (which has no terms). */
struct rule {
    const char *name;         /* "otherwise" for that */
    const char *reason;       /* reason id: "rule.standard.big-new" */
    struct position at;
    enum mode mode;
    enum action action;
    const char *words;        /* the quoted text behind the action, for the client; NULL for none */
    const char *tag;          /* with ACTION_TAG */
    struct term *terms;       /* joined by `and` */
    size_t term_count;
    struct term *exceptions;  /* any one of them takes the rule away */
    size_t exception_count;
    enum phase phase;         /* the earliest at which it can be decided in every case */
    bool has_recipient_term;  /* its result may differ between recipients of one transaction */
};

/* What one domain (or submission listener, or relay block) has in force: two levels merged. */
struct effective_policy {
    const char *policy;       /* name of the policy */
    const char *domain;       /* name of the domain block it is for: its first name; "" for none */
    struct config_backend *backend;
    enum mode mode;           /* shadow when gateway, policy or domain says so */
    uint64_t max_size_bytes;
    struct rule *rules;       /* the domain's own, then the policy's, then otherwise */
    size_t rule_count;
    const char *const *own_domains; /* names of the domain block, ".sub" forms included */
    size_t own_domain_count;
};

/*
 * Reads the policy and domain blocks of the configuration's tree. NULL when a
 * diagnostic is an error. The book borrows from `config`, which must outlive it.
 */
struct policy_book *policy_book_new(const struct config *config, struct diagnostics *diagnostics);
void policy_book_free(struct policy_book **book);

/*
 * The policy for a recipient's domain (in domain.h's one form): the exact name, else the longest
 * ".parent", else "*". NULL when no domain block covers it: then it is not ours.
 */
const struct effective_policy *policy_book_find_domain(const struct policy_book *book,
                                                       struct slice domain);
/* Of a submission listener or a relay block. Never NULL for one that loaded. */
const struct effective_policy *policy_book_get_relay(const struct policy_book *book,
                                                     const struct config_relay *relay);
/* The largest max-size of all domains, for SIZE in EHLO; 0 when one has no limit. */
uint64_t policy_book_largest_size(const struct policy_book *book);
/* All backends that mail from inbound listeners can go to; for EHLO's intersection. */
bool policy_book_reaches(const struct policy_book *book, const struct config_backend *backend);

/* `postern effective NAME`: settings and rules with the file:line each came from. */
void policy_book_print_effective(const struct policy_book *book,
                                 const struct effective_policy *effective, struct text *out);

#endif
