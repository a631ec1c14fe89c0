/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SQLite below a folder's descriptor; see database.h. A database has the name
 * "FD/NAME". Our copy of SQLite's interface to the system ("VFS", sqlite.org/vfs)
 * takes such a name for a full path, and the calls of the original that take a
 * path are replaced by ours, which split it again. Any other path is refused.
 */
#include "quarantine/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/number.h"

#define VFS_NAME "postern"
#define MAX_NAME_BYTES 64
/* Another keeper, in an upgrade, may be at work with it. */
#define BUSY_TIMEOUT_MS 5000

/* ---- Calls of the system ---- */

/* "7/index.db" is index.db below descriptor 7, and "7" that folder itself. */
static const char *split(const char *path, int *folder_fd)
{
    struct slice number = slice_from(path);
    uint64_t fd;
    size_t slash;
    bool has_name = slice_find_byte(number, '/', &slash);

    if (has_name)
        number = slice_until(number, slash);
    if (!number_parse(number, INT_MAX, &fd) ||
        (has_name && strchr(path + slash + 1, '/') != NULL)) {
        errno = EACCES;
        return NULL;
    }
    *folder_fd = (int)fd;
    return has_name ? path + slash + 1 : ".";
}

static int open_below(const char *path, int flags, int mode)
{
    int folder_fd;
    const char *name = split(path, &folder_fd);

    flags |= O_NOFOLLOW | O_CLOEXEC;
    return name != NULL ? openat(folder_fd, name, flags, (mode_t)mode & 0600) : -1;
}

static int stat_below(const char *path, struct stat *status)
{
    int folder_fd;
    const char *name = split(path, &folder_fd);

    return name != NULL ? fstatat(folder_fd, name, status, AT_SYMLINK_NOFOLLOW) : -1;
}

static int access_below(const char *path, int mode)
{
    int folder_fd;
    const char *name = split(path, &folder_fd);

    return name != NULL ? faccessat(folder_fd, name, mode, 0) : -1;
}

static int unlink_below(const char *path)
{
    int folder_fd;
    const char *name = split(path, &folder_fd);

    return name != NULL ? unlinkat(folder_fd, name, 0) : -1;
}

/* ---- The VFS ---- */

static int get_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int get_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    crypto_random(out, (size_t)size);
    return size;
}

static bool make_vfs(void)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        { "open", (sqlite3_syscall_ptr)open_below },
        { "stat", (sqlite3_syscall_ptr)stat_below },
        { "access", (sqlite3_syscall_ptr)access_below },
        { "unlink", (sqlite3_syscall_ptr)unlink_below },
    };
    static sqlite3_vfs vfs;
    sqlite3_vfs *original;

    if (vfs.zName != NULL)
        return true;
    if (sqlite3_initialize() != SQLITE_OK || (original = sqlite3_vfs_find("unix")) == NULL)
        return false;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (original->xSetSystemCall(original, calls[i].name, calls[i].call) != SQLITE_OK)
            return false;
    vfs = *original;
    vfs.pNext = NULL;
    vfs.zName = VFS_NAME;
    vfs.xFullPathname = get_full_path;
    vfs.xRandomness = get_randomness;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}

/* ---- Opening ---- */

/*
 * In WAL a crash of the machine costs the last transactions and nothing else, for one sync in a
 * while; what is lost there is read again from the files and the audit. Its file is kept small: on
 * a disk that fills, the room is better used for mail.
 */
static bool set_up(sqlite3 *database)
{
    static const char pragmas[] = "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0;"
                                  "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=100;";
    static const struct {
        int option;
        int value;
    } options[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },
    };

    sqlite3_extended_result_codes(database, 1);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (sqlite3_db_config(database, options[i].option, options[i].value, NULL) != SQLITE_OK)
            return false;
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
    return sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS) == SQLITE_OK &&
           sqlite3_exec(database, pragmas, NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3 *database_open(int folder_fd, const char *name, int *code, struct text *problem)
{
    char path[MAX_NAME_BYTES];
    sqlite3 *database = NULL;

    snprintf(path, sizeof path, "%d/%s", folder_fd, name);
    *code = SQLITE_ERROR;
    if (!make_vfs()) {
        text_add_string(problem, "SQLite cannot be set up");
        return NULL;
    }
    if (sqlite3_open_v2(path, &database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        VFS_NAME) == SQLITE_OK && set_up(database))
        return database;
    *code = sqlite3_errcode(database);
    text_add_format(problem, "cannot open %s: %s", name,
                    database != NULL ? sqlite3_errmsg(database) : "no memory");
    sqlite3_close_v2(database);
    return NULL;
}

void database_remove(int folder_fd, const char *name)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal" };

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[MAX_NAME_BYTES];

        snprintf(path, sizeof path, "%s%s", name, endings[i]);
        unlinkat(folder_fd, path, 0);
    }
}

bool database_is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

/* ---- Values ---- */

void database_bind_text(sqlite3_stmt *statement, int at, struct slice text)
{
    sqlite3_bind_text(statement, at, text.length > 0 ? text.data : "", (int)text.length,
                      SQLITE_TRANSIENT);
}

void database_bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    sqlite3_bind_int64(statement, at, (sqlite3_int64)number);
}

const char *database_get_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text != NULL ? text : "";
}

uint64_t database_get_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}
