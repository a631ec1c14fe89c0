/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of a held mail beside its content: who sent it to whom and from
 * where, why it is held, and what a release needs to hand it to the backend as
 * if it came now. As text it is a line for each value, which people can read in
 * the file of the copy, and which is parsed as hostile: a worker wrote it.
 */
#ifndef POSTERN_QUARANTINE_COPY_H
#define POSTERN_QUARANTINE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/slice.h"
#include "base/text.h"
#include "mail/envelope.h"

/* A transaction's id, "06h0x6s1zxfdk76x-1", and no other bytes than such have: it names a file. */
#define COPY_ID_MAX_BYTES 27
/*
 * The SHA-256 of the secret by which a worker proves that a copy is its own, in hexadecimal digits.
 * Copies are read by more than their workers, so the secret itself is not written anywhere.
 */
#define COPY_CLAIM_BYTES 64
/* Of a string of a copy; what is longer is cut when it is printed. */
#define COPY_VALUE_MAX_BYTES 1000
/* Of a reason, an ORCPT and the like, of which each recipient has one; likewise. */
#define COPY_WORD_MAX_BYTES 500
#define COPY_MAX_RECIPIENTS 100000
/*
 * Of the whole text. So many recipients fit with addresses of 256 bytes and 200 bytes of other
 * lines each; a text in which all is as long as it may be is nobody's mail.
 */
#define COPY_MAX_BYTES (48u << 20)

struct copy {
    char id[COPY_ID_MAX_BYTES + 1];
    char claim[COPY_CLAIM_BYTES + 1]; /* "" for none; a pending copy has one */
    uint64_t held_us;            /* wall clock, of the end of data */
    uint64_t owner;              /* the keeper's number for the worker, set by it; 0 before */
    bool is_pending;             /* others of its recipients wait for the backend's word */
    /* For the release. */
    struct envelope envelope;    /* owned; the recipients that are held, at least one */
    struct ip_endpoint client;
    struct ip_endpoint local;    /* the address that the client connected to; zero: not known */
    char *helo;                  /* owned, as all strings here; as sent; NULL for none */
    bool is_extended;            /* ESMTP */
    char *backend;               /* name of the block; never NULL in a whole one */
    /* For people. NULL where there was none. */
    char **reasons;              /* owned; reason id for each recipient, as many as there are */
    char **notes;                /* likewise: what the rule says to the owner */
    char *listener;
    char *tls_version;
    char *domain;                /* of the policy in force */
    char *policy;
    char *message_id;            /* raw header values */
    char *header_from;
    char *subject;
};

/* All zero, with an envelope. */
void copy_init(struct copy *copy);
void copy_clear(struct copy *copy);
/*
 * Appends all of it, a line for each value: "key value", the value as escape_add_ascii writes it.
 * The first line is "postern-copy 1". `copy` must be whole.
 */
void copy_print(struct text *out, const struct copy *copy);
/*
 * The same back into an initialised copy. False, with a sentence, for anything that copy_print
 * would not have written, byte for byte: unknown, missing and double lines, bad ids, addresses
 * that mail/address.h does not read, more recipients than COPY_MAX_RECIPIENTS, lines that are too
 * long. Then `copy` is empty. Of an address its text comes back, and what that text says of
 * itself; `had_route`, and `is_utf8` for a domain that was written so, do not.
 */
bool copy_parse(struct copy *copy, struct slice text, struct text *problem)
    __attribute__((warn_unused_result));
/* The longest text with so many recipients: COPY_MAX_BYTES at most. */
size_t copy_max_bytes(size_t recipient_count);

/* Is it the id of a transaction, safe as the name of a file? */
bool copy_id_is_valid(struct slice id);

#endif
