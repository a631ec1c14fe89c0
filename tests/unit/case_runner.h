/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a folder of configurations, one test each: NN-name.conf is loaded from
 * disk, and everything that is said about it must be, byte for byte, what
 * NN-name.expected holds. An empty .expected is a configuration that loads in
 * silence. Files that a case includes have other endings.
 */
#ifndef POSTERN_TESTS_CASE_RUNNER_H
#define POSTERN_TESTS_CASE_RUNNER_H

#include <stdbool.h>

#include "config/diagnostics.h"
#include "config/sources.h"

/* Loads `path` and reports to `diagnostics`; true when it loaded. It frees the sources. */
typedef bool (*case_load_fn)(struct sources *take_sources, const char *path,
                             struct diagnostics *diagnostics);

/*
 * The main function of a test program. `folder` is relative to POSTERN_SRCDIR,
 * as "tests/cases/config"; the loader is called with this as working folder,
 * so that paths in messages are short. A folder without cases is a failure.
 */
int case_runner_main(const char *name, const char *folder, case_load_fn load);

#endif
