/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds how much of something that all share, in classes of size, so that
 * whoever holds much can be found at once among thousands. It counts nothing
 * and takes nothing away.
 */
#ifndef POSTERN_BASE_HOARD_H
#define POSTERN_BASE_HOARD_H

#include <stdint.h>

#include "base/list.h"

#define HOARD_CLASSES 24

struct hoard {
    struct list_link classes[HOARD_CLASSES]; /* who came into a class first is its first */
};

/* Embedded in whoever holds something. */
struct hoarder {
    struct list_link link;
    unsigned int class; /* while it is in a list */
    void *owner;
};

void hoard_init(struct hoard *hoard);
/* Holds nothing yet. `owner` is what hoard_find gives. */
void hoarder_init(struct hoarder *hoarder, void *owner);
/* It holds so much now; with 0 it is found no more, and may go. */
void hoard_note(struct hoard *hoard, struct hoarder *hoarder, uint64_t bytes);
/*
 * The owner that has been longest in the highest class that anybody is in; NULL where that is lower
 * than the class of `least_bytes`, and where there is nobody.
 */
void *hoard_find(const struct hoard *hoard, uint64_t least_bytes);

#endif
