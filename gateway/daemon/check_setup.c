/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks share; see check_setup.h. */
#include "daemon/check_setup.h"

#include "checks/dkim.h"
#include "checks/suffix_list.h"
#include "daemon/resolver_setup.h"
#include "flow/spf_link.h"

static bool open_suffixes(struct check_tools *tools, const struct config_checks *checks,
                          struct text *problem)
{
    if (checks->dmarc_discovery == DMARC_BY_TREE)
        return true;
    tools->suffixes = suffix_list_new(checks->suffix_list);
    if (tools->suffixes == NULL)
        text_add_format(problem, "\"%s\" is no list of public suffixes", checks->suffix_list_path);
    return tools->suffixes != NULL;
}

bool check_setup_try(struct check_tools *tools, struct resolver *take_resolver,
                     const struct config *config, struct text *problem)
{
    *tools = (struct check_tools){ .resolver = take_resolver };
    if (tools->resolver == NULL)
        return false;
    tools->dkim = dkim_library_new();
    if (tools->dkim == NULL) {
        text_add_string(problem, "libopendkim does not start");
        return false;
    }
    return open_suffixes(tools, &config->checks, problem);
}

bool check_setup_open(struct check_tools *tools, struct loop *loop, const struct config *config,
                      const struct policy_book *book, struct text *problem)
{
    *tools = (struct check_tools){ .resolver = NULL };
    if (!resolver_setup_is_needed(config, book))
        return true;
    if (!check_setup_try(tools, resolver_setup_new(loop, config, problem), config, problem))
        return false;
    if (config->checks.spf_engine != SPF_ENGINE_NATIVE)
        tools->spf_link = spf_link_new(loop);
    return true;
}

void check_setup_close(struct check_tools *tools)
{
    resolver_free(&tools->resolver);
    dkim_library_free(&tools->dkim);
    suffix_list_free(&tools->suffixes);
    spf_link_free(&tools->spf_link);
}
