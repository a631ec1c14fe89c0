/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings that are written in a way of their own; see block_settings.h. */
#include "config/block_settings.h"

#include "base/memory.h"
#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Of one listener. */
#define MAX_ENDPOINTS 64

/* `least` to `most` words behind the key, none empty; else the setting is refused as a whole. */
static bool expect_word_count(const struct settings_reader *reader, const struct setting *setting,
                              const struct statement *statement, size_t least, size_t most)
{
    size_t count = statement->word_count - 1;
    bool has_empty = false;

    for (size_t i = 1; i <= count; i++)
        has_empty = has_empty || statement->words[i].text.length == 0;
    if (count >= least && count <= most && !has_empty)
        return true;
    diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", statement->words[0].at,
                    "%s takes %s", setting->key, setting->form);
    return false;
}

void block_read_listen(const struct settings_reader *reader, const struct setting *setting,
                       const struct statement *statement, void *target)
{
    struct config_listener *listener = target;
    const struct word *word;
    size_t index = 1;

    if (statement_has_word(statement, 1, "socket")) {
        if (expect_word_count(reader, setting, statement, 2, 2))
            listener->socket_name = statement->words[2].text.data;
        return;
    }
    while ((word = setting_next_value(reader, statement, 1, &index)) != NULL) {
        struct ip_endpoint endpoint;

        if (!ip_endpoint_parse(word->text, &endpoint)) {
            setting_refuse(reader, setting, word);
            continue;
        }
        if (listener->endpoint_count == MAX_ENDPOINTS) {
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.too-many", word->at,
                            "a listener has at most %d addresses", MAX_ENDPOINTS);
            return;
        }
        listener->endpoints = mem_resize(listener->endpoints, listener->endpoint_count + 1,
                                         sizeof *listener->endpoints);
        listener->endpoints[listener->endpoint_count++] = endpoint;
    }
}

void block_read_extension(const struct settings_reader *reader, const struct setting *setting,
                          const struct statement *statement, void *target)
{
    struct config_listener *listener = target;
    const struct setting_word *extension = setting->words;

    if (!expect_word_count(reader, setting, statement, 2, 2))
        return;
    while (extension->name != NULL &&
           !slice_equals(statement->words[1].text, slice_from(extension->name)))
        extension++;
    if (extension->name == NULL)
        setting_refuse(reader, setting, &statement->words[1]);
    else if (statement_has_word(statement, 2, "off"))
        listener->withheld_extensions |= extension->value;
    else if (!statement_has_word(statement, 2, "on"))
        setting_refuse(reader, setting, &statement->words[2]);
}

void block_read_log_target(const struct settings_reader *reader, const struct setting *setting,
                           const struct statement *statement, void *target)
{
    struct config_log *log = target;
    const struct word *words = statement->words;

    if (statement_has_word(statement, 1, "stderr")) {
        if (expect_word_count(reader, setting, statement, 1, 1))
            log->target = LOG_TARGET_STDERR;
    } else if (statement_has_word(statement, 1, "file")) {
        if (!expect_word_count(reader, setting, statement, 2, 2))
            return;
        log->target = LOG_TARGET_FILE;
        log->path = sources_resolve_path(reader->sources, words[2].at.path, words[2].text);
    } else if (statement_has_word(statement, 1, "syslog")) {
        if (!expect_word_count(reader, setting, statement, 1, 2))
            return;
        log->target = LOG_TARGET_SYSLOG;
        log->facility = statement->word_count > 2 ? words[2].text.data : "mail";
    } else {
        setting_refuse(reader, setting, &words[1]);
    }
}

void block_read_recipients(const struct settings_reader *reader, const struct setting *setting,
                           const struct statement *statement, void *target)
{
    struct config_backend *backend = target;
    const struct word *words = statement->words;

    if (statement_has_word(statement, 1, "file")) {
        if (!expect_word_count(reader, setting, statement, 2, 2))
            return;
        backend->recipients = RECIPIENTS_FILE;
        backend->recipients_path =
            sources_resolve_path(reader->sources, words[2].at.path, words[2].text);
    } else if (statement_has_word(statement, 1, "ask") || statement_has_word(statement, 1, "any")) {
        if (expect_word_count(reader, setting, statement, 1, 1))
            backend->recipients =
                statement_has_word(statement, 1, "ask") ? RECIPIENTS_ASK : RECIPIENTS_ANY;
    } else {
        setting_refuse(reader, setting, &words[1]);
    }
}

void block_read_backend_name(const struct settings_reader *reader, const struct setting *setting,
                             const struct statement *statement, void *target)
{
    const struct config *config = reader->owner;
    const struct word *word = setting_only_value(reader, setting, statement);
    const char *known[100];
    size_t count = 0;
    const char *suggestion;
    struct config_backend *backend;

    if (word == NULL)
        return;
    backend = config_find_backend(config, word->text);
    if (backend != NULL) {
        *(struct config_backend **)(void *)((char *)target + setting->offset) = backend;
        return;
    }
    for (; count < config->backend_count && count < COUNT(known); count++)
        known[count] = config->backends[count].name;
    suggestion = diagnostics_suggest(word->text, known, count);
    diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.unknown-name", word->at,
                    "there is no backend \"%s\"%s%s%s", word->text.data,
                    suggestion != NULL ? "; did you mean \"" : "",
                    suggestion != NULL ? suggestion : "", suggestion != NULL ? "\"?" : "");
}

void block_read_waiver(const struct settings_reader *reader, const struct setting *setting,
                       const struct statement *statement, void *target)
{
    const struct word *last = &statement->words[statement->word_count - 1];

    (void)target;
    if (!slice_has_prefix(statement->words[1].text, SLICE("lint.")))
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.waiver",
                        statement->words[1].at,
                        "\"%s\" cannot be waived: only warnings can, and their ids begin with "
                        "\"lint.\"",
                        statement->words[1].text.data);
    else if (statement->word_count < 3 || statement->word_count > 4 || !last->is_quoted ||
             last->text.length == 0)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.waiver",
                        statement->words[0].at,
                        "a waiver needs its reason in quotes: waive takes %s", setting->form);
}
