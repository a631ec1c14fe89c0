/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mailboxes in a header field; see mailbox.h. One pass from left to right, no
 * recursion and no way back, over
 *
 *   address-list = address *("," address)                      RFC 5322 3.4
 *   address      = mailbox / group
 *   group        = display-name ":" [mailbox-list / CFWS] ";" [CFWS]
 *   mailbox      = [[display-name] [CFWS] "<"] addr-spec [">" [CFWS]]
 *   addr-spec    = local-part "@" domain                       RFC 5322 3.4.1
 *
 * A display name and a local part begin alike, so the words are read first and
 * the byte behind them says what they were. An address counts only when what
 * follows it lets it stand: in "ceo@example.org <x@example.net>" neither does.
 */
#include "mail/mailbox.h"

#include "base/memory.h"
#include "base/text.h"
#include "mail/domain.h"
#include "mail/grammar.h"

struct reader {
    struct slice s;
    size_t at;           /* at most s.length */
    bool is_in_group;    /* between ":" and ";" */
    bool has_bad_bytes;  /* bytes that are no UTF-8 stood where any text may */
    struct text address; /* of the element that is read; empty when it is a group */
    size_t domain_start; /* in `address` */
};

/* Words in a row: a display name, or a local part when there is just one. */
struct words {
    size_t count;
    struct slice first; /* as written, its quotes included */
};

static bool at_end(const struct reader *reader)
{
    return reader->at == reader->s.length;
}

static bool is_at(const struct reader *reader, char c)
{
    return !at_end(reader) && reader->s.data[reader->at] == c;
}

static bool take(struct reader *reader, char c)
{
    bool is_there = is_at(reader, c);

    reader->at += is_there;
    return is_there;
}

static struct slice taken_since(const struct reader *reader, size_t start)
{
    return slice_from_offset(slice_until(reader->s, reader->at), start);
}

/* One blank, or CRLF that folds: a blank follows it (RFC 5322 3.2.2). */
static bool take_blank(struct reader *reader)
{
    struct slice rest = slice_from_offset(reader->s, reader->at);
    size_t length = slice_has_prefix(rest, SLICE("\r\n")) ? 3 : 1;

    if (rest.length < length || !ascii_is_blank(rest.data[length - 1]))
        return false;
    reader->at += length;
    return true;
}

/* One character of free text, blanks apart: printable ASCII, or anything beyond ASCII. */
static bool take_text(struct reader *reader)
{
    struct slice rest = slice_from_offset(reader->s, reader->at);
    size_t length = grammar_utf8_length(rest);

    if (rest.length == 0)
        return false;
    if (length == 0 && (unsigned char)rest.data[0] > 127)
        reader->has_bad_bytes = true;
    else if (length == 0 && (rest.data[0] == ' ' || !ascii_is_printable(rest.data[0])))
        return false;
    reader->at += length > 0 ? length : 1;
    return true;
}

/* What a comment and a quoted string are made of; a backslash takes the next character along. */
static bool take_content(struct reader *reader)
{
    if (take(reader, '\\'))
        return take_text(reader) || take(reader, ' ') || take(reader, '\t');
    return take_blank(reader) || take_text(reader);
}

/* comment = "(" *(content / comment) ")"; the reader is behind the first parenthesis. */
static bool take_comment(struct reader *reader)
{
    unsigned int depth = 1;

    while (depth > 0) {
        if (take(reader, '('))
            depth++;
        else if (take(reader, ')'))
            depth--;
        else if (!take_content(reader))
            return false;
        if (depth > MAILBOX_MAX_COMMENT_DEPTH)
            return false;
    }
    return true;
}

/* [CFWS]; false where a comment does not end. */
static bool skip_comments(struct reader *reader)
{
    for (;;) {
        if (take(reader, '(')) {
            if (!take_comment(reader))
                return false;
        } else if (!take_blank(reader)) {
            return true;
        }
    }
}

/* The reader is behind the first quote. */
static bool take_quoted_string(struct reader *reader)
{
    while (!take(reader, '"'))
        if (!take_content(reader))
            return false;
    return true;
}

/* A run of atext and dots; whether the dots stand well is for whoever uses it. */
static void take_dotted(struct reader *reader)
{
    while (!at_end(reader)) {
        char c = reader->s.data[reader->at];

        if (c != '.' && (unsigned char)c < 128 && !grammar_is_atext(c))
            break;
        take_text(reader);
    }
}

/* *( word [CFWS] ), the dots of an unquoted name included. */
static bool take_words(struct reader *reader, struct words *words)
{
    *words = (struct words){ 0 };
    for (;;) {
        size_t start = reader->at;

        if (take(reader, '"')) {
            if (!take_quoted_string(reader))
                return false;
        } else {
            take_dotted(reader);
        }
        if (reader->at == start)
            return true;
        if (words->count++ == 0)
            words->first = taken_since(reader, start);
        if (!skip_comments(reader))
            return false;
    }
}

/* Local part to the address. */
static bool add_local(struct text *address, struct slice word)
{
    if (word.data[0] != '"') {
        text_add(address, word);
        return grammar_is_dot_atom(word);
    }
    if (!grammar_is_utf8(word))
        return false;
    grammar_add_local(address, word);
    return true;
}

/* domain = dot-atom / domain-literal, both of the one form. */
static bool add_domain(struct reader *reader)
{
    size_t start = reader->at;
    size_t end;

    if (!is_at(reader, '[')) {
        take_dotted(reader);
        return domain_normalise(taken_since(reader, start), &reader->address) == DOMAIN_OK;
    }
    if (!slice_find_byte(slice_from_offset(reader->s, start), ']', &end))
        return false;
    reader->at += end + 1;
    return domain_normalise_literal(taken_since(reader, start), &reader->address);
}

/* addr-spec from its "@" on; `local` is the word before it. */
static bool take_address(struct reader *reader, const struct words *local)
{
    if (local->count != 1 || !add_local(&reader->address, local->first) || !take(reader, '@'))
        return false;
    text_add_byte(&reader->address, '@');
    reader->domain_start = reader->address.length;
    return skip_comments(reader) && add_domain(reader) && skip_comments(reader) &&
           !reader->address.is_cut;
}

/* [CFWS] addr-spec ">" [CFWS]. A route ("@a,@b:") has no words in front of its "@". */
static bool take_angle_address(struct reader *reader)
{
    struct words local;

    return skip_comments(reader) && take_words(reader, &local) && take_address(reader, &local) &&
           take(reader, '>') && skip_comments(reader);
}

/* A mailbox, or a group up to its colon. */
static bool take_element(struct reader *reader, bool *is_group_start)
{
    struct words words;
    bool is_name;

    text_reset(&reader->address);
    *is_group_start = false;
    if (!skip_comments(reader) || !take_words(reader, &words))
        return false;
    if (is_at(reader, '@'))
        return take_address(reader, &words);
    is_name = words.count > 0 && words.first.data[0] != '.';
    if (take(reader, '<'))
        return (is_name || words.count == 0) && take_angle_address(reader);
    *is_group_start = take(reader, ':');
    if (!*is_group_start || !is_name || reader->is_in_group)
        return false;
    reader->is_in_group = true;
    return skip_comments(reader);
}

/* Keeps the address that was read, if any. False when there are too many. */
static bool keep_address(struct reader *reader, struct mailbox_list *list)
{
    struct mailbox mailbox;

    if (reader->address.length == 0)
        return true;
    if (list->count == MAILBOX_MAX_COUNT)
        return false;
    mailbox.address = mem_copy(text_slice(&reader->address));
    mailbox.domain = mailbox.address + reader->domain_start;
    list->mailboxes =
        mem_grow(list->mailboxes, list->count, &list->capacity, sizeof *list->mailboxes);
    list->mailboxes[list->count++] = mailbox;
    return true;
}

/* False at the first thing that does not belong. */
static bool read_list(struct reader *reader, struct mailbox_list *list)
{
    for (;;) {
        bool is_group_start;
        bool is_group_end;

        if (!take_element(reader, &is_group_start))
            return false;
        is_group_end = reader->is_in_group && is_at(reader, ';');
        if (is_group_start && !is_group_end)
            continue;
        if (!is_group_end && !is_at(reader, ',') && !at_end(reader))
            return false;
        if (!keep_address(reader, list))
            return false;
        if (is_group_end) {
            reader->at++;
            reader->is_in_group = false;
            if (!skip_comments(reader))
                return false;
        }
        if (at_end(reader))
            return !reader->is_in_group;
        if (!take(reader, ','))
            return false;
    }
}

void mailbox_list_parse(struct mailbox_list *list, struct slice value)
{
    struct reader reader = { .s = slice_trim(value) };

    *list = (struct mailbox_list){ 0 };
    text_init(&reader.address, MAILBOX_MAX_BYTES);
    list->is_malformed = !read_list(&reader, list) || reader.has_bad_bytes;
    text_clear(&reader.address);
}

void mailbox_list_clear(struct mailbox_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->mailboxes[i].address);
    mem_free(list->mailboxes);
    *list = (struct mailbox_list){ 0 };
}
