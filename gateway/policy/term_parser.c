/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words to terms; see term_parser.h. Every mistake gets one sentence that says
 * what was written, what may stand there, and the likely word where there is one.
 */
#include "policy/term_parser.h"

#include <stdint.h>

#include "base/memory.h"
#include "base/number.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "policy/block_reader.h"

#define MAX_KNOWN 64      /* words offered as suggestions */
#define MAX_NAME_BYTES 76 /* of a header field */
#define MAX_CONTAINS_BYTES 200

const struct word *word_reader_peek(const struct word_reader *reader)
{
    if (reader->next >= reader->statement->word_count)
        return NULL;
    return &reader->statement->words[reader->next];
}

bool word_reader_skip(struct word_reader *reader, const char *text)
{
    if (!statement_has_word(reader->statement, reader->next, text))
        return false;
    reader->next++;
    return true;
}

struct position word_reader_position(const struct word_reader *reader)
{
    const struct word *word = word_reader_peek(reader);

    return word != NULL ? word->at : reader->statement->end;
}

static bool is_bare(const struct word *word, const char *text)
{
    return !word->is_quoted && slice_equals(word->text, slice_from(text));
}

/* ---- mistakes ---- */

static void report_value(struct word_reader *reader, const struct term *term,
                         const struct word *word)
{
    if (word == NULL || is_bare(word, ",") || is_bare(word, "and"))
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value",
                        word_reader_position(reader), "a value for %s is missing here; it takes %s",
                        term->word->word, term->word->values);
    else
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "%s takes %s, not \"%.*s\"", term->word->word, term->word->values,
                        SLICE_ARGS(word->text));
}

static void report_unknown_term(struct word_reader *reader, const struct word *word)
{
    const char *known[MAX_KNOWN];
    size_t count = 0;

    for (size_t i = 0; i < vocabulary_count() && count < MAX_KNOWN; i++)
        if (vocabulary_at(i)->id != TERM_UNAVAILABLE)
            known[count++] = vocabulary_at(i)->word;
    block_report_unknown(reader->diagnostics, "policy.unknown-term", word, "there is no term",
                         known, count, "postern-policy(5) lists them");
}

/* ---- values ---- */

static bool parse_list(struct term_value *value, struct word_reader *reader)
{
    const struct word *word = word_reader_peek(reader);
    const struct config *config = reader->config;
    const char *known[MAX_KNOWN];
    size_t count = 0;
    struct config_list *list;

    if (word == NULL || is_bare(word, ",") || is_bare(word, "and")) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value",
                        word_reader_position(reader),
                        "the name of a list is missing behind \"in\"");
        return false;
    }
    list = config_find_list(config, word->text);
    if (list == NULL) {
        for (size_t i = 0; i < config->list_count && count < MAX_KNOWN; i++)
            known[count++] = config->lists[i].name;
        block_report_unknown(reader->diagnostics, "config.unknown-name", word, "there is no list",
                             known, count, "");
        return false;
    }
    list->is_used = true;
    value->form = VALUE_LIST;
    value->list = list;
    reader->next++;
    return true;
}

static bool parse_comparison_sign(struct term_value *value, struct word_reader *reader)
{
    for (int i = COMPARISON_OVER; i <= COMPARISON_AT_MOST; i++)
        if (word_reader_skip(reader, comparison_sign((enum comparison)i))) {
            value->comparison = (enum comparison)i;
            return true;
        }
    return false;
}

static bool parse_comparison(struct term_value *value, const struct term *term,
                             struct word_reader *reader)
{
    bool is_size = (term->word->forms & VALUE_SIZE) != 0;
    const struct word *word = word_reader_peek(reader);
    bool is_number;

    value->form = is_size ? VALUE_SIZE : VALUE_NUMBER;
    if (!parse_comparison_sign(value, reader)) {
        report_value(reader, term, word);
        return false;
    }
    word = word_reader_peek(reader);
    if (word == NULL) {
        report_value(reader, term, NULL);
        return false;
    }
    is_number = is_size ? number_parse_size(word->text, UINT64_MAX, &value->number)
                        : number_parse(word->text, UINT64_MAX, &value->number);
    if (!is_number) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        is_size ? "\"%.*s\" is no size; write bytes, or a number with K, M or G, "
                                  "such as 10M"
                                : "\"%.*s\" is no number",
                        SLICE_ARGS(word->text));
        return false;
    }
    reader->next++;
    return true;
}

static bool parse_listener(struct term_value *value, const struct word *word,
                           struct word_reader *reader)
{
    const struct config *config = reader->config;
    const char *known[MAX_KNOWN];
    size_t count = 0;

    for (size_t i = 0; i < config->listener_count; i++) {
        if (slice_equals(word->text, slice_from(config->listeners[i].name))) {
            value->form = VALUE_LISTENER;
            value->text = mem_copy(word->text);
            return true;
        }
        if (count < MAX_KNOWN)
            known[count++] = config->listeners[i].name;
    }
    block_report_unknown(reader->diagnostics, "config.unknown-name", word, "there is no listener",
                         known, count, "");
    return false;
}

static bool parse_network(struct term_value *value, const struct word *word,
                          struct word_reader *reader)
{
    if (!ip_prefix_parse(word->text, &value->network)) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "\"%.*s\" is no network; write an address, or a prefix without bits past "
                        "its length such as 192.0.2.0/24, or \"in LIST\"",
                        SLICE_ARGS(word->text));
        return false;
    }
    value->form = VALUE_NETWORK;
    return true;
}

/* "user@example.org", kept in the form that mail/address gives to the envelope's. */
static bool parse_address(struct term_value *value, const struct word *word,
                          struct word_reader *reader)
{
    struct address address = { 0 };
    enum address_problem problem;
    struct text path;
    size_t used;

    text_init(&path, word->text.length + 2);
    text_add_byte(&path, '<');
    text_add(&path, word->text);
    text_add_byte(&path, '>');
    problem = address_parse(text_slice(&path), ADDRESS_FORWARD_PATH, true, &address, &used);
    if (problem == ADDRESS_OK && used != path.length)
        problem = ADDRESS_SYNTAX;
    if (problem == ADDRESS_OK) {
        value->form = VALUE_ADDRESS;
        value->text = mem_copy(address_text(&address));
    } else {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "\"%.*s\" is no address: it %s", SLICE_ARGS(word->text),
                        address_problem_text(problem));
    }
    address_clear(&address);
    text_clear(&path);
    return problem == ADDRESS_OK;
}

static bool parse_literal(struct term_value *value, const struct term *term,
                          const struct word *word, struct word_reader *reader)
{
    struct slice inner = slice_until(slice_from_offset(word->text, 1), word->text.length - 2);
    struct ip_address address;

    if (slice_has_prefix_nocase(inner, SLICE("IPv6:")))
        inner = slice_from_offset(inner, 5);
    if (word->text.length < 2 || word->text.data[word->text.length - 1] != ']' ||
        !ip_parse(inner, &address)) {
        report_value(reader, term, word);
        return false;
    }
    value->form = VALUE_LITERAL;
    value->text = mem_copy(word->text);
    return true;
}

/* A word of the term's own that this one was probably meant to be. */
static const char *suggest_keyword(const struct term *term, struct slice word, char *buffer,
                                   size_t size)
{
    struct slice rest = slice_from(term->word->keywords);
    struct slice keyword;
    const char *own = "own-domain";

    if ((term->word->forms & VALUE_OWN_DOMAIN) != 0 && diagnostics_suggest(word, &own, 1) != NULL)
        return own;
    while (slice_next(&rest, ' ', &keyword)) {
        const char *candidate = buffer;

        for (size_t i = 0; i < size; i++)
            buffer[i] = i < keyword.length && i + 1 < size ? keyword.data[i] : '\0';
        if (diagnostics_suggest(word, &candidate, 1) != NULL)
            return buffer;
    }
    return NULL;
}

/*
 * Without a dot it is rather a word of some other term ("header-from none") than a domain, and a
 * rule that never matches would be found out too late. HELO may say what it likes.
 */
static bool is_meant_as_domain(const struct term *term, const struct word *word,
                               struct word_reader *reader)
{
    char buffer[20];
    const char *meant;
    size_t dot;

    if (slice_find_byte(word->text, '.', &dot))
        return true;
    meant = suggest_keyword(term, word->text, buffer, sizeof buffer);
    if (meant == NULL && (word->is_quoted || (term->word->forms & VALUE_LITERAL) != 0))
        return true;
    if (meant != NULL)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "%s takes %s, not \"%.*s\"; did you mean \"%s\"?", term->word->word,
                        term->word->values, SLICE_ARGS(word->text), meant);
    else
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "%s takes %s, not \"%.*s\"; a domain without a dot is written in quotes",
                        term->word->word, term->word->values, SLICE_ARGS(word->text));
    return false;
}

static bool parse_domain(struct term_value *value, const struct term *term, const struct word *word,
                         struct word_reader *reader)
{
    bool is_below = word->text.length > 0 && word->text.data[0] == '.';
    enum domain_problem problem;
    struct text name;

    if (!is_meant_as_domain(term, word, reader))
        return false;
    text_init(&name, DOMAIN_MAX_BYTES + 1);
    if (is_below)
        text_add_byte(&name, '.');
    problem = domain_normalise(slice_from_offset(word->text, is_below ? 1 : 0), &name);
    if (problem == DOMAIN_OK) {
        value->form = VALUE_DOMAIN;
        value->text = mem_copy(text_slice(&name));
    } else {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "\"%.*s\" is no domain: it %s; %s takes %s", SLICE_ARGS(word->text),
                        domain_problem_text(problem), term->word->word, term->word->values);
    }
    text_clear(&name);
    return problem == DOMAIN_OK;
}

/* A single word. What it looks like decides among the forms that the term takes. */
static bool parse_word(struct term_value *value, const struct term *term, const struct word *word,
                       struct word_reader *reader)
{
    unsigned int forms = term->word->forms;
    size_t at;

    if ((forms & VALUE_OWN_DOMAIN) != 0 && is_bare(word, "own-domain")) {
        value->form = VALUE_OWN_DOMAIN;
        return true;
    }
    if ((forms & VALUE_KEYWORD) != 0 && !word->is_quoted &&
        vocabulary_find_keyword(term->word, word->text, &value->keyword)) {
        value->form = VALUE_KEYWORD;
        value->text = mem_copy(word->text);
        return true;
    }
    if ((forms & VALUE_NETWORK) != 0)
        return parse_network(value, word, reader);
    if ((forms & VALUE_LISTENER) != 0)
        return parse_listener(value, word, reader);
    if ((forms & VALUE_LITERAL) != 0 && word->text.length > 0 && word->text.data[0] == '[')
        return parse_literal(value, term, word, reader);
    if ((forms & VALUE_ADDRESS) != 0 && slice_find_byte(word->text, '@', &at))
        return parse_address(value, word, reader);
    if ((forms & VALUE_DOMAIN) != 0)
        return parse_domain(value, term, word, reader);
    report_value(reader, term, word);
    return false;
}

static bool parse_contained(struct term_value *value, const struct word *word,
                            struct word_reader *reader)
{
    if (word->text.length == 0 || word->text.length > MAX_CONTAINS_BYTES) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "the text behind \"contains\" has 1 to %d bytes", MAX_CONTAINS_BYTES);
        return false;
    }
    value->form = VALUE_HEADER;
    value->text = mem_copy(word->text);
    term_value_prepare(value);
    return true;
}

static bool parse_value(struct term_value *value, const struct term *term,
                        struct word_reader *reader)
{
    unsigned int forms = term->word->forms;
    const struct word *word = word_reader_peek(reader);

    if ((forms & (VALUE_SIZE | VALUE_NUMBER)) != 0)
        return parse_comparison(value, term, reader);
    if ((forms & VALUE_LIST) != 0 && word_reader_skip(reader, "in"))
        return parse_list(value, reader);
    if (word == NULL || is_bare(word, ",") || is_bare(word, "and")) {
        report_value(reader, term, word);
        return false;
    }
    if (!((forms & VALUE_HEADER) != 0 ? parse_contained(value, word, reader)
                                      : parse_word(value, term, word, reader)))
        return false;
    reader->next++;
    return true;
}

/* ---- terms ---- */

/* What follows a value: a comma and more, `and`, or the end. */
static bool expect_end_of_values(const struct term *term, struct word_reader *reader)
{
    const struct word *word = word_reader_peek(reader);

    if (word == NULL || is_bare(word, "and"))
        return true;
    diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                    "\"%.*s\" cannot follow here; put a comma between values of %s, and "
                    "\"and\" before another term",
                    SLICE_ARGS(word->text), term->word->word);
    return false;
}

static bool parse_values(struct term *term, struct word_reader *reader)
{
    size_t capacity = 0;

    do {
        if (term->value_count == POLICY_MAX_VALUES) {
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.too-many",
                            word_reader_position(reader),
                            "a term takes at most %d values; put them in a list and write \"in "
                            "LIST\"",
                            POLICY_MAX_VALUES);
            return false;
        }
        term->values = mem_grow(term->values, term->value_count, &capacity, sizeof *term->values);
        term->values[term->value_count] = (struct term_value){ .form = VALUE_KEYWORD };
        if (!parse_value(&term->values[term->value_count], term, reader))
            return false;
        term->value_count++;
    } while (word_reader_skip(reader, ","));
    return expect_end_of_values(term, reader);
}

/* ftext of RFC 5322 3.6.8. */
static bool is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
            return false;
    return name.length > 0 && name.length <= MAX_NAME_BYTES;
}

static bool parse_header(struct term *term, struct word_reader *reader)
{
    const struct word *word = word_reader_peek(reader);

    if (word == NULL) {
        report_value(reader, term, NULL);
        return false;
    }
    if (!is_field_name(word->text)) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                        "\"%.*s\" is no name of a header field; write it without its colon",
                        SLICE_ARGS(word->text));
        return false;
    }
    term->header_name = mem_copy(word->text);
    reader->next++;
    if (word_reader_skip(reader, "contains")) {
        term->header_test = HEADER_CONTAINS;
        return parse_values(term, reader);
    }
    if (word_reader_skip(reader, "present"))
        term->header_test = HEADER_PRESENT;
    else if (word_reader_skip(reader, "absent"))
        term->header_test = HEADER_ABSENT;
    else {
        report_value(reader, term, word_reader_peek(reader));
        return false;
    }
    return expect_end_of_values(term, reader);
}

/* The term's own word. NULL, and a diagnostic, when no rule can use it. */
static const struct vocabulary_term *parse_term_word(struct word_reader *reader)
{
    const struct word *word = word_reader_peek(reader);
    const struct vocabulary_term *found;

    if (word == NULL || is_bare(word, ",") || is_bare(word, "and")) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "policy.unknown-term",
                        word_reader_position(reader), "a term is missing here");
        return NULL;
    }
    found = word->is_quoted ? NULL : vocabulary_find(word->text);
    if (found == NULL) {
        report_unknown_term(reader, word);
        return NULL;
    }
    if (found->id == TERM_UNAVAILABLE) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.not-yet", word->at,
                        "\"%s\" is not available in this version: %s", found->word, found->meaning);
        return NULL;
    }
    reader->next++;
    return found;
}

bool term_parse(struct term *term, struct word_reader *reader)
{
    bool is_good;

    *term = (struct term){ .at = word_reader_position(reader) };
    term->word = parse_term_word(reader);
    if (term->word == NULL)
        return false;
    is_good =
        term->word->id == TERM_HEADER ? parse_header(term, reader) : parse_values(term, reader);
    if (!is_good)
        term_clear(term);
    return is_good;
}
