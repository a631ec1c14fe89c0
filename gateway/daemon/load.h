/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration with everything that belongs to it, read from disk and
 * checked as a whole: what the loader does for the daemon, and `postern check`
 * for people.
 */
#ifndef POSTERN_DAEMON_LOAD_H
#define POSTERN_DAEMON_LOAD_H

#include "config/config.h"
#include "config/diagnostics.h"
#include "config/sources.h"
#include "daemon/handover.h"
#include "policy/policy_book.h"

struct loaded {
    struct config *config;       /* owned */
    struct policy_book *book;    /* owned */
    struct sources *secrets;     /* owned: certificates, keys and authorities, by their paths */
    int spool_fd;                /* the spool folder; -1 while it could not be opened */
    int quarantine_fd;           /* likewise; -1 also without a quarantine */
};

/*
 * The configuration's own files: syntax and names. NULL when a diagnostic is an error; load_rest
 * must follow.
 */
struct loaded *load_begin(const char *path, struct diagnostics *diagnostics)
    __attribute__((warn_unused_result));
/*
 * Everything else is looked at, also after a first error: policies, lint, certificates and keys
 * (readable, fitting, in date, for their names, not readable by others), authorities of backends,
 * the folders; at the end the waivers. Frees it, and sets NULL, when a diagnostic is an error.
 */
void load_rest(struct loaded **loaded, struct diagnostics *diagnostics);
/* Both. */
struct loaded *load_from_disk(const char *path, struct diagnostics *diagnostics)
    __attribute__((warn_unused_result));
void loaded_free(struct loaded **loaded);

/*
 * What depends on who runs it: who the workers become, that root names somebody
 * else, and that this one may write to the spool folder. Adds errors to the diagnostics.
 */
void load_find_identity(const struct loaded *loaded, struct handover_identity *identity,
                        struct diagnostics *diagnostics);

#endif
