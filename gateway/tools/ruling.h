/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a mail, in the words of the log line, to be compared. */
#ifndef POSTERN_TOOLS_RULING_H
#define POSTERN_TOOLS_RULING_H

#include <stdbool.h>

#include "base/text.h"
#include "tools/json.h"
#include "tools/trial.h"

/* The word for a mail of which the envelope, or what is known of it, decides nothing. */
#define RULING_UNDECIDED "undecided"

struct ruling {
    const char *verdict; /* static: "reject", or RULING_UNDECIDED */
    char *reason;        /* of the refusal, or else of the rule that decided; "" for none. These
                            strings are owned */
    char *phase;         /* in which a rule decided; "" for none */
    char *tags;          /* with a comma between them */
    char *shadow;        /* reason id; "" for none */
    char *missing;       /* undecided: the rule that would have to be known; "" else */
};

/* Of a trial that was run. */
void ruling_init(struct ruling *ruling, const struct trial *trial);
void ruling_clear(struct ruling *ruling);

/* In all that they hold but for what is missing. */
bool ruling_equals(const struct ruling *a, const struct ruling *b);
/* There is no verdict. */
bool ruling_is_undecided(const struct ruling *ruling);
/* "reject by rule.standard.x at message, tags a,b, shadow rule.standard.y" */
void ruling_print(struct text *out, const struct ruling *ruling);
/* As an object under `key`. */
void ruling_print_json(struct json *json, const char *key, const struct ruling *ruling);

#endif
