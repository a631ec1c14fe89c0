/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration's block to the resolver: the same for the loader, which
 * only tries, and for the workers.
 */
#ifndef POSTERN_DAEMON_RESOLVER_SETUP_H
#define POSTERN_DAEMON_RESOLVER_SETUP_H

#include "base/text.h"
#include "config/config.h"
#include "net/resolver.h"
#include "policy/policy_book.h"

/* Does anything in this configuration ask the DNS? */
bool resolver_setup_is_needed(const struct config *config, const struct policy_book *book);
/* The configuration is kept until the end. NULL and a sentence when there can be none. */
struct resolver *resolver_setup_new(struct loop *loop, const struct config *config,
                                    struct text *problem) __attribute__((warn_unused_result));

#endif
