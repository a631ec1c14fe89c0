/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the tree of statements to the structs of config.h. Blocks are counted
 * first, so that arrays never move and pointers into them hold; backends come
 * before what names them.
 */
#include "config/config.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "config/blocks.h"
#include "config/config_checks.h"
#include "config/entries.h"
#include "config/resolver_files.h"
#include "config/settings.h"

#define MAX_NAME_BYTES 40
/* Blocks of one kind. */
#define MAX_BLOCKS 1000

/* A configuration that is being built. */
struct builder {
    struct config *config;
    struct settings_reader reader;
};

/* Reads the block of `statement` into the next free element of its array. */
typedef void (*read_block_fn)(struct builder *builder, const struct statement *statement);

/* ---- Blocks and their names ---- */

static bool is_name(struct slice name)
{
    if (name.length == 0 || name.length > MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alnum(name.data[i]) && name.data[i] != '-' && name.data[i] != '_')
            return false;
    return true;
}

static void report(const struct builder *builder, const char *id, struct position at,
                   const char *sentence, const char *argument)
{
    diagnostics_add(builder->reader.diagnostics, SEVERITY_ERROR, id, at, "%s%s", argument,
                    sentence);
}

/* `KIND NAME {`. Reports what is wrong; false when the block cannot be used. */
static bool expect_named_block(const struct builder *builder, const struct statement *statement)
{
    const struct word *words = statement->words;

    if (!statement->has_block)
        report(builder, "config.block", words[0].at, " needs a block: { ... }",
               words[0].text.data);
    else if (statement->word_count < 2)
        report(builder, "config.name", words[0].at, " needs a name in front of its {",
               words[0].text.data);
    else if (statement->word_count > 2)
        report(builder, "config.name", words[2].at,
               " takes one name in front of its {; is a ; missing?", words[0].text.data);
    else if (!is_name(words[1].text))
        report(builder, "config.name", words[1].at,
               "a name has 1 to 40 letters, digits, - and _", "");
    else
        return true;
    return false;
}

/* `KIND {`. */
static bool expect_nameless_block(const struct builder *builder, const struct statement *statement)
{
    const struct word *words = statement->words;

    if (!statement->has_block)
        report(builder, "config.block", words[0].at, " needs a block: { ... }",
               words[0].text.data);
    else if (statement->word_count > 1)
        report(builder, "config.name", words[1].at, " takes no name", words[0].text.data);
    else
        return true;
    return false;
}

static void expect_new_name(const struct builder *builder, const struct statement *statement,
                            struct position taken_at)
{
    diagnostics_add(builder->reader.diagnostics, SEVERITY_ERROR, "config.duplicate",
                    statement->words[1].at, "there is a %s \"%s\" already, on line %u of %s",
                    statement->words[0].text.data, statement->words[1].text.data, taken_at.line,
                    taken_at.path);
}

static void read_settings(const struct builder *builder, const struct settings_block *block,
                          const struct statement *statement, void *target)
{
    settings_read(&builder->reader, block, statement->children, statement->child_count,
                  statement->words[0].at, target);
}

/* ---- One kind after another ---- */

static void read_backend(struct builder *builder, const struct statement *statement)
{
    struct config *config = builder->config;
    struct config_backend *backend = &config->backends[config->backend_count];
    const struct config_backend *same;

    if (!expect_named_block(builder, statement))
        return;
    same = config_find_backend(config, statement->words[1].text);
    if (same != NULL)
        expect_new_name(builder, statement, same->at);
    backend->name = statement->words[1].text.data;
    backend->at = statement->words[0].at;
    name_set_init(&backend->recipient_set);
    read_settings(builder, &block_backend, statement, backend);
    if (backend->recipients == RECIPIENTS_FILE)
        entries_read_recipients(&builder->reader, &backend->recipient_set,
                                backend->recipients_path, backend->at);
    config->backend_count++;
}

static void read_list_statement(struct builder *builder, struct config_list *list,
                                const struct statement *statement)
{
    const struct settings_reader *reader = &builder->reader;
    const struct word *word = &statement->words[0];
    size_t index = 0;

    if (statement->has_block) {
        report(builder, "config.block", word->at, "a list holds entries, not blocks", "");
    } else if (statement_has_word(statement, 0, "file")) {
        word = setting_only_value(reader, &block_list.settings[0], statement);
        if (word != NULL)
            entries_read_list(reader, list,
                              sources_resolve_path(reader->sources, word->at.path, word->text),
                              word->at);
    } else {
        while ((word = setting_next_value(reader, statement, 0, &index)) != NULL)
            if (word->text.length > 0)
                entries_add_to_list(reader, list, word->text, word->at);
    }
}

static void read_list(struct builder *builder, const struct statement *statement)
{
    struct config *config = builder->config;
    struct config_list *list = &config->lists[config->list_count];
    const struct config_list *same;

    if (!expect_named_block(builder, statement))
        return;
    same = config_find_list(config, statement->words[1].text);
    if (same != NULL)
        expect_new_name(builder, statement, same->at);
    list->name = statement->words[1].text.data;
    list->at = statement->words[0].at;
    name_set_init(&list->entries);
    for (size_t i = 0; i < statement->child_count; i++)
        read_list_statement(builder, list, &statement->children[i]);
    entries_finish_list(list);
    config->list_count++;
}

static void read_certificate(struct builder *builder, const struct statement *statement)
{
    struct config *config = builder->config;
    struct config_certificate *certificate = &config->certificates[config->certificate_count];

    if (!expect_nameless_block(builder, statement))
        return;
    certificate->at = statement->words[0].at;
    read_settings(builder, &block_certificate, statement, certificate);
    config->certificate_count++;
}

static void read_listener(struct builder *builder, const struct statement *statement)
{
    struct config *config = builder->config;
    struct config_listener *listener = &config->listeners[config->listener_count];

    if (!expect_named_block(builder, statement))
        return;
    listener->name = statement->words[1].text.data;
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, listener->name) == 0)
            expect_new_name(builder, statement, config->listeners[i].at);
    listener->at = statement->words[0].at;
    read_settings(builder, &block_listener, statement, listener);
    if (listener->hostname == NULL)
        listener->hostname = config->hostname;
    config->listener_count++;
}

static void read_relay(struct builder *builder, const struct statement *statement)
{
    struct config *config = builder->config;
    struct config_relay *relay = &config->relays[config->relay_count];

    if (!expect_named_block(builder, statement))
        return;
    relay->name = statement->words[1].text.data;
    for (size_t i = 0; i < config->relay_count; i++)
        if (strcmp(config->relays[i].name, relay->name) == 0)
            expect_new_name(builder, statement, config->relays[i].at);
    relay->at = statement->words[0].at;
    read_settings(builder, &block_relay, statement, relay);
    config->relay_count++;
}

/* Calls `read` for every block of this kind. */
static void for_each_block(struct builder *builder, const char *kind, read_block_fn read)
{
    const struct syntax_tree *tree = &builder->config->tree;
    size_t count = 0;

    for (size_t i = 0; i < tree->statement_count; i++) {
        if (!slice_equals(tree->statements[i].words[0].text, slice_from(kind)))
            continue;
        if (++count > MAX_BLOCKS) {
            report(builder, "config.too-many", tree->statements[i].words[0].at,
                   ": a configuration has at most 1,000 blocks of a kind", kind);
            break;
        }
        read(builder, &tree->statements[i]);
    }
}

static size_t count_blocks(const struct syntax_tree *tree, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < tree->statement_count; i++)
        if (slice_equals(tree->statements[i].words[0].text, slice_from(kind)))
            count++;
    return count;
}

/* Room for all blocks of this kind. */
static void *new_blocks(const struct builder *builder, const char *kind, size_t size)
{
    size_t count = count_blocks(&builder->config->tree, kind);

    return mem_new_array(count < MAX_BLOCKS ? count : MAX_BLOCKS, size);
}

/*
 * The block of a kind of which there is one at most, and which has no name. NULL when there is
 * none, or none that can be used.
 */
static const struct statement *find_only_block(const struct builder *builder, const char *kind)
{
    const struct syntax_tree *tree = &builder->config->tree;
    const struct statement *first = NULL;

    for (size_t i = 0; i < tree->statement_count; i++) {
        const struct statement *statement = &tree->statements[i];

        if (!slice_equals(statement->words[0].text, slice_from(kind)))
            continue;
        if (first == NULL)
            first = statement;
        else
            diagnostics_add(builder->reader.diagnostics, SEVERITY_ERROR, "config.duplicate",
                            statement->words[0].at,
                            "there is a %s block already, on line %u of %s", kind,
                            first->words[0].at.line, first->words[0].at.path);
    }
    return first != NULL && expect_nameless_block(builder, first) ? first : NULL;
}

static void read_log(struct builder *builder)
{
    const struct statement *statement = find_only_block(builder, "log");

    if (statement != NULL)
        read_settings(builder, &block_log, statement, &builder->config->log);
    else
        settings_read(&builder->reader, &block_log, NULL, 0, (struct position){ .path = "" },
                      &builder->config->log);
}

static void read_quarantine(struct builder *builder)
{
    struct config_quarantine *quarantine = &builder->config->quarantine;
    const struct statement *statement = find_only_block(builder, "quarantine");

    if (statement == NULL)
        return;
    quarantine->is_set = true;
    quarantine->at = statement->words[0].at;
    read_settings(builder, &block_quarantine, statement, quarantine);
}

static void read_resolver(struct builder *builder)
{
    struct config_resolver *resolver = &builder->config->resolver;
    const struct statement *statement = find_only_block(builder, "resolver");

    resolver->at = (struct position){ .path = builder->config->path };
    if (statement != NULL) {
        resolver->is_set = true;
        resolver->at = statement->words[0].at;
        read_settings(builder, &block_resolver, statement, resolver);
    } else {
        settings_read(&builder->reader, &block_resolver, NULL, 0, resolver->at, resolver);
    }
    resolver_files_read(&builder->reader, resolver);
}

static void read_checks(struct builder *builder)
{
    struct config_checks *checks = &builder->config->checks;
    const struct statement *statement = find_only_block(builder, "checks");

    checks->at = (struct position){ .path = builder->config->path };
    if (statement != NULL) {
        checks->at = statement->words[0].at;
        read_settings(builder, &block_checks, statement, checks);
    } else {
        settings_read(&builder->reader, &block_checks, NULL, 0, checks->at, checks);
    }
    if (checks->dmarc_discovery == DMARC_BY_SUFFIX)
        settings_get_file(&builder->reader, checks->suffix_list_path,
                          config_find_place(builder->config, checks->at, "suffix-list"),
                          &checks->suffix_list);
}

static void build(struct builder *builder)
{
    struct config *config = builder->config;

    config->backends = new_blocks(builder, "backend", sizeof *config->backends);
    config->lists = new_blocks(builder, "list", sizeof *config->lists);
    config->certificates = new_blocks(builder, "certificate", sizeof *config->certificates);
    config->listeners = new_blocks(builder, "listener", sizeof *config->listeners);
    config->relays = new_blocks(builder, "relay", sizeof *config->relays);
    settings_read(&builder->reader, &block_outermost, config->tree.statements,
                  config->tree.statement_count, (struct position){ .path = config->path }, config);
    if (config->authserv_id == NULL)
        config->authserv_id = config->hostname;
    read_log(builder);
    read_quarantine(builder);
    read_resolver(builder);
    read_checks(builder);
    for_each_block(builder, "backend", read_backend);
    for_each_block(builder, "list", read_list);
    for_each_block(builder, "certificate", read_certificate);
    for_each_block(builder, "listener", read_listener);
    for_each_block(builder, "relay", read_relay);
    if (count_blocks(&config->tree, "listener") == 0)
        diagnostics_add(builder->reader.diagnostics, SEVERITY_ERROR, "config.missing",
                        (struct position){ .path = config->path },
                        "there is no listener block, so no mail could come in");
}

struct config *config_new(struct sources *take_sources, const char *path,
                          struct diagnostics *diagnostics)
{
    struct config *config = mem_new(sizeof *config);
    struct builder builder = {
        .config = config,
        .reader = { .sources = take_sources, .diagnostics = diagnostics, .blocks = blocks_all,
                    .block_count = blocks_count, .owner = config },
    };
    size_t errors_before = diagnostics->error_count;

    config->sources = take_sources;
    config->path = sources_keep_path(take_sources, path);
    if (syntax_parse(&config->tree, take_sources, path, diagnostics)) {
        build(&builder);
        config_check(config, diagnostics);
    }
    if (diagnostics->error_count > errors_before)
        config_free(&config);
    return config;
}

void config_free(struct config **handle)
{
    struct config *config = *handle;

    if (config == NULL)
        return;
    settings_clear(&block_resolver, &config->resolver);
    zone_free(&config->resolver.local_data);
    for (size_t i = 0; i < config->listener_count; i++)
        mem_free(config->listeners[i].endpoints);
    for (size_t i = 0; i < config->relay_count; i++)
        settings_clear(&block_relay, &config->relays[i]);
    for (size_t i = 0; i < config->certificate_count; i++)
        settings_clear(&block_certificate, &config->certificates[i]);
    for (size_t i = 0; i < config->backend_count; i++) {
        settings_clear(&block_backend, &config->backends[i]);
        name_set_clear(&config->backends[i].recipient_set);
    }
    for (size_t i = 0; i < config->list_count; i++) {
        mem_free(config->lists[i].networks);
        name_set_clear(&config->lists[i].entries);
    }
    mem_free(config->listeners);
    mem_free(config->relays);
    mem_free(config->certificates);
    mem_free(config->backends);
    mem_free(config->lists);
    syntax_clear(&config->tree);
    sources_free(&config->sources);
    mem_free(config);
    *handle = NULL;
}

/* ---- Questions ---- */

struct config_backend *config_find_backend(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (slice_equals(name, slice_from(config->backends[i].name)))
            return &config->backends[i];
    return NULL;
}

struct config_list *config_find_list(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->list_count; i++)
        if (slice_equals(name, slice_from(config->lists[i].name)))
            return &config->lists[i];
    return NULL;
}

const struct config_relay *config_find_relay(const struct config *config,
                                             const struct ip_address *client)
{
    const struct config_relay *best = NULL;
    unsigned int best_length = 0;

    for (size_t i = 0; i < config->relay_count; i++) {
        const struct config_relay *relay = &config->relays[i];

        for (size_t j = 0; j < relay->network_count; j++) {
            if (relay->networks[j].length >= best_length &&
                ip_prefix_contains(&relay->networks[j], client)) {
                best = relay;
                best_length = relay->networks[j].length;
            }
        }
    }
    return best;
}

static bool is_same_place(struct position a, struct position b)
{
    return a.line == b.line && a.column == b.column && strcmp(a.path, b.path) == 0;
}

struct position config_find_place(const struct config *config, struct position at, const char *key)
{
    for (size_t i = 0; i < config->tree.statement_count; i++) {
        const struct statement *block = &config->tree.statements[i];

        if (!is_same_place(block->words[0].at, at))
            continue;
        for (size_t j = 0; j < block->child_count; j++)
            if (statement_has_word(&block->children[j], 0, key))
                return block->children[j].words[0].at;
    }
    return at;
}

void config_each_setting(setting_info_fn each, void *owner)
{
    for (size_t i = 0; i < blocks_count; i++) {
        const struct settings_block *block = blocks_all[i];

        for (size_t j = 0; j < block->count; j++) {
            const struct setting *setting = &block->settings[j];
            struct text form;

            text_init(&form, 500);
            setting_print_form(&form, setting);
            each(owner, &(struct setting_info){
                            .block = block->kind,
                            .key = setting->key,
                            .form = text_string(&form),
                            .default_text = setting->default_text,
                            .is_required = setting->is_required,
                            .doc = setting->doc,
                        });
            text_clear(&form);
        }
    }
}
