/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains; see arc_chain.h. What an attacker could try: sets that two readers order
 * differently (each instance must be there once, and a field that cannot be read
 * breaks the chain), and work. A seal signs all sets before it, which would be hashed
 * anew for each seal; here one hash goes up the chain, and at each seal a copy of it
 * is finished.
 */
#include "checks/arc_chain.h"

#include <assert.h>

#include "base/memory.h"
#include "checks/canon.h"
#include "checks/dkim_tags.h"

struct arc_set {
    const struct header_field *fields[ARC_PART_COUNT]; /* in the message; NULL: missing */
    enum arc_chain_value chain_value;
};

/* ---- faults ---- */

void arc_chain_fail(struct arc_chain *chain, enum arc_reason reason, enum arc_part part,
                    size_t instance)
{
    if (reason == ARC_REASON_NONE || chain->fault.reason != NULL)
        return;
    chain->fault = (struct arc_fault){ arc_reason_word(reason), arc_reason_text(reason),
                                       RESULT_FAIL, part, instance };
}

/* "All failures are permanent" (RFC 8617 5.2.1), but for what the DNS may answer another time. */
void arc_chain_fail_field(struct arc_chain *chain, size_t index, enum dkim_reason reason)
{
    const struct arc_proof *proof = &chain->proofs[index];
    bool is_temporary = dkim_reason_result(reason) == RESULT_TEMPERROR;
    enum check_result result = is_temporary ? RESULT_TEMPERROR : RESULT_FAIL;

    if (reason == DKIM_REASON_NONE ||
        (chain->fault.reason != NULL &&
         (chain->fault.result == RESULT_FAIL || result == RESULT_TEMPERROR)))
        return;
    chain->fault = (struct arc_fault){ dkim_reason_word(reason), dkim_reason_text(reason), result,
                                       proof->part, proof->instance };
}

/* ---- sets ---- */

static void add_field(struct arc_chain *chain, struct arc_set *sets, size_t max_sets,
                      const struct message *message, const struct header_field *field,
                      enum arc_part part)
{
    struct arc_claim claim;
    enum arc_reason reason = arc_claim_parse(&claim, part, message_field_value(message, field));

    if (claim.instance > max_sets)
        reason = ARC_REASON_TOO_MANY;
    if (claim.instance > chain->set_count)
        chain->set_count = claim.instance;
    if (reason == ARC_REASON_NONE && sets[claim.instance - 1].fields[part] != NULL)
        reason = ARC_REASON_TWICE;
    if (reason != ARC_REASON_NONE) {
        arc_chain_fail(chain, reason, part, claim.instance);
        return;
    }
    sets[claim.instance - 1].fields[part] = field;
    if (part == ARC_PART_SEAL)
        sets[claim.instance - 1].chain_value = claim.chain_value;
}

/* One that cannot be read counts as one all the same: something was claimed. */
static void collect(struct arc_chain *chain, struct arc_set *sets, size_t max_sets,
                    const struct message *message)
{
    for (size_t i = 0; i < message->header.field_count && chain->fault.reason == NULL; i++) {
        const struct header_field *field = &message->header.fields[i];
        enum arc_part part;

        if (!arc_part_find(message_field_name(message, field), &part))
            continue;
        if (message->header.length > ARC_MAX_HEADER_BYTES)
            arc_chain_fail(chain, ARC_REASON_COSTLY, part, 0);
        else
            add_field(chain, sets, max_sets, message, field, part);
    }
}

/* RFC 8617 5.2, steps 1 to 3. */
static void check_sets(struct arc_chain *chain, const struct arc_set *sets)
{
    for (size_t i = chain->set_count; i > 0; i--) {
        const struct arc_set *set = &sets[i - 1];

        for (int part = 0; part < ARC_PART_COUNT; part++)
            if (set->fields[part] == NULL)
                arc_chain_fail(chain, ARC_REASON_INCOMPLETE, (enum arc_part)part, i);
    }
    for (size_t i = chain->set_count; i > 0; i--) {
        enum arc_chain_value wanted = i == 1 ? ARC_CHAIN_NONE : ARC_CHAIN_PASS;

        if (sets[i - 1].chain_value == ARC_CHAIN_FAIL)
            arc_chain_fail(chain, ARC_REASON_BROKEN, ARC_PART_SEAL, i);
        else if (sets[i - 1].chain_value != wanted)
            arc_chain_fail(chain, ARC_REASON_CHAIN_VALUE, ARC_PART_SEAL, i);
    }
}

/* ---- signatures ---- */

static void read_base64(const struct dkim_tags *tags, const char *name, struct text *out)
{
    struct slice value;

    if (!dkim_tags_find(tags, name, &value) || !dkim_tags_decode_base64(value, out))
        text_reset(out);
}

static void read_body_hash(struct arc_chain *chain, const struct dkim_tags *tags)
{
    struct text bytes;

    text_init(&bytes, CRYPTO_SHA256_BYTES);
    read_base64(tags, "bh", &bytes);
    if (bytes.length == CRYPTO_SHA256_BYTES)
        for (size_t i = 0; i < CRYPTO_SHA256_BYTES; i++)
            chain->body_hash[i] = (uint8_t)bytes.data[i];
    else
        arc_chain_fail_field(chain, 0, DKIM_REASON_BASE64);
    text_clear(&bytes);
}

/* Appends an entry and its proof; the fault, if there is one, stands in the chain. */
static struct dkim_entry *add_signature(struct arc_chain *chain, const struct message *message,
                                        const struct arc_set *sets, size_t instance,
                                        enum arc_part part)
{
    size_t index = chain->fields.count;
    struct slice value = message_field_value(message, sets[instance - 1].fields[part]);
    struct arc_proof *proof = &chain->proofs[index];
    struct dkim_entry *entry =
        dkim_entries_add(&chain->fields, part == ARC_PART_SEAL ? DKIM_CLAIM_ARC_SEAL
                                                               : DKIM_CLAIM_ARC_MESSAGE, value);
    struct dkim_tags tags;

    proof->part = part;
    proof->instance = instance;
    text_init(&proof->signature, DKIM_MAX_SIGNATURE_BYTES);
    if (!dkim_entry_is_alive(entry)) {
        arc_chain_fail_field(chain, index, entry->claim.reason);
        return entry;
    }
    if (!dkim_tags_parse(value, &tags)) /* it was read before */
        return entry;
    read_base64(&tags, "b", &proof->signature);
    if (part == ARC_PART_MESSAGE)
        read_body_hash(chain, &tags);
    return entry;
}

static void read_signatures(struct arc_chain *chain, const struct message *message,
                            const struct arc_set *sets)
{
    chain->proofs = mem_new_array(chain->set_count + 1, sizeof *chain->proofs);
    (void)add_signature(chain, message, sets, chain->set_count, ARC_PART_MESSAGE);
    for (size_t i = chain->set_count; i > 0 && chain->fault.reason == NULL; i--)
        (void)add_signature(chain, message, sets, i, ARC_PART_SEAL);
}

/* ---- what they sign ---- */

/* h= without the white space in it. */
static void read_list(const struct message *message, const struct header_field *field,
                      struct text *list)
{
    struct dkim_tags tags;
    struct slice value;

    if (dkim_tags_parse(message_field_value(message, field), &tags) &&
        dkim_tags_find(&tags, "h", &value))
        dkim_tags_add_value(list, value);
}

/* The lowest one of this name that was not taken yet (RFC 6376 5.4.2). */
static void hash_named(struct canon_hash *hash, const struct message *message, struct slice name,
                       bool is_relaxed, bool *are_taken)
{
    for (size_t i = message->header.field_count; i > 0; i--) {
        const struct header_field *field = &message->header.fields[i - 1];

        if (are_taken[i - 1] || !slice_equals_nocase(message_field_name(message, field), name))
            continue;
        are_taken[i - 1] = true;
        canon_hash_field(hash, dkim_entries_field(message, field), is_relaxed);
        return;
    }
}

static void digest_message(struct arc_chain *chain, const struct message *message,
                           const struct header_field *own)
{
    bool is_relaxed = chain->fields.entries[0].claim.is_header_relaxed;
    bool *are_taken = mem_new_array(message->header.field_count, sizeof *are_taken);
    struct canon_hash hash;
    struct text list;
    struct slice rest;
    struct slice name;

    canon_hash_init(&hash);
    text_init(&list, DKIM_MAX_HEADER_LIST_BYTES);
    read_list(message, own, &list);
    are_taken[own - message->header.fields] = true;
    for (rest = text_slice(&list); dkim_tags_next_item(&rest, &name);)
        hash_named(&hash, message, name, is_relaxed, are_taken);
    canon_hash_sign(&hash, dkim_entries_field(message, own), is_relaxed, chain->proofs[0].digest);
    canon_hash_clear(&hash);
    text_clear(&list);
    mem_free(are_taken);
}

/* RFC 8617 5.1.1: all sets up to the seal's own, the oldest first, in relaxed form. */
static void digest_seals(struct arc_chain *chain, const struct message *message,
                         const struct arc_set *sets)
{
    struct canon_hash hash;

    canon_hash_init(&hash);
    for (size_t i = 1; i <= chain->set_count; i++) {
        struct slice fields[ARC_PART_COUNT];

        for (int part = 0; part < ARC_PART_COUNT; part++)
            fields[part] = dkim_entries_field(message, sets[i - 1].fields[part]);
        canon_hash_field(&hash, fields[ARC_PART_RESULTS], true);
        canon_hash_field(&hash, fields[ARC_PART_MESSAGE], true);
        canon_hash_sign(&hash, fields[ARC_PART_SEAL], true,
                        chain->proofs[chain->set_count - i + 1].digest);
        canon_hash_field(&hash, fields[ARC_PART_SEAL], true);
    }
    canon_hash_clear(&hash);
}

static void digest_all(struct arc_chain *chain, const struct message *message,
                       const struct arc_set *sets)
{
    uint64_t names = chain->fields.entries[0].claim.name_count;

    if (names * message->header.field_count > DKIM_MAX_COMPARISONS) {
        arc_chain_fail(chain, ARC_REASON_COSTLY, ARC_PART_MESSAGE, chain->set_count);
        return;
    }
    digest_message(chain, message, sets[chain->set_count - 1].fields[ARC_PART_MESSAGE]);
    digest_seals(chain, message, sets);
}

/* ---- the whole ---- */

void arc_chain_read(struct arc_chain *chain, const struct message *message,
                    const struct dkim_settings *settings, size_t max_sets, uint64_t now_s)
{
    struct arc_set sets[ARC_MAX_SETS] = { 0 };

    assert(max_sets <= ARC_MAX_SETS);
    collect(chain, sets, max_sets, message);
    if (chain->fault.reason == NULL)
        check_sets(chain, sets);
    if (!arc_chain_is_alive(chain))
        return;
    /* Only one of them is signed, and a reader may be shown another. */
    if (message_count_fields(message, SLICE("From")) > 1)
        arc_chain_fail(chain, ARC_REASON_FROM, ARC_PART_MESSAGE, chain->set_count);
    else
        read_signatures(chain, message, sets);
    if (chain->fault.reason != NULL)
        return;
    dkim_entry_judge_times(&chain->fields.entries[0], settings, now_s);
    digest_all(chain, message, sets);
}

void arc_chain_clear(struct arc_chain *chain)
{
    for (size_t i = 0; i < chain->fields.count; i++)
        text_clear(&chain->proofs[i].signature);
    mem_free(chain->proofs);
    dkim_entries_clear(&chain->fields);
    *chain = (struct arc_chain){ .set_count = 0 };
}
