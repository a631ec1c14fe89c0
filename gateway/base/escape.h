/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Foreign bytes made safe for a log, a terminal or a reply. Everything outside
 * space..tilde, and the backslash, becomes \xHH; whole valid UTF-8 sequences
 * may be kept where the reader is known to take them.
 *
 * What does not fit under the ceiling of `out` is left out from the first
 * character that does not fit whole. A quoted form is closed all the same (or
 * left out altogether), so a cut value never runs into what follows it.
 */
#ifndef POSTERN_BASE_ESCAPE_H
#define POSTERN_BASE_ESCAPE_H

#include "base/slice.h"
#include "base/text.h"

/* Printable ASCII as it is; `"` as \", `\` as \\, any other byte as \xHH. */
void escape_add_ascii(struct text *out, struct slice bytes);

/*
 * A logfmt value: bare when it is non-empty and only of [A-Za-z0-9._:@/+<>,;~^%*()[\]{}|!#$&?-]
 * with no space, quote, `=` or backslash; otherwise in double quotes, escaped as above.
 */
void escape_add_logfmt(struct text *out, struct slice bytes);

/* A JSON string with its quotes (RFC 8259 section 7); bytes that are no UTF-8 become U+FFFD. */
void escape_add_json(struct text *out, struct slice bytes);

/*
 * The reading side. Both append to `out` the bytes that were escaped, and take nothing that the
 * writing side would not have written for them; false also when `out` has no room for all of it.
 * The second takes the value at the start of `*rest`, up to a blank or the end, off it.
 */
bool escape_parse_ascii(struct text *out, struct slice escaped) __attribute__((warn_unused_result));
bool escape_next_logfmt(struct slice *rest, struct text *out) __attribute__((warn_unused_result));

/* Length of the valid UTF-8 sequence at the start of `s` (RFC 3629), 0 when there is none. */
size_t utf8_sequence_length(struct slice s);
/* All of `s` is valid UTF-8. */
bool utf8_is_valid(struct slice s);
/* `s` without the byte order mark (U+FEFF) that some editors put first. */
struct slice utf8_skip_mark(struct slice s);

#endif
