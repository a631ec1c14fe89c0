/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash map with linear probing; see map.h. */
#include "base/map.h"

#include "base/crypto.h"
#include "base/memory.h"
#include "base/sip_hash.h"

static uint64_t secret[2];
static bool has_secret;

static uint64_t hash_key(struct slice key)
{
    if (!has_secret) {
        crypto_random(secret, sizeof secret);
        has_secret = true;
    }
    return sip_hash(secret, key);
}

void map_init(struct map *map)
{
    *map = (struct map){ 0 };
}

static void free_entry(struct map_entry *entry)
{
    if (entry == NULL)
        return;
    mem_free((char *)(uintptr_t)entry->key.data);
    mem_free(entry);
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->slot_count; i++)
        free_entry(map->slots[i]);
    mem_free(map->slots);
    map_init(map);
}

/* The slot that holds `key`, or the free one where it belongs. Needs a free slot. */
static size_t find_slot(const struct map *map, struct slice key)
{
    size_t slot = hash_key(key) & (map->slot_count - 1);

    while (map->slots[slot] != NULL && !slice_equals(map->slots[slot]->key, key))
        slot = (slot + 1) & (map->slot_count - 1);
    return slot;
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->slot_count = old.slot_count > 0 ? old.slot_count * 2 : 8;
    map->slots = mem_new_array(map->slot_count, sizeof(*map->slots));
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i] != NULL)
            map->slots[find_slot(map, old.slots[i]->key)] = old.slots[i];
    mem_free(old.slots);
}

void *map_find(const struct map *map, struct slice key)
{
    const struct map_entry *entry;

    if (map->slot_count == 0)
        return NULL;
    entry = map->slots[find_slot(map, key)];
    return entry != NULL ? entry->value : NULL;
}

void *map_set(struct map *map, struct slice key, void *value)
{
    size_t slot;
    struct map_entry *entry;
    void *previous;

    if ((map->count + 1) * 4 > map->slot_count * 3)
        grow(map);
    slot = find_slot(map, key);
    entry = map->slots[slot];
    if (entry == NULL) {
        entry = mem_new(sizeof *entry);
        entry->key = (struct slice){ mem_copy(key), key.length };
        map->slots[slot] = entry;
        map->count++;
    }
    previous = entry->value;
    entry->value = value;
    return previous;
}

const struct map_entry *map_next(const struct map *map, size_t *position)
{
    while (*position < map->slot_count) {
        const struct map_entry *entry = map->slots[(*position)++];

        if (entry != NULL)
            return entry;
    }
    return NULL;
}
