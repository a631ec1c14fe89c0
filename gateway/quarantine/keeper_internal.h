/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper from the inside: keeper.c has the workers, storing.c their copies,
 * attempts.c the releases, desk.c what owners want, upkeep.c what needs doing
 * without anybody asking, and lives.c who lives.
 */
#ifndef POSTERN_QUARANTINE_KEEPER_INTERNAL_H
#define POSTERN_QUARANTINE_KEEPER_INTERNAL_H

#include "base/list.h"
#include "quarantine/audit.h"
#include "quarantine/exchange.h"
#include "quarantine/index.h"
#include "quarantine/keeper.h"
#include "quarantine/request.h"
#include "quarantine/store.h"

/* A worker as the keeper sees it. */
struct keeper_worker {
    struct keeper *keeper;
    struct list_link entry;     /* in keeper->workers */
    int channel;                /* owned */
    struct loop_watch *watch;
    struct loop_watch *writable; /* NULL unless answers wait */
    struct list_link answers;   /* that did not go through yet; meanwhile it is not read */
    uint64_t joined_us;         /* monotonic */
    uint64_t owner;             /* its number: names the file in alive/ that it keeps open */
    bool is_leaving;            /* it wants no releases */
};

/* A copy that waits for its group. */
struct keeper_item {
    struct keeper_worker *worker;
    struct exchange_claim claim;
    int sheet_fd;               /* owned */
    uint64_t sheet_bytes;       /* when it came; what was added since is not looked at */
    int content_fd;             /* owned */
    bool has_content;           /* it is a regular file */
    uint64_t content_bytes;     /* of it, when it came */
    struct copy copy;           /* owned; once it was read */
    uint64_t file_bytes;
    struct store_draft *draft;  /* NULL when there is none */
    enum store_result result;
    bool was_unanswered;        /* it was there before, and no worker had been told of it */
    bool is_answered;           /* its file says that a worker is being told of it */
};
/*
 * Copies that go to the disk together; bytes of their sheets, all of which are in memory; and of
 * their content, since nobody is answered before all of it is written.
 */
#define KEEPER_GROUP_COUNT 64
#define KEEPER_GROUP_SHEET_BYTES (8u << 20)
#define KEEPER_GROUP_CONTENT_BYTES (64u << 20)

/* A file is needed while a recipient is in one of these. */
#define KEEPER_OPEN_STATES \
    (1u << COPY_PENDING | 1u << COPY_HELD | 1u << COPY_RELEASING | 1u << COPY_UNCERTAIN)
#define KEEPER_ALL_STATES ((1u << COPY_STATE_COUNT) - 1)

struct keeper {
    struct loop *loop;
    struct keeper_settings settings;
    struct store *store;
    struct audit *audit;
    struct index *index;
    uint64_t file_bytes;        /* of all copies */
    bool is_leaving;            /* drains: another keeper has the folder's upkeep */
    uint64_t life_number;       /* names its file in alive/ */
    int life_fd;                /* owned, and locked; -1 when there was none to be had */
    bool awaits_others;         /* to drain: their releases are not to be taken for lost */
    /* Workers and their copies. */
    struct list_link workers;
    uint64_t last_owner;
    struct keeper_item *items;  /* owned array: the group that gathers */
    size_t item_count;
    uint64_t sheet_bytes;       /* of the group */
    uint64_t content_bytes;     /* likewise */
    struct loop_task group_task;
    bool has_reserve;           /* room on the disk is kept for audit and index */
    bool was_full;              /* the last copy found no room, and that was logged */
    /* Releases. */
    struct list_link attempts;
    struct list_link waiters;   /* for their ends */
    struct keeper_worker *last_worker; /* that got one; the next gets the next; NULL for none */
    /* Owners. */
    struct desk *desk;          /* owned */
    struct loop_timer sweep_timer;
    struct loop_task expire_task; /* the next turn's part of what is too old */
    size_t expired_count;       /* since that was last logged */
};

/* ---- keeper.c */

/*
 * STORED or ENDED, now or when the worker reads. Until all has gone through nothing more is taken
 * from it, so what waits is no more than the answers to a group and to one turn's messages.
 */
void keeper_answer(struct keeper_worker *worker, enum exchange_type type, const void *body,
                   size_t length);

/* ---- storing.c */

/* A STORE: into the group that gathers. */
void keeper_on_store(struct keeper_worker *worker, struct exchange *message);
/* Stores the group at once, and answers; `owner` is the keeper. */
void keeper_write_group(void *owner);
/* Nobody waits for its answers any more. */
void keeper_forget_group(struct keeper *keeper);

/* ---- upkeep.c */

/* Appends entries, or the keeper ends: without an audit it may do nothing. */
void keeper_note(struct keeper *keeper, const struct audit_entry *entries, size_t count,
                 bool is_synced);
/* One entry about all recipients of a mail, not synced. */
void keeper_note_all(struct keeper *keeper, enum audit_event event, const char *id);
/* At the start: what the keeper before left half-way. Releases wait until no other keeper lives. */
void keeper_mend(struct keeper *keeper);
/* From time to time; and a part of its work, which others find their turn between. */
void keeper_on_sweep(void *owner);
void keeper_expire_some(void *owner);
/* Takes a copy away. */
void keeper_remove_file(struct keeper *keeper, const char *id, uint64_t file_bytes);
/* How much is held, by the index: another keeper may have stored or removed some. */
void keeper_count_bytes(struct keeper *keeper);
/* Marks what the dead have left pending or releasing. */
void keeper_sweep(struct keeper *keeper);
/* Removes the file of a mail when none of its recipients needs it any more. */
void keeper_remove_done(struct keeper *keeper, const char *id);
/* For dropping a mail, or one recipient of it. */
struct keeper_drop {
    const char *id;
    const char *recipient;   /* one address; NULL: all */
    enum audit_event event;  /* DELETE or EXPIRE */
    const char *by;
    /* NULL, or told of each that is meant: deleted, or why not, by the state that it stays in. */
    void (*on_recipient)(void *owner, const char *id, const char *address, enum copy_state state);
    void *owner;
};
/* Drops what is held or uncertain. False when there is no such mail, or no such recipient of it. */
bool keeper_drop(struct keeper *keeper, const struct keeper_drop *drop);
/* Deletes some of what is older than max-age; returns how many mails, 0 when no more are. */
size_t keeper_expire(struct keeper *keeper);

/* ---- lives.c */

/* A new number for a worker, and its file with a lock on it; -1 when there is none to be had. */
int keeper_make_life(struct keeper *keeper, uint64_t *owner);
/* Removes the file of a dead one. */
bool keeper_is_alive(const struct keeper *keeper, uint64_t owner);
/* At the start, before looking for other keepers: the keeper's own file, kept open. */
void keeper_show_life(struct keeper *keeper);
/* Removes the files of all that are dead. True while another keeper lives. */
bool keeper_sweep_lives(const struct keeper *keeper);

/* ---- attempts.c */

/* What becomes of one recipient, for who asked; `state` is where it stands now. */
struct attempt_events {
    void (*on_recipient)(void *owner, const char *id, const char *address, enum copy_state state,
                         const char *words);
    /* All of this mail's recipients have been told. */
    void (*on_end)(void *owner);
};
struct attempt_wish {
    const char *id;
    const char *recipient;   /* one address; NULL: all */
    bool is_again;           /* also those that are uncertain */
    const char *by;
};
/*
 * Starts a release, or joins one that is under way. on_recipient may come at once for those where
 * nothing is to be done; on_end comes from the loop.
 */
void attempts_start(struct keeper *keeper, const struct attempt_wish *wish,
                    const struct attempt_events *events, void *owner);
/* Nobody listens there any more; what is under way goes on. */
void attempts_forget(struct keeper *keeper, void *owner);
/* Is it under way, by this keeper? */
bool attempts_has(const struct keeper *keeper, uint64_t attempt);
void attempts_on_outcome(struct keeper *keeper, const struct keeper_worker *worker,
                         const struct exchange *message);
void attempts_on_released(struct keeper *keeper, const struct keeper_worker *worker,
                          uint64_t attempt);
/* What it had not told of is uncertain. */
void attempts_on_worker_gone(struct keeper *keeper, const struct keeper_worker *worker);
void attempts_clear(struct keeper *keeper);

/* ---- desk.c */

/* Listens in the folder; NULL and a sentence when that cannot be done. */
struct desk *desk_new(struct keeper *keeper, struct text *problem);
/* Ends its sessions. */
void desk_free(struct desk **desk);

#endif
