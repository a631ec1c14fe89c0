/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the second SPF engine and its answers, as bytes; see spf_parcel.h. Numbers
 * have four bytes in the machine's order, and stand in front of what they count:
 *
 *     request = client helo local domain count *answer
 *     answer  = type result name count *( address bytes )
 *     answer to it = end result type name
 */
#include "checks/spf_parcel.h"

#include <string.h>

#include "base/memory.h"
#include "checks/spf_record.h"

/* RFC 5321 4.5.3.1; the library copies them into buffers that it has measured itself. */
#define LOCAL_MAX_BYTES 64
#define DOMAIN_MAX_OCTETS 255
#define MAX_HOSTS (SPF_MAX_NAMES + 1)
/* SPF records of one name: two are as wrong as more. */
#define MAX_TEXTS 2
/* In place of an enum dns_result. */
#define RESULT_REFUSED 4u
#define MAX_ENTRIES 2000
#define MAX_ANSWER_RECORDS 4000

/* ---- Bytes. */

static void add_u32(struct text *out, size_t number)
{
    uint32_t value = (uint32_t)number;

    text_add(out, (struct slice){ (const char *)&value, sizeof value });
}

static void add_bytes(struct text *out, struct slice bytes)
{
    add_u32(out, bytes.length);
    text_add(out, bytes);
}

static bool take(struct slice *rest, void *place, size_t length)
{
    if (rest->length < length)
        return false;
    memcpy(place, rest->data, length);
    *rest = slice_from_offset(*rest, length);
    return true;
}

static bool take_u32(struct slice *rest, uint32_t max, uint32_t *number)
{
    return take(rest, number, sizeof *number) && *number <= max;
}

static bool take_bytes(struct slice *rest, size_t max_length, struct slice *bytes)
{
    uint32_t length;

    if (!take_u32(rest, (uint32_t)max_length, &length) || rest->length < length)
        return false;
    *bytes = slice_until(*rest, length);
    *rest = slice_from_offset(*rest, length);
    return true;
}

/* ---- The guard. */

static bool is_plain(struct slice value, size_t max_bytes)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_printable(value.data[i]))
            return false;
    return value.length <= max_bytes;
}

/* The native evaluation came to an end of its own: it was within all limits, and no error. */
static bool is_settled(enum check_result native)
{
    return native == RESULT_PASS || native == RESULT_FAIL || native == RESULT_SOFTFAIL ||
           native == RESULT_NEUTRAL;
}

/* The same record as the library bears it; false when it must not have it. */
static bool print_record(struct slice text, struct text *out)
{
    struct spf_record record;
    struct spf_term term;
    struct slice bad_term, rest;

    if (text.length > SPF_PARCEL_RECORD_BYTES ||
        spf_record_parse(text, &record, &bad_term) != NULL)
        return false;
    text_add_string(out, "v=spf1");
    rest = record.terms;
    while (spf_record_next(&rest, &term)) {
        if (term.kind == SPF_REDIRECT || term.kind == SPF_EXPLANATION)
            continue;
        text_add_byte(out, ' ');
        text_add(out, term.text);
    }
    if (record.redirect.length > 0) {
        text_add_string(out, " redirect=");
        text_add(out, record.redirect);
    }
    return is_plain(text_slice(out), SPF_PARCEL_RECORD_BYTES);
}

static void add_record(struct text *out, const struct dns_record *record, struct slice bytes)
{
    text_add(out, (struct slice){ (const char *)record->address.bytes,
                                  sizeof record->address.bytes });
    add_bytes(out, bytes);
}

/* Behind type and name: how it ended, and the SPF records. */
static void add_texts(struct text *out, const struct dns_answer *answer)
{
    static const struct dns_record nowhere;
    struct text texts[MAX_TEXTS];
    size_t count = 0;
    bool is_good = true;

    for (size_t i = 0; i < answer->record_count && count < MAX_TEXTS; i++) {
        if (!spf_record_is_one(answer->records[i].bytes))
            continue;
        text_init(&texts[count], SPF_PARCEL_RECORD_BYTES);
        is_good = print_record(answer->records[i].bytes, &texts[count]) &&
                  !texts[count].is_cut && is_good;
        count++;
    }
    add_u32(out, !is_good    ? RESULT_REFUSED
                 : count > 0 ? DNS_FOUND
                 : answer->result == DNS_FOUND ? DNS_NO_DATA
                                               : answer->result);
    add_u32(out, is_good ? count : 0);
    for (size_t i = 0; i < count; i++) {
        if (is_good)
            add_record(out, &nowhere, text_slice(&texts[i]));
        text_clear(&texts[i]);
    }
}

static size_t max_records(enum dns_type type)
{
    if (type == DNS_TYPE_PTR)
        return SPF_MAX_NAMES;
    return type == DNS_TYPE_MX ? MAX_HOSTS : MAX_ANSWER_RECORDS;
}

static void add_others(struct text *out, enum dns_type type, const struct dns_answer *answer)
{
    size_t count = answer->record_count;

    if (count > max_records(type))
        count = max_records(type);
    add_u32(out, answer->result);
    add_u32(out, count);
    for (size_t i = 0; i < count; i++)
        add_record(out, &answer->records[i], answer->records[i].bytes);
}

static bool is_for_spf(enum dns_type type)
{
    return type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_MX ||
           type == DNS_TYPE_PTR || type == DNS_TYPE_TXT;
}

bool spf_parcel_pack(const struct spf_question *question, const struct spf_finding *native,
                     const struct dns_answers *answers, struct text *out)
{
    bool is_null = question->sender_domain.length == 0;
    struct slice local = is_null ? SLICE_EMPTY : question->sender_local;

    if (!is_settled(native->result) || !is_plain(question->helo, DOMAIN_MAX_OCTETS) ||
        !is_plain(local, LOCAL_MAX_BYTES))
        return false;
    text_add(out, (struct slice){ (const char *)question->client.bytes,
                                  sizeof question->client.bytes });
    add_bytes(out, question->helo);
    add_bytes(out, local);
    add_bytes(out, slice_from(native->domain));
    for (size_t i = 0; i < dns_answers_count(answers); i++) {
        struct dns_question asked;
        const struct dns_answer *answer = dns_answers_get(answers, i, &asked);

        if (answer == NULL || !is_for_spf(asked.type))
            continue;
        add_u32(out, asked.type);
        add_bytes(out, slice_from(asked.name));
        if (asked.type == DNS_TYPE_TXT)
            add_texts(out, answer);
        else
            add_others(out, asked.type, answer);
    }
    return !out->is_cut && out->length <= SPF_PARCEL_MAX_BYTES;
}

/* ---- The other side. */

static bool take_records(struct slice *rest, struct dns_record **records, uint32_t *count)
{
    *records = NULL;
    if (!take_u32(rest, MAX_ANSWER_RECORDS, count))
        return false;
    *records = mem_new_array(*count + 1, sizeof **records);
    for (uint32_t i = 0; i < *count; i++)
        if (!take(rest, (*records)[i].address.bytes, sizeof(*records)[i].address.bytes) ||
            !take_bytes(rest, SPF_PARCEL_MAX_BYTES, &(*records)[i].bytes))
            return false;
    return true;
}

static struct dns_answer *make_answer(uint32_t result, const struct dns_record *records,
                                      uint32_t count)
{
    if (result == RESULT_REFUSED)
        return dns_answer_new_failed(SPF_PARCEL_REFUSED);
    if (result == DNS_FAILED)
        return dns_answer_new_failed("failed");
    return dns_answer_new((enum dns_result)result, records, count);
}

static bool take_answer(struct slice *rest, struct dns_answers *answers)
{
    struct dns_record *records = NULL;
    struct dns_question question;
    struct slice name;
    uint32_t type, result, count;
    bool is_good = take_u32(rest, UINT16_MAX, &type) && is_for_spf((enum dns_type)type) &&
                   take_bytes(rest, DNS_NAME_MAX_BYTES, &name) &&
                   take_u32(rest, RESULT_REFUSED, &result) &&
                   take_records(rest, &records, &count);

    /* The same question twice would find its answer. */
    is_good = is_good && dns_answers_find(answers, name, (enum dns_type)type) == NULL &&
              dns_answers_take_wanted(answers, &question);
    if (is_good)
        dns_answers_put(answers, &question, make_answer(result, records, count));
    mem_free(records);
    return is_good;
}

bool spf_parcel_unpack(struct slice bytes, struct spf_parcel *parcel)
{
    struct spf_question *question = &parcel->question;
    bool is_good;

    *parcel = (struct spf_parcel){ .answers = dns_answers_new(MAX_ENTRIES) };
    is_good = take(&bytes, question->client.bytes, sizeof question->client.bytes) &&
              take_bytes(&bytes, DOMAIN_MAX_OCTETS, &question->helo) &&
              take_bytes(&bytes, LOCAL_MAX_BYTES, &question->sender_local) &&
              take_bytes(&bytes, DOMAIN_MAX_OCTETS, &question->sender_domain);
    while (is_good && bytes.length > 0)
        is_good = take_answer(&bytes, parcel->answers);
    return is_good;
}

void spf_parcel_clear(struct spf_parcel *parcel)
{
    dns_answers_free(&parcel->answers);
}

/* ---- What the engine says. */

void spf_second_pack(const struct spf_second *second, struct text *out)
{
    add_u32(out, second->end);
    add_u32(out, second->result);
    add_u32(out, second->type);
    add_bytes(out, slice_from(second->name));
}

static bool is_of_spf(uint32_t result)
{
    return result != RESULT_NOT_RUN && result != RESULT_POLICY;
}

bool spf_second_unpack(struct slice bytes, struct spf_second *second)
{
    struct slice name;
    struct text form;
    uint32_t end, result, type;
    bool is_good = take_u32(&bytes, SPF_SECOND_END_COUNT - 1, &end) &&
                   take_u32(&bytes, RESULT_COUNT - 1, &result) &&
                   take_u32(&bytes, UINT16_MAX, &type) &&
                   take_bytes(&bytes, DNS_NAME_MAX_BYTES, &name) && bytes.length == 0;

    if (!is_good || (end == SPF_SECOND_DONE && !is_of_spf(result)))
        return false;
    *second = (struct spf_second){ .end = (enum spf_second_end)end,
                                   .result = (enum check_result)result,
                                   .type = (enum dns_type)type };
    if (end != SPF_SECOND_MISSING)
        return true;
    text_init(&form, DNS_NAME_MAX_BYTES);
    is_good = is_for_spf(second->type) && dns_name_normalise(name, &form);
    memcpy(second->name, text_string(&form), form.length);
    text_clear(&form);
    return is_good;
}
