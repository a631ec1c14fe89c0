/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of a transaction: which are run, and what is said of them. What needs
 * only the envelope is run when the first recipient whose policy wants it is named,
 * and that waits for it; the rest behind the end of data.
 */
#include "flow/transaction_internal.h"

static const struct config_checks *settings_of(const struct transaction *transaction)
{
    return &transaction->party.shared->settings.config->checks;
}

static bool take_memory(void *owner, uint64_t bytes)
{
    struct transaction *transaction = owner;

    return intake_take_extra(&transaction->intake, bytes);
}

static void give_back_memory(void *owner, uint64_t bytes)
{
    struct transaction *transaction = owner;

    intake_give_back_extra(&transaction->intake, bytes);
}

static const struct check_run_events events = {
    .on_done = transaction_on_checked,
    .take_memory = take_memory,
    .give_back_memory = give_back_memory,
};

static void need_checks(struct transaction *transaction)
{
    if (transaction->checks != NULL)
        return;
    transaction->checks = check_run_new(&transaction->party.shared->checks, &transaction->facts,
                                        &events, transaction);
    transaction->facts.findings = check_run_findings(transaction->checks);
}

bool transaction_check_sender(struct transaction *transaction, const struct attempt *attempt)
{
    unsigned int checks = attempt_checks(attempt) & CHECK_RUN_OF_SENDER;

    if (checks == 0)
        return true;
    need_checks(transaction);
    return check_run_start(transaction->checks, checks);
}

static unsigned int find_checks(const struct transaction *transaction)
{
    return recipients_checks(&transaction->recipients, &transaction->party);
}

void transaction_open_checks(struct transaction *transaction)
{
    unsigned int checks = find_checks(transaction);

    if (checks == 0)
        return;
    need_checks(transaction);
    check_run_open_content(transaction->checks, checks);
}

void transaction_check_content(struct transaction *transaction, struct slice content)
{
    if (transaction->checks != NULL)
        check_run_take_content(transaction->checks, &transaction->intake.message, content);
}

bool transaction_is_costly(const struct transaction *transaction)
{
    return transaction->checks != NULL && check_run_is_hashing(transaction->checks);
}

void transaction_check_message(struct transaction *transaction)
{
    if (transaction->checks == NULL || transaction->intake.problem != REPLY_OK)
        return;
    check_run_end_content(transaction->checks, &transaction->intake.message);
    if (transaction->intake.problem == REPLY_OK)
        transaction->are_checks_awaited =
            !check_run_start(transaction->checks, find_checks(transaction));
}

void transaction_note_findings(struct transaction *transaction)
{
    if (transaction->checks != NULL)
        account_set_findings(&transaction->account, check_run_findings(transaction->checks),
                             check_run_question_count(transaction->checks),
                             check_run_waited_ms(transaction->checks));
}

static bool has_ended(const struct findings *findings, enum check_id check)
{
    return (findings->done & CHECK_BIT(check)) != 0;
}

void transaction_print_results(const struct transaction *transaction, struct text *out)
{
    const struct findings *findings = transaction->facts.findings;
    const struct address *sender = transaction->facts.sender;
    struct authres results = {
        .id = transaction->party.shared->settings.config->authserv_id,
        .mail_from = address_text(sender),
        .helo = slice_from(transaction->facts.helo),
    };

    if (findings == NULL || settings_of(transaction)->results == SHOWN_NONE)
        return;
    results.spf_mail = has_ended(findings, CHECK_SPF) ? &findings->spf : NULL;
    results.spf_helo = has_ended(findings, CHECK_SPF_HELO) ? &findings->spf_helo : NULL;
    results.dkim = has_ended(findings, CHECK_DKIM) ? &findings->dkim : NULL;
    results.dmarc = findings_result(findings, CHECK_DMARC);
    results.dmarc_problem = findings->dmarc.problem;
    results.dmarc_domain = findings->dmarc.domain;
    results.dmarc_policy = findings->dmarc.record_domain != NULL
                               ? dmarc_policy_word(findings->dmarc.policy)
                               : NULL;
    results.arc = has_ended(findings, CHECK_ARC) ? &findings->arc : NULL;
    authres_print(out, &results);
    if (settings_of(transaction)->has_received_spf)
        authres_print_received_spf(out, &results, &transaction->facts.client.address);
}
