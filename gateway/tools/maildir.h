/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Maildir as the place where received mail ends: written in tmp/, brought to
 * disk, renamed into new/. Names are of our making alone; nothing that a client
 * says becomes part of a path.
 *
 * The files that are finished within one turn of the loop go to disk together
 * at its end: each is synced, then the folder once for all. That blocks the loop
 * for as long as the disk takes, which a server for tests may do.
 */
#ifndef POSTERN_TOOLS_MAILDIR_H
#define POSTERN_TOOLS_MAILDIR_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"
#include "net/loop.h"

struct maildir;

enum maildir_result {
    MAILDIR_STORED, /* in new/ and, with `is_synced`, on disk */
    MAILDIR_FULL,   /* the disk or a quota; nothing is left of it */
    MAILDIR_FAILED, /* any other error, which was logged; nothing is left of it */
};

/*
 * Makes what is missing of PATH, its tmp, new and cur. `hostname` is a domain in
 * its one form and becomes part of the names. NULL and a sentence when it cannot.
 */
struct maildir *maildir_new(struct loop *loop, const char *path, const char *hostname,
                            bool is_synced, struct text *problem);
/* All its files must be gone. NULL is fine. */
void maildir_free(struct maildir **maildir);

struct maildir_file;
typedef void (*maildir_done_fn)(void *owner, enum maildir_result result);

/* A new file in tmp/; what fails is told by `done`. `id` is unique, of letters and digits only. */
struct maildir_file *maildir_file_new(struct maildir *maildir, const char *id);
void maildir_file_add(struct maildir_file *file, struct slice bytes);
/* Brings it to new/. `done` comes once, from the loop; maildir_file_free takes that back. */
void maildir_file_start(struct maildir_file *file, maildir_done_fn done, void *owner);
/* Removes the file from tmp/, unless it was stored. NULL is fine. */
void maildir_file_free(struct maildir_file **file);

#endif
