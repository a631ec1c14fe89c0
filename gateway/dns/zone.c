/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of a zone file and the answers from them; see zone.h. Names above one
 * with records are entered too, so "is it there?" is one look into the map, and the
 * nearest name above one that is not there is found by dropping label after label.
 */
#include "dns/zone.h"

#include "base/map.h"
#include "base/memory.h"
#include "dns/zone_internal.h"

#define MAX_ALIASES 10
/* How long it may be kept that there is nothing; a file changes with a reload only. */
#define NOTHING_TTL_S 300
/* "*" in the one form. */
#define STAR SLICE("\\042")

struct zone_item {
    enum dns_type type;
    uint32_t ttl_s;
    struct dns_record record;
    char *bytes;              /* owned */
};

struct zone_failure {
    enum dns_type type;
    bool is_all;
};

struct zone_name {
    struct zone_item *items;  /* owned */
    size_t count;
    size_t capacity;
    struct zone_failure *failures; /* owned */
    size_t failure_count;
};

struct zone {
    struct map names;         /* in the one form -> struct zone_name, owned */
};

struct zone *zone_new(struct slice bytes, struct zone_problem *problem)
{
    struct zone *zone = mem_new(sizeof *zone);

    map_init(&zone->names);
    if (!zone_parse(zone, bytes, problem))
        zone_free(&zone);
    return zone;
}

static void free_name(struct zone_name *name)
{
    for (size_t i = 0; i < name->count; i++)
        mem_free(name->items[i].bytes);
    mem_free(name->items);
    mem_free(name->failures);
    mem_free(name);
}

void zone_free(struct zone **handle)
{
    struct zone *zone = *handle;
    const struct map_entry *entry;
    size_t position = 0;

    if (zone == NULL)
        return;
    while ((entry = map_next(&zone->names, &position)) != NULL)
        free_name(entry->value);
    map_clear(&zone->names);
    mem_free(zone);
    *handle = NULL;
}

/* ---- Putting in. */

/* A dot stands between labels only: in a label it is written \046. */
static struct slice find_parent(struct slice name)
{
    size_t dot;

    return slice_find_byte(name, '.', &dot) ? slice_from_offset(name, dot + 1) : SLICE_EMPTY;
}

void zone_add_name(struct zone *zone, struct slice name)
{
    while (map_find(&zone->names, name) == NULL) {
        map_set(&zone->names, name, mem_new(sizeof(struct zone_name)));
        if (name.length == 0)
            return;
        name = find_parent(name);
        if (name.length == 0) /* the root is there when the file names it */
            return;
    }
}

bool zone_add_record(struct zone *zone, struct slice name, enum dns_type type, uint32_t ttl_s,
                     const struct dns_record *record)
{
    struct zone_name *entry;
    struct zone_item *item;

    zone_add_name(zone, name);
    entry = map_find(&zone->names, name);
    if (entry->count > 0 && (type == DNS_TYPE_CNAME || entry->items[0].type == DNS_TYPE_CNAME))
        return false;
    entry->items = mem_grow(entry->items, entry->count, &entry->capacity, sizeof *entry->items);
    item = &entry->items[entry->count++];
    *item = (struct zone_item){ .type = type, .ttl_s = ttl_s, .record = *record,
                                .bytes = mem_copy(record->bytes) };
    item->record.bytes.data = item->bytes;
    return true;
}

void zone_add_failure(struct zone *zone, struct slice name, enum dns_type type, bool is_all)
{
    struct zone_name *entry;

    zone_add_name(zone, name);
    entry = map_find(&zone->names, name);
    entry->failures = mem_resize(entry->failures, entry->failure_count + 1,
                                 sizeof *entry->failures);
    entry->failures[entry->failure_count++] = (struct zone_failure){ type, is_all };
}

/* ---- Looking up. */

/* The name, or the wildcard that stands for it. */
static const struct zone_name *find_name(const struct zone *zone, struct slice name)
{
    const struct zone_name *found = map_find(&zone->names, name);
    struct text wildcard;

    if (found != NULL || name.length == 0)
        return found;
    do
        name = find_parent(name);
    while (name.length > 0 && map_find(&zone->names, name) == NULL);
    text_init(&wildcard, DNS_NAME_MAX_BYTES + 5);
    text_add(&wildcard, STAR);
    if (name.length > 0)
        text_add_byte(&wildcard, '.');
    text_add(&wildcard, name);
    found = map_find(&zone->names, text_slice(&wildcard));
    text_clear(&wildcard);
    return found;
}

static bool is_failing(const struct zone_name *name, enum dns_type type)
{
    for (size_t i = 0; i < name->failure_count; i++)
        if (name->failures[i].is_all || name->failures[i].type == type)
            return true;
    return false;
}

static void lower_ttl(uint32_t *ttl_s, uint32_t other_s)
{
    if (*ttl_s > other_s)
        *ttl_s = other_s;
}

/* What the name has of this type, or nothing. */
static struct dns_answer *collect(const struct zone_name *name, enum dns_type type,
                                  uint32_t ttl_s)
{
    struct dns_record *records = mem_new_array(name->count + 1, sizeof *records);
    struct dns_answer *answer;
    size_t count = 0;

    for (size_t i = 0; i < name->count; i++) {
        if (name->items[i].type != type)
            continue;
        records[count++] = name->items[i].record;
        lower_ttl(&ttl_s, name->items[i].ttl_s);
    }
    if (count == 0)
        lower_ttl(&ttl_s, NOTHING_TTL_S);
    answer = dns_answer_new(DNS_FOUND, records, count);
    answer->ttl_s = ttl_s;
    mem_free(records);
    return answer;
}

struct dns_answer *zone_answer(const struct zone *zone, struct slice name, enum dns_type type)
{
    const struct zone_name *found = find_name(zone, name);
    uint32_t ttl_s = INT32_MAX;

    if (found == NULL)
        return NULL;
    for (int hops = 0; hops <= MAX_ALIASES; hops++) {
        if (found == NULL)
            return dns_answer_new_failed("alias out of local data");
        if (is_failing(found, type))
            return dns_answer_new_failed("local data");
        if (type == DNS_TYPE_CNAME || found->count == 0 || found->items[0].type != DNS_TYPE_CNAME)
            return collect(found, type, ttl_s);
        lower_ttl(&ttl_s, found->items[0].ttl_s);
        found = find_name(zone, found->items[0].record.bytes);
    }
    return dns_answer_new_failed("too many aliases");
}
