/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings that are written in a way of their own, and so have a reader of their
 * own (struct setting, `read`). Each refuses with a diagnostic what it cannot read.
 */
#ifndef POSTERN_CONFIG_BLOCK_SETTINGS_H
#define POSTERN_CONFIG_BLOCK_SETTINGS_H

#include "config/settings.h"

/* listen ADDRESS:PORT ... | listen socket NAME */
void block_read_listen(const struct settings_reader *reader, const struct setting *setting,
                       const struct statement *statement, void *target);
/* extension NAME off */
void block_read_extension(const struct settings_reader *reader, const struct setting *setting,
                          const struct statement *statement, void *target);
/* to stderr | to file PATH | to syslog [FACILITY] */
void block_read_log_target(const struct settings_reader *reader, const struct setting *setting,
                           const struct statement *statement, void *target);
/* recipients ask | recipients any | recipients file PATH; the file is read by config.c */
void block_read_recipients(const struct settings_reader *reader, const struct setting *setting,
                           const struct statement *statement, void *target);
/* The name of a backend block, which has been read before. */
void block_read_backend_name(const struct settings_reader *reader, const struct setting *setting,
                             const struct statement *statement, void *target);
/* waive LINT-ID [NAME] "reason"; lint.c carries it out */
void block_read_waiver(const struct settings_reader *reader, const struct setting *setting,
                       const struct statement *statement, void *target);

#endif
