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
#include "policy/policy.h"

struct policy_book;

/*
 * What one domain block, submission listener or relay block has in force: the built-in defaults,
 * the policy over them, the domain over the policy.
 */
struct effective_policy {
    const char *policy;           /* name of the policy */
    const char *domain;           /* the domain block's first name; "" for a relay */
    struct position at;           /* of the domain or relay block */
    struct position policy_at;    /* where that block names the policy */
    struct config_backend *backend;
    struct position backend_at;   /* where it names the backend */
    enum mode mode;               /* the gateway's shadow, else the domain's, else the policy's */
    struct position mode_at;      /* line 0: built in */
    uint64_t max_size_bytes;      /* 0: no limit */
    struct position max_size_at;  /* line 0: built in */
    enum temperror_action on_temperror;
    struct position on_temperror_at; /* line 0: built in */
    struct rule *rules;           /* the domain's own, then the policy's, then otherwise */
    size_t rule_count;
    const char *const *own_domains; /* names of the domain block, ".sub" forms included; of a relay:
                                       those of all domain blocks */
    size_t own_domain_count;
    unsigned int checks;          /* CHECK_BIT of those that its rules need */
    size_t memo_count;            /* terms of the whole book whose truth can stand in facts.memo */
};

/*
 * Reads the policy and domain blocks of the configuration's tree. NULL when a
 * diagnostic is an error. The book borrows from `config`, which must outlive it.
 * What is doubtful and no error is policy_book_lint's, for those who show it.
 */
struct policy_book *policy_book_new(const struct config *config, struct diagnostics *diagnostics);
void policy_book_free(struct policy_book **book);

/*
 * The policy for a recipient's domain (in domain.h's one form): the exact name, else the longest
 * ".parent", else "*". NULL when no domain block covers it: then it is not ours. An address
 * literal and the empty name are nobody's.
 */
const struct effective_policy *policy_book_find_domain(const struct policy_book *book,
                                                       struct slice domain);
/* Of a submission listener or a relay block. Never NULL for one that loaded. */
const struct effective_policy *policy_book_get_relay(const struct policy_book *book,
                                                     const struct config_relay *relay);
/* All of them, domain blocks first, in the order of the files. NULL behind the last. */
const struct effective_policy *policy_book_at(const struct policy_book *book, size_t index);
/* The largest max-size of all domains and relays, for SIZE in EHLO; 0 when one has no limit. */
uint64_t policy_book_largest_size(const struct policy_book *book);
/* Whether mail of a domain or relay can go to this backend; for EHLO's intersection. */
bool policy_book_reaches(const struct policy_book *book, const struct config_backend *backend);

/* `postern effective NAME`: settings and rules with the file:line each came from. */
void policy_book_print_effective(const struct policy_book *book,
                                 const struct effective_policy *effective, struct text *out);
/*
 * For `postern check`: each rule with the phase in which it can be decided, what it does then, and
 * the earlier rule that holds it back, if one does. Domains with the same rules share a table.
 */
void policy_book_print_phases(const struct policy_book *book, struct text *out);

#endif
