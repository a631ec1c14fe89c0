/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DKIM on libopendkim; see dkim.h. What an attacker could try:
 *
 * - Fields and keys that two readers see differently. Ours are strict and come first: a field that
 *   they refuse is never shown to the library, and of a key it gets a record that we wrote.
 * - Work: many signatures, long lists of names, l= that differ (each makes the library hash the
 *   body once more), huge keys. All of it has a ceiling before the library begins.
 * - A list of names longer than the message has fields: the library's array of the fields found has
 *   room for those of the message, and it writes one more when all were found and names are left
 *   (dkim_canon_selecthdrs). So it is given one field more than the message has, which no list can
 *   name.
 * - From twice, or a body longer than l=: the library passes both. They are findings here.
 *
 * Times are held against our own clock: the library's is told to let nearly everything through.
 */
#include "checks/dkim.h"

#include <opendkim/dkim.h>

#include <assert.h>
#include <stdio.h>

#include "base/memory.h"
#include "checks/body_length.h"
#include "checks/body_reader.h"
#include "checks/dkim_entries.h"

/* What the library takes: for itself, for each signature, and for each field. */
#define LIBRARY_BYTES 8192
#define LIBRARY_SIGNATURE_BYTES 12288
#define LIBRARY_FIELD_BYTES 128

/* So wrong may a time be before the library minds; it goes wrong itself below so many seconds. */
#define LIBRARY_DRIFT_S 1200000000

enum state {
    STATE_HEADER,    /* the header section is not over */
    STATE_BODY,      /* the signatures are known, body may come */
    STATE_ENDED,     /* all has come */
    STATE_CONCLUDED, /* the finding was given */
};

struct dkim_check {
    /* Lent. */
    struct dkim_library *library;
    const struct dkim_settings *settings;
    uint64_t now_s;
    /* State. */
    enum state state;
    struct body_reader reader;
    struct dkim_entries signatures;
    struct body_length length; /* counted when one of them has l= */
    DKIM *dkim;                /* owned; NULL when there is nothing to verify */
};

struct dkim_library {
    DKIM_LIB *handle;
};

/* The library takes what it only reads as if it could change it. */
static u_char *unconst(const char *bytes)
{
    return (u_char *)(uintptr_t)bytes;
}

/* ---- the library ---- */

static struct dkim_entry *find_entry(const struct dkim_check *check, const DKIM_SIGINFO *info)
{
    for (size_t i = 0; i < check->signatures.count; i++)
        if (check->signatures.entries[i].info == info)
            return &check->signatures.entries[i];
    return NULL;
}

static DKIM_CBSTAT on_key_wanted(DKIM *dkim, DKIM_SIGINFO *info, u_char *out, size_t size)
{
    const struct dkim_entry *entry = find_entry(dkim_get_user_context(dkim), info);
    int length;

    if (entry == NULL || entry->record.key == NULL)
        return DKIM_CBSTAT_NOTFOUND;
    length = snprintf((char *)out, size, "v=DKIM1; k=%s; p=%s",
                      entry->record.is_ed25519 ? "ed25519" : "rsa", entry->record.key);
    return length > 0 && (size_t)length < size ? DKIM_CBSTAT_CONTINUE : DKIM_CBSTAT_NOTFOUND;
}

/* All signatures are processed, not only up to the first that passes. */
static DKIM_CBSTAT on_final(DKIM *dkim, DKIM_SIGINFO **infos, int count)
{
    for (int i = 0; i < count; i++)
        if (dkim_sig_process(dkim, infos[i]) != DKIM_STAT_OK)
            dkim_sig_ignore(infos[i]);
    return DKIM_CBSTAT_CONTINUE;
}

struct dkim_library *dkim_library_new(void)
{
    unsigned int flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
    uint64_t drift = LIBRARY_DRIFT_S;
    DKIM_LIB *handle = dkim_init(NULL, NULL);
    struct dkim_library *library;

    if (handle == NULL)
        return NULL;
    if (dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags) !=
            DKIM_STAT_OK ||
        dkim_options(handle, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift, sizeof drift) !=
            DKIM_STAT_OK ||
        !dkim_libfeature(handle, DKIM_FEATURE_SHA256) ||
        !dkim_libfeature(handle, DKIM_FEATURE_ED25519)) {
        dkim_close(handle);
        return NULL;
    }
    dkim_set_key_lookup(handle, on_key_wanted);
    dkim_set_final(handle, on_final);
    library = mem_new(sizeof *library);
    library->handle = handle;
    return library;
}

void dkim_library_free(struct dkim_library **library)
{
    if (*library == NULL)
        return;
    dkim_close((*library)->handle);
    mem_free(*library);
    *library = NULL;
}

/* ---- the check ---- */

struct dkim_check *dkim_check_new(struct dkim_library *library,
                                  const struct dkim_settings *settings, uint64_t now_s)
{
    struct dkim_check *check = mem_new(sizeof *check);

    check->library = library;
    check->settings = settings;
    check->now_s = now_s;
    return check;
}

void dkim_check_free(struct dkim_check **handle)
{
    struct dkim_check *check = *handle;

    if (check == NULL)
        return;
    dkim_entries_clear(&check->signatures);
    if (check->dkim != NULL)
        dkim_free(check->dkim);
    mem_free(check);
    *handle = NULL;
}

uint64_t dkim_check_bytes(const struct dkim_settings *settings, const struct message *message)
{
    size_t signatures = 0;

    for (size_t i = 0; i < message->header.field_count; i++)
        if (dkim_entries_is_signature(message, &message->header.fields[i]))
            signatures++;
    if (signatures == 0)
        return 0;
    if (signatures > settings->max_signatures)
        signatures = settings->max_signatures;
    return LIBRARY_BYTES + signatures * LIBRARY_SIGNATURE_BYTES +
           message->header.field_count * LIBRARY_FIELD_BYTES + 2 * message->header.length;
}

bool dkim_check_is_header_taken(const struct dkim_check *check)
{
    return check->state != STATE_HEADER;
}

/* ---- the header section ---- */

/* The name has a space inside, which no list of names can have: see above. */
static bool show_unsigned_field(DKIM *dkim)
{
    static const char field[] = "not signed:";

    return dkim_header(dkim, unconst(field), sizeof field - 1) == DKIM_STAT_OK;
}

/* The signatures that are alive, all fields that are none, and then that one. */
static bool show_fields(const struct dkim_check *check, const struct message *message)
{
    const struct dkim_entries *signatures = &check->signatures;
    size_t next = 0;

    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];
        struct slice bytes = dkim_entries_field(message, field);

        if (dkim_entries_is_signature(message, field)) {
            size_t index = next++;

            if (index >= signatures->count || !dkim_entry_is_alive(&signatures->entries[index]))
                continue;
        }
        if (dkim_header(check->dkim, unconst(bytes.data), bytes.length) != DKIM_STAT_OK)
            return false;
    }
    return show_unsigned_field(check->dkim);
}

/* The library has its signatures in the order in which it was shown them. */
static bool join_entries(struct dkim_check *check)
{
    DKIM_SIGINFO **infos;
    int count;
    int next = 0;

    if (dkim_getsiglist(check->dkim, &infos, &count) != DKIM_STAT_OK ||
        (size_t)count != dkim_entries_count_alive(&check->signatures))
        return false;
    for (size_t i = 0; i < check->signatures.count; i++)
        if (dkim_entry_is_alive(&check->signatures.entries[i]))
            check->signatures.entries[i].info = infos[next++];
    return true;
}

static void start_library(struct dkim_check *check, const struct message *message)
{
    DKIM_STAT status;

    if (dkim_entries_count_alive(&check->signatures) == 0)
        return;
    check->dkim = dkim_verify(check->library->handle, unconst("postern"), NULL, &status);
    if (check->dkim == NULL) {
        dkim_entries_refuse_all(&check->signatures, DKIM_REASON_INTERNAL);
        return;
    }
    dkim_set_user_context(check->dkim, check);
    if (!show_fields(check, message) || dkim_eoh(check->dkim) != DKIM_STAT_OK ||
        !join_entries(check))
        dkim_entries_refuse_all(&check->signatures, DKIM_REASON_HEADER);
}

static void take_header(struct dkim_check *check, const struct message *message)
{
    check->state = STATE_BODY;
    dkim_entries_read(&check->signatures, message, check->settings, check->now_s);
    start_library(check, message);
}

/* ---- the body ---- */

static void take_body(struct dkim_check *check, struct slice bytes)
{
    if (bytes.length == 0 || dkim_entries_count_alive(&check->signatures) == 0)
        return;
    if (check->signatures.has_length_limit)
        body_length_add(&check->length, bytes);
    if (dkim_body(check->dkim, unconst(bytes.data), bytes.length) != DKIM_STAT_OK)
        dkim_entries_refuse_all(&check->signatures, DKIM_REASON_INTERNAL);
}

void dkim_check_take(struct dkim_check *check, const struct message *message, struct slice piece)
{
    struct slice runs[2];

    assert(check->state <= STATE_BODY && message->problem == MESSAGE_OK);
    body_reader_take(&check->reader, message, piece, runs);
    if (check->state == STATE_HEADER && check->reader.is_header_over)
        take_header(check, message);
    take_body(check, runs[0]);
    take_body(check, runs[1]);
}

void dkim_check_end(struct dkim_check *check, const struct message *message)
{
    assert(check->state <= STATE_BODY);
    if (check->state == STATE_HEADER)
        take_header(check, message);
    take_body(check, body_reader_end(&check->reader));
    check->state = STATE_ENDED;
}

/* ---- the end ---- */

static enum dkim_reason reason_of_library(DKIM_SIGINFO *info)
{
    unsigned int flags = dkim_sig_getflags(info);
    int error = dkim_sig_geterror(info);

    if ((flags & DKIM_SIGFLAG_IGNORE) != 0)
        return DKIM_REASON_INTERNAL;
    if ((flags & DKIM_SIGFLAG_PASSED) != 0 && dkim_sig_getbh(info) == DKIM_SIGBH_MATCH &&
        error == DKIM_SIGERROR_OK)
        return DKIM_REASON_NONE;
    switch (error) {
    case DKIM_SIGERROR_BADSIG:
        return (flags & DKIM_SIGFLAG_PASSED) != 0 ? DKIM_REASON_BODY : DKIM_REASON_MISMATCH;
    case DKIM_SIGERROR_TOOLARGE_L:
        return DKIM_REASON_BODY_SHORT;
    case DKIM_SIGERROR_KEYDECODE:
    case DKIM_SIGERROR_NOKEY:
        return DKIM_REASON_KEY_UNREADABLE;
    default:
        return DKIM_REASON_UNREADABLE;
    }
}

static void run_library(struct dkim_check *check)
{
    struct dkim_entries *signatures = &check->signatures;

    if (dkim_entries_count_alive(signatures) == 0)
        return;
    for (size_t i = 0; i < signatures->count; i++) {
        struct dkim_entry *entry = &signatures->entries[i];

        if (entry->info != NULL && !dkim_entry_is_alive(entry))
            dkim_sig_ignore(entry->info);
    }
    (void)dkim_eom(check->dkim, NULL);
    for (size_t i = 0; i < signatures->count; i++) {
        struct dkim_entry *entry = &signatures->entries[i];

        if (!dkim_entry_is_alive(entry))
            continue;
        dkim_entry_judge_length(entry, check->settings, &check->length);
        entry->claim.reason = reason_of_library(entry->info);
        if (dkim_entry_is_alive(entry))
            entry->claim.reason = entry->shadow;
    }
}

/* ---- what others call ---- */

bool dkim_check_want_keys(const struct dkim_check *check, struct dns_answers *answers)
{
    return dkim_entries_want_keys(&check->signatures, answers);
}

bool dkim_check_conclude(struct dkim_check *check, struct dns_answers *answers,
                         struct dkim_finding *finding)
{
    assert(check->state == STATE_ENDED);
    if (!dkim_check_want_keys(check, answers))
        return false;
    check->state = STATE_CONCLUDED;
    dkim_entries_read_keys(&check->signatures, check->settings, answers);
    run_library(check);
    dkim_entries_take_finding(&check->signatures, finding);
    return true;
}
