/* SPDX-License-Identifier: BSD-2-Clause */
/* What the master takes from a configuration: how many processes, and what they need. */
#ifndef POSTERN_DAEMON_PLAN_H
#define POSTERN_DAEMON_PLAN_H

#include <stddef.h>

#include "config/config.h"

/*
 * The configuration that a loader has sealed and read without an error. It borrows from `packed`,
 * which is unmapped (memory_file_unmap_sealed) after config_free. NULL when it is damaged.
 */
struct config *plan_read_config(int sources_fd, const char *path, struct slice *packed);

/* As configured, or one for each processor that we may run on. */
size_t plan_count_workers(const struct config *config);

/*
 * Sees to it that this process and those it starts may open as many descriptors as a worker can
 * need: each has a socket for every address and worker of the configuration, and those that are
 * open already. What the system does not allow is logged: such a worker stops accepting for a
 * while, and loses no mail.
 */
void plan_raise_file_limit(const struct config *config, size_t open_socket_count);

#endif
