/* SPDX-License-Identifier: BSD-2-Clause */
/* Findings about a configuration; see diagnostics.h. */
#include "config/diagnostics.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/escape.h"
#include "base/memory.h"

/* A file of nothing but mistakes gets this many sentences; the errors are counted all the same. */
#define MAX_ITEMS 1000
#define MAX_SENTENCE_BYTES 1000
/* Longer words are no misspelling of ours. */
#define MAX_SUGGEST_BYTES 40
#define MAX_SUGGEST_DISTANCE 2

void diagnostics_init(struct diagnostics *diagnostics)
{
    *diagnostics = (struct diagnostics){ 0 };
}

void diagnostics_clear(struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        mem_free((char *)(uintptr_t)diagnostics->items[i].at.path);
        mem_free(diagnostics->items[i].sentence);
        mem_free(diagnostics->items[i].waived_because);
    }
    mem_free(diagnostics->items);
    diagnostics_init(diagnostics);
}

/* Escapes all but the double quotes, which are ours: they stand around what was written. */
static void add_visible(struct text *out, struct slice sentence)
{
    while (sentence.length > 0) {
        size_t quote = sentence.length;

        (void)slice_find_byte(sentence, '"', &quote);
        escape_add_ascii(out, slice_until(sentence, quote));
        if (quote < sentence.length)
            text_add_byte(out, '"');
        sentence = slice_from_offset(sentence, quote + 1);
    }
}

static char *make_sentence(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

static char *make_sentence(const char *format, va_list arguments)
{
    struct text raw;
    struct text visible;
    char *sentence;

    text_init(&raw, MAX_SENTENCE_BYTES);
    text_init(&visible, MAX_SENTENCE_BYTES);
    text_add_format_list(&raw, format, arguments);
    add_visible(&visible, text_slice(&raw));
    sentence = mem_copy(text_slice(&visible));
    text_clear(&raw);
    text_clear(&visible);
    return sentence;
}

void diagnostics_add(struct diagnostics *diagnostics, enum severity severity, const char *id,
                     struct position at, const char *format, ...)
{
    va_list arguments;

    if (severity == SEVERITY_ERROR)
        diagnostics->error_count++;
    if (diagnostics->count >= MAX_ITEMS)
        return;
    diagnostics->items = mem_grow(diagnostics->items, diagnostics->count, &diagnostics->capacity,
                                  sizeof *diagnostics->items);
    at.path = mem_copy(slice_from(at.path));
    va_start(arguments, format);
    diagnostics->items[diagnostics->count++] = (struct diagnostic){
        .severity = severity,
        .id = id,
        .at = at,
        .sentence = make_sentence(format, arguments),
    };
    va_end(arguments);
}

static const char *kind_of(const struct diagnostic *diagnostic)
{
    static const char *const names[] = { "error", "warning", "note" };

    return diagnostic->waived_because != NULL ? "waived" : names[diagnostic->severity];
}

void diagnostic_print(struct text *out, const struct diagnostic *diagnostic)
{
    if (diagnostic->at.path[0] != '\0') {
        add_visible(out, slice_from(diagnostic->at.path));
        if (diagnostic->at.line > 0)
            text_add_format(out, ":%u:%u", diagnostic->at.line, diagnostic->at.column);
        text_add_string(out, ": ");
    }
    text_add_format(out, "%s: %s [%s]", kind_of(diagnostic), diagnostic->sentence, diagnostic->id);
    if (diagnostic->waived_because != NULL) {
        text_add_string(out, " because: ");
        add_visible(out, slice_from(diagnostic->waived_because));
    }
    text_add_byte(out, '\n');
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time, without regard to case. */
static size_t distance_between(struct slice a, struct slice b)
{
    size_t row[MAX_SUGGEST_BYTES + 1];

    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            bool is_same = ascii_lower(a.data[i - 1]) == ascii_lower(b.data[j - 1]);
            size_t replaced = diagonal + (is_same ? 0 : 1);

            diagonal = row[j];
            row[j] = smallest(replaced, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.length];
}

const char *diagnostics_suggest(struct slice word, const char *const *known, size_t count)
{
    const char *best = NULL;
    size_t best_distance = MAX_SUGGEST_DISTANCE + 1;

    if (word.length > MAX_SUGGEST_BYTES)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct slice candidate = slice_from(known[i]);
        size_t distance;

        if (candidate.length > MAX_SUGGEST_BYTES)
            continue;
        distance = distance_between(word, candidate);
        /* As many changes as letters would turn any word into any other. */
        if (distance < best_distance && distance < candidate.length && distance < word.length) {
            best = known[i];
            best_distance = distance;
        }
    }
    return best;
}
