/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail as a line of the log remembers it: envelope, findings, size and first
 * author. What else was in its header nobody knows any more.
 */
#ifndef POSTERN_TOOLS_LOGGED_MAIL_H
#define POSTERN_TOOLS_LOGGED_MAIL_H

#include "tools/log_line.h"
#include "tools/trial.h"

struct logged_mail {
    struct trial_mail mail;      /* of this struct, which must not be moved */
    struct trial_memory memory;
    struct findings findings;    /* owned */
    char **recipients;           /* owned, as are they */
    size_t recipient_count;
};

enum logged_result {
    LOGGED_OK,
    LOGGED_OTHER,  /* the line is about no mail that came as far as its recipients */
    LOGGED_HIDDEN, /* log-addresses has left out what rules ask for */
};

/* `line` is kept until logged_mail_clear, which is called whatever this says. */
enum logged_result logged_mail_init(struct logged_mail *logged, const struct log_line *line);
void logged_mail_clear(struct logged_mail *logged);

#endif
