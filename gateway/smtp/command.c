/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines; see command.h. Strict where two readers could differ, and
 * lenient only in what real clients get wrong and nobody can read otherwise:
 * blanks behind "MAIL FROM:" and at the end of a line.
 */
#include "smtp/command.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/number.h"
#include "mail/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct verb_name {
    const char *name;
    enum command_verb verb;
    bool takes_address; /* its argument may be UTF-8 (RFC 6531 3.5, 3.7.4.2) */
};

static const struct verb_name verb_names[] = {
    { "MAIL", COMMAND_MAIL, true },
    { "RCPT", COMMAND_RCPT, true },
    { "DATA", COMMAND_DATA, false },
    { "EHLO", COMMAND_EHLO, false },
    { "QUIT", COMMAND_QUIT, false },
    { "BDAT", COMMAND_BDAT, false },
    { "RSET", COMMAND_RSET, false },
    { "STARTTLS", COMMAND_STARTTLS, false },
    { "HELO", COMMAND_HELO, false },
    { "NOOP", COMMAND_NOOP, false },
    { "VRFY", COMMAND_VRFY, true },
    { "EXPN", COMMAND_EXPN, true },
    { "HELP", COMMAND_HELP, false },
    { "AUTH", COMMAND_REFUSED, false },
    { "ETRN", COMMAND_REFUSED, false },
    { "TURN", COMMAND_REFUSED, false },
    { "ATRN", COMMAND_REFUSED, false },
    { "SEND", COMMAND_REFUSED, false },
    { "SOML", COMMAND_REFUSED, false },
    { "SAML", COMMAND_REFUSED, false },
};

/* ---- The line ---- */

/* Up to the first blank; `*rest` is what follows the blanks. */
static struct slice take_word(struct slice s, struct slice *rest)
{
    size_t end = 0;
    size_t next;

    while (end < s.length && !ascii_is_blank(s.data[end]))
        end++;
    for (next = end; next < s.length && ascii_is_blank(s.data[next]);)
        next++;
    *rest = slice_from_offset(s, next);
    return slice_until(s, end);
}

static struct slice drop_blanks_at_end(struct slice s)
{
    while (s.length > 0 && ascii_is_blank(s.data[s.length - 1]))
        s.length--;
    return s;
}

struct command command_parse(struct slice line)
{
    struct command command = { .verb = COMMAND_UNKNOWN };
    struct slice verb = take_word(drop_blanks_at_end(line), &command.argument);

    for (size_t i = 0; i < COUNT(verb_names); i++) {
        if (slice_equals_nocase(verb, slice_from(verb_names[i].name))) {
            command.verb = verb_names[i].verb;
            break;
        }
    }
    return command;
}

static bool takes_address(enum command_verb verb)
{
    for (size_t i = 0; i < COUNT(verb_names); i++)
        if (verb_names[i].verb == verb)
            return verb_names[i].takes_address;
    return false;
}

bool command_has_bad_bytes(const struct command *command, struct slice line, bool allow_utf8)
{
    bool has_8bit = false;

    for (size_t i = 0; i < line.length; i++) {
        if ((line.data[i] & 0x80) != 0)
            has_8bit = true;
        else if (!ascii_is_printable(line.data[i]) && line.data[i] != '\t')
            return true;
    }
    return has_8bit && !(allow_utf8 && takes_address(command->verb) && utf8_is_valid(line));
}

bool command_is_hello_name(struct slice argument)
{
    for (size_t i = 0; i < argument.length; i++)
        if (!ascii_is_printable(argument.data[i]) || argument.data[i] == ' ')
            return false;
    return argument.length > 0 && argument.length <= COMMAND_MAX_HELLO_BYTES;
}

/* ---- Parameters (RFC 5321 4.1.2) ----
 *
 * esmtp-param   = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value   = 1*(%d33-60 / %d62-126)
 *
 * The values that we know are each checked by their own grammar, so that the
 * general one need not be.
 */

/* What the parameters of one command are read into. */
struct parameter_target {
    unsigned int extensions;
    unsigned int seen; /* bits, by row of the table */
    struct envelope *mail;       /* NULL for RCPT */
    struct recipient *recipient; /* NULL for MAIL */
    bool *is_prdr;               /* NULL for RCPT */
    bool allow_utf8;
};

static bool read_size(struct parameter_target *target, struct slice value)
{
    /* size-value = 1*20DIGIT (RFC 1870 4) */
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_digit(value.data[i]))
            return false;
    if (value.length == 0 || value.length > 20)
        return false;
    target->mail->has_size = true;
    if (!number_parse(value, UINT64_MAX, &target->mail->size_bytes))
        target->mail->size_bytes = UINT64_MAX;
    return true;
}

/* BINARYMIME is never offered: it cannot leave in DATA. */
static bool read_body(struct parameter_target *target, struct slice value)
{
    if (slice_equals_nocase(value, SLICE("7BIT")))
        target->mail->body = BODY_7BIT;
    else if (slice_equals_nocase(value, SLICE("8BITMIME")))
        target->mail->body = BODY_8BITMIME;
    else
        return false;
    return true;
}

static bool read_smtputf8(struct parameter_target *target, struct slice value)
{
    (void)value;
    target->mail->is_smtputf8 = true;
    return true;
}

static bool read_prdr(struct parameter_target *target, struct slice value)
{
    (void)value;
    *target->is_prdr = true;
    return true;
}

static bool read_ret(struct parameter_target *target, struct slice value)
{
    if (slice_equals_nocase(value, SLICE("FULL")))
        target->mail->ret = DSN_RETURN_FULL;
    else if (slice_equals_nocase(value, SLICE("HDRS")))
        target->mail->ret = DSN_RETURN_HEADERS;
    else
        return false;
    return true;
}

/*
 * xtext = *( xchar / hexchar )   xchar = %d33-42 / %d44-60 / %d62-126
 * hexchar = "+" two upper-case hexadecimal digits (RFC 3461 4). With
 * `allow_utf8` also whole UTF-8 sequences, which the caller knows to be valid.
 */
static bool is_xtext(struct slice s, bool allow_utf8)
{
    for (size_t i = 0; i < s.length; i++) {
        char c = s.data[i];

        if (c == '+') {
            if (s.length - i < 3 || ascii_hex_value(s.data[i + 1]) < 0 ||
                ascii_hex_value(s.data[i + 2]) < 0 || ascii_is_lower(s.data[i + 1]) ||
                ascii_is_lower(s.data[i + 2]))
                return false;
            i += 2;
        } else if (c == '=' || c == ' ' || (!ascii_is_printable(c) && (c & 0x80) == 0)) {
            return false;
        } else if ((c & 0x80) != 0 && !allow_utf8) {
            return false;
        }
    }
    return s.length > 0;
}

static bool read_envid(struct parameter_target *target, struct slice value)
{
    if (!is_xtext(value, false) || value.length > COMMAND_MAX_ENVID_BYTES)
        return false;
    target->mail->envid = mem_copy(value);
    return true;
}

/* "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) (RFC 3461 4.1) */
static bool read_notify(struct parameter_target *target, struct slice value)
{
    static const struct {
        const char *word;
        unsigned int bit;
    } words[] = {
        { "SUCCESS", DSN_NOTIFY_SUCCESS },
        { "FAILURE", DSN_NOTIFY_FAILURE },
        { "DELAY", DSN_NOTIFY_DELAY },
    };
    unsigned int notify = 0;

    if (slice_equals_nocase(value, SLICE("NEVER"))) {
        target->recipient->notify = DSN_NOTIFY_NEVER;
        return true;
    }
    for (size_t at = 0; at <= value.length;) {
        struct slice word = slice_from_offset(value, at);
        size_t comma, i;

        if (slice_find_byte(word, ',', &comma))
            word = slice_until(word, comma);
        for (i = 0; i < COUNT(words); i++)
            if (slice_equals_nocase(word, slice_from(words[i].word)))
                break;
        if (i == COUNT(words) || (notify & words[i].bit) != 0)
            return false;
        notify |= words[i].bit;
        at += word.length + 1;
    }
    target->recipient->notify = notify;
    return true;
}

/*
 * original-recipient-address = addr-type ";" xtext (RFC 3461 4.2); for the type
 * "utf-8" inside SMTPUTF8 also UTF-8 as it is (RFC 6533 3).
 */
static bool read_orcpt(struct parameter_target *target, struct slice value)
{
    struct slice type;
    size_t end;

    if (value.length > COMMAND_MAX_ORCPT_BYTES || !slice_find_byte(value, ';', &end) || end == 0)
        return false;
    type = slice_until(value, end);
    for (size_t i = 0; i < type.length; i++)
        if (!ascii_is_alnum(type.data[i]) && type.data[i] != '-')
            return false;
    if (!is_xtext(slice_from_offset(value, end + 1),
                  target->allow_utf8 && slice_equals_nocase(type, SLICE("utf-8"))))
        return false;
    target->recipient->orcpt = mem_copy(value);
    return true;
}

struct parameter_kind {
    const char *name;
    unsigned int extension;
    bool is_for_mail; /* else for RCPT */
    bool has_value;
    bool (*read)(struct parameter_target *target, struct slice value);
};

static const struct parameter_kind parameter_kinds[] = {
    { "SIZE", SERVER_SIZE, true, true, read_size },
    { "BODY", SERVER_8BITMIME, true, true, read_body },
    { "SMTPUTF8", SERVER_SMTPUTF8, true, false, read_smtputf8 },
    { "RET", SERVER_DSN, true, true, read_ret },
    { "ENVID", SERVER_DSN, true, true, read_envid },
    { "PRDR", SERVER_PRDR, true, false, read_prdr },
    { "NOTIFY", SERVER_DSN, false, true, read_notify },
    { "ORCPT", SERVER_DSN, false, true, read_orcpt },
};

static enum command_problem read_parameter(struct parameter_target *target, struct slice word)
{
    size_t equals = word.length;
    bool has_value = slice_find_byte(word, '=', &equals);
    struct slice name = slice_until(word, equals);
    struct slice value = slice_from_offset(word, equals + 1);

    for (size_t i = 0; i < COUNT(parameter_kinds); i++) {
        const struct parameter_kind *kind = &parameter_kinds[i];
        unsigned int bit = 1u << i;

        if ((target->extensions & kind->extension) == 0 ||
            kind->is_for_mail != (target->mail != NULL) ||
            !slice_equals_nocase(name, slice_from(kind->name)))
            continue;
        if ((target->seen & bit) != 0 || has_value != kind->has_value ||
            !kind->read(target, value))
            return COMMAND_BAD_PARAMETER;
        target->seen |= bit;
        return COMMAND_OK;
    }
    return COMMAND_UNKNOWN_PARAMETER;
}

/* All behind the path: each parameter with blanks before it. */
static enum command_problem read_parameters(struct parameter_target *target, struct slice rest)
{
    struct slice word;

    if (rest.length > 0 && !ascii_is_blank(rest.data[0]))
        return COMMAND_SYNTAX;
    take_word(rest, &rest); /* the blanks */
    while (rest.length > 0) {
        enum command_problem problem;

        word = take_word(rest, &rest);
        problem = read_parameter(target, word);
        if (problem != COMMAND_OK)
            return problem;
    }
    return COMMAND_OK;
}

/* ---- Arguments ---- */

/* "FROM:" or "TO:", blanks, a path. `*rest` is what follows the path. */
static enum command_problem read_path(struct slice argument, struct slice keyword,
                                      enum address_form form, bool allow_utf8,
                                      struct address *address, struct slice *rest)
{
    enum address_problem problem;
    size_t at = keyword.length;
    size_t used;

    if (!slice_has_prefix_nocase(argument, keyword))
        return COMMAND_SYNTAX;
    while (at < argument.length && ascii_is_blank(argument.data[at]))
        at++;
    *rest = slice_from_offset(argument, at);
    problem = address_parse(*rest, form, allow_utf8, address, &used);
    if (problem == ADDRESS_UTF8)
        return COMMAND_ADDRESS_NEEDS_UTF8;
    if (problem != ADDRESS_OK)
        return COMMAND_BAD_ADDRESS;
    *rest = slice_from_offset(*rest, used);
    return COMMAND_OK;
}

/* SMTPUTF8 stands behind the address that needs it, so the address is read leniently first. */
enum command_problem command_parse_mail(struct slice argument, unsigned int extensions,
                                        struct envelope *mail, bool *is_prdr)
{
    struct parameter_target target = { .extensions = extensions, .mail = mail, .is_prdr = is_prdr };
    enum command_problem problem;
    struct slice rest;

    envelope_clear(mail);
    *is_prdr = false;
    problem = read_path(argument, SLICE("FROM:"), ADDRESS_REVERSE_PATH,
                        (extensions & SERVER_SMTPUTF8) != 0, &mail->sender, &rest);
    if (problem == COMMAND_OK)
        problem = read_parameters(&target, rest);
    if (problem == COMMAND_OK && mail->sender.is_utf8 && !mail->is_smtputf8)
        problem = COMMAND_ADDRESS_NEEDS_UTF8;
    return problem;
}

enum command_problem command_parse_rcpt(struct slice argument, unsigned int extensions,
                                        bool allow_utf8, struct recipient *recipient)
{
    struct parameter_target target = { .extensions = extensions,
                                       .recipient = recipient,
                                       .allow_utf8 = allow_utf8 };
    enum command_problem problem;
    struct slice rest;

    recipient_clear(recipient);
    problem = read_path(argument, SLICE("TO:"), ADDRESS_FORWARD_PATH, allow_utf8,
                        &recipient->address, &rest);
    return problem == COMMAND_OK ? read_parameters(&target, rest) : problem;
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF */
enum command_problem command_parse_bdat(struct slice argument, uint64_t *chunk_bytes,
                                        bool *is_last)
{
    struct slice marker;
    struct slice size = take_word(argument, &marker);

    *is_last = marker.length > 0;
    if (!number_parse(size, INT64_MAX, chunk_bytes) ||
        (*is_last && !slice_equals_nocase(marker, SLICE("LAST"))))
        return COMMAND_SYNTAX;
    return COMMAND_OK;
}

/* ---- Other protocols ---- */

static const char *const foreign_reasons[] = {
    "foreign.http", "foreign.header", "foreign.tls",   "foreign.ssh",   "foreign.proxy",
    "foreign.socks", "foreign.rdp",   "foreign.binary", NULL,
};

const char *command_foreign_reason(size_t index)
{
    return index < COUNT(foreign_reasons) ? foreign_reasons[index] : NULL;
}

/* "Host:", "Content-Type:": of HTTP, or of a message whose DATA was refused. */
static bool is_header_name(struct slice word)
{
    if (word.length < 2 || word.data[word.length - 1] != ':')
        return false;
    for (size_t i = 0; i + 1 < word.length; i++)
        if (!ascii_is_alnum(word.data[i]) && word.data[i] != '-')
            return false;
    return true;
}

const char *command_find_foreign(const struct command *command, struct slice line)
{
    static const char *const methods[] = { "GET",     "POST",  "PUT",    "HEAD", "OPTIONS",
                                           "CONNECT", "PATCH", "DELETE", "TRACE", "PRI" };
    struct slice rest;
    struct slice word = take_word(line, &rest);

    if (command->verb != COMMAND_UNKNOWN)
        return NULL;
    for (size_t i = 0; i < COUNT(methods); i++)
        if (rest.length > 0 && slice_equals_nocase(word, slice_from(methods[i])))
            return "foreign.http";
    if (slice_has_prefix(line, SLICE("SSH-")))
        return "foreign.ssh";
    if (slice_has_prefix(line, SLICE("PROXY ")))
        return "foreign.proxy";
    return is_header_name(word) ? "foreign.header" : NULL;
}

const char *command_find_foreign_byte(char byte, bool is_first_of_session)
{
    if (byte == '\x16') /* a TLS handshake record (RFC 8446 5.1) */
        return "foreign.tls";
    if (!is_first_of_session || ascii_is_printable(byte) || ascii_is_blank(byte) || byte == '\r' ||
        byte == '\n')
        return NULL;
    if (byte == '\x04' || byte == '\x05')
        return "foreign.socks";
    if (byte == '\x03') /* TPKT, which carries RDP */
        return "foreign.rdp";
    return "foreign.binary";
}
