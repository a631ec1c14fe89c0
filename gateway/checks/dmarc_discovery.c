/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DNS tree walk; see dmarc_discovery.h. Its names are known beforehand, and few: so
 * they are asked for at once, and it is the reading of the answers that stops where the
 * RFC has the walk stop.
 *
 *     a.b.c.d.e.f.g.h.i.example    the domain itself, then its last seven labels,
 *     e.f.g.h.i.example            then a label less each time
 *     ...
 *     example
 */
#include "checks/dmarc_discovery.h"

#include "base/text.h"

#define SHORTENED_LABELS 7
/* Records of other kinds at one name, of which we look at so many. */
#define MAX_RECORDS 50

/* What the walk has at one name. */
struct step {
    struct slice domain;
    struct dmarc_record record;
    bool has_record;
};

static size_t count_labels(struct slice domain)
{
    size_t count = 1;

    for (size_t i = 0; i < domain.length; i++)
        count += domain.data[i] == '.';
    return count;
}

/* Without its first label; empty when it had one only. */
static struct slice parent_of(struct slice domain)
{
    size_t dot;

    return slice_find_byte(domain, '.', &dot) ? slice_from_offset(domain, dot + 1) : SLICE_EMPTY;
}

static struct slice next_target(struct slice domain)
{
    size_t labels = count_labels(domain);

    domain = parent_of(domain);
    for (labels--; labels > SHORTENED_LABELS; labels--)
        domain = parent_of(domain);
    return domain;
}

static const struct dns_answer *find_answer(struct dns_answers *answers, struct slice domain)
{
    const struct dns_answer *answer;
    struct text name;

    text_init(&name, DNS_NAME_MAX_BYTES);
    text_add_string(&name, "_dmarc.");
    text_add(&name, domain);
    answer = dns_answers_find(answers, text_slice(&name), DNS_TYPE_TXT);
    text_clear(&name);
    return answer;
}

/* 4.10: what is no DMARC record does not count, and of several that are none does. */
static bool read_answer(const struct dns_answer *answer, struct dmarc_record *record)
{
    struct dmarc_record one;
    size_t count = 0;

    for (size_t i = 0; i < answer->record_count && i < MAX_RECORDS; i++) {
        if (!dmarc_record_parse(answer->records[i].bytes, &one))
            continue;
        *record = one;
        count++;
    }
    return count == 1;
}

void dmarc_discovery_prefetch(struct dns_answers *answers, struct slice domain)
{
    for (; domain.length > 0; domain = next_target(domain))
        (void)find_answer(answers, domain);
}

static void note_failure(struct dmarc_discovery *discovery, const struct dns_answer *answer,
                         struct slice domain)
{
    if (discovery->failed_problem != NULL)
        return;
    discovery->failed_problem = answer->problem;
    discovery->failed_domain = domain;
}

/*
 * The steps up to where the walk stops; *count is 0 when an answer is missing. A failure at the top
 * counts as no record where there is one below it: some registries' servers never answer, and what
 * they could say does not matter to an organization that has a record.
 */
static void walk(struct dns_answers *answers, struct slice domain, struct step *steps,
                 size_t *count, struct dmarc_discovery *discovery)
{
    bool has_record = false;
    size_t used = 0;

    *count = 0;
    for (; domain.length > 0; domain = next_target(domain)) {
        const struct dns_answer *answer = find_answer(answers, domain);
        struct step *step = &steps[used++];

        if (answer == NULL)
            return;
        *step = (struct step){ .domain = domain };
        if (answer->result == DNS_FAILED && (!has_record || count_labels(domain) > 1))
            note_failure(discovery, answer, domain);
        step->has_record = read_answer(answer, &step->record);
        has_record = has_record || step->has_record;
        if (step->has_record && step->record.psd != DMARC_PSD_UNKNOWN)
            break;
    }
    *count = used;
}

/* `domain` cut to one label more than `parent`, which it lies below. */
static struct slice one_below(struct slice domain, struct slice parent)
{
    while (parent_of(domain).length > parent.length)
        domain = parent_of(domain);
    return domain;
}

/* 4.10.2: from the longest name to the shortest. */
static struct slice find_organization(const struct step *steps, size_t count)
{
    struct slice organization = steps[0].domain;

    for (size_t i = 0; i < count; i++) {
        if (!steps[i].has_record)
            continue;
        if (steps[i].record.psd == DMARC_PSD_NO)
            return steps[i].domain;
        if (steps[i].record.psd == DMARC_PSD_YES && i > 0)
            return one_below(steps[0].domain, steps[i].domain);
        organization = steps[i].domain;
    }
    return organization;
}

/* 4.10.1: the record of the domain, else of its organization, else of the registry. */
static const struct step *find_record(const struct step *steps, size_t count,
                                      struct slice organization)
{
    const struct step *last = &steps[count - 1];

    if (steps[0].has_record)
        return &steps[0];
    for (size_t i = 1; i < count; i++)
        if (steps[i].has_record && slice_equals(steps[i].domain, organization))
            return &steps[i];
    return last->has_record && last->record.psd == DMARC_PSD_YES ? last : NULL;
}

enum dmarc_progress dmarc_discover(struct dns_answers *answers, struct slice domain,
                                   struct dmarc_discovery *discovery)
{
    struct step steps[DMARC_MAX_QUERIES];
    const struct step *found;
    size_t count;

    *discovery = (struct dmarc_discovery){ .organization = domain };
    walk(answers, domain, steps, &count, discovery);
    if (count == 0) {
        dmarc_discovery_prefetch(answers, domain);
        return DMARC_MISSING_ANSWERS;
    }
    discovery->organization = find_organization(steps, count);
    found = find_record(steps, count, discovery->organization);
    if (found != NULL) {
        discovery->record_domain = found->domain;
        discovery->record = found->record;
    }
    discovery->is_uncertain = discovery->failed_problem != NULL;
    return discovery->is_uncertain && !steps[0].has_record ? DMARC_FAILED : DMARC_DONE;
}

/* ---- RFC 7489. */

/* True when the answer is there; then *has_record, unless it failed. */
static bool read_place(struct dns_answers *answers, struct slice domain,
                       struct dmarc_discovery *discovery, bool *has_record)
{
    const struct dns_answer *answer = find_answer(answers, domain);
    struct dmarc_record record;

    *has_record = false;
    if (answer == NULL)
        return false;
    if (answer->result == DNS_FAILED)
        note_failure(discovery, answer, domain);
    else
        *has_record = read_answer(answer, &record);
    if (*has_record) {
        discovery->record = record;
        discovery->record_domain = domain;
    }
    return true;
}

/* What failed below counts: a record there would have stood before the organization's. */
enum dmarc_progress dmarc_discover_by_list(struct dns_answers *answers,
                                           const struct suffix_list *suffixes,
                                           struct slice domain, struct dmarc_discovery *discovery)
{
    struct slice organization = suffix_list_organization(suffixes, domain);
    bool is_there, has_record;

    *discovery = (struct dmarc_discovery){ .organization = organization };
    (void)find_answer(answers, organization); /* both at once */
    is_there = read_place(answers, domain, discovery, &has_record);
    if (is_there && !has_record && discovery->failed_problem == NULL &&
        !slice_equals(domain, organization))
        is_there = read_place(answers, organization, discovery, &has_record);
    if (!is_there)
        return DMARC_MISSING_ANSWERS;
    return discovery->failed_problem == NULL ? DMARC_DONE : DMARC_FAILED;
}
