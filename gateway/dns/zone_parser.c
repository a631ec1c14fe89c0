/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads zone files (RFC 1035 5.1, RFC 2308 4) into a zone; see zone.h.
 *
 *     entry     = "$ORIGIN" name / "$TTL" time / "$FAIL" name [type]
 *               / [owner] *( time / "IN" ) type data
 *     name      = "@" / labels, below the origin / labels "."
 *     time      = seconds / 1*( digits ( "s" / "m" / "h" / "d" / "w" ) )
 *
 * Every mistake ends the reading: a file that is half understood would answer for
 * names that it was never meant for.
 */
#include <stdarg.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/number.h"
#include "dns/zone_internal.h"
#include "dns/zone_lexer.h"

#define DEFAULT_TTL_S 300
#define MAX_STRING_BYTES 255
#define MAX_DATA_BYTES 65535

struct parser {
    /* Lent. */
    struct zone *zone;
    struct zone_problem *problem;
    /* State. */
    struct zone_lexer lexer;
    struct text origin;   /* in the one form; empty: the root */
    struct text owner;    /* of the last record */
    bool has_owner;
    uint32_t ttl_s;       /* of a record that has none of its own */
    bool has_default_ttl; /* by $TTL; else the last one counts */
    /* The entry. */
    size_t next;          /* word */
    struct text data;
    struct text name;
};

/* Types that a file may have. */
static const struct {
    const char *word;
    bool is_passed_over;
    enum dns_type type;
} types[] = {
    { "A", false, DNS_TYPE_A },         { "AAAA", false, DNS_TYPE_AAAA },
    { "MX", false, DNS_TYPE_MX },       { "TXT", false, DNS_TYPE_TXT },
    { "PTR", false, DNS_TYPE_PTR },     { "CNAME", false, DNS_TYPE_CNAME },
    { "TLSA", false, DNS_TYPE_TLSA },   { "NS", true, DNS_TYPE_A },
    { "SOA", true, DNS_TYPE_A },
};
#define TYPES_IN_WORDS "A, AAAA, MX, TXT, PTR, CNAME, TLSA, NS and SOA"

/* ---- Complaints. */

__attribute__((format(printf, 4, 5)))
static bool complain_at(struct parser *parser, unsigned int line, unsigned int column,
                        const char *format, ...)
{
    va_list arguments;

    parser->problem->line = line;
    parser->problem->column = column;
    va_start(arguments, format);
    text_add_format_list(&parser->problem->sentence, format, arguments);
    va_end(arguments);
    return false;
}

/* The word in quotes, and what is wrong with it. */
static bool complain(struct parser *parser, const struct zone_word *word, const char *what)
{
    struct text escaped;

    text_init(&escaped, 100);
    escape_add_ascii(&escaped, word->text);
    complain_at(parser, word->line, word->column, "\"%s\" %s", text_string(&escaped), what);
    text_clear(&escaped);
    return false;
}

/* ---- Words. */

static const struct zone_word *find_word(const struct parser *parser)
{
    if (parser->next >= parser->lexer.word_count)
        return NULL;
    return &parser->lexer.words[parser->next];
}

/* The next word, which must be there; reported when it is not. */
static const struct zone_word *take_word(struct parser *parser, const char *what)
{
    const struct zone_word *word = find_word(parser);
    const struct zone_word *last = &parser->lexer.words[parser->lexer.word_count - 1];

    if (word != NULL)
        parser->next++;
    else
        complain_at(parser, last->line, last->column, "%s is missing at the end of this entry",
                    what);
    return word;
}

static bool expect_end(struct parser *parser)
{
    const struct zone_word *word = find_word(parser);

    return word == NULL || complain(parser, word, "is one word too many in this entry");
}

static bool is_word(const struct zone_word *word, struct slice text)
{
    return word != NULL && !word->is_quoted && slice_equals_nocase(word->text, text);
}

static bool read_number(struct parser *parser, uint64_t max, const char *what, uint64_t *number)
{
    const struct zone_word *word = take_word(parser, what);

    if (word == NULL || number_parse(word->text, max, number))
        return word != NULL;
    return complain_at(parser, word->line, word->column, "%s is a number from 0 to %llu", what,
                       (unsigned long long)max);
}

/* ---- Names. */

/* Octets and dots of a name as it is written, in the form that dns_name_normalise reads. */
static bool add_written_name(struct slice word, struct text *out, bool *is_absolute)
{
    unsigned char byte;
    bool is_escaped;

    *is_absolute = false;
    while (word.length > 0) {
        if (!zone_take_byte(&word, &byte, &is_escaped))
            return false;
        if (!is_escaped && (byte <= ' ' || byte > '~'))
            return false;
        if (!is_escaped && byte == '.') {
            text_add_byte(out, '.');
            *is_absolute = word.length == 0;
        } else {
            dns_name_add_octet(out, byte);
        }
    }
    return !out->is_cut;
}

static bool normalise_name(struct parser *parser, struct slice word, struct text *name)
{
    struct text written;
    bool is_absolute;
    bool is_good;

    text_init(&written, 2 * DNS_NAME_MAX_BYTES + 2);
    is_good = add_written_name(word, &written, &is_absolute);
    if (is_good && !is_absolute && parser->origin.length > 0) {
        text_add_byte(&written, '.');
        text_add(&written, text_slice(&parser->origin));
    }
    is_good = is_good && dns_name_normalise(text_slice(&written), name);
    text_clear(&written);
    return is_good;
}

/* A name in the one form, below the origin unless it ends in a dot; the root is empty. */
static bool read_name(struct parser *parser, const struct zone_word *word, struct text *name)
{
    text_reset(name);
    if (is_word(word, SLICE("."))) {
        return true;
    } else if (is_word(word, SLICE("@"))) {
        text_add(name, text_slice(&parser->origin));
        return true;
    }
    if (!word->is_quoted && normalise_name(parser, word->text, name))
        return true;
    return complain(parser, word, "is no name: labels of 1 to 63 bytes with dots between "
                                  "them, 253 in all, and anything but ASCII in its xn-- form");
}

static bool read_name_data(struct parser *parser)
{
    const struct zone_word *word = take_word(parser, "a name");

    if (word == NULL || !read_name(parser, word, &parser->name))
        return false;
    text_add(&parser->data, text_slice(&parser->name));
    return true;
}

/* ---- Times, types and classes. */

static uint32_t unit_seconds(char unit)
{
    switch (ascii_lower(unit)) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    case 'w': return 7 * 86400;
    default: return 0;
    }
}

/* False when it is none; the sum is cut at what a record can hold (RFC 2181 8). */
static bool parse_time(struct slice word, uint32_t *seconds)
{
    uint64_t total = 0;
    uint64_t number;

    if (number_parse(word, INT32_MAX, &total)) {
        *seconds = (uint32_t)total;
        return true;
    }
    while (word.length > 0) {
        size_t digits = 0;

        while (digits < word.length && ascii_is_digit(word.data[digits]))
            digits++;
        if (digits == word.length || unit_seconds(word.data[digits]) == 0 ||
            !number_parse(slice_until(word, digits), INT32_MAX, &number))
            return false;
        total += number * unit_seconds(word.data[digits]);
        if (total > INT32_MAX)
            return false;
        word = slice_from_offset(word, digits + 1);
        *seconds = (uint32_t)total;
    }
    return true;
}

static bool read_default_ttl(struct parser *parser)
{
    const struct zone_word *word = take_word(parser, "a time");

    if (word == NULL)
        return false;
    if (word->text.length == 0 || !parse_time(word->text, &parser->ttl_s))
        return complain(parser, word, "is no time: seconds, or such as 1h30m");
    parser->has_default_ttl = true;
    return true;
}

/* An index into `types`; reported when it is no type that a file may have. */
static bool read_type(struct parser *parser, size_t *index)
{
    const struct zone_word *word = take_word(parser, "a type");

    if (word == NULL)
        return false;
    for (*index = 0; *index < sizeof types / sizeof types[0]; ++*index)
        if (is_word(word, slice_from(types[*index].word)))
            return true;
    return complain(parser, word,
                    "is no type that can stand here: " TYPES_IN_WORDS " can");
}

/* In either order, each once at most. */
static bool read_ttl_and_class(struct parser *parser, uint32_t *ttl_s)
{
    bool has_ttl = false;
    bool has_class = false;

    for (;; parser->next++) {
        const struct zone_word *word = find_word(parser);

        if (word == NULL || word->is_quoted || word->text.length == 0)
            return true;
        if (is_word(word, SLICE("CH")) || is_word(word, SLICE("HS")) || is_word(word, SLICE("CS")))
            return complain(parser, word, "is a class that is not served: IN is");
        if (!has_class && is_word(word, SLICE("IN")))
            has_class = true;
        else if (!has_ttl && parse_time(word->text, ttl_s))
            has_ttl = true;
        else
            break;
    }
    if (has_ttl && !parser->has_default_ttl)
        parser->ttl_s = *ttl_s;
    return true;
}

/* ---- The data of a record. */

static bool read_address(struct parser *parser, bool is_v4, struct ip_address *address)
{
    const struct zone_word *word = take_word(parser, "an address");

    if (word == NULL)
        return false;
    if (ip_parse(word->text, address) && ip_is_v4(address) == is_v4)
        return true;
    return complain(parser, word, is_v4 ? "is no IPv4 address"
                                        : "is no IPv6 address");
}

static bool read_string(struct parser *parser, const struct zone_word *word)
{
    struct slice rest = word->text;
    size_t start = parser->data.length;
    unsigned char byte;
    bool is_escaped;

    while (rest.length > 0) {
        if (!zone_take_byte(&rest, &byte, &is_escaped))
            return complain(parser, word, "has a backslash without what belongs behind it: "
                                          "three digits up to 255, or any other character");
        text_add_byte(&parser->data, (char)byte);
    }
    if (parser->data.length - start > MAX_STRING_BYTES || parser->data.is_cut)
        return complain(parser, word, "is a string of more than 255 bytes; break it up into "
                                      "several, which are read as one");
    return true;
}

static bool read_strings(struct parser *parser)
{
    const struct zone_word *word = take_word(parser, "a text");

    if (word == NULL || !read_string(parser, word))
        return false;
    while ((word = find_word(parser)) != NULL) {
        parser->next++;
        if (!read_string(parser, word))
            return false;
    }
    return true;
}

static bool add_hex(struct parser *parser, const struct zone_word *word)
{
    for (size_t i = 0; i < word->text.length; i += 2) {
        int high = ascii_hex_value(word->text.data[i]);
        int low = i + 1 < word->text.length ? ascii_hex_value(word->text.data[i + 1]) : -1;

        if (high < 0 || low < 0)
            return complain(parser, word, "is not made of pairs of hexadecimal digits");
        text_add_byte(&parser->data, (char)(high << 4 | low));
    }
    return true;
}

/* RFC 6698 2.2: usage, selector, matching type, and data that may be broken up. */
static bool read_tlsa(struct parser *parser)
{
    const struct zone_word *word;

    for (int i = 0; i < 3; i++) {
        uint64_t number;

        if (!read_number(parser, 255, "usage, selector or matching type", &number))
            return false;
        text_add_byte(&parser->data, (char)number);
    }
    word = take_word(parser, "the certificate's data");
    if (word == NULL || !add_hex(parser, word))
        return false;
    while ((word = find_word(parser)) != NULL) {
        parser->next++;
        if (!add_hex(parser, word))
            return false;
    }
    return true;
}

static bool read_mail_server(struct parser *parser, struct dns_record *record)
{
    uint64_t preference;

    if (!read_number(parser, UINT16_MAX, "the preference", &preference))
        return false;
    record->preference = (uint16_t)preference;
    return read_name_data(parser);
}

static bool read_data(struct parser *parser, enum dns_type type, struct dns_record *record)
{
    switch (type) {
    case DNS_TYPE_A: return read_address(parser, true, &record->address);
    case DNS_TYPE_AAAA: return read_address(parser, false, &record->address);
    case DNS_TYPE_MX: return read_mail_server(parser, record);
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR: return read_name_data(parser);
    case DNS_TYPE_TXT: return read_strings(parser);
    case DNS_TYPE_TLSA: return read_tlsa(parser);
    }
    return false;
}

/* ---- Entries. */

static bool read_owner(struct parser *parser)
{
    const struct zone_word *word = &parser->lexer.words[0];

    if (!parser->lexer.is_indented) {
        parser->next = 1;
        parser->has_owner = read_name(parser, word, &parser->owner);
        return parser->has_owner;
    }
    return parser->has_owner || complain(parser, word, "belongs to the name of the record "
                                                       "above, and there is none above");
}

static bool read_record(struct parser *parser)
{
    uint32_t ttl_s = parser->ttl_s;
    struct dns_record record = { .preference = 0 };
    const struct zone_word *place;
    size_t type;

    if (!read_owner(parser) || !read_ttl_and_class(parser, &ttl_s))
        return false;
    place = find_word(parser);
    if (!read_type(parser, &type))
        return false;
    if (types[type].is_passed_over) {
        zone_add_name(parser->zone, text_slice(&parser->owner));
        return take_word(parser, "what belongs behind the type") != NULL;
    }
    text_reset(&parser->data);
    if (!read_data(parser, types[type].type, &record) || !expect_end(parser))
        return false;
    record.bytes = text_slice(&parser->data);
    return zone_add_record(parser->zone, text_slice(&parser->owner), types[type].type, ttl_s,
                           &record) ||
           complain(parser, place, "cannot stand here: a name with a CNAME has no other "
                                   "records (RFC 1034 3.6.2)");
}

static bool read_failure(struct parser *parser)
{
    const struct zone_word *word = take_word(parser, "a name");
    size_t type = 0;
    bool is_all;

    if (word == NULL || !read_name(parser, word, &parser->name))
        return false;
    is_all = find_word(parser) == NULL;
    if (!is_all && !read_type(parser, &type))
        return false;
    if (types[type].is_passed_over)
        return complain(parser, word, "is never asked for this type");
    zone_add_failure(parser->zone, text_slice(&parser->name), types[type].type, is_all);
    return expect_end(parser);
}

static bool read_origin(struct parser *parser)
{
    const struct zone_word *word = take_word(parser, "a name");

    if (word == NULL || !read_name(parser, word, &parser->name))
        return false;
    text_reset(&parser->origin);
    text_add(&parser->origin, text_slice(&parser->name));
    return expect_end(parser);
}

static bool read_entry(struct parser *parser)
{
    const struct zone_word *word = &parser->lexer.words[0];

    parser->next = 0;
    if (word->is_quoted || !slice_has_prefix(word->text, SLICE("$")))
        return read_record(parser);
    parser->next = 1;
    if (is_word(word, SLICE("$ORIGIN")))
        return read_origin(parser);
    if (is_word(word, SLICE("$TTL")))
        return read_default_ttl(parser) && expect_end(parser);
    if (is_word(word, SLICE("$FAIL")))
        return read_failure(parser);
    return complain(parser, word, "is no directive: $ORIGIN, $TTL and $FAIL are");
}

static bool read_entries(struct parser *parser)
{
    const char *complaint;

    while (zone_lexer_next(&parser->lexer, &complaint))
        if (!read_entry(parser))
            return false;
    if (complaint == NULL)
        return true;
    return complain_at(parser, parser->lexer.line, parser->lexer.column, "%s", complaint);
}

bool zone_parse(struct zone *zone, struct slice bytes, struct zone_problem *problem)
{
    struct parser *parser = mem_new(sizeof *parser);
    bool is_good;

    parser->zone = zone;
    parser->problem = problem;
    parser->ttl_s = DEFAULT_TTL_S;
    text_init(&parser->origin, DNS_NAME_MAX_BYTES);
    text_init(&parser->owner, DNS_NAME_MAX_BYTES);
    text_init(&parser->name, DNS_NAME_MAX_BYTES);
    text_init(&parser->data, MAX_DATA_BYTES);
    zone_lexer_init(&parser->lexer, bytes);
    is_good = read_entries(parser);
    text_clear(&parser->origin);
    text_clear(&parser->owner);
    text_clear(&parser->name);
    text_clear(&parser->data);
    mem_free(parser);
    return is_good;
}
