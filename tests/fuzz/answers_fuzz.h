/* SPDX-License-Identifier: BSD-2-Clause */
/* For the targets that work over a table of answers: lines of the input as answers. */
#ifndef POSTERN_TESTS_ANSWERS_FUZZ_H
#define POSTERN_TESTS_ANSWERS_FUZZ_H

#include <stdbool.h>
#include <stdlib.h>

#include "dns/dns_answers.h"

/* What must hold whatever the input is: else the target has found something. */
static inline void fuzz_require(bool is_true)
{
    if (!is_true)
        abort();
}

/* "F" a failure, "N" no name, "0" no record; NULL for a line that holds records. */
static inline struct dns_answer *fuzz_answer_without_records(struct slice line)
{
    if (slice_equals(line, SLICE("F")))
        return dns_answer_new_failed("timeout");
    if (slice_equals(line, SLICE("N")))
        return dns_answer_new(DNS_NO_NAME, NULL, 0);
    return slice_equals(line, SLICE("0")) ? dns_answer_new(DNS_NO_DATA, NULL, 0) : NULL;
}

/* The lines go round to the questions in their order; `rest` is what is left of this round. */
static inline void fuzz_answer_in_turn(struct dns_answers *answers, struct slice lines,
                                       struct slice *rest,
                                       struct dns_answer *(*make)(enum dns_type type,
                                                                  struct slice line))
{
    struct dns_question question;
    struct slice line;

    while (dns_answers_take_wanted(answers, &question)) {
        struct dns_answer *answer;

        if (!slice_next(rest, '\n', &line)) {
            *rest = lines;
            if (!slice_next(rest, '\n', &line))
                line = SLICE("N");
        }
        answer = fuzz_answer_without_records(line);
        dns_answers_put(answers, &question,
                        answer != NULL ? answer : make(question.type, line));
    }
}

#endif
