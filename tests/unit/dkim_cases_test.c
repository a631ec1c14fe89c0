/* SPDX-License-Identifier: BSD-2-Clause */
/* Signed messages in tests/cases/dkim, or in the folder that POSTERN_DKIM_CASES names. */
#include "dkim_unit.h"
#include "message_cases.h"

static void verify(struct message_case *message)
{
    unit_verify(&message->settings, message->now_s, text_slice(&message->content),
                text_slice(&message->zone), &message->got);
}

int main(void)
{
    return message_cases_run("dkim", "POSTERN_DKIM_CASES", verify);
}
