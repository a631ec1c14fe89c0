/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held mail as people and programs read it. Foreign bytes are escaped: a subject
 * cannot move the cursor of a terminal. What the keeper has for itself (owner,
 * claim) is not shown.
 */
#ifndef POSTERN_QUARANTINE_LISTING_H
#define POSTERN_QUARANTINE_LISTING_H

#include "base/text.h"
#include "quarantine/index.h"

/*
 * One line: id, when, states, size, sender, recipients, reasons, subject. What has a width of its
 * own comes first, in 55 columns, and addresses, which have none, behind it. Of several
 * recipients, and of several reasons, the first is shown and how many more there are.
 */
void listing_print_line(struct text *out, const struct index_mail *mail);
/* The names of the columns, as a line. */
void listing_print_head(struct text *out);
/* Everything, a line for each value that is known; recipients with their states. */
void listing_print_all(struct text *out, const struct index_mail *mail);
/*
 * One JSON object and a newline (JSON lines): everything, the same keys for each mail; "" for what
 * is not known. An attempt is a string, for it may be too large for a JSON number.
 */
void listing_print_json(struct text *out, const struct index_mail *mail);
/* What one of them takes at most. */
size_t listing_max_bytes(const struct index_mail *mail);

/*
 * What came of a wish for one recipient, or, without address, for a mail: where it stands now, and
 * the words that were said ("" or NULL for none). ERASED stands for one that is not there.
 */
void listing_print_result(struct text *out, const char *id, const char *address,
                          enum copy_state state, const char *words);
/* The same as one JSON object with its newline. */
void listing_print_result_json(struct text *out, const char *id, const char *address,
                               enum copy_state state, const char *words);

#endif
