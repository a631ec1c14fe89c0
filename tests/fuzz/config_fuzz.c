/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations out of any bytes. The input is several files, cut at lines of
 * "%%": the first is the main one, the others are f1, f2 ... and match every
 * pattern. What must hold: a configuration without an error loads and one with
 * an error does not; every message is one line of printable ASCII; packed and
 * read again, everything is said again in the same words.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"

#define MAX_FILES 8
#define MAX_OUTPUT_BYTES (8u << 20)

/* The owner of fetch. */
struct input_files {
    struct slice files[MAX_FILES];
    size_t count;
};

static void cut_files(struct slice input, struct input_files *files)
{
    static const struct slice separator = { "\n%%\n", 4 };

    while (files->count < MAX_FILES) {
        size_t end = 0;

        while (end < input.length && !slice_has_prefix(slice_from_offset(input, end), separator))
            end++;
        files->files[files->count++] = slice_until(input, end);
        if (end == input.length)
            return;
        input = slice_from_offset(input, end + separator.length);
    }
}

/* sources_fetch_fn */
static bool fetch(void *owner, const char *path, bool is_pattern, char **take_bytes, size_t *length,
                  struct text *problem)
{
    const struct input_files *files = owner;
    struct text paths;
    char name[32] = "main";

    text_init(&paths, 100);
    for (size_t i = 0; i < files->count; i++) {
        if (i > 0)
            snprintf(name, sizeof name, "f%zu", i);
        if (i > 0 && is_pattern)
            text_add_format(&paths, "%s\n", name);
        if (!is_pattern && strcmp(path, name) == 0) {
            *take_bytes = mem_copy(files->files[i]);
            *length = files->files[i].length;
            text_clear(&paths);
            return true;
        }
    }
    if (is_pattern) {
        *take_bytes = mem_copy(text_slice(&paths));
        *length = paths.length;
    } else {
        text_add_string(problem, "No such file or directory");
    }
    text_clear(&paths);
    return is_pattern;
}

static void expect(bool holds)
{
    if (!holds)
        abort();
}

/* Asks everything that can be asked, with names and addresses out of the input itself. */
static void ask(const struct config *config, struct slice input)
{
    struct ip_address address = { { 0 } };

    for (size_t i = 0; i < input.length && i < sizeof address.bytes; i++)
        address.bytes[i] = (uint8_t)input.data[i];
    (void)config_find_relay(config, &address);
    expect(config_find_backend(config, SLICE_EMPTY) == NULL);
    for (size_t i = 0; i < config->list_count; i++) {
        (void)config_list_has_ip(&config->lists[i], &address);
        (void)config_list_has_name(&config->lists[i], slice_until(input, 300));
    }
    for (size_t i = 0; i < config->backend_count; i++)
        (void)config_backend_has_recipient(&config->backends[i], slice_until(input, 300));
}

/* What loading says, message by message. The sources are packed into `packed`, unless NULL. */
static void load(struct sources *take_sources, struct slice input, struct text *said,
                 struct text *packed)
{
    struct diagnostics diagnostics;
    struct config *config;

    diagnostics_init(&diagnostics);
    config = config_new(take_sources, "main", &diagnostics);
    expect((config == NULL) == (diagnostics.error_count > 0));
    if (config != NULL) {
        config_lint(config, &diagnostics);
        config_apply_waivers(config, &diagnostics);
        ask(config, input);
        if (packed != NULL)
            sources_pack(config->sources, packed);
        config_free(&config);
    }
    for (size_t i = 0; i < diagnostics.count; i++) {
        size_t start = said->length;

        diagnostic_print(said, &diagnostics.items[i]);
        for (size_t j = start; j + 1 < said->length; j++)
            expect(ascii_is_printable(said->data[j]));
    }
    diagnostics_clear(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct input_files files = { .count = 0 };
    struct sources *sources;
    struct text said;
    struct text said_again;
    struct text packed;

    text_init(&said, MAX_OUTPUT_BYTES);
    text_init(&said_again, MAX_OUTPUT_BYTES);
    text_init(&packed, MAX_OUTPUT_BYTES);
    cut_files(input, &files);
    load(sources_new(fetch, &files), input, &said, &packed);
    sources = sources_new(NULL, NULL);
    if (packed.length > 0) {
        expect(sources_unpack(sources, text_slice(&packed)));
        load(sources, input, &said_again, NULL);
        expect(slice_equals(text_slice(&said), text_slice(&said_again)));
    } else {
        (void)!sources_unpack(sources, input);
        sources_free(&sources);
    }
    text_clear(&said);
    text_clear(&said_again);
    text_clear(&packed);
    return 0;
}
