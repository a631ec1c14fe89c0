/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature fields; see dkim_claim.h. Every tag has a small reader of its own, in
 * the order of the table at the end: the first that refuses gives the reason.
 */
#include "checks/dkim_claim.h"

#include "base/memory.h"
#include "base/number.h"
#include "checks/dkim_tags.h"
#include "dns/dns_answer.h"
#include "mail/domain.h"

/* Times and lengths of more digits would not mean anything; the library reads 64 bits. */
#define NUMBER_MAX ((uint64_t)1 << 62)
/* There was no DKIM before (RFC 4871 is of 2007), and the library takes older ones for future. */
#define OLDEST_S 1200000000

static enum dkim_reason read_version(struct dkim_claim *claim, struct slice value)
{
    (void)claim;
    return slice_equals(value, SLICE("1")) ? DKIM_REASON_NONE : DKIM_REASON_VERSION;
}

static enum dkim_reason read_domain(struct dkim_claim *claim, struct slice value)
{
    enum dkim_reason reason = DKIM_REASON_DOMAIN;
    struct text domain;

    text_init(&domain, DOMAIN_MAX_BYTES);
    if (domain_normalise(value, &domain) == DOMAIN_OK) {
        claim->said.domain = mem_copy(text_slice(&domain));
        reason = DKIM_REASON_NONE;
    }
    text_clear(&domain);
    return reason;
}

/* A selector is made as a domain is (RFC 6376 3.1): one label, or several with dots. */
static enum dkim_reason read_selector(struct dkim_claim *claim, struct slice value)
{
    enum dkim_reason reason = DKIM_REASON_SELECTOR;
    struct text selector;
    struct text name;
    struct text form;

    text_init(&selector, DOMAIN_MAX_BYTES);
    text_init(&name, 2 * DOMAIN_MAX_BYTES + 16);
    text_init(&form, DNS_NAME_MAX_BYTES);
    if (domain_normalise(value, &selector) == DOMAIN_OK) {
        claim->said.selector = mem_copy(text_slice(&selector));
        text_add_format(&name, "%s._domainkey.%s", claim->said.selector, claim->said.domain);
        if (dns_name_normalise(text_slice(&name), &form)) {
            claim->key_name = mem_copy(text_slice(&form));
            reason = DKIM_REASON_NONE;
        }
    }
    text_clear(&selector);
    text_clear(&name);
    text_clear(&form);
    return reason;
}

static enum dkim_reason read_algorithm(struct dkim_claim *claim, struct slice value)
{
    if (slice_equals_nocase(value, SLICE("rsa-sha256"))) {
        claim->said.algorithm = "rsa-sha256";
        return DKIM_REASON_NONE;
    }
    if (slice_equals_nocase(value, SLICE("ed25519-sha256"))) {
        claim->said.algorithm = "ed25519-sha256";
        claim->is_ed25519 = true;
        return DKIM_REASON_NONE;
    }
    if (slice_equals_nocase(value, SLICE("rsa-sha1"))) {
        claim->said.algorithm = "rsa-sha1";
        return DKIM_REASON_SHA1;
    }
    return DKIM_REASON_ALGORITHM;
}

static bool is_canon(struct slice word, bool *is_relaxed)
{
    *is_relaxed = slice_equals_nocase(word, SLICE("relaxed"));
    return *is_relaxed || slice_equals_nocase(word, SLICE("simple"));
}

/* "header/body"; without the second it is simple (RFC 6376 3.5). */
static enum dkim_reason read_canon(struct dkim_claim *claim, struct slice value)
{
    size_t slash = value.length;

    (void)slice_find_byte(value, '/', &slash);
    if (!is_canon(slice_until(value, slash), &claim->is_header_relaxed))
        return DKIM_REASON_CANON;
    if (slash < value.length &&
        !is_canon(slice_from_offset(value, slash + 1), &claim->is_body_relaxed))
        return DKIM_REASON_CANON;
    return DKIM_REASON_NONE;
}

/* A name may be one that stands before a colon (RFC 5322 3.6.8), without ";" as in all tags. */
static bool is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    return name.length > 0;
}

static enum dkim_reason read_header_list(struct dkim_claim *claim, struct slice value)
{
    bool is_from_signed = false;
    struct slice name;

    if (value.length > DKIM_MAX_HEADER_LIST_BYTES)
        return DKIM_REASON_HEADER_LIST;
    while (dkim_tags_next_item(&value, &name)) {
        if (!is_field_name(name) || ++claim->name_count > DKIM_MAX_HEADER_NAMES)
            return DKIM_REASON_HEADER_LIST;
        is_from_signed |= slice_equals_nocase(name, SLICE("from"));
        claim->covers_signatures |= slice_equals_nocase(name, SLICE("dkim-signature"));
    }
    return is_from_signed ? DKIM_REASON_NONE : DKIM_REASON_FROM_NOT_SIGNED;
}

static enum dkim_reason check_base64(struct slice value, size_t min_bytes, size_t max_bytes)
{
    struct text bytes;
    bool is_good;

    text_init(&bytes, max_bytes);
    is_good = dkim_tags_decode_base64(value, &bytes) && bytes.length >= min_bytes;
    text_clear(&bytes);
    return is_good ? DKIM_REASON_NONE : DKIM_REASON_BASE64;
}

static enum dkim_reason read_signature(struct dkim_claim *claim, struct slice value)
{
    (void)claim;
    return check_base64(value, 1, DKIM_MAX_SIGNATURE_BYTES);
}

/* Of SHA-256, or of SHA-1 where that is the trouble. */
static enum dkim_reason read_body_hash(struct dkim_claim *claim, struct slice value)
{
    (void)claim;
    return check_base64(value, 20, 32);
}

static enum dkim_reason read_query(struct dkim_claim *claim, struct slice value)
{
    struct slice method;

    (void)claim;
    while (dkim_tags_next_item(&value, &method))
        if (slice_equals_nocase(method, SLICE("dns/txt")))
            return DKIM_REASON_NONE;
    return DKIM_REASON_QUERY;
}

static enum dkim_reason read_length(struct dkim_claim *claim, struct slice value)
{
    claim->said.has_length_limit = true;
    return number_parse(value, NUMBER_MAX, &claim->length) ? DKIM_REASON_NONE : DKIM_REASON_LENGTH;
}

static enum dkim_reason read_signed(struct dkim_claim *claim, struct slice value)
{
    if (!number_parse(value, NUMBER_MAX, &claim->signed_s) || claim->signed_s < OLDEST_S)
        return DKIM_REASON_TIMES;
    return DKIM_REASON_NONE;
}

static enum dkim_reason read_expiry(struct dkim_claim *claim, struct slice value)
{
    if (!number_parse(value, NUMBER_MAX, &claim->expires_s) || claim->expires_s == 0 ||
        claim->expires_s <= claim->signed_s)
        return DKIM_REASON_TIMES;
    return DKIM_REASON_NONE;
}

/* dkim-quoted-printable (RFC 6376 2.11): "=" and two digits in upper case stand for a byte. */
static bool add_unquoted(struct text *out, struct slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        int high;
        int low;

        if (value.data[i] != '=') {
            text_add_byte(out, value.data[i]);
            continue;
        }
        if (value.length - i < 3)
            return false;
        high = ascii_hex_value(value.data[i + 1]);
        low = ascii_hex_value(value.data[i + 2]);
        if (high < 0 || low < 0)
            return false;
        text_add_byte(out, (char)(high << 4 | low));
        i += 2;
    }
    return !out->is_cut;
}

static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.length; i++)
        if (!ascii_is_printable(s.data[i]))
            return false;
    return true;
}

/* [ local-part ] "@" domain; the domain is that of d= or below it. */
static bool keep_identity(struct dkim_claim *claim, struct slice identity)
{
    struct slice own = slice_from(claim->said.domain);
    struct slice local;
    struct slice domain;
    struct text form;
    bool is_same;
    size_t at;

    /* The library looks for the first one, others for the last: there shall be one. */
    if (!slice_find_byte(identity, '@', &at) || !is_clean(identity))
        return false;
    local = slice_until(identity, at);
    text_init(&form, DOMAIN_MAX_BYTES + DKIM_MAX_IDENTITY_BYTES + 2);
    text_add(&form, local);
    text_add_byte(&form, '@');
    if (domain_normalise(slice_from_offset(identity, at + 1), &form) != DOMAIN_OK) {
        text_clear(&form);
        return false;
    }
    domain = slice_from_offset(text_slice(&form), at + 1);
    is_same = slice_equals(domain, own);
    claim->is_identity_below = !is_same && domain_is_below(domain, own);
    if (is_same || claim->is_identity_below)
        claim->said.identity = mem_copy(text_slice(&form));
    text_clear(&form);
    return is_same || claim->is_identity_below;
}

static enum dkim_reason read_identity(struct dkim_claim *claim, struct slice value)
{
    enum dkim_reason reason = DKIM_REASON_IDENTITY;
    struct text identity;

    text_init(&identity, DKIM_MAX_IDENTITY_BYTES);
    if (add_unquoted(&identity, value) && keep_identity(claim, text_slice(&identity)))
        reason = DKIM_REASON_NONE;
    text_clear(&identity);
    return reason;
}

#define KIND(kind) (1u << (kind))
#define OF_DKIM KIND(DKIM_CLAIM_SIGNATURE)
#define OF_MESSAGES (OF_DKIM | KIND(DKIM_CLAIM_ARC_MESSAGE))
#define OF_ALL (OF_MESSAGES | KIND(DKIM_CLAIM_ARC_SEAL))

/* The first that refuses gives the reason. A tag that a kind does not have is not looked at. */
static const struct {
    const char *name;
    unsigned int kinds; /* KINDs that have it */
    bool is_required;
    enum dkim_reason (*read)(struct dkim_claim *claim, struct slice value);
} readers[] = {
    { "d", OF_ALL, true, read_domain },
    { "s", OF_ALL, true, read_selector },
    { "i", OF_DKIM, false, read_identity },
    { "v", OF_DKIM, true, read_version },
    { "a", OF_ALL, true, read_algorithm },
    { "c", OF_MESSAGES, false, read_canon },
    { "q", OF_MESSAGES, false, read_query },
    { "h", OF_MESSAGES, true, read_header_list },
    { "bh", OF_MESSAGES, true, read_body_hash },
    { "b", OF_ALL, true, read_signature },
    { "l", OF_MESSAGES, false, read_length },
    { "t", OF_ALL, false, read_signed },
    { "x", OF_MESSAGES, false, read_expiry },
};

/* White space may stand anywhere in these values, and means nothing in any of them. */
static enum dkim_reason read_one(struct dkim_claim *claim, size_t index, struct slice folded)
{
    enum dkim_reason reason;
    struct text value;

    text_init(&value, DKIM_MAX_FIELD_BYTES);
    dkim_tags_add_value(&value, folded);
    reason = readers[index].read(claim, text_slice(&value));
    text_clear(&value);
    return reason;
}

/* Reads on behind a refusal, so that the finding can say whose signature it was. */
static enum dkim_reason read_all(struct dkim_claim *claim, enum dkim_claim_kind kind,
                                 const struct dkim_tags *tags)
{
    enum dkim_reason first = DKIM_REASON_NONE;

    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        enum dkim_reason reason = DKIM_REASON_NONE;
        struct slice value;

        if ((readers[i].kinds & KIND(kind)) == 0)
            continue;
        if (dkim_tags_find(tags, readers[i].name, &value))
            reason = read_one(claim, i, value);
        else if (readers[i].is_required)
            reason = DKIM_REASON_MISSING_TAG;
        if (first == DKIM_REASON_NONE)
            first = reason;
        /* The key's name and i= are held against d=. */
        if (claim->said.domain == NULL)
            break;
    }
    return first;
}

void dkim_claim_parse(struct dkim_claim *claim, enum dkim_claim_kind kind, struct slice value)
{
    struct dkim_tags tags;

    *claim = (struct dkim_claim){ .reason = DKIM_REASON_NONE };
    if (value.length > DKIM_MAX_FIELD_BYTES)
        claim->reason = DKIM_REASON_TOO_LONG;
    else if (!dkim_tags_parse(value, &tags))
        claim->reason = DKIM_REASON_SYNTAX;
    else
        claim->reason = read_all(claim, kind, &tags);
    if (claim->reason != DKIM_REASON_NONE) {
        mem_free(claim->key_name);
        claim->key_name = NULL;
    }
}

void dkim_claim_clear(struct dkim_claim *claim)
{
    dkim_signature_clear(&claim->said);
    mem_free(claim->key_name);
    *claim = (struct dkim_claim){ .reason = DKIM_REASON_NONE };
}
