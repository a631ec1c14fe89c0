/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader made of a configuration, and a generation is built from. */
#ifndef POSTERN_DAEMON_BLUEPRINT_H
#define POSTERN_DAEMON_BLUEPRINT_H

#include "daemon/handover.h"

struct blueprint {
    int sources_fd;  /* owned */
    int secrets_fd;  /* owned */
    int spool_fd;    /* owned */
    struct handover_identity identity;
};

/* Holds nothing yet. */
void blueprint_init(struct blueprint *blueprint);
/* Closes what it holds; a second call is harmless. */
void blueprint_clear(struct blueprint *blueprint);

#endif
