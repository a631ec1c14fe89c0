/* SPDX-License-Identifier: BSD-2-Clause */
/* Good and bad configurations in tests/cases/config, with the exact messages they get. */
#include "case_runner.h"
#include "config/config.h"

static bool load(struct sources *take_sources, const char *path, struct diagnostics *diagnostics)
{
    struct config *config = config_new(take_sources, path, diagnostics);

    if (config == NULL)
        return false;
    config_lint(config, diagnostics);
    config_apply_waivers(config, diagnostics);
    config_free(&config);
    return diagnostics->error_count == 0;
}

int main(void)
{
    return case_runner_main("config: cases", "tests/cases/config", load);
}
