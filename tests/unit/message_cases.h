/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages in a folder, one test each: NN-name.eml (its line ends are made CRLF) with
 * the keys in NN-name.zone must give what NN-name.expected holds. That begins with
 * why ("#"), and with settings where they are not the default ones:
 *
 *   now SECONDS    length accept|ignore|refuse    min-rsa-bits N    max-signatures N
 *   max-sets N
 */
#ifndef POSTERN_TESTS_MESSAGE_CASES_H
#define POSTERN_TESTS_MESSAGE_CASES_H

#include "checks/dkim_settings.h"
#include "unit.h"

struct message_case {
    const char *name;
    struct dkim_settings settings;
    size_t max_sets; /* of ARC */
    uint64_t now_s;
    struct text content;
    struct text zone;
    struct text got; /* to be filled */
};

/*
 * Runs those of tests/cases/`name`, or of the folder that the variable names; `verify` appends what
 * was found to `got`.
 */
int message_cases_run(const char *name, const char *variable,
                      void (*verify)(struct message_case *message));

#endif
