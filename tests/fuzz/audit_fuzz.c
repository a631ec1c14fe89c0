/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit with hostile bytes, as a line and as a file. What is read is printed
 * as the same line; whatever the file holds, reading ends behind its last newline
 * and has taken every line for an entry or for a bad one. With 'S' first, each
 * line of the input gets a checksum that fits, so that what is behind it is reached.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "quarantine/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* What the lines were, again as bytes. */
struct result {
    struct text lines;
    size_t count;
};

static void take(void *owner, const struct audit_entry *entry)
{
    struct result *result = owner;

    require(copy_id_is_valid(slice_from(entry->id)));
    audit_print(&result->lines, entry);
    result->count++;
}

static void try_line(struct slice line)
{
    struct audit_entry entry;
    struct text words;
    struct text again;

    text_init(&words, AUDIT_WORDS_BYTES);
    text_init(&again, AUDIT_LINE_BYTES);
    if (audit_parse(&entry, line, &words)) {
        audit_print(&again, &entry);
        require(again.length == line.length + 1 && memcmp(again.data, line.data, line.length) == 0);
    }
    text_clear(&words);
    text_clear(&again);
}

static void add_with_sums(struct text *out, struct slice input)
{
    struct slice line;

    while (slice_next(&input, '\n', &line)) {
        uint8_t digest[CRYPTO_SHA256_BYTES];

        crypto_sha256(line, digest);
        text_add(out, line);
        text_add_string(out, " sum=");
        for (size_t i = 0; i < 8; i++)
            text_add_format(out, "%02x", digest[i]);
        text_add_byte(out, '\n');
    }
}

/* A file that has no name any more: nothing is left behind, however this ends. */
static struct audit *open_audit(int *file_fd)
{
    char path[32];
    struct text problem;
    struct audit *audit;
    int folder_fd;

    snprintf(path, sizeof path, "/tmp/audit-fuzz-XXXXXX");
    require(mkdtemp(path) != NULL);
    folder_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    text_init(&problem, 500);
    audit = audit_open(folder_fd, &problem);
    *file_fd = openat(folder_fd, "audit", O_RDWR | O_CLOEXEC);
    require(audit != NULL && *file_fd >= 0);
    require(unlinkat(folder_fd, "audit", 0) == 0 && rmdir(path) == 0);
    close(folder_fd);
    text_clear(&problem);
    return audit;
}

static void try_file(struct slice bytes)
{
    static struct audit *audit;
    static int fd;
    struct result result = { .count = 0 };
    size_t newlines = 0;
    size_t end = 0;
    size_t bad = 0;

    if (audit == NULL)
        audit = open_audit(&fd);
    require(ftruncate(fd, 0) == 0);
    require(pwrite(fd, bytes.data, bytes.length, 0) == (ssize_t)bytes.length);
    text_init(&result.lines, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < bytes.length; i++) {
        if (bytes.data[i] == '\n') {
            newlines++;
            end = i + 1;
        }
    }
    require(audit_replay(audit, 0, UINT64_MAX, take, &result, &bad) == end);
    require(result.count + bad == newlines && result.lines.length <= bytes.length);
    if (bad == 0)
        require(slice_equals(text_slice(&result.lines), slice_until(bytes, end)));
    text_clear(&result.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct text bytes;

    text_init(&bytes, TEXT_MAX_LENGTH);
    if (size > 0 && data[0] == 'S')
        add_with_sums(&bytes, slice_from_offset(input, 1));
    else
        text_add(&bytes, input);
    if (bytes.length > 0)
        try_line(slice_until(text_slice(&bytes), bytes.length - 1));
    try_file(text_slice(&bytes));
    text_clear(&bytes);
    return 0;
}
