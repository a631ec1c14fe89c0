/* SPDX-License-Identifier: BSD-2-Clause */
/* What a book is made of, for policy/ alone: policy_book, policy_lint and policy_print. */
#ifndef POSTERN_POLICY_POLICY_BOOK_PRIVATE_H
#define POSTERN_POLICY_POLICY_BOOK_PRIVATE_H

#include "base/map.h"
#include "policy/policy_book.h"

struct policy_book {
    /* Lent. */
    const struct config *config;
    /* As written. */
    struct string_pool pool;
    struct policy *policies;
    size_t policy_count;
    size_t policy_capacity;
    struct domain_block *domains;
    size_t domain_count;
    size_t domain_capacity;
    /* Merged: one for each domain block, in order, then one for each relay block. */
    struct effective_policy *effectives;
    size_t effective_count;
    /* Looked up. */
    struct map names;           /* "example.org", ".example.org" or "*" -> its effective policy */
    const char **all_names;     /* of all domain blocks but "*" */
    size_t all_name_count;
};

#endif
