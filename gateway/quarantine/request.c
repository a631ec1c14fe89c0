/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern quarantine` asks of the keeper; see request.h. */
#include "quarantine/request.h"

#include <assert.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/number.h"

static const char *const verbs[REQUEST_VERB_COUNT] = {
    [REQUEST_LIST] = "list",       [REQUEST_SHOW] = "show",     [REQUEST_EXPORT] = "export",
    [REQUEST_RELEASE] = "release", [REQUEST_DELETE] = "delete", [REQUEST_EXPIRE] = "expire",
};
static const char *const styles[] = {
    [REQUEST_FOR_PEOPLE] = "people",
    [REQUEST_JSON] = "json",
    [REQUEST_IDS] = "ids",
};

const char *request_verb_name(enum request_verb verb)
{
    return verbs[verb];
}

void request_init(struct request *request, enum request_verb verb)
{
    *request = (struct request){ .verb = verb };
}

void request_clear(struct request *request)
{
    mem_free(request->ids);
    mem_free(request->words);
    request_init(request, request->verb);
}

void request_add_id(struct request *request, const char *id)
{
    assert(request->id_count < REQUEST_MAX_IDS);
    request->ids = mem_resize(request->ids, request->id_count + 1, sizeof *request->ids);
    request->ids[request->id_count++] = id;
}

/* ---- The words: key, space, value. One table for both ways. */

enum key_form { KEY_TEXT, KEY_NUMBER };

static const struct key {
    const char *name;
    enum key_form form;
    size_t offset; /* in struct index_filter */
} keys[] = {
#define FILTER(field) offsetof(struct index_filter, field)
    { "filter-id", KEY_TEXT, FILTER(id) },
    { "sender", KEY_TEXT, FILTER(sender) },
    { "recipient", KEY_TEXT, FILTER(recipient) },
    { "client", KEY_TEXT, FILTER(client) },
    { "reason", KEY_TEXT, FILTER(reason) },
    { "text", KEY_TEXT, FILTER(text) },
    { "since", KEY_NUMBER, FILTER(since_us) },
    { "before", KEY_NUMBER, FILTER(before_us) },
#undef FILTER
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

static void add_line(struct text *out, const char *key, const char *value)
{
    text_add_format(out, "%s %s\n", key, value);
}

static void add_number(struct text *out, const char *key, uint64_t value)
{
    text_add_format(out, "%s ", key);
    text_add_number(out, value);
    text_add_byte(out, '\n');
}

void request_print(struct text *out, const struct request *request)
{
    const char *filter = (const char *)&request->filter;

    add_line(out, "verb", verbs[request->verb]);
    add_line(out, "style", styles[request->style]);
    if (request->is_again)
        add_line(out, "again", "yes");
    if (request->filter.states != 0)
        add_number(out, "states", request->filter.states);
    if (request->filter.limit != 0)
        add_number(out, "limit", request->filter.limit);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const void *place = filter + keys[i].offset;

        if (keys[i].form == KEY_TEXT && *(const char *const *)place != NULL)
            add_line(out, keys[i].name, *(const char *const *)place);
        else if (keys[i].form == KEY_NUMBER && *(const uint64_t *)place != 0)
            add_number(out, keys[i].name, *(const uint64_t *)place);
    }
    for (size_t i = 0; i < request->id_count; i++)
        add_line(out, "id", request->ids[i]);
}

static bool find_word(const char *const *words, size_t count, struct slice value, size_t *index)
{
    for (*index = 0; *index < count; ++*index)
        if (slice_equals(value, slice_from(words[*index])))
            return true;
    return false;
}

static bool take_number(struct slice value, uint64_t max, uint64_t *number)
{
    return number_parse(value, max, number) && *number > 0;
}

static bool take_filter(struct request *request, struct slice key, struct slice value)
{
    char *filter = (char *)&request->filter;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        void *place = filter + keys[i].offset;

        if (!slice_equals(key, slice_from(keys[i].name)))
            continue;
        if (keys[i].form == KEY_NUMBER)
            return take_number(value, UINT64_MAX / 2, place);
        *(const char **)place = value.data;
        return value.length > 0;
    }
    return false;
}

/* `value` ends with a NUL: line ends have become such. */
static bool take_line(struct request *request, struct slice key, struct slice value)
{
    size_t index;
    uint64_t number;

    if (slice_equals(key, SLICE("verb"))) {
        if (!find_word(verbs, REQUEST_VERB_COUNT, value, &index))
            return false;
        request->verb = (enum request_verb)index;
    } else if (slice_equals(key, SLICE("style"))) {
        if (!find_word(styles, sizeof styles / sizeof styles[0], value, &index))
            return false;
        request->style = (enum request_style)index;
    } else if (slice_equals(key, SLICE("again"))) {
        request->is_again = true;
    } else if (slice_equals(key, SLICE("states"))) {
        if (!take_number(value, (1u << COPY_STATE_COUNT) - 1, &number))
            return false;
        request->filter.states = (unsigned int)number;
    } else if (slice_equals(key, SLICE("limit"))) {
        if (!take_number(value, SIZE_MAX / 2, &number))
            return false;
        request->filter.limit = (size_t)number;
    } else if (slice_equals(key, SLICE("id"))) {
        if (!copy_id_is_valid(value) || request->id_count == REQUEST_MAX_IDS)
            return false;
        request_add_id(request, value.data);
    } else {
        return take_filter(request, key, value);
    }
    return true;
}

static bool has_control_bytes(struct slice line)
{
    for (size_t i = 0; i < line.length; i++)
        if ((unsigned char)line.data[i] < ' ' || line.data[i] == 0x7f)
            return true;
    return false;
}

bool request_parse(struct request *request, struct slice text, struct text *problem)
{
    struct slice rest;
    struct slice line;
    size_t space;

    request->words = mem_copy(text);
    rest = (struct slice){ request->words, text.length };
    while (slice_next(&rest, '\n', &line)) {
        if (line.length == 0 && rest.length == 0)
            break;
        request->words[line.data - request->words + (ptrdiff_t)line.length] = '\0';
        if (!has_control_bytes(line) && slice_find_byte(line, ' ', &space) &&
            take_line(request, slice_until(line, space), slice_from_offset(line, space + 1)))
            continue;
        text_add_string(problem, "not understood: ");
        escape_add_ascii(problem, slice_until(line, 100));
        request_clear(request);
        return false;
    }
    return true;
}

uint64_t request_count_back(uint64_t now_us, uint64_t age_ms)
{
    return age_ms < now_us / 1000 ? now_us - age_ms * 1000 : 1;
}
