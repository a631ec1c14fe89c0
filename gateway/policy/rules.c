/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terms and what they come to; see rules.h.
 *
 * A term is known from its phase in the vocabulary on. Two are known earlier in
 * one direction, because what they count only grows: `size` is at least what
 * the client announced (RFC 1870 lets us hold it to that), and `recipients` is
 * at least what was accepted so far. So a mail that is too large can be refused
 * before its bytes are sent.
 *
 * A client chooses nearly all that is compared here. Domains come in the one
 * form of mail/domain.h, so spelling is no way round a rule; local parts are
 * compared without regard to case, as nearly every server delivers them.
 */
#include "policy/rules.h"

#include "base/memory.h"
#include "mail/domain.h"

void term_clear(struct term *term)
{
    for (size_t i = 0; i < term->value_count; i++) {
        mem_free(term->values[i].text);
        mem_free(term->values[i].overlaps);
    }
    mem_free(term->values);
    mem_free(term->header_name);
    *term = (struct term){ 0 };
}

static enum truth truth_of(bool is_true)
{
    return is_true ? TERM_TRUE : TERM_FALSE;
}

/* ---- names ---- */

/* `pattern` is "example.org", or ".example.org" for what lies strictly below. */
static bool domain_matches(struct slice domain, struct slice pattern)
{
    if (pattern.length > 0 && pattern.data[0] == '.')
        return domain_is_below(domain, slice_from_offset(pattern, 1));
    return slice_equals_nocase(domain, pattern);
}

/*
 * The names of the recipient's domain block with all below them. In the block "*" the only name
 * that is certainly the recipient's own is that of its address.
 */
static bool is_own_domain(struct slice domain, const struct facts *facts,
                          const struct effective_policy *policy)
{
    for (size_t i = 0; i < policy->own_domain_count; i++) {
        struct slice own = slice_from(policy->own_domains[i]);

        if (slice_equals(own, SLICE("*"))) {
            if (facts->recipient == NULL)
                continue;
            own = address_domain(facts->recipient);
        } else if (own.length > 0 && own.data[0] == '.') {
            own = slice_from_offset(own, 1);
            if (domain_is_below(domain, own))
                return true;
            continue;
        }
        if (own.length > 0 && (slice_equals_nocase(domain, own) || domain_is_below(domain, own)))
            return true;
    }
    return false;
}

static bool list_has(const struct config_list *list, struct slice name)
{
    struct text lower;
    bool has;

    if (name.length == 0)
        return false;
    text_init(&lower, name.length);
    for (size_t i = 0; i < name.length; i++)
        text_add_byte(&lower, ascii_lower(name.data[i]));
    has = config_list_has_name(list, text_slice(&lower));
    text_clear(&lower);
    return has;
}

/* One value against a domain. An empty domain (a null sender, a bare postmaster) matches nothing.
 */
static bool domain_has_value(struct slice domain, const struct term_value *value,
                             const struct facts *facts, const struct effective_policy *policy)
{
    if (domain.length == 0)
        return false;
    if (value->form == VALUE_OWN_DOMAIN)
        return is_own_domain(domain, facts, policy);
    if (value->form == VALUE_LIST)
        return list_has(value->list, domain);
    return domain_matches(domain, slice_from(value->text));
}

static bool address_has_value(const struct address *address, const struct term_value *value)
{
    if (value->form == VALUE_LIST)
        return list_has(value->list, address_text(address));
    if (value->form == VALUE_KEYWORD) /* null is the only one */
        return address_is_null(address);
    return slice_equals_nocase(address_text(address), slice_from(value->text));
}

/* A client may greet with anything; what is a domain is compared in its one form. */
static bool helo_has_value(struct slice helo, const struct term_value *value)
{
    struct text normal;
    bool matches = false;

    if (value->form == VALUE_LITERAL)
        return slice_equals_nocase(helo, slice_from(value->text));
    if (helo.length > 1 && helo.data[helo.length - 1] == '.')
        helo = slice_until(helo, helo.length - 1);
    text_init(&normal, DOMAIN_MAX_BYTES);
    if (domain_normalise(helo, &normal) != DOMAIN_OK)
        matches = value->form == VALUE_LIST && list_has(value->list, helo);
    else if (value->form == VALUE_LIST)
        matches = list_has(value->list, text_slice(&normal));
    else
        matches = domain_matches(text_slice(&normal), slice_from(value->text));
    text_clear(&normal);
    return matches;
}

static bool tls_has_value(const char *version, const struct term_value *value)
{
    static const char *const versions[] = { NULL, NULL, "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3" };

    if (value->keyword == 0)
        return version == NULL;
    if (value->keyword == 1)
        return version != NULL;
    return version != NULL &&
           slice_equals(slice_from(version), slice_from(versions[value->keyword]));
}

static bool client_has_value(const struct ip_address *client, const struct term_value *value)
{
    if (value->form == VALUE_LIST)
        return config_list_has_ip(value->list, client);
    return ip_prefix_contains(&value->network, client);
}

/* ---- counts ---- */

static bool compares(uint64_t number, const struct term_value *value)
{
    switch (value->comparison) {
    case COMPARISON_OVER:
        return number > value->number;
    case COMPARISON_AT_LEAST:
        return number >= value->number;
    case COMPARISON_UNDER:
        return number < value->number;
    case COMPARISON_AT_MOST:
        return number <= value->number;
    }
    return false;
}

static bool is_lower_bound(const struct term_value *value)
{
    return value->comparison == COMPARISON_OVER || value->comparison == COMPARISON_AT_LEAST;
}

/* `number` is final, or else the least that it can become. */
static enum truth count_has_value(uint64_t number, bool is_final, const struct term_value *value)
{
    bool is_true = compares(number, value);

    /* What grows can only come above a lower bound, and only leave an upper one. */
    if (is_final || is_true == is_lower_bound(value))
        return truth_of(is_true);
    return TERM_UNKNOWN;
}

static enum truth size_has_value(const struct facts *facts, const struct term_value *value)
{
    if (facts->phase >= PHASE_MESSAGE)
        return count_has_value(facts->message != NULL ? facts->message->spool.length
                                                      : facts->announced_size_bytes,
                               true, value);
    return count_has_value(facts->phase >= PHASE_MAIL ? facts->announced_size_bytes : 0, false,
                           value);
}

static enum truth recipients_have_value(const struct facts *facts, const struct term_value *value)
{
    return count_has_value(facts->phase >= PHASE_RCPT ? facts->recipient_count : 0,
                           facts->phase >= PHASE_DATA, value);
}

/* ---- header ---- */

void term_value_prepare(struct term_value *value)
{
    struct slice text = slice_from(value->text);
    size_t overlap = 0;

    value->overlaps = mem_new_array(text.length + 1, sizeof *value->overlaps);
    for (size_t i = 1; i < text.length; i++) {
        while (overlap > 0 && ascii_lower(text.data[i]) != ascii_lower(text.data[overlap]))
            overlap = value->overlaps[overlap];
        if (ascii_lower(text.data[i]) == ascii_lower(text.data[overlap]))
            overlap++;
        value->overlaps[i + 1] = (uint16_t)overlap;
    }
}

/*
 * Knuth, Morris and Pratt's search: each byte is looked at about once, so a header made of near
 * misses costs no more than another. CR and LF are passed over, which is unfolding (RFC
 * 5322 2.2.3).
 */
static bool field_contains(struct slice field, const struct term_value *value)
{
    struct slice text = slice_from(value->text);
    size_t matched = 0;

    for (size_t i = 0; i < field.length && matched < text.length; i++) {
        char c = ascii_lower(field.data[i]);

        if (c == '\r' || c == '\n')
            continue;
        while (matched > 0 && c != ascii_lower(text.data[matched]))
            matched = value->overlaps[matched];
        if (c == ascii_lower(text.data[matched]))
            matched++;
    }
    return matched == text.length;
}

static bool header_is_true(const struct term *term, const struct message *message)
{
    struct slice name = slice_from(term->header_name);
    bool is_present = false;

    for (size_t i = 0; i < message->header.field_count; i++) {
        const struct header_field *field = &message->header.fields[i];

        if (!slice_equals_nocase(message_field_name(message, field), name))
            continue;
        is_present = true;
        for (size_t j = 0; j < term->value_count; j++)
            if (field_contains(message_field_value(message, field), &term->values[j]))
                return true;
    }
    if (term->header_test == HEADER_CONTAINS)
        return false;
    return is_present == (term->header_test == HEADER_PRESENT);
}

enum { FROM_MISSING, FROM_MULTIPLE, FROM_MALFORMED }; /* as in the vocabulary */

static bool from_has_keyword(const struct facts *facts, size_t keyword)
{
    size_t fields = message_count_fields(facts->message, SLICE("From"));

    switch (keyword) {
    case FROM_MISSING: /* an empty group names nobody (RFC 6854) */
        return fields == 0 || (facts->from->count == 0 && !facts->from->is_malformed);
    case FROM_MULTIPLE:
        return fields > 1 || facts->from->count > 1;
    default:
        return facts->from->is_malformed;
    }
}

/* Of a message that nobody has: that it had an author is all that its first one tells. */
static enum truth lost_from_has_keyword(const struct facts *facts, size_t keyword)
{
    return keyword == FROM_MISSING && facts->from->count > 0 ? TERM_FALSE : TERM_UNKNOWN;
}

/* With several authors one that matches is enough: a forger would add the others. */
static bool from_has_value(const struct facts *facts, const struct term_value *value,
                           const struct effective_policy *policy)
{
    if (value->form == VALUE_KEYWORD)
        return from_has_keyword(facts, value->keyword);
    for (size_t i = 0; i < facts->from->count; i++) {
        const struct mailbox *mailbox = &facts->from->mailboxes[i];
        struct slice address = slice_from(mailbox->address);
        bool matches;

        if (value->form == VALUE_ADDRESS)
            matches = slice_equals_nocase(address, slice_from(value->text));
        else if (value->form == VALUE_LIST)
            matches = list_has(value->list, address);
        else
            matches = domain_has_value(slice_from(mailbox->domain), value, facts, policy);
        if (matches)
            return true;
    }
    return false;
}

/* ---- what the checks found ---- */

/* The keyword is the word of a result. What a failed lookup came to is a result like the rest. */
static enum truth result_has_value(enum check_result result, const struct term_value *value)
{
    if (slice_equals(slice_from(result_word(result)), slice_from(value->text)))
        return TERM_TRUE;
    return result == RESULT_TEMPERROR ? TERM_LOST : TERM_FALSE;
}

/* One passing signature is enough; while none fits, one that was lost might have. */
static enum truth dkim_domain_has_value(const struct facts *facts, const struct term_value *value,
                                        const struct effective_policy *policy)
{
    const struct dkim_finding *dkim = &facts->findings->dkim;
    enum truth best = TERM_FALSE;

    for (size_t i = 0; i < dkim->signature_count; i++) {
        const struct dkim_signature *signature = &dkim->signatures[i];
        bool may_count = signature->result == RESULT_PASS || signature->result == RESULT_TEMPERROR;

        if (!may_count || signature->domain == NULL ||
            !domain_has_value(slice_from(signature->domain), value, facts, policy))
            continue;
        if (signature->result == RESULT_PASS)
            return TERM_TRUE;
        best = TERM_LOST;
    }
    return best;
}

/* Only the newest: it seals the message as it is, the others what it may have been. */
static enum truth arc_sealer_has_value(const struct facts *facts, const struct term_value *value,
                                       const struct effective_policy *policy)
{
    const struct arc_finding *arc = &facts->findings->arc;
    bool may_count = arc->result == RESULT_PASS || arc->result == RESULT_TEMPERROR;

    if (!may_count || arc->sealer_count == 0 ||
        !domain_has_value(slice_from(arc->sealers[0]), value, facts, policy))
        return TERM_FALSE;
    return arc->result == RESULT_PASS ? TERM_TRUE : TERM_LOST;
}

static enum truth dmarc_policy_has_value(const struct dmarc_finding *dmarc,
                                         const struct term_value *value)
{
    static const enum dmarc_policy policies[] = { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE,
                                                  DMARC_POLICY_REJECT }; /* as in the vocabulary */

    if (dmarc->record_domain != NULL)
        return truth_of(dmarc->policy == policies[value->keyword]);
    return dmarc->result == RESULT_TEMPERROR ? TERM_LOST : TERM_FALSE;
}

enum { TEMPERROR_ANY, TEMPERROR_FIRST_CHECK }; /* as in the vocabulary: then in the checks' order */

static bool was_lost(const struct findings *findings, const struct term_value *value)
{
    for (size_t i = 0; i < CHECK_COUNT; i++)
        if ((value->keyword == TEMPERROR_ANY || value->keyword == TEMPERROR_FIRST_CHECK + i) &&
            findings_result(findings, (enum check_id)i) == RESULT_TEMPERROR)
            return true;
    return false;
}

static bool is_checked(const struct vocabulary_term *word, const struct facts *facts)
{
    return word->checks == 0 ||
           (facts->findings != NULL && (word->checks & ~facts->findings->done) == 0);
}

/* ---- the whole ---- */

/* One value of a term that is known in this phase; size and recipients see to that themselves. */
static enum truth value_evaluate(const struct term *term, const struct term_value *value,
                                 const struct facts *facts, const struct effective_policy *policy)
{
    switch (term->word->id) {
    case TERM_CLIENT:
        return truth_of(client_has_value(&facts->client.address, value));
    case TERM_LISTENER:
        return truth_of(slice_equals(slice_from(facts->listener), slice_from(value->text)));
    case TERM_TLS:
        return truth_of(tls_has_value(facts->tls_version, value));
    case TERM_HELO:
        return truth_of(helo_has_value(slice_from(facts->helo), value));
    case TERM_SENDER:
        return truth_of(address_has_value(facts->sender, value));
    case TERM_SENDER_DOMAIN:
        return truth_of(domain_has_value(address_domain(facts->sender), value, facts, policy));
    case TERM_RECIPIENT:
        return truth_of(address_has_value(facts->recipient, value));
    case TERM_RECIPIENT_DOMAIN:
        return truth_of(domain_has_value(address_domain(facts->recipient), value, facts, policy));
    case TERM_HEADER_FROM:
        if (facts->message == NULL && value->form == VALUE_KEYWORD)
            return lost_from_has_keyword(facts, value->keyword);
        return truth_of(from_has_value(facts, value, policy));
    case TERM_SIZE:
        return size_has_value(facts, value);
    case TERM_RECIPIENTS:
        return recipients_have_value(facts, value);
    case TERM_SPF:
        return result_has_value(facts->findings->spf.result, value);
    case TERM_SPF_HELO:
        return result_has_value(facts->findings->spf_helo.result, value);
    case TERM_DKIM:
        return result_has_value(facts->findings->dkim.result, value);
    case TERM_DKIM_DOMAIN:
        return dkim_domain_has_value(facts, value, policy);
    case TERM_DMARC:
        return result_has_value(facts->findings->dmarc.result, value);
    case TERM_DMARC_POLICY:
        return dmarc_policy_has_value(&facts->findings->dmarc, value);
    case TERM_ARC:
        return result_has_value(facts->findings->arc.result, value);
    case TERM_ARC_SEALER:
        return arc_sealer_has_value(facts, value, policy);
    case TERM_DNS_TEMPERROR:
        return truth_of(was_lost(facts->findings, value));
    case TERM_HEADER:
    case TERM_UNAVAILABLE:
        break;
    }
    return TERM_FALSE;
}

bool term_has_facts(const struct term *term, const struct facts *facts)
{
    bool grows = term->word->id == TERM_SIZE || term->word->id == TERM_RECIPIENTS;

    if (term->word->id == TERM_HEADER && facts->message == NULL)
        return false;
    return (facts->phase >= term->word->phase || grows) && is_checked(term->word, facts);
}

static enum truth term_read(const struct term *term, const struct facts *facts,
                            const struct effective_policy *policy)
{
    enum truth best = TERM_FALSE;

    if (!term_has_facts(term, facts))
        return TERM_UNKNOWN;
    if (term->word->id == TERM_HEADER)
        return truth_of(header_is_true(term, facts->message));
    for (size_t i = 0; i < term->value_count && best != TERM_TRUE; i++) {
        enum truth truth = value_evaluate(term, &term->values[i], facts, policy);

        if (truth > best)
            best = truth;
    }
    return best;
}

/*
 * A header may be large and a mail have many recipients: to read the one for each of the others
 * would let a single mail hold up a worker for seconds.
 */
enum truth term_evaluate(const struct term *term, const struct facts *facts,
                         const struct effective_policy *policy)
{
    unsigned char *known = NULL;
    enum truth truth;

    if (facts->memo != NULL && facts->message != NULL && term->memo > 0 &&
        facts->phase >= term->word->phase)
        known = &facts->memo[term->memo - 1];
    if (known != NULL && *known != 0)
        return *known == 2 ? TERM_TRUE : TERM_FALSE;
    truth = term_read(term, facts, policy);
    if (known != NULL)
        *known = truth == TERM_TRUE ? 2 : 1;
    return truth;
}

enum truth rule_evaluate(const struct rule *rule, const struct facts *facts,
                         const struct effective_policy *policy)
{
    enum truth result = TERM_TRUE;

    for (size_t i = 0; i < rule->term_count && result != TERM_FALSE; i++) {
        enum truth truth = term_evaluate(&rule->terms[i], facts, policy);

        if (truth < result)
            result = truth;
    }
    for (size_t i = 0; i < rule->exception_count && result != TERM_FALSE; i++) {
        enum truth truth = term_evaluate(&rule->exceptions[i], facts, policy);

        if (truth == TERM_TRUE)
            result = TERM_FALSE;
        else if (truth != TERM_FALSE && truth < result)
            result = truth;
    }
    return result;
}

/* ---- about rules and terms ---- */

bool term_is_about_header(const struct term *term)
{
    if (term->word->id == TERM_HEADER)
        return true;
    if (term->word->id != TERM_HEADER_FROM)
        return false;
    for (size_t i = 0; i < term->value_count; i++)
        if (term->values[i].form == VALUE_OWN_DOMAIN) /* of the recipient's block */
            return false;
    return true;
}

bool rule_can_decide(const struct rule *rule)
{
    return rule->action != ACTION_TAG && rule->mode == MODE_ENFORCE;
}

static bool has_keyword(const struct term *term, size_t keyword)
{
    for (size_t i = 0; i < term->value_count; i++)
        if (term->values[i].form == VALUE_KEYWORD && term->values[i].keyword == keyword)
            return true;
    return false;
}

bool term_is_always_true(const struct term *term)
{
    bool has_all_v4 = false;
    bool has_all_v6 = false;

    if (term->word->id == TERM_TLS)
        return has_keyword(term, 0) && has_keyword(term, 1);
    for (size_t i = 0; i < term->value_count; i++) {
        const struct term_value *value = &term->values[i];

        if (value->form == VALUE_NETWORK) {
            has_all_v4 =
                has_all_v4 || (ip_prefix_is_v4(&value->network) && value->network.length == 96);
            has_all_v6 = has_all_v6 || value->network.length == 0;
        } else if (value->form == VALUE_SIZE || value->form == VALUE_NUMBER) {
            if (value->comparison == COMPARISON_AT_LEAST && value->number == 0)
                return true;
        }
    }
    return has_all_v4 && has_all_v6;
}

static bool value_covers(const struct term_value *wide, const struct term_value *narrow)
{
    if (wide->form != narrow->form)
        return false;
    switch (wide->form) {
    case VALUE_NETWORK:
        return wide->network.length <= narrow->network.length &&
               ip_prefix_contains(&wide->network, &narrow->network.address);
    case VALUE_OWN_DOMAIN:
        return true;
    case VALUE_LIST:
        return wide->list == narrow->list;
    case VALUE_SIZE:
    case VALUE_NUMBER:
        return wide->comparison == narrow->comparison &&
               (wide->number == narrow->number ||
                (wide->number < narrow->number) == is_lower_bound(wide));
    case VALUE_LISTENER:
    case VALUE_KEYWORD:
    case VALUE_DOMAIN:
    case VALUE_LITERAL:
    case VALUE_ADDRESS:
    case VALUE_HEADER:
        break;
    }
    return slice_equals(slice_from(wide->text), slice_from(narrow->text));
}

bool term_covers(const struct term *wide, const struct term *narrow)
{
    if (wide->word != narrow->word || wide->header_test != narrow->header_test ||
        !slice_equals_nocase(slice_from(wide->header_name), slice_from(narrow->header_name)))
        return false;
    for (size_t i = 0; i < narrow->value_count; i++) {
        size_t j = 0;

        while (j < wide->value_count && !value_covers(&wide->values[j], &narrow->values[i]))
            j++;
        if (j == wide->value_count)
            return false;
    }
    return true;
}
