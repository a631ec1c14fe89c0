/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SQLite database below a folder's descriptor. SQLite itself opens files by
 * path; here its system calls are led to openat and its kin, so that no path of
 * the machine is needed, and no link followed. It loads nothing, believes nothing
 * that stands in a schema, and keeps what is temporary in memory.
 */
#ifndef POSTERN_QUARANTINE_DATABASE_H
#define POSTERN_QUARANTINE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/*
 * Opens the database, or makes an empty one. `folder_fd` is kept until it is closed. NULL, a
 * sentence and SQLite's code when that fails; what is no database at all may show only when it is
 * first read. sqlite3_close_v2 closes it; it is for one thread.
 */
sqlite3 *database_open(int folder_fd, const char *name, int *code, struct text *problem)
    __attribute__((warn_unused_result));
/*
 * Does such a code say that the file is damaged, or no database? Else it may be well again later.
 */
bool database_is_damage(int code);
/* Takes the file away, and those that SQLite puts beside it. */
void database_remove(int folder_fd, const char *name);

/* Of the statement; numbers keep all of their bits. Strings are copied. */
void database_bind_text(sqlite3_stmt *statement, int at, struct slice text);
void database_bind_number(sqlite3_stmt *statement, int at, uint64_t number);
/* "" for NULL; borrowed until the statement is stepped or reset. */
const char *database_get_text(sqlite3_stmt *statement, int column);
uint64_t database_get_number(sqlite3_stmt *statement, int column);

#endif
