/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the processes become that have to do with the network. */
#ifndef POSTERN_DAEMON_IDENTITY_H
#define POSTERN_DAEMON_IDENTITY_H

#include <stdbool.h>

#include "base/text.h"
#include "daemon/handover.h"

/*
 * Looks `user` up, with its groups. NULL, or a name that is our own while we are not root: everyone
 * stays who we are. False and a sentence when the system has no such user, or it is root itself.
 */
bool identity_find(const char *user, struct handover_identity *identity, struct text *problem)
    __attribute__((warn_unused_result));

/*
 * Becomes it for good: groups, group, user; and gives up ever gaining privileges by starting a
 * program. False and a sentence when the system refuses, and then the process must end.
 */
bool identity_become(const struct handover_identity *identity, struct text *problem)
    __attribute__((warn_unused_result));

/* 0 when that identity may make files in the folder, else the errno that it would get. */
int identity_try_folder(const struct handover_identity *identity, int folder_fd);

#endif
