/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions and answers as values; see dns_answer.h. */
#include "dns/dns_answer.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

#define LABEL_MAX_OCTETS 63
/* With the dots between labels, as RFC 5321 4.5.3.1.2 counts. */
#define NAME_MAX_OCTETS 253

static const struct {
    enum dns_type type;
    const char *word;
} type_words[] = {
    { DNS_TYPE_A, "A" },     { DNS_TYPE_CNAME, "CNAME" }, { DNS_TYPE_PTR, "PTR" },
    { DNS_TYPE_MX, "MX" },   { DNS_TYPE_TXT, "TXT" },     { DNS_TYPE_AAAA, "AAAA" },
    { DNS_TYPE_TLSA, "TLSA" },
};

const char *dns_type_word(enum dns_type type)
{
    for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++)
        if (type_words[i].type == type)
            return type_words[i].word;
    return NULL;
}

static bool is_plain(char c)
{
    return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* A byte of a label, which may be written \DDD: then *rest moves behind that. */
static bool take_byte(struct slice *rest, unsigned char *byte)
{
    struct slice digits = slice_until(slice_from_offset(*rest, 1), 3);
    unsigned int value = 0;

    *byte = (unsigned char)rest->data[0];
    if (rest->data[0] != '\\') {
        *rest = slice_from_offset(*rest, 1);
        return true;
    }
    for (size_t i = 0; i < digits.length; i++) {
        if (!ascii_is_digit(digits.data[i]))
            return false;
        value = value * 10 + (unsigned int)(digits.data[i] - '0');
    }
    *rest = slice_from_offset(*rest, 4);
    *byte = (unsigned char)value;
    return digits.length == 3 && value <= 255;
}

void dns_name_add_octet(struct text *out, unsigned char octet)
{
    if (is_plain((char)octet)) {
        text_add_byte(out, ascii_lower((char)octet));
        return;
    }
    text_add_byte(out, '\\');
    text_add_padded(out, octet, 3);
}

/* Adds the next byte or the dot between two labels; false when it is no name. */
static bool add_next(struct slice *rest, size_t *label_octets, struct text *out)
{
    unsigned char byte;

    if (rest->data[0] != '.') {
        if (!take_byte(rest, &byte) || ++*label_octets > LABEL_MAX_OCTETS)
            return false;
        dns_name_add_octet(out, byte);
        return true;
    }
    if (*label_octets == 0)
        return false;
    *rest = slice_from_offset(*rest, 1);
    if (rest->length == 0)
        return true; /* the root's dot */
    text_add_byte(out, '.');
    *label_octets = 0;
    return true;
}

bool dns_name_normalise(struct slice name, struct text *out)
{
    size_t start = out->length, octets = 0, label_octets = 0;
    struct slice rest = name;
    bool is_good = true;

    while (is_good && rest.length > 0) {
        size_t before = out->length;

        is_good = add_next(&rest, &label_octets, out);
        octets += out->length > before;
    }
    if (is_good && label_octets > 0 && octets <= NAME_MAX_OCTETS && !out->is_cut)
        return true;
    out->length = start;
    if (out->data != NULL)
        out->data[start] = '\0';
    return false;
}

/* The bytes of all records lie in one block. */
static void copy_records(struct dns_answer *answer, const struct dns_record *records)
{
    size_t length = 0, used = 0;

    for (size_t i = 0; i < answer->record_count; i++)
        length += records[i].bytes.length;
    answer->bytes = mem_new(length + 1);
    for (size_t i = 0; i < answer->record_count; i++) {
        size_t count = records[i].bytes.length;

        if (count > 0)
            memcpy(answer->bytes + used, records[i].bytes.data, count);
        answer->records[i] = records[i];
        answer->records[i].bytes = (struct slice){ answer->bytes + used, count };
        used += count;
    }
}

struct dns_answer *dns_answer_new(enum dns_result result, const struct dns_record *records,
                                  size_t record_count)
{
    struct dns_answer *answer = mem_new(sizeof *answer);

    answer->reference_count = 1;
    answer->result = result == DNS_FOUND && record_count == 0 ? DNS_NO_DATA : result;
    if (answer->result != DNS_FOUND)
        return answer;
    answer->records = mem_new_array(record_count, sizeof *answer->records);
    answer->record_count = record_count;
    copy_records(answer, records);
    return answer;
}

struct dns_answer *dns_answer_new_failed(const char *problem)
{
    struct dns_answer *answer = dns_answer_new(DNS_FAILED, NULL, 0);

    answer->problem = problem;
    return answer;
}

size_t dns_answer_bytes(const struct dns_answer *answer)
{
    size_t bytes = sizeof *answer + answer->record_count * sizeof *answer->records;

    for (size_t i = 0; i < answer->record_count; i++)
        bytes += answer->records[i].bytes.length;
    return bytes;
}

struct dns_answer *dns_answer_ref(struct dns_answer *answer)
{
    answer->reference_count++;
    return answer;
}

void dns_answer_unref(struct dns_answer *answer)
{
    if (answer == NULL)
        return;
    assert(answer->reference_count > 0);
    if (--answer->reference_count > 0)
        return;
    mem_free(answer->bytes);
    mem_free(answer->records);
    mem_free(answer);
}
