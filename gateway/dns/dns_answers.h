/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answers that the checks of one transaction work from. A check is a plain
 * function that looks answers up here. Where one is missing, the question is noted
 * and the check says "not yet"; somebody asks, puts the answer in, and the check is
 * run again from its start. So no check waits, all share what one has asked, and a
 * test or a tool hands in answers without any network.
 */
#ifndef POSTERN_DNS_DNS_ANSWERS_H
#define POSTERN_DNS_DNS_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "dns/dns_answer.h"

struct dns_answers;

/* Past `max_questions` different ones every further question is DNS_FAILED at once. */
struct dns_answers *dns_answers_new(size_t max_questions);
void dns_answers_free(struct dns_answers **answers);

/*
 * The answer, borrowed until the table goes; NULL while it is not there, and then it is wanted. A
 * name that cannot be asked for has no records: DNS_NO_NAME.
 */
const struct dns_answer *dns_answers_find(struct dns_answers *answers, struct slice name,
                                          enum dns_type type);

struct dns_question {
    const char *name; /* in the one form; lives as long as the table */
    enum dns_type type;
};

/* The next wanted question that was not handed out yet; false when there is none. */
bool dns_answers_take_wanted(struct dns_answers *answers, struct dns_question *question);
/* To a question that was handed out; one that has an answer already keeps it. */
void dns_answers_put(struct dns_answers *answers, const struct dns_question *question,
                     struct dns_answer *take_answer);
/* Some question is wanted, or was handed out and has no answer. */
bool dns_answers_is_waiting(const struct dns_answers *answers);
/* Whatever has no answer yet gets a failure, what is still to come as well: time is up. */
void dns_answers_give_up(struct dns_answers *answers, const char *problem);
/* `count` more may be asked, however many were, and though time was up before. */
void dns_answers_make_room(struct dns_answers *answers, size_t count);
/*
 * Drops all questions and answers, borrowed ones as well, as if nothing had been asked and there
 * were time; but those questions go on counting. Nothing may be out that was handed out.
 */
void dns_answers_forget(struct dns_answers *answers);
/* One by one, from 0 to dns_answers_count: a question, and its answer; NULL while there is none. */
const struct dns_answer *dns_answers_get(const struct dns_answers *answers, size_t place,
                                         struct dns_question *question);
/* Different questions so far. */
size_t dns_answers_count(const struct dns_answers *answers);

#endif
