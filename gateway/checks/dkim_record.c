/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key records; see dkim_record.h. An RSA key comes as a SubjectPublicKeyInfo (RFC
 * 5280 4.1.2.7). A few lines find the two numbers in it, so that neither a key of
 * another kind nor one that takes long reaches the library that would try it.
 */
#include "checks/dkim_record.h"

#include <stdint.h>

#include "base/memory.h"
#include "checks/dkim_tags.h"

/* ---- DER (X.690), as much of it as such a key has ---- */

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OBJECT 0x06
#define DER_SEQUENCE 0x30

/* Takes the element of this type at the start of `*rest` off it. */
static bool take_element(struct slice *rest, unsigned char type, struct slice *content)
{
    const unsigned char *bytes = (const unsigned char *)rest->data;
    size_t start = 2;
    size_t length;

    if (rest->length < 2 || bytes[0] != type)
        return false;
    length = bytes[1];
    if (length >= 0x80) {
        start += length & 0x7f;
        if (length == 0x80 || start > 4 || rest->length < start)
            return false;
        for (length = 0, bytes += 2; bytes < (const unsigned char *)rest->data + start; bytes++)
            length = length << 8 | *bytes;
    }
    if (length > rest->length - start)
        return false;
    *content = slice_until(slice_from_offset(*rest, start), length);
    *rest = slice_from_offset(*rest, start + length);
    return true;
}

/* A positive number, without the zeros in front of it. */
static bool take_number(struct slice *rest, struct slice *number)
{
    if (!take_element(rest, DER_INTEGER, number) || number->length == 0 ||
        (unsigned char)number->data[0] >= 0x80)
        return false;
    while (number->length > 0 && number->data[0] == 0)
        *number = slice_from_offset(*number, 1);
    return number->length > 0;
}

static unsigned int count_bits(struct slice number)
{
    unsigned int bits = (unsigned int)number.length * 8;

    for (unsigned int top = (unsigned char)number.data[0]; top < 0x80; top <<= 1)
        bits--;
    return bits;
}

static bool is_odd(struct slice number)
{
    return (number.data[number.length - 1] & 1) != 0;
}

/* 1.2.840.113549.1.1.1, rsaEncryption (RFC 8017 appendix A). */
static bool is_rsa(struct slice algorithm)
{
    struct slice object;

    return take_element(&algorithm, DER_OBJECT, &object) &&
           slice_equals(object, SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"));
}

bool dkim_record_find_numbers(struct slice der, struct slice *modulus, struct slice *exponent)
{
    struct slice info;
    struct slice algorithm;
    struct slice key;
    struct slice numbers;

    if (!take_element(&der, DER_SEQUENCE, &info) ||
        !take_element(&info, DER_SEQUENCE, &algorithm) || !is_rsa(algorithm) ||
        !take_element(&info, DER_BIT_STRING, &key) || key.length == 0 || key.data[0] != 0)
        return false;
    key = slice_from_offset(key, 1);
    return take_element(&key, DER_SEQUENCE, &numbers) && take_number(&numbers, modulus) &&
           take_number(&numbers, exponent) && is_odd(*modulus) && is_odd(*exponent) &&
           count_bits(*exponent) > 1;
}

/* ---- the record ---- */

static bool has_item(struct slice list, const char *wanted)
{
    struct slice item;

    while (dkim_tags_next_item(&list, &item))
        if (slice_equals_nocase(item, slice_from(wanted)))
            return true;
    return false;
}

static enum dkim_reason check_key(struct dkim_record *record, struct slice bytes)
{
    struct slice modulus = SLICE_EMPTY;
    struct slice exponent = SLICE_EMPTY;
    bool is_key;

    if (record->is_ed25519) {
        record->key_bits = 256;
        return bytes.length == DKIM_ED25519_BYTES ? DKIM_REASON_NONE : DKIM_REASON_KEY_UNREADABLE;
    }
    is_key = dkim_record_find_numbers(bytes, &modulus, &exponent);
    if (modulus.length > 0)
        record->key_bits = count_bits(modulus);
    if (!is_key)
        return DKIM_REASON_KEY_UNREADABLE;
    if (record->key_bits > DKIM_MAX_RSA_BITS || count_bits(exponent) > DKIM_MAX_EXPONENT_BITS)
        return DKIM_REASON_KEY_LARGE;
    return DKIM_REASON_NONE;
}

static enum dkim_reason read_key(struct dkim_record *record, struct slice value)
{
    enum dkim_reason reason = DKIM_REASON_KEY_UNREADABLE;
    struct text bytes;
    struct text key;

    if (value.length == 0)
        return DKIM_REASON_KEY_REVOKED;
    text_init(&bytes, DKIM_MAX_RECORD_BYTES);
    text_init(&key, DKIM_MAX_RECORD_BYTES);
    if (dkim_tags_decode_base64(value, &bytes))
        reason = check_key(record, text_slice(&bytes));
    if (reason == DKIM_REASON_NONE) {
        dkim_tags_add_value(&key, value);
        record->key = mem_copy(text_slice(&key));
    }
    text_clear(&bytes);
    text_clear(&key);
    return reason;
}

static enum dkim_reason read_tags(struct dkim_record *record, const struct dkim_tags *tags)
{
    struct slice value;

    if (dkim_tags_find(tags, "v", &value) && !slice_equals(value, SLICE("DKIM1")))
        return DKIM_REASON_KEY_VERSION;
    if (dkim_tags_find(tags, "t", &value)) {
        record->is_testing = has_item(value, "y");
        record->is_strict = has_item(value, "s");
    }
    if (dkim_tags_find(tags, "k", &value)) {
        record->is_ed25519 = slice_equals_nocase(value, SLICE("ed25519"));
        if (!record->is_ed25519 && !slice_equals_nocase(value, SLICE("rsa")))
            return DKIM_REASON_KEY_TYPE;
    }
    if (dkim_tags_find(tags, "h", &value) && !has_item(value, "sha256"))
        return DKIM_REASON_KEY_HASH;
    if (dkim_tags_find(tags, "s", &value) && !has_item(value, "*") && !has_item(value, "email"))
        return DKIM_REASON_KEY_SERVICE;
    if (!dkim_tags_find(tags, "p", &value))
        return DKIM_REASON_KEY_SYNTAX;
    return read_key(record, value);
}

enum dkim_reason dkim_record_parse(struct dkim_record *record, struct slice text)
{
    struct dkim_tags tags;

    *record = (struct dkim_record){ 0 };
    if (text.length > DKIM_MAX_RECORD_BYTES || !dkim_tags_parse(text, &tags))
        return DKIM_REASON_KEY_SYNTAX;
    return read_tags(record, &tags);
}

void dkim_record_clear(struct dkim_record *record)
{
    mem_free(record->key);
    *record = (struct dkim_record){ 0 };
}

bool dkim_record_is_meant(struct slice text)
{
    struct dkim_tags tags;
    struct slice value;

    return slice_has_prefix_nocase(slice_trim(text), SLICE("v=DKIM")) ||
           (dkim_tags_parse(text, &tags) && dkim_tags_find(&tags, "p", &value));
}
