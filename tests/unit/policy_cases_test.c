/* SPDX-License-Identifier: BSD-2-Clause */
/* Good and bad policies in tests/cases/policy, with the exact messages they get. */
#include "case_runner.h"
#include "policy/policy_book.h"
#include "policy/policy_lint.h"

static bool load(struct sources *take_sources, const char *path, struct diagnostics *diagnostics)
{
    struct config *config = config_new(take_sources, path, diagnostics);
    struct policy_book *book;

    if (config == NULL)
        return false;
    book = policy_book_new(config, diagnostics);
    if (book != NULL) {
        policy_book_lint(book, diagnostics);
        config_apply_waivers(config, diagnostics);
    }
    policy_book_free(&book);
    config_free(&config);
    return diagnostics->error_count == 0;
}

int main(void)
{
    return case_runner_main("policy: cases", "tests/cases/policy", load);
}
