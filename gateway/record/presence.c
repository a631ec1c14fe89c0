/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is connected; see presence.h. A table is set-associative like a cache: the
 * fingerprint of a client says in which bucket it is, and there it is in any of
 * the ways. So a look takes one line of memory for each worker, and a table
 * neither grows nor has to be tidied up.
 *
 * Whoever has taken a worker over can write all of this memory, since it is one
 * file. So what is read from it is never more than a number: sums do not wrap,
 * and nothing is found by an index out of it.
 */
#include "record/presence.h"

#include <stdatomic.h>
#include <string.h>

#include "base/sip_hash.h"

#define TABLES_PER_WORD 64
#define TABLE_WORDS (PRESENCE_MAX_TABLES / TABLES_PER_WORD)
#define PAGE_BYTES 4096
#define LISTENER_MAX_BYTES 64

struct presence_head {
    _Atomic uint64_t taken[TABLE_WORDS]; /* a bit for each table, the lowest first */
};

struct table {
    /* 0: the way is free. Apart from the counts: a bucket of these is one line of the cache. */
    _Atomic uint64_t fingerprints[PRESENCE_BUCKETS][PRESENCE_WAYS];
    _Atomic uint32_t counts[PRESENCE_BUCKETS][PRESENCE_WAYS];
};

_Static_assert(sizeof(struct presence_head) <= PRESENCE_HEAD_BYTES, "the head is one page");
_Static_assert(sizeof(struct table) % PAGE_BYTES == 0, "a table can be dropped by pages");
_Static_assert((PRESENCE_BUCKETS & (PRESENCE_BUCKETS - 1)) == 0, "a power of two");

/* What a fingerprint is made of. */
enum kind { KIND_ADDRESS = 1, KIND_NETWORK };

size_t presence_table_bytes(void)
{
    return sizeof(struct table);
}

size_t presence_table_offset(unsigned int table)
{
    return PRESENCE_HEAD_BYTES + table * sizeof(struct table);
}

size_t presence_memory_bytes(void)
{
    return presence_table_offset(PRESENCE_MAX_TABLES);
}

/* ---- Which tables there are. */

bool presence_take_table(struct presence_head *head, unsigned int *table)
{
    for (unsigned int i = 0; i < PRESENCE_MAX_TABLES; i++) {
        uint64_t bit = (uint64_t)1 << i % TABLES_PER_WORD;

        if ((atomic_fetch_or(&head->taken[i / TABLES_PER_WORD], bit) & bit) != 0)
            continue;
        *table = i;
        return true;
    }
    return false;
}

void presence_drop_table(struct presence_head *head, unsigned int table)
{
    atomic_fetch_and(&head->taken[table / TABLES_PER_WORD],
                     ~((uint64_t)1 << table % TABLES_PER_WORD));
}

/* ---- Fingerprints. */

static uint64_t print_client(const struct presence *presence, enum kind kind, struct slice listener,
                             const struct ip_address *client)
{
    bool is_v4 = ip_is_v4(client);
    size_t length = kind == KIND_ADDRESS ? (is_v4 ? 16 : 8) : (is_v4 ? 15 : 6);
    char input[1 + sizeof client->bytes + LISTENER_MAX_BYTES] = { (char)kind };
    size_t name_length = slice_until(listener, LISTENER_MAX_BYTES).length;
    uint64_t fingerprint;

    memcpy(input + 1, client->bytes, length);
    memcpy(input + 1 + sizeof client->bytes, listener.data, name_length);
    fingerprint = sip_hash(presence->secret,
                           (struct slice){ input, 1 + sizeof client->bytes + name_length });
    return fingerprint != 0 ? fingerprint : 1;
}

/* ---- Tables. */

static struct table *find_table(const struct presence *presence, unsigned int number)
{
    return (void *)((char *)presence->memory + presence_table_offset(number));
}

static size_t bucket_of(uint64_t fingerprint)
{
    return fingerprint & (PRESENCE_BUCKETS - 1);
}

/* The way that holds it; PRESENCE_WAYS when none does. */
static size_t find_way(const struct table *table, uint64_t fingerprint)
{
    size_t bucket = bucket_of(fingerprint);
    size_t way = 0;

    while (way < PRESENCE_WAYS &&
           atomic_load_explicit(&table->fingerprints[bucket][way], memory_order_acquire) !=
               fingerprint)
        way++;
    return way;
}

/* False when its bucket is full. */
static bool add_one(struct table *table, uint64_t fingerprint)
{
    size_t bucket = bucket_of(fingerprint);
    size_t way = find_way(table, fingerprint);

    if (way < PRESENCE_WAYS) {
        atomic_fetch_add(&table->counts[bucket][way], 1);
        return true;
    }
    for (way = 0; way < PRESENCE_WAYS; way++) {
        if (atomic_load_explicit(&table->fingerprints[bucket][way], memory_order_relaxed) != 0)
            continue;
        /* The count first: who sees the fingerprint sees it. */
        atomic_store(&table->counts[bucket][way], 1);
        atomic_store(&table->fingerprints[bucket][way], fingerprint);
        return true;
    }
    return false;
}

static void take_one(struct table *table, uint64_t fingerprint)
{
    size_t bucket = bucket_of(fingerprint);
    size_t way = find_way(table, fingerprint);

    if (fingerprint == 0 || way == PRESENCE_WAYS)
        return;
    if (atomic_load(&table->counts[bucket][way]) > 1) {
        atomic_fetch_sub(&table->counts[bucket][way], 1);
        return;
    }
    atomic_store(&table->fingerprints[bucket][way], 0);
    atomic_store(&table->counts[bucket][way], 0);
}

/* Over the tables of all workers that live. */
static uint64_t sum_all(const struct presence *presence, uint64_t fingerprint)
{
    const struct presence_head *head = presence->memory;
    uint64_t sum = 0;

    for (unsigned int word = 0; word < TABLE_WORDS; word++) {
        uint64_t taken = atomic_load(&head->taken[word]);

        for (; taken != 0; taken &= taken - 1) {
            const struct table *table =
                find_table(presence, word * TABLES_PER_WORD + (unsigned int)__builtin_ctzll(taken));
            size_t way = find_way(table, fingerprint);

            if (way < PRESENCE_WAYS)
                sum += atomic_load(&table->counts[bucket_of(fingerprint)][way]);
        }
    }
    return sum;
}

/* ---- Sessions. */

struct presence_counts presence_enter(struct presence *presence, struct slice listener,
                                      const struct ip_address *client, struct presence_mark *mark)
{
    struct table *own = find_table(presence, presence->table);
    struct presence_mark prints = {
        .address = print_client(presence, KIND_ADDRESS, listener, client),
        .network = print_client(presence, KIND_NETWORK, listener, client),
    };

    mark->address = add_one(own, prints.address) ? prints.address : 0;
    mark->network = add_one(own, prints.network) ? prints.network : 0;
    /* Our own entries are there for all to see before we look at theirs. */
    atomic_thread_fence(memory_order_seq_cst);
    return (struct presence_counts){
        .address = sum_all(presence, prints.address) + (mark->address == 0),
        .network = sum_all(presence, prints.network) + (mark->network == 0),
    };
}

void presence_leave(struct presence *presence, struct presence_mark *mark)
{
    struct table *own = find_table(presence, presence->table);

    take_one(own, mark->address);
    take_one(own, mark->network);
    *mark = (struct presence_mark){ 0 };
}
