/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMARC; see dmarc.h. In the order of RFC 9989 5.3: the author, the record, which of
 * those who vouch for the mail belong to the author's organization, and what is wanted
 * of it when none does.
 *
 * An organization is the domain itself or a part of its end. So whoever is not that
 * organization, or below it, needs no walk: the signatures of ten list servers and mailing
 * services on a mail cost nothing.
 */
#include "checks/dmarc.h"

#include "base/memory.h"
#include "base/text.h"
#include "mail/domain.h"

/* Whether one who vouches for the mail may do so. */
enum alignment {
    ALIGNED_NO,
    ALIGNED_YES,
    ALIGNED_MISSING, /* an answer is */
    ALIGNED_UNKNOWN, /* an answer failed */
};

struct evaluation {
    const struct dmarc_question *question;
    struct dns_answers *answers;
    struct slice author;
    struct dmarc_discovery discovery; /* of the author */
    size_t walks;
    bool is_missing; /* some answer is */
    bool is_spf_aligned, is_dkim_aligned;
    bool is_open; /* somebody could have made it pass, and it is not known */
    struct text problem;
};

/* ---- The author (5.3.1). */

static enum dmarc_author find_author(const struct dmarc_question *question, struct slice *domain)
{
    const struct mailbox_list *from = question->from;

    *domain = SLICE_EMPTY;
    if (question->from_field_count > 1 || from->is_malformed)
        return DMARC_AUTHOR_MALFORMED;
    if (from->count == 0)
        return DMARC_AUTHOR_NONE;
    for (size_t i = 1; i < from->count; i++)
        if (!slice_equals(slice_from(from->mailboxes[i].domain),
                          slice_from(from->mailboxes[0].domain)))
            return DMARC_AUTHOR_SEVERAL;
    *domain = slice_from(from->mailboxes[0].domain);
    return domain->length > 0 && domain->data[0] != '[' ? DMARC_AUTHOR_ONE : DMARC_AUTHOR_NONE;
}

static const char *author_problem(enum dmarc_author author)
{
    if (author == DMARC_AUTHOR_SEVERAL)
        return "From names authors of several domains";
    return author == DMARC_AUTHOR_MALFORMED ? "From cannot be read, or is there twice" : NULL;
}

/* ---- Alignment (4.4, 4.10.2). */

static bool is_same_or_below(struct slice domain, struct slice parent)
{
    return slice_equals(domain, parent) || domain_is_below(domain, parent);
}

/* The part behind the last dot but one. */
static struct slice last_labels(struct slice domain)
{
    size_t dots = 0;

    for (size_t i = domain.length; i > 0; i--)
        if (domain.data[i - 1] == '.' && ++dots == 2)
            return slice_from_offset(domain, i);
    return domain;
}

/* They may belong to one organization; without an answer nobody knows. */
static bool is_near(struct slice a, struct slice b)
{
    return slice_equals(last_labels(a), last_labels(b));
}

static enum alignment align_by_list(const struct evaluation *e, struct slice domain)
{
    struct slice organization = suffix_list_organization(e->question->suffixes, domain);

    return slice_equals(organization, e->discovery.organization) ? ALIGNED_YES : ALIGNED_NO;
}

static enum alignment align_organization(struct evaluation *e, struct slice domain)
{
    struct dmarc_discovery discovery;

    if (e->question->suffixes != NULL)
        return align_by_list(e, domain);
    if (e->discovery.is_uncertain)
        return is_near(domain, e->author) ? ALIGNED_UNKNOWN : ALIGNED_NO;
    if (!is_same_or_below(domain, e->discovery.organization) || e->walks == DMARC_MAX_WALKS)
        return ALIGNED_NO;
    e->walks++;
    if (dmarc_discover(e->answers, domain, &discovery) == DMARC_MISSING_ANSWERS)
        return ALIGNED_MISSING;
    if (discovery.is_uncertain)
        return ALIGNED_UNKNOWN;
    return slice_equals(discovery.organization, e->discovery.organization) ? ALIGNED_YES
                                                                           : ALIGNED_NO;
}

/* One who vouches for the mail, or might have: true when it passed and is aligned. */
static bool is_aligned(struct evaluation *e, struct slice domain, enum check_result result,
                       bool is_strict)
{
    enum alignment alignment = ALIGNED_NO;

    if (result != RESULT_PASS && result != RESULT_TEMPERROR)
        return false;
    if (slice_equals(domain, e->author))
        alignment = ALIGNED_YES;
    else if (!is_strict && domain.length > 0)
        alignment = align_organization(e, domain);
    e->is_missing = e->is_missing || alignment == ALIGNED_MISSING;
    e->is_open = e->is_open || alignment == ALIGNED_UNKNOWN ||
                 (alignment == ALIGNED_YES && result == RESULT_TEMPERROR);
    return alignment == ALIGNED_YES && result == RESULT_PASS;
}

static void align_all(struct evaluation *e)
{
    const struct dmarc_question *question = e->question;
    const struct dmarc_record *record = &e->discovery.record;

    e->is_spf_aligned = is_aligned(e, slice_from(question->spf->domain), question->spf->result,
                                   record->is_spf_strict);
    for (size_t i = 0; i < question->signature_count; i++)
        if (is_aligned(e, question->signatures[i].domain, question->signatures[i].result,
                       record->is_dkim_strict))
            e->is_dkim_aligned = true;
}

/* While we wait for the author's answers: those who are near will be walked from as well. */
static void prefetch_all(struct evaluation *e)
{
    const struct dmarc_question *question = e->question;
    struct slice domain = slice_from(question->spf->domain);
    size_t walks = 0;

    if (question->spf->result == RESULT_PASS && is_near(domain, e->author))
        dmarc_discovery_prefetch(e->answers, domain);
    for (size_t i = 0; i < question->signature_count && walks < DMARC_MAX_WALKS; i++) {
        domain = question->signatures[i].domain;
        if (question->signatures[i].result != RESULT_PASS || !is_near(domain, e->author))
            continue;
        dmarc_discovery_prefetch(e->answers, domain);
        walks++;
    }
}

/* ---- The policy (4.7, 4.10.1). */

enum existence {
    EXISTS_YES,
    EXISTS_NO,
    EXISTS_MISSING,
    EXISTS_UNKNOWN,
};

/* A name that any question finds exists (3.2.11, RFC 8020). */
static enum existence find_existence(struct evaluation *e)
{
    const struct dns_answer *answer = dns_answers_find(e->answers, e->author, DNS_TYPE_A);

    if (answer == NULL)
        return EXISTS_MISSING;
    if (answer->result == DNS_FAILED)
        return EXISTS_UNKNOWN;
    return answer->result == DNS_NO_NAME ? EXISTS_NO : EXISTS_YES;
}

/* What the record wants for the author; false when it hangs on an answer that failed. */
static bool find_policy(struct evaluation *e, enum dmarc_policy *policy)
{
    const struct dmarc_record *record = &e->discovery.record;
    enum existence existence = EXISTS_YES;

    *policy = record->policy;
    if (slice_equals(e->discovery.record_domain, e->author))
        return true;
    if (record->missing_policy != record->subdomain_policy)
        existence = find_existence(e);
    e->is_missing = e->is_missing || existence == EXISTS_MISSING;
    *policy = existence == EXISTS_NO ? record->missing_policy : record->subdomain_policy;
    return existence != EXISTS_UNKNOWN;
}

/* ---- The whole. */

static void set_problem(struct evaluation *e, const char *what, struct slice domain,
                        const char *why)
{
    text_add_string(&e->problem, what);
    text_add(&e->problem, domain);
    text_add_string(&e->problem, why);
}

static void blame_failure(struct evaluation *e)
{
    set_problem(e, "no usable answer to TXT _dmarc.", e->discovery.failed_domain, " (");
    text_add_string(&e->problem, e->discovery.failed_problem);
    text_add_byte(&e->problem, ')');
}

/* The record counts: pass, fail, or temperror. RESULT_NOT_RUN when an answer is missing. */
static enum check_result judge(struct evaluation *e, struct dmarc_finding *finding)
{
    enum dmarc_policy policy;
    bool is_policy_known = find_policy(e, &policy);

    align_all(e);
    if (e->is_missing)
        return RESULT_NOT_RUN;
    finding->is_testing = e->discovery.record.is_testing && policy != DMARC_POLICY_NONE;
    finding->policy = finding->is_testing ? dmarc_policy_weaken(policy) : policy;
    finding->is_spf_aligned = e->is_spf_aligned;
    finding->is_dkim_aligned = e->is_dkim_aligned;
    if (e->is_spf_aligned || e->is_dkim_aligned)
        return RESULT_PASS;
    if (e->is_open) {
        set_problem(e, "who vouches for ", e->author, " cannot be known now");
        return RESULT_TEMPERROR;
    }
    if (!is_policy_known) {
        set_problem(e, "whether ", e->author, " exists cannot be known now");
        return RESULT_TEMPERROR;
    }
    return RESULT_FAIL;
}

static enum dmarc_progress discover(struct evaluation *e)
{
    const struct suffix_list *suffixes = e->question->suffixes;

    return suffixes != NULL
               ? dmarc_discover_by_list(e->answers, suffixes, e->author, &e->discovery)
               : dmarc_discover(e->answers, e->author, &e->discovery);
}

static enum check_result evaluate(struct evaluation *e, struct dmarc_finding *finding)
{
    switch (discover(e)) {
    case DMARC_MISSING_ANSWERS:
        if (e->question->suffixes == NULL)
            prefetch_all(e);
        return RESULT_NOT_RUN;
    case DMARC_FAILED:
        blame_failure(e);
        e->discovery.record_domain = SLICE_EMPTY; /* of a walk with a hole in it */
        return RESULT_TEMPERROR;
    case DMARC_DONE:
        break;
    }
    if (e->discovery.record_domain.length == 0)
        return RESULT_NONE;
    if (e->discovery.record.is_useless) {
        set_problem(e, "the record of ", e->discovery.record_domain,
                    " has a policy that cannot be read");
        return RESULT_PERMERROR;
    }
    return judge(e, finding);
}

static void fill_finding(struct dmarc_finding *finding, const struct evaluation *e)
{
    bool has_record = e->discovery.record_domain.length > 0;

    finding->domain = mem_copy(e->author);
    if (has_record)
        finding->record_domain = mem_copy(e->discovery.record_domain);
    if (has_record && !e->discovery.is_uncertain)
        finding->organization = mem_copy(e->discovery.organization);
    if (e->problem.length > 0)
        finding->problem = mem_copy(text_slice(&e->problem));
}

enum dmarc_progress dmarc_evaluate(const struct dmarc_question *question,
                                   struct dns_answers *answers, struct dmarc_finding *finding)
{
    struct evaluation e = { .question = question, .answers = answers };
    enum dmarc_author author = find_author(question, &e.author);
    enum check_result result;
    const char *problem = author_problem(author);

    dmarc_finding_clear(finding);
    if (author != DMARC_AUTHOR_ONE) {
        finding->author = author;
        finding->result = problem != NULL ? RESULT_PERMERROR : RESULT_NONE;
        finding->problem = problem != NULL ? mem_copy(slice_from(problem)) : NULL;
        return DMARC_DONE;
    }
    text_init(&e.problem, 2 * DOMAIN_MAX_BYTES);
    result = evaluate(&e, finding);
    finding->result = result;
    if (result != RESULT_NOT_RUN)
        fill_finding(finding, &e);
    text_clear(&e.problem);
    return result == RESULT_NOT_RUN ? DMARC_MISSING_ANSWERS : DMARC_DONE;
}
