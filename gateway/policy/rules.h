/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terms of a rule and what they come to. A term is true, false, or not known
 * yet in the phase at hand (Kleene's three values: "false and unknown" is false);
 * or it was lost, and stays unknown.
 * Evaluation never fails, allocates nothing that outlives it, and takes time in
 * proportion to the header at worst, whatever a client sent.
 */
#ifndef POSTERN_POLICY_RULES_H
#define POSTERN_POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/text.h"
#include "evidence/facts.h"
#include "evidence/vocabulary.h"
#include "policy/policy_book.h"

/*
 * In the order in which `and` takes the least: what may still become false is not known yet, even
 * beside what will never be known.
 */
enum truth {
    TERM_FALSE,
    TERM_UNKNOWN, /* not known yet */
    TERM_LOST,    /* never to be known: the DNS did not answer */
    TERM_TRUE,
};

enum comparison { COMPARISON_OVER, COMPARISON_AT_LEAST, COMPARISON_UNDER, COMPARISON_AT_MOST };
/* ">", ">=", "<", "<=". */
const char *comparison_sign(enum comparison comparison);

enum header_test { HEADER_PRESENT, HEADER_ABSENT, HEADER_CONTAINS };

/* One of the values that a term accepts. Which fields count depends on the form. */
struct term_value {
    enum value_form form;
    struct ip_prefix network;        /* VALUE_NETWORK */
    char *text;                      /* owned: name, domain or address in its one form, keyword, or
                                        what a header is to contain */
    uint16_t *overlaps;              /* owned: how far `text` starts anew inside itself, for each of
                                        its lengths; for HEADER_CONTAINS */
    size_t keyword;                  /* VALUE_KEYWORD: its number in the vocabulary */
    enum comparison comparison;      /* VALUE_SIZE, VALUE_NUMBER */
    uint64_t number;                 /* likewise */
    const struct config_list *list;  /* VALUE_LIST; lent */
};

struct term {
    const struct vocabulary_term *word;
    struct position at;
    char *header_name;               /* owned; with TERM_HEADER, else NULL */
    enum header_test header_test;    /* with TERM_HEADER */
    struct term_value *values;       /* owned; alternatives */
    size_t value_count;
    size_t memo;                     /* its place in facts.memo, from 1; 0: it has none */
};

void term_clear(struct term *term);

/* It speaks of the message's header and of nothing else, so it is the same for all recipients. */
bool term_is_about_header(const struct term *term);
/*
 * All terms and no exception. A rule without terms (`otherwise`) is true. `policy` says which
 * domains are the recipient's own.
 */
enum truth rule_evaluate(const struct rule *rule, const struct facts *facts,
                         const struct effective_policy *policy);

/* The phase has come in which all is known that the term is about, or enough to compare. */
bool term_has_facts(const struct term *term, const struct facts *facts);
/* One of its terms, exceptions alike. */
enum truth term_evaluate(const struct term *term, const struct facts *facts,
                         const struct effective_policy *policy);

/* Prepares `text` of a value for HEADER_CONTAINS: fills `overlaps`. */
void term_value_prepare(struct term_value *value);
/* True for every mail there can be, such as `tls none, any` or `size >= 0`. */
bool term_is_always_true(const struct term *term);
/* Certainly true whenever `narrow` is. False says nothing. */
bool term_covers(const struct term *wide, const struct term *narrow);
/* A match ends the walk: the rule is enforced, and its action is no tag. */
bool rule_can_decide(const struct rule *rule);
/* As in a policy file: "client 192.0.2.0/24, in partners". */
void term_print(struct text *out, const struct term *term);
/*
 * What the mail has for the term to be compared with: "192.0.2.1", "fail (example.net, by -all)".
 * Appends nothing where that is not known. Foreign bytes are escaped, and long values cut.
 */
void term_print_fact(struct text *out, const struct term *term, const struct facts *facts);
/* Likewise: "reject "not here"". */
void rule_print_action(struct text *out, const struct rule *rule);

#endif
