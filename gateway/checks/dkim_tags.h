/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tag lists (RFC 6376 3.2), as they stand in signatures and key records:
 *
 *   tag-list  = tag-spec *( ";" tag-spec ) [ ";" ]
 *   tag-spec  = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
 *   tag-name  = ALPHA *( ALPHA / DIGIT / "_" / "-" )   ; the hyphen is seen, though no RFC has it
 *   tag-value = [ tval *( 1*(WSP / FWS) tval ) ]    ; printable ASCII but ";"
 *
 * Read strictly. Names are compared without case, though the RFC has them differ: libopendkim does
 * so, and two readers of one list must see the same tags.
 */
#ifndef POSTERN_CHECKS_DKIM_TAGS_H
#define POSTERN_CHECKS_DKIM_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/text.h"

#define DKIM_MAX_TAGS 32

struct dkim_tag {
    struct slice name;
    struct slice value; /* trimmed, folded as it came */
};

struct dkim_tags {
    struct dkim_tag tags[DKIM_MAX_TAGS]; /* borrowed from what was parsed */
    size_t count;
};

/* False for anything but such a list: a name twice, a foreign byte, too many tags, none at all. */
bool dkim_tags_parse(struct slice list, struct dkim_tags *tags) __attribute__((warn_unused_result));
/* The value of a tag that is there; `name` in lower case. */
bool dkim_tags_find(const struct dkim_tags *tags, const char *name, struct slice *value);

/* Appends a value without the white space in it. */
void dkim_tags_add_value(struct text *out, struct slice value);
/* The next item of a list with colons, trimmed; false at the end. */
bool dkim_tags_next_item(struct slice *rest, struct slice *item);
/* Base64 (RFC 4648 4), white space allowed, padded or not. False for anything else. */
bool dkim_tags_decode_base64(struct slice value, struct text *out)
    __attribute__((warn_unused_result));

#endif
