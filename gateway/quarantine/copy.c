/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of a held mail beside its content, as text; see copy.h. The lines
 * stand in one order, so reading is asking for each in turn; a line that is left
 * over is unknown, double or out of place. At the end what was read is printed
 * again and must be the text that came: so nothing has a second spelling, which
 * one reader could take and another not.
 */
#include "quarantine/copy.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char first_line[] = "postern-copy 1\n";

/* The strings that stand among the first lines, in their order. */
static const struct {
    const char *key;
    size_t offset; /* of the char * in struct copy */
} string_lines[] = {
    { "helo", offsetof(struct copy, helo) },
    { "backend", offsetof(struct copy, backend) },
    { "listener", offsetof(struct copy, listener) },
    { "tls", offsetof(struct copy, tls_version) },
    { "domain", offsetof(struct copy, domain) },
    { "policy", offsetof(struct copy, policy) },
    { "message-id", offsetof(struct copy, message_id) },
    { "header-from", offsetof(struct copy, header_from) },
    { "subject", offsetof(struct copy, subject) },
};

static const char *const body_words[] = { "none", "7bit", "8bitmime", "binarymime" };
static const char *const return_words[] = { "none", "full", "headers" };

static const struct {
    const char *word;
    enum dsn_notify bit;
} notify_words[] = {
    { "never", DSN_NOTIFY_NEVER },
    { "success", DSN_NOTIFY_SUCCESS },
    { "failure", DSN_NOTIFY_FAILURE },
    { "delay", DSN_NOTIFY_DELAY },
};

static char **string_at(struct copy *copy, size_t i)
{
    return (char **)(void *)((char *)copy + string_lines[i].offset);
}

static const char *get_string(const struct copy *copy, size_t i)
{
    return *(char *const *)(const void *)((const char *)copy + string_lines[i].offset);
}

/* ---- Life ---- */

void copy_init(struct copy *copy)
{
    *copy = (struct copy){ .id = "" };
    envelope_init(&copy->envelope);
}

static void free_words(char **words, size_t count)
{
    for (size_t i = 0; words != NULL && i < count; i++)
        mem_free(words[i]);
    mem_free(words);
}

void copy_clear(struct copy *copy)
{
    free_words(copy->reasons, copy->envelope.recipient_count);
    free_words(copy->notes, copy->envelope.recipient_count);
    for (size_t i = 0; i < COUNT(string_lines); i++)
        mem_free(*string_at(copy, i));
    envelope_clear(&copy->envelope);
    copy_init(copy);
}

/* id.h's name of the session, a dash, and the number of the transaction in it. */
bool copy_id_is_valid(struct slice id)
{
    uint64_t made_us;

    if (id.length < ID_LENGTH + 2 || id.length > COPY_ID_MAX_BYTES || id.data[ID_LENGTH] != '-' ||
        id.data[ID_LENGTH + 1] == '0')
        return false;
    for (size_t i = ID_LENGTH + 1; i < id.length; i++)
        if (!ascii_is_digit(id.data[i]))
            return false;
    return id_find_time(id, &made_us);
}

static bool claim_is_valid(struct slice claim)
{
    for (size_t i = 0; i < claim.length; i++)
        if (ascii_hex_value(claim.data[i]) < 0)
            return false;
    return claim.length == COPY_CLAIM_BYTES;
}

/* ---- Printing ---- */

static void print_line(struct text *out, const char *key, struct slice value, size_t max_bytes)
{
    text_add_string(out, key);
    text_add_byte(out, ' ');
    escape_add_ascii(out, slice_until(value, max_bytes));
    text_add_byte(out, '\n');
}

static void print_string(struct text *out, const char *key, const char *value, size_t max_bytes)
{
    if (value != NULL)
        print_line(out, key, slice_from(value), max_bytes);
}

static void print_number(struct text *out, const char *key, uint64_t value)
{
    text_add_string(out, key);
    text_add_byte(out, ' ');
    text_add_number(out, value);
    text_add_byte(out, '\n');
}

static void print_endpoint(struct text *out, const char *key, const struct ip_endpoint *endpoint)
{
    text_add_string(out, key);
    text_add_byte(out, ' ');
    ip_endpoint_print(out, endpoint);
    text_add_byte(out, '\n');
}

static void print_flag(struct text *out, const char *key, bool is_set)
{
    if (is_set)
        print_string(out, key, "yes", COPY_WORD_MAX_BYTES);
}

static void print_address(struct text *out, const char *key, const struct address *address)
{
    text_add_string(out, key);
    text_add_string(out, " <");
    escape_add_ascii(out, address_text(address));
    text_add_string(out, ">\n");
}

static void print_notify(struct text *out, unsigned int notify)
{
    const char *separator = "notify ";

    for (size_t i = 0; i < COUNT(notify_words); i++) {
        if ((notify & notify_words[i].bit) == 0)
            continue;
        text_add_string(out, separator);
        text_add_string(out, notify_words[i].word);
        separator = ",";
    }
    if (notify != 0)
        text_add_byte(out, '\n');
}

static bool has_endpoint(const struct ip_endpoint *endpoint)
{
    static const struct ip_endpoint none;

    return !ip_endpoint_equals(endpoint, &none);
}

static void print_head(struct text *out, const struct copy *copy)
{
    text_add_string(out, first_line);
    print_string(out, "id", copy->id, COPY_ID_MAX_BYTES);
    if (copy->claim[0] != '\0')
        print_string(out, "claim", copy->claim, COPY_CLAIM_BYTES);
    print_number(out, "held-us", copy->held_us);
    text_add_string(out, "held ");
    clock_print_utc(out, copy->held_us);
    text_add_byte(out, '\n');
    if (copy->owner != 0)
        print_number(out, "owner", copy->owner);
    print_flag(out, "pending", copy->is_pending);
    print_endpoint(out, "client", &copy->client);
    if (has_endpoint(&copy->local))
        print_endpoint(out, "local", &copy->local);
    print_flag(out, "extended", copy->is_extended);
    for (size_t i = 0; i < COUNT(string_lines); i++)
        print_string(out, string_lines[i].key, get_string(copy, i), COPY_VALUE_MAX_BYTES);
}

static void print_envelope(struct text *out, const struct copy *copy)
{
    const struct envelope *envelope = &copy->envelope;

    print_flag(out, "smtputf8", envelope->is_smtputf8);
    print_address(out, "sender", &envelope->sender);
    if (envelope->has_size)
        print_number(out, "size", envelope->size_bytes);
    if (envelope->body != BODY_NONE)
        print_string(out, "body", body_words[envelope->body], COPY_WORD_MAX_BYTES);
    if (envelope->ret != DSN_RETURN_NONE)
        print_string(out, "ret", return_words[envelope->ret], COPY_WORD_MAX_BYTES);
    print_string(out, "envid", envelope->envid, COPY_WORD_MAX_BYTES);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const struct recipient *recipient = &envelope->recipients[i];

        print_address(out, "recipient", &recipient->address);
        if (copy->reasons != NULL)
            print_string(out, "reason", copy->reasons[i], COPY_WORD_MAX_BYTES);
        if (copy->notes != NULL)
            print_string(out, "note", copy->notes[i], COPY_WORD_MAX_BYTES);
        print_notify(out, recipient->notify);
        print_string(out, "orcpt", recipient->orcpt, COPY_WORD_MAX_BYTES);
    }
}

void copy_print(struct text *out, const struct copy *copy)
{
    print_head(out, copy);
    print_envelope(out, copy);
}

size_t copy_max_bytes(size_t recipient_count)
{
    /* A byte takes four at most, and 100 are enough for what else stands in a line. */
    size_t line = 100 + 4 * COPY_VALUE_MAX_BYTES;
    size_t address = 100 + 4 * ADDRESS_PATH_MAX_BYTES;
    size_t word = 100 + 4 * COPY_WORD_MAX_BYTES;
    size_t all = (COUNT(string_lines) + 12) * line + recipient_count * (address + 3 * word + 100);

    return all < COPY_MAX_BYTES ? all : COPY_MAX_BYTES;
}

/* ---- Reading ---- */

struct reader {
    struct slice rest;        /* begins at a line */
    size_t line;              /* of it, from 1 */
    struct text value;        /* of the line that was taken last; its strings end where C's do */
    size_t reason_capacity;
    size_t note_capacity;
    struct text *problem;     /* lent */
};

static bool fail(struct reader *reader, const char *what)
{
    text_add_format(reader->problem, "line %zu of the copy %s", reader->line, what);
    return false;
}

enum take_result {
    TAKE_DONE,
    TAKE_NOT_THERE, /* another line is next */
    TAKE_BAD,       /* it is there, and no value */
};

/* Takes the next line if it is of this key. */
static enum take_result take_line(struct reader *reader, const char *key)
{
    struct slice name = slice_from(key);
    struct slice value = reader->rest;
    size_t end;

    if (!slice_has_prefix(value, name) || value.length == name.length ||
        value.data[name.length] != ' ')
        return TAKE_NOT_THERE;
    text_reset(&reader->value);
    if (!slice_find_byte(value, '\n', &end) ||
        !escape_parse_ascii(&reader->value,
                            slice_from_offset(slice_until(value, end), name.length + 1))) {
        fail(reader, "is cut, too long, or escaped in a way that is not ours");
        return TAKE_BAD;
    }
    reader->rest = slice_from_offset(value, end + 1);
    reader->line++;
    return TAKE_DONE;
}

/* As every "read" below: false when a line is bad. `key` may be missing where nothing says else. */
static bool read_string(struct reader *reader, const char *key, char **take_to)
{
    enum take_result taken = take_line(reader, key);

    if (taken == TAKE_DONE)
        *take_to = mem_copy(text_slice(&reader->value));
    return taken != TAKE_BAD;
}

static bool must_take_line(struct reader *reader, const char *key)
{
    enum take_result taken = take_line(reader, key);

    if (taken == TAKE_NOT_THERE)
        text_add_format(reader->problem, "line %zu of the copy should be \"%s\"", reader->line,
                        key);
    return taken == TAKE_DONE;
}

static bool read_number(struct reader *reader, const char *key, bool *is_there, uint64_t *number)
{
    enum take_result taken = take_line(reader, key);

    *is_there = taken == TAKE_DONE;
    if (taken == TAKE_DONE && !number_parse(text_slice(&reader->value), UINT64_MAX, number))
        return fail(reader, "ends behind what should be a number");
    return taken != TAKE_BAD;
}

static bool read_endpoint(struct reader *reader, const char *key, struct ip_endpoint *endpoint)
{
    enum take_result taken = take_line(reader, key);

    if (taken == TAKE_DONE && !ip_endpoint_parse(text_slice(&reader->value), endpoint))
        return fail(reader, "ends behind what should be an address with a port");
    return taken != TAKE_BAD;
}

/* One of the words, by its number; 0 when there is no such line. */
static bool read_word(struct reader *reader, const char *key, const char *const *words,
                      size_t count, unsigned int *number)
{
    enum take_result taken = take_line(reader, key);

    *number = 0;
    if (taken != TAKE_DONE)
        return taken != TAKE_BAD;
    for (size_t i = 1; i < count; i++)
        if (slice_equals(text_slice(&reader->value), slice_from(words[i])))
            *number = (unsigned int)i;
    return *number > 0 || fail(reader, "ends behind an unknown word");
}

static bool read_flag(struct reader *reader, const char *key, bool *is_set)
{
    static const char *const words[] = { "no", "yes" };
    unsigned int number;
    bool is_good = read_word(reader, key, words, COUNT(words), &number);

    *is_set = number == 1;
    return is_good;
}

static bool read_address(struct reader *reader, enum address_form form, bool allow_utf8,
                         struct address *address)
{
    size_t used;
    enum address_problem problem =
        address_parse(text_slice(&reader->value), form, allow_utf8, address, &used);

    if (problem == ADDRESS_OK && used == reader->value.length)
        return true;
    text_add_format(reader->problem, "the address before line %zu of the copy %s", reader->line,
                    problem == ADDRESS_OK ? "has something behind it"
                                          : address_problem_text(problem));
    return false;
}

static bool read_id(struct reader *reader, struct copy *copy)
{
    enum take_result taken;

    if (!must_take_line(reader, "id"))
        return false;
    if (!copy_id_is_valid(text_slice(&reader->value)))
        return fail(reader, "ends behind what should be an id");
    memcpy(copy->id, text_string(&reader->value), reader->value.length + 1);
    taken = take_line(reader, "claim");
    if (taken == TAKE_DONE && !claim_is_valid(text_slice(&reader->value)))
        return fail(reader, "ends behind what should be a claim");
    if (taken == TAKE_DONE)
        memcpy(copy->claim, text_string(&reader->value), COPY_CLAIM_BYTES + 1);
    return taken != TAKE_BAD;
}

static bool read_head(struct reader *reader, struct copy *copy)
{
    bool is_there;

    if (!read_id(reader, copy) || !read_number(reader, "held-us", &is_there, &copy->held_us) ||
        !must_take_line(reader, "held") ||
        !read_number(reader, "owner", &is_there, &copy->owner) ||
        !read_flag(reader, "pending", &copy->is_pending))
        return false;
    if (copy->is_pending && copy->claim[0] == '\0')
        return fail(reader, "ends behind a pending copy that has no claim");
    if (!read_endpoint(reader, "client", &copy->client) ||
        !read_endpoint(reader, "local", &copy->local) ||
        !read_flag(reader, "extended", &copy->is_extended))
        return false;
    for (size_t i = 0; i < COUNT(string_lines); i++)
        if (!read_string(reader, string_lines[i].key, string_at(copy, i)))
            return false;
    return copy->backend != NULL || fail(reader, "stands where a backend should be known");
}

static bool read_sender(struct reader *reader, struct envelope *envelope)
{
    unsigned int body;
    unsigned int ret;

    if (!read_flag(reader, "smtputf8", &envelope->is_smtputf8) ||
        !must_take_line(reader, "sender") ||
        !read_address(reader, ADDRESS_REVERSE_PATH, envelope->is_smtputf8, &envelope->sender) ||
        !read_number(reader, "size", &envelope->has_size, &envelope->size_bytes) ||
        !read_word(reader, "body", body_words, COUNT(body_words), &body) ||
        !read_word(reader, "ret", return_words, COUNT(return_words), &ret))
        return false;
    envelope->body = (enum body_type)body;
    envelope->ret = (enum dsn_return)ret;
    return read_string(reader, "envid", &envelope->envid);
}

static bool read_notify(struct reader *reader, unsigned int *notify)
{
    enum take_result taken = take_line(reader, "notify");
    struct slice rest = text_slice(&reader->value);
    struct slice word;

    if (taken != TAKE_DONE)
        return taken != TAKE_BAD;
    while (slice_next(&rest, ',', &word))
        for (size_t i = 0; i < COUNT(notify_words); i++)
            if (slice_equals(word, slice_from(notify_words[i].word)))
                *notify |= notify_words[i].bit;
    return true;
}

static bool read_recipient(struct reader *reader, struct copy *copy)
{
    struct envelope *envelope = &copy->envelope;
    struct recipient recipient = { .notify = 0 };
    char *reason = NULL;
    char *note = NULL;
    bool is_good =
        read_address(reader, ADDRESS_FORWARD_PATH, envelope->is_smtputf8, &recipient.address) &&
        read_string(reader, "reason", &reason) && read_string(reader, "note", &note) &&
        read_notify(reader, &recipient.notify) &&
        read_string(reader, "orcpt", &recipient.orcpt);

    copy->reasons = mem_grow(copy->reasons, envelope->recipient_count, &reader->reason_capacity,
                             sizeof *copy->reasons);
    copy->reasons[envelope->recipient_count] = reason;
    copy->notes = mem_grow(copy->notes, envelope->recipient_count, &reader->note_capacity,
                           sizeof *copy->notes);
    copy->notes[envelope->recipient_count] = note;
    envelope_add_recipient(envelope, &recipient);
    recipient_clear(&recipient);
    return is_good;
}

static bool read_recipients(struct reader *reader, struct copy *copy)
{
    enum take_result taken;

    while ((taken = take_line(reader, "recipient")) == TAKE_DONE) {
        if (copy->envelope.recipient_count == COPY_MAX_RECIPIENTS)
            return fail(reader, "ends behind one recipient too many");
        if (!read_recipient(reader, copy))
            return false;
    }
    if (taken == TAKE_BAD)
        return false;
    if (copy->envelope.recipient_count == 0)
        return fail(reader, "stands where a recipient should");
    return reader->rest.length == 0 || fail(reader, "is unknown, double or out of place");
}

static bool read_all(struct reader *reader, struct copy *copy)
{
    struct slice head = slice_from(first_line);

    if (!slice_has_prefix(reader->rest, head))
        return fail(reader, "is not that of a copy of version 1");
    reader->rest = slice_from_offset(reader->rest, head.length);
    reader->line++;
    return read_head(reader, copy) && read_sender(reader, &copy->envelope) &&
           read_recipients(reader, copy);
}

/* Nothing may be read that is written in another way than ours. */
static bool is_as_printed(const struct copy *copy, struct slice text, struct text *problem)
{
    struct text again;
    bool is_same;

    text_init(&again, copy_max_bytes(copy->envelope.recipient_count));
    copy_print(&again, copy);
    is_same = slice_equals(text_slice(&again), text);
    if (!is_same)
        text_add_string(problem, "a value of the copy is written in another way than ours");
    text_clear(&again);
    return is_same;
}

bool copy_parse(struct copy *copy, struct slice text, struct text *problem)
{
    struct reader reader = { .rest = text, .line = 1, .problem = problem };
    bool is_good;

    text_init(&reader.value, COPY_VALUE_MAX_BYTES);
    is_good = read_all(&reader, copy) && is_as_printed(copy, text, problem);
    text_clear(&reader.value);
    if (!is_good)
        copy_clear(copy);
    return is_good;
}
