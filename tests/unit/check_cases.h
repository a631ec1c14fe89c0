/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases of the checks, as files that a mail person can read. What stands in front of
 * the first case is for all cases of the file; words of a case win over it, but for
 * the zone, to which a case adds.
 *
 *     zone:
 *       example.org TXT "v=spf1 mx -all"
 *       example.org MX 10 mx.example.org
 *       slow.example FAIL timeout
 *
 *     == name_of_the_case
 *     why: a sentence
 *     client: 192.0.2.1
 *     want: fail
 *
 * A line of the zone is a name, a type and its data; \DDD is a byte (RFC 1035 5.1). FAIL
 * stands for all types of the name that have no record.
 */
#ifndef POSTERN_TESTS_CHECK_CASES_H
#define POSTERN_TESTS_CHECK_CASES_H

#include "base/slice.h"
#include "dns/dns_answers.h"

struct check_case;

/* The bytes behind "word:", lines of it joined by \n; empty when it is not there. */
struct slice case_word(const struct check_case *one, const char *word);
bool case_has(const struct check_case *one, const char *word);
/* The path and the name, for messages. */
const char *case_name(const struct check_case *one);

/* Answers from the zone whatever is wanted now; says how many questions that were. */
size_t case_answer(const struct check_case *one, struct dns_answers *answers);

typedef void (*case_run_fn)(const struct check_case *one);

/*
 * Runs the cases of the files that are named, or those of all [0-9]*.case in `folder`, which is
 * below the source folder. Gives the exit status of the program.
 */
int check_cases_main(int argc, char **argv, const char *name, const char *folder, case_run_fn run);

#endif
