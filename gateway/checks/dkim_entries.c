/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures, judged without any library; see dkim_entries.h. */
#include "checks/dkim_entries.h"

#include "base/memory.h"

/* ---- the header section ---- */

bool dkim_entries_is_signature(const struct message *message, const struct header_field *field)
{
    return slice_equals_nocase(message_field_name(message, field), SLICE("DKIM-Signature"));
}

struct slice dkim_entries_field(const struct message *message, const struct header_field *field)
{
    struct slice bytes = slice_until(text_slice(&message->header.text),
                                     (size_t)field->start + field->length);

    bytes = slice_from_offset(bytes, field->start);
    if (bytes.length >= 2 && bytes.data[bytes.length - 1] == '\n')
        bytes = slice_until(bytes, bytes.length - 2);
    return bytes;
}

static bool is_from(const struct message *message, const struct header_field *field)
{
    return slice_equals_nocase(message_field_name(message, field), SLICE("From"));
}

/* NUL ends a field for the library, and it refuses these in a name or before its colon. */
static bool is_readable(const struct message *message, const struct header_field *field)
{
    struct slice bytes = dkim_entries_field(message, field);
    struct slice name = slice_until(bytes, field->value_start - field->start - 1);
    size_t at;

    if (is_from(message, field) && bytes.length > DKIM_MAX_FROM_BYTES)
        return false;
    return !slice_find_byte(bytes, '\0', &at) && !slice_find_byte(name, ';', &at) &&
           !slice_find_byte(name, '\t', &at);
}

struct dkim_entry *dkim_entries_add(struct dkim_entries *all, enum dkim_claim_kind kind,
                                    struct slice value)
{
    struct dkim_entry *entry;

    all->entries = mem_grow(all->entries, all->count, &all->capacity, sizeof *all->entries);
    entry = &all->entries[all->count++];
    *entry = (struct dkim_entry){ .shadow = DKIM_REASON_NONE };
    dkim_claim_parse(&entry->claim, kind, value);
    all->has_length_limit |= entry->claim.said.has_length_limit;
    return entry;
}

static void read_fields(struct dkim_entries *all, const struct message *message,
                        size_t max_count)
{
    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];

        if (!is_readable(message, field))
            all->is_header_bad = true;
        if (is_from(message, field))
            all->from_count++;
        if (!dkim_entries_is_signature(message, field))
            continue;
        if (all->count < max_count)
            (void)dkim_entries_add(all, DKIM_CLAIM_SIGNATURE,
                                   message_field_value(message, field));
        else
            all->ignored_count++;
    }
}

/* The body is hashed once for each form and length; SHA-256 is all there is. */
static bool is_same_hash(const struct dkim_claim *a, const struct dkim_claim *b)
{
    return a->is_body_relaxed == b->is_body_relaxed &&
           a->said.has_length_limit == b->said.has_length_limit && a->length == b->length;
}

static bool is_new_hash(const struct dkim_entries *all, size_t index)
{
    const struct dkim_claim *claim = &all->entries[index].claim;

    for (size_t i = 0; i < index; i++)
        if (all->entries[i].claim.reason == DKIM_REASON_NONE &&
            is_same_hash(&all->entries[i].claim, claim))
            return false;
    return true;
}

/* Refuses what would cost too much, signature by signature from the top. */
static void limit_work(struct dkim_entries *all, const struct message *message)
{
    uint64_t comparisons = DKIM_MAX_COMPARISONS;
    uint64_t header_bytes = DKIM_MAX_HEADER_WORK;
    size_t body_hashes = DKIM_MAX_BODY_HASHES;

    for (size_t i = 0; i < all->count; i++) {
        struct dkim_claim *claim = &all->entries[i].claim;
        uint64_t names = claim->name_count * message->header.field_count;
        size_t hashes = is_new_hash(all, i) ? 1 : 0;

        if (claim->reason != DKIM_REASON_NONE)
            continue;
        if (names > comparisons || message->header.length > header_bytes || hashes > body_hashes) {
            claim->reason = DKIM_REASON_COSTLY;
            continue;
        }
        comparisons -= names;
        header_bytes -= message->header.length;
        body_hashes -= hashes;
    }
}

/* What was not shown to the library cannot be signed for it. */
static void refuse_unknowable(struct dkim_entries *all)
{
    bool is_one_hidden = all->ignored_count > 0;

    for (size_t i = 0; i < all->count; i++)
        is_one_hidden |= all->entries[i].claim.reason != DKIM_REASON_NONE;
    for (size_t i = 0; i < all->count; i++) {
        struct dkim_claim *claim = &all->entries[i].claim;

        if (claim->reason == DKIM_REASON_NONE && all->is_header_bad)
            claim->reason = DKIM_REASON_HEADER;
        if (claim->reason == DKIM_REASON_NONE && claim->covers_signatures && is_one_hidden)
            claim->reason = DKIM_REASON_COVERS_SIGNATURES;
    }
}

void dkim_entry_judge_times(struct dkim_entry *entry, const struct dkim_settings *settings,
                            uint64_t now_s)
{
    uint64_t drift_s = settings->clock_drift_s;
    const struct dkim_claim *claim = &entry->claim;

    if (claim->expires_s > 0 && now_s > claim->expires_s + drift_s)
        entry->shadow = DKIM_REASON_EXPIRED;
    else if (claim->signed_s > now_s + drift_s)
        entry->shadow = DKIM_REASON_FUTURE;
    else if (claim->said.has_length_limit && settings->length_policy == DKIM_LENGTH_REFUSE)
        entry->shadow = DKIM_REASON_LENGTH_REFUSED;
}

void dkim_entries_read(struct dkim_entries *all, const struct message *message,
                       const struct dkim_settings *settings, uint64_t now_s)
{
    read_fields(all, message, settings->max_signatures);
    limit_work(all, message);
    refuse_unknowable(all);
    for (size_t i = 0; i < all->count; i++)
        dkim_entry_judge_times(&all->entries[i], settings, now_s);
}

void dkim_entries_clear(struct dkim_entries *all)
{
    for (size_t i = 0; i < all->count; i++) {
        dkim_claim_clear(&all->entries[i].claim);
        dkim_record_clear(&all->entries[i].record);
    }
    mem_free(all->entries);
    *all = (struct dkim_entries){ 0 };
}

size_t dkim_entries_count_alive(const struct dkim_entries *all)
{
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        count += dkim_entry_is_alive(&all->entries[i]);
    return count;
}

void dkim_entries_refuse_all(struct dkim_entries *all, enum dkim_reason reason)
{
    for (size_t i = 0; i < all->count; i++)
        if (dkim_entry_is_alive(&all->entries[i]))
            all->entries[i].claim.reason = reason;
}

/* ---- keys ---- */

bool dkim_entries_want_keys(const struct dkim_entries *all, struct dns_answers *answers)
{
    bool are_all_there = true;

    for (size_t i = 0; i < all->count; i++)
        if (dkim_entry_is_alive(&all->entries[i]) &&
            dns_answers_find(answers, slice_from(all->entries[i].claim.key_name),
                             DNS_TYPE_TXT) == NULL)
            are_all_there = false;
    return are_all_there;
}

/* The one record that is a key; others, of wildcards as a rule, do not matter. */
static enum dkim_reason read_record(struct dkim_entry *entry, const struct dns_answer *answer)
{
    const struct dns_record *found = NULL;

    if (answer->result == DNS_FAILED)
        return DKIM_REASON_KEY_DNS;
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record *record = &answer->records[i];

        if (answer->record_count > 1 && !dkim_record_is_meant(record->bytes))
            continue;
        if (found != NULL)
            return DKIM_REASON_KEY_SEVERAL;
        found = record;
    }
    if (found == NULL)
        return DKIM_REASON_KEY_MISSING;
    return dkim_record_parse(&entry->record, found->bytes);
}

static enum dkim_reason check_record(struct dkim_entry *entry,
                                     const struct dkim_settings *settings)
{
    const struct dkim_record *record = &entry->record;

    if (record->is_ed25519 != entry->claim.is_ed25519)
        return DKIM_REASON_KEY_TYPE;
    if (record->is_strict && entry->claim.is_identity_below)
        return DKIM_REASON_KEY_STRICT;
    if (!record->is_ed25519 && record->key_bits < settings->min_rsa_bits &&
        entry->shadow == DKIM_REASON_NONE)
        entry->shadow = DKIM_REASON_KEY_SHORT;
    return DKIM_REASON_NONE;
}

static void read_key(struct dkim_entry *entry, const struct dkim_settings *settings,
                     const struct dns_answer *answer)
{
    struct dkim_claim *claim = &entry->claim;

    claim->reason = read_record(entry, answer);
    if (claim->reason == DKIM_REASON_NONE)
        claim->reason = check_record(entry, settings);
    claim->said.key_bits = entry->record.key_bits;
    claim->said.is_testing = entry->record.is_testing;
    claim->said.is_secure = answer->is_secure;
}

void dkim_entries_read_keys(struct dkim_entries *all, const struct dkim_settings *settings,
                            struct dns_answers *answers)
{
    for (size_t i = 0; i < all->count; i++) {
        struct dkim_entry *entry = &all->entries[i];

        if (dkim_entry_is_alive(entry))
            read_key(entry, settings,
                     dns_answers_find(answers, slice_from(entry->claim.key_name), DNS_TYPE_TXT));
    }
}

/* ---- the end ---- */

void dkim_entry_judge_length(struct dkim_entry *entry, const struct dkim_settings *settings,
                             const struct body_length *length)
{
    struct dkim_claim *claim = &entry->claim;
    uint64_t body_bytes = claim->is_body_relaxed ? body_length_relaxed(length)
                                                 : body_length_simple(length);

    if (!claim->said.has_length_limit || body_bytes <= claim->length)
        return;
    claim->said.has_unsigned_body = true;
    if (settings->length_policy == DKIM_LENGTH_IGNORE && entry->shadow == DKIM_REASON_NONE)
        entry->shadow = DKIM_REASON_BODY_UNSIGNED;
}

/* The better one of two for all signatures together; see finding.h. */
static enum check_result better(enum check_result a, enum check_result b)
{
    static const enum check_result order[] = { RESULT_PASS, RESULT_TEMPERROR, RESULT_POLICY,
                                               RESULT_FAIL, RESULT_PERMERROR, RESULT_NEUTRAL };

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return RESULT_NONE;
}

void dkim_entries_take_finding(struct dkim_entries *all, struct dkim_finding *finding)
{
    *finding = (struct dkim_finding){
        .result = RESULT_NONE,
        .ignored_count = all->ignored_count,
        .from_count = all->from_count,
        .signature_count = all->count,
    };
    if (all->count > 0)
        finding->signatures = mem_new_array(all->count, sizeof *finding->signatures);
    for (size_t i = 0; i < all->count; i++) {
        struct dkim_claim *claim = &all->entries[i].claim;
        struct dkim_signature *signature = &finding->signatures[i];

        *signature = claim->said;
        claim->said = (struct dkim_signature){ .result = RESULT_NOT_RUN };
        signature->result = dkim_reason_result(claim->reason);
        signature->reason = dkim_reason_word(claim->reason);
        signature->problem = dkim_reason_text(claim->reason);
        if (signature->result == RESULT_PASS || !signature->is_testing)
            finding->result = better(finding->result, signature->result);
    }
}
