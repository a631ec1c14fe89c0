/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration for the commands that say what would be: read by the code that
 * the daemon loads it with. It needs no keys, no certificates and no folders, so
 * whoever may read the policies may ask.
 */
#ifndef POSTERN_TOOLS_CONFIGURATION_H
#define POSTERN_TOOLS_CONFIGURATION_H

#include <stdbool.h>

#include "config/config.h"
#include "config/diagnostics.h"
#include "policy/policy_book.h"

struct configuration {
    struct config *config;    /* owned */
    struct policy_book *book; /* owned */
};

/* False, after the errors on stderr, when it does not load. Close it in any case. */
bool configuration_open(struct configuration *configuration, const char *path)
    __attribute__((warn_unused_result));
/* Frees what is there. */
void configuration_close(struct configuration *configuration);

/* The errors among the diagnostics, on stderr. */
void configuration_print_errors(const struct diagnostics *diagnostics);

#endif
