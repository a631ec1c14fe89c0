/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers and their classes; see answer.h. The enhanced code (RFC 3463) says
 * more than the code and is believed first: 550 5.7.1 to RCPT is a refusal by
 * policy, and only a bare 550 means that the user is not there.
 */
#include "delivery/answer.h"

#include <string.h>

#include "smtp/client_dialogue.h"

void answer_init(struct answer *answer)
{
    *answer = (struct answer){ 0 };
    text_init(&answer->text, ANSWER_MAX_TEXT_BYTES);
    text_init(&answer->detail, ANSWER_MAX_DETAIL_BYTES);
}

void answer_clear(struct answer *answer)
{
    text_clear(&answer->text);
    text_clear(&answer->detail);
}

void answer_reset(struct answer *answer, enum forward_class class)
{
    answer->public = (struct forward_answer){ .class = class };
    answer->enhanced[0] = '\0';
    answer->tls_version[0] = '\0';
    text_reset(&answer->text);
    text_reset(&answer->detail);
}

void answer_copy(struct answer *to, const struct answer *from)
{
    answer_reset(to, from->public.class);
    to->public = from->public;
    memcpy(to->enhanced, from->enhanced, sizeof to->enhanced);
    memcpy(to->tls_version, from->tls_version, sizeof to->tls_version);
    text_add(&to->text, text_slice(&from->text));
    text_add(&to->detail, text_slice(&from->detail));
}

void answer_set_reply(struct answer *answer, const struct reply_parser *reply)
{
    struct slice lines = text_slice(&reply->lines);
    struct slice line;
    bool is_first = true;

    answer->public.code = reply->code;
    memcpy(answer->enhanced, reply->enhanced, sizeof answer->enhanced);
    text_reset(&answer->text);
    while (slice_next(&lines, '\n', &line)) {
        if (!is_first)
            text_add_byte(&answer->text, '/');
        text_add(&answer->text, line);
        is_first = false;
    }
}

void answer_set_detail(struct answer *answer, const char *format, ...)
{
    va_list arguments;

    text_reset(&answer->detail);
    va_start(arguments, format);
    text_add_format_list(&answer->detail, format, arguments);
    va_end(arguments);
}

void answer_set_tls_version(struct answer *answer, const char *version)
{
    struct slice s = slice_until(slice_from(version), ANSWER_MAX_TLS_VERSION_BYTES);

    if (s.length > 0)
        memcpy(answer->tls_version, s.data, s.length);
    answer->tls_version[s.length] = '\0';
}

const struct forward_answer *answer_get(struct answer *answer)
{
    answer->public.enhanced = answer->enhanced;
    answer->public.text = text_string(&answer->text);
    answer->public.detail = text_string(&answer->detail);
    answer->public.tls_version = answer->tls_version[0] != '\0' ? answer->tls_version : NULL;
    return &answer->public;
}

/* Does "5.1.1" have this subject and, unless negative, this detail? */
static bool is_about(const char *enhanced, int subject, int detail)
{
    struct slice words = slice_from(enhanced);
    struct slice word[3];

    for (size_t i = 0; i < 3; i++)
        if (!slice_next(&words, '.', &word[i]) || word[i].length == 0)
            return false;
    return word[1].length == 1 && word[1].data[0] == '0' + subject
           && (detail < 0 || (word[2].length == 1 && word[2].data[0] == '0' + detail));
}

/* No enhanced code, or one that says nothing but its class: x.0.0. */
static bool is_silent(const char *enhanced)
{
    return enhanced[0] == '\0' || is_about(enhanced, 0, -1);
}

static enum forward_class classify_permanent(enum client_state state, int code,
                                             const char *enhanced)
{
    bool is_recipient = state == CLIENT_STATE_RCPT;

    if (is_about(enhanced, 2, 2))
        return FORWARD_MAILBOX_FULL;
    if (is_about(enhanced, 3, 4))
        return FORWARD_TOO_LARGE;
    if (is_recipient && is_about(enhanced, 1, -1))
        return FORWARD_UNKNOWN_USER;
    if (is_recipient && is_silent(enhanced) && (code == 550 || code == 551 || code == 553))
        return FORWARD_UNKNOWN_USER;
    if (code == 552 && is_recipient && is_silent(enhanced))
        return FORWARD_MAILBOX_FULL;
    if (code == 552 && !is_recipient)
        return FORWARD_TOO_LARGE;
    return FORWARD_REFUSED;
}

enum forward_class answer_classify(enum client_state state, int code, const char *enhanced)
{
    if (code / 100 == 2)
        return FORWARD_OK;
    if (code / 100 == 5)
        return classify_permanent(state, code, enhanced);
    return FORWARD_DEFERRED;
}
