/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index of held mail; see index.h. It is a fold: files give mails and their
 * recipients in a first state, entries of the audit lead from state to state.
 * How far the audit was read is written in the transaction that wrote what was
 * read there, so each entry counts once, whichever process reads it.
 *
 * Every recipient that the audit names is kept twice: as one of its copy's file,
 * and in the past, which never looks at a file. When a file goes, so does the
 * first, and the past is what an index made anew would come to.
 */
#include "quarantine/index.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "quarantine/index_internal.h"

#define RETRY_US 10000000u

/* ---- Transactions ---- */

static bool begin(struct index *index)
{
    index->has_failed = false;
    index->failure = SQLITE_OK;
    index_step(index, index_get(index, INDEX_BEGIN));
    return !index->has_failed;
}

/* All of it, or nothing. False after a failure, of whatever step. */
static bool end(struct index *index)
{
    if (!index->has_failed)
        index_step(index, index_get(index, INDEX_COMMIT));
    if (!index->has_failed)
        return true;
    if (sqlite3_get_autocommit(index->database) == 0)
        index_step(index, index_get(index, INDEX_ROLLBACK));
    return false;
}

/* ---- Mails and recipients ---- */

enum presence { MAIL_UNKNOWN, MAIL_PAST, MAIL_THERE, MAIL_DAMAGED };

static enum presence find_mail(struct index *index, const char *id)
{
    sqlite3_stmt *statement = index_get(index, INDEX_FIND_MAIL);
    enum presence presence = MAIL_UNKNOWN;

    database_bind_text(statement, 1, slice_from(id));
    if (index_step(index, statement)) {
        presence = database_get_number(statement, 0) == 0   ? MAIL_PAST
                   : database_get_number(statement, 1) != 0 ? MAIL_DAMAGED
                                                            : MAIL_THERE;
        index_reset(statement);
    }
    return presence;
}

static uint64_t time_of(const char *id)
{
    uint64_t wall_us;

    return id_find_time(slice_from(id), &wall_us) ? wall_us : 0;
}

static void add_recipient(struct index *index, const char *id, enum index_layer layer,
                          uint32_t number, struct slice address, const char *reason,
                          enum copy_state state, uint64_t changed_us)
{
    sqlite3_stmt *statement = index_get(index, INDEX_ADD_RECIPIENT);

    database_bind_text(statement, 1, slice_from(id));
    database_bind_number(statement, 2, layer);
    database_bind_number(statement, 3, number);
    database_bind_text(statement, 4, address);
    database_bind_text(statement, 5, slice_until(slice_from(reason), COPY_WORD_MAX_BYTES));
    database_bind_number(statement, 6, state);
    database_bind_number(statement, 7, changed_us);
    index_step(index, statement);
}

/* Strings are cut as in the text of the copy: it is all the same whether that was read or not. */
static void bind_string(sqlite3_stmt *statement, int at, const char *string)
{
    database_bind_text(statement, at, slice_until(slice_from(string), COPY_VALUE_MAX_BYTES));
}

static void bind_mail(sqlite3_stmt *statement, const struct copy *copy)
{
    const char *const strings[] = { copy->helo,   copy->listener, copy->domain,
                                    copy->policy, copy->backend,  copy->message_id,
                                    copy->header_from, copy->subject };
    const struct address *sender = &copy->envelope.sender;
    struct text client;

    text_init(&client, 100);
    ip_endpoint_print(&client, &copy->client);
    database_bind_number(statement, 6, copy->owner);
    database_bind_text(statement, 7, slice_from(copy->claim));
    database_bind_text(statement, 8, address_is_null(sender) ? SLICE("<>") : address_text(sender));
    database_bind_text(statement, 9, text_slice(&client));
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        bind_string(statement, 10 + (int)i, strings[i]);
    text_clear(&client);
}

/* `copy` is NULL for what is known by its id alone. */
static void add_mail(struct index *index, const char *id, bool is_there, const struct copy *copy,
                     uint64_t held_us, uint64_t file_bytes)
{
    sqlite3_stmt *statement = index_get(index, INDEX_ADD_MAIL);

    database_bind_text(statement, 1, slice_from(id));
    database_bind_number(statement, 2, is_there);
    database_bind_number(statement, 3, is_there && copy == NULL);
    database_bind_number(statement, 4, held_us);
    database_bind_number(statement, 5, file_bytes);
    database_bind_number(statement, 6, 0);
    if (copy != NULL)
        bind_mail(statement, copy);
    index_step(index, statement);
}

static void add_copy(struct index *index, const struct copy *copy, bool is_answered,
                     uint64_t file_bytes)
{
    enum copy_state state = copy->is_pending || !is_answered ? COPY_PENDING : COPY_HELD;
    /* A worker may say any time; the last one is for "before". */
    uint64_t held_us = copy->held_us < INT64_MAX ? copy->held_us : INT64_MAX - 1;

    add_mail(index, copy->id, true, copy, held_us, file_bytes);
    for (size_t i = 0; i < copy->envelope.recipient_count; i++)
        add_recipient(index, copy->id, INDEX_FILE, (uint32_t)i,
                      address_text(&copy->envelope.recipients[i].address),
                      copy->reasons != NULL ? copy->reasons[i] : NULL, state, held_us);
}

/* Reads the file and adds what it says; MAIL_UNKNOWN when there is none. */
static enum presence add_file(struct index *index, const char *id)
{
    struct store_file file;
    struct text problem;
    enum presence presence = MAIL_THERE;
    enum store_result result;

    text_init(&problem, 500);
    result = store_read(index->store, id, false, &file, &problem);
    if (result == STORE_DONE) {
        add_copy(index, &file.copy, file.is_answered, file.file_bytes);
    } else if (result == STORE_ABSENT) {
        presence = MAIL_UNKNOWN;
    } else {
        log_warning("quarantine-damaged", "%s", text_string(&problem));
        add_mail(index, id, true, NULL, time_of(id), file.file_bytes);
        add_recipient(index, id, INDEX_FILE, 0, SLICE_EMPTY, NULL, COPY_HELD, time_of(id));
        presence = MAIL_DAMAGED;
    }
    store_file_clear(&file);
    text_clear(&problem);
    return presence;
}

/* The file is gone. */
static void forget_file(struct index *index, const char *id)
{
    sqlite3_stmt *statement = index_get(index, INDEX_DROP_RECIPIENTS);
    bool has_past;

    database_bind_text(statement, 1, slice_from(id));
    index_step(index, statement);
    statement = index_get(index, INDEX_HAS_PAST);
    database_bind_text(statement, 1, slice_from(id));
    has_past = index_step(index, statement);
    index_reset(statement);
    if (has_past) {
        add_mail(index, id, false, NULL, time_of(id), 0);
        return;
    }
    statement = index_get(index, INDEX_DROP_MAIL);
    database_bind_text(statement, 1, slice_from(id));
    index_step(index, statement);
}

/* ---- The audit ---- */

struct known_state {
    uint32_t number;
    enum copy_state state;
    uint64_t attempt;
};

/* Those that the entry is about; they are read before any is changed. */
static struct known_state *get_states(struct index *index, const struct audit_entry *entry,
                                      enum index_layer layer, size_t *count)
{
    sqlite3_stmt *statement = index_get(index, INDEX_GET_STATES);
    bool is_all = entry->recipient == AUDIT_ALL_RECIPIENTS;
    struct known_state *states = NULL;
    size_t capacity = 0;

    *count = 0;
    database_bind_text(statement, 1, slice_from(entry->id));
    database_bind_number(statement, 2, layer);
    database_bind_number(statement, 3, is_all ? 0 : entry->recipient);
    database_bind_number(statement, 4, entry->recipient);
    while (index_step(index, statement)) {
        states = mem_grow(states, *count, &capacity, sizeof *states);
        states[*count] = (struct known_state){
            .number = (uint32_t)database_get_number(statement, 0),
            .state = (enum copy_state)(database_get_number(statement, 1) % COPY_STATE_COUNT),
            .attempt = database_get_number(statement, 2),
        };
        ++*count;
    }
    return states;
}

static void set_state(struct index *index, const struct audit_entry *entry,
                      enum index_layer layer, const struct known_state *known)
{
    sqlite3_stmt *statement = index_get(index, INDEX_SET_STATE);

    database_bind_text(statement, 1, slice_from(entry->id));
    database_bind_number(statement, 2, layer);
    database_bind_number(statement, 3, known->number);
    database_bind_number(statement, 4, known->state);
    database_bind_number(statement, 5, entry->wall_us);
    database_bind_number(statement, 6, known->attempt);
    database_bind_text(statement, 7, entry->by);
    database_bind_text(statement, 8, entry->text);
    database_bind_text(statement, 9, entry->address);
    index_step(index, statement);
}

/* Gives how many recipients have another state now. */
static size_t apply_to_layer(struct index *index, const struct audit_entry *entry,
                             enum index_layer layer)
{
    size_t count;
    size_t changed = 0;
    struct known_state *states = get_states(index, entry, layer, &count);

    for (size_t i = 0; i < count; i++) {
        if (!copy_state_apply(&states[i].state, &states[i].attempt, entry->event, entry->attempt))
            continue;
        set_state(index, entry, layer, &states[i]);
        changed++;
    }
    mem_free(states);
    return changed;
}

/* What the audit names is there from then on, where no file can say so. */
static void make_named(struct index *index, const struct audit_entry *entry,
                       enum index_layer layer)
{
    add_recipient(index, entry->id, layer, entry->recipient, entry->address, NULL, COPY_HELD, 0);
}

static bool names_recipient(const struct audit_entry *entry)
{
    return entry->recipient != AUDIT_ALL_RECIPIENTS && entry->event >= AUDIT_RELEASE;
}

static size_t apply_to_file(struct index *index, const struct audit_entry *entry,
                            enum presence presence)
{
    if (presence == MAIL_DAMAGED && names_recipient(entry))
        make_named(index, entry, INDEX_FILE);
    return apply_to_layer(index, entry, INDEX_FILE);
}

static void apply(void *owner, const struct audit_entry *entry)
{
    struct index *index = owner;
    enum presence presence;
    size_t changed = 0;
    size_t changed_past;

    if (index->has_failed)
        return;
    presence = find_mail(index, entry->id);
    if (presence == MAIL_UNKNOWN)
        presence = add_file(index, entry->id);
    if (presence == MAIL_UNKNOWN && names_recipient(entry)) {
        add_mail(index, entry->id, false, NULL, time_of(entry->id), 0);
        presence = MAIL_PAST;
    }
    if (names_recipient(entry))
        make_named(index, entry, INDEX_PAST);
    changed_past = apply_to_layer(index, entry, INDEX_PAST);
    if (presence == MAIL_THERE || presence == MAIL_DAMAGED)
        changed = apply_to_file(index, entry, presence);
    else
        changed = changed_past;
    if (changed == 0 && presence != MAIL_UNKNOWN && entry->event != AUDIT_HOLD)
        index->ignored_count++;
}

static void get_progress(struct index *index, uint64_t *offset, uint64_t *mark)
{
    sqlite3_stmt *statement = index_get(index, INDEX_GET_PROGRESS);

    *offset = *mark = 0;
    if (!index_step(index, statement))
        return;
    *offset = database_get_number(statement, 0);
    *mark = database_get_number(statement, 1);
    index_reset(statement);
}

static void set_progress(struct index *index, uint64_t offset)
{
    sqlite3_stmt *statement = index_get(index, INDEX_SET_PROGRESS);
    uint64_t mark = 0;

    if (!audit_mark(index->audit, offset, &mark))
        mark = 0;
    database_bind_number(statement, 1, offset);
    database_bind_number(statement, 2, mark);
    index_step(index, statement);
}

/* Within a transaction. */
static void replay(struct index *index)
{
    uint64_t offset;
    uint64_t mark;
    uint64_t reached;
    size_t bad = 0;

    get_progress(index, &offset, &mark);
    if (index->has_failed)
        return;
    reached = audit_replay(index->audit, offset, UINT64_MAX, apply, index, &bad);
    if (bad > 0)
        log_warning("quarantine-damaged", "%zu lines of the audit are none", bad);
    if (reached != offset)
        set_progress(index, reached);
}

/* ---- Bringing it up to date ---- */

/* Ids of the files that are there; the value is &there, or &unread for one that is read now. */
struct scan {
    struct index *index;
    struct map ids;
    size_t unread_count;
};
static char there;
static char unread;

static void see_file(void *owner, const char *id)
{
    struct scan *scan = owner;
    enum presence presence = find_mail(scan->index, id);

    map_set(&scan->ids, slice_from(id), presence == MAIL_THERE ? &there : &unread);
    if (presence == MAIL_THERE)
        return;
    /* Somebody may have mended it, or the disk may be well again. */
    if (presence == MAIL_DAMAGED)
        forget_file(scan->index, id);
    add_file(scan->index, id);
    scan->unread_count++;
}

/*
 * Files that were known and are gone. They are listed first: a list is not changed while it is
 * read.
 */
static void forget_gone(struct scan *scan)
{
    sqlite3_stmt *statement = index_get(scan->index, INDEX_LIST_IDS);
    struct text gone;
    struct slice rest;
    struct slice id;

    text_init(&gone, TEXT_MAX_LENGTH);
    while (index_step(scan->index, statement)) {
        id = slice_from(database_get_text(statement, 0));
        if (map_find(&scan->ids, id) != NULL)
            continue;
        text_add(&gone, id);
        text_add_byte(&gone, '\0');
    }
    for (rest = text_slice(&gone); slice_next(&rest, '\0', &id);)
        forget_file(scan->index, id.data);
    text_clear(&gone);
}

/* What the audit said, before where it stands, of a file that is read only now. */
static void apply_to_unread(void *owner, const struct audit_entry *entry)
{
    struct scan *scan = owner;
    struct index *index = scan->index;

    if (!index->has_failed && map_find(&scan->ids, slice_from(entry->id)) == &unread)
        apply_to_file(index, entry, find_mail(index, entry->id));
}

static void scan_files(struct index *index)
{
    struct scan scan = { .index = index };
    uint64_t offset;
    uint64_t mark;
    size_t bad = 0;

    map_init(&scan.ids);
    if (!store_each(index->store, see_file, &scan)) {
        log_error("quarantine-index", "the folder of held mail cannot be read");
        index->has_failed = true;
    }
    if (!index->has_failed)
        forget_gone(&scan);
    get_progress(index, &offset, &mark);
    if (scan.unread_count > 0 && !index->has_failed)
        audit_replay(index->audit, 0, offset, apply_to_unread, &scan, &bad);
    map_clear(&scan.ids);
}

/*
 * Is it made of the audit that is there? One that was cut, or put back from elsewhere, is another.
 */
static bool fits_audit(struct index *index)
{
    uint64_t offset;
    uint64_t mark;
    uint64_t found;

    get_progress(index, &offset, &mark);
    return !index->has_failed &&
           (offset == 0 || (audit_mark(index->audit, offset, &found) && found == mark));
}

static bool bring_up_to_date(struct index *index)
{
    if (!begin(index))
        return false;
    scan_files(index);
    replay(index);
    if (!end(index))
        return false;
    index->needs_scan = false;
    return true;
}

static bool open_up_to_date(struct index *index, struct text *problem)
{
    uint64_t mail_count;
    bool is_new;

    index->has_failed = false;
    if (!index_tables_open(index, &is_new, problem))
        return false;
    if (!is_new && !fits_audit(index)) {
        index_tables_close(index);
        index_tables_remove(index);
        if (!index_tables_open(index, &is_new, problem))
            return false;
    }
    if (bring_up_to_date(index)) {
        /* Of an empty quarantine there is nothing to tell. */
        mail_count = is_new ? index_get_totals(index).mail_count : 0;
        if (mail_count > 0)
            log_notice("quarantine-index", "the index was made anew, of %" PRIu64 " held mails",
                       mail_count);
        return true;
    }
    text_add_string(problem, "the index of held mail cannot be brought up to date");
    index_tables_close(index);
    return false;
}

/* ---- Life ---- */

struct index *index_open(struct store *store, struct audit *audit, struct text *problem)
{
    struct index *index = mem_new(sizeof *index);

    index->store = store;
    index->audit = audit;
    /* The second time without what was there: damage may show only when a page is read. */
    if (!open_up_to_date(index, problem)) {
        text_reset(problem);
        index_tables_remove(index);
        if (!open_up_to_date(index, problem))
            index_close(&index);
    }
    return index;
}

void index_close(struct index **handle)
{
    struct index *index = *handle;

    *handle = NULL;
    if (index == NULL)
        return;
    index_tables_close(index);
    mem_free(index);
}

bool index_is_ready(struct index *index)
{
    struct text problem;

    if (index->database != NULL && !index->needs_scan)
        return true;
    if (clock_monotonic_us() < index->retry_us)
        return false;
    index->retry_us = clock_monotonic_us() + RETRY_US;
    if (index->database != NULL) {
        if (bring_up_to_date(index))
            return true;
        index_give_up(index);
        return false;
    }
    text_init(&problem, 500);
    if (!open_up_to_date(index, &problem))
        log_error("quarantine-index", "%s", text_string(&problem));
    text_clear(&problem);
    return index->database != NULL;
}

/*
 * A full disk, or another keeper that was busy for long, is no reason to make all anew. What SQLite
 * calls damaged is; anything else may be well again when the database is opened another time.
 */
void index_give_up(struct index *index)
{
    int code = index->failure & 0xff;

    index->needs_scan = true;
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_FULL)
        return;
    index_tables_close(index);
    if (database_is_damage(code))
        index_tables_remove(index);
    index->retry_us = 0;
}

void index_add(struct index *index, const struct copy *copy, bool is_answered,
               uint64_t file_bytes)
{
    if (!index_is_ready(index))
        return;
    if (begin(index)) {
        enum presence presence = find_mail(index, copy->id);

        if (presence == MAIL_UNKNOWN || presence == MAIL_PAST)
            add_copy(index, copy, is_answered, file_bytes);
    }
    if (!end(index))
        index_give_up(index);
}

void index_remove(struct index *index, const char *id)
{
    if (!index_is_ready(index))
        return;
    if (begin(index) && find_mail(index, id) != MAIL_UNKNOWN)
        forget_file(index, id);
    if (!end(index))
        index_give_up(index);
}

void index_catch_up(struct index *index)
{
    if (!index_is_ready(index))
        return;
    if (begin(index))
        replay(index);
    if (!end(index))
        index_give_up(index);
}
