/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of the index, and all statements that are ever made; see index_internal.h. */
#include <stdio.h>

#include "base/log.h"
#include "quarantine/index_internal.h"

#define FILE_NAME "index.db"
/* "post", and the version of the tables: what has others is made anew. */
#define APPLICATION_ID 0x706f7374
#define TABLES_VERSION 2

#define STRING(number) STRING_OF(number)
#define STRING_OF(number) #number

static const char make_tables[] =
    "BEGIN;"
    "CREATE TABLE progress (audit_offset INTEGER NOT NULL, audit_mark INTEGER NOT NULL);"
    "INSERT INTO progress VALUES (0, 0);"
    "CREATE TABLE mail (id TEXT PRIMARY KEY, has_file INTEGER NOT NULL,"
    " is_damaged INTEGER NOT NULL,"
    " held_us INTEGER NOT NULL, file_bytes INTEGER NOT NULL, owner INTEGER NOT NULL, claim TEXT,"
    " sender TEXT, client TEXT, helo TEXT, listener TEXT, domain TEXT, policy TEXT, backend TEXT,"
    " message_id TEXT, header_from TEXT, subject TEXT);"
    "CREATE INDEX mail_order ON mail (held_us, id);"
    "CREATE INDEX mail_there ON mail (has_file, held_us, file_bytes);"
    "CREATE TABLE recipient (id TEXT NOT NULL, layer INTEGER NOT NULL, number INTEGER NOT NULL,"
    " address TEXT, reason TEXT, state INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, by_whom TEXT, said TEXT,"
    " PRIMARY KEY (id, layer, number)) WITHOUT ROWID;"
    "PRAGMA application_id=" STRING(APPLICATION_ID) ";"
    "PRAGMA user_version=" STRING(TABLES_VERSION) ";"
    "COMMIT;";

/* What index_each reads, in its order. */
#define LIST_FROM(condition) \
    "SELECT id, held_us, file_bytes, owner, claim, sender, client, helo, listener, domain," \
    " policy, backend, message_id, header_from, subject, is_damaged, has_file FROM mail" \
    " WHERE " condition " AND held_us >= ?2 AND held_us < ?3 AND (held_us, id) > (?4, ?5)" \
    " AND EXISTS (SELECT 1 FROM recipient WHERE recipient.id = mail.id" \
    " AND layer = (has_file = 0) AND (?6 >> state) & 1)" \
    " ORDER BY held_us, id"

static const char *const texts[INDEX_STATEMENT_COUNT] = {
    [INDEX_BEGIN] = "BEGIN IMMEDIATE",
    [INDEX_COMMIT] = "COMMIT",
    [INDEX_ROLLBACK] = "ROLLBACK",
    [INDEX_FIND_MAIL] = "SELECT has_file, is_damaged FROM mail WHERE id = ?1",
    [INDEX_ADD_MAIL] = "INSERT OR REPLACE INTO mail (id, has_file, is_damaged, held_us, file_bytes,"
                       " owner, claim, sender, client, helo, listener, domain, policy, backend,"
                       " message_id, header_from, subject) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                       " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [INDEX_DROP_MAIL] = "DELETE FROM mail WHERE id = ?1",
    [INDEX_DROP_RECIPIENTS] = "DELETE FROM recipient WHERE id = ?1 AND layer = 0",
    [INDEX_HAS_PAST] = "SELECT 1 FROM recipient WHERE id = ?1 AND layer = 1 LIMIT 1",
    [INDEX_ADD_RECIPIENT] = "INSERT OR IGNORE INTO recipient (id, layer, number, address, reason,"
                            " state, changed_us, attempt, by_whom, said)"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, '', '')",
    [INDEX_GET_STATES] = "SELECT number, state, attempt FROM recipient"
                         " WHERE id = ?1 AND layer = ?2 AND number BETWEEN ?3 AND ?4",
    [INDEX_SET_STATE] = "UPDATE recipient SET state = ?4, changed_us = ?5, attempt = ?6,"
                        " by_whom = ?7, said = ?8,"
                        " address = CASE address WHEN '' THEN ?9 ELSE address END"
                        " WHERE id = ?1 AND layer = ?2 AND number = ?3",
    [INDEX_GET_PROGRESS] = "SELECT audit_offset, audit_mark FROM progress",
    [INDEX_SET_PROGRESS] = "UPDATE progress SET audit_offset = ?1, audit_mark = ?2",
    [INDEX_LIST_IDS] = "SELECT id FROM mail WHERE has_file = 1",
    [INDEX_GET_TOTALS] = "SELECT count(*), sum(file_bytes), min(held_us) FROM mail"
                         " WHERE has_file = 1",
    [INDEX_LIST] = LIST_FROM("1"),
    [INDEX_LIST_ONE] = LIST_FROM("id = ?1"),
    [INDEX_GET_RECIPIENTS] = "SELECT number, address, reason, state, changed_us, attempt, by_whom,"
                             " said FROM recipient WHERE id = ?1 AND layer = ?2"
                             " AND (?3 >> state) & 1 ORDER BY number",
};

/* ---- Statements ---- */

sqlite3_stmt *index_get(struct index *index, enum index_statement which)
{
    return index->statements[which];
}

/* The first failure is the one that counts. */
static void fail(struct index *index, int code)
{
    if (index->has_failed)
        return;
    log_error("quarantine-index", "the index of held mail failed: %s",
              sqlite3_errmsg(index->database));
    index->has_failed = true;
    index->failure = code;
}

bool index_step(struct index *index, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(index, code);
    index_reset(statement);
    return false;
}

void index_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* ---- Opening ---- */

static bool says(sqlite3 *database, const char *pragma, const char *want)
{
    sqlite3_stmt *statement = NULL;
    bool is_so = sqlite3_prepare_v2(database, pragma, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 slice_equals(slice_from(database_get_text(statement, 0)), slice_from(want));

    sqlite3_finalize(statement);
    return is_so;
}

static bool prepare(struct index *index)
{
    for (size_t i = 0; i < INDEX_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(index->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &index->statements[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

static bool is_ours(struct index *index)
{
    char application_id[20];

    snprintf(application_id, sizeof application_id, "%d", APPLICATION_ID);
    return says(index->database, "PRAGMA application_id", application_id) &&
           says(index->database, "PRAGMA user_version", STRING(TABLES_VERSION)) &&
           says(index->database, "PRAGMA quick_check(1)", "ok") && prepare(index);
}

/* No database: it is not there, or is none of ours. False for what may be well at another time. */
static bool open_existing(struct index *index, struct text *problem)
{
    int code;

    index->database = database_open(store_folder_fd(index->store), FILE_NAME, &code, problem);
    if (index->database != NULL) {
        if (is_ours(index))
            return true;
        code = sqlite3_errcode(index->database) & 0xff;
        text_add_format(problem, "cannot read %s: %s", FILE_NAME, sqlite3_errmsg(index->database));
        index_tables_close(index);
        /* It answered, and the answer was another; or it does not have our tables. */
        if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_ERROR)
            return true;
    }
    return database_is_damage(code);
}

static bool make_new(struct index *index, struct text *problem)
{
    int code;

    index_tables_remove(index);
    index->database = database_open(store_folder_fd(index->store), FILE_NAME, &code, problem);
    if (index->database == NULL)
        return false;
    if (sqlite3_exec(index->database, make_tables, NULL, NULL, NULL) == SQLITE_OK && prepare(index))
        return true;
    text_add_format(problem, "cannot make %s: %s", FILE_NAME, sqlite3_errmsg(index->database));
    index_tables_close(index);
    return false;
}

bool index_tables_open(struct index *index, bool *is_new, struct text *problem)
{
    *is_new = false;
    if (!open_existing(index, problem))
        return false;
    if (index->database != NULL)
        return true;
    *is_new = true;
    text_reset(problem);
    return make_new(index, problem);
}

void index_tables_close(struct index *index)
{
    for (size_t i = 0; i < INDEX_STATEMENT_COUNT; i++) {
        sqlite3_finalize(index->statements[i]);
        index->statements[i] = NULL;
    }
    sqlite3_close_v2(index->database);
    index->database = NULL;
}

void index_tables_remove(struct index *index)
{
    database_remove(store_folder_fd(index->store), FILE_NAME);
}
