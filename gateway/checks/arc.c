/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARC; see arc.h. The newest set comes first: its ARC-Message-Signature must fit the
 * message as it is now, which is why the older ones are not verified (they were made
 * for what the message was then, RFC 8617 5.2 step 5). Then come all seals, the
 * newest first. The first failure ends it; what the DNS did not answer is remembered
 * and the rest verified, so that a chain that is broken anyway is not deferred.
 */
#include "checks/arc.h"

#include <assert.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "checks/arc_chain.h"
#include "checks/body_length.h"
#include "checks/body_reader.h"
#include "checks/canon.h"
#include "checks/dkim_tags.h"

enum state {
    STATE_HEADER,    /* the header section is not over */
    STATE_BODY,      /* the chain is known, body may come */
    STATE_ENDED,     /* all has come */
    STATE_CONCLUDED, /* the finding was given */
};

/* What a body's hash and a set take, OpenSSL's part in it included, and some more. */
#define BODY_BYTES 4096
#define SET_BYTES 4096

struct arc_check {
    /* Lent. */
    const struct dkim_settings *settings;
    size_t max_sets;
    uint64_t now_s;
    /* State. */
    enum state state;
    struct body_reader reader;
    struct arc_chain chain;
    struct body_length length; /* counted when the newest message signature has l= */
    struct canon_body *body;   /* owned; NULL while there is nothing to verify */
    uint64_t left_work;        /* of ARC_MAX_KEY_WORK */
};

struct arc_check *arc_check_new(const struct dkim_settings *settings, size_t max_sets,
                                uint64_t now_s)
{
    struct arc_check *check = mem_new(sizeof *check);

    check->settings = settings;
    check->max_sets = max_sets;
    check->now_s = now_s;
    check->left_work = ARC_MAX_KEY_WORK;
    return check;
}

static void drop_body(struct arc_check *check)
{
    if (check->body == NULL)
        return;
    canon_body_clear(check->body);
    mem_free(check->body);
    check->body = NULL;
}

void arc_check_free(struct arc_check **handle)
{
    struct arc_check *check = *handle;

    if (check == NULL)
        return;
    drop_body(check);
    arc_chain_clear(&check->chain);
    mem_free(check);
    *handle = NULL;
}

uint64_t arc_check_bytes(size_t max_sets, const struct message *message)
{
    size_t sets = message_count_fields(message, SLICE("ARC-Seal"));

    if (sets == 0)
        return 0;
    return BODY_BYTES + (sets < max_sets ? sets : max_sets) * SET_BYTES;
}

bool arc_check_is_header_taken(const struct arc_check *check)
{
    return check->state != STATE_HEADER;
}

/* ---- the message ---- */

static void take_header(struct arc_check *check, const struct message *message)
{
    const struct dkim_claim *claim;

    check->state = STATE_BODY;
    arc_chain_read(&check->chain, message, check->settings, check->max_sets, check->now_s);
    if (!arc_chain_is_alive(&check->chain))
        return;
    claim = &check->chain.fields.entries[0].claim;
    check->body = mem_new(sizeof *check->body);
    canon_body_init(check->body, claim->is_body_relaxed,
                    claim->said.has_length_limit ? claim->length : UINT64_MAX);
}

static void take_body(struct arc_check *check, struct slice bytes)
{
    if (check->body == NULL || bytes.length == 0)
        return;
    canon_body_add(check->body, bytes);
    if (check->chain.fields.has_length_limit)
        body_length_add(&check->length, bytes);
}

void arc_check_take(struct arc_check *check, const struct message *message, struct slice piece)
{
    struct slice runs[2];

    assert(check->state <= STATE_BODY && message->problem == MESSAGE_OK);
    body_reader_take(&check->reader, message, piece, runs);
    if (check->state == STATE_HEADER && check->reader.is_header_over)
        take_header(check, message);
    take_body(check, runs[0]);
    take_body(check, runs[1]);
}

void arc_check_end(struct arc_check *check, const struct message *message)
{
    assert(check->state <= STATE_BODY);
    if (check->state == STATE_HEADER)
        take_header(check, message);
    take_body(check, body_reader_end(&check->reader));
    check->state = STATE_ENDED;
}

/* ---- signatures ---- */

static bool verify_rsa(const struct arc_proof *proof, struct slice key)
{
    struct slice modulus;
    struct slice exponent;

    return dkim_record_find_numbers(key, &modulus, &exponent) &&
           crypto_rsa_verifies(modulus, exponent, proof->digest, text_slice(&proof->signature));
}

/* RFC 8463 3: what Ed25519 signs is the digest. */
static bool verify_ed25519(const struct arc_proof *proof, struct slice key)
{
    struct slice digest = { (const char *)proof->digest, CRYPTO_SHA256_BYTES };

    return key.length == CRYPTO_ED25519_KEY_BYTES &&
           crypto_ed25519_verifies((const uint8_t *)key.data, digest,
                                   text_slice(&proof->signature));
}

static bool verify(const struct dkim_record *record, const struct arc_proof *proof)
{
    struct text key;
    bool is_good;

    text_init(&key, DKIM_MAX_RECORD_BYTES);
    is_good = dkim_tags_decode_base64(slice_from(record->key), &key) &&
              (record->is_ed25519 ? verify_ed25519(proof, text_slice(&key))
                                  : verify_rsa(proof, text_slice(&key)));
    text_clear(&key);
    return is_good;
}

static bool spend_work(struct arc_check *check, const struct dkim_record *record)
{
    uint64_t units = record->key_bits / 256;
    uint64_t work = ARC_KEY_WORK + (record->is_ed25519 ? ARC_ED25519_WORK : units * units / 3);

    if (work > check->left_work)
        return false;
    check->left_work -= work;
    return true;
}

/* For the newest message signature, which has the body to answer for as well. */
static enum dkim_reason judge_body(struct arc_check *check, struct dkim_entry *entry)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];

    canon_body_take(check->body, digest);
    if (entry->claim.said.has_length_limit && check->body->hash.left_bytes > 0)
        return DKIM_REASON_BODY_SHORT;
    dkim_entry_judge_length(entry, check->settings, &check->length);
    if (!crypto_equals(digest, check->chain.body_hash, sizeof digest))
        return DKIM_REASON_BODY;
    return entry->shadow;
}

static void judge(struct arc_check *check, size_t index)
{
    struct arc_chain *chain = &check->chain;
    struct dkim_entry *entry = &chain->fields.entries[index];
    const struct arc_proof *proof = &chain->proofs[index];
    enum dkim_reason reason = entry->claim.reason;

    if (reason == DKIM_REASON_NONE && !spend_work(check, &entry->record)) {
        reason = DKIM_REASON_COSTLY;
    } else if (reason == DKIM_REASON_NONE && !verify(&entry->record, proof)) {
        reason = DKIM_REASON_MISMATCH;
    } else if (reason == DKIM_REASON_NONE) {
        reason = entry->shadow;
    }
    arc_chain_fail_field(chain, index, reason);
    if (index == 0)
        arc_chain_fail_field(chain, index, judge_body(check, entry));
}

static void judge_all(struct arc_check *check, struct dns_answers *answers)
{
    struct arc_chain *chain = &check->chain;

    dkim_entries_read_keys(&chain->fields, check->settings, answers);
    for (size_t i = 0; i < chain->fields.count && chain->fault.result != RESULT_FAIL; i++)
        judge(check, i);
}

/* ---- what others call ---- */

bool arc_check_want_keys(const struct arc_check *check, struct dns_answers *answers)
{
    return !arc_chain_is_alive(&check->chain) ||
           dkim_entries_want_keys(&check->chain.fields, answers);
}

/* The domains of the seals, as far as they were read. */
static void take_sealers(struct arc_chain *chain, struct arc_finding *finding)
{
    if (chain->fields.count < 2)
        return;
    finding->sealers = mem_new_array(chain->fields.count - 1, sizeof *finding->sealers);
    for (size_t i = 1; i < chain->fields.count; i++) {
        struct dkim_signature *said = &chain->fields.entries[i].claim.said;

        if (said->domain == NULL)
            break;
        finding->sealers[finding->sealer_count++] = said->domain;
        said->domain = NULL;
    }
}

static void take_finding(struct arc_chain *chain, struct arc_finding *finding)
{
    const struct arc_fault *fault = &chain->fault;

    *finding = (struct arc_finding){ .result = RESULT_NONE, .set_count = chain->set_count };
    if (chain->set_count > 0)
        finding->result = RESULT_PASS;
    if (fault->reason != NULL) {
        finding->result = fault->result;
        finding->reason = fault->reason;
        finding->problem = fault->problem;
        finding->problem_field = arc_part_name(fault->part);
        finding->problem_instance = fault->instance;
    }
    take_sealers(chain, finding);
}

bool arc_check_conclude(struct arc_check *check, struct dns_answers *answers,
                        struct arc_finding *finding)
{
    assert(check->state == STATE_ENDED);
    if (!arc_check_want_keys(check, answers))
        return false;
    check->state = STATE_CONCLUDED;
    if (arc_chain_is_alive(&check->chain))
        judge_all(check, answers);
    drop_body(check);
    take_finding(&check->chain, finding);
    return true;
}
