/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DKIM's canonical forms (RFC 6376 3.4) of header fields and of a body that
 * streams, hashed with SHA-256 as they are made: nothing is kept but the hash. For
 * ARC, which libopendkim does not know.
 */
#ifndef POSTERN_CHECKS_CANON_H
#define POSTERN_CHECKS_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/slice.h"

#define CANON_BUFFER_BYTES 512

struct canon_hash {
    struct crypto_sha256 *sha256;  /* owned */
    uint64_t left_bytes;           /* further ones are not hashed */
    size_t length;
    char bytes[CANON_BUFFER_BYTES]; /* not given to sha256 yet */
};

/* Of nothing so far. */
void canon_hash_init(struct canon_hash *hash);
/* Frees what it holds; clear it too when the digest was taken. */
void canon_hash_clear(struct canon_hash *hash);

/* A field from its name on, without its last CRLF; one is added. */
void canon_hash_field(struct canon_hash *hash, struct slice field, bool is_relaxed);
/* The digest of all so far. Nothing must be added behind it. */
void canon_hash_take(struct canon_hash *hash, uint8_t digest[CRYPTO_SHA256_BYTES]);
/*
 * The digest of all so far and this field, with nothing in its tag b= and without a CRLF: what its
 * signature signs (RFC 6376 3.7). More may be added, as if it had not been asked for.
 */
void canon_hash_sign(const struct canon_hash *hash, struct slice field, bool is_relaxed,
                     uint8_t digest[CRYPTO_SHA256_BYTES]);

/* A body, of which the first bytes of the canonical form are hashed. */
struct canon_body {
    struct canon_hash hash;
    bool is_relaxed;
    uint64_t empty_lines;  /* that count once a line follows that is not empty */
    bool has_content;      /* there was a line that is not empty */
    bool has_line;         /* something is on the line that is read now */
    bool is_blank_pending; /* white space that counts once something follows on the line */
    bool is_cr_pending;    /* CR, and what follows is not known yet */
};

/* UINT64_MAX bytes is all of it. */
void canon_body_init(struct canon_body *body, bool is_relaxed, uint64_t max_bytes);
void canon_body_clear(struct canon_body *body);
/* More of it, in runs of any size; the last line must have its CRLF. */
void canon_body_add(struct canon_body *body, struct slice bytes);
void canon_body_take(struct canon_body *body, uint8_t digest[CRYPTO_SHA256_BYTES]);

#endif
