/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF; see spf.h. check_host() of RFC 7208 4 as a walk over records and terms:
 *
 *     spf_evaluate    whose record it is; what was found
 *     spf_check_host  the record of a domain, and of those that it redirects to
 *     walk_terms      term by term, until one decides
 *     match_include   spf_check_host for another domain
 *
 * Where an answer is missing the walk ends, and on its way out wants what the rest of
 * each record will ask for. So a record with five includes takes two rounds, not six.
 *
 * Who writes a record may wish us ill. Includes can lie in each other as deep as there
 * are terms to count (ten), no text grows past a ceiling, and whatever else grows with
 * what a record says is paid for out of run->work.
 */
#include "checks/spf.h"

#include "base/escape.h"
#include "base/memory.h"
#include "checks/spf_run.h"
#include "mail/domain.h"

/* A term as it is told: it is printable, but may be long. */
#define TERM_MAX_BYTES 255

/* ---- The record of a domain. */

/* 4.5: exactly one. NULL when there is none. */
static const struct dns_record *select_record(struct spf_run *run, const struct dns_answer *answer,
                                              size_t *count)
{
    const struct dns_record *found = NULL;

    *count = 0;
    for (size_t i = 0; i < answer->record_count; i++) {
        if (!spf_record_is_one(answer->records[i].bytes))
            continue;
        ++*count;
        found = &answer->records[i];
    }
    (void)spf_spend(run, answer->record_count * SPF_ADDRESS_WORK);
    return found;
}

static void blame_record(struct spf_run *run, struct slice domain, const char *problem)
{
    text_reset(&run->problem);
    text_add_string(&run->problem, "the record of ");
    escape_add_ascii(&run->problem, slice_until(domain, TERM_MAX_BYTES));
    text_add_format(&run->problem, " %s", problem);
}

static void blame_term(struct spf_run *run, struct slice term, const char *problem)
{
    text_reset(&run->problem);
    text_add_byte(&run->problem, '"');
    escape_add_ascii(&run->problem, slice_until(term, 80));
    text_add_format(&run->problem, "\" %s", problem);
}

/* RESULT_PASS when there is a record that can be read; RESULT_NOT_RUN: an answer is missing. */
static enum check_result fetch_record(struct spf_run *run, struct slice domain,
                                      struct spf_record *record)
{
    const struct dns_answer *answer = spf_find(run, domain, DNS_TYPE_TXT);
    const struct dns_record *found;
    const char *problem;
    struct slice term;
    size_t count;

    if (answer == NULL)
        return RESULT_NOT_RUN;
    if (answer->result == DNS_FAILED) {
        spf_blame_answer(run, answer, domain, DNS_TYPE_TXT);
        return RESULT_TEMPERROR;
    }
    found = select_record(run, answer, &count);
    if (found == NULL)
        return RESULT_NONE;
    if (count > 1) {
        blame_record(run, domain, "is not the only one");
        return RESULT_PERMERROR;
    }
    if (!spf_spend(run, slice_until(found->bytes, SPF_RECORD_MAX_BYTES).length * SPF_BYTE_WORK))
        return RESULT_PERMERROR;
    problem = spf_record_parse(found->bytes, record, &term);
    if (problem == NULL)
        return RESULT_PASS;
    if (term.length > 0)
        blame_term(run, term, problem);
    else
        blame_record(run, domain, problem);
    return RESULT_PERMERROR;
}

/* ---- Terms. */

static bool count_lookup(struct spf_run *run)
{
    if (++run->lookups <= SPF_MAX_LOOKUPS)
        return true;
    text_reset(&run->problem);
    text_add_format(&run->problem, "more than %d terms that need DNS", SPF_MAX_LOOKUPS);
    return false;
}

/* 5.2: what the result of another domain means here. */
static enum spf_match match_result(struct spf_run *run, struct slice term, enum check_result result)
{
    static const enum spf_match matches[RESULT_COUNT] = {
        [RESULT_NOT_RUN] = SPF_MATCH_MISSING,
        [RESULT_NONE] = SPF_MATCH_PERMERROR,
        [RESULT_PASS] = SPF_MATCH_YES,
        [RESULT_FAIL] = SPF_MATCH_NO,
        [RESULT_SOFTFAIL] = SPF_MATCH_NO,
        [RESULT_NEUTRAL] = SPF_MATCH_NO,
        [RESULT_TEMPERROR] = SPF_MATCH_TEMPERROR,
        [RESULT_PERMERROR] = SPF_MATCH_PERMERROR,
    };

    if (result == RESULT_NONE)
        blame_term(run, term, "leads to no record");
    return matches[result];
}

static enum spf_match match_include(struct spf_level *level, const struct spf_term *term)
{
    struct spf_run *run = level->run;
    enum spf_match match = SPF_MATCH_NO;
    enum spf_name outcome;
    struct text name;

    text_init(&name, SPF_EXPANSION_MAX_BYTES);
    outcome = spf_expand_name(level, term->domain, &name);
    if (outcome == SPF_NAME_MISSING) {
        match = SPF_MATCH_MISSING;
    } else if (outcome == SPF_NAME_GOOD) {
        run->depth++;
        match = match_result(run, term->text, spf_check_host(run, text_slice(&name)));
        run->depth--;
    }
    text_clear(&name);
    return match;
}

static enum spf_match match_term(struct spf_level *level, const struct spf_term *term)
{
    struct spf_run *run = level->run;
    enum spf_match match;

    if (term->kind == SPF_ALL)
        return SPF_MATCH_YES;
    if (term->kind >= SPF_REDIRECT)
        return SPF_MATCH_NO;
    if (spf_kind_needs_dns(term->kind) && !count_lookup(run))
        return SPF_MATCH_PERMERROR;
    match = term->kind == SPF_INCLUDE ? match_include(level, term) : spf_match_term(level, term);
    return spf_spend(run, term->text.length + SPF_TERM_WORK) ? match : SPF_MATCH_PERMERROR;
}

/*
 * An answer is missing: what the terms from here on will ask is wanted as well, but no more of it
 * than would count, and nothing behind a term that decides.
 */
static void want_terms(struct spf_level *level, const struct spf_record *record, struct slice rest)
{
    struct spf_run *run = level->run;
    unsigned int left = SPF_MAX_LOOKUPS - run->lookups;
    struct spf_term term;

    while (left > 0 && spf_record_next(&rest, &term)) {
        if (!spf_spend(run, term.text.length + SPF_TERM_WORK) || term.kind == SPF_ALL)
            return;
        if ((term.kind == SPF_IP4 || term.kind == SPF_IP6) &&
            spf_match_term(level, &term) == SPF_MATCH_YES)
            return;
        if (!spf_kind_needs_dns(term.kind))
            continue;
        spf_prefetch_term(level, &term);
        left--;
    }
    term = (struct spf_term){ .kind = SPF_REDIRECT, .domain = record->redirect };
    if (left > 0 && record->redirect.length > 0)
        spf_prefetch_term(level, &term);
}

static void prefetch_rest(struct spf_level *level, const struct spf_record *record,
                          struct slice rest)
{
    struct spf_run *run = level->run;
    size_t work = run->work;

    run->work = run->prefetch_work;
    want_terms(level, record, rest);
    run->prefetch_work = run->work;
    run->work = work;
}

/* RESULT_NONE when no term decides; RESULT_NOT_RUN: an answer is missing. */
static enum check_result walk_terms(struct spf_level *level, const struct spf_record *record)
{
    struct spf_run *run = level->run;
    struct slice rest = record->terms;
    struct spf_term term;

    while (spf_record_next(&rest, &term)) {
        switch (match_term(level, &term)) {
        case SPF_MATCH_NO:
            break;
        case SPF_MATCH_YES:
            if (run->depth == 0)
                run->mechanism = term.text;
            return term.result;
        case SPF_MATCH_MISSING:
            prefetch_rest(level, record, rest);
            return RESULT_NOT_RUN;
        case SPF_MATCH_TEMPERROR:
            return RESULT_TEMPERROR;
        case SPF_MATCH_PERMERROR:
            return RESULT_PERMERROR;
        }
    }
    return RESULT_NONE;
}

/* ---- The explanation of a fail (6.2). Whatever is wrong with it, there is none then. */

static void add_clean(struct text *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        text_add_byte(out, ascii_is_printable(bytes.data[i]) ? bytes.data[i] : '?');
}

static bool expand_explanation(struct spf_level *level, struct slice text)
{
    struct spf_run *run = level->run;
    struct text name, expanded;
    enum spf_name outcome;

    if (text.length > SPF_RECORD_MAX_BYTES || !spf_macro_is_valid(text, SPF_MACRO_EXPLANATION))
        return true;
    /* For %{p}, which may have to be asked for. */
    text_init(&name, SPF_EXPANSION_MAX_BYTES);
    outcome =
        spf_macro_uses(text, "p") ? spf_expand_name(level, SLICE("%{p}"), &name) : SPF_NAME_GOOD;
    text_clear(&name);
    if (outcome == SPF_NAME_MISSING)
        return false;
    run->values.letters['d' - 'a'] = level->domain;
    text_init(&expanded, SPF_EXPLANATION_MAX_BYTES);
    spf_macro_expand(text, &run->values, &expanded, &run->work);
    if (run->work > 0)
        add_clean(&run->explanation, text_slice(&expanded));
    text_clear(&expanded);
    return true;
}

/* False when an answer is missing. It counts towards no limit. */
static bool explain(struct spf_level *level, struct slice spec)
{
    const struct dns_answer *answer = NULL;
    enum spf_name outcome;
    struct text name;
    bool is_done = true;

    if (!level->run->question->wants_explanation || spec.length == 0)
        return true;
    text_init(&name, SPF_EXPANSION_MAX_BYTES);
    outcome = spf_expand_name(level, spec, &name);
    if (outcome == SPF_NAME_GOOD) {
        answer = spf_find(level->run, text_slice(&name), DNS_TYPE_TXT);
        is_done = answer != NULL;
    } else {
        is_done = outcome == SPF_NAME_NONE;
    }
    if (answer != NULL && answer->record_count == 1)
        is_done = expand_explanation(level, answer->records[0].bytes);
    text_clear(&name);
    return is_done;
}

/* ---- Domains. */

/* A name of one label has no record (4.3), whoever leads there. */
static bool has_two_labels(struct slice domain)
{
    size_t dot;

    return slice_find_byte(domain, '.', &dot) && dot + 1 < domain.length;
}

/* One record. `*redirect` is set to the domain to go on with, where that is how it ends. */
static enum check_result check_level(struct spf_level *level, struct text *redirect)
{
    struct spf_run *run = level->run;
    struct spf_record record;
    enum check_result result = RESULT_NONE;
    enum spf_name outcome;

    text_reset(redirect);
    if (has_two_labels(level->domain))
        result = fetch_record(run, level->domain, &record);
    if (result != RESULT_PASS)
        return result;
    result = walk_terms(level, &record);
    if (result == RESULT_FAIL && run->depth == 0 && !explain(level, record.explanation))
        return RESULT_NOT_RUN;
    if (result != RESULT_NONE)
        return result;
    if (record.redirect.length == 0)
        return RESULT_NEUTRAL; /* 4.7 */
    if (!count_lookup(run))
        return RESULT_PERMERROR;
    outcome = spf_expand_name(level, record.redirect, redirect);
    if (outcome == SPF_NAME_MISSING)
        return RESULT_NOT_RUN;
    if (outcome == SPF_NAME_NONE)
        text_add_byte(redirect, '.'); /* no name, and so no record */
    return RESULT_NONE;
}

/* Redirect is a loop here, not a call: it ends what it stands in (6.1). */
enum check_result spf_check_host(struct spf_run *run, struct slice domain)
{
    enum check_result result = RESULT_NONE;
    bool is_redirected = false;
    struct text current, redirect;

    text_init(&current, SPF_EXPANSION_MAX_BYTES);
    text_init(&redirect, SPF_EXPANSION_MAX_BYTES);
    text_add(&redirect, domain);
    while (result == RESULT_NONE && redirect.length > 0) {
        struct spf_level level = { .run = run };
        struct text swap = current;

        current = redirect;
        redirect = swap;
        level.domain = text_slice(&current);
        result = check_level(&level, &redirect);
        text_clear(&level.validated);
        is_redirected = is_redirected || redirect.length > 0;
    }
    if (result == RESULT_NONE && is_redirected) {
        blame_term(run, SLICE("redirect="), "leads to no record");
        result = RESULT_PERMERROR;
    }
    text_clear(&redirect);
    text_clear(&current);
    return result;
}

/* ---- The whole. */

static void fill_finding(struct spf_finding *finding, const struct spf_run *run,
                         enum check_result result, struct slice domain)
{
    bool is_error = result == RESULT_TEMPERROR || result == RESULT_PERMERROR;

    finding->result = result;
    finding->domain = mem_copy(domain);
    if (run->mechanism.length > 0 && !is_error)
        finding->mechanism = mem_copy(slice_until(run->mechanism, TERM_MAX_BYTES));
    if (is_error)
        finding->problem = mem_copy(text_slice(&run->problem));
    if (result == RESULT_FAIL && run->explanation.length > 0)
        finding->explanation = mem_copy(text_slice(&run->explanation));
}

/* The domain whose record counts, in one form; false when there is none (4.3). */
static bool find_domain(const struct spf_question *question, struct text *domain)
{
    struct slice name = question->sender_domain;
    struct ip_address address;

    if (name.length == 0)
        name = question->helo;
    if (name.length > 0 && name.data[name.length - 1] == '.')
        name = slice_until(name, name.length - 1);
    return !ip_parse(name, &address) && domain_normalise(name, domain) == DOMAIN_OK &&
           has_two_labels(text_slice(domain));
}

enum spf_progress spf_evaluate(const struct spf_question *question, struct dns_answers *answers,
                               struct spf_finding *finding)
{
    bool is_null = question->sender_domain.length == 0;
    struct slice local = is_null ? SLICE_EMPTY : question->sender_local;
    enum check_result result = RESULT_NONE;
    struct spf_run run;
    struct text domain;

    spf_finding_clear(finding);
    text_init(&domain, DOMAIN_MAX_BYTES);
    if (!find_domain(question, &domain)) {
        finding->result = RESULT_NONE;
        text_clear(&domain);
        return SPF_DONE;
    }
    spf_run_init(&run, question, answers, local.length > 0 ? local : SLICE("postmaster"),
                 text_slice(&domain));
    result = spf_check_host(&run, text_slice(&domain));
    if (result != RESULT_NOT_RUN)
        fill_finding(finding, &run, result, text_slice(&domain));
    spf_run_clear(&run);
    text_clear(&domain);
    return result == RESULT_NOT_RUN ? SPF_MISSING_ANSWERS : SPF_DONE;
}
