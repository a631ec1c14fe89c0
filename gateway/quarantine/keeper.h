/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper: the one process that owns the quarantine folder. It stores copies
 * for the workers, in groups that go to the disk together, carries out what
 * owners ask for, and lets nothing go that somebody still counts on.
 */
#ifndef POSTERN_QUARANTINE_KEEPER_H
#define POSTERN_QUARANTINE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "net/loop.h"

struct keeper;

struct keeper_settings {
    uint64_t max_bytes;  /* of all files */
    uint64_t max_age_ms;
    uint64_t max_mail_bytes; /* of one message: what a worker's spool can hold */
};

/*
 * Opens the folder, brings its index up to date, marks what a crash left uncertain, and listens for
 * `postern quarantine`. NULL and a sentence when that cannot be done.
 */
struct keeper *keeper_new(struct loop *loop, int take_folder_fd,
                          const struct keeper_settings *settings, struct text *problem)
    __attribute__((warn_unused_result));
void keeper_free(struct keeper **keeper);

/* They are in force from the next copy on. */
void keeper_set_settings(struct keeper *keeper, const struct keeper_settings *settings);
/* The other end of a worker's channel. */
void keeper_add_worker(struct keeper *keeper, int take_channel);
/* No more requests; and no worker is left that could want something. */
void keeper_leave(struct keeper *keeper);
bool keeper_is_alone(const struct keeper *keeper);

#endif
