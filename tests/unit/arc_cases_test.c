/* SPDX-License-Identifier: BSD-2-Clause */
/* Sealed messages in tests/cases/arc, or in the folder that POSTERN_ARC_CASES names. */
#include "arc_unit.h"
#include "message_cases.h"

static void verify(struct message_case *message)
{
    unit_verify_arc(&message->settings, message->max_sets, message->now_s,
                    text_slice(&message->content), text_slice(&message->zone), &message->got);
}

int main(void)
{
    return message_cases_run("arc", "POSTERN_ARC_CASES", verify);
}
