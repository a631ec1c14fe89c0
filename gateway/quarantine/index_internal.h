/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the index share: the database, and its statements. */
#ifndef POSTERN_QUARANTINE_INDEX_INTERNAL_H
#define POSTERN_QUARANTINE_INDEX_INTERNAL_H

#include "quarantine/database.h"
#include "quarantine/index.h"

/* All that is ever asked of the database; the texts are in index_tables.c. */
enum index_statement {
    INDEX_BEGIN,
    INDEX_COMMIT,
    INDEX_ROLLBACK,
    INDEX_FIND_MAIL,
    INDEX_ADD_MAIL,
    INDEX_DROP_MAIL,
    INDEX_DROP_RECIPIENTS,
    INDEX_HAS_PAST,
    INDEX_ADD_RECIPIENT,
    INDEX_GET_STATES,
    INDEX_SET_STATE,
    INDEX_GET_PROGRESS,
    INDEX_SET_PROGRESS,
    INDEX_LIST_IDS,
    INDEX_GET_TOTALS,
    INDEX_LIST,
    INDEX_LIST_ONE,
    INDEX_GET_RECIPIENTS,
};
#define INDEX_STATEMENT_COUNT 18

/*
 * Of a recipient there are up to two rows: that of its copy's file, and the past, which follows
 * from the audit alone. The past is what remains, and what is shown, once the file is gone.
 */
enum index_layer { INDEX_FILE, INDEX_PAST };

struct index {
    struct store *store;  /* lent */
    struct audit *audit;  /* lent */
    sqlite3 *database;    /* owned; NULL when it failed and is to be made anew */
    sqlite3_stmt *statements[INDEX_STATEMENT_COUNT]; /* owned */
    bool has_failed;      /* in this transaction */
    int failure;          /* SQLite's code for that; SQLITE_OK when it was not SQLite that failed */
    bool needs_scan;      /* something was not written: the files are to be looked through */
    uint64_t retry_us;    /* monotonic; no database is made before this */
    uint64_t ignored_count;
};

/*
 * Opens the database, or makes an empty one in place of what is damaged or not ours; `*is_new` says
 * which. False and a sentence when neither can be done now.
 */
bool index_tables_open(struct index *index, bool *is_new, struct text *problem)
    __attribute__((warn_unused_result));
void index_tables_close(struct index *index);
/* Takes the database away. */
void index_tables_remove(struct index *index);

/*
 * A statement, ready to be bound and stepped. index_step is true for a row; at the end and after an
 * error, which sets `has_failed`, the statement is reset. index_reset ends it early.
 */
sqlite3_stmt *index_get(struct index *index, enum index_statement which);
bool index_step(struct index *index, sqlite3_stmt *statement);
void index_reset(sqlite3_stmt *statement);

/* Brings what has failed up to date again, if it is time to. False when that cannot be done now. */
bool index_is_ready(struct index *index);
/* After a failure: keeps the database, leaves it to be opened again, or to be made anew. */
void index_give_up(struct index *index);

#endif
