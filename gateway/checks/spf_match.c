/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a term of a record matches the client (RFC 7208 5); see spf_run.h. Where an
 * answer is missing the rest is looked at all the same, so that everything that is
 * wanted is asked for at once.
 */
#include "base/escape.h"
#include "mail/grammar.h"
#include "checks/spf_run.h"

#define NAME_MAX_OCTETS 253
/* "ffff:" and the like eight times; as nibbles with dots 63 bytes; ".ip6.arpa" */
#define ADDRESS_MAX_BYTES 100

bool spf_spend(struct spf_run *run, size_t amount)
{
    bool has_enough = run->work > amount;

    run->work = has_enough ? run->work - amount : 0;
    if (!has_enough) {
        text_reset(&run->problem);
        text_add_string(&run->problem, "more work than one evaluation may cost");
    }
    return has_enough;
}

/* ---- The values of macros. */

/* 7.3: a dotted quad, or each nibble of an IPv6 address. */
static void add_dotted(struct text *out, const struct ip_address *address, bool is_reversed)
{
    size_t count = ip_is_v4(address) ? 4 : 32;

    for (size_t i = 0; i < count; i++) {
        size_t place = is_reversed ? count - 1 - i : i;

        if (i > 0)
            text_add_byte(out, '.');
        if (count == 4)
            text_add_number(out, address->bytes[12 + place]);
        else
            text_add_byte(
                out,
                "0123456789ABCDEF"[address->bytes[place / 2] >> (place % 2 == 0 ? 4 : 0) & 15]);
    }
}

static void set_client_values(struct spf_run *run, const struct ip_address *client)
{
    bool is_v4 = ip_is_v4(client);

    text_init(&run->dotted, ADDRESS_MAX_BYTES);
    text_init(&run->reverse, ADDRESS_MAX_BYTES);
    text_init(&run->printed, ADDRESS_MAX_BYTES);
    add_dotted(&run->dotted, client, false);
    add_dotted(&run->reverse, client, true);
    text_add_string(&run->reverse, is_v4 ? ".in-addr.arpa" : ".ip6.arpa");
    ip_print(&run->printed, client);
    run->values.letters['i' - 'a'] = text_slice(&run->dotted);
    run->values.letters['c' - 'a'] = text_slice(&run->printed);
    run->values.letters['v' - 'a'] = is_v4 ? SLICE("in-addr") : SLICE("ip6");
}

void spf_run_init(struct spf_run *run, const struct spf_question *question,
                  struct dns_answers *answers, struct slice sender_local,
                  struct slice sender_domain)
{
    struct slice *letters = run->values.letters;

    *run = (struct spf_run){ .question = question, .answers = answers };
    run->work = run->prefetch_work = SPF_MAX_WORK;
    text_init(&run->sender, SPF_EXPANSION_MAX_BYTES);
    text_add(&run->sender, sender_local);
    text_add_byte(&run->sender, '@');
    text_add(&run->sender, sender_domain);
    text_init(&run->now, 20);
    text_add_number(&run->now, question->now_s);
    text_init(&run->problem, 300);
    text_init(&run->explanation, SPF_EXPLANATION_MAX_BYTES);
    run->has_odd_local = grammar_has_non_ascii(sender_local);
    set_client_values(run, &question->client);
    letters['s' - 'a'] = text_slice(&run->sender);
    letters['l' - 'a'] = sender_local;
    letters['o' - 'a'] = sender_domain;
    letters['h' - 'a'] = question->helo;
    letters['t' - 'a'] = text_slice(&run->now);
    letters['r' - 'a'] = question->receiver.length > 0 ? question->receiver : SLICE("unknown");
}

void spf_run_clear(struct spf_run *run)
{
    text_clear(&run->sender);
    text_clear(&run->dotted);
    text_clear(&run->reverse);
    text_clear(&run->printed);
    text_clear(&run->now);
    text_clear(&run->problem);
    text_clear(&run->explanation);
}

/* ---- Questions. */

/* A backslash in what clients and records say is a byte of a name, and no escape. */
static const struct dns_answer *find_escaped(struct spf_run *run, struct slice name,
                                             enum dns_type type)
{
    const struct dns_answer *answer;
    struct text escaped;

    text_init(&escaped, SPF_EXPANSION_MAX_BYTES);
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] == '\\')
            text_add_string(&escaped, "\\092");
        else
            text_add_byte(&escaped, name.data[i]);
    }
    answer = dns_answers_find(run->answers, text_slice(&escaped), type);
    text_clear(&escaped);
    return answer;
}

const struct dns_answer *spf_find(struct spf_run *run, struct slice name, enum dns_type type)
{
    size_t position;

    /* Past its end the work stays 0, and the walk over the terms ends on it. */
    (void)spf_spend(run, SPF_QUESTION_WORK);
    if (slice_find_byte(name, '\\', &position))
        return find_escaped(run, name, type);
    return dns_answers_find(run->answers, name, type);
}

void spf_blame_answer(struct spf_run *run, const struct dns_answer *answer, struct slice name,
                      enum dns_type type)
{
    text_reset(&run->problem);
    text_add_format(&run->problem, "no usable answer to %s ", dns_type_word(type));
    escape_add_ascii(&run->problem, slice_until(name, NAME_MAX_OCTETS));
    text_add_format(&run->problem, " (%s)", answer->problem);
}

static enum dns_type address_type(const struct spf_run *run)
{
    return ip_is_v4(&run->question->client) ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

/* Some address of the answer lies with the client in one prefix of that length. */
static bool has_client(struct spf_run *run, const struct dns_answer *answer,
                       const struct spf_term *lengths)
{
    const struct ip_address *client = &run->question->client;
    struct ip_prefix prefix = { .length = 128 };

    if (lengths != NULL)
        prefix.length = ip_is_v4(client) ? lengths->v4_length : lengths->v6_length;
    if (!spf_spend(run, answer->record_count * SPF_ADDRESS_WORK))
        return false;
    for (size_t i = 0; i < answer->record_count; i++) {
        prefix.address = answer->records[i].address;
        if (ip_prefix_contains(&prefix, client))
            return true;
    }
    return false;
}

/* ---- The names of the client (5.5, and %{p} in 7.3). */

static bool is_name_or_below(struct slice name, struct slice parent)
{
    size_t start = name.length - parent.length;

    if (name.length < parent.length || !slice_equals(slice_from_offset(name, start), parent))
        return false;
    return start == 0 || name.data[start - 1] == '.';
}

static size_t name_count(const struct dns_answer *answer)
{
    return answer->record_count < SPF_MAX_NAMES ? answer->record_count : SPF_MAX_NAMES;
}

/* The name leads back to the client. A failure of the DNS says no more than that it does not. */
static enum spf_match is_validated(struct spf_run *run, struct slice name)
{
    const struct dns_answer *answer = dns_answers_find(run->answers, name, address_type(run));

    (void)spf_spend(run, SPF_QUESTION_WORK);
    if (answer == NULL)
        return SPF_MATCH_MISSING;
    return has_client(run, answer, NULL) ? SPF_MATCH_YES : SPF_MATCH_NO;
}

/*
 * The best validated name for a domain: itself, else one below it, else any. Empty: none.
 */
static enum spf_match find_validated(struct spf_level *level, const struct dns_answer *names,
                                     struct slice domain, struct slice *best)
{
    enum spf_match outcome = SPF_MATCH_NO;
    unsigned int best_rank = 0;

    *best = SLICE_EMPTY;
    for (size_t i = 0; i < name_count(names); i++) {
        struct slice name = names->records[i].bytes;
        enum spf_match match = is_validated(level->run, name);
        unsigned int rank = slice_equals(name, domain) ? 3 : is_name_or_below(name, domain) ? 2 : 1;

        if (match == SPF_MATCH_MISSING)
            outcome = SPF_MATCH_MISSING;
        if (match != SPF_MATCH_YES || rank <= best_rank)
            continue;
        best_rank = rank;
        *best = name;
    }
    return outcome;
}

/* Of a name that people or records wrote: the form that answers have, "" for what is no name. */
static void set_one_form(struct text *out, struct slice name)
{
    text_init(out, DNS_NAME_MAX_BYTES);
    if (!dns_name_normalise(name, out))
        text_reset(out);
}

/* Makes level->validated; false when an answer is missing. */
static bool prepare_validated(struct spf_level *level)
{
    struct spf_run *run = level->run;
    const struct dns_answer *names;
    struct slice best = SLICE_EMPTY;
    struct text domain;
    enum spf_match outcome = SPF_MATCH_NO;

    if (level->validated.length > 0)
        return true;
    names = spf_find(run, text_slice(&run->reverse), DNS_TYPE_PTR);
    if (names == NULL)
        return false;
    set_one_form(&domain, level->domain);
    outcome = find_validated(level, names, text_slice(&domain), &best);
    text_clear(&domain);
    if (outcome == SPF_MATCH_MISSING)
        return false;
    text_init(&level->validated, DNS_NAME_MAX_BYTES);
    text_add(&level->validated, best.length > 0 ? best : SLICE("unknown"));
    return true;
}

/* ---- Names out of domain-specs. */

static void cut_to_size(struct text *name, struct slice *whole)
{
    size_t dot;

    *whole = text_slice(name);
    if (whole->length > 0 && whole->data[whole->length - 1] == '.')
        *whole = slice_until(*whole, whole->length - 1);
    while (whole->length > NAME_MAX_OCTETS) {
        if (!slice_find_byte(*whole, '.', &dot))
            dot = whole->length;
        *whole = slice_from_offset(*whole, dot + 1);
    }
}

enum spf_name spf_expand_name(struct spf_level *level, struct slice spec, struct text *name)
{
    struct spf_run *run = level->run;
    struct slice rest;
    struct text expanded;
    enum spf_name outcome = SPF_NAME_GOOD;

    text_reset(name);
    if (spec.length == 0) {
        text_add(name, level->domain);
        return SPF_NAME_GOOD;
    }
    if (run->has_odd_local && spf_macro_uses(spec, "sl"))
        return SPF_NAME_NONE;
    if (spf_macro_uses(spec, "p") && !prepare_validated(level))
        return SPF_NAME_MISSING;
    run->values.letters['d' - 'a'] = level->domain;
    run->values.letters['p' - 'a'] = text_slice(&level->validated);
    text_init(&expanded, SPF_EXPANSION_MAX_BYTES);
    spf_macro_expand(spec, &run->values, &expanded, &run->work);
    cut_to_size(&expanded, &rest);
    text_add(name, rest);
    if (expanded.is_cut || run->work == 0 || name->length == 0)
        outcome = SPF_NAME_NONE;
    text_clear(&expanded);
    return outcome;
}

/* ---- Mechanisms. */

/* 4.6.4: the term asked for what is not there. */
static enum spf_match count_void(struct spf_run *run)
{
    if (++run->void_lookups <= run->question->max_void_lookups)
        return SPF_MATCH_NO;
    text_add_format(&run->problem, "more than %u lookups that found nothing",
                    run->question->max_void_lookups);
    return SPF_MATCH_PERMERROR;
}

static enum spf_match match_a(struct spf_run *run, const struct spf_term *term, struct slice name)
{
    const struct dns_answer *answer = spf_find(run, name, address_type(run));

    if (answer == NULL)
        return SPF_MATCH_MISSING;
    if (answer->result == DNS_FAILED) {
        spf_blame_answer(run, answer, name, address_type(run));
        return SPF_MATCH_TEMPERROR;
    }
    if (dns_answer_is_void(answer))
        return count_void(run);
    return has_client(run, answer, term) ? SPF_MATCH_YES : SPF_MATCH_NO;
}

/*
 * Any host that matches will do, and so one whose answer failed counts only where none does: the
 * result must not hang on the order in which the DNS tells the hosts. Hosts without an address are
 * no void lookups: to an IPv6 client these would be all hosts of many a decent domain.
 */
static enum spf_match match_hosts(struct spf_run *run, const struct spf_term *term,
                                  const struct dns_answer *hosts)
{
    enum spf_match match = SPF_MATCH_NO;

    for (size_t i = 0; i < hosts->record_count; i++) {
        struct slice name = hosts->records[i].bytes;
        const struct dns_answer *answer = dns_answers_find(run->answers, name, address_type(run));

        (void)spf_spend(run, SPF_QUESTION_WORK);
        if (answer == NULL) {
            match = SPF_MATCH_MISSING;
        } else if (answer->result == DNS_FAILED && match == SPF_MATCH_NO) {
            spf_blame_answer(run, answer, name, address_type(run));
            match = SPF_MATCH_TEMPERROR;
        } else if (has_client(run, answer, term)) {
            return SPF_MATCH_YES;
        }
    }
    return match;
}

static enum spf_match match_mx(struct spf_run *run, const struct spf_term *term, struct slice name)
{
    const struct dns_answer *answer = spf_find(run, name, DNS_TYPE_MX);

    if (answer == NULL)
        return SPF_MATCH_MISSING;
    if (answer->result == DNS_FAILED) {
        spf_blame_answer(run, answer, name, DNS_TYPE_MX);
        return SPF_MATCH_TEMPERROR;
    }
    if (dns_answer_is_void(answer))
        return count_void(run);
    if (answer->record_count > SPF_MAX_NAMES) {
        text_add_format(&run->problem, "more than %d mail servers of ", SPF_MAX_NAMES);
        escape_add_ascii(&run->problem, slice_until(name, NAME_MAX_OCTETS));
        return SPF_MATCH_PERMERROR;
    }
    return match_hosts(run, term, answer);
}

static enum spf_match match_ptr(struct spf_run *run, struct slice target)
{
    const struct dns_answer *names = spf_find(run, text_slice(&run->reverse), DNS_TYPE_PTR);
    enum spf_match match = SPF_MATCH_NO;
    struct text parent;

    if (names == NULL)
        return SPF_MATCH_MISSING;
    if (dns_answer_is_void(names))
        return count_void(run);
    set_one_form(&parent, target);
    for (size_t i = 0; match != SPF_MATCH_YES && i < name_count(names); i++) {
        struct slice name = names->records[i].bytes;
        enum spf_match one = SPF_MATCH_NO;

        if (parent.length > 0 && is_name_or_below(name, text_slice(&parent)))
            one = is_validated(run, name);
        if (one != SPF_MATCH_NO)
            match = one;
    }
    text_clear(&parent);
    return match;
}

/* Type A even for an IPv6 client (5.7). */
static enum spf_match match_exists(struct spf_run *run, struct slice name)
{
    const struct dns_answer *answer = spf_find(run, name, DNS_TYPE_A);

    if (answer == NULL)
        return SPF_MATCH_MISSING;
    if (answer->result == DNS_FAILED) {
        spf_blame_answer(run, answer, name, DNS_TYPE_A);
        return SPF_MATCH_TEMPERROR;
    }
    return dns_answer_is_void(answer) ? count_void(run) : SPF_MATCH_YES;
}

/* An IPv4-mapped client is an IPv4 client: no ip6 term matches it (5). */
static enum spf_match match_network(const struct spf_run *run, const struct spf_term *term)
{
    const struct ip_address *client = &run->question->client;

    return ip_is_v4(client) == (term->kind == SPF_IP4) && ip_prefix_contains(&term->network, client)
               ? SPF_MATCH_YES
               : SPF_MATCH_NO;
}

static enum spf_match match_name(struct spf_run *run, const struct spf_term *term,
                                 struct slice name)
{
    if (term->kind == SPF_A)
        return match_a(run, term, name);
    if (term->kind == SPF_MX)
        return match_mx(run, term, name);
    if (term->kind == SPF_PTR)
        return match_ptr(run, name);
    return match_exists(run, name);
}

enum spf_match spf_match_term(struct spf_level *level, const struct spf_term *term)
{
    enum spf_match match = SPF_MATCH_NO;
    enum spf_name outcome;
    struct text name;

    if (term->kind == SPF_IP4 || term->kind == SPF_IP6)
        return match_network(level->run, term);
    text_init(&name, SPF_EXPANSION_MAX_BYTES);
    outcome = spf_expand_name(level, term->domain, &name);
    if (outcome == SPF_NAME_MISSING)
        match = SPF_MATCH_MISSING;
    else if (outcome == SPF_NAME_GOOD)
        match = match_name(level->run, term, text_slice(&name));
    text_clear(&name);
    return match;
}

void spf_prefetch_term(struct spf_level *level, const struct spf_term *term)
{
    struct spf_run *run = level->run;
    enum dns_type type = term->kind == SPF_MX       ? DNS_TYPE_MX
                         : term->kind == SPF_A      ? address_type(run)
                         : term->kind == SPF_EXISTS ? DNS_TYPE_A
                                                    : DNS_TYPE_TXT;
    struct text name;

    if (term->kind == SPF_PTR) {
        (void)spf_find(run, text_slice(&run->reverse), DNS_TYPE_PTR);
        return;
    }
    if (spf_macro_uses(term->domain, "p"))
        return;
    text_init(&name, SPF_EXPANSION_MAX_BYTES);
    if (spf_expand_name(level, term->domain, &name) == SPF_NAME_GOOD)
        (void)spf_find(run, text_slice(&name), type);
    text_clear(&name);
}
