/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of the loader (loader.h), as the master sees it: it is started, heard,
 * and given up when it hangs; at its end there is a blueprint, or a sentence why not.
 */
#ifndef POSTERN_DAEMON_LOADING_H
#define POSTERN_DAEMON_LOADING_H

#include "base/slice.h"
#include "base/text.h"
#include "config/diagnostics.h"
#include "daemon/blueprint.h"
#include "daemon/child.h"

struct loading;

struct loading_events {
    /* What the loader has to say about the configuration, in one line. */
    void (*on_line)(void *owner, enum severity severity, struct slice line);
    /*
     * The end, once; the handle is freed. `why` is NULL and the blueprint's descriptors are the
     * owner's, or it is a sentence and the blueprint is NULL.
     */
    void (*on_end)(void *owner, struct blueprint *take_blueprint, const char *why);
};

/* NULL and a sentence when the system refuses. `path` is lent until the end. */
struct loading *loading_start(struct children *children, const char *path,
                              const struct loading_events *events, void *owner,
                              struct text *problem) __attribute__((warn_unused_result));
/* No event comes any more; NULL is fine. */
void loading_cancel(struct loading **loading);

#endif
