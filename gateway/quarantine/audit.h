/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit: an append-only file with a line for everything that was done to
 * held mail, by whom, and what came of it. Beside the files of the copies it is
 * the truth: the index is made from both. Lines are logfmt with a checksum; one
 * that was torn by a crash is passed over, and told of.
 */
#ifndef POSTERN_QUARANTINE_AUDIT_H
#define POSTERN_QUARANTINE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "quarantine/copy.h"

enum audit_event {
    AUDIT_HOLD,     /* a copy was stored, pending or not */
    AUDIT_COMMIT,   /* the backend took the mail for the others: pending -> held */
    AUDIT_ERASE,    /* it refused: the copy is gone, and so is this mail */
    AUDIT_ORPHAN,   /* its worker died before it could say which: pending -> uncertain */
    AUDIT_RELEASE,  /* synced before the attempt: held, or uncertain with --again -> releasing */
    AUDIT_RELEASED, /* the backend's 250 -> released */
    AUDIT_REFUSED,  /* the backend, or nobody, took it -> held again */
    AUDIT_LOST,     /* no answer to the dot, or we died in between: releasing -> uncertain */
    AUDIT_DELETE,   /* by an owner */
    AUDIT_EXPIRE,   /* by age */
};
#define AUDIT_EVENT_COUNT 10
const char *audit_event_name(enum audit_event event);

#define AUDIT_ALL_RECIPIENTS UINT32_MAX
#define AUDIT_TEXT_BYTES 400   /* longer words are cut */

struct audit_entry {
    uint64_t wall_us;
    enum audit_event event;
    char id[COPY_ID_MAX_BYTES + 1];
    uint32_t recipient;        /* its number in the copy, or AUDIT_ALL_RECIPIENTS */
    uint64_t attempt;          /* of a release: names intent and outcome; 0 for none */
    struct slice address;      /* of that recipient; for people only. "" for none */
    struct slice by;           /* "root", "uid 1000", "age"; "" for ourselves */
    struct slice text;         /* backend and its answer, in words; "" for none */
};

/* Appends one line with its newline. */
void audit_print(struct text *out, const struct audit_entry *entry);
/* One line without its newline, checksum and all. The strings are put into `words`. */
bool audit_parse(struct audit_entry *entry, struct slice line, struct text *words)
    __attribute__((warn_unused_result));

struct audit;

/* `folder_fd` is lent for the call. NULL and a sentence when the file cannot be opened. */
struct audit *audit_open(int folder_fd, struct text *problem) __attribute__((warn_unused_result));
void audit_close(struct audit **audit);
/*
 * Appends all entries in one write, and with `is_synced` waits for the disk. A last line that was
 * torn is ended first. False and a sentence: then nothing of it may be relied on.
 */
bool audit_append(struct audit *audit, const struct audit_entry *entries, size_t count,
                  bool is_synced, struct text *problem) __attribute__((warn_unused_result));
/*
 * Reads entries from the byte `offset` on, to the end of the last whole line, and returns where
 * that is. Lines that are none are counted in `*bad`.
 */
uint64_t audit_replay(const struct audit *audit, uint64_t offset,
                      void (*each)(void *owner, const struct audit_entry *entry), void *owner,
                      size_t *bad);

#endif
