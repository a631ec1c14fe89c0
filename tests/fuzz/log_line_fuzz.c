/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of a log from hostile bytes: refused, or taken with an event; and what is taken for a mail
 * has a recipient and findings that can be asked.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tools/logged_mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data, size };
    struct logged_mail logged;
    struct log_line line;

    if (!log_line_parse(&line, bytes))
        return 0;
    require(log_line_find(&line, "event") != NULL);
    if (logged_mail_init(&logged, &line) == LOGGED_OK) {
        require(logged.mail.recipient_count > 0);
        require(logged.mail.recipients[0] != NULL && logged.mail.sender != NULL);
        for (int i = 0; i < CHECK_COUNT; i++)
            require(result_word(findings_result(&logged.findings, (enum check_id)i)) != NULL);
    }
    logged_mail_clear(&logged);
    log_line_clear(&line);
    return 0;
}
