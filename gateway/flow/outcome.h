/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client and the log hear of what happened to a message: one row for
 * each thing that a backend, memory or disk can do.
 */
#ifndef POSTERN_FLOW_OUTCOME_H
#define POSTERN_FLOW_OUTCOME_H

#include "config/config.h"
#include "delivery/forward.h"
#include "mail/message.h"
#include "mail/reply.h"
#include "net/spill.h"
#include "policy/policy.h"
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
/* A success says what became of the mail where it went furthest: see recipients_furthest. */
enum record_verdict outcome_success_verdict(enum action furthest);
/* What the client hears when nothing but the holding of a copy was to be done. */
struct reply outcome_held_reply(const struct config *config, bool is_held);

#endif
