/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of settings, read by their tables; see settings.h. */
#include "config/settings.h"

#include "base/memory.h"
#include "config/setting_values.h"

/* Suggestions look at this many keys at most. */
#define MAX_KNOWN 128
#define MAX_FILE_BYTES (16u << 20)

static bool is_outermost(const struct settings_block *block)
{
    return block->kind[0] == '\0';
}

static bool is_block_kind(const struct settings_reader *reader, struct slice key)
{
    for (size_t i = 0; i < reader->block_count; i++)
        if (key.length > 0 && slice_equals(key, slice_from(reader->blocks[i]->kind)))
            return true;
    return false;
}

/* The kind of another block that has this setting, or NULL. */
static const struct settings_block *find_home(const struct settings_reader *reader,
                                              const struct settings_block *block, struct slice key)
{
    for (size_t i = 0; i < reader->block_count; i++)
        for (size_t j = 0; j < reader->blocks[i]->count && reader->blocks[i] != block; j++)
            if (slice_equals(key, slice_from(reader->blocks[i]->settings[j].key)))
                return reader->blocks[i];
    return NULL;
}

static const char *suggest_key(const struct settings_reader *reader,
                               const struct settings_block *block, struct slice key)
{
    const char *known[MAX_KNOWN];
    size_t count = 0;

    for (size_t i = 0; i < block->count && count < MAX_KNOWN; i++)
        known[count++] = block->settings[i].key;
    for (size_t i = 0; i < reader->block_count && is_outermost(block) && count < MAX_KNOWN; i++)
        if (!is_outermost(reader->blocks[i]))
            known[count++] = reader->blocks[i]->kind;
    return diagnostics_suggest(key, known, count);
}

static void refuse_key(const struct settings_reader *reader, const struct settings_block *block,
                       const struct word *key)
{
    const struct settings_block *home = find_home(reader, block, key->text);
    const char *suggestion = suggest_key(reader, block, key->text);
    struct text hint;

    text_init(&hint, 200);
    if (home != NULL && is_outermost(home))
        text_add_string(&hint, "; it belongs outside of all blocks");
    else if (home != NULL)
        text_add_format(&hint, "; it belongs in a %s block", home->kind);
    else if (suggestion != NULL)
        text_add_format(&hint, "; did you mean \"%s\"?", suggestion);
    else if (is_block_kind(reader, key->text))
        text_add_string(&hint, "; blocks of this kind stand outside of all others");
    if (is_outermost(block))
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.unknown-setting", key->at,
                        "there is no setting or block \"%s\"%s", key->text.data,
                        text_string(&hint));
    else
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.unknown-setting", key->at,
                        "a %s block has no setting \"%s\"%s", block->kind, key->text.data,
                        text_string(&hint));
    text_clear(&hint);
}

static const struct setting *find_setting(const struct settings_block *block, struct slice key)
{
    for (size_t i = 0; i < block->count; i++)
        if (slice_equals(key, slice_from(block->settings[i].key)))
            return &block->settings[i];
    return NULL;
}

/* True when the key is one of a later version, which is reported. */
static bool refuse_later(const struct settings_reader *reader, const struct settings_block *block,
                         const struct word *key)
{
    for (size_t i = 0; i < block->later_count; i++) {
        if (slice_equals(key->text, slice_from(block->later[i].key))) {
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, block->later[i].id, key->at, "%s",
                            block->later[i].sentence);
            return true;
        }
    }
    return false;
}

/* `*first` is where the setting was given before, if it was. */
static void read_statement(const struct settings_reader *reader, const struct setting *setting,
                           const struct statement *statement, const struct statement **first,
                           char *target)
{
    struct position at = statement->words[0].at;

    if (*first != NULL && !setting->may_repeat) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.duplicate", at,
                        "%s is given twice; the first is on line %u of %s", setting->key,
                        (*first)->words[0].at.line, (*first)->words[0].at.path);
        return;
    }
    *first = statement;
    if (statement->has_block)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.block", at,
                        "%s is a setting: its value ends with a ; and has no block", setting->key);
    else
        setting_read_value(reader, setting, statement, target);
}

static void expect_required(const struct settings_reader *reader,
                            const struct settings_block *block,
                            const struct statement *const *first, struct position at)
{
    for (size_t i = 0; i < block->count; i++) {
        const struct setting *setting = &block->settings[i];
        struct text form;

        if (!setting->is_required || first[i] != NULL)
            continue;
        text_init(&form, 500);
        setting_print_form(&form, setting);
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.missing", at,
                        "the setting %s is missing; it takes %s", setting->key,
                        text_string(&form));
        text_clear(&form);
    }
}

void settings_read(const struct settings_reader *reader, const struct settings_block *block,
                   const struct statement *statements, size_t count, struct position at,
                   void *target)
{
    const struct statement **first = mem_new_array(block->count, sizeof(*first));

    for (size_t i = 0; i < block->count; i++)
        setting_read_default(reader, &block->settings[i], target);
    for (size_t i = 0; i < count; i++) {
        const struct word *key = &statements[i].words[0];
        const struct setting *setting = find_setting(block, key->text);

        if (key->is_quoted)
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.quoted", key->at,
                            "\"%s\" stands where a setting is named, and these are written "
                            "without quotes",
                            key->text.data);
        else if (is_outermost(block) && is_block_kind(reader, key->text))
            continue;
        else if (setting != NULL)
            read_statement(reader, setting, &statements[i], &first[setting - block->settings],
                           target);
        else if (!refuse_later(reader, block, key))
            refuse_key(reader, block, key);
    }
    expect_required(reader, block, first, at);
    mem_free(first);
}

void settings_clear(const struct settings_block *block, void *target)
{
    for (size_t i = 0; i < block->count; i++) {
        const struct setting *setting = &block->settings[i];
        void **field = (void **)(void *)((char *)target + setting->offset);

        if (setting->type == SETTING_HOSTS || setting->type == SETTING_NETWORKS ||
            setting->type == SETTING_ADDRESSES) {
            mem_free(*field);
            *field = NULL;
        }
    }
}

/* ---- Files. */

bool settings_get_file(const struct settings_reader *reader, const char *path,
                       struct position asked_at, struct slice *bytes)
{
    struct text problem;
    bool is_read;

    text_init(&problem, 200);
    is_read = sources_get_file(reader->sources, path, bytes, &problem);
    if (!is_read) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.file", asked_at,
                        "cannot read \"%s\": %s", path, text_string(&problem));
    } else if (bytes->length > MAX_FILE_BYTES) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.file", asked_at,
                        "\"%s\" is larger than 16 MiB", path);
        is_read = false;
    }
    text_clear(&problem);
    return is_read;
}
