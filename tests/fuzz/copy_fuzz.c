/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a copy, which a worker wrote and nobody has looked at: what is read
 * is printed as the same bytes, and what is not read leaves nothing behind.
 */
#include <stdint.h>
#include <stdlib.h>

#include "quarantine/copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct copy copy;
    struct text problem;
    struct text again;

    copy_init(&copy);
    text_init(&problem, 500);
    text_init(&again, size);
    if (copy_parse(&copy, input, &problem)) {
        require(copy_id_is_valid(slice_from(copy.id)));
        require(copy.envelope.recipient_count > 0 && copy.backend != NULL);
        require(size <= copy_max_bytes(copy.envelope.recipient_count));
        copy_print(&again, &copy);
        require(slice_equals(text_slice(&again), input));
    } else {
        require(problem.length > 0 && copy.backend == NULL && copy.envelope.recipient_count == 0);
    }
    copy_clear(&copy);
    text_clear(&problem);
    text_clear(&again);
    return 0;
}
