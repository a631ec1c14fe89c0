/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A doubly linked list whose links live inside its members: no allocation, and
 * a member leaves in constant time. A link that is in no list points to itself.
 */
#ifndef POSTERN_BASE_LIST_H
#define POSTERN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

/* The structure that holds `link` as its member `field`. */
#define LIST_OWNER(link, type, field) \
    ((type *)(void *)((char *)(link) - offsetof(type, field)))

/* Makes an empty list, or a link that is in none. */
static inline void list_init(struct list_link *link)
{
    link->next = link->previous = link;
}

static inline bool list_is_empty(const struct list_link *list)
{
    return list->next == list;
}

/* `link` must be in no list. */
static inline void list_add_last(struct list_link *list, struct list_link *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

static inline void list_add_first(struct list_link *list, struct list_link *link)
{
    list_add_last(list->next, link);
}

/* Out of whatever list it is in; harmless when in none. */
static inline void list_remove(struct list_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* The first link, taken out, or NULL when the list is empty. */
static inline struct list_link *list_take_first(struct list_link *list)
{
    struct list_link *first = list->next;

    if (first == list)
        return NULL;
    list_remove(first);
    return first;
}

#endif
