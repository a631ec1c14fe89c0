/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lists and recipient files hold: one entry a line, "#" begins a comment
 * at the start of a line or behind a blank. Made for a million lines.
 */
#ifndef POSTERN_CONFIG_ENTRIES_H
#define POSTERN_CONFIG_ENTRIES_H

#include "config/config.h"
#include "config/settings.h"

/* Adds one entry of a list: a domain, ".domain", an address or a network; reports what is none. */
void entries_add_to_list(const struct settings_reader *reader, struct config_list *list,
                         struct slice entry, struct position at);
/* The same for all lines of a file. `asked_at` is where the file is named. */
void entries_read_list(const struct settings_reader *reader, struct config_list *list,
                       const char *path, struct position asked_at);
/* Once all entries are in: sorts the networks and drops those that lie in others. */
void entries_finish_list(struct config_list *list);

/* The addresses and "@domain" lines of a recipients file. */
void entries_read_recipients(const struct settings_reader *reader, struct name_set *recipients,
                             const char *path, struct position asked_at);

#endif
