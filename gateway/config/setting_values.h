/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads single values for settings.c; what both share with others is in settings.h. */
#ifndef POSTERN_CONFIG_SETTING_VALUES_H
#define POSTERN_CONFIG_SETTING_VALUES_H

#include "config/settings.h"

/* Reads the words behind the key into `target`, the block's struct, or reports them. */
void setting_read_value(const struct settings_reader *reader, const struct setting *setting,
                        const struct statement *statement, char *target);
/*
 * Defaults are written like values, so that manual and code cannot drift apart.
 * For SETTING_OTHER the default is a zeroed field, and the text is for people.
 */
void setting_read_default(const struct settings_reader *reader, const struct setting *setting,
                          char *target);

#endif
