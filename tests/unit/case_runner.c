/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations and what is said about them, as files; see case_runner.h. */
#include "case_runner.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

#define MAX_FILE_BYTES (4u << 20)

static glob_t cases;
static case_load_fn load_case;

static bool read_file(const char *path, struct text *out)
{
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t length;
    bool is_read;

    if (file == NULL)
        return false;
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        text_add(out, (struct slice){ block, length });
    is_read = ferror(file) == 0;
    fclose(file);
    return is_read;
}

static void print_paths(const char *pattern, struct text *out)
{
    glob_t found;

    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            text_add_format(out, "%s\n", found.gl_pathv[i]);
        globfree(&found);
    }
}

/* sources_fetch_fn */
static bool fetch_from_disk(void *owner, const char *path, bool is_pattern, char **take_bytes,
                            size_t *length, struct text *problem)
{
    struct text bytes;
    bool is_read = true;

    (void)owner;
    text_init(&bytes, MAX_FILE_BYTES);
    if (is_pattern)
        print_paths(path, &bytes);
    else
        is_read = read_file(path, &bytes);
    if (is_read) {
        *take_bytes = mem_copy(text_slice(&bytes));
        *length = bytes.length;
    } else {
        text_add_string(problem, strerror(errno));
    }
    text_clear(&bytes);
    return is_read;
}

static void read_expected(const char *conf_path, struct text *out)
{
    struct text path;

    text_init(&path, 1000);
    text_add(&path, slice_until(slice_from(conf_path), strlen(conf_path) - strlen(".conf")));
    text_add_string(&path, ".expected");
    ck_assert_msg(read_file(text_string(&path), out), "cannot read %s", text_string(&path));
    text_clear(&path);
}

START_TEST(configuration_gets_exactly_the_expected_messages)
{
    const char *path = cases.gl_pathv[_i];
    struct diagnostics diagnostics;
    struct text got;
    struct text want;
    bool is_loaded;

    diagnostics_init(&diagnostics);
    text_init(&got, MAX_FILE_BYTES);
    text_init(&want, MAX_FILE_BYTES);
    is_loaded = load_case(sources_new(fetch_from_disk, NULL), path, &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        diagnostic_print(&got, &diagnostics.items[i]);
    read_expected(path, &want);
    ck_assert_msg(slice_equals(text_slice(&got), text_slice(&want)),
                  "%s\n--- got:\n%s--- want:\n%s", path, text_string(&got), text_string(&want));
    ck_assert_msg(is_loaded == (diagnostics.error_count == 0), "%s: %s with %zu errors", path,
                  is_loaded ? "loaded" : "did not load", diagnostics.error_count);
    text_clear(&want);
    text_clear(&got);
    diagnostics_clear(&diagnostics);
}
END_TEST

static bool enter_folder(const char *folder)
{
    const char *source_folder = getenv("POSTERN_SRCDIR");

    return chdir(source_folder != NULL ? source_folder : ".") == 0 && chdir(folder) == 0;
}

int case_runner_main(const char *name, const char *folder, case_load_fn load)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("cases");
    int status;

    if (!enter_folder(folder) || glob("[0-9]*.conf", 0, NULL, &cases) != 0) {
        fprintf(stderr, "no cases in %s; set POSTERN_SRCDIR to the source folder\n", folder);
        return EXIT_FAILURE;
    }
    load_case = load;
    tcase_add_loop_test(tcase, configuration_gets_exactly_the_expected_messages, 0,
                        (int)cases.gl_pathc);
    suite_add_tcase(suite, tcase);
    status = unit_run(suite);
    globfree(&cases);
    return status;
}
