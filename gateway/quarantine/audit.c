/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit of held mail; see audit.h. A line:
 *
 *     v=1 ts=2026-11-25T19:00:41.123Z us=1795633241123456 event=release
 *     id=06h0x6s1zxfdk76x-1 rcpt=0 attempt=7 address=a@example.org by="uid 1000"
 *     text="..." sum=0123456789abcdef
 *
 * What is none is left out, but for `rcpt`, which is "all" then. What is read is
 * printed again and must be the same line, checksum included: there is one way to
 * write an entry. The checksum is against accidents; who can write here owns it all.
 *
 * Two keepers may have the file open (an upgrade): writers lock it against each
 * other and against readers, so that a write can be taken back before anyone saw it.
 */
#include "quarantine/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/number.h"

#define BLOCK_BYTES (64u * 1024)
#define SUM_BYTES 8
#define MARK_BYTES 4096

struct audit {
    int fd; /* owned */
};

/* ---- Lines ---- */

const char *audit_event_name(enum audit_event event)
{
    static const char *const names[] = { "hold",     "commit",  "erase", "orphan", "release",
                                         "released", "refused", "lost",  "delete", "expire" };

    return names[event];
}

static uint64_t checksum(struct slice bytes)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    uint64_t sum = 0;

    crypto_sha256(bytes, digest);
    for (size_t i = 0; i < SUM_BYTES; i++)
        sum = sum << 8 | digest[i];
    return sum;
}

static void print_word(struct text *out, const char *key, struct slice value, size_t max_bytes)
{
    if (value.length == 0)
        return;
    text_add_string(out, key);
    escape_add_logfmt(out, slice_until(value, max_bytes));
}

void audit_print(struct text *out, const struct audit_entry *entry)
{
    struct text line;

    text_init(&line, AUDIT_LINE_BYTES);
    text_add_string(&line, "v=1 ts=");
    clock_print_utc(&line, entry->wall_us);
    text_add_format(&line, " us=%" PRIu64 " event=%s id=%s", entry->wall_us,
                    audit_event_name(entry->event), entry->id);
    if (entry->recipient == AUDIT_ALL_RECIPIENTS)
        text_add_string(&line, " rcpt=all");
    else
        text_add_format(&line, " rcpt=%" PRIu32, entry->recipient);
    if (entry->attempt != 0)
        text_add_format(&line, " attempt=%" PRIu64, entry->attempt);
    print_word(&line, " address=", entry->address, ADDRESS_PATH_MAX_BYTES);
    print_word(&line, " by=", entry->by, AUDIT_BY_BYTES);
    print_word(&line, " text=", entry->text, AUDIT_TEXT_BYTES);
    text_add_format(&line, " sum=%016" PRIx64 "\n", checksum(text_slice(&line)));
    text_add(out, text_slice(&line));
    text_clear(&line);
}

/* Takes " key=" and the value behind it off the line, and puts that behind what is in `words`. */
static bool take_word(struct slice *rest, const char *key, struct text *words)
{
    struct slice name = slice_from(key);

    if (!slice_has_prefix(*rest, name))
        return false;
    *rest = slice_from_offset(*rest, name.length);
    return escape_next_logfmt(rest, words);
}

/* Into an empty `scratch`. */
static bool take_value(struct slice *rest, const char *key, struct text *scratch)
{
    text_reset(scratch);
    return take_word(rest, key, scratch);
}

static bool parse_event(struct slice name, enum audit_event *event)
{
    for (int i = 0; i < AUDIT_EVENT_COUNT; i++) {
        if (slice_equals(name, slice_from(audit_event_name((enum audit_event)i)))) {
            *event = (enum audit_event)i;
            return true;
        }
    }
    return false;
}

static bool parse_recipient(struct slice word, uint32_t *recipient)
{
    uint64_t number;

    if (slice_equals(word, SLICE("all"))) {
        *recipient = AUDIT_ALL_RECIPIENTS;
        return true;
    }
    if (!number_parse(word, AUDIT_ALL_RECIPIENTS - 1, &number))
        return false;
    *recipient = (uint32_t)number;
    return true;
}

static bool parse_numbers(struct audit_entry *entry, struct slice *rest, struct text *scratch)
{
    if (!take_value(rest, "v=", scratch) || !take_value(rest, " ts=", scratch) ||
        !take_value(rest, " us=", scratch) ||
        !number_parse(text_slice(scratch), UINT64_MAX, &entry->wall_us) ||
        !take_value(rest, " event=", scratch) ||
        !parse_event(text_slice(scratch), &entry->event) || !take_value(rest, " id=", scratch) ||
        !copy_id_is_valid(text_slice(scratch)))
        return false;
    memcpy(entry->id, text_string(scratch), scratch->length + 1);
    if (!take_value(rest, " rcpt=", scratch) ||
        !parse_recipient(text_slice(scratch), &entry->recipient))
        return false;
    return !take_value(rest, " attempt=", scratch) ||
           number_parse(text_slice(scratch), UINT64_MAX, &entry->attempt);
}

/* Words that are not there are empty. Slices are cut once `words` does not move any more. */
static void parse_words(struct audit_entry *entry, struct slice *rest, struct text *words)
{
    static const char *const keys[] = { " address=", " by=", " text=" };
    size_t ends[3];

    for (size_t i = 0; i < 3; i++) {
        (void)!take_word(rest, keys[i], words);
        ends[i] = words->length;
    }
    entry->address = slice_until(text_slice(words), ends[0]);
    entry->by = slice_from_offset(slice_until(text_slice(words), ends[1]), ends[0]);
    entry->text = slice_from_offset(slice_until(text_slice(words), ends[2]), ends[1]);
}

bool audit_parse(struct audit_entry *entry, struct slice line, struct text *words)
{
    struct slice rest = line;
    struct text again;
    bool is_good;

    *entry = (struct audit_entry){ .id = "" };
    text_reset(words);
    text_init(&again, AUDIT_LINE_BYTES);
    is_good = parse_numbers(entry, &rest, &again);
    if (is_good) {
        parse_words(entry, &rest, words);
        text_reset(&again);
        audit_print(&again, entry);
        is_good = slice_equals(slice_until(text_slice(&again), again.length - 1), line);
    }
    text_clear(&again);
    return is_good;
}

/* ---- The file ---- */

static bool fail(struct text *problem, const char *what)
{
    text_add_format(problem, "cannot %s the audit: %s", what, strerror(errno));
    return false;
}

struct audit *audit_open(int folder_fd, struct text *problem)
{
    struct audit *audit = mem_new(sizeof *audit);
    struct stat status;
    bool is_open;

    audit->fd = openat(folder_fd, "audit",
                       O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    /* Its name must be there after a crash, and so must what an earlier process left unsynced. */
    is_open = audit->fd >= 0 && fsync(folder_fd) == 0 && fsync(audit->fd) == 0 &&
              fstat(audit->fd, &status) == 0;
    if (!is_open) {
        fail(problem, "open");
    } else if (!S_ISREG(status.st_mode)) {
        text_add_string(problem, "the audit is no file");
        is_open = false;
    }
    if (!is_open)
        audit_close(&audit);
    return audit;
}

void audit_close(struct audit **handle)
{
    struct audit *audit = *handle;

    *handle = NULL;
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        close(audit->fd);
    mem_free(audit);
}

static bool lock(const struct audit *audit, int how)
{
    while (flock(audit->fd, how) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

/* Less than `length` at the end of the file, or with an error. */
static size_t read_at(const struct audit *audit, uint64_t offset, char *bytes, size_t length)
{
    size_t got = 0;

    while (got < length) {
        ssize_t count = pread(audit->fd, bytes + got, length - got, (off_t)(offset + got));

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        got += (size_t)count;
    }
    return got;
}

static bool write_all(const struct audit *audit, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t count = write(audit->fd, bytes.data, bytes.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes = slice_from_offset(bytes, (size_t)count);
    }
    return true;
}

/*
 * A torn line must not become whole when it is ended: it may lack nothing but its newline, and
 * whoever read the file before has passed it over.
 */
static bool add_end_of_torn_line(const struct audit *audit, off_t size, struct text *lines)
{
    char last;

    if (size == 0)
        return true;
    if (read_at(audit, (uint64_t)size - 1, &last, 1) != 1)
        return false;
    if (last != '\n')
        text_add_string(lines, " torn\n");
    return true;
}

/* With the lock held. */
static bool append_lines(const struct audit *audit, const struct audit_entry *entries, size_t count,
                         bool is_synced, struct text *problem)
{
    off_t size = lseek(audit->fd, 0, SEEK_END);
    struct text lines;
    bool is_written = false;

    text_init(&lines, TEXT_MAX_LENGTH);
    if (size < 0 || !add_end_of_torn_line(audit, size, &lines)) {
        fail(problem, "read");
    } else {
        for (size_t i = 0; i < count; i++)
            audit_print(&lines, &entries[i]);
        is_written = write_all(audit, text_slice(&lines)) &&
                     (!is_synced || fdatasync(audit->fd) == 0);
        if (!is_written)
            fail(problem, "write");
        if (!is_written && ftruncate(audit->fd, size) != 0)
            fail(problem, ", nor take back what was written to,");
    }
    text_clear(&lines);
    return is_written;
}

bool audit_append(struct audit *audit, const struct audit_entry *entries, size_t count,
                  bool is_synced, struct text *problem)
{
    bool is_written;

    if (!lock(audit, LOCK_EX))
        return fail(problem, "lock");
    is_written = append_lines(audit, entries, count, is_synced, problem);
    flock(audit->fd, LOCK_UN);
    return is_written;
}

/* ---- Reading ---- */

struct replay {
    void (*each)(void *owner, const struct audit_entry *entry);
    void *owner;
    struct text words;
    size_t *bad;
    bool is_too_long; /* the line that is being read is longer than any of ours */
};

static void take_line(struct replay *replay, struct slice line)
{
    struct audit_entry entry;

    if (!replay->is_too_long && audit_parse(&entry, line, &replay->words))
        replay->each(replay->owner, &entry);
    else
        ++*replay->bad;
    replay->is_too_long = false;
}

/* The whole lines of a block that begin in its first bytes; returns how many bytes they are. */
static size_t take_lines(struct replay *replay, struct slice block, uint64_t first_bytes)
{
    struct slice rest = block;
    size_t end;

    while (block.length - rest.length < first_bytes && slice_find_byte(rest, '\n', &end)) {
        take_line(replay, slice_until(rest, end));
        rest = slice_from_offset(rest, end + 1);
    }
    return block.length - rest.length;
}

uint64_t audit_replay(const struct audit *audit, uint64_t offset, uint64_t end,
                      void (*each)(void *owner, const struct audit_entry *entry), void *owner,
                      size_t *bad)
{
    struct replay replay = { .each = each, .owner = owner, .bad = bad };
    char *block = mem_new(BLOCK_BYTES);
    uint64_t next = offset;  /* what is read next */
    size_t length;

    text_init(&replay.words, AUDIT_WORDS_BYTES);
    if (!lock(audit, LOCK_SH)) {
        mem_free(block);
        return offset;
    }
    while (next < end && (length = read_at(audit, next, block, BLOCK_BYTES)) > 0) {
        size_t used = take_lines(&replay, (struct slice){ block, length }, end - next);

        next += used;
        if (used > 0)
            offset = next;
        if (used == 0 && length < BLOCK_BYTES)
            break;
        /* A block without a newline is part of one long bad line. */
        if (used == 0) {
            replay.is_too_long = true;
            next += length;
        }
    }
    flock(audit->fd, LOCK_UN);
    text_clear(&replay.words);
    mem_free(block);
    return offset;
}

bool audit_mark(const struct audit *audit, uint64_t offset, uint64_t *mark)
{
    char bytes[MARK_BYTES];
    size_t length = offset < sizeof bytes ? (size_t)offset : sizeof bytes;

    if (read_at(audit, offset - length, bytes, length) != length)
        return false;
    *mark = checksum((struct slice){ bytes, length });
    return true;
}
