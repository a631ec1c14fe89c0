/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations without keys and folders; see configuration.h. */
#include "tools/configuration.h"

#include <stdio.h>

#include "daemon/disk.h"

void configuration_print_errors(const struct diagnostics *diagnostics)
{
    struct text lines;

    text_init(&lines, TEXT_MAX_LENGTH);
    for (size_t i = 0; i < diagnostics->count; i++)
        if (diagnostics->items[i].severity == SEVERITY_ERROR)
            diagnostic_print(&lines, &diagnostics->items[i]);
    fputs(text_string(&lines), stderr);
    text_clear(&lines);
}

bool configuration_open(struct configuration *configuration, const char *path)
{
    struct diagnostics diagnostics;

    *configuration = (struct configuration){ NULL, NULL };
    diagnostics_init(&diagnostics);
    configuration->config = config_new(sources_new(disk_fetch, NULL), path, &diagnostics);
    if (configuration->config != NULL)
        configuration->book = policy_book_new(configuration->config, &diagnostics);
    if (configuration->book == NULL)
        configuration_print_errors(&diagnostics);
    diagnostics_clear(&diagnostics);
    return configuration->book != NULL;
}

void configuration_close(struct configuration *configuration)
{
    policy_book_free(&configuration->book);
    config_free(&configuration->config);
}
