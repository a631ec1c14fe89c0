/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Canonical forms; see canon.h. Everything goes through one small buffer, so that
 * the hash is given whole runs whatever the content is made of.
 */
#include "checks/canon.h"

#include <string.h>

/* ---- the buffer ---- */

void canon_hash_init(struct canon_hash *hash)
{
    hash->sha256 = crypto_sha256_new();
    hash->left_bytes = UINT64_MAX;
    hash->length = 0;
}

void canon_hash_clear(struct canon_hash *hash)
{
    crypto_sha256_free(&hash->sha256);
}

static void flush(struct canon_hash *hash)
{
    crypto_sha256_add(hash->sha256, (struct slice){ hash->bytes, hash->length });
    hash->length = 0;
}

static void put(struct canon_hash *hash, char c)
{
    if (hash->left_bytes == 0)
        return;
    hash->left_bytes--;
    if (hash->length == CANON_BUFFER_BYTES)
        flush(hash);
    hash->bytes[hash->length++] = c;
}

static void put_crlf(struct canon_hash *hash)
{
    put(hash, '\r');
    put(hash, '\n');
}

static void put_run(struct canon_hash *hash, struct slice run)
{
    if (run.length > hash->left_bytes)
        run = slice_until(run, (size_t)hash->left_bytes);
    hash->left_bytes -= run.length;
    if (run.length > CANON_BUFFER_BYTES - hash->length)
        flush(hash);
    if (run.length > CANON_BUFFER_BYTES) {
        crypto_sha256_add(hash->sha256, run);
        return;
    }
    if (run.length > 0)
        memcpy(hash->bytes + hash->length, run.data, run.length);
    hash->length += run.length;
}

void canon_hash_take(struct canon_hash *hash, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    flush(hash);
    crypto_sha256_take(hash->sha256, digest);
}

/* ---- fields ---- */

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

/* Bytes in front that are neither white space nor part of a line end. */
static size_t count_plain(struct slice bytes)
{
    size_t count = 0;

    while (count < bytes.length && !is_space(bytes.data[count]))
        count++;
    return count;
}

/*
 * RFC 6376 3.4.2: unfolded, each run of white space one space. A space is put once it is known that
 * something follows; `is_pending` is one that came before.
 */
static void put_relaxed_value(struct canon_hash *hash, struct slice value, bool *is_pending)
{
    while (value.length > 0) {
        size_t plain = count_plain(value);

        if (plain == 0) {
            *is_pending |= ascii_is_blank(value.data[0]);
            value = slice_from_offset(value, 1);
            continue;
        }
        if (*is_pending)
            put(hash, ' ');
        *is_pending = false;
        put_run(hash, slice_until(value, plain));
        value = slice_from_offset(value, plain);
    }
}

static void put_relaxed_name(struct canon_hash *hash, struct slice name)
{
    name = slice_trim(name);
    for (size_t i = 0; i < name.length; i++)
        put(hash, ascii_lower(name.data[i]));
    put(hash, ':');
}

/* The field, but for what lies between `cut_start` and `cut_end` of its value. */
static void put_field(struct canon_hash *hash, struct slice field, bool is_relaxed,
                      size_t cut_start, size_t cut_end)
{
    size_t colon = field.length;
    struct slice value;
    bool is_pending = false;

    (void)slice_find_byte(field, ':', &colon);
    value = slice_from_offset(field, colon + 1);
    if (!is_relaxed) {
        put_run(hash, slice_until(field, colon + 1));
        put_run(hash, slice_until(value, cut_start));
        put_run(hash, slice_from_offset(value, cut_end));
        return;
    }
    put_relaxed_name(hash, slice_until(field, colon));
    while (value.length > 0 && cut_start > 0 && is_space(value.data[0])) {
        value = slice_from_offset(value, 1);
        cut_start--;
        cut_end--;
    }
    put_relaxed_value(hash, slice_until(value, cut_start), &is_pending);
    put_relaxed_value(hash, slice_from_offset(value, cut_end), &is_pending);
}

void canon_hash_field(struct canon_hash *hash, struct slice field, bool is_relaxed)
{
    put_field(hash, field, is_relaxed, field.length, field.length);
    put_crlf(hash);
}

/* Where the value of the tag b= stands in that of the field, the white space around it included. */
static void find_signature(struct slice value, size_t *start, size_t *end)
{
    struct slice rest = value;
    struct slice spec;

    *start = *end = value.length;
    while (slice_next(&rest, ';', &spec)) {
        size_t equals;

        if (!slice_find_byte(spec, '=', &equals) ||
            !slice_equals_nocase(slice_trim(slice_until(spec, equals)), SLICE("b")))
            continue;
        *start = (size_t)(spec.data - value.data) + equals + 1;
        *end = (size_t)(spec.data - value.data) + spec.length;
        return;
    }
}

void canon_hash_sign(const struct canon_hash *hash, struct slice field, bool is_relaxed,
                     uint8_t digest[CRYPTO_SHA256_BYTES])
{
    struct canon_hash signing = *hash;
    size_t colon = field.length;
    size_t start;
    size_t end;

    signing.sha256 = crypto_sha256_copy(hash->sha256);
    (void)slice_find_byte(field, ':', &colon);
    find_signature(slice_from_offset(field, colon + 1), &start, &end);
    put_field(&signing, field, is_relaxed, start, end);
    canon_hash_take(&signing, digest);
    canon_hash_clear(&signing);
}

/* ---- bodies ---- */

void canon_body_init(struct canon_body *body, bool is_relaxed, uint64_t max_bytes)
{
    *body = (struct canon_body){ .is_relaxed = is_relaxed };
    canon_hash_init(&body->hash);
    body->hash.left_bytes = max_bytes;
}

void canon_body_clear(struct canon_body *body)
{
    canon_hash_clear(&body->hash);
}

/* Something follows on this line: what was held back counts. */
static void begin_content(struct canon_body *body)
{
    for (; body->empty_lines > 0; body->empty_lines--)
        put_crlf(&body->hash);
    if (body->is_blank_pending)
        put(&body->hash, ' ');
    body->is_blank_pending = false;
    body->has_line = true;
    body->has_content = true;
}

static void end_line(struct canon_body *body)
{
    body->is_blank_pending = false;
    if (body->has_line)
        put_crlf(&body->hash);
    else
        body->empty_lines++;
    body->has_line = false;
}

/* White space, CR, LF, or what follows a CR. Only CR and LF together end a line. */
static void add_special(struct canon_body *body, char c)
{
    bool was_cr = body->is_cr_pending;

    body->is_cr_pending = c == '\r';
    if (was_cr && c == '\n') {
        end_line(body);
        return;
    }
    if (was_cr) {
        begin_content(body);
        put(&body->hash, '\r');
    }
    if (c == '\r')
        return;
    if (body->is_relaxed && ascii_is_blank(c)) {
        body->is_blank_pending = true;
        return;
    }
    begin_content(body);
    put(&body->hash, c);
}

void canon_body_add(struct canon_body *body, struct slice bytes)
{
    while (bytes.length > 0) {
        size_t plain = body->is_cr_pending ? 0 : count_plain(bytes);

        if (plain == 0) {
            add_special(body, bytes.data[0]);
            bytes = slice_from_offset(bytes, 1);
            continue;
        }
        begin_content(body);
        put_run(&body->hash, slice_until(bytes, plain));
        bytes = slice_from_offset(bytes, plain);
    }
}

void canon_body_take(struct canon_body *body, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    /* The simple form of a body of nothing is one CRLF (RFC 6376 3.4.3). */
    if (!body->is_relaxed && !body->has_content)
        put_crlf(&body->hash);
    canon_hash_take(&body->hash, digest);
}
