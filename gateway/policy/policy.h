/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policies and domains as they were written: what policy/parser makes of the
 * blocks, before policy/policy_book merges the two levels.
 */
#ifndef POSTERN_POLICY_POLICY_H
#define POSTERN_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "config/config.h"
#include "evidence/facts.h"

/* Ceilings, so that no configuration makes a walk over the rules long. */
#define POLICY_MAX_RULES 200         /* of one policy or domain block */
#define POLICY_MAX_TERMS 32          /* of one rule, its exceptions included */
#define POLICY_MAX_VALUES 256        /* of one term; more belong in a list */
#define POLICY_MAX_TAGS 8            /* different tags that one mail can get */
#define POLICY_MAX_NAME_BYTES 40     /* of a policy, rule or tag */
#define POLICY_MAX_WORDS_BYTES 200   /* of the text that a client is told */
#define POLICY_MAX_SUBJECT_BYTES 40  /* of what is put in front of a subject */
#define POLICY_DEFAULT_MAX_SIZE_BYTES (50u << 20)

enum action {
    ACTION_ACCEPT,
    ACTION_REJECT,
    ACTION_TEMPFAIL,
    ACTION_QUARANTINE,
    ACTION_DISCARD,
    ACTION_TAG,
};
#define ACTION_COUNT 6
/* "accept" ... as in the language. */
const char *action_name(enum action action);
/* "enforce", "shadow". */
const char *mode_name(enum mode mode);

/* A mark that a rule puts on a message. Strings are the pool's. */
struct tag {
    const char *name;
    const char *subject; /* what is put in front of the subject; NULL: nothing */
};

/* What becomes of a mail when a rule cannot be known because the DNS did not answer. */
enum temperror_action {
    TEMPERROR_TEMPFAIL,   /* the sender comes back */
    TEMPERROR_QUARANTINE, /* a person looks at it */
    TEMPERROR_IGNORE,     /* such a rule does not match */
};
/* "tempfail", "quarantine", "ignore". */
const char *temperror_action_name(enum temperror_action action);

/* Strings that live as long as a book. */
struct string_pool {
    char **strings;
    size_t count;
    size_t capacity;
};

/* A NUL-terminated copy, which the pool owns. */
const char *string_pool_keep(struct string_pool *pool, struct slice s);
void string_pool_clear(struct string_pool *pool);

struct term; /* see policy/rules.h */

/* One rule, or a policy's `otherwise` (which has no terms). Its strings are the pool's. */
struct rule {
    const char *name;         /* "otherwise" for that */
    const char *reason;       /* reason id: "rule.standard.big-new" */
    struct position at;
    enum mode mode;
    struct position mode_at;  /* line 0: built in */
    enum action action;
    const char *words;        /* the quoted text behind the action, for the client, or for the owner
                                 behind quarantine; NULL for none */
    bool tells_spf_explanation; /* with ACTION_REJECT: the client is told what the domain says */
    struct tag tag;           /* with ACTION_TAG */
    struct term *terms;       /* joined by `and` */
    size_t term_count;
    struct term *exceptions;  /* any one of them takes the rule away */
    size_t exception_count;
    enum phase phase;         /* the earliest at which it can be decided in every case */
    unsigned int checks;      /* CHECK_BIT of those that its terms need */
    bool has_recipient_term;  /* its result may differ between recipients of one transaction */
};

/* What both kinds of block may set. A position with line 0: not set here. */
struct policy_settings {
    uint64_t max_size_bytes; /* 0: no limit */
    struct position max_size_at;
    enum mode mode;
    struct position mode_at;
    enum temperror_action on_temperror;
    struct position on_temperror_at;
};

struct policy {
    const char *name;        /* the pool's, as all strings here */
    struct position at;
    bool is_used;
    struct policy_settings settings;
    struct rule *rules;      /* in order; a good one ends with otherwise */
    size_t rule_count;
    size_t rule_capacity;
    struct position otherwise_at; /* line 0: missing */
};

/* `rule NAME { mode ...; }` of a domain block: the policy's rule of that name in another mode. */
struct rule_override {
    const char *rule;
    struct position at;
    enum mode mode;
    struct position mode_at;
};

struct domain_block {
    const char **names;         /* in the one form of mail/domain.h, or ".x", or "*" */
    struct position *name_positions;
    size_t name_count;
    struct position at;
    const struct word *policy_word; /* the tree's; NULL: not given */
    struct position policy_at;  /* line 0: not given */
    struct config_backend *backend; /* NULL: not given, or no such backend */
    struct position backend_at; /* line 0: not given */
    struct policy_settings settings;
    struct rule *rules;         /* its own, walked before the policy's */
    size_t rule_count;
    size_t rule_capacity;
    struct rule_override *overrides;
    size_t override_count;
    size_t override_capacity;
};

void policy_clear(struct policy *policy);
void domain_block_clear(struct domain_block *domain);
/* Frees the terms. */
void rule_clear(struct rule *rule);
/* The rule of this name, or NULL. */
const struct rule *policy_find_rule(const struct policy *policy, struct slice name);

/* "was it set here?", of the positions above. */
static inline bool position_is_set(struct position position) { return position.line != 0; }

#endif
