/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose an Authentication-Results field is; see authres.h. What is read (RFC 8601
 * 2.2):
 *
 *   [CFWS] authserv-id [ CFWS authres-version ] *( [CFWS] ";" ... )
 *   authserv-id = token / quoted-string
 *
 * One strict reading, which also notes whether anybody could read it in another way: comments that
 * nest, backslashes, a name in pieces, bytes beyond ASCII. A forger hides our id in just those
 * places; an honest field has none of them.
 */
#include "base/memory.h"
#include "mail/domain.h"
#include "verdict/authres.h"

struct reader {
    struct slice rest;
    bool is_clear; /* so far there is one way to read it */
};

static bool is_space(char c)
{
    return ascii_is_blank(c) || c == '\r' || c == '\n';
}

static bool starts_with(const struct reader *reader, char c)
{
    return reader->rest.length > 0 && reader->rest.data[0] == c;
}

/* A comment with nothing in it that one reader sees and another does not. */
static void skip_comment(struct reader *reader)
{
    struct slice s = reader->rest;
    size_t depth = 0;
    size_t i;

    for (i = 0; i < s.length; i++) {
        if (s.data[i] == '\\') {
            reader->is_clear = false;
            i++;
        } else if (s.data[i] == '(') {
            if (depth++ > 0)
                reader->is_clear = false;
        } else if (s.data[i] == ')' && --depth == 0) {
            break;
        } else if (!ascii_is_printable(s.data[i]) && !is_space(s.data[i])) {
            reader->is_clear = false;
        }
    }
    if (i >= s.length)
        reader->is_clear = false;
    reader->rest = slice_from_offset(s, i + 1);
}

static void skip_cfws(struct reader *reader)
{
    while (reader->rest.length > 0) {
        if (starts_with(reader, '('))
            skip_comment(reader);
        else if (is_space(reader->rest.data[0]))
            reader->rest = slice_from_offset(reader->rest, 1);
        else
            return;
    }
}

/* Up to its closing quote, or to the end. */
static void take_quoted(struct reader *reader, struct text *id)
{
    struct slice s = reader->rest;
    size_t i;

    for (i = 1; i < s.length && s.data[i] != '"'; i++) {
        if (s.data[i] == '\\') {
            reader->is_clear = false;
            if (++i == s.length)
                break;
        }
        text_add_byte(id, s.data[i]);
    }
    if (i >= s.length)
        reader->is_clear = false;
    reader->rest = slice_from_offset(s, i + 1);
}

static bool ends_token(char c)
{
    size_t at;

    return is_space(c) || slice_find_byte(SLICE("()<>@,;:\\\"/[]?="), c, &at);
}

static void take_id(struct reader *reader, struct text *id)
{
    size_t end = 0;

    if (starts_with(reader, '"')) {
        take_quoted(reader, id);
        return;
    }
    while (end < reader->rest.length && !ends_token(reader->rest.data[end]))
        end++;
    text_add(id, slice_until(reader->rest, end));
    reader->rest = slice_from_offset(reader->rest, end);
}

static void skip_version(struct reader *reader)
{
    while (reader->rest.length > 0 && ascii_is_digit(reader->rest.data[0]))
        reader->rest = slice_from_offset(reader->rest, 1);
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.length; i++)
        if (!ascii_is_printable(s.data[i]))
            return false;
    return true;
}

/* In any case, with a dot at the end, in Unicode. */
static bool is_same_id(struct slice given, struct slice id)
{
    struct text form;
    bool is_same;

    while (given.length > 0 && given.data[given.length - 1] == '.')
        given = slice_until(given, given.length - 1);
    if (slice_equals_nocase(given, id))
        return true;
    text_init(&form, DOMAIN_MAX_BYTES);
    is_same = domain_normalise(given, &form) == DOMAIN_OK &&
              slice_equals(text_slice(&form), id);
    text_clear(&form);
    return is_same;
}

/* ---- when in doubt ---- */

/* Which comments to leave out: none, up to the first ")", or with those inside. */
enum comments { COMMENTS_STAY, COMMENTS_FLAT, COMMENTS_NESTED };

/* What is left when all goes out that some reader might skip. */
static void squeeze(struct text *out, struct slice value, enum comments comments)
{
    size_t depth = 0;

    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];

        if (comments != COMMENTS_STAY && c == '(')
            depth = comments == COMMENTS_NESTED ? depth + 1 : 1;
        else if (comments != COMMENTS_STAY && c == ')')
            depth -= depth > 0;
        else if (depth == 0 && c > ' ' && c <= '~' && c != '"' && c != '\\')
            text_add_byte(out, c);
    }
}

static bool contains(struct slice s, struct slice part)
{
    for (size_t i = 0; i + part.length <= s.length; i++)
        if (slice_has_prefix_nocase(slice_from_offset(s, i), part))
            return true;
    return false;
}

static bool may_mean(struct slice value, struct slice id)
{
    struct text squeezed;
    bool is_found = false;

    text_init(&squeezed, value.length);
    for (enum comments comments = COMMENTS_STAY; comments <= COMMENTS_NESTED; comments++) {
        text_reset(&squeezed);
        squeeze(&squeezed, value, comments);
        is_found |= contains(text_slice(&squeezed), id);
    }
    text_clear(&squeezed);
    /* An encoded word (RFC 2047) has no place here, and some decode it nonetheless. */
    return is_found || contains(value, SLICE("=?"));
}

bool authres_is_ours(struct slice value, struct slice id)
{
    struct reader reader = { value, true };
    struct text given;
    bool is_ours;

    text_init(&given, value.length);
    skip_cfws(&reader);
    take_id(&reader, &given);
    skip_cfws(&reader);
    skip_version(&reader);
    skip_cfws(&reader);
    /* "dkim=pass": there was no id, and results began at once. */
    is_ours = given.length == 0 || starts_with(&reader, '=') ||
              is_same_id(text_slice(&given), id);
    if (!is_printable(text_slice(&given)) ||
        (reader.rest.length > 0 && !starts_with(&reader, ';')))
        reader.is_clear = false;
    text_clear(&given);
    return is_ours || (!reader.is_clear && may_mean(value, id));
}
