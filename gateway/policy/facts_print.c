/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a mail has for a term to be compared with, as people read it; see rules.h.
 * Nearly all of it is a stranger's: it is escaped, and cut where it is long.
 */
#include "base/escape.h"
#include "policy/rules.h"

#define VALUE_MAX_BYTES 120
/* Of header fields and authors so many are shown. */
#define MAX_SHOWN 3

static void add_foreign(struct text *out, struct slice value)
{
    bool is_long = value.length > VALUE_MAX_BYTES;

    escape_add_ascii(out, is_long ? slice_until(value, VALUE_MAX_BYTES) : value);
    if (is_long)
        text_add_string(out, "...");
}

static void add_or(struct text *out, struct slice value, const char *nothing)
{
    if (value.length > 0)
        add_foreign(out, value);
    else
        text_add_string(out, nothing);
}

static void print_size(struct text *out, const struct facts *facts)
{
    if (facts->phase >= PHASE_MESSAGE && facts->message != NULL)
        text_add_format(out, "%llu bytes", (unsigned long long)facts->message->spool.length);
    else if (facts->announced_size_bytes > 0)
        text_add_format(out, "%llu bytes%s", (unsigned long long)facts->announced_size_bytes,
                        facts->phase >= PHASE_MESSAGE ? "" : " announced");
    else
        text_add_string(out, "none announced");
}

static void print_from(struct text *out, const struct facts *facts)
{
    const struct mailbox_list *from = facts->from;

    for (size_t i = 0; i < from->count && i < MAX_SHOWN; i++) {
        text_add_string(out, i > 0 ? ", " : "");
        add_foreign(out, slice_from(from->mailboxes[i].address));
    }
    if (from->count > MAX_SHOWN)
        text_add_format(out, " and %zu more", from->count - MAX_SHOWN);
    if (from->count == 0)
        text_add_string(out, "no author");
    if (from->is_malformed)
        text_add_string(out, ", malformed");
}

static void print_header(struct text *out, const struct term *term, const struct message *message)
{
    struct slice name = slice_from(term->header_name);
    size_t count = message_count_fields(message, name);

    for (size_t i = 0; i < count && i < MAX_SHOWN; i++) {
        text_add_string(out, i > 0 ? ", \"" : "\"");
        add_foreign(out, message_field_value(message, message_find_field(message, name, i)));
        text_add_byte(out, '"');
    }
    if (count > MAX_SHOWN)
        text_add_format(out, " and %zu more", count - MAX_SHOWN);
    if (count == 0)
        text_add_string(out, "no such field");
}

static void print_spf(struct text *out, const struct spf_finding *spf)
{
    text_add_string(out, result_word(spf->result));
    if (spf->domain != NULL) {
        text_add_string(out, " for ");
        add_foreign(out, slice_from(spf->domain));
    }
    if (spf->mechanism != NULL) {
        text_add_string(out, ", by ");
        add_foreign(out, slice_from(spf->mechanism));
    }
    if (spf->problem != NULL) {
        text_add_string(out, ": ");
        add_foreign(out, slice_from(spf->problem));
    }
}

static void print_signatures(struct text *out, const struct dkim_finding *dkim)
{
    for (size_t i = 0; i < dkim->signature_count && i < MAX_SHOWN; i++) {
        const struct dkim_signature *signature = &dkim->signatures[i];

        text_add_string(out, i > 0 ? ", " : "");
        add_or(out, slice_from(signature->domain), "no domain");
        text_add_format(out, " %s", result_word(signature->result));
        if (signature->reason != NULL)
            text_add_format(out, " (%s)", signature->reason);
    }
    if (dkim->signature_count == 0)
        text_add_string(out, "no signature");
}

static void print_dkim(struct text *out, const struct dkim_finding *dkim)
{
    text_add_format(out, "%s: ", result_word(dkim->result));
    print_signatures(out, dkim);
}

static void print_dmarc(struct text *out, const struct dmarc_finding *dmarc)
{
    text_add_string(out, result_word(dmarc->result));
    if (dmarc->domain != NULL) {
        text_add_string(out, " for ");
        add_foreign(out, slice_from(dmarc->domain));
    }
    if (dmarc->record_domain != NULL)
        text_add_format(out, ", which asks for %s", dmarc_policy_word(dmarc->policy));
    if (dmarc->problem != NULL) {
        text_add_string(out, ": ");
        add_foreign(out, slice_from(dmarc->problem));
    }
}

static void print_dmarc_policy(struct text *out, const struct dmarc_finding *dmarc)
{
    text_add_string(out, dmarc->record_domain != NULL ? dmarc_policy_word(dmarc->policy)
                                                      : "no record");
}

static void print_sealer(struct text *out, const struct arc_finding *arc)
{
    add_or(out, arc->sealer_count > 0 ? slice_from(arc->sealers[0]) : SLICE_EMPTY, "no seal");
}

static void print_arc(struct text *out, const struct arc_finding *arc)
{
    text_add_format(out, "%s: ", result_word(arc->result));
    print_sealer(out, arc);
    if (arc->problem != NULL) {
        text_add_string(out, ": ");
        arc_finding_print_problem(arc, out);
    }
}

static void print_lost(struct text *out, const struct findings *findings)
{
    static const char *const words[CHECK_COUNT] = {
        [CHECK_SPF] = "spf", [CHECK_SPF_HELO] = "spf-helo",
        [CHECK_DKIM] = "dkim", [CHECK_DMARC] = "dmarc",
        [CHECK_ARC] = "arc",
    };
    bool is_any = false;

    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (findings_result(findings, (enum check_id)i) != RESULT_TEMPERROR)
            continue;
        text_add_format(out, "%s%s", is_any ? ", " : "", words[i]);
        is_any = true;
    }
    if (!is_any)
        text_add_string(out, "none");
}

void term_print_fact(struct text *out, const struct term *term, const struct facts *facts)
{
    const struct findings *findings = facts->findings;

    if (!term_has_facts(term, facts))
        return;
    switch (term->word->id) {
    case TERM_CLIENT: ip_print(out, &facts->client.address); break;
    case TERM_LISTENER: add_foreign(out, slice_from(facts->listener)); break;
    case TERM_TLS: add_or(out, slice_from(facts->tls_version), "none"); break;
    case TERM_HELO: add_or(out, slice_from(facts->helo), "none"); break;
    case TERM_SENDER: add_or(out, address_text(facts->sender), "null"); break;
    case TERM_SENDER_DOMAIN: add_or(out, address_domain(facts->sender), "none"); break;
    case TERM_RECIPIENT: add_foreign(out, address_text(facts->recipient)); break;
    case TERM_RECIPIENT_DOMAIN: add_or(out, address_domain(facts->recipient), "none"); break;
    case TERM_RECIPIENTS:
        text_add_number(out, facts->phase >= PHASE_RCPT ? facts->recipient_count : 0);
        break;
    case TERM_SIZE: print_size(out, facts); break;
    case TERM_HEADER_FROM: print_from(out, facts); break;
    case TERM_HEADER: print_header(out, term, facts->message); break;
    case TERM_SPF: print_spf(out, &findings->spf); break;
    case TERM_SPF_HELO: print_spf(out, &findings->spf_helo); break;
    case TERM_DKIM: print_dkim(out, &findings->dkim); break;
    case TERM_DKIM_DOMAIN: print_signatures(out, &findings->dkim); break;
    case TERM_DMARC: print_dmarc(out, &findings->dmarc); break;
    case TERM_DMARC_POLICY: print_dmarc_policy(out, &findings->dmarc); break;
    case TERM_ARC: print_arc(out, &findings->arc); break;
    case TERM_ARC_SEALER: print_sealer(out, &findings->arc); break;
    case TERM_DNS_TEMPERROR: print_lost(out, findings); break;
    case TERM_UNAVAILABLE: break;
    }
}
