/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domain names in one form; see domain.h. Nearly every name is plain ASCII and
 * is checked and lowered in one pass. Only names with U-labels or A-labels meet
 * libidn2: U-labels are mapped one by one, for a plain label beside them may
 * look as UTS 46 would not have it (r3---sn.example). Mapping alone is no
 * judgement: U+2100 maps to "a/c" and some symbols pass, so what came out is
 * checked like any other name, and each A-label in it by IDNA 2008 itself.
 */
#include "mail/domain.h"

#include <idn2.h>

#include "base/escape.h"
#include "base/ip.h"
#include "base/memory.h"
#include "mail/grammar.h"

#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63
/* More UTF-8 than this stands for no name of 253 octets that anyone uses; it bounds our work. */
#define UTF8_MAX_BYTES 1024

static bool is_a_label(struct slice label)
{
    return slice_has_prefix_nocase(label, SLICE("xn--"));
}

static enum domain_problem check_label(struct slice label)
{
    if (label.length == 0)
        return DOMAIN_EMPTY_LABEL;
    for (size_t i = 0; i < label.length; i++)
        if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-' && label.data[i] != '_')
            return DOMAIN_BAD_BYTE;
    if (label.data[0] == '-' || label.data[label.length - 1] == '-')
        return DOMAIN_BAD_BYTE;
    return label.length > LABEL_MAX_BYTES ? DOMAIN_TOO_LONG : DOMAIN_OK;
}

/* The label must be what IDNA 2008 would make of what it stands for. */
static enum domain_problem check_a_label(struct slice label)
{
    char *given = mem_copy(label);
    char *made = NULL;
    int status = idn2_to_ascii_8z(given, &made, IDN2_NO_TR46 | IDN2_NFC_INPUT);
    bool is_same = status == IDN2_OK && slice_equals(slice_from(made), label);

    idn2_free(made);
    mem_free(given);
    return is_same ? DOMAIN_OK : DOMAIN_BAD_IDN;
}

/* Checks an ASCII name and appends it in lower case. */
static enum domain_problem add_ascii(struct slice s, struct text *out)
{
    char lowered[NAME_MAX_BYTES];
    struct slice name = { lowered, s.length };
    struct slice rest;
    struct slice label;

    if (s.length == 0)
        return DOMAIN_EMPTY;
    if (s.length > NAME_MAX_BYTES)
        return DOMAIN_TOO_LONG;
    for (size_t i = 0; i < s.length; i++)
        lowered[i] = ascii_lower(s.data[i]);
    if (lowered[s.length - 1] == '.')
        return DOMAIN_EMPTY_LABEL;
    for (rest = name; slice_next(&rest, '.', &label);) {
        enum domain_problem problem = check_label(label);

        if (problem == DOMAIN_OK && is_a_label(label))
            problem = check_a_label(label);
        if (problem != DOMAIN_OK)
            return problem;
    }
    if (name.length > out->max_length - out->length)
        return DOMAIN_TOO_LONG;
    text_add(out, name);
    return DOMAIN_OK;
}

/* Appends the mapped form of one U-label; it may hold dots, since UTS 46 knows several. */
static enum domain_problem add_mapped_label(struct slice label, struct text *mapped)
{
    char *given = mem_copy(label);
    char *made = NULL;
    int status = idn2_to_ascii_8z(given, &made, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);

    if (status == IDN2_OK)
        text_add_string(mapped, made);
    idn2_free(made);
    mem_free(given);
    if (status == IDN2_TOO_BIG_LABEL || status == IDN2_TOO_BIG_DOMAIN ||
        status == IDN2_PUNYCODE_BIG_OUTPUT)
        return DOMAIN_TOO_LONG;
    return status == IDN2_OK ? DOMAIN_OK : DOMAIN_BAD_IDN;
}

static enum domain_problem add_utf8(struct slice s, struct text *out)
{
    struct text mapped;
    struct slice label;
    enum domain_problem problem = DOMAIN_OK;

    if (s.length > UTF8_MAX_BYTES)
        return DOMAIN_TOO_LONG;
    if (!utf8_is_valid(s))
        return DOMAIN_BAD_IDN;
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.data[i] <= ' ' || s.data[i] == '\x7f')
            return DOMAIN_BAD_BYTE;

    text_init(&mapped, UTF8_MAX_BYTES);
    for (struct slice rest = s; problem == DOMAIN_OK && slice_next(&rest, '.', &label);) {
        if (label.data > s.data)
            text_add_byte(&mapped, '.');
        if (grammar_has_non_ascii(label))
            problem = add_mapped_label(label, &mapped);
        else
            text_add(&mapped, label);
    }
    if (problem == DOMAIN_OK && s.data[s.length - 1] == '.')
        problem = DOMAIN_EMPTY_LABEL;
    if (problem == DOMAIN_OK && mapped.is_cut)
        problem = DOMAIN_TOO_LONG;
    if (problem == DOMAIN_OK)
        problem = add_ascii(text_slice(&mapped), out);
    text_clear(&mapped);
    return problem;
}

enum domain_problem domain_normalise(struct slice s, struct text *out)
{
    return grammar_has_non_ascii(s) ? add_utf8(s, out) : add_ascii(s, out);
}

bool domain_normalise_literal(struct slice s, struct text *out)
{
    struct slice inside;
    struct ip_address address;
    bool is_v6;
    size_t colon;

    if (s.length < 2 || s.data[0] != '[' || s.data[s.length - 1] != ']')
        return false;
    inside = slice_from_offset(slice_until(s, s.length - 1), 1);
    is_v6 = slice_has_prefix_nocase(inside, SLICE("IPv6:"));
    if (is_v6)
        inside = slice_from_offset(inside, 5);
    /* ip_parse reads both families: the tag decides which one may stand there. */
    if (is_v6 != slice_find_byte(inside, ':', &colon) || !ip_parse(inside, &address) ||
        DOMAIN_MAX_BYTES > out->max_length - out->length)
        return false;
    ip_print_literal(out, &address);
    return true;
}

const char *domain_problem_text(enum domain_problem problem)
{
    switch (problem) {
    case DOMAIN_OK:
        return "is a domain name";
    case DOMAIN_EMPTY:
        return "is empty";
    case DOMAIN_TOO_LONG:
        return "is too long";
    case DOMAIN_EMPTY_LABEL:
        return "has an empty label";
    case DOMAIN_BAD_BYTE:
        return "has a character that no domain name may have";
    case DOMAIN_BAD_IDN:
        return "has a label that IDNA 2008 does not allow";
    }
    return "is no domain name";
}

bool domain_is_below(struct slice domain, struct slice parent)
{
    size_t dot;

    if (parent.length == 0 || domain.length < parent.length + 2)
        return false;
    dot = domain.length - parent.length - 1;
    return domain.data[dot] == '.' && slice_equals(slice_from_offset(domain, dot + 1), parent);
}
