/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for states and failures of an SMTP client; see client_state.h. */
#include "smtp/client_state.h"

const char *client_state_name(enum client_state state)
{
    static const char *const names[] = {
        [CLIENT_STATE_GREETING] = "greeting",
        [CLIENT_STATE_EHLO] = "EHLO",
        [CLIENT_STATE_HELO] = "HELO",
        [CLIENT_STATE_STARTTLS] = "STARTTLS",
        [CLIENT_STATE_HANDSHAKE] = "TLS handshake",
        [CLIENT_STATE_READY] = "idle",
        [CLIENT_STATE_XCLIENT] = "XCLIENT",
        [CLIENT_STATE_XCLIENT_EHLO] = "EHLO after XCLIENT",
        [CLIENT_STATE_MAIL] = "MAIL",
        [CLIENT_STATE_RCPT] = "RCPT",
        [CLIENT_STATE_ENVELOPE] = "open envelope",
        [CLIENT_STATE_DATA] = "DATA",
        [CLIENT_STATE_CONTENT] = "content",
        [CLIENT_STATE_DOT] = "end of data",
        [CLIENT_STATE_SPENT] = "refused transaction",
        [CLIENT_STATE_RSET] = "RSET",
        [CLIENT_STATE_OVER] = "over",
    };

    return names[state];
}

const char *client_failure_text(enum client_failure failure)
{
    static const char *const texts[] = {
        [CLIENT_FAILURE_NONE] = "",
        [CLIENT_FAILURE_REFUSED] = "refused",
        [CLIENT_FAILURE_CLOSING] = "the server closes",
        [CLIENT_FAILURE_UNEXPECTED] = "a reply that does not fit",
        [CLIENT_FAILURE_GARBAGE] = "no SMTP reply",
        [CLIENT_FAILURE_NO_TLS] = "STARTTLS is required and not offered",
        [CLIENT_FAILURE_INJECTION] = "bytes behind the reply to STARTTLS",
        [CLIENT_FAILURE_NO_XCLIENT] = "XCLIENT is needed and not offered",
    };

    return texts[failure];
}
