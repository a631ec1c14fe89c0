/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over stored inputs, so that every input that was ever
 * worth keeping is tried by `make check`, with any compiler.
 *
 *     fuzz-NAME [FILE | FOLDER]...
 *
 * Without arguments it replays $POSTERN_SRCDIR/tests/fuzz/corpus/NAME, where a
 * dash in NAME is an underscore. Every input is also tried cut in half and
 * empty. An input that cannot be read is a failure, and so is having none.
 */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/slice.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed_count;

/* In memory of exactly this size, so that a sanitizer sees the first byte too far. */
static void try_input(const char *bytes, size_t size)
{
    char *copy = mem_new_array(1, size);

    if (size > 0)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
    mem_free(copy);
}

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct text input;
    char block[4096];
    size_t length;
    bool is_read;

    if (file == NULL) {
        perror(path);
        return false;
    }
    text_init(&input, TEXT_MAX_LENGTH);
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(&input, (struct slice){ block, length });
    is_read = ferror(file) == 0;
    fclose(file);
    if (is_read) {
        /* The path goes out first: it is what a crash leaves to look for. */
        printf("%s\n", path);
        fflush(stdout);
        try_input(input.data, input.length);
        try_input(input.data, input.length / 2);
        replayed_count++;
    }
    text_clear(&input);
    return is_read;
}

static bool replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    bool is_fine = count >= 0;

    if (count < 0)
        perror(path);
    for (int i = 0; i < count; i++) {
        struct text inside;

        text_init(&inside, PATH_MAX);
        text_add_format(&inside, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            is_fine = replay_file(text_string(&inside)) && is_fine;
        text_clear(&inside);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return is_fine;
}

static bool replay(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        perror(path);
        return false;
    }
    return S_ISDIR(status.st_mode) ? replay_folder(path) : replay_file(path);
}

/* The corpus that belongs to a program of this name. */
static void print_corpus_path(struct text *out, const char *program)
{
    const char *root = getenv("POSTERN_SRCDIR");
    struct slice name = slice_from(program);
    size_t slash;

    if (slice_find_last_byte(name, '/', &slash))
        name = slice_from_offset(name, slash + 1);
    if (slice_has_prefix(name, SLICE("fuzz-")))
        name = slice_from_offset(name, 5);
    text_add_format(out, "%s/tests/fuzz/corpus/", root != NULL ? root : ".");
    for (size_t i = 0; i < name.length; i++)
        text_add_byte(out, name.data[i] == '-' ? '_' : name.data[i]);
}

int main(int argc, char **argv)
{
    struct text corpus;
    bool is_fine = true;

    text_init(&corpus, PATH_MAX);
    try_input(NULL, 0);
    for (int i = 1; i < argc; i++)
        is_fine = replay(argv[i]) && is_fine;
    if (argc < 2) {
        print_corpus_path(&corpus, argv[0]);
        is_fine = replay(text_string(&corpus));
    }
    text_clear(&corpus);
    if (replayed_count == 0) {
        fprintf(stderr, "no input to replay\n");
        return EXIT_FAILURE;
    }
    printf("%zu inputs replayed\n", replayed_count);
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
