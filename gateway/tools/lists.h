/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables that the manuals are held against by `make check-docs`. */
#ifndef POSTERN_TOOLS_LISTS_H
#define POSTERN_TOOLS_LISTS_H

enum list {
    LIST_SETTINGS = 1 << 0,   /* block, key, form, default, "required" or "", meaning */
    LIST_TERMS = 1 << 1,      /* "term", word, values, phase, meaning; or "action", word;
                                 or "later", word, what is missing */
    LIST_LINTS = 1 << 2,      /* id, why */
    LIST_REASONS = 1 << 3,    /* id, code, enhanced code, meaning; what clients can hear */
    LIST_LOG_FIELDS = 1 << 4, /* key, group, meaning */
};

/* Prints the lists whose bits are set, one row a line with tabs between the columns. */
void lists_print(unsigned int lists);

#endif
