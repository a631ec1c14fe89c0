/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's context, set up as the resolver wants it; for resolver.c alone. */
#ifndef POSTERN_NET_RESOLVER_CONTEXT_H
#define POSTERN_NET_RESOLVER_CONTEXT_H

#include "net/resolver.h"

struct ub_ctx;

/* On the loop's events; ended with ub_ctx_delete. NULL and a sentence when there can be none. */
struct ub_ctx *resolver_context_new(struct loop *loop, const struct resolver_settings *settings,
                                    struct text *problem) __attribute__((warn_unused_result));

#endif
