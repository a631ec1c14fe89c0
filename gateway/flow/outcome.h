/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client and the log hear of what happened to a message: one row for
 * each thing that a backend, memory or disk can do.
 */
#ifndef POSTERN_FLOW_OUTCOME_H
#define POSTERN_FLOW_OUTCOME_H

#include "delivery/forward.h"
#include "mail/message.h"
#include "mail/reply.h"
#include "net/spill.h"
#include "quarantine/keeper_link.h"
#include "record/record.h"
#include "smtp/server_replies.h"

/* The backend's word, or its silence; `success` where it said 2xx. */
enum server_reply outcome_reply_to_backend(const struct forward_answer *answer,
                                           enum server_reply success);
/* Why a mail cannot be held; REPLY_OK when it is. */
enum server_reply outcome_reply_to_hold(enum hold_result result);
/* Why the content cannot be taken; REPLY_OK when it can. */
enum server_reply outcome_reply_to_problem(enum message_problem problem);
/* What the disk had to say; REPLY_OK when it is done. */
enum server_reply outcome_reply_to_spill(enum spill_result result);
/* The verdict that goes with a final reply. */
enum record_verdict outcome_verdict(const struct reply *reply);

#endif
