/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What workers and keeper say to each other. Each worker has a channel of its
 * own to the keeper (net/packet.h). The keeper believes nothing that comes by it
 * but who sent it: sizes, ids and texts are checked, and a copy can be committed
 * or erased only with the claim that it was stored with.
 *
 *   worker   STORE ->                          keeper: file and folder synced
 *            <- STORED
 *            COMMIT or ERASE ->                (a pending copy)
 *            <- ENDED
 *
 *   keeper   RELEASE ->                        worker: hands it to the backend
 *            <- OUTCOME, for each recipient
 *            <- RELEASED
 *
 * STORE, COMMIT and ERASE may be said again, to the same keeper or a new one.
 */
#ifndef POSTERN_QUARANTINE_EXCHANGE_H
#define POSTERN_QUARANTINE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "net/packet.h"
#include "quarantine/copy.h"
#include "quarantine/store.h"

#define EXCHANGE_MAX_BYTES 1024
/* A worker's secret, in hexadecimal digits. */
#define EXCHANGE_SECRET_BYTES 32

enum exchange_type {
    EXCHANGE_STORE,    /* struct exchange_claim; a sheet, and the file with the content */
    EXCHANGE_COMMIT,   /* struct exchange_claim */
    EXCHANGE_ERASE,    /* struct exchange_claim */
    EXCHANGE_OUTCOME,  /* struct exchange_outcome and the backend's words */
    EXCHANGE_RELEASED, /* struct exchange_attempt: every outcome has been told */
    EXCHANGE_LEAVING,  /* nothing: the worker drains, and wants no RELEASE any more */
    EXCHANGE_WELCOME,  /* nothing; a file that the worker keeps open as long as it lives */
    EXCHANGE_STORED,   /* struct exchange_stored */
    EXCHANGE_ENDED,    /* struct exchange_claim */
    EXCHANGE_RELEASE,  /* struct exchange_attempt; the copy's file, and the copy as a text */
    EXCHANGE_TYPE_COUNT
};

/* Which copy, and by what right: the secret whose digest is the copy's claim. NUL-terminated. */
struct exchange_claim {
    char id[COPY_ID_MAX_BYTES + 1];
    char secret[EXCHANGE_SECRET_BYTES + 1];
};

struct exchange_stored {
    char id[COPY_ID_MAX_BYTES + 1];
    uint32_t result;        /* enum store_result */
};

struct exchange_attempt {
    uint64_t attempt;
    uint64_t content_bytes; /* at the start of the file; only of RELEASE */
};

/* What became of one recipient of a release. */
enum exchange_fate {
    EXCHANGE_DELIVERED, /* the backend's 2xx */
    EXCHANGE_REFUSED,   /* it, or nobody, took it: the backend has nothing */
    EXCHANGE_LOST,      /* the dot went out, and no answer came */
};

struct exchange_outcome {
    uint64_t attempt;
    uint32_t recipient;     /* its number in the RELEASE */
    uint32_t fate;          /* enum exchange_fate */
};

/* A received message of a known shape. */
struct exchange {
    struct packet packet;
    union {
        char bytes[EXCHANGE_MAX_BYTES];
        struct exchange_claim claim;
        struct exchange_stored stored;
        struct exchange_attempt attempt;
        struct exchange_outcome outcome;
    } body;
};

/* As of net/packet.h. Words behind the struct are cut where they do not fit. */
enum packet_result exchange_send(int channel, enum exchange_type type, const void *body,
                                 size_t body_bytes, struct slice words, const int *fds,
                                 size_t fd_count) __attribute__((warn_unused_result));
/* PACKET_BROKEN also for a message that has not the shape of its type. */
enum packet_result exchange_receive(int channel, struct exchange *message)
    __attribute__((warn_unused_result));
static inline enum exchange_type exchange_type(const struct exchange *message)
{
    return (enum exchange_type)message->packet.type;
}
/* Behind the struct of an OUTCOME; borrowed. */
struct slice exchange_words(const struct exchange *message);
/* Both strings are ended and of the form that copies have. */
bool exchange_claim_is_valid(const struct exchange_claim *claim);
/* The claim of copies that are stored with this secret. */
void exchange_digest_secret(const char *secret, char digest[COPY_CLAIM_BYTES + 1]);
/* Is it the secret of a copy with this claim? "" is nobody's. */
bool exchange_claim_fits(const struct exchange_claim *claim, const char *copy_claim);

/*
 * A sheet: a file in memory that goes along with a STORE. It holds the copy as text, bytes that are
 * not in the file with the content, and the pieces that the content is put together from.
 */
struct exchange_sheet {
    struct text bytes;          /* owned: all of it */
    struct slice copy;          /* borrowed from there */
    struct store_piece *pieces; /* owned; those of memory point there */
    size_t piece_count;
};
#define EXCHANGE_MAX_PIECES 200000
/* Of the copy in it: the keeper adds a line, which must find room in COPY_MAX_BYTES. */
#define EXCHANGE_MAX_COPY_BYTES (COPY_MAX_BYTES - 4096)
/* Of all of it: there is room for what may be added to a message as well. */
#define EXCHANGE_MAX_SHEET_BYTES (64u << 20)
/*
 * Makes the file. -1 with errno when there is no memory for it, or, with EFBIG, when it would be
 * larger than these.
 */
int exchange_make_sheet(struct slice copy, const struct store_piece *pieces, size_t piece_count);
/*
 * Reads one of at most `max_bytes`; what does not add up is false. `sheet` is cleared by the caller
 * in every case.
 */
bool exchange_read_sheet(int fd, size_t max_bytes, struct exchange_sheet *sheet)
    __attribute__((warn_unused_result));
void exchange_sheet_clear(struct exchange_sheet *sheet);

/*
 * How large a file is; false for what is no regular one: from a pipe or a device somebody else
 * could make us wait for ever.
 */
bool exchange_measure_file(int fd, uint64_t *bytes) __attribute__((warn_unused_result));
/* A file in memory with this text, for RELEASE; -1 with errno. And back, with a ceiling. */
int exchange_make_text(struct slice text);
bool exchange_read_text(int fd, size_t max_bytes, struct text *text)
    __attribute__((warn_unused_result));

#endif
