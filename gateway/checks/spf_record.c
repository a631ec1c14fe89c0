/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SPF record cut into its terms; see spf_record.h.
 *
 *     record    = version terms *SP
 *     terms     = *( 1*SP ( directive / modifier ) )
 *     directive = [ qualifier ] mechanism
 *     modifier  = redirect / explanation / unknown-modifier
 *
 * What has a "=" before any ":" and "/" is a modifier. A known modifier that is badly
 * written is an error and does not turn into an unknown one.
 */
#include "checks/spf_record.h"

#include "base/number.h"
#include "checks/spf_macro.h"

#define VERSION SLICE("v=spf1")

/* What may stand behind the name of a mechanism. */
enum arguments {
    NO_ARGUMENT,
    OPTIONAL_DOMAIN,
    NEEDS_DOMAIN,
    DOMAIN_AND_LENGTHS, /* both optional */
    NETWORK,
};

static const struct {
    struct slice name;
    enum spf_kind kind;
    enum arguments arguments;
} mechanisms[] = {
    { { "all", 3 }, SPF_ALL, NO_ARGUMENT },     { { "include", 7 }, SPF_INCLUDE, NEEDS_DOMAIN },
    { { "a", 1 }, SPF_A, DOMAIN_AND_LENGTHS },  { { "mx", 2 }, SPF_MX, DOMAIN_AND_LENGTHS },
    { { "ptr", 3 }, SPF_PTR, OPTIONAL_DOMAIN }, { { "ip4", 3 }, SPF_IP4, NETWORK },
    { { "ip6", 3 }, SPF_IP6, NETWORK },         { { "exists", 6 }, SPF_EXISTS, NEEDS_DOMAIN },
};
#define MECHANISM_COUNT (sizeof mechanisms / sizeof mechanisms[0])

bool spf_record_is_one(struct slice text)
{
    return slice_has_prefix_nocase(text, VERSION) &&
           (text.length == VERSION.length || text.data[VERSION.length] == ' ');
}

bool spf_kind_needs_dns(enum spf_kind kind)
{
    return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR ||
           kind == SPF_EXISTS;
}

/*     ip4-cidr-length = "/" ("0" / %x31-39 0*1DIGIT), and the like for ip6 */
static bool parse_length(struct slice digits, unsigned int max, unsigned int *length)
{
    uint64_t number;

    if ((digits.length > 1 && digits.data[0] == '0') || !number_parse(digits, max, &number))
        return false;
    *length = (unsigned int)number;
    return true;
}

/*
 * Takes "/DIGITS" off the end. A slash inside a name or between the braces of a macro is none of
 * these, since other characters follow it.
 */
static bool take_length(struct slice *rest, struct slice *digits)
{
    size_t slash;

    if (!slice_find_last_byte(*rest, '/', &slash))
        return false;
    *digits = slice_from_offset(*rest, slash + 1);
    for (size_t i = 0; i < digits->length; i++)
        if (!ascii_is_digit(digits->data[i]))
            return false;
    *rest = slice_until(*rest, slash);
    return true;
}

/*     dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ] */
static const char *parse_lengths(struct slice *rest, struct spf_term *term)
{
    struct slice digits;
    bool has_length = take_length(rest, &digits);

    term->v4_length = 128;
    term->v6_length = 128;
    if (has_length && rest->length > 0 && rest->data[rest->length - 1] == '/') {
        if (!parse_length(digits, 128, &term->v6_length))
            return "has no IPv6 prefix length of 0 to 128";
        *rest = slice_until(*rest, rest->length - 1);
        has_length = take_length(rest, &digits);
    }
    if (!has_length)
        return NULL;
    if (!parse_length(digits, 32, &term->v4_length))
        return "has no IPv4 prefix length of 0 to 32";
    term->v4_length += 96;
    return NULL;
}

/* Bits past the length may be set, unlike in our own files: 192.0.2.1/24 is published a lot. */
static const char *parse_network(struct slice argument, struct spf_term *term)
{
    bool is_v4 = term->kind == SPF_IP4;
    struct slice address = argument;
    unsigned int length = is_v4 ? 32 : 128;
    size_t position;

    if (slice_find_byte(argument, '/', &position)) {
        address = slice_until(argument, position);
        if (!parse_length(slice_from_offset(argument, position + 1), length, &length))
            return "has no prefix length that fits";
    }
    /* ip6:192.0.2.1 is an error, and ip6:::ffff:192.0.2.1 is not, though no client matches it. */
    if (slice_find_byte(address, ':', &position) == is_v4 ||
        !ip_parse(address, &term->network.address))
        return is_v4 ? "has no IPv4 address" : "has no IPv6 address";
    term->network.length = is_v4 ? length + 96 : length;
    return NULL;
}

static const char *parse_domain(struct slice domain, struct spf_term *term)
{
    term->domain = domain;
    if (domain.length == 0)
        return "has an empty domain";
    return spf_macro_is_valid(domain, SPF_MACRO_NAME) ? NULL
                                                      : "has a domain that is not written as one";
}

/* What follows the name of the mechanism, its ":" or "/" included. */
static const char *parse_argument(struct slice rest, enum arguments arguments,
                                  struct spf_term *term)
{
    const char *problem;

    if (arguments == NO_ARGUMENT)
        return rest.length > 0 ? "takes nothing behind its name" : NULL;
    if (arguments == DOMAIN_AND_LENGTHS && (problem = parse_lengths(&rest, term)) != NULL)
        return problem;
    if (rest.length == 0)
        return arguments == NEEDS_DOMAIN || arguments == NETWORK ? "has nothing behind its name"
                                                                 : NULL;
    if (rest.data[0] != ':')
        return "has a prefix length where none belongs";
    rest = slice_from_offset(rest, 1);
    return arguments == NETWORK ? parse_network(rest, term) : parse_domain(rest, term);
}

/*     qualifier = "+" / "-" / "?" / "~" */
static bool parse_qualifier(char c, enum check_result *result)
{
    switch (c) {
    case '+':
        *result = RESULT_PASS;
        return true;
    case '-':
        *result = RESULT_FAIL;
        return true;
    case '?':
        *result = RESULT_NEUTRAL;
        return true;
    case '~':
        *result = RESULT_SOFTFAIL;
        return true;
    default:
        *result = RESULT_PASS;
        return false;
    }
}

static const char *parse_directive(struct slice text, struct spf_term *term)
{
    struct slice name;
    size_t length = 0;

    if (parse_qualifier(text.data[0], &term->result))
        text = slice_from_offset(text, 1);
    while (length < text.length && text.data[length] != ':' && text.data[length] != '/')
        length++;
    name = slice_until(text, length);
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        if (!slice_equals_nocase(name, mechanisms[i].name))
            continue;
        term->kind = mechanisms[i].kind;
        return parse_argument(slice_from_offset(text, length), mechanisms[i].arguments, term);
    }
    return "is no mechanism";
}

/*     name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_modifier_name(struct slice name)
{
    if (name.length == 0 || !ascii_is_alpha(name.data[0]))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!ascii_is_alnum(name.data[i]) && name.data[i] != '-' && name.data[i] != '_' &&
            name.data[i] != '.')
            return false;
    return true;
}

static const char *parse_modifier(struct slice name, struct slice value, struct spf_term *term)
{
    term->kind = SPF_OTHER_MODIFIER;
    if (slice_equals_nocase(name, SLICE("redirect")))
        term->kind = SPF_REDIRECT;
    else if (slice_equals_nocase(name, SLICE("exp")))
        term->kind = SPF_EXPLANATION;
    if (term->kind != SPF_OTHER_MODIFIER)
        return parse_domain(value, term);
    if (!is_modifier_name(name))
        return "has a name that is none of a modifier";
    return spf_macro_is_valid(value, SPF_MACRO_STRING) ? NULL : "has a macro that is none";
}

static const char *parse_term(struct slice text, struct spf_term *term)
{
    size_t i = 0;

    *term = (struct spf_term){ .text = text };
    while (i < text.length && text.data[i] != '=' && text.data[i] != ':' && text.data[i] != '/')
        i++;
    if (i < text.length && text.data[i] == '=')
        return parse_modifier(slice_until(text, i), slice_from_offset(text, i + 1), term);
    return parse_directive(text, term);
}

static bool next_text(struct slice *rest, struct slice *text)
{
    while (slice_next(rest, ' ', text))
        if (text->length > 0)
            return true;
    return false;
}

/* Redirect and exp: at most one of each (6). */
static const char *keep_modifier(const struct spf_term *term, struct spf_record *record)
{
    struct slice *place = term->kind == SPF_REDIRECT ? &record->redirect : &record->explanation;

    if (place->length > 0)
        return "is there twice";
    *place = term->domain;
    return NULL;
}

const char *spf_record_parse(struct slice text, struct spf_record *record, struct slice *bad_term)
{
    struct slice rest = slice_from_offset(text, VERSION.length);
    struct spf_term term;
    const char *problem = NULL;

    *record = (struct spf_record){ .terms = rest };
    *bad_term = SLICE_EMPTY;
    if (text.length > SPF_RECORD_MAX_BYTES)
        return "is too long";
    while (problem == NULL && next_text(&rest, bad_term)) {
        problem = parse_term(*bad_term, &term);
        if (problem == NULL && (term.kind == SPF_REDIRECT || term.kind == SPF_EXPLANATION))
            problem = keep_modifier(&term, record);
    }
    return problem;
}

bool spf_record_next(struct slice *rest, struct spf_term *term)
{
    struct slice text;

    return next_text(rest, &text) && parse_term(text, term) == NULL;
}
