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
#include "quarantine/store.h"

enum copy_state {
    COPY_PENDING,   /* the backend's word on the others is awaited */
    COPY_HELD,
    COPY_RELEASING, /* an attempt is under way */
    COPY_UNCERTAIN, /* it may be at the backend already */
    COPY_RELEASED,
    COPY_DELETED,
    COPY_EXPIRED,
    COPY_ERASED,    /* was never accepted from the client */
};
#define COPY_STATE_COUNT 8
/* "pending", ... */
const char *copy_state_name(enum copy_state state);

struct index;

/*
 * Opens or makes the database, and brings it up to date: files that it does not know are read,
 * files that are gone are forgotten (their released and deleted recipients are kept as history),
 * the audit is replayed from where it stood. NULL and a sentence when no database can be made. A
 * file that is damaged is logged ("quarantine-damaged") and shown with what is known of it.
 */
struct index *index_open(struct store *store, struct audit *audit, struct text *problem)
    __attribute__((warn_unused_result));
void index_close(struct index **index);

/* A copy was stored. */
void index_add(struct index *index, const struct copy *copy, uint64_t file_bytes);
/* Applies what was appended to the audit since the last call, by this process or another. */
void index_catch_up(struct index *index);

struct index_recipient {
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
    const char *sender;
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

/* Zero or NULL: any. All that is given must fit; text is compared without regard to case. */
struct index_filter {
    const char *id;
    unsigned int states;      /* bits 1 << enum copy_state; 0: any but released, deleted, expired and
                                 erased. Some recipient must be in one of them */
    const char *sender;       /* address, or "@domain" */
    const char *recipient;    /* likewise */
    const char *client;       /* IP address or network */
    const char *reason;       /* reason id, or its beginning behind which stands "*" */
    const char *text;         /* in the subject or header From */
    uint64_t since_us;        /* held_us at least */
    uint64_t before_us;       /* held_us below */
    uint64_t after_held_us;   /* for going on behind a mail: its held_us and id */
    const char *after_id;
    size_t limit;             /* 0: no limit */
};

/* Oldest first. `each` returns false to stop; it may not change the index. */
void index_each(struct index *index, const struct index_filter *filter,
                bool (*each)(void *owner, const struct index_mail *mail), void *owner);

struct index_totals {
    uint64_t mail_count;      /* whose file is there */
    uint64_t file_bytes;
    uint64_t oldest_us;       /* held_us; 0 for none */
};
struct index_totals index_get_totals(struct index *index);

#endif
