/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of a copy with hostile bytes. The input is the file; where its first
 * byte is 'F', what follows is content and text instead, behind which a footer is
 * put that fits, so that the text behind the checksum is reached as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/text.h"
#include "quarantine/store_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void add_part(struct text *out, const char *name, struct slice part)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];

    crypto_sha256(part, digest);
    text_add_string(out, name);
    text_add_padded(out, part.length, 20);
    text_add_byte(out, ' ');
    for (size_t i = 0; i < sizeof digest; i++)
        text_add_format(out, "%02x", digest[i]);
}

/* The second byte says how much of the rest is content. */
static void add_with_footer(struct text *out, struct slice input)
{
    size_t cut = input.length > 0 ? (unsigned char)input.data[0] : 0;
    struct slice parts = slice_from_offset(input, 1);

    text_add(out, parts);
    add_part(out, "postern-file 1 content=", slice_until(parts, cut));
    add_part(out, " copy=", slice_from_offset(parts, cut));
    text_add_byte(out, '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct store_file file = { .fd = memfd_create("copy", MFD_CLOEXEC) };
    struct text bytes;
    struct text problem;

    text_init(&bytes, size + 1000);
    text_init(&problem, 500);
    copy_init(&file.copy);
    if (size > 0 && data[0] == 'F')
        add_with_footer(&bytes, slice_from_offset(input, 1));
    else
        text_add(&bytes, input);
    require(file.fd >= 0 && pwrite(file.fd, bytes.data, bytes.length, 0) == (ssize_t)bytes.length);
    switch (store_file_read(&file, true, &problem)) {
    case STORE_DONE:
        require(file.content_bytes < file.file_bytes && file.copy.envelope.recipient_count > 0);
        break;
    case STORE_BROKEN:
        require(problem.length > 0 && file.copy.backend == NULL);
        break;
    case STORE_EXISTS:
    case STORE_ABSENT:
    case STORE_FULL:
    case STORE_FAILED:
        abort();
    }
    require(file.file_bytes == bytes.length);
    copy_clear(&file.copy);
    close(file.fd);
    text_clear(&bytes);
    text_clear(&problem);
    return 0;
}
