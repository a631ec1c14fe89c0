/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a mail on the bench got what it got: what was found, each rule that was tried
 * and what its terms were compared with, and where all of it was written.
 */
#ifndef POSTERN_TOOLS_EXPLANATION_H
#define POSTERN_TOOLS_EXPLANATION_H

#include "base/text.h"
#include "tools/json.h"
#include "tools/trial.h"

/* For a postmaster; foreign bytes are escaped. */
void explanation_print(struct text *out, const struct trial *trial);
/* The same as the members of an object that is open. */
void explanation_print_json(struct json *json, const struct trial *trial);

#endif
