/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks of all mails of a worker share, from the configuration. */
#ifndef POSTERN_DAEMON_CHECK_SETUP_H
#define POSTERN_DAEMON_CHECK_SETUP_H

#include <stdbool.h>

#include "base/text.h"
#include "config/config.h"
#include "net/loop.h"
#include "policy/policy_book.h"

/* All owned. */
struct check_tools {
    struct resolver *resolver;    /* NULL when nothing asks the DNS; so is the rest */
    struct dkim_library *dkim;
    struct suffix_list *suffixes; /* NULL also where DMARC goes by the tree walk */
    struct spf_link *spf_link;    /* NULL also where there is no second SPF engine */
};

/* False and a sentence when something cannot be; check_setup_close is to be called all the same. */
bool check_setup_open(struct check_tools *tools, struct loop *loop, const struct config *config,
                      const struct policy_book *book, struct text *problem)
    __attribute__((warn_unused_result));
/*
 * The same for who tries a mail out, with a resolver of their own (NULL: `problem` says why) and
 * without a second SPF engine.
 */
bool check_setup_try(struct check_tools *tools, struct resolver *take_resolver,
                     const struct config *config, struct text *problem)
    __attribute__((warn_unused_result));
void check_setup_close(struct check_tools *tools);

#endif
