/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's side of the second SPF engine, which is another process (daemon/spf_role.c)
 * and may die: over a channel go requests (checks/spf_parcel.h), each in one packet whose
 * type is its number, and answers with the same numbers back.
 */
#ifndef POSTERN_FLOW_SPF_LINK_H
#define POSTERN_FLOW_SPF_LINK_H

#include "base/text.h"
#include "checks/spf_parcel.h"
#include "net/loop.h"

/* How long an answer may take, and the engine's process may be gone. */
#define SPF_LINK_MAX_MS 500

struct spf_link;
struct spf_call;

/* Without an engine at first: what is asked waits for one. */
struct spf_link *spf_link_new(struct loop *loop);
/* No call may be there any more; NULL is fine. */
void spf_link_free(struct spf_link **link);
/* An engine to speak to; the one before is gone. */
void spf_link_connect(struct spf_link *link, int take_channel);

/*
 * Takes the bytes of a request over. `done` comes once, from the loop, and ends the call; `second`
 * is NULL when there is no answer, and `problem` says why, a literal.
 */
typedef void (*spf_call_done_fn)(void *owner, const struct spf_second *second,
                                 const char *problem);
struct spf_call *spf_call_start(struct spf_link *link, struct text *take_request,
                                spf_call_done_fn done, void *owner)
    __attribute__((warn_unused_result));
/* Nothing comes any more; NULL is fine. */
void spf_call_cancel(struct spf_call **call);

#endif
