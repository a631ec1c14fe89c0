/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An upgrade, as the master sees it: the program that lies at our path now is
 * asked in a process of its own (heir.h) whether it could take over, and if it
 * agrees, our process becomes it. The process id, the sockets and the children
 * stay the same.
 */
#ifndef POSTERN_DAEMON_UPGRADE_H
#define POSTERN_DAEMON_UPGRADE_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"
#include "daemon/child.h"
#include "daemon/estate.h"

struct upgrade;

struct upgrade_events {
    /*
     * Writes down what there is to hand over, into an empty estate: once for the heir, from within
     * upgrade_start, and once more for the program itself.
     */
    void (*describe)(void *owner, struct estate *estate);
    /* Something that stands against it, in one line; on_refused follows. */
    void (*on_line)(void *owner, struct slice line);
    /* The end, once, with a sentence why; the handle is freed, and all is as before. */
    void (*on_refused)(void *owner, const char *why);
};

/* The path that this program was started by, for the caller to free. */
char *upgrade_find_program(void);

/*
 * NULL and a sentence when there is no program at the path, or the system refuses. Without a
 * refusal later, our process becomes the program, and nothing comes back. `arguments` are what
 * people see in the list of processes; they and `program` are lent until the end.
 */
struct upgrade *upgrade_start(struct children *children, const char *program,
                              char *const *arguments, const struct upgrade_events *events,
                              void *owner, struct text *problem)
    __attribute__((warn_unused_result));
/* No event comes any more, and we stay who we are; NULL is fine. */
void upgrade_cancel(struct upgrade **upgrade);

/* ---- On the other side. */

/* Was our process another program before? */
bool upgrade_is_under_way(void);
/*
 * What it has left us, with descriptors that are ours now. False and a sentence when that is of no
 * use. The environment says nothing of it any more.
 */
bool upgrade_receive(struct estate *estate, struct text *problem)
    __attribute__((warn_unused_result));

#endif
