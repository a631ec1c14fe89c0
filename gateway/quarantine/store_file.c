/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of one copy; see store_file.h. The footer is text, so that a person
 * with nothing but `tail` and `sha256sum` can tell what a file holds:
 *
 *     postern-file 1 content=BYTES SHA-256 copy=BYTES SHA-256
 *
 * with numbers of twenty digits. What is read of it is printed again and must be
 * the same bytes.
 */
#include "quarantine/store_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "base/number.h"

#define BLOCK_BYTES (64u * 1024)
#define NUMBER_DIGITS 20
#define HEX_DIGITS (2 * CRYPTO_SHA256_BYTES)

static const char footer_start[] = "postern-file 1 content=";
static const char footer_middle[] = " copy=";
#define PART_BYTES (NUMBER_DIGITS + 1 + HEX_DIGITS)
#define FOOTER_BYTES \
    (sizeof footer_start - 1 + PART_BYTES + sizeof footer_middle - 1 + PART_BYTES + 1)

/* Content, or the text of the copy. */
struct part {
    uint64_t length;
    uint8_t digest[CRYPTO_SHA256_BYTES];
};

struct footer {
    struct part content;
    struct part copy;
};

enum store_result store_result_of(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? STORE_FULL : STORE_FAILED;
}

/* ---- The footer ---- */

static void print_part(struct text *out, const struct part *part)
{
    text_add_padded(out, part->length, NUMBER_DIGITS);
    text_add_byte(out, ' ');
    text_add_hex(out, part->digest, sizeof part->digest);
}

static void print_footer(struct text *out, const struct footer *footer)
{
    text_add_string(out, footer_start);
    print_part(out, &footer->content);
    text_add_string(out, footer_middle);
    print_part(out, &footer->copy);
    text_add_byte(out, '\n');
}

static bool parse_part(struct slice text, struct part *part)
{
    struct slice digest = slice_from_offset(text, NUMBER_DIGITS + 1);

    if (!number_parse(slice_until(text, NUMBER_DIGITS), INT64_MAX, &part->length))
        return false;
    for (size_t i = 0; i < sizeof part->digest; i++) {
        int high = ascii_hex_value(digest.data[2 * i]);
        int low = ascii_hex_value(digest.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        part->digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool parse_footer(struct slice text, struct footer *footer)
{
    size_t content_at = sizeof footer_start - 1;
    size_t copy_at = content_at + PART_BYTES + sizeof footer_middle - 1;
    struct text again;
    bool is_same;

    if (text.length != FOOTER_BYTES ||
        !parse_part(slice_from_offset(text, content_at), &footer->content) ||
        !parse_part(slice_from_offset(text, copy_at), &footer->copy))
        return false;
    text_init(&again, FOOTER_BYTES);
    print_footer(&again, footer);
    is_same = slice_equals(text_slice(&again), text);
    text_clear(&again);
    return is_same;
}

/* ---- Writing ---- */

/* Whatever the pieces are, the disk gets whole blocks. */
struct writer {
    int fd;                       /* lent */
    char *block;                  /* owned; BLOCK_BYTES */
    size_t used;                  /* bytes in it */
    struct crypto_sha256 *sha256; /* owned; of the part that is being written */
    uint64_t part_bytes;          /* of that part */
    int error;                    /* errno of the first failure, 0 for none */
};

static void flush(struct writer *writer)
{
    size_t written = 0;

    while (written < writer->used && writer->error == 0) {
        ssize_t count = write(writer->fd, writer->block + written, writer->used - written);

        if (count >= 0)
            written += (size_t)count;
        else if (errno != EINTR)
            writer->error = errno;
    }
    writer->used = 0;
}

/* `count` bytes have been put behind those in use. */
static void take_up(struct writer *writer, size_t count)
{
    crypto_sha256_add(writer->sha256, (struct slice){ writer->block + writer->used, count });
    writer->used += count;
    writer->part_bytes += count;
    if (writer->used == BLOCK_BYTES)
        flush(writer);
}

static void add_bytes(struct writer *writer, struct slice bytes)
{
    while (bytes.length > 0 && writer->error == 0) {
        struct slice next = slice_until(bytes, BLOCK_BYTES - writer->used);

        memcpy(writer->block + writer->used, next.data, next.length);
        take_up(writer, next.length);
        bytes = slice_from_offset(bytes, next.length);
    }
}

/* False when the file ends too early, or cannot be read there; then errno says how, or is 0. */
static bool add_from_file(struct writer *writer, int source_fd, uint64_t offset, uint64_t length)
{
    if (length > INT64_MAX || offset > INT64_MAX - length) {
        errno = 0;
        return false;
    }
    while (length > 0 && writer->error == 0) {
        size_t wanted = BLOCK_BYTES - writer->used;
        ssize_t count;

        if (wanted > length)
            wanted = (size_t)length;
        count = pread(source_fd, writer->block + writer->used, wanted, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count < 0 ? errno : 0;
            return false;
        }
        take_up(writer, (size_t)count);
        offset += (uint64_t)count;
        length -= (uint64_t)count;
    }
    return true;
}

static void end_part(struct writer *writer, struct part *part)
{
    part->length = writer->part_bytes;
    crypto_sha256_take(writer->sha256, part->digest);
    writer->part_bytes = 0;
}

static enum store_result write_content(struct writer *writer, int source_fd,
                                       const struct store_piece *pieces, size_t piece_count,
                                       struct text *problem)
{
    for (size_t i = 0; i < piece_count; i++) {
        const struct store_piece *piece = &pieces[i];

        if (piece->bytes != NULL) {
            add_bytes(writer, (struct slice){ piece->bytes, (size_t)piece->length });
        } else if (!add_from_file(writer, source_fd, piece->offset, piece->length)) {
            text_add_format(problem, "cannot be made: the content that was handed over %s%s",
                            errno != 0 ? "cannot be read: " : "is shorter than was said",
                            errno != 0 ? strerror(errno) : "");
            return errno != 0 ? STORE_FAILED : STORE_BROKEN;
        }
    }
    return STORE_DONE;
}

static void write_text(struct writer *writer, const struct copy *copy, struct footer *footer)
{
    struct text text;

    text_init(&text, copy_max_bytes(copy->envelope.recipient_count));
    copy_print(&text, copy);
    add_bytes(writer, text_slice(&text));
    end_part(writer, &footer->copy);
    text_reset(&text);
    print_footer(&text, footer);
    add_bytes(writer, text_slice(&text));
    text_clear(&text);
}

enum store_result store_file_write(int fd, const struct copy *copy, int source_fd,
                                   const struct store_piece *pieces, size_t piece_count,
                                   uint64_t *file_bytes, struct text *problem)
{
    struct writer writer = {
        .fd = fd, .block = mem_new(BLOCK_BYTES), .sha256 = crypto_sha256_new()
    };
    struct footer footer;
    enum store_result result =
        write_content(&writer, source_fd, pieces, piece_count, problem);

    end_part(&writer, &footer.content);
    if (result == STORE_DONE)
        write_text(&writer, copy, &footer);
    if (result == STORE_DONE)
        flush(&writer);
    if (result == STORE_DONE && writer.error != 0) {
        text_add_format(problem, "cannot be written: %s", strerror(writer.error));
        result = store_result_of(writer.error);
    }
    *file_bytes = footer.content.length + footer.copy.length + FOOTER_BYTES;
    crypto_sha256_free(&writer.sha256);
    mem_free(writer.block);
    return result;
}

/* ---- Reading ---- */

static enum store_result broken(struct text *problem, const char *what)
{
    text_add_string(problem, what);
    return STORE_BROKEN;
}

/* All of it or an error; errno is 0 when the file is shorter. */
static bool read_at(int fd, uint64_t offset, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = pread(fd, bytes, length, (off_t)offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count < 0 ? errno : 0;
            return false;
        }
        bytes += count;
        length -= (size_t)count;
        offset += (uint64_t)count;
    }
    return true;
}

static enum store_result unreadable(struct text *problem)
{
    if (errno == 0)
        return broken(problem, "is getting shorter");
    text_add_format(problem, "cannot be read: %s", strerror(errno));
    return STORE_FAILED;
}

static enum store_result read_footer(const struct store_file *file, struct footer *footer,
                                     struct text *problem)
{
    char bytes[FOOTER_BYTES];

    if (file->file_bytes < FOOTER_BYTES)
        return broken(problem, "is too short for a copy");
    if (!read_at(file->fd, file->file_bytes - FOOTER_BYTES, bytes, sizeof bytes))
        return unreadable(problem);
    if (!parse_footer((struct slice){ bytes, sizeof bytes }, footer))
        return broken(problem, "does not end in the footer of a copy");
    /* Each is INT64_MAX at most, so the sum stays in range. */
    if (footer->content.length + footer->copy.length + FOOTER_BYTES != file->file_bytes)
        return broken(problem, "is not as long as its footer says");
    if (footer->copy.length > COPY_MAX_BYTES)
        return broken(problem, "has a text that is too long");
    return STORE_DONE;
}

static enum store_result read_text(struct store_file *file, const struct footer *footer,
                                   struct text *problem)
{
    size_t length = (size_t)footer->copy.length;
    char *bytes = mem_new(length + 1);
    struct slice text = { bytes, length };
    uint8_t digest[CRYPTO_SHA256_BYTES];
    enum store_result result = STORE_DONE;

    if (!read_at(file->fd, footer->content.length, bytes, length)) {
        result = unreadable(problem);
    } else {
        crypto_sha256(text, digest);
        if (memcmp(digest, footer->copy.digest, sizeof digest) != 0)
            result = broken(problem, "has another text than its checksum says");
        else if (!copy_parse(&file->copy, text, problem))
            result = STORE_BROKEN;
    }
    mem_free(bytes);
    return result;
}

static enum store_result check_content(int fd, const struct part *content, struct text *problem)
{
    struct crypto_sha256 *sha256 = crypto_sha256_new();
    char *block = mem_new(BLOCK_BYTES);
    uint8_t digest[CRYPTO_SHA256_BYTES];
    enum store_result result = STORE_DONE;
    uint64_t offset = 0;

    while (offset < content->length && result == STORE_DONE) {
        uint64_t left = content->length - offset;
        size_t length = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;

        if (!read_at(fd, offset, block, length))
            result = unreadable(problem);
        else
            crypto_sha256_add(sha256, (struct slice){ block, length });
        offset += length;
    }
    crypto_sha256_take(sha256, digest);
    if (result == STORE_DONE && memcmp(digest, content->digest, sizeof digest) != 0)
        result = broken(problem, "has another content than its checksum says");
    mem_free(block);
    crypto_sha256_free(&sha256);
    return result;
}

enum store_result store_file_read(struct store_file *file, bool is_whole, struct text *problem)
{
    struct stat status;
    struct footer footer;
    enum store_result result;

    file->content_bytes = file->file_bytes = 0;
    if (fstat(file->fd, &status) != 0)
        return unreadable(problem);
    if (!S_ISREG(status.st_mode))
        return broken(problem, "is no file");
    file->file_bytes = (uint64_t)status.st_size;
    file->is_answered = (status.st_mode & S_IWUSR) != 0;
    result = read_footer(file, &footer, problem);
    if (result == STORE_DONE)
        result = read_text(file, &footer, problem);
    if (result == STORE_DONE && is_whole)
        result = check_content(file->fd, &footer.content, problem);
    if (result == STORE_DONE)
        file->content_bytes = footer.content.length;
    else
        copy_clear(&file->copy);
    return result;
}
