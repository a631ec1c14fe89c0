/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields that postern writes into a message; see stamp.h. A client chose
 * the greeting and the recipient: what goes into the header of somebody else's
 * mail is held to the grammar first, so that no field can be smuggled in here.
 */
#include "verdict/stamp.h"

#include "base/clock.h"
#include "mail/domain.h"
#include "verdict/authres.h"

const char *stamp_protocol(const struct facts *facts, bool is_smtputf8)
{
    bool is_tls = facts->tls_version != NULL;

    if (!facts->is_extended)
        return "SMTP";
    if (is_smtputf8)
        return is_tls ? "UTF8SMTPS" : "UTF8SMTP";
    return is_tls ? "ESMTPS" : "ESMTP";
}

/* ---- loops ---- */

/* The end of a comment that starts at `at` (RFC 5322 3.2.2): comments nest, "\" guards a byte. */
static size_t skip_comment(struct slice value, size_t at)
{
    size_t depth = 0;

    for (; at < value.length; at++) {
        if (value.data[at] == '\\')
            at++;
        else if (value.data[at] == '(')
            depth++;
        else if (value.data[at] == ')' && --depth == 0)
            return at + 1;
    }
    return value.length;
}

static bool ends_word(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n' || c == '(' || c == ';';
}

/* The next word outside comments, from `*at` on. False at the end. */
static bool next_word(struct slice value, size_t *at, struct slice *word)
{
    size_t start;

    while (*at < value.length && ends_word(value.data[*at]))
        *at = value.data[*at] == '(' ? skip_comment(value, *at) : *at + 1;
    for (start = *at; *at < value.length && !ends_word(value.data[*at]); ++*at)
        ;
    *word = slice_until(slice_from_offset(value, start), *at - start);
    return word->length > 0;
}

/* "by HOSTNAME" (RFC 5321 4.4, By-domain). */
static bool is_by(struct slice value, struct slice hostname)
{
    struct slice word;
    size_t at = 0;

    while (next_word(value, &at, &word))
        if (slice_equals_nocase(word, SLICE("by")) && next_word(value, &at, &word) &&
            slice_equals_nocase(word, hostname))
            return true;
    return false;
}

bool stamp_is_loop(const struct message *message, const char *hostname)
{
    size_t all = 0;
    size_t own = 0;

    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];

        if (!slice_equals_nocase(message_field_name(message, field), SLICE("Received")))
            continue;
        all++;
        if (is_by(message_field_value(message, field), slice_from(hostname)))
            own++;
        if (all >= STAMP_MAX_RECEIVED || own >= STAMP_MAX_RECEIVED_OWN)
            return true;
    }
    return false;
}

/* ---- Received ---- */

static bool is_literal(struct slice s)
{
    struct ip_address address;
    struct slice inner;

    if (s.length < 2 || s.data[0] != '[' || s.data[s.length - 1] != ']')
        return false;
    inner = slice_until(slice_from_offset(s, 1), s.length - 2);
    if (slice_has_prefix_nocase(inner, SLICE("IPv6:")))
        inner = slice_from_offset(inner, 5);
    return ip_parse(inner, &address);
}

/* Domains go in by their one form, so a UTF-8 greeting is legal in any header. */
static void add_greeting(struct text *out, struct slice helo)
{
    if (is_literal(helo))
        text_add(out, helo);
    else if (helo.length > DOMAIN_MAX_BYTES || domain_normalise(helo, out) != DOMAIN_OK)
        text_add_string(out, "unknown");
}

/* "for" is left out where a byte could do harm, though mail/address lets none through. */
static void add_recipient(struct text *out, const struct stamp *stamp)
{
    const struct address *recipient = stamp->facts->recipient;
    struct slice text;

    if (stamp->facts->recipient_count != 1 || recipient == NULL)
        return;
    text = address_text(recipient);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < ' ' || c == 0x7f || (c > 0x7f && !stamp->is_smtputf8))
            return;
    }
    text_add_format(out, "\r\n\tfor <%.*s>", SLICE_ARGS(text));
}

static void add_received(struct text *out, const struct stamp *stamp)
{
    const struct facts *facts = stamp->facts;

    text_add_string(out, "Received: from ");
    add_greeting(out, slice_from(facts->helo));
    text_add_string(out, " (");
    ip_print_literal(out, &facts->client.address);
    text_add_format(out, ")\r\n\tby %s with %s id %s", stamp->hostname,
                    stamp_protocol(facts, stamp->is_smtputf8), stamp->id);
    if (facts->tls_version != NULL && stamp->tls_cipher != NULL)
        text_add_format(out, "\r\n\t(%s %s)", facts->tls_version, stamp->tls_cipher);
    add_recipient(out, stamp);
    text_add_string(out, ";\r\n\t");
    clock_print_mail_date(out, stamp->wall_us);
    text_add_string(out, "\r\n");
}

/* ---- the message ---- */

static bool is_foreign(const struct message *message, const struct header_field *field,
                       struct slice authserv_id)
{
    struct slice name = message_field_name(message, field);

    return slice_equals_nocase(name, SLICE(STAMP_TAG_FIELD)) ||
           (slice_equals_nocase(name, SLICE(AUTHRES_FIELD)) &&
            authres_is_ours(message_field_value(message, field), authserv_id));
}

/* One that came with the message could have been put there to mislead filters. */
void stamp_cut_foreign(struct message *message, const char *authserv_id)
{
    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];

        if (is_foreign(message, field, slice_from(authserv_id)))
            message_cut_field(message, field);
    }
}

static bool wants_subject(const struct tag *const *tags, size_t tag_count)
{
    for (size_t i = 0; i < tag_count; i++)
        if (tags[i]->subject != NULL)
            return true;
    return false;
}

const struct header_field *stamp_cut_subject(struct message *message,
                                             const struct tag *const *tags, size_t tag_count)
{
    const struct header_field *subject = message_find_field(message, SLICE("Subject"), 0);

    if (!wants_subject(tags, tag_count))
        return NULL;
    if (subject != NULL)
        message_cut_field(message, subject);
    return subject;
}

size_t stamp_subject_max_bytes(const struct message *message, const struct header_field *subject)
{
    size_t own = sizeof "Subject: \r\n \r\n" + STAMP_MAX_TAGS * (POLICY_MAX_SUBJECT_BYTES + 1);

    return own + (subject != NULL ? message_field_value(message, subject).length : 0);
}

/* The old value goes on a line of its own, which so is no longer than it was. */
static void add_subject(struct text *out, const struct stamp *stamp)
{
    bool is_marked = wants_subject(stamp->tags, stamp->tag_count);
    struct slice value = SLICE_EMPTY;

    if (stamp->subject != NULL)
        value = message_field_value(stamp->message, stamp->subject);
    if (!is_marked && stamp->subject == NULL)
        return;
    text_add_string(out, "Subject:");
    for (size_t i = 0; i < stamp->tag_count; i++)
        if (stamp->tags[i]->subject != NULL)
            text_add_format(out, " %s", stamp->tags[i]->subject);
    if (value.length > 0)
        text_add_string(out, is_marked ? "\r\n " : " ");
    text_add(out, value);
    text_add_string(out, "\r\n");
}

void stamp_print(struct text *out, const struct stamp *stamp)
{
    add_received(out, stamp);
    for (size_t i = 0; i < stamp->tag_count; i++)
        text_add_format(out, "%s: %s\r\n", STAMP_TAG_FIELD, stamp->tags[i]->name);
    add_subject(out, stamp);
}
