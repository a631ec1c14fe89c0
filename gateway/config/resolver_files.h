/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that a resolver block names, and the system's resolv.conf: read like
 * all others of the configuration, so that a worker needs to open none.
 */
#ifndef POSTERN_CONFIG_RESOLVER_FILES_H
#define POSTERN_CONFIG_RESOLVER_FILES_H

#include "config/config.h"
#include "config/settings.h"

/* Where servers are looked up when the block names none. */
#define RESOLVER_SYSTEM_FILE "/etc/resolv.conf"

/* After the settings: fills in what is in files, and reports what is wrong with them. */
void resolver_files_read(const struct settings_reader *reader, struct config_resolver *resolver);

#endif
