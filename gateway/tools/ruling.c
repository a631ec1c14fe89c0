/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of a mail, to be compared; see ruling.h. */
#include "tools/ruling.h"

#include <string.h>

#include "base/memory.h"

static char *keep(const char *text)
{
    return mem_copy(slice_from(text));
}

static char *join_tags(const struct record *record)
{
    struct text text;
    char *tags;

    text_init(&text, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < record->tag_count; i++)
        text_add_format(&text, "%s%s", i > 0 ? "," : "", record->tags[i]);
    tags = keep(text_string(&text));
    text_clear(&text);
    return tags;
}

/* The first recipient's that would have to be known. */
static char *find_missing(const struct trial *trial)
{
    for (size_t i = 0; i < trial->recipients.count && !trial->is_over; i++) {
        const struct attempt *attempt = &trial->recipients.attempts[i];

        if (attempt->is_accepted && attempt->verdict.pending_rule != NULL)
            return keep(attempt->verdict.pending_rule->reason);
    }
    return keep("");
}

void ruling_init(struct ruling *ruling, const struct trial *trial)
{
    const struct record *record = &trial->account.record;
    const char *reason = record->reason != NULL ? record->reason : record->rule;
    bool is_by_rule = trial->is_over && record->rule != NULL;

    *ruling = (struct ruling){
        .verdict = trial->is_over ? record_verdict_name(trial->verdict) : RULING_UNDECIDED,
        .reason = keep(trial->is_over ? reason : NULL),
        .phase = keep(is_by_rule ? record->phase : NULL),
        .tags = join_tags(record),
        .shadow = keep(record->shadow_rule),
        .missing = find_missing(trial),
    };
}

void ruling_clear(struct ruling *ruling)
{
    mem_free(ruling->reason);
    mem_free(ruling->phase);
    mem_free(ruling->tags);
    mem_free(ruling->shadow);
    mem_free(ruling->missing);
    *ruling = (struct ruling){ .verdict = NULL };
}

bool ruling_equals(const struct ruling *a, const struct ruling *b)
{
    return strcmp(a->verdict, b->verdict) == 0 && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->phase, b->phase) == 0 && strcmp(a->tags, b->tags) == 0 &&
           strcmp(a->shadow, b->shadow) == 0;
}

bool ruling_is_undecided(const struct ruling *ruling)
{
    return strcmp(ruling->verdict, RULING_UNDECIDED) == 0;
}

void ruling_print(struct text *out, const struct ruling *ruling)
{
    text_add_string(out, ruling->verdict);
    if (ruling->reason[0] != '\0')
        text_add_format(out, " by %s", ruling->reason);
    if (ruling->phase[0] != '\0')
        text_add_format(out, " at %s", ruling->phase);
    if (ruling->missing[0] != '\0')
        text_add_format(out, ", %s is not known", ruling->missing);
    if (ruling->tags[0] != '\0')
        text_add_format(out, ", tags %s", ruling->tags);
    if (ruling->shadow[0] != '\0')
        text_add_format(out, ", shadow %s", ruling->shadow);
}

void ruling_print_json(struct json *json, const char *key, const struct ruling *ruling)
{
    json_open(json, key, '{');
    json_add_string(json, "verdict", ruling->verdict);
    json_add_string(json, "reason", ruling->reason);
    json_add_string(json, "phase", ruling->phase);
    json_add_string(json, "tags", ruling->tags);
    json_add_string(json, "shadow", ruling->shadow);
    json_add_string(json, "missing", ruling->missing);
    json_close(json, '{');
}
