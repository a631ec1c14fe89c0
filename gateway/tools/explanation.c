/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a mail got what it got; see explanation.h. */
#include "tools/explanation.h"

#include "base/escape.h"
#include "base/number.h"
#include "policy/rules.h"
#include "tools/walk.h"
#include "verdict/decide.h"

#define FACT_MAX_BYTES 600

/* ---- Small parts. */

static void print_at(struct text *out, struct position at)
{
    if (position_is_set(at))
        text_add_format(out, "%s:%u", at.path, at.line);
    else
        text_add_string(out, "built in");
}

static void add_foreign(struct text *out, const char *value)
{
    escape_add_ascii(out, slice_from(value));
}

static void print_size(struct text *out, uint64_t bytes)
{
    if (bytes == 0)
        text_add_string(out, "none");
    else
        number_print_size(out, bytes);
}

/* The settings of a policy that count, each with its place. */
struct setting_line {
    const char *key;
    struct text value;
    struct position at;
};

#define SETTING_LINES 6

static void collect_settings(struct setting_line *lines, const struct effective_policy *policy)
{
    const struct position places[SETTING_LINES] = {
        policy->at, policy->policy_at, policy->backend_at,
        policy->mode_at, policy->max_size_at, policy->on_temperror_at,
    };
    static const char *const keys[SETTING_LINES] = { "domain", "policy", "backend", "mode",
                                                     "max-size", "on dns-temperror" };

    for (size_t i = 0; i < SETTING_LINES; i++) {
        lines[i].key = keys[i];
        lines[i].at = places[i];
        text_init(&lines[i].value, 1000);
    }
    if (policy->domain[0] == '\0')
        lines[0].key = "relay";
    text_add_string(&lines[0].value, policy->domain);
    text_add_string(&lines[1].value, policy->policy);
    text_add_string(&lines[2].value, policy->backend->name);
    text_add_string(&lines[3].value, mode_name(policy->mode));
    print_size(&lines[4].value, policy->max_size_bytes);
    text_add_string(&lines[5].value, temperror_action_name(policy->on_temperror));
}

static void clear_settings(struct setting_line *lines)
{
    for (size_t i = 0; i < SETTING_LINES; i++)
        text_clear(&lines[i].value);
}

/* "reject", "in shadow: reject", "tag unsigned" */
static void print_effect(struct text *out, const struct rule *rule,
                         const struct effective_policy *policy)
{
    if (rule->mode == MODE_SHADOW || (policy->mode == MODE_SHADOW && rule->action != ACTION_ACCEPT))
        text_add_string(out, "in shadow: ");
    rule_print_action(out, rule);
}

/* ---- What was found. */

static const char *const check_words[CHECK_COUNT] = {
    [CHECK_SPF] = "spf", [CHECK_SPF_HELO] = "spf-helo",
    [CHECK_DKIM] = "dkim", [CHECK_DMARC] = "dmarc",
    [CHECK_ARC] = "arc",
};

static void print_spf(struct text *out, const struct spf_finding *spf)
{
    if (spf->domain != NULL) {
        text_add_string(out, "  domain ");
        add_foreign(out, spf->domain);
    }
    if (spf->mechanism != NULL) {
        text_add_string(out, "  by ");
        add_foreign(out, spf->mechanism);
    }
    if (spf->problem != NULL) {
        text_add_string(out, "  ");
        add_foreign(out, spf->problem);
    }
}

static void print_signature(struct text *out, const struct dkim_signature *signature)
{
    text_add_format(out, "\n              %-10s d=", result_word(signature->result));
    add_foreign(out, signature->domain != NULL ? signature->domain : "?");
    text_add_string(out, " s=");
    add_foreign(out, signature->selector != NULL ? signature->selector : "?");
    if (signature->algorithm != NULL)
        text_add_format(out, " a=%s", signature->algorithm);
    if (signature->key_bits > 0)
        text_add_format(out, " %u bits", signature->key_bits);
    if (signature->reason != NULL)
        text_add_format(out, "  %s: %s", signature->reason, signature->problem);
}

static void print_dkim(struct text *out, const struct dkim_finding *dkim)
{
    if (dkim->signature_count == 0)
        text_add_string(out, "  no signature");
    for (size_t i = 0; i < dkim->signature_count; i++)
        print_signature(out, &dkim->signatures[i]);
    if (dkim->ignored_count > 0)
        text_add_format(out, "\n              and %zu more that nobody looked at",
                        dkim->ignored_count);
}

static void print_dmarc(struct text *out, const struct dmarc_finding *dmarc)
{
    if (dmarc->domain != NULL) {
        text_add_string(out, "  domain ");
        add_foreign(out, dmarc->domain);
    }
    if (dmarc->record_domain != NULL) {
        text_add_format(out, "  wishes %s%s, record of ", dmarc_policy_word(dmarc->policy),
                        dmarc->is_testing ? " (in testing)" : "");
        add_foreign(out, dmarc->record_domain);
        text_add_format(out, "  aligned: %s",
                        dmarc->is_spf_aligned && dmarc->is_dkim_aligned ? "spf, dkim"
                        : dmarc->is_spf_aligned                         ? "spf"
                        : dmarc->is_dkim_aligned                        ? "dkim"
                                                                        : "nothing");
    }
    if (dmarc->problem != NULL) {
        text_add_string(out, "  ");
        add_foreign(out, dmarc->problem);
    }
}

/* The newest seal first. */
static void print_arc(struct text *out, const struct arc_finding *arc)
{
    if (arc->set_count == 0)
        text_add_string(out, "  no chain");
    for (size_t i = 0; i < arc->sealer_count; i++) {
        text_add_string(out, i == 0 ? "  sealed by " : ", ");
        add_foreign(out, arc->sealers[i] != NULL ? arc->sealers[i] : "?");
    }
    if (arc->problem != NULL) {
        text_add_string(out, "  ");
        arc_finding_print_problem(arc, out);
    }
}

static void print_findings(struct text *out, const struct findings *findings)
{
    text_add_string(out, "found\n");
    for (int i = 0; i < CHECK_COUNT; i++) {
        enum check_id check = (enum check_id)i;

        text_add_format(out, "    %-9s ", check_words[i]);
        if (findings == NULL || (findings->done & CHECK_BIT(check)) == 0) {
            text_add_string(out, "not looked at\n");
            continue;
        }
        text_add_string(out, result_word(findings_result(findings, check)));
        switch (check) {
        case CHECK_SPF: print_spf(out, &findings->spf); break;
        case CHECK_SPF_HELO: print_spf(out, &findings->spf_helo); break;
        case CHECK_DKIM: print_dkim(out, &findings->dkim); break;
        case CHECK_DMARC: print_dmarc(out, &findings->dmarc); break;
        case CHECK_ARC: print_arc(out, &findings->arc); break;
        }
        text_add_byte(out, '\n');
    }
}

/* ---- Rules. */

static void print_term(struct text *out, const struct term *term, const struct walk *walk,
                       bool is_exception)
{
    struct text fact;

    text_init(&fact, FACT_MAX_BYTES);
    term_print_fact(&fact, term, &walk->facts);
    text_add_format(out, "            %-21s %s",
                    walk_truth_text(term_evaluate(term, &walk->facts, walk->policy)),
                    is_exception ? "except " : "");
    term_print(out, term);
    if (fact.length > 0)
        text_add_format(out, "   [%s]", text_string(&fact));
    text_add_byte(out, '\n');
    text_clear(&fact);
}

static void print_step(struct text *out, const struct walk_step *step, const struct walk *walk)
{
    const struct rule *rule = step->rule;

    text_add_format(out, "        %-21s %s%s (%s:%u)", walk_truth_text(step->truth),
                    rule->term_count > 0 ? "rule " : "", rule->name, rule->at.path, rule->at.line);
    if (step->truth == TERM_TRUE) {
        text_add_string(out, ": ");
        print_effect(out, rule, walk->policy);
    } else if (step->truth == TERM_LOST) {
        text_add_format(out, ": on dns-temperror %s",
                        temperror_action_name(walk->policy->on_temperror));
    }
    text_add_byte(out, '\n');
    for (size_t i = 0; i < rule->term_count; i++)
        print_term(out, &rule->terms[i], walk, false);
    for (size_t i = 0; i < rule->exception_count; i++)
        print_term(out, &rule->exceptions[i], walk, true);
}

static void print_walk(struct text *out, const struct walk *walk, const struct attempt *attempt)
{
    if (decide_is_exempt(&attempt->recipient.address)) {
        text_add_string(out, "    postmaster and abuse are never refused by rules\n");
        return;
    }
    for (size_t i = 0; i < walk->wait_count; i++)
        text_add_format(out, "    %s: no verdict yet, rule %s is not known\n",
                        phase_name(walk->waits[i].phase), walk->waits[i].rule->name);
    text_add_format(out, "    %s:\n", phase_name(walk->phase));
    for (size_t i = 0; i < walk->step_count; i++)
        print_step(out, &walk->steps[i], walk);
}

static void print_settings(struct text *out, const struct effective_policy *policy)
{
    struct setting_line lines[SETTING_LINES];

    collect_settings(lines, policy);
    for (size_t i = 0; i < SETTING_LINES; i++) {
        text_add_format(out, "    %s%s%s (", lines[i].key, lines[i].value.length > 0 ? " " : "",
                        text_string(&lines[i].value));
        print_at(out, lines[i].at);
        text_add_string(out, ")\n");
    }
    clear_settings(lines);
}

static void print_recipient(struct text *out, const struct trial *trial,
                            const struct attempt *attempt)
{
    struct walk walk;

    text_add_string(out, "recipient ");
    escape_add_ascii(out, address_text(&attempt->recipient.address));
    text_add_byte(out, '\n');
    if (attempt->route.policy == NULL) {
        text_add_string(out, "    no domain block covers it\n");
        return;
    }
    print_settings(out, attempt->route.policy);
    if (!trial_was_judged(attempt))
        return;
    walk_init(&walk, trial, attempt);
    print_walk(out, &walk, attempt);
    walk_clear(&walk);
}

/* ---- The verdict. */

static void print_reply(struct text *out, const struct reply *reply)
{
    struct text line;

    text_init(&line, REPLY_MAX_BYTES);
    reply_print(&line, reply, "");
    text_add_string(out, "reply     ");
    text_add(out, slice_trim(text_slice(&line)));
    text_add_byte(out, '\n');
    text_clear(&line);
}

static void print_shadow(struct text *out, const struct record *record)
{
    if (record->shadow_rule != NULL)
        text_add_format(out, "shadow    %s would have said %s at %s\n", record->shadow_rule,
                        record->shadow_action, record->shadow_phase);
}

static void print_tags(struct text *out, const struct record *record)
{
    for (size_t i = 0; i < record->tag_count; i++)
        text_add_format(out, "%s%s%s", i == 0 ? "tags      " : ", ", record->tags[i],
                        i + 1 == record->tag_count ? "\n" : "");
}

static void print_verdict(struct text *out, const struct trial *trial)
{
    const struct record *record = &trial->account.record;

    if (!trial->is_over) {
        text_add_string(out, "verdict   none yet: the envelope alone decides nothing; with "
                             "--message the rest is tried\n");
        print_shadow(out, record);
        return;
    }
    text_add_format(out, "verdict   %s", record_verdict_name(trial->verdict));
    if (record->rule != NULL)
        text_add_format(out, " by %s at %s", record->rule, record->phase);
    text_add_byte(out, '\n');
    if (record->reason != NULL)
        text_add_format(out, "reason    %s\n", record->reason);
    print_reply(out, &trial->reply);
    print_tags(out, record);
    print_shadow(out, record);
    if (trial->verdict == RECORD_VERDICT_ACCEPT)
        text_add_string(out, "          if the backend takes it\n");
}

static void print_head(struct text *out, const struct trial *trial)
{
    const struct facts *facts = &trial->session_facts;

    text_add_string(out, "client    ");
    ip_print(out, &facts->client.address);
    text_add_string(out, ", calls itself ");
    add_foreign(out, trial->mail->helo);
    text_add_format(out, ", at listener %s, %s", facts->listener,
                    facts->tls_version != NULL ? facts->tls_version : "without TLS");
    if (trial->party.relay != NULL)
        text_add_format(out, ", in relay %s (%s:%u)", trial->party.relay->name,
                        trial->party.relay->at.path, trial->party.relay->at.line);
    text_add_string(out, "\nsender    <");
    escape_add_ascii(out, address_text(&trial->envelope.sender));
    text_add_string(out, ">\n");
}

void explanation_print(struct text *out, const struct trial *trial)
{
    print_head(out, trial);
    print_findings(out, trial_findings(trial));
    for (size_t i = 0; i < trial->recipients.count; i++)
        print_recipient(out, trial, &trial->recipients.attempts[i]);
    print_verdict(out, trial);
}

/* ---- As JSON. */

static void add_at(struct json *json, struct position at)
{
    struct text place;

    text_init(&place, 2000);
    print_at(&place, at);
    json_add_string(json, "at", text_string(&place));
    text_clear(&place);
}

static void add_spf(struct json *json, const struct spf_finding *spf)
{
    json_add_string(json, "domain", spf->domain);
    json_add_string(json, "mechanism", spf->mechanism);
    json_add_string(json, "problem", spf->problem);
}

static void add_dkim(struct json *json, const struct dkim_finding *dkim)
{
    json_open(json, "signatures", '[');
    for (size_t i = 0; i < dkim->signature_count; i++) {
        const struct dkim_signature *signature = &dkim->signatures[i];

        json_open(json, NULL, '{');
        json_add_string(json, "result", result_word(signature->result));
        json_add_string(json, "domain", signature->domain);
        json_add_string(json, "selector", signature->selector);
        json_add_string(json, "algorithm", signature->algorithm);
        json_add_number(json, "bits", signature->key_bits);
        json_add_string(json, "reason", signature->reason);
        json_add_string(json, "problem", signature->problem);
        json_close(json, '{');
    }
    json_close(json, '[');
    json_add_number(json, "ignored", dkim->ignored_count);
}

static void add_dmarc(struct json *json, const struct dmarc_finding *dmarc)
{
    json_add_string(json, "domain", dmarc->domain);
    json_add_string(json, "record_domain", dmarc->record_domain);
    json_add_string(json, "policy",
                    dmarc->record_domain != NULL ? dmarc_policy_word(dmarc->policy) : NULL);
    json_add_bool(json, "testing", dmarc->is_testing);
    json_add_bool(json, "spf_aligned", dmarc->is_spf_aligned);
    json_add_bool(json, "dkim_aligned", dmarc->is_dkim_aligned);
    json_add_string(json, "problem", dmarc->problem);
}

static void add_arc(struct json *json, const struct arc_finding *arc)
{
    json_add_number(json, "sets", arc->set_count);
    json_open(json, "sealers", '[');
    for (size_t i = 0; i < arc->sealer_count; i++)
        json_add_string(json, NULL, arc->sealers[i]);
    json_close(json, '[');
    json_add_string(json, "reason", arc->reason);
    json_add_string(json, "problem", arc->problem);
}

static void add_findings(struct json *json, const struct findings *findings)
{
    json_open(json, "found", '{');
    for (int i = 0; i < CHECK_COUNT; i++) {
        enum check_id check = (enum check_id)i;

        if (findings == NULL || (findings->done & CHECK_BIT(check)) == 0)
            continue;
        json_open(json, check_words[i], '{');
        json_add_string(json, "result", result_word(findings_result(findings, check)));
        switch (check) {
        case CHECK_SPF: add_spf(json, &findings->spf); break;
        case CHECK_SPF_HELO: add_spf(json, &findings->spf_helo); break;
        case CHECK_DKIM: add_dkim(json, &findings->dkim); break;
        case CHECK_DMARC: add_dmarc(json, &findings->dmarc); break;
        case CHECK_ARC: add_arc(json, &findings->arc); break;
        }
        json_close(json, '{');
    }
    json_close(json, '{');
}

static void add_term(struct json *json, const struct term *term, const struct walk *walk,
                     bool is_exception)
{
    struct text text;

    text_init(&text, TEXT_MAX_LENGTH);
    json_open(json, NULL, '{');
    term_print(&text, term);
    json_add_string(json, "term", text_string(&text));
    json_add_bool(json, "except", is_exception);
    json_add_string(json, "truth",
                    walk_truth_text(term_evaluate(term, &walk->facts, walk->policy)));
    text_reset(&text);
    term_print_fact(&text, term, &walk->facts);
    json_add_string(json, "fact", text.length > 0 ? text_string(&text) : NULL);
    json_close(json, '{');
    text_clear(&text);
}

static void add_step(struct json *json, const struct walk_step *step, const struct walk *walk)
{
    const struct rule *rule = step->rule;

    json_open(json, NULL, '{');
    json_add_string(json, "rule", rule->name);
    json_add_string(json, "reason", rule->reason);
    json_add_string(json, "mode", mode_name(rule->mode));
    json_add_string(json, "action", action_name(rule->action));
    json_add_string(json, "tag", rule->tag.name);
    add_at(json, rule->at);
    json_add_string(json, "truth", walk_truth_text(step->truth));
    json_open(json, "terms", '[');
    for (size_t i = 0; i < rule->term_count; i++)
        add_term(json, &rule->terms[i], walk, false);
    for (size_t i = 0; i < rule->exception_count; i++)
        add_term(json, &rule->exceptions[i], walk, true);
    json_close(json, '[');
    json_close(json, '{');
}

static void add_walk(struct json *json, const struct walk *walk)
{
    json_open(json, "waits", '[');
    for (size_t i = 0; i < walk->wait_count; i++) {
        json_open(json, NULL, '{');
        json_add_string(json, "phase", phase_name(walk->waits[i].phase));
        json_add_string(json, "rule", walk->waits[i].rule->name);
        json_close(json, '{');
    }
    json_close(json, '[');
    json_add_string(json, "phase", phase_name(walk->phase));
    json_open(json, "rules", '[');
    for (size_t i = 0; i < walk->step_count; i++)
        add_step(json, &walk->steps[i], walk);
    json_close(json, '[');
}

static void add_settings(struct json *json, const struct effective_policy *policy)
{
    struct setting_line lines[SETTING_LINES];

    collect_settings(lines, policy);
    json_open(json, "settings", '[');
    for (size_t i = 0; i < SETTING_LINES; i++) {
        json_open(json, NULL, '{');
        json_add_string(json, "key", lines[i].key);
        json_add_string(json, "value", text_string(&lines[i].value));
        add_at(json, lines[i].at);
        json_close(json, '{');
    }
    json_close(json, '[');
    clear_settings(lines);
}

static void add_recipient(struct json *json, const struct trial *trial,
                          const struct attempt *attempt)
{
    struct walk walk;

    json_open(json, NULL, '{');
    json_add_slice(json, "address", address_text(&attempt->recipient.address));
    json_add_number(json, "reply", (uint64_t)attempt->reply.code);
    json_add_string(json, "reason", attempt->reply.reason);
    if (attempt->route.policy != NULL)
        add_settings(json, attempt->route.policy);
    if (trial_was_judged(attempt)) {
        walk_init(&walk, trial, attempt);
        add_walk(json, &walk);
        walk_clear(&walk);
    }
    json_close(json, '{');
}

/* The line of the log, without what only a live session has. */
static void add_log(struct json *json, const struct trial *trial)
{
    const struct record_style style = { .format = RECORD_JSON };
    struct record record = trial->account.record;
    struct text line;
    struct slice first;
    struct slice rest;

    record.rcpt_ms = record.data_ms = record.check_ms = record.backend_ms = record.total_ms = -1;
    text_init(&line, record_max_bytes(record.recipient_count));
    record_print(&line, &record, &style);
    rest = text_slice(&line);
    if (slice_next(&rest, '\n', &first))
        json_add_raw(json, "log", first);
    text_clear(&line);
}

static void add_verdict(struct json *json, const struct trial *trial)
{
    const struct record *record = &trial->account.record;

    json_add_string(json, "verdict",
                    trial->is_over ? record_verdict_name(trial->verdict) : NULL);
    json_add_string(json, "rule", trial->is_over ? record->rule : NULL);
    json_add_string(json, "phase", trial->is_over ? record->phase : NULL);
    json_add_string(json, "reason", record->reason);
    json_open(json, "reply", '{');
    if (trial->is_over) {
        json_add_number(json, "code", (uint64_t)trial->reply.code);
        json_add_string(json, "dsn", trial->reply.enhanced);
        json_add_string(json, "text", trial->reply.text);
    }
    json_close(json, '{');
    json_open(json, "tags", '[');
    for (size_t i = 0; i < record->tag_count; i++)
        json_add_string(json, NULL, record->tags[i]);
    json_close(json, '[');
    json_add_string(json, "shadow", record->shadow_rule);
    json_add_string(json, "shadow_action", record->shadow_action);
    json_add_string(json, "shadow_phase", record->shadow_phase);
    add_log(json, trial);
}

void explanation_print_json(struct json *json, const struct trial *trial)
{
    add_findings(json, trial_findings(trial));
    json_open(json, "recipients", '[');
    for (size_t i = 0; i < trial->recipients.count; i++)
        add_recipient(json, trial, &trial->recipients.attempts[i]);
    json_close(json, '[');
    add_verdict(json, trial);
}
