/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory behind record/presence; see presence_file.h. It is a sparse file in
 * memory: a table takes pages once somebody writes to it, and gives them back
 * as a hole, which reads as zero.
 */
#include "daemon/presence_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "daemon/memory_file.h"

static bool map_head(struct presence_file *file, struct text *problem)
{
    void *head = MAP_FAILED;

    if (file->fd >= 0)
        head = mmap(NULL, PRESENCE_HEAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (head != MAP_FAILED) {
        file->head = head;
        return true;
    }
    text_add_format(problem, "cannot make memory for counts of sessions: %s", strerror(errno));
    if (file->fd >= 0)
        close(file->fd);
    return false;
}

bool presence_file_init(struct presence_file *file, struct text *problem)
{
    *file = (struct presence_file){ .fd = memory_file_share("postern-presence",
                                                            presence_memory_bytes()) };
    crypto_random(file->secret, sizeof file->secret);
    return map_head(file, problem);
}

bool presence_file_inherit(struct presence_file *file, int take_fd, const uint64_t secret[2],
                           struct text *problem)
{
    *file = (struct presence_file){ .fd = take_fd, .secret = { secret[0], secret[1] } };
    return map_head(file, problem);
}

void presence_file_clear(struct presence_file *file)
{
    if (file->head == NULL)
        return;
    munmap(file->head, PRESENCE_HEAD_BYTES);
    close(file->fd);
    *file = (struct presence_file){ 0 };
}

bool presence_file_take(struct presence_file *file, unsigned int *table, struct text *problem)
{
    if (presence_take_table(file->head, table))
        return true;
    text_add_string(problem, "there are more workers than can be counted");
    return false;
}

void presence_file_drop(struct presence_file *file, unsigned int table)
{
    off_t offset = (off_t)presence_table_offset(table);
    off_t length = (off_t)presence_table_bytes();

    /* One that cannot be emptied stays taken: better counted for too many than handed on. */
    if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0)
        presence_drop_table(file->head, table);
    else
        log_error("presence-stuck", "the counts of a worker that is gone cannot be dropped: %s",
                  strerror(errno));
}
