/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of public suffixes; see suffix_list.h. The only door to libpsl. */
#include "checks/suffix_list.h"

#include <libpsl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

struct suffix_list {
    psl_ctx_t *context; /* owned */
};

/* Any text has lines that might be suffixes; this one is in every list. */
static bool has_suffixes(const psl_ctx_t *context)
{
    return psl_is_public_suffix2(context, "com", PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}

/* libpsl reads from a file that is open: here it is in memory, since a worker opens none. */
static psl_ctx_t *read_bytes(struct slice bytes)
{
    FILE *file = fmemopen((void *)(uintptr_t)bytes.data, bytes.length, "r");
    psl_ctx_t *context = file != NULL ? psl_load_fp(file) : NULL;

    if (file != NULL)
        fclose(file);
    return context;
}

struct suffix_list *suffix_list_new(struct slice bytes)
{
    psl_ctx_t *context = bytes.length > 0 ? read_bytes(bytes) : NULL;
    struct suffix_list *list;

    if (context == NULL || !has_suffixes(context)) {
        psl_free(context);
        return NULL;
    }
    list = mem_new(sizeof *list);
    list->context = context;
    return list;
}

void suffix_list_free(struct suffix_list **list)
{
    if (*list == NULL)
        return;
    psl_free((*list)->context);
    mem_free(*list);
    *list = NULL;
}

struct slice suffix_list_organization(const struct suffix_list *list, struct slice domain)
{
    char *name = mem_copy(domain);
    const char *found = psl_registrable_domain(list->context, name);

    /* It is an end of the name that was asked for. */
    if (found != NULL)
        domain = slice_from_offset(domain, domain.length - strlen(found));
    mem_free(name);
    return domain;
}
