/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is held, for looking it up: an SQLite database made of the files and the
 * audit, and of nothing else. It may be deleted at any time; what is damaged, or
 * of another version, is made anew.
 */
#ifndef POSTERN_QUARANTINE_INDEX_H
#define POSTERN_QUARANTINE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quarantine/audit.h"
#include "quarantine/copy_state.h"
#include "quarantine/store.h"

struct index;

/*
 * Opens or makes the database, and brings it up to date: files that it does not know are read,
 * files that are gone are forgotten, and the audit is replayed from where it stood. NULL and a
 * sentence when no database can be made. Store and audit are kept until index_close.
 *
 * What is shown follows from files and audit alone, and is the same whether it was made at once or
 * step by step. A file that is damaged is logged ("quarantine-damaged"), shown with what is known
 * of it (one recipient without address, until the audit names others), and read again at each
 * opening. Of a mail whose file is gone the recipients that were released, deleted or expired are
 * kept, with what the audit says of them; `held_us` is then the time in its id.
 *
 * A database that fails later is logged ("quarantine-index") and made anew at the next call, or
 * shows nothing until that is possible.
 */
struct index *index_open(struct store *store, struct audit *audit, struct text *problem)
    __attribute__((warn_unused_result));
void index_close(struct index **index);

/*
 * A copy was stored (`is_answered` as in store.h: an unanswered one is pending, whatever it says
 * itself); or the file of one was removed. Both may be said twice. What the audit says
 * of a mail that is not known yet has its file read, so index_add before index_catch_up saves
 * that.
 */
void index_add(struct index *index, const struct copy *copy, bool is_answered,
               uint64_t file_bytes);
void index_remove(struct index *index, const char *id);
/* Applies what was appended to the audit since the last call, by this process or another. */
void index_catch_up(struct index *index);

struct index_recipient {
    uint32_t number;          /* in the copy */
    const char *address;
    const char *reason;
    enum copy_state state;
    uint64_t changed_us;      /* when it came into that state */
    uint64_t attempt;         /* the last release; 0 for none */
    const char *by;           /* who brought it there; "" for ourselves */
    const char *text;         /* what was said then; "" for nothing */
};

/* Strings are borrowed for the call; "" for what is not known. */
struct index_mail {
    const char *id;
    uint64_t held_us;
    uint64_t file_bytes;      /* 0 once the file is gone */
    uint64_t owner;           /* of the copy */
    const char *claim;
    const char *sender;       /* "<>" for the null sender */
    const char *client;       /* "192.0.2.1:4242" */
    const char *helo;
    const char *listener;
    const char *domain;
    const char *policy;
    const char *backend;
    const char *message_id;
    const char *header_from;
    const char *subject;
    bool is_damaged;
    const struct index_recipient *recipients;
    size_t recipient_count;
};

/*
 * Zero or NULL: any. All that is given must fit; `states`, `recipient` and `reason` one and the
 * same recipient. Text is compared without regard to case, of ASCII.
 */
struct index_filter {
    const char *id;
    unsigned int states;      /* bits 1 << state; 0: any but released, deleted, expired and
                                 erased */
    const char *sender;       /* address, "<>", or "@domain" */
    const char *recipient;    /* likewise */
    const char *client;       /* IP address or network; what is none fits nobody */
    const char *reason;       /* reason id, or its beginning behind which stands "*" */
    const char *text;         /* in the subject or header From */
    uint64_t since_us;        /* held_us at least */
    uint64_t before_us;       /* held_us below */
    uint64_t after_held_us;   /* for going on behind a mail: its held_us and id */
    const char *after_id;
    size_t limit;             /* 0: no limit */
};

/* Oldest first, then by id. `each` returns false to stop; it may not change the index. */
void index_each(struct index *index, const struct index_filter *filter,
                bool (*each)(void *owner, const struct index_mail *mail), void *owner);

struct index_totals {
    bool is_known;            /* false: the index cannot be read now, and all else is 0 */
    uint64_t mail_count;      /* whose file is there */
    uint64_t file_bytes;
    uint64_t oldest_us;       /* held_us; 0 for none */
    uint64_t ignored_count;   /* entries of the audit that no state allowed, since index_open */
};
/* Of what is there now. */
struct index_totals index_get_totals(struct index *index);

#endif
