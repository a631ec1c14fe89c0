/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of the DNS; see dns_wire.h. Every read is checked against the end of the
 * packet in one place (take), and a name may only point back to bytes before those
 * it was read from: so no chain of pointers can go round, or be longer than a name
 * is allowed to be.
 *
 * Records are listed by where they lie, each with a hash of its owner's name: a
 * packet of a thousand long names is then read about once, however many aliases it
 * has us look for.
 */
#include "dns/dns_wire.h"

#include <string.h>

#include "base/memory.h"
#include "base/sip_hash.h"

#define HEADER_BYTES 12
#define CLASS_IN 1
#define TYPE_SOA 6
#define MAX_NAME_OCTETS 255

/* The second word of the header (RFC 1035 4.1.1). */
#define FLAG_ANSWER 0x8000u
#define FLAG_CUT 0x0200u
#define OPCODE_MASK 0x7800u
#define RCODE_MASK 0x000fu

enum { RCODE_NOERROR = 0, RCODE_FORMERR, RCODE_SERVFAIL, RCODE_NXDOMAIN, RCODE_NOTIMP,
       RCODE_REFUSED };

/* A place in the packet. */
struct cursor {
    struct slice packet;
    size_t at;
};

struct place {
    size_t owner_at;    /* where the name of its owner begins */
    uint64_t owner_hash;
    unsigned int type;
    unsigned int class;
    uint32_t ttl_s;
    size_t data_at;
    size_t data_length;
};

/* A packet and what was found in it. */
struct reading {
    struct slice packet;
    enum dns_type type;
    unsigned int flags;
    struct place *places;   /* owned: the answer section, then the authority section */
    size_t answer_count;
    size_t authority_count;
    struct text wanted;     /* the name, or what it is an alias for */
    uint64_t wanted_hash;
    struct text name;       /* the last one that was read */
    uint32_t ttl_s;         /* the least so far */
    struct dns_record records[DNS_WIRE_MAX_RECORDS];
    size_t starts[DNS_WIRE_MAX_RECORDS]; /* of their bytes, in `bytes` */
    size_t record_count;
    struct text bytes;
    const char *problem;    /* NULL while there is none */
};

/* ---- Bytes. */

static bool take(struct cursor *cursor, size_t length, struct slice *bytes)
{
    if (length > cursor->packet.length - cursor->at)
        return false;
    *bytes = slice_until(slice_from_offset(cursor->packet, cursor->at), length);
    cursor->at += length;
    return true;
}

static bool take_number(struct cursor *cursor, size_t length, uint32_t *number)
{
    struct slice bytes;

    if (!take(cursor, length, &bytes))
        return false;
    *number = 0;
    for (size_t i = 0; i < length; i++)
        *number = *number << 8 | (unsigned char)bytes.data[i];
    return true;
}

/* ---- Names: labels, each with its length before it, and perhaps a pointer to the rest. */

static bool take_label(struct cursor *cursor, size_t length, struct text *name)
{
    struct slice label;

    if (!take(cursor, length, &label))
        return false;
    if (name->length > 0)
        text_add_byte(name, '.');
    for (size_t i = 0; i < length; i++)
        dns_name_add_octet(name, (unsigned char)label.data[i]);
    return true;
}

/* Adds labels up to the name's end, or to a pointer: then *pointer is where it leads. */
static bool take_labels(struct cursor *cursor, struct text *name, size_t *octets, size_t *pointer)
{
    uint32_t length;
    uint32_t low;

    for (;;) {
        if (!take_number(cursor, 1, &length))
            return false;
        if (length >= 0xc0) {
            if (!take_number(cursor, 1, &low))
                return false;
            *pointer = (length & 0x3f) << 8 | low;
            return true;
        }
        *octets += length + 1;
        if (length > 63 || *octets > MAX_NAME_OCTETS)
            return false;
        if (length == 0)
            return true;
        if (!take_label(cursor, length, name))
            return false;
    }
}

/* Leaves the cursor behind the name as it stands, wherever its pointers lead. */
static bool take_name(struct cursor *cursor, struct text *name)
{
    struct cursor part = *cursor;
    size_t octets = 0;
    size_t start = cursor->at;
    bool is_first = true;

    text_reset(name);
    for (;;) {
        size_t pointer = SIZE_MAX;

        if (!take_labels(&part, name, &octets, &pointer))
            return false;
        if (is_first)
            cursor->at = part.at;
        is_first = false;
        if (pointer == SIZE_MAX)
            return true;
        if (pointer >= start)
            return false;
        start = part.at = pointer;
    }
}

/* Two names alike cost a comparison that fails, and no more: so the secret may be known. */
static uint64_t hash_name(const struct text *name)
{
    static const uint64_t no_secret[2];

    return sip_hash(no_secret, text_slice(name));
}

/* ---- The sections. */

static bool read_place(struct reading *reading, struct cursor *cursor, struct place *place)
{
    uint32_t type;
    uint32_t class;
    uint32_t length;
    struct slice data;

    place->owner_at = cursor->at;
    if (!take_name(cursor, &reading->name) || !take_number(cursor, 2, &type) ||
        !take_number(cursor, 2, &class) || !take_number(cursor, 4, &place->ttl_s) ||
        !take_number(cursor, 2, &length))
        return false;
    place->owner_hash = hash_name(&reading->name);
    place->type = type;
    place->class = class;
    place->data_at = cursor->at;
    place->data_length = length;
    if (place->ttl_s > INT32_MAX) /* RFC 2181 8 */
        place->ttl_s = 0;
    return take(cursor, length, &data);
}

/* One question, and the one that was asked: else the answer may be for somebody else. */
static bool read_question(struct reading *reading, struct cursor *cursor)
{
    uint32_t type;
    uint32_t class;

    return take_name(cursor, &reading->name) && take_number(cursor, 2, &type) &&
           take_number(cursor, 2, &class) && type == (uint32_t)reading->type &&
           class == CLASS_IN &&
           slice_equals(text_slice(&reading->name), text_slice(&reading->wanted));
}

static const char *read_header(struct reading *reading, struct cursor *cursor)
{
    uint32_t id, flags, questions, answers, authorities, others;

    if (!take_number(cursor, 2, &id) || !take_number(cursor, 2, &flags) ||
        !take_number(cursor, 2, &questions) || !take_number(cursor, 2, &answers) ||
        !take_number(cursor, 2, &authorities) || !take_number(cursor, 2, &others))
        return "malformed";
    reading->flags = flags;
    reading->answer_count = answers;
    reading->authority_count = authorities;
    if ((flags & FLAG_ANSWER) == 0 || (flags & OPCODE_MASK) != 0 || questions != 1)
        return "malformed";
    if ((flags & FLAG_CUT) != 0)
        return "truncated";
    if (answers > DNS_WIRE_MAX_SECTION || authorities > DNS_WIRE_MAX_SECTION)
        return "too large";
    return NULL;
}

static const char *read_sections(struct reading *reading)
{
    struct cursor cursor = { reading->packet, 0 };
    const char *problem = read_header(reading, &cursor);
    size_t count = reading->answer_count + reading->authority_count;

    if (problem != NULL)
        return problem;
    if (!read_question(reading, &cursor))
        return "malformed";
    reading->places = mem_new_array(count + 1, sizeof *reading->places);
    for (size_t i = 0; i < count; i++)
        if (!read_place(reading, &cursor, &reading->places[i]))
            return "malformed";
    return NULL;
}

/* ---- Data of records. */

/* A name that ends where the data ends. */
static bool read_name_data(struct reading *reading, struct cursor *cursor, size_t end)
{
    if (!take_name(cursor, &reading->name) || cursor->at != end)
        return false;
    text_add(&reading->bytes, text_slice(&reading->name));
    return true;
}

static bool read_text_data(struct reading *reading, struct slice data)
{
    if (data.length == 0)
        return false;
    while (data.length > 0) {
        size_t length = (unsigned char)data.data[0];

        if (length > data.length - 1)
            return false;
        text_add(&reading->bytes, slice_until(slice_from_offset(data, 1), length));
        data = slice_from_offset(data, 1 + length);
    }
    return true;
}

static bool read_mail_data(struct reading *reading, struct cursor *cursor, size_t end,
                           struct dns_record *record)
{
    uint32_t preference;

    if (!take_number(cursor, 2, &preference))
        return false;
    record->preference = (uint16_t)preference;
    return read_name_data(reading, cursor, end);
}

static bool read_address_data(struct slice data, enum dns_type type, struct dns_record *record)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (data.length != (type == DNS_TYPE_A ? 4 : 16))
        return false;
    memcpy(record->address.bytes, mapped, sizeof mapped);
    memcpy(record->address.bytes + 16 - data.length, data.data, data.length);
    return true;
}

static bool read_data(struct reading *reading, const struct place *place,
                      struct dns_record *record)
{
    struct cursor cursor = { reading->packet, place->data_at };
    size_t end = place->data_at + place->data_length;
    struct slice data = slice_from_offset(slice_until(reading->packet, end), place->data_at);

    switch (reading->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA: return read_address_data(data, reading->type, record);
    case DNS_TYPE_MX: return read_mail_data(reading, &cursor, end, record);
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR: return read_name_data(reading, &cursor, end);
    case DNS_TYPE_TXT: return read_text_data(reading, data);
    case DNS_TYPE_TLSA:
        text_add(&reading->bytes, data);
        return data.length > 3;
    }
    return false;
}

/* ---- From the question to its records. */

static bool is_wanted(struct reading *reading, const struct place *place, unsigned int type)
{
    struct cursor cursor = { reading->packet, place->owner_at };

    return place->class == CLASS_IN && place->type == type &&
           place->owner_hash == reading->wanted_hash && take_name(&cursor, &reading->name) &&
           slice_equals(text_slice(&reading->name), text_slice(&reading->wanted));
}

static void lower_ttl(struct reading *reading, uint32_t ttl_s)
{
    if (reading->ttl_s > ttl_s)
        reading->ttl_s = ttl_s;
}

static void add_record(struct reading *reading, const struct place *place)
{
    size_t index = reading->record_count;

    if (index == DNS_WIRE_MAX_RECORDS) {
        reading->problem = "too large";
        return;
    }
    reading->starts[index] = reading->bytes.length;
    if (!read_data(reading, place, &reading->records[index]))
        reading->problem = "malformed";
    if (reading->bytes.is_cut)
        reading->problem = "too large";
    reading->records[index].bytes.length = reading->bytes.length - reading->starts[index];
    reading->record_count++;
    lower_ttl(reading, place->ttl_s);
}

static void find_records(struct reading *reading)
{
    for (size_t i = 0; i < reading->answer_count && reading->problem == NULL; i++)
        if (is_wanted(reading, &reading->places[i], reading->type))
            add_record(reading, &reading->places[i]);
}

/* True when the name is an alias: what is wanted is then the other one. */
static bool follow_alias(struct reading *reading)
{
    for (size_t i = 0; i < reading->answer_count; i++) {
        const struct place *place = &reading->places[i];
        struct cursor cursor = { reading->packet, place->data_at };

        if (!is_wanted(reading, place, DNS_TYPE_CNAME))
            continue;
        if (!take_name(&cursor, &reading->name) ||
            cursor.at != place->data_at + place->data_length) {
            reading->problem = "malformed";
            return false;
        }
        text_reset(&reading->wanted);
        text_add(&reading->wanted, text_slice(&reading->name));
        reading->wanted_hash = hash_name(&reading->wanted);
        lower_ttl(reading, place->ttl_s);
        return true;
    }
    return false;
}

static void find_answer(struct reading *reading)
{
    for (int hops = 0; hops <= DNS_WIRE_MAX_ALIASES; hops++) {
        find_records(reading);
        if (reading->record_count > 0 || reading->problem != NULL ||
            reading->type == DNS_TYPE_CNAME || !follow_alias(reading))
            return;
    }
    reading->problem = "too many aliases";
}

/* RFC 2308 5: the lesser of the SOA record's own time and the last number in it. */
static uint32_t find_negative_ttl(struct reading *reading)
{
    for (size_t i = 0; i < reading->authority_count; i++) {
        const struct place *place = &reading->places[reading->answer_count + i];
        struct cursor cursor = { reading->packet, place->data_at + place->data_length - 4 };
        uint32_t minimum;

        if (place->type != TYPE_SOA || place->class != CLASS_IN || place->data_length < 22 ||
            !take_number(&cursor, 4, &minimum))
            continue;
        return minimum < place->ttl_s ? minimum : place->ttl_s;
    }
    return 0;
}

static const char *rcode_problem(unsigned int rcode)
{
    switch (rcode) {
    case RCODE_NOERROR:
    case RCODE_NXDOMAIN: return NULL;
    case RCODE_FORMERR: return "formerr";
    case RCODE_SERVFAIL: return "servfail";
    case RCODE_NOTIMP: return "notimp";
    case RCODE_REFUSED: return "refused";
    default: return "rcode";
    }
}

static struct dns_answer *make_answer(struct reading *reading)
{
    enum dns_result result = DNS_FOUND;
    struct dns_answer *answer;

    if ((reading->flags & RCODE_MASK) == RCODE_NXDOMAIN)
        result = DNS_NO_NAME;
    else if (reading->record_count == 0)
        result = DNS_NO_DATA;
    if (result != DNS_FOUND)
        lower_ttl(reading, find_negative_ttl(reading));
    for (size_t i = 0; i < reading->record_count; i++)
        reading->records[i].bytes.data = text_string(&reading->bytes) + reading->starts[i];
    answer = dns_answer_new(result, reading->records, reading->record_count);
    answer->ttl_s = reading->ttl_s;
    return answer;
}

static struct dns_answer *read_answer(struct reading *reading)
{
    reading->problem = read_sections(reading);
    if (reading->problem == NULL)
        reading->problem = rcode_problem(reading->flags & RCODE_MASK);
    if (reading->problem == NULL)
        find_answer(reading);
    if (reading->problem != NULL)
        return dns_answer_new_failed(reading->problem);
    return make_answer(reading);
}

struct dns_answer *dns_wire_read(struct slice packet, struct slice name, enum dns_type type)
{
    struct reading *reading = mem_new(sizeof *reading);
    struct dns_answer *answer;

    reading->packet = packet;
    reading->type = type;
    reading->ttl_s = INT32_MAX;
    text_init(&reading->wanted, DNS_NAME_MAX_BYTES);
    text_init(&reading->name, DNS_NAME_MAX_BYTES);
    text_init(&reading->bytes, DNS_WIRE_MAX_BYTES);
    text_add(&reading->wanted, name);
    reading->wanted_hash = hash_name(&reading->wanted);
    answer = read_answer(reading);
    text_clear(&reading->wanted);
    text_clear(&reading->name);
    text_clear(&reading->bytes);
    mem_free(reading->places);
    mem_free(reading);
    return answer;
}
