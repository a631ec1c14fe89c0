/* SPDX-License-Identifier: BSD-2-Clause */
/* Single ARC fields; see arc_claim.h. */
#include "checks/arc_claim.h"

#include "base/number.h"
#include "checks/dkim_claim.h"
#include "checks/dkim_tags.h"

const char *arc_part_name(enum arc_part part)
{
    static const char *const names[ARC_PART_COUNT] = {
        [ARC_PART_RESULTS] = "ARC-Authentication-Results",
        [ARC_PART_MESSAGE] = "ARC-Message-Signature",
        [ARC_PART_SEAL] = "ARC-Seal",
    };

    return names[part];
}

bool arc_part_find(struct slice name, enum arc_part *part)
{
    for (int i = 0; i < ARC_PART_COUNT; i++)
        if (slice_equals_nocase(name, slice_from(arc_part_name((enum arc_part)i)))) {
            *part = (enum arc_part)i;
            return true;
        }
    return false;
}

static const struct {
    const char *word;
    const char *text;
} reasons[ARC_REASON_COUNT] = {
    [ARC_REASON_NONE] = { NULL, NULL },
    [ARC_REASON_SYNTAX] = { "syntax", "the field cannot be read" },
    [ARC_REASON_INSTANCE] = { "instance", "i= is missing or no number from 1 to 50" },
    [ARC_REASON_TOO_MANY] = { "too-many", "the chain is longer than is looked at" },
    [ARC_REASON_TWICE] = { "twice", "a set has this field twice" },
    [ARC_REASON_INCOMPLETE] = { "incomplete", "a set lacks this field" },
    [ARC_REASON_SEAL_LIST] = { "seal-list", "a seal must not have h=" },
    [ARC_REASON_COVERS_SEAL] = { "covers-seal", "it must not sign ARC-Seal" },
    [ARC_REASON_CHAIN_VALUE] = { "chain-value", "cv= is not what it must be there" },
    [ARC_REASON_BROKEN] = { "broken", "the sealer found the chain broken" },
    [ARC_REASON_FROM] = { "from", "the message has several From fields" },
    [ARC_REASON_COSTLY] = { "costly", "it would take too much work to verify" },
};

const char *arc_reason_word(enum arc_reason reason)
{
    return reasons[reason].word;
}

const char *arc_reason_text(enum arc_reason reason)
{
    return reasons[reason].text;
}

static enum arc_reason read_instance(struct arc_claim *claim, struct slice value)
{
    uint64_t number;

    if (!number_parse(slice_trim(value), 9999, &number) || number == 0)
        return ARC_REASON_INSTANCE;
    if (number > ARC_MAX_SETS)
        return ARC_REASON_TOO_MANY;
    claim->instance = (unsigned int)number;
    return ARC_REASON_NONE;
}

/* "i=1; authserv-id; ...": what follows is not ours to read. */
static enum arc_reason parse_results(struct arc_claim *claim, struct slice value)
{
    struct slice name;
    struct slice number;

    if (!slice_next(&value, ';', &number) || !slice_next(&number, '=', &name) ||
        !slice_equals_nocase(slice_trim(name), SLICE("i")))
        return ARC_REASON_INSTANCE;
    return read_instance(claim, number);
}

static enum arc_reason read_chain_value(struct arc_claim *claim, const struct dkim_tags *tags)
{
    struct slice value;

    if (!dkim_tags_find(tags, "cv", &value))
        return ARC_REASON_CHAIN_VALUE;
    if (slice_equals_nocase(value, SLICE("none")))
        claim->chain_value = ARC_CHAIN_NONE;
    else if (slice_equals_nocase(value, SLICE("pass")))
        claim->chain_value = ARC_CHAIN_PASS;
    else if (slice_equals_nocase(value, SLICE("fail")))
        claim->chain_value = ARC_CHAIN_FAIL;
    else
        return ARC_REASON_CHAIN_VALUE;
    return ARC_REASON_NONE;
}

static enum arc_reason check_list(struct slice list)
{
    struct slice name;

    while (dkim_tags_next_item(&list, &name))
        if (slice_equals_nocase(name, SLICE("arc-seal")))
            return ARC_REASON_COVERS_SEAL;
    return ARC_REASON_NONE;
}

enum arc_reason arc_claim_parse(struct arc_claim *claim, enum arc_part part, struct slice value)
{
    enum arc_reason reason = ARC_REASON_NONE;
    struct dkim_tags tags;
    struct slice list;
    struct slice instance;

    *claim = (struct arc_claim){ .instance = 0 };
    if (part == ARC_PART_RESULTS)
        return parse_results(claim, value);
    if (value.length > DKIM_MAX_FIELD_BYTES || !dkim_tags_parse(value, &tags))
        return ARC_REASON_SYNTAX;
    if (!dkim_tags_find(&tags, "i", &instance))
        return ARC_REASON_INSTANCE;
    reason = read_instance(claim, instance);
    if (reason == ARC_REASON_NONE && part == ARC_PART_SEAL)
        reason = read_chain_value(claim, &tags);
    if (reason == ARC_REASON_NONE && dkim_tags_find(&tags, "h", &list))
        reason = part == ARC_PART_SEAL ? ARC_REASON_SEAL_LIST : check_list(list);
    return reason;
}
