/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held mail as people and programs read it. Foreign bytes are escaped: a subject
 * cannot move the cursor of a terminal.
 */
#ifndef POSTERN_QUARANTINE_LISTING_H
#define POSTERN_QUARANTINE_LISTING_H

#include "base/text.h"
#include "quarantine/index.h"

/*
 * One line: id, when, state(s), size, sender, recipients, reason, subject; as an ordinary terminal
 * of 80 columns or more shows it best.
 */
void listing_print_line(struct text *out, const struct index_mail *mail);
void listing_print_head(struct text *out);
/* Everything, a line for each value, recipients with their states. */
void listing_print_all(struct text *out, const struct index_mail *mail);
/* One JSON object and a newline (JSON lines): everything. */
void listing_print_json(struct text *out, const struct index_mail *mail);
/* What one of them takes at most. */
size_t listing_max_bytes(const struct index_mail *mail);

#endif
