/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader made of a configuration; see blueprint.h. */
#include "daemon/blueprint.h"

#include <unistd.h>

void blueprint_init(struct blueprint *blueprint)
{
    *blueprint = (struct blueprint){ .sources_fd = -1, .secrets_fd = -1, .spool_fd = -1 };
}

void blueprint_clear(struct blueprint *blueprint)
{
    const int fds[] = { blueprint->sources_fd, blueprint->secrets_fd, blueprint->spool_fd };

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    blueprint_init(blueprint);
}
