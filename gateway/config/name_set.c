/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A large set of names; see name_set.h. The hash has no secret: names come from
 * the owner's files, and whoever only asks cannot make them collide.
 */
#include "config/name_set.h"

#include <stdint.h>

#include "base/memory.h"

void name_set_init(struct name_set *set)
{
    *set = (struct name_set){ 0 };
}

void name_set_clear(struct name_set *set)
{
    mem_free(set->slots);
    name_set_init(set);
}

/* FNV-1a over the lower-case bytes, its high bits folded into the low ones that pick the slot. */
static size_t hash_name(struct slice name)
{
    uint64_t hash = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)ascii_lower(name.data[i])) * 0x100000001b3ull;
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds `name`, or the free one where it belongs. Needs a free slot. */
static size_t find_slot(const struct name_set *set, struct slice name)
{
    size_t slot = hash_name(name) & (set->slot_count - 1);

    while (set->slots[slot].data != NULL && !slice_equals_nocase(set->slots[slot], name))
        slot = (slot + 1) & (set->slot_count - 1);
    return slot;
}

static void grow(struct name_set *set)
{
    struct name_set old = *set;

    set->slot_count = old.slot_count > 0 ? old.slot_count * 2 : 8;
    set->slots = mem_new_array(set->slot_count, sizeof *set->slots);
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i].data != NULL)
            set->slots[find_slot(set, old.slots[i])] = old.slots[i];
    mem_free(old.slots);
}

void name_set_add(struct name_set *set, struct slice name)
{
    size_t slot;

    if ((set->count + 1) * 4 > set->slot_count * 3)
        grow(set);
    slot = find_slot(set, name);
    if (set->slots[slot].data == NULL) {
        set->slots[slot] = name;
        set->count++;
    }
}

bool name_set_has(const struct name_set *set, struct slice name)
{
    return set->slot_count > 0 && set->slots[find_slot(set, name)].data != NULL;
}
