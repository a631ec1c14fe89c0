/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of public suffixes (publicsuffix.org): below which names, such as "com" and
 * "co.uk", everybody can have a domain of their own. RFC 7489 learns from it to which
 * organization a domain belongs.
 */
#ifndef POSTERN_CHECKS_SUFFIX_LIST_H
#define POSTERN_CHECKS_SUFFIX_LIST_H

#include "base/slice.h"

struct suffix_list;

/*
 * From the bytes of its file, of either form: the text that is published, or the .dafsa that is
 * made from it. NULL when it is none, or has no suffix in it. They are needed for this call only.
 */
struct suffix_list *suffix_list_new(struct slice bytes);
void suffix_list_free(struct suffix_list **list);

/*
 * The end of `domain`, which is in domain.h's one form, that has one label more than its public
 * suffix (RFC 7489 3.2); the domain itself when it is such a suffix, or has one label.
 */
struct slice suffix_list_organization(const struct suffix_list *list, struct slice domain);

#endif
