/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash map with linear probing; see map.h. */
#include "base/map.h"

#include <string.h>

#include "base/crypto.h"
#include "base/memory.h"

static uint64_t secret[2];
static bool has_secret;

static uint64_t rotate(uint64_t value, unsigned int bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_key(struct slice key)
{
    uint64_t v[4];
    size_t offset = 0;
    uint64_t word;

    if (!has_secret) {
        crypto_random(secret, sizeof secret);
        has_secret = true;
    }
    v[0] = secret[0] ^ 0x736f6d6570736575ull;
    v[1] = secret[1] ^ 0x646f72616e646f6dull;
    v[2] = secret[0] ^ 0x6c7967656e657261ull;
    v[3] = secret[1] ^ 0x7465646279746573ull;
    for (; offset + 8 <= key.length; offset += 8) {
        memcpy(&word, key.data + offset, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)key.length << 56;
    for (size_t i = 0; offset + i < key.length; i++)
        word |= (uint64_t)(unsigned char)key.data[offset + i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
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
