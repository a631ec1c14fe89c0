/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held mail on its way to its backend, when an owner has released it. The keeper
 * has noted down that it is tried; a worker hands it over as if the client had
 * just sent it, and says what became of each recipient. Policy is not asked.
 */
#ifndef POSTERN_FLOW_RELEASE_H
#define POSTERN_FLOW_RELEASE_H

#include <stdbool.h>

#include "flow/shared.h"

struct releases;

/* Takes the keeper's releases from now on. `on_idle` comes from the loop, whenever none is left. */
struct releases *releases_new(struct shared *shared, void (*on_idle)(void *owner), void *owner);
/* What is under way ends here, and nobody knows how. */
void releases_free(struct releases **releases);

#endif
