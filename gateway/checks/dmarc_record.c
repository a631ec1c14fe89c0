/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DMARC policy record; see dmarc_record.h.
 *
 *     dmarc-record  = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
 *     dmarc-version = "v" equals %s"DMARC1" ; case sensitive
 *     dmarc-sep     = *WSP ";" *WSP
 *     dmarc-tag     = 1*ALPHA equals 1*dmarc-value
 *     equals        = *WSP "=" *WSP
 */
#include "checks/dmarc_record.h"

/* What a tag may say, and what it means. */
struct value {
    struct slice word;
    int meaning;
};

static const struct value policies[] = {
    { { "none", 4 }, DMARC_POLICY_NONE },
    { { "quarantine", 10 }, DMARC_POLICY_QUARANTINE },
    { { "reject", 6 }, DMARC_POLICY_REJECT },
    { { NULL, 0 }, 0 },
};
static const struct value psd_values[] = {
    { { "u", 1 }, DMARC_PSD_UNKNOWN },
    { { "y", 1 }, DMARC_PSD_YES },
    { { "n", 1 }, DMARC_PSD_NO },
    { { NULL, 0 }, 0 },
};
static const struct value modes[] = { { { "r", 1 }, 0 }, { { "s", 1 }, 1 }, { { NULL, 0 }, 0 } };
static const struct value answers[] = { { { "n", 1 }, 0 }, { { "y", 1 }, 1 }, { { NULL, 0 }, 0 } };

enum tag { TAG_P, TAG_SP, TAG_NP, TAG_PSD, TAG_T, TAG_ADKIM, TAG_ASPF, TAG_RUA };
#define TAG_COUNT 8

static const struct {
    struct slice name;
    const struct value *values;
} tags[TAG_COUNT] = {
    [TAG_P] = { { "p", 1 }, policies },    [TAG_SP] = { { "sp", 2 }, policies },
    [TAG_NP] = { { "np", 2 }, policies },  [TAG_PSD] = { { "psd", 3 }, psd_values },
    [TAG_T] = { { "t", 1 }, answers },     [TAG_ADKIM] = { { "adkim", 5 }, modes },
    [TAG_ASPF] = { { "aspf", 4 }, modes }, [TAG_RUA] = { { "rua", 3 }, NULL },
};

/* What was found of each tag. */
struct found {
    bool is_there;
    bool is_valid;
    int meaning;
};

static bool next_tag(struct slice *rest, struct slice *name, struct slice *value)
{
    struct slice tag;
    size_t equals;

    while (slice_next(rest, ';', &tag)) {
        if (!slice_find_byte(tag, '=', &equals))
            continue;
        *name = slice_trim(slice_until(tag, equals));
        *value = slice_trim(slice_from_offset(tag, equals + 1));
        return true;
    }
    return false;
}

/*     URI = scheme ":" ...: enough of RFC 3986 to know that somebody meant one. */
static bool is_uri(struct slice text)
{
    size_t colon;

    text = slice_trim(text);
    if (!slice_find_byte(text, ':', &colon) || colon + 1 == text.length || colon == 0 ||
        !ascii_is_alpha(text.data[0]))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        if (i < colon && !ascii_is_alnum(c) && c != '+' && c != '-' && c != '.')
            return false;
        if (!ascii_is_printable(c) || c == ' ')
            return false;
    }
    return true;
}

static bool has_uri(struct slice list)
{
    struct slice one;

    while (slice_next(&list, ',', &one))
        if (is_uri(one))
            return true;
    return false;
}

static struct found read_value(enum tag tag, struct slice text)
{
    const struct value *value = tags[tag].values;

    if (value == NULL)
        return (struct found){ .is_there = true, .is_valid = has_uri(text) };
    for (; value->word.length > 0; value++)
        if (slice_equals_nocase(text, value->word))
            return (struct found){ true, true, value->meaning };
    return (struct found){ .is_there = true };
}

static void read_tags(struct slice rest, struct found *found)
{
    struct slice name, value;

    while (next_tag(&rest, &name, &value))
        for (size_t i = 0; i < TAG_COUNT; i++)
            if (slice_equals_nocase(name, tags[i].name) && !found[i].is_there)
                found[i] = read_value((enum tag)i, value);
}

/* The version is the first thing there is, without anything before it. */
static bool has_version(struct slice text, struct slice *rest)
{
    struct slice name, value;

    if (text.length == 0 || ascii_lower(text.data[0]) != 'v')
        return false;
    *rest = text;
    return next_tag(rest, &name, &value) && name.data == text.data && name.length == 1 &&
           slice_equals(value, SLICE("DMARC1"));
}

static enum dmarc_policy policy_of(const struct found *found, enum dmarc_policy otherwise)
{
    return found->is_valid ? (enum dmarc_policy)found->meaning : otherwise;
}

static bool is_bad(const struct found *found)
{
    return found->is_there && !found->is_valid;
}

bool dmarc_record_parse(struct slice text, struct dmarc_record *record)
{
    struct found found[TAG_COUNT] = { { false, false, 0 } };
    struct slice rest;

    *record = (struct dmarc_record){ .policy = DMARC_POLICY_NONE };
    if (!has_version(text, &rest))
        return false;
    read_tags(rest, found);
    record->psd = (enum dmarc_psd)found[TAG_PSD].meaning;
    record->is_testing = found[TAG_T].meaning != 0;
    record->is_dkim_strict = found[TAG_ADKIM].meaning != 0;
    record->is_spf_strict = found[TAG_ASPF].meaning != 0;
    if (is_bad(&found[TAG_P]) || is_bad(&found[TAG_SP]) || is_bad(&found[TAG_NP])) {
        record->is_useless = !found[TAG_RUA].is_valid;
        return true;
    }
    record->policy = policy_of(&found[TAG_P], DMARC_POLICY_NONE);
    record->subdomain_policy = policy_of(&found[TAG_SP], record->policy);
    record->missing_policy = policy_of(&found[TAG_NP], record->subdomain_policy);
    return true;
}

enum dmarc_policy dmarc_policy_weaken(enum dmarc_policy policy)
{
    return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}
