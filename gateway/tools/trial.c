/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One mail on the bench; see trial.h. It goes through the events of a dialogue like
 * flow/session, and its steps are those of flow/transaction and transaction_end, in
 * the same order, without the waiting for others.
 */
#include "tools/trial.h"

#include <string.h>

#include "base/clock.h"
#include "flow/outcome.h"
#include "smtp/data_writer.h"
#include "smtp/server_replies.h"
#include "verdict/stamp.h"

/* ---- The end. */

static void list_recipients(struct trial *trial)
{
    account_forget_recipients(&trial->account);
    for (size_t i = 0; i < trial->recipients.count; i++) {
        const struct attempt *attempt = &trial->recipients.attempts[i];

        account_add_recipient(&trial->account, &attempt->recipient.address, &attempt->reply);
    }
}

static void note_findings(struct trial *trial)
{
    if (trial->checks != NULL)
        account_set_findings(&trial->account, check_run_findings(trial->checks),
                             check_run_question_count(trial->checks),
                             check_run_waited_ms(trial->checks));
}

static void conclude(struct trial *trial, enum record_verdict verdict, const struct reply *reply)
{
    if (trial->is_over)
        return;
    trial->is_over = true;
    trial->verdict = verdict;
    trial->reply = *reply;
    if (reply_is_success(reply))
        recipients_note_held(&trial->recipients);
    note_findings(trial);
    account_set_end(&trial->account, verdict, reply);
    list_recipients(trial);
}

static void refuse(struct trial *trial, const struct reply *reply)
{
    recipients_reply_alike(&trial->recipients, reply);
    conclude(trial, outcome_verdict(reply), reply);
}

static void refuse_with(struct trial *trial, enum server_reply id)
{
    struct reply reply = server_reply_get(id);

    refuse(trial, &reply);
}

/* ---- The transaction. */

static void open_transaction(struct trial *trial)
{
    trial->has_transaction = true;
    envelope_copy_sender(&trial->envelope, &trial->dialogue.mail);
    trial->facts = trial->session_facts;
    trial->facts.phase = PHASE_MAIL;
    trial->facts.sender = &trial->envelope.sender;
    if (trial->mail->memory != NULL)
        trial->facts.findings = trial->mail->memory->findings;
    account_set_mail(&trial->account, &trial->envelope);
}

/* As in flow/transaction: the first accepted one sets the policy, until then the last. */
static void settle(struct trial *trial, struct attempt *attempt, const struct reply *reply)
{
    bool is_first = trial->recipients.accepted_count == 0;

    recipients_settle(&trial->recipients, attempt, reply);
    account_on_recipient(&trial->account, &attempt->verdict, reply);
    if (is_first && attempt->route.policy != NULL)
        account_set_route(&trial->account, attempt->route.policy);
}

static void on_checked(void *owner)
{
    struct trial *trial = owner;

    loop_stop(trial->bench->loop);
}

static bool take_memory(void *owner, uint64_t bytes)
{
    struct trial *trial = owner;

    return spool_budget_take(&trial->bench->shared->spool_budget, bytes);
}

static void give_back_memory(void *owner, uint64_t bytes)
{
    struct trial *trial = owner;

    spool_budget_give_back(&trial->bench->shared->spool_budget, bytes);
}

static const struct check_run_events check_events = {
    .on_done = on_checked,
    .take_memory = take_memory,
    .give_back_memory = give_back_memory,
};

static void need_checks(struct trial *trial)
{
    if (trial->checks != NULL)
        return;
    trial->checks = check_run_new(&trial->bench->shared->checks, &trial->facts, &check_events,
                                  trial);
    trial->facts.findings = check_run_findings(trial->checks);
}

static void run_checks(struct trial *trial, unsigned int checks)
{
    if (checks == 0 || trial->mail->memory != NULL)
        return;
    need_checks(trial);
    if (!check_run_start(trial->checks, checks))
        loop_run(trial->bench->loop);
}

static void answer(struct trial *trial, const struct reply *reply)
{
    struct text nobody;

    text_init(&nobody, REPLY_MAX_BYTES);
    server_dialogue_answer(&trial->dialogue, reply, &nobody);
    text_clear(&nobody);
}

static struct reply judge(struct trial *trial, struct attempt *attempt)
{
    struct reply reply = recipients_route(attempt, &trial->party, &trial->envelope);

    if (!reply_is_success(&reply))
        return reply;
    run_checks(trial, attempt_checks(attempt) & CHECK_RUN_OF_SENDER);
    return recipients_judge(&trial->recipients, attempt, &trial->party, &trial->facts);
}

static void on_rcpt(struct trial *trial, const struct reply *own_reply)
{
    struct attempt *attempt = recipients_add(&trial->recipients, &trial->dialogue.recipient);
    struct reply reply = server_reply_get(REPLY_NO_SPACE);

    if (own_reply != NULL)
        reply = *own_reply;
    else if (attempt != NULL)
        reply = judge(trial, attempt);
    if (attempt != NULL)
        settle(trial, attempt, &reply);
    if (own_reply == NULL)
        answer(trial, &reply);
}

static struct reply refusal(struct trial *trial, enum action action)
{
    const struct verdict *verdict = &recipients_find(&trial->recipients, action)->verdict;

    account_set_verdict(&trial->account, verdict);
    return verdict_reply(verdict);
}

static void on_data(struct trial *trial)
{
    struct reply reply = server_reply_get(REPLY_START_CONTENT);
    bool are_final;
    enum joint_verdict joint =
        recipients_decide(&trial->recipients, &trial->facts, PHASE_DATA, &are_final);

    trial->phase = PHASE_DATA;
    if (are_final && joint == JOINT_REJECT)
        reply = refusal(trial, ACTION_REJECT);
    else if (are_final && joint == JOINT_TEMPFAIL)
        reply = refusal(trial, ACTION_TEMPFAIL);
    answer(trial, &reply);
    if (reply.code / 100 != 3)
        refuse(trial, &reply);
}

/* ---- The content. */

static void open_content(struct trial *trial)
{
    const struct shared *shared = trial->bench->shared;
    unsigned int checks = recipients_checks(&trial->recipients, &trial->party);

    if (trial->has_message)
        return;
    trial->limits = shared->limits[trial->party.listener_index];
    trial->limits.max_bytes = recipients_max_size(&trial->recipients);
    message_init(&trial->message, &trial->limits, &trial->bench->shared->spool_budget);
    trial->has_message = true;
    if (checks == 0)
        return;
    need_checks(trial);
    check_run_open_content(trial->checks, checks);
}

static void on_content(struct trial *trial)
{
    enum message_problem problem;

    open_content(trial);
    problem = message_append(&trial->message, trial->dialogue.content);
    if (problem != MESSAGE_OK)
        refuse_with(trial, outcome_reply_to_problem(problem));
    else if (trial->checks != NULL)
        check_run_take_content(trial->checks, &trial->message, trial->dialogue.content);
}

static void carry_out(struct trial *trial)
{
    enum action furthest = recipients_furthest(&trial->recipients);
    bool is_held = furthest == ACTION_QUARANTINE;
    struct reply reply = outcome_held_reply(trial->bench->configuration->config, is_held);

    if (furthest == ACTION_ACCEPT)
        reply = server_reply_get(REPLY_MESSAGE_ACCEPTED);
    account_set_verdict(&trial->account,
                        &recipients_find(&trial->recipients, furthest)->verdict);
    recipients_reply_alike(&trial->recipients, &reply);
    conclude(trial, outcome_success_verdict(furthest), &reply);
}

/* Nobody asks for PRDR here. */
static void decide_mixed(struct trial *trial)
{
    if (!trial->bench->configuration->config->quarantine.is_set) {
        refuse_with(trial, REPLY_MIXED_SPLIT);
        return;
    }
    recipients_hold_rejected(&trial->recipients);
    carry_out(trial);
}

static void decide_message(struct trial *trial)
{
    bool are_final;
    enum joint_verdict joint =
        recipients_decide(&trial->recipients, &trial->facts, PHASE_MESSAGE, &are_final);
    struct reply reply;

    trial->phase = PHASE_MESSAGE;
    if (!are_final) /* a remembered one, of which too little is known */
        return;
    switch (joint) {
    case JOINT_DELIVER:
    case JOINT_HOLD:
    case JOINT_DISCARD: carry_out(trial); return;
    case JOINT_MIXED_REJECT: decide_mixed(trial); return;
    case JOINT_REJECT: reply = refusal(trial, ACTION_REJECT); break;
    case JOINT_TEMPFAIL: reply = refusal(trial, ACTION_TEMPFAIL); break;
    default: return;
    }
    refuse(trial, &reply);
}

static void on_end_of_data(struct trial *trial)
{
    enum message_problem problem;

    open_content(trial);
    problem = message_end(&trial->message);
    facts_parse_from(&trial->from, &trial->message);
    trial->facts.message = &trial->message;
    trial->facts.from = &trial->from;
    account_set_message(&trial->account, &trial->message, &trial->from, clock_monotonic_ms());
    if (problem != MESSAGE_OK) {
        refuse_with(trial, outcome_reply_to_problem(problem));
        return;
    }
    if (trial->checks != NULL)
        check_run_end_content(trial->checks, &trial->message);
    run_checks(trial, recipients_checks(&trial->recipients, &trial->party));
    if (stamp_is_loop(&trial->message, trial->bench->configuration->config->hostname)) {
        refuse_with(trial, REPLY_LOOP);
        return;
    }
    decide_message(trial);
}

static void remember_content(struct trial *trial)
{
    const struct trial_memory *memory = trial->mail->memory;
    struct slice author = slice_from(memory->author);

    mailbox_list_parse(&trial->from, author);
    trial->from.is_malformed = false;
    trial->facts.from = &trial->from;
    trial->facts.announced_size_bytes = memory->size_bytes;
    decide_message(trial);
}

/* ---- The dialogue. */

static void on_event(struct trial *trial, enum server_event event)
{
    struct server_dialogue *dialogue = &trial->dialogue;
    struct reply reply = server_reply_get(REPLY_SENDER_OK);

    switch (event) {
    case SERVER_EVENT_HELLO:
        trial->session_facts.helo = trial->mail->helo;
        trial->session_facts.phase = PHASE_HELO;
        trial->session_facts.is_extended = dialogue->is_extended;
        break;
    case SERVER_EVENT_MAIL:
        open_transaction(trial);
        answer(trial, &reply);
        break;
    case SERVER_EVENT_MAIL_REFUSED:
        open_transaction(trial);
        refuse(trial, &dialogue->own_reply);
        break;
    case SERVER_EVENT_RCPT: on_rcpt(trial, NULL); break;
    case SERVER_EVENT_RCPT_REFUSED: on_rcpt(trial, &dialogue->own_reply); break;
    case SERVER_EVENT_DATA: on_data(trial); break;
    case SERVER_EVENT_CONTENT: on_content(trial); break;
    case SERVER_EVENT_CONTENT_LOST: refuse(trial, &dialogue->refusal); break;
    case SERVER_EVENT_END_OF_DATA: on_end_of_data(trial); break;
    case SERVER_EVENT_NEED_INPUT:
    case SERVER_EVENT_ANSWERED:
    case SERVER_EVENT_RESET:
    case SERVER_EVENT_START_TLS:
    case SERVER_EVENT_CLOSE: break;
    }
}

/* Until all is read, or the mail has its verdict. */
static void feed(struct trial *trial, struct slice input)
{
    enum server_event event;
    struct text nobody;

    text_init(&nobody, TEXT_MAX_LENGTH);
    do {
        size_t consumed = 0;

        event = server_dialogue_feed(&trial->dialogue, input, &consumed, &nobody);
        input = slice_from_offset(input, consumed);
        on_event(trial, event);
    } while (!trial->is_over && event != SERVER_EVENT_NEED_INPUT && event != SERVER_EVENT_CLOSE);
    text_clear(&nobody);
}

static void say(struct trial *trial, const char *verb, const char *argument, const char *more)
{
    struct text line;

    text_init(&line, TEXT_MAX_LENGTH);
    text_add_format(&line, "%s%s%s\r\n", verb, argument, more);
    feed(trial, text_slice(&line));
    text_clear(&line);
}

static void send_content(struct trial *trial)
{
    struct slice rest = trial->mail->content;
    struct data_writer writer;

    data_writer_init(&writer);
    while (rest.length > 0 && !trial->is_over)
        feed(trial, data_writer_next(&writer, &rest));
    if (!trial->is_over)
        feed(trial, data_writer_end(&writer));
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 128)
        text++;
    return *text == '\0';
}

static bool needs_smtputf8(const struct trial_mail *mail)
{
    bool needs = !is_ascii(mail->sender);

    for (size_t i = 0; i < mail->recipient_count; i++)
        needs = needs || !is_ascii(mail->recipients[i]);
    return needs;
}

static void say_path(struct trial *trial, const char *verb, const char *address, const char *more)
{
    struct text path;

    text_init(&path, TEXT_MAX_LENGTH);
    text_add_format(&path, address[0] == '<' ? "%s" : "<%s>", address);
    say(trial, verb, text_string(&path), more);
    text_clear(&path);
}

/* As a client would that goes as far as it gets. */
static void hold_dialogue(struct trial *trial)
{
    const struct trial_mail *mail = trial->mail;

    say(trial, "EHLO ", mail->helo, "");
    if (!trial->is_over && trial->session_facts.helo != NULL)
        say_path(trial, "MAIL FROM:", mail->sender, needs_smtputf8(mail) ? " SMTPUTF8" : "");
    if (!trial->is_over && !trial->has_transaction) {
        refuse(trial, &trial->dialogue.own_reply);
        return;
    }
    for (size_t i = 0; i < mail->recipient_count && !trial->is_over; i++)
        say_path(trial, "RCPT TO:", mail->recipients[i], "");
    if (!trial->is_over && trial->recipients.accepted_count == 0) {
        struct reply reply = recipients_last(&trial->recipients)->reply;

        conclude(trial, outcome_verdict(&reply), &reply);
    }
    if (!trial->is_over)
        say(trial, "DATA", "", "");
    if (!trial->is_over && mail->has_content)
        send_content(trial);
    else if (!trial->is_over && mail->memory != NULL && mail->memory->has_content)
        remember_content(trial);
    note_findings(trial);
}

/* ---- Life. */

const char *trial_tls_version(const char *word)
{
    static const char *const versions[][2] = {
        { "1.0", "TLSv1" }, { "1.1", "TLSv1.1" }, { "1.2", "TLSv1.2" }, { "1.3", "TLSv1.3" },
    };

    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(word, versions[i][0]) == 0 || strcmp(word, versions[i][1]) == 0)
            return versions[i][1];
    return NULL;
}

static bool find_listener(const struct config *config, const char *name, size_t *index,
                          struct text *problem)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];

        *index = i;
        if (name == NULL ? listener->role == ROLE_INBOUND : strcmp(listener->name, name) == 0)
            return true;
    }
    if (name == NULL)
        text_add_string(problem, "there is no listener of role inbound");
    else
        text_add_format(problem, "there is no listener \"%s\"", name);
    return false;
}

/* No word becomes a second command. */
static bool are_one_line(const struct trial_mail *mail, struct text *problem)
{
    bool is_good = strpbrk(mail->sender, "\r\n") == NULL && strpbrk(mail->helo, "\r\n") == NULL;

    for (size_t i = 0; i < mail->recipient_count; i++)
        is_good = is_good && strpbrk(mail->recipients[i], "\r\n") == NULL;
    if (!is_good)
        text_add_string(problem, "an address or name has a line end in it");
    return is_good;
}

static void start(struct trial *trial, size_t listener_index)
{
    struct shared *shared = trial->bench->shared;
    const struct config *config = trial->bench->configuration->config;
    struct shared_offer offer;
    struct text nobody;

    trial->session_facts = (struct facts){
        .phase = PHASE_CONNECT,
        .client = { .address = trial->mail->client },
        .listener = config->listeners[listener_index].name,
        .tls_version = trial->mail->tls != NULL ? trial_tls_version(trial->mail->tls) : NULL,
    };
    trial->party = (struct party){
        .shared = shared,
        .listener_index = listener_index,
        .relay = config_find_relay(config, &trial->mail->client),
        .facts = &trial->session_facts,
        .session_id = "",
    };
    offer = shared_offer_for(shared, listener_index, trial->party.relay);
    server_dialogue_init(&trial->dialogue, &shared->options[listener_index]);
    trial->dialogue.offered = offer.extensions;
    trial->dialogue.max_size_bytes = offer.max_size_bytes;
    if (trial->session_facts.tls_version != NULL)
        server_dialogue_on_secured(&trial->dialogue);
    text_init(&nobody, REPLY_MAX_BYTES);
    server_dialogue_greet(&trial->dialogue, &nobody);
    text_clear(&nobody);
    envelope_init(&trial->envelope);
    recipients_init(&trial->recipients, &shared->recipient_budget);
    account_init(&trial->account, &trial->party, "");
    trial->account.record.helo = trial->mail->helo;
}

bool trial_run(struct trial *trial, const struct bench *bench, const struct trial_mail *mail,
               struct text *problem)
{
    size_t listener_index;

    *trial = (struct trial){ .bench = bench, .mail = mail, .phase = PHASE_RCPT };
    if (!find_listener(bench->configuration->config, mail->listener, &listener_index, problem) ||
        !are_one_line(mail, problem))
        return false;
    start(trial, listener_index);
    hold_dialogue(trial);
    return true;
}

void trial_clear(struct trial *trial)
{
    check_run_free(&trial->checks);
    if (trial->has_message)
        message_clear(&trial->message);
    mailbox_list_clear(&trial->from);
    recipients_clear(&trial->recipients);
    envelope_clear(&trial->envelope);
    account_clear(&trial->account);
    server_dialogue_clear(&trial->dialogue);
}

/* ---- What was known of a recipient. */

bool trial_was_judged(const struct attempt *attempt)
{
    return attempt->route.policy != NULL && attempt->route.reply == REPLY_RECIPIENT_OK;
}

enum phase trial_phase_of(const struct trial *trial, const struct attempt *attempt)
{
    return attempt->is_accepted ? trial->phase : PHASE_RCPT;
}

struct facts trial_facts(const struct trial *trial, const struct attempt *attempt,
                         enum phase phase)
{
    struct facts facts = trial->facts;

    facts.phase = phase;
    facts.recipient = &attempt->recipient.address;
    facts.recipient_count = trial->recipients.accepted_count;
    if (!attempt->is_accepted) { /* so many were accepted before it */
        facts.recipient_count = 0;
        for (const struct attempt *a = trial->recipients.attempts; a < attempt; a++)
            facts.recipient_count += a->is_accepted;
    }
    return facts;
}

const struct findings *trial_findings(const struct trial *trial)
{
    return trial->checks != NULL ? check_run_findings(trial->checks) : NULL;
}
