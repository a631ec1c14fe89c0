/* SPDX-License-Identifier: BSD-2-Clause */
/* What the client and the log hear of what happened; see outcome.h. */
#include "flow/outcome.h"

enum server_reply outcome_reply_to_backend(const struct forward_answer *answer,
                                           enum server_reply success)
{
    switch (answer->class) {
    case FORWARD_OK: return success;
    case FORWARD_UNKNOWN_USER: return REPLY_RECIPIENT_UNKNOWN;
    case FORWARD_MAILBOX_FULL: return REPLY_MAILBOX_FULL;
    case FORWARD_REFUSED: return REPLY_BACKEND_REFUSED;
    case FORWARD_TOO_LARGE: return REPLY_BACKEND_TOO_LARGE;
    case FORWARD_DEFERRED: return REPLY_BACKEND_DEFERRED;
    case FORWARD_UNREACHABLE: return REPLY_BACKEND_UNREACHABLE;
    case FORWARD_BUSY: return REPLY_BACKEND_BUSY;
    case FORWARD_BROKEN: return REPLY_BACKEND_UNREACHABLE;
    case FORWARD_NEEDS_8BITMIME: return REPLY_NEEDS_8BITMIME;
    case FORWARD_NEEDS_SMTPUTF8: return REPLY_NEEDS_SMTPUTF8;
    case FORWARD_LOST: return REPLY_BACKEND_LOST;
    case FORWARD_WITHDRAWN: return REPLY_INTERNAL; /* nobody is there to read it */
    }
    return REPLY_INTERNAL;
}

enum server_reply outcome_reply_to_hold(enum hold_result result)
{
    switch (result) {
    case HOLD_STORED: return REPLY_OK;
    case HOLD_FULL: return REPLY_QUARANTINE_FULL;
    case HOLD_BUSY: return REPLY_QUARANTINE_BUSY;
    case HOLD_FAILED: return REPLY_QUARANTINE_FAILED;
    }
    return REPLY_INTERNAL;
}

enum server_reply outcome_reply_to_problem(enum message_problem problem)
{
    switch (problem) {
    case MESSAGE_OK: return REPLY_OK;
    case MESSAGE_TOO_LARGE: return REPLY_MESSAGE_TOO_LARGE;
    case MESSAGE_HEADER_TOO_LARGE: return REPLY_HEADER_TOO_LARGE;
    case MESSAGE_NO_MEMORY: return REPLY_NO_SPACE;
    }
    return REPLY_INTERNAL;
}

enum server_reply outcome_reply_to_spill(enum spill_result result)
{
    switch (result) {
    case SPILL_DONE: return REPLY_OK;
    case SPILL_DISK_FULL: return REPLY_NO_SPACE;
    case SPILL_FAILED: return REPLY_INTERNAL;
    }
    return REPLY_INTERNAL;
}

enum record_verdict outcome_verdict(const struct reply *reply)
{
    return reply_is_success(reply)     ? RECORD_VERDICT_ACCEPT
           : reply_is_temporary(reply) ? RECORD_VERDICT_TEMPFAIL
                                       : RECORD_VERDICT_REJECT;
}

enum record_verdict outcome_success_verdict(enum action furthest)
{
    return furthest == ACTION_ACCEPT       ? RECORD_VERDICT_ACCEPT
           : furthest == ACTION_QUARANTINE ? RECORD_VERDICT_QUARANTINE
                                           : RECORD_VERDICT_DISCARD;
}

struct reply outcome_held_reply(const struct config *config, bool is_held)
{
    bool is_told = is_held && config->quarantine.reply == HELD_REPLY_TELL;

    return server_reply_get(is_told ? REPLY_MESSAGE_HELD : REPLY_MESSAGE_ACCEPTED);
}
