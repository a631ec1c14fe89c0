/* SPDX-License-Identifier: BSD-2-Clause */
/* The line about a transaction while it comes together; see account.h. */
#include "flow/account.h"

#include "base/clock.h"
#include "base/memory.h"

#define QUEUE_ID_MAX_BYTES 64
#define CHECK_TEXT_MAX_BYTES 500

/* Replaces an owned string; NULL and "" leave none. */
static const char *keep(char **place, struct slice value)
{
    mem_free(*place);
    *place = value.length > 0 ? mem_copy(value) : NULL;
    return *place;
}

void account_init(struct account *account, const struct party *party, const char *id)
{
    const struct gate_settings *settings = &party->shared->settings;
    struct record *record = &account->record;

    *account = (struct account){ .shared = party->shared, .mail_ms = clock_monotonic_ms() };
    record_init(record);
    record->event = RECORD_TRANSACTION;
    record->client = party->facts->client;
    record->session_id = party->session_id;
    record->transaction_id = id;
    record->listener = party->facts->listener;
    record->helo = party->facts->helo;
    record->relay = party->relay != NULL ? party->relay->name : NULL;
    record->tls_version = party->facts->tls_version;
    record->tls_cipher = party->tls_cipher;
    record->tls_server_name = keep(&account->tls_server_name,
                                   slice_from(party->tls_server_name));
    record->tls_is_resumed = party->tls_is_resumed;
    record->generation = settings->generation;
}

void account_clear(struct account *account)
{
    mem_free(account->recipients);
    mem_free(account->tls_server_name);
    mem_free(account->message_id);
    mem_free(account->header_from);
    mem_free(account->backend_reply);
    mem_free(account->backend_queue_id);
    mem_free(account->backend_tls);
    mem_free(account->detail);
    mem_free(account->dkim_domains);
    mem_free(account->check_text);
    *account = (struct account){ .shared = NULL };
}

void account_set_mail(struct account *account, const struct envelope *kept_mail)
{
    account->record.sender = &kept_mail->sender;
    account->record.is_8bit = kept_mail->body == BODY_8BITMIME;
    account->record.is_smtputf8 = kept_mail->is_smtputf8;
}

void account_set_route(struct account *account, const struct effective_policy *kept_policy)
{
    account->record.domain = kept_policy->domain[0] != '\0' ? kept_policy->domain : NULL;
    account->record.policy = kept_policy->policy;
    account->record.backend = kept_policy->backend->name;
}

/* NULL for a check that was not run. */
static const char *word_of(const struct findings *findings, enum check_id check)
{
    enum check_result result = findings_result(findings, check);

    return result != RESULT_NOT_RUN ? result_word(result) : NULL;
}

/* NULL where both engines agree, or one alone was asked. */
static const char *word_of_second(const struct spf_finding *finding)
{
    return finding->second_result != RESULT_NOT_RUN ? result_word(finding->second_result) : NULL;
}

static void add_passing_domains(struct text *out, const struct dkim_finding *dkim)
{
    for (size_t i = 0; i < dkim->signature_count; i++) {
        if (dkim->signatures[i].result != RESULT_PASS)
            continue;
        if (out->length > 0)
            text_add_byte(out, ',');
        text_add_string(out, dkim->signatures[i].domain);
    }
}

static void add_problem(struct text *out, const char *check, const char *problem)
{
    if (problem != NULL)
        text_add_format(out, "%s%s: %s", out->length > 0 ? "; " : "", check, problem);
}

/* Of DKIM the first signature's, where that is what DKIM came to. */
static void add_problems(struct text *out, const struct findings *findings)
{
    const struct dkim_finding *dkim = &findings->dkim;

    add_problem(out, "spf", findings->spf.problem);
    for (size_t i = 0; i < dkim->signature_count; i++)
        if (dkim->result != RESULT_PASS && dkim->signatures[i].result == dkim->result) {
            add_problem(out, "dkim", dkim->signatures[i].problem);
            break;
        }
    add_problem(out, "dmarc", findings->dmarc.problem);
    if (findings->arc.problem != NULL) {
        add_problem(out, "arc", "");
        arc_finding_print_problem(&findings->arc, out);
    }
}

void account_set_findings(struct account *account, const struct findings *kept_findings,
                          size_t question_count, uint64_t waited_ms)
{
    struct record *record = &account->record;
    const struct dmarc_finding *dmarc = &kept_findings->dmarc;
    struct text text;

    record->spf = word_of(kept_findings, CHECK_SPF);
    record->spf_domain = kept_findings->spf.domain;
    record->spf_helo = word_of(kept_findings, CHECK_SPF_HELO);
    record->spf_libspf2 = word_of_second(&kept_findings->spf);
    record->spf_helo_libspf2 = word_of_second(&kept_findings->spf_helo);
    record->dkim = word_of(kept_findings, CHECK_DKIM);
    record->dmarc = word_of(kept_findings, CHECK_DMARC);
    record->dmarc_policy =
        dmarc->record_domain != NULL ? dmarc_policy_word(dmarc->policy) : NULL;
    record->arc = word_of(kept_findings, CHECK_ARC);
    record->arc_sealer = kept_findings->arc.result == RESULT_PASS
                             ? kept_findings->arc.sealers[0]
                             : NULL;
    record->dns_question_count = question_count;
    record->check_ms = (int64_t)waited_ms;
    text_init(&text, CHECK_TEXT_MAX_BYTES);
    add_passing_domains(&text, &kept_findings->dkim);
    record->dkim_domains = keep(&account->dkim_domains, text_slice(&text));
    text_reset(&text);
    add_problems(&text, kept_findings);
    record->check_text = keep(&account->check_text, text_slice(&text));
    text_clear(&text);
}

void account_set_verdict(struct account *account, const struct verdict *verdict)
{
    struct record *record = &account->record;

    record->rule = verdict->rule != NULL ? verdict->rule->reason : NULL;
    record->phase = verdict->rule != NULL ? phase_name(verdict->phase) : NULL;
    for (size_t i = 0; i < verdict->tag_count; i++)
        account->tags[i] = verdict->tags[i]->name;
    record->tags = account->tags;
    record->tag_count = verdict->tag_count;
    if (verdict->shadow_rule == NULL)
        return;
    record->shadow_rule = verdict->shadow_rule->reason;
    record->shadow_action = action_name(verdict->shadow_rule->action);
    record->shadow_phase = phase_name(verdict->shadow_phase);
}

void account_on_recipient(struct account *account, const struct verdict *verdict,
                          const struct reply *reply)
{
    if (account->record.rcpt_ms < 0)
        account->record.rcpt_ms = (int64_t)(clock_monotonic_ms() - account->mail_ms);
    /* The first refusal by a rule speaks for the line, unless a later recipient is accepted. */
    if (reply_is_success(reply) || account->record.rule == NULL)
        account_set_verdict(account, verdict);
}

/*
 * What servers call the mail, out of their last words: "queued as ID" (Postfix, sendmail's kin),
 * "id=ID" (Exim), "ID Message accepted" (OpenSMTPD, sendmail).
 */
static struct slice find_behind_mark(struct slice text)
{
    static const struct slice marks[] = { { "queued as ", 10 }, { "id=", 3 } };

    for (size_t m = 0; m < sizeof marks / sizeof marks[0]; m++)
        for (size_t i = 0; i + marks[m].length < text.length; i++)
            if (slice_has_prefix_nocase(slice_from_offset(text, i), marks[m]))
                return slice_from_offset(text, i + marks[m].length);
    return SLICE_EMPTY;
}

static struct slice find_queue_id(struct slice text)
{
    struct slice word = find_behind_mark(text);
    size_t end;

    for (size_t i = 0; i < text.length && word.length == 0; i++)
        if (slice_has_prefix_nocase(slice_from_offset(text, i), SLICE(" message accepted")))
            word = slice_until(text, i);
    if (!slice_find_byte(word, ' ', &end))
        end = word.length;
    return end <= QUEUE_ID_MAX_BYTES ? slice_until(word, end) : SLICE_EMPTY;
}

void account_on_backend(struct account *account, const struct forward_answer *answer)
{
    struct record *record = &account->record;
    struct slice text = slice_from(answer->text);

    record->backend_address = answer->address;
    record->backend_code = answer->code;
    record->backend_reply = keep(&account->backend_reply, text);
    record->backend_tls = keep(&account->backend_tls, slice_from(answer->tls_version));
    record->detail = keep(&account->detail, slice_from(answer->detail));
    record->backend_is_reused = answer->is_reused;
    if (account->dot_ms == 0)
        return;
    record->backend_queue_id = keep(&account->backend_queue_id, find_queue_id(text));
    record->backend_ms = (int64_t)(clock_monotonic_ms() - account->dot_ms);
}

void account_set_message(struct account *account, const struct message *message,
                         const struct mailbox_list *from, uint64_t dot_ms)
{
    const struct header_field *field = message_find_field(message, SLICE("Message-ID"), 0);
    struct record *record = &account->record;

    account->dot_ms = dot_ms;
    record->size_bytes = message->spool.length;
    record->has_broken_header = message_has_broken_header(message);
    if (account->content_from_ms > 0)
        record->data_ms = (int64_t)(dot_ms - account->content_from_ms);
    if (field != NULL)
        record->message_id = keep(&account->message_id, message_field_value(message, field));
    if (from->count > 0)
        record->header_from = keep(&account->header_from, slice_from(from->mailboxes[0].address));
}

void account_set_quarantine(struct account *account, const char *kept_id)
{
    account->record.quarantine_id = kept_id;
}

void account_set_end(struct account *account, enum record_verdict verdict,
                     const struct reply *reply)
{
    struct record *record = &account->record;

    record->verdict = verdict;
    record->reason = reply->reason[0] != '\0' ? reply->reason : NULL;
    record->reply_code = reply->code;
    record->reply_enhanced = reply->enhanced;
    record->total_ms = (int64_t)(clock_monotonic_ms() - account->mail_ms);
}

void account_forget_recipients(struct account *account)
{
    account->record.recipient_count = 0;
}

void account_add_recipient(struct account *account, const struct address *kept_address,
                           const struct reply *reply)
{
    struct record *record = &account->record;

    account->recipients = mem_grow(account->recipients, record->recipient_count,
                                   &account->recipient_capacity, sizeof(*account->recipients));
    account->recipients[record->recipient_count++] = (struct record_recipient){
        .address = kept_address, .code = reply->code, .reason = reply->reason
    };
    record->recipients = account->recipients;
}

static void print(struct account *account, struct text *out)
{
    account->record.wall_us = clock_wall_us();
    record_print(out, &account->record, &account->shared->settings.style);
}

struct log_ring_slot *account_reserve(struct account *account)
{
    struct record *record = &account->record;
    struct log_ring_slot *slot;
    struct text lines;

    text_init(&lines, record_max_bytes(account->record.recipient_count));
    record->verdict = RECORD_VERDICT_UNKNOWN;
    record->close_reason = "crash";
    print(account, &lines);
    record->close_reason = NULL;
    slot = log_ring_reserve(account->shared->settings.log, text_slice(&lines),
                            lines.length + record_growth_bytes(record->recipient_count));
    text_clear(&lines);
    return slot;
}

static void count(const struct account *account)
{
    static const enum counter counters[] = {
        [RECORD_VERDICT_NONE] = COUNTER_ABORTED,
        [RECORD_VERDICT_ACCEPT] = COUNTER_ACCEPTED,
        [RECORD_VERDICT_REJECT] = COUNTER_REJECTED,
        [RECORD_VERDICT_TEMPFAIL] = COUNTER_TEMPFAILED,
        [RECORD_VERDICT_QUARANTINE] = COUNTER_HELD,
        [RECORD_VERDICT_DISCARD] = COUNTER_DISCARDED,
        [RECORD_VERDICT_ABORT] = COUNTER_ABORTED,
        [RECORD_VERDICT_UNKNOWN] = COUNTER_UNKNOWN,
    };

    counter_add(account->shared->settings.counters, counters[account->record.verdict], 1);
}

void account_write(struct account *account, struct log_ring_slot **slot)
{
    struct text lines;

    count(account);
    if (*slot == NULL) {
        account->record.wall_us = clock_wall_us();
        shared_log(account->shared, &account->record);
        return;
    }
    text_init(&lines, record_max_bytes(account->record.recipient_count));
    print(account, &lines);
    log_ring_commit(account->shared->settings.log, slot, text_slice(&lines));
    text_clear(&lines);
}

void account_write_reply_lost(struct account *account)
{
    account->record.event = RECORD_REPLY_LOST;
    account->record.wall_us = clock_wall_us();
    shared_log(account->shared, &account->record);
}
