/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The characters that envelope (RFC 5321) and header (RFC 5322) build their
 * addresses from, with the UTF-8 that RFC 6531 and RFC 6532 add.
 */
#ifndef POSTERN_MAIL_GRAMMAR_H
#define POSTERN_MAIL_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/text.h"

/* Some byte of it is above 127. */
bool grammar_has_non_ascii(struct slice s);
/* atext of RFC 5322 3.2.3, ASCII only. */
bool grammar_is_atext(char c);
/*
 * Bytes of the character beyond ASCII at the start of `s`; 0 when there is none, when it is no
 * valid UTF-8, or a C1 control (U+0080 to U+009F), which has no place in an address.
 */
size_t grammar_utf8_length(struct slice s);
/* Every character of it is ASCII, or one that grammar_utf8_length takes. */
bool grammar_is_utf8(struct slice s);
/* dot-atom-text: 1*atext *("." 1*atext), UTF-8 included. */
bool grammar_is_dot_atom(struct slice s);
/*
 * Adds a local part with as few quotes as it can be written with: `"b\ob"` is bob, and whoever is
 * refused as bob is both (RFC 5321 4.1.2). `quoted` is a whole quoted string, folded perhaps.
 */
void grammar_add_local(struct text *out, struct slice quoted);

#endif
