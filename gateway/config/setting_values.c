/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of settings: how each type is written, read and refused; see
 * settings.h. Nothing is guessed: a value is taken whole, or refused with what
 * would have been right.
 */
#include "config/setting_values.h"

#include <inttypes.h>
#include <string.h>

#include "base/ip.h"
#include "base/memory.h"
#include "base/number.h"
#include "mail/domain.h"

/* Suggestions look at this many words at most. */
#define MAX_KNOWN 128

static const struct setting_word switch_words[] = { { .name = "off", .value = 0 },
                                                    { .name = "on", .value = 1 },
                                                    { .name = NULL } };

/* ---- Forms: how a value is written ---- */

/* "a, b or c" */
static void print_words(struct text *out, const struct setting_word *words)
{
    const char *known[MAX_KNOWN];
    size_t count = 0;

    for (; words->name != NULL && count < MAX_KNOWN; words++)
        if (words->later_id == NULL)
            known[count++] = words->name;
    for (size_t i = 0; i < count; i++) {
        const char *separator = i == 0 ? "" : i + 1 == count ? " or " : ", ";

        text_add_format(out, "%s%s", separator, known[i]);
    }
}

static void print_limits(struct text *out, const struct setting *setting,
                         void (*print)(struct text *out, uint64_t value))
{
    print(out, setting->min);
    text_add_string(out, " to ");
    print(out, setting->max);
    if (setting->default_text != NULL)
        text_add_format(out, ", such as %s", setting->default_text);
}

static void print_number(struct text *out, uint64_t value)
{
    text_add_format(out, "%" PRIu64, value);
}

void setting_print_form(struct text *out, const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_WORD:
    case SETTING_FLAGS:
        print_words(out, setting->words);
        break;
    case SETTING_SWITCH:
        text_add_string(out, "on or off");
        break;
    case SETTING_NUMBER:
        text_add_string(out, "a number from ");
        print_limits(out, setting, print_number);
        break;
    case SETTING_SIZE:
        text_add_string(out, "a size in bytes, K, M or G from ");
        print_limits(out, setting, number_print_size);
        break;
    case SETTING_DURATION:
        text_add_string(out, "a time in ms, s, m, h or d from ");
        print_limits(out, setting, number_print_duration);
        break;
    case SETTING_TEXT:
        text_add_string(out, setting->form != NULL ? setting->form : "a text of printable ASCII");
        break;
    case SETTING_PATH:
        text_add_string(out, "a path");
        break;
    case SETTING_HOST:
        text_add_string(out, "a host name, such as mx.example.org");
        break;
    case SETTING_HOSTS:
        text_add_string(out, "host names, such as mx.example.org or *.example.org");
        break;
    case SETTING_NETWORKS:
        text_add_string(out, "networks, such as 192.0.2.0/24 or 2001:db8::/32");
        break;
    case SETTING_ADDRESSES:
        text_add_string(out, "IP addresses with ports, such as 192.0.2.1:25 or [2001:db8::1]:25");
        break;
    case SETTING_OTHER:
        text_add_string(out, setting->form);
        break;
    }
}

/* ---- Complaints ---- */

static bool is_key_of_any_block(const struct settings_reader *reader, struct slice word)
{
    for (size_t i = 0; i < reader->block_count; i++)
        for (size_t j = 0; j < reader->blocks[i]->count; j++)
            if (slice_equals(word, slice_from(reader->blocks[i]->settings[j].key)))
                return true;
    return false;
}

static const char *suggest_word(const struct setting_word *words, struct slice word)
{
    const char *known[MAX_KNOWN];
    size_t count = 0;

    for (; words != NULL && words->name != NULL && count < MAX_KNOWN; words++)
        if (words->later_id == NULL)
            known[count++] = words->name;
    return diagnostics_suggest(word, known, count);
}

/* "192.0.2.1/24" was probably meant to be 192.0.2.0/24. */
static bool suggest_network(struct slice word, struct text *out)
{
    struct ip_prefix prefix;
    size_t slash;
    uint64_t length;

    if (!slice_find_byte(word, '/', &slash) ||
        !ip_parse(slice_until(word, slash), &prefix.address))
        return false;
    length = ip_is_v4(&prefix.address) ? 32 : 128;
    if (!number_parse(slice_from_offset(word, slash + 1), length, &length))
        return false;
    prefix.length = (unsigned int)length + (ip_is_v4(&prefix.address) ? 96 : 0);
    for (unsigned int bit = prefix.length; bit < 128; bit++)
        prefix.address.bytes[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
    ip_prefix_print(out, &prefix);
    return true;
}

/* "; did you mean ...?", or nothing. */
static void print_suggestion(struct text *out, const struct settings_reader *reader,
                             const struct setting *setting, struct slice word)
{
    const struct setting_word *words =
        setting->type == SETTING_SWITCH ? switch_words : setting->words;
    const char *suggestion = suggest_word(words, word);
    struct text network;

    text_init(&network, 100);
    if (suggestion != NULL)
        text_add_format(out, "; did you mean \"%s\"?", suggestion);
    else if (is_key_of_any_block(reader, word))
        text_add_string(out, "; is a ; missing in front of it?");
    else if (setting->type == SETTING_NETWORKS && suggest_network(word, &network))
        text_add_format(out, "; did you mean \"%s\"?", text_string(&network));
    text_clear(&network);
}

void setting_refuse(const struct settings_reader *reader, const struct setting *setting,
                    const struct word *word)
{
    struct text form;
    struct text suggestion;

    text_init(&form, 500);
    text_init(&suggestion, 200);
    setting_print_form(&form, setting);
    print_suggestion(&suggestion, reader, setting, word->text);
    diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", word->at,
                    "%s takes %s, not \"%s\"%s", setting->key, text_string(&form),
                    word->text.data, text_string(&suggestion));
    text_clear(&form);
    text_clear(&suggestion);
}

static void refuse_emptiness(const struct settings_reader *reader, const struct setting *setting,
                             const struct statement *statement)
{
    struct text form;

    text_init(&form, 500);
    setting_print_form(&form, setting);
    diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", statement->words[0].at,
                    "%s needs a value: %s", setting->key, text_string(&form));
    text_clear(&form);
}

/* ---- Words behind the key ---- */

static bool is_comma(const struct statement *statement, size_t index)
{
    return statement_has_word(statement, index, ",");
}

const struct word *setting_next_value(const struct settings_reader *reader,
                                      const struct statement *statement, size_t first,
                                      size_t *index)
{
    bool may_be_comma = *index > first;

    while (is_comma(statement, *index)) {
        if (!may_be_comma || *index + 1 == statement->word_count)
            diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value",
                            statement->words[*index].at, "this comma separates nothing; remove it");
        may_be_comma = false;
        (*index)++;
    }
    return *index < statement->word_count ? &statement->words[(*index)++] : NULL;
}

const struct word *setting_only_value(const struct settings_reader *reader,
                                      const struct setting *setting,
                                      const struct statement *statement)
{
    const struct word *words = statement->words;

    if (statement->word_count < 2) {
        refuse_emptiness(reader, setting, statement);
        return NULL;
    }
    if (statement->word_count == 2)
        return &words[1];
    if (words[2].at.line > words[1].at.line)
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", words[1].at,
                        "%s takes one value; is a ; missing behind \"%s\"?", setting->key,
                        words[1].text.data);
    else
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, "config.value", words[2].at,
                        "%s takes one value, and this is another; text with blanks needs quotes",
                        setting->key);
    return NULL;
}

/* ---- Values ---- */

/* Finds `word` among the words of the setting; reports when it is none of them, or a later one. */
static const struct setting_word *find_word(const struct settings_reader *reader,
                                            const struct setting *setting,
                                            const struct setting_word *words,
                                            const struct word *word)
{
    for (; words->name != NULL; words++)
        if (slice_equals(word->text, slice_from(words->name)))
            break;
    if (words->name == NULL) {
        setting_refuse(reader, setting, word);
        return NULL;
    }
    if (words->later_id != NULL) {
        diagnostics_add(reader->diagnostics, SEVERITY_ERROR, words->later_id, word->at, "%s",
                        words->later_sentence);
        return NULL;
    }
    return words;
}

static void read_word(const struct settings_reader *reader, const struct setting *setting,
                      const struct word *word, void *field)
{
    const struct setting_word *found = find_word(reader, setting, setting->words, word);

    if (found != NULL)
        memcpy(field, &found->value, sizeof found->value);
}

static void read_switch(const struct settings_reader *reader, const struct setting *setting,
                        const struct word *word, bool *field)
{
    const struct setting_word *found = find_word(reader, setting, switch_words, word);

    if (found != NULL)
        *field = found->value != 0;
}

static void read_quantity(const struct settings_reader *reader, const struct setting *setting,
                          const struct word *word, uint64_t *field)
{
    uint64_t value = 0;
    bool is_good;

    if (setting->type == SETTING_NUMBER)
        is_good = number_parse(word->text, setting->max, &value);
    else if (setting->type == SETTING_SIZE)
        is_good = number_parse_size(word->text, setting->max, &value);
    else
        is_good = number_parse_duration(word->text, setting->max, &value);
    if (is_good && value >= setting->min)
        *field = value;
    else
        setting_refuse(reader, setting, word);
}

static void read_text(const struct settings_reader *reader, const struct setting *setting,
                      const struct word *word, const char **field)
{
    bool is_good = word->text.length > 0;

    for (size_t i = 0; i < word->text.length; i++)
        is_good = is_good && ascii_is_printable(word->text.data[i]);
    if (is_good)
        *field = word->text.data;
    else
        setting_refuse(reader, setting, word);
}

static void read_path(const struct settings_reader *reader, const struct setting *setting,
                      const struct word *word, const char **field)
{
    if (word->text.length > 0)
        *field = sources_resolve_path(reader->sources, word->at.path, word->text);
    else
        setting_refuse(reader, setting, word);
}

/* A host name in its one form, kept; NULL and a report when it is none. */
static const char *read_host(const struct settings_reader *reader, const struct setting *setting,
                             const struct word *word)
{
    struct slice name = word->text;
    struct text normal;
    const char *kept = NULL;

    text_init(&normal, DOMAIN_MAX_BYTES + 2);
    if (setting->type == SETTING_HOSTS && slice_has_prefix(name, SLICE("*."))) {
        text_add_string(&normal, "*.");
        name = slice_from_offset(name, 2);
    }
    if (domain_normalise(name, &normal) == DOMAIN_OK)
        kept = sources_keep_path(reader->sources, text_string(&normal));
    else
        setting_refuse(reader, setting, word);
    text_clear(&normal);
    return kept;
}

/* Makes the array at `field` longer by one and gives the place of the new element, zeroed. */
static void *add_element(void **field, size_t *count, size_t element_size)
{
    char *array = mem_resize(*field, *count + 1, element_size);

    *field = array;
    memset(array + *count * element_size, 0, element_size);
    return array + (*count)++ * element_size;
}

/* False when the word was refused. */
static bool read_element(const struct settings_reader *reader, const struct setting *setting,
                         const struct word *word, void **field, size_t *count)
{
    struct ip_prefix network;
    struct ip_endpoint address;
    const char *host;

    if (setting->type == SETTING_HOSTS) {
        host = read_host(reader, setting, word);
        if (host != NULL)
            *(const char **)add_element(field, count, sizeof host) = host;
        return host != NULL;
    }
    if (setting->type == SETTING_NETWORKS && ip_prefix_parse(word->text, &network)) {
        *(struct ip_prefix *)add_element(field, count, sizeof network) = network;
        return true;
    }
    if (setting->type == SETTING_ADDRESSES && ip_endpoint_parse(word->text, &address) &&
        address.port >= setting->min) {
        *(struct ip_endpoint *)add_element(field, count, sizeof address) = address;
        return true;
    }
    setting_refuse(reader, setting, word);
    return false;
}

static bool read_flag(const struct settings_reader *reader, const struct setting *setting,
                      const struct word *word, unsigned int *field)
{
    const struct setting_word *found = find_word(reader, setting, setting->words, word);

    if (found != NULL)
        *field |= found->value;
    return found != NULL;
}

/*
 * Settings that take several words. A key among them means that a semicolon is
 * missing, and what follows is no value: one complaint is enough.
 */
static void read_many(const struct settings_reader *reader, const struct setting *setting,
                      const struct statement *statement, char *target)
{
    const struct word *word;
    size_t index = 1;

    if (statement->word_count < 2)
        refuse_emptiness(reader, setting, statement);
    while ((word = setting_next_value(reader, statement, 1, &index)) != NULL) {
        void *field = target + setting->offset;
        bool is_good;

        if (setting->type == SETTING_FLAGS)
            is_good = read_flag(reader, setting, word, field);
        else
            is_good = read_element(reader, setting, word, field,
                                   (size_t *)(void *)(target + setting->count_offset));
        if (!is_good && is_key_of_any_block(reader, word->text))
            return;
    }
}

static void read_one(const struct settings_reader *reader, const struct setting *setting,
                     const struct word *word, void *field)
{
    switch (setting->type) {
    case SETTING_WORD:
        read_word(reader, setting, word, field);
        break;
    case SETTING_SWITCH:
        read_switch(reader, setting, word, field);
        break;
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_DURATION:
        read_quantity(reader, setting, word, field);
        break;
    case SETTING_TEXT:
        read_text(reader, setting, word, field);
        break;
    case SETTING_PATH:
        read_path(reader, setting, word, field);
        break;
    case SETTING_HOST:
        *(const char **)field = read_host(reader, setting, word);
        break;
    case SETTING_FLAGS:
    case SETTING_HOSTS:
    case SETTING_NETWORKS:
    case SETTING_ADDRESSES:
    case SETTING_OTHER:
        break; /* these take several words: see setting_read_value */
    }
}

void setting_read_value(const struct settings_reader *reader, const struct setting *setting,
                        const struct statement *statement, char *target)
{
    const struct word *word;

    switch (setting->type) {
    case SETTING_OTHER:
        if (statement->word_count < 2)
            refuse_emptiness(reader, setting, statement);
        else
            setting->read(reader, setting, statement, target);
        break;
    case SETTING_FLAGS:
    case SETTING_HOSTS:
    case SETTING_NETWORKS:
    case SETTING_ADDRESSES:
        read_many(reader, setting, statement, target);
        break;
    case SETTING_WORD:
    case SETTING_SWITCH:
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_DURATION:
    case SETTING_TEXT:
    case SETTING_PATH:
    case SETTING_HOST:
        word = setting_only_value(reader, setting, statement);
        if (word != NULL)
            read_one(reader, setting, word, target + setting->offset);
        break;
    }
}

void setting_read_default(const struct settings_reader *reader, const struct setting *setting,
                          char *target)
{
    struct word word = { .text = slice_from(setting->default_text), .at = { .path = "" } };

    if (setting->default_text != NULL && setting->type != SETTING_OTHER)
        read_one(reader, setting, &word, target + setting->offset);
}
