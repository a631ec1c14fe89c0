/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets from hostile bytes. The first byte chooses the type; the question is taken from the
 * packet, so that mutations get behind it. What comes out keeps the promises of its header.
 */
#include <stdint.h>
#include <stdlib.h>

#include "dns/dns_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* The name at byte 12, when it is plain labels; else one that nothing is an answer to. */
static void read_question(struct slice packet, struct text *name)
{
    size_t at = 12;

    while (at < packet.length && packet.data[at] > 0) {
        size_t end = at + 1 + (size_t)packet.data[at];

        if (name->length > 0)
            text_add_byte(name, '.');
        while (++at < end && at < packet.length)
            dns_name_add_octet(name, (unsigned char)packet.data[at]);
    }
}

static void check_record(const struct dns_record *record, enum dns_type type)
{
    struct text again;

    if (type != DNS_TYPE_CNAME && type != DNS_TYPE_PTR && type != DNS_TYPE_MX)
        return;
    text_init(&again, DNS_NAME_MAX_BYTES);
    if (record->bytes.length > 0)
        require(dns_name_normalise(record->bytes, &again));
    require(slice_equals(text_slice(&again), record->bytes));
    text_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_TYPE_A, DNS_TYPE_CNAME, DNS_TYPE_PTR, DNS_TYPE_MX,
                                           DNS_TYPE_TXT, DNS_TYPE_AAAA, DNS_TYPE_TLSA };
    struct slice packet = { (const char *)data, size };
    enum dns_type type = types[size > 0 ? data[0] % 7 : 0];
    struct dns_answer *answer;
    struct text name;
    size_t bytes = 0;

    packet = slice_from_offset(packet, 1);
    text_init(&name, DNS_NAME_MAX_BYTES);
    read_question(packet, &name);
    answer = dns_wire_read(packet, text_slice(&name), type);
    require((answer->result == DNS_FAILED) == (answer->problem != NULL));
    require((answer->result == DNS_FOUND) == (answer->record_count > 0));
    require(answer->record_count <= DNS_WIRE_MAX_RECORDS && answer->ttl_s <= INT32_MAX);
    for (size_t i = 0; i < answer->record_count; i++) {
        check_record(&answer->records[i], type);
        bytes += answer->records[i].bytes.length;
    }
    require(bytes <= DNS_WIRE_MAX_BYTES);
    dns_answer_unref(answer);
    text_clear(&name);
    return 0;
}
