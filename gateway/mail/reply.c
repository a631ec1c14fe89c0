/* SPDX-License-Identifier: BSD-2-Clause */
/* SMTP replies as they go out; see reply.h. */
#include "mail/reply.h"

#include <assert.h>

#define ENHANCED_MAX_BYTES 11 /* "5.999.999", and a little more */
#define REASON_MAX_BYTES 255
#define REFERENCE_MAX_BYTES 64

static void add_clean(struct text *out, struct slice s)
{
    for (size_t i = 0; i < s.length; i++) {
        char c = s.data[i];

        if ((unsigned char)c > 127)
            c = '?';
        else if (!ascii_is_printable(c))
            c = ' ';
        text_add_byte(out, c);
    }
}

static struct slice cut_string(const char *string, size_t max_bytes)
{
    return slice_until(slice_trim(slice_from(string)), max_bytes);
}

void reply_print(struct text *out, const struct reply *reply, const char *reference_string)
{
    struct slice enhanced = cut_string(reply->enhanced, ENHANCED_MAX_BYTES);
    struct slice reason = cut_string(reply->reason, REASON_MAX_BYTES);
    struct slice reference = cut_string(reference_string, REFERENCE_MAX_BYTES);
    bool has_both = reason.length > 0 && reference.length > 0;
    bool has_tail = reason.length > 0 || reference.length > 0;
    size_t head_length = 3 + (enhanced.length > 0 ? 1 + enhanced.length : 0);
    size_t tail_length = has_tail ? 3 + reason.length + has_both + reference.length : 0;
    size_t text_max_bytes = REPLY_MAX_BYTES - 2 - 1 - head_length - tail_length;
    struct slice text = cut_string(reply->text, text_max_bytes);
    size_t text_length;

    assert(reply->code >= 200 && reply->code <= 599);
    text = slice_trim(text); /* a cut may end behind a blank */
    text_length = text.length > 0 ? 1 + text.length : 0;
    if (head_length + text_length + tail_length + 2 > out->max_length - out->length) {
        out->is_cut = true;
        return;
    }
    text_add_number(out, (uint64_t)reply->code);
    if (enhanced.length > 0)
        text_add_byte(out, ' ');
    add_clean(out, enhanced);
    if (text.length > 0)
        text_add_byte(out, ' ');
    add_clean(out, text);
    if (has_tail)
        text_add_string(out, " (");
    add_clean(out, reason);
    if (has_both)
        text_add_byte(out, ' ');
    add_clean(out, reference);
    text_add_string(out, has_tail ? ")\r\n" : "\r\n");
}
