/* SPDX-License-Identifier: BSD-2-Clause */
/* Who holds how much; see hoard.h. */
#include "base/hoard.h"

/* Below this is the lowest class; each further one begins at twice the one before it. */
#define LOWEST_BYTES 4096

void hoard_init(struct hoard *hoard)
{
    for (size_t i = 0; i < HOARD_CLASSES; i++)
        list_init(&hoard->classes[i]);
}

void hoarder_init(struct hoarder *hoarder, void *owner)
{
    *hoarder = (struct hoarder){ .owner = owner };
    list_init(&hoarder->link);
}

static unsigned int find_class(uint64_t bytes)
{
    unsigned int class = 0;

    while (bytes >= LOWEST_BYTES && class < HOARD_CLASSES - 1) {
        bytes /= 2;
        class++;
    }
    return class;
}

void hoard_note(struct hoard *hoard, struct hoarder *hoarder, uint64_t bytes)
{
    unsigned int class = find_class(bytes);
    bool is_in = !list_is_empty(&hoarder->link);

    if (is_in && bytes > 0 && class == hoarder->class)
        return;
    list_remove(&hoarder->link);
    hoarder->class = class;
    if (bytes > 0)
        list_add_last(&hoard->classes[class], &hoarder->link);
}

void *hoard_find(const struct hoard *hoard, uint64_t least_bytes)
{
    unsigned int lowest = find_class(least_bytes);

    for (unsigned int class = HOARD_CLASSES; class-- > lowest;) {
        const struct list_link *list = &hoard->classes[class];

        if (!list_is_empty(list))
            return LIST_OWNER(list->next, struct hoarder, link)->owner;
    }
    return NULL;
}
