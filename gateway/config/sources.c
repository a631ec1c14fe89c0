/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a configuration; see sources.h. Packed, they are a mark, their
 * number, and for each its kind, two lengths, its path and its bytes. Lengths
 * are in this machine's byte order: the packed form never leaves the machine.
 */
#include "config/sources.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define MARK "postern sources 1\n"
#define MARK_LENGTH (sizeof MARK - 1)

/* Whether `fetch` was asked for a file or to expand a pattern; first byte of its key in the map. */
enum entry_kind { ENTRY_FILE = 'f', ENTRY_PATTERN = 'p' };

struct entry {
    enum entry_kind kind;
    char *path;         /* owned */
    struct slice bytes; /* of the file, or the paths that the pattern gave */
    char *owned_bytes;  /* NULL when `bytes` lies in a packed run */
};

struct sources {
    /* Lent by the owner. */
    sources_fetch_fn fetch; /* NULL: only what was packed */
    void *owner;
    /* State. */
    struct map entries;     /* kind and path -> struct entry */
    struct entry **order;   /* the same, in the order they came */
    size_t count;
    size_t capacity;
    struct map kept;        /* text -> owned copy of it */
};

struct packed_head {
    uint64_t kind;
    uint64_t path_length;
    uint64_t bytes_length;
};

struct sources *sources_new(sources_fetch_fn fetch, void *owner)
{
    struct sources *sources = mem_new(sizeof *sources);

    sources->fetch = fetch;
    sources->owner = owner;
    map_init(&sources->entries);
    map_init(&sources->kept);
    return sources;
}

void sources_free(struct sources **sources)
{
    struct sources *old = *sources;
    const struct map_entry *kept;
    size_t position = 0;

    if (old == NULL)
        return;
    for (size_t i = 0; i < old->count; i++) {
        mem_free(old->order[i]->path);
        mem_free(old->order[i]->owned_bytes);
        mem_free(old->order[i]);
    }
    mem_free(old->order);
    while ((kept = map_next(&old->kept, &position)) != NULL)
        mem_free(kept->value);
    map_clear(&old->entries);
    map_clear(&old->kept);
    mem_free(old);
    *sources = NULL;
}

static void make_key(struct text *key, enum entry_kind kind, struct slice path)
{
    text_init(key, TEXT_MAX_LENGTH);
    text_add_byte(key, (char)kind);
    text_add(key, path);
}

static struct entry *find_entry(const struct sources *sources, enum entry_kind kind,
                                struct slice path)
{
    struct text key;
    struct entry *entry;

    make_key(&key, kind, path);
    entry = map_find(&sources->entries, text_slice(&key));
    text_clear(&key);
    return entry;
}

static struct entry *add_entry(struct sources *sources, enum entry_kind kind, struct slice path)
{
    struct entry *entry = mem_new(sizeof *entry);
    struct text key;

    entry->kind = kind;
    entry->path = mem_copy(path);
    make_key(&key, kind, path);
    map_set(&sources->entries, text_slice(&key), entry);
    text_clear(&key);
    sources->order = mem_grow(sources->order, sources->count, &sources->capacity,
                              sizeof(*sources->order));
    sources->order[sources->count++] = entry;
    return entry;
}

static bool get(struct sources *sources, enum entry_kind kind, const char *path,
                struct slice *bytes, struct text *problem)
{
    struct entry *entry = find_entry(sources, kind, slice_from(path));
    char *fetched = NULL;
    size_t length = 0;

    if (entry == NULL) {
        if (sources->fetch == NULL) {
            text_add_string(problem, "not among the files that were handed over");
            return false;
        }
        if (!sources->fetch(sources->owner, path, kind == ENTRY_PATTERN, &fetched, &length,
                            problem))
            return false;
        entry = add_entry(sources, kind, slice_from(path));
        entry->owned_bytes = fetched;
        entry->bytes = (struct slice){ fetched, length };
    }
    *bytes = entry->bytes;
    return true;
}

bool sources_get_file(struct sources *sources, const char *path, struct slice *bytes,
                      struct text *problem)
{
    return get(sources, ENTRY_FILE, path, bytes, problem);
}

bool sources_get_paths(struct sources *sources, const char *pattern, struct slice *paths,
                       struct text *problem)
{
    return get(sources, ENTRY_PATTERN, pattern, paths, problem);
}

const char *sources_keep_path(struct sources *sources, const char *path)
{
    struct slice text = slice_from(path);
    char *kept = map_find(&sources->kept, text);

    if (kept == NULL) {
        kept = mem_copy(text);
        map_set(&sources->kept, text, kept);
    }
    return kept;
}

const char *sources_resolve_path(struct sources *sources, const char *from, struct slice path)
{
    struct slice folder = slice_from(from);
    struct text resolved;
    const char *kept;
    size_t slash;

    text_init(&resolved, TEXT_MAX_LENGTH);
    while (slice_has_prefix(path, SLICE("./")))
        path = slice_from_offset(path, 2);
    if (!slice_has_prefix(path, SLICE("/")) && slice_find_last_byte(folder, '/', &slash))
        text_add(&resolved, slice_until(folder, slash + 1));
    text_add(&resolved, path);
    kept = sources_keep_path(sources, text_string(&resolved));
    text_clear(&resolved);
    return kept;
}

void sources_pack(const struct sources *sources, struct text *out)
{
    uint64_t count = sources->count;

    text_add(out, (struct slice){ MARK, MARK_LENGTH });
    text_add(out, (struct slice){ (const char *)&count, sizeof count });
    for (size_t i = 0; i < sources->count; i++) {
        const struct entry *entry = sources->order[i];
        struct packed_head head = {
            .kind = entry->kind,
            .path_length = strlen(entry->path),
            .bytes_length = entry->bytes.length,
        };

        text_add(out, (struct slice){ (const char *)&head, sizeof head });
        text_add_string(out, entry->path);
        text_add(out, entry->bytes);
    }
}

/* Cuts `length` bytes off the front of `*rest`; false when there are fewer. */
static bool take(struct slice *rest, uint64_t length, struct slice *taken)
{
    if (length > rest->length)
        return false;
    *taken = slice_until(*rest, (size_t)length);
    *rest = slice_from_offset(*rest, (size_t)length);
    return true;
}

static bool take_number(struct slice *rest, uint64_t *number)
{
    struct slice taken;

    if (!take(rest, sizeof *number, &taken))
        return false;
    memcpy(number, taken.data, sizeof *number);
    return true;
}

static bool unpack_entry(struct sources *sources, struct slice *rest)
{
    struct packed_head head;
    struct slice path;
    struct slice bytes;
    struct entry *entry;
    size_t nul;

    if (!take_number(rest, &head.kind) || !take_number(rest, &head.path_length) ||
        !take_number(rest, &head.bytes_length) || !take(rest, head.path_length, &path) ||
        !take(rest, head.bytes_length, &bytes))
        return false;
    if (head.kind != ENTRY_FILE && head.kind != ENTRY_PATTERN)
        return false;
    if (slice_find_byte(path, '\0', &nul) ||
        find_entry(sources, (enum entry_kind)head.kind, path) != NULL)
        return false;
    entry = add_entry(sources, (enum entry_kind)head.kind, path);
    entry->bytes = bytes;
    return true;
}

bool sources_unpack(struct sources *sources, struct slice packed)
{
    struct slice mark;
    uint64_t count;

    if (!take(&packed, MARK_LENGTH, &mark) ||
        !slice_equals(mark, (struct slice){ MARK, MARK_LENGTH }) || !take_number(&packed, &count))
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!unpack_entry(sources, &packed))
            return false;
    return packed.length == 0;
}
