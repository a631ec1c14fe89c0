/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between workers and keeper; see exchange.h. */
#include "quarantine/exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/memory.h"

#define BLOCK_BYTES (64u * 1024)

static const struct packet_shape shapes[EXCHANGE_TYPE_COUNT] = {
    [EXCHANGE_STORE] = { sizeof(struct exchange_claim), .min_fds = 2, .max_fds = 2 },
    [EXCHANGE_COMMIT] = { sizeof(struct exchange_claim), .max_fds = 0 },
    [EXCHANGE_ERASE] = { sizeof(struct exchange_claim), .max_fds = 0 },
    [EXCHANGE_OUTCOME] = { sizeof(struct exchange_outcome), .has_text = true },
    [EXCHANGE_RELEASED] = { sizeof(struct exchange_attempt), .max_fds = 0 },
    [EXCHANGE_LEAVING] = { 0, .max_fds = 0 },
    [EXCHANGE_WELCOME] = { 0, .min_fds = 1, .max_fds = 1 },
    [EXCHANGE_STORED] = { sizeof(struct exchange_stored), .max_fds = 0 },
    [EXCHANGE_ENDED] = { sizeof(struct exchange_claim), .max_fds = 0 },
    [EXCHANGE_RELEASE] = { sizeof(struct exchange_attempt), .min_fds = 2, .max_fds = 2 },
};

/* ---- Messages. */

enum packet_result exchange_send(int channel, enum exchange_type type, const void *body,
                                 size_t body_bytes, struct slice words, const int *fds,
                                 size_t fd_count)
{
    char bytes[EXCHANGE_MAX_BYTES];

    words = slice_until(words, sizeof bytes - body_bytes);
    if (body_bytes > 0)
        memcpy(bytes, body, body_bytes);
    if (words.length > 0)
        memcpy(bytes + body_bytes, words.data, words.length);
    return packet_send(channel, type, (struct slice){ bytes, body_bytes + words.length }, fds,
                       fd_count);
}

enum packet_result exchange_receive(int channel, struct exchange *message)
{
    enum packet_result result = packet_receive(channel, &message->packet, message->body.bytes,
                                               sizeof message->body.bytes);

    if (result != PACKET_DONE)
        return result;
    if (message->packet.type < EXCHANGE_TYPE_COUNT &&
        packet_has_shape(&shapes[message->packet.type], message->packet.length,
                         message->packet.fd_count))
        return PACKET_DONE;
    errno = EBADMSG;
    return PACKET_BROKEN;
}

struct slice exchange_words(const struct exchange *message)
{
    size_t skipped = shapes[message->packet.type].body_bytes;

    return (struct slice){ message->body.bytes + skipped, message->packet.length - skipped };
}

bool exchange_claim_is_valid(const struct exchange_claim *claim)
{
    if (memchr(claim->id, '\0', sizeof claim->id) == NULL ||
        !copy_id_is_valid(slice_from(claim->id)))
        return false;
    for (size_t i = 0; i < EXCHANGE_SECRET_BYTES; i++)
        if (ascii_hex_value(claim->secret[i]) < 0)
            return false;
    return claim->secret[EXCHANGE_SECRET_BYTES] == '\0';
}

void exchange_digest_secret(const char *secret, char digest[COPY_CLAIM_BYTES + 1])
{
    uint8_t bytes[CRYPTO_SHA256_BYTES];
    struct text hex;

    crypto_sha256(slice_from(secret), bytes);
    text_init(&hex, COPY_CLAIM_BYTES);
    text_add_hex(&hex, bytes, sizeof bytes);
    memcpy(digest, text_string(&hex), COPY_CLAIM_BYTES + 1);
    text_clear(&hex);
}

bool exchange_claim_fits(const struct exchange_claim *claim, const char *copy_claim)
{
    char digest[COPY_CLAIM_BYTES + 1];

    if (strlen(copy_claim) != COPY_CLAIM_BYTES)
        return false;
    exchange_digest_secret(claim->secret, digest);
    return crypto_equals(digest, copy_claim, COPY_CLAIM_BYTES);
}

/* ---- Sheets: a head, the copy, the bytes, the pieces. */

struct sheet_head {
    uint64_t copy_bytes;
    uint64_t memory_bytes;
    uint64_t piece_count;
};

struct sheet_piece {
    uint64_t is_memory;
    uint64_t offset; /* in the file, or among the bytes */
    uint64_t length;
};

static uint64_t count_memory(const struct store_piece *pieces, size_t piece_count)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < piece_count; i++)
        if (pieces[i].bytes != NULL)
            bytes += pieces[i].length;
    return bytes;
}

static void add_struct(struct text *out, const void *bytes, size_t length)
{
    text_add(out, (struct slice){ bytes, length });
}

int exchange_make_sheet(struct slice copy, const struct store_piece *pieces, size_t piece_count)
{
    struct sheet_head head = { copy.length, count_memory(pieces, piece_count), piece_count };
    uint64_t offset = 0;
    struct text sheet;
    int fd = -1;

    errno = EFBIG;
    if (copy.length > EXCHANGE_MAX_COPY_BYTES || piece_count > EXCHANGE_MAX_PIECES)
        return -1;
    text_init(&sheet, EXCHANGE_MAX_SHEET_BYTES);
    add_struct(&sheet, &head, sizeof head);
    text_add(&sheet, copy);
    for (size_t i = 0; i < piece_count; i++)
        if (pieces[i].bytes != NULL)
            add_struct(&sheet, pieces[i].bytes, (size_t)pieces[i].length);
    for (size_t i = 0; i < piece_count; i++) {
        bool is_memory = pieces[i].bytes != NULL;
        struct sheet_piece piece = { is_memory, is_memory ? offset : pieces[i].offset,
                                     pieces[i].length };

        add_struct(&sheet, &piece, sizeof piece);
        offset += is_memory ? pieces[i].length : 0;
    }
    if (!sheet.is_cut)
        fd = exchange_make_text(text_slice(&sheet));
    text_clear(&sheet);
    return fd;
}

static bool read_pieces(struct exchange_sheet *sheet, struct slice memory, struct slice pieces)
{
    for (size_t i = 0; i < sheet->piece_count; i++) {
        struct sheet_piece piece;

        memcpy(&piece, pieces.data + i * sizeof piece, sizeof piece);
        if (piece.is_memory > 1 ||
            (piece.is_memory && (piece.offset > memory.length ||
                                 piece.length > memory.length - piece.offset)))
            return false;
        sheet->pieces[i] = (struct store_piece){
            .bytes = piece.is_memory ? memory.data + piece.offset : NULL,
            .offset = piece.is_memory ? 0 : piece.offset,
            .length = piece.length,
        };
    }
    return true;
}

bool exchange_read_sheet(int fd, size_t max_bytes, struct exchange_sheet *sheet)
{
    struct sheet_head head;
    struct slice rest;

    *sheet = (struct exchange_sheet){ .piece_count = 0 };
    if (!exchange_read_text(fd, max_bytes, &sheet->bytes))
        return false;
    rest = text_slice(&sheet->bytes);
    if (rest.length < sizeof head)
        return false;
    memcpy(&head, rest.data, sizeof head);
    rest = slice_from_offset(rest, sizeof head);
    if (head.copy_bytes > EXCHANGE_MAX_COPY_BYTES || head.copy_bytes > rest.length ||
        head.memory_bytes > rest.length - head.copy_bytes ||
        head.piece_count > EXCHANGE_MAX_PIECES ||
        head.piece_count * sizeof(struct sheet_piece) !=
            rest.length - head.copy_bytes - head.memory_bytes)
        return false;
    sheet->copy = slice_until(rest, (size_t)head.copy_bytes);
    rest = slice_from_offset(rest, (size_t)head.copy_bytes);
    sheet->piece_count = (size_t)head.piece_count;
    sheet->pieces = mem_new_array(sheet->piece_count + 1, sizeof *sheet->pieces);
    return read_pieces(sheet, slice_until(rest, (size_t)head.memory_bytes),
                       slice_from_offset(rest, (size_t)head.memory_bytes));
}

void exchange_sheet_clear(struct exchange_sheet *sheet)
{
    text_clear(&sheet->bytes);
    mem_free(sheet->pieces);
    *sheet = (struct exchange_sheet){ .piece_count = 0 };
}

/* ---- Texts. */

int exchange_make_text(struct slice text)
{
    int fd = memfd_create("postern-sheet", MFD_CLOEXEC);

    while (fd >= 0 && text.length > 0) {
        ssize_t count = write(fd, text.data, text.length);

        if (count >= 0) {
            text = slice_from_offset(text, (size_t)count);
        } else if (errno != EINTR) {
            int error = errno;

            close(fd);
            errno = error;
            return -1;
        }
    }
    return fd;
}

bool exchange_measure_file(int fd, uint64_t *bytes)
{
    struct stat status;

    *bytes = 0;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    *bytes = (uint64_t)status.st_size;
    return true;
}

bool exchange_read_text(int fd, size_t max_bytes, struct text *text)
{
    uint64_t file_bytes;
    char *block;
    ssize_t count;

    text_init(text, max_bytes);
    if (!exchange_measure_file(fd, &file_bytes) || file_bytes > max_bytes)
        return false;
    block = mem_resize(NULL, BLOCK_BYTES, 1);
    do {
        count = pread(fd, block, BLOCK_BYTES, (off_t)text->length);
        if (count > 0)
            text_add(text, (struct slice){ block, (size_t)count });
    } while ((count > 0 && !text->is_cut) || (count < 0 && errno == EINTR));
    mem_free(block);
    return count == 0 && !text->is_cut;
}
