/* SPDX-License-Identifier: BSD-2-Clause */
/* Mails that the log remembers; see logged_mail.h. */
#include "tools/logged_mail.h"

#include <string.h>

#include "base/memory.h"
#include "base/number.h"

/* ---- Recipients: "user@example.org:250", "user@example.org:550:relay.denied". */

/* A comma in a quoted local part separates nothing. */
static struct slice next_item(struct slice *rest)
{
    struct slice item;
    bool is_quoted = false;
    size_t end = 0;

    while (end < rest->length && (is_quoted || rest->data[end] != ',')) {
        if (rest->data[end] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[end] == '\\')
            end++;
        end++;
    }
    item = slice_until(*rest, end);
    *rest = slice_from_offset(*rest, end < rest->length ? end + 1 : end);
    return item;
}

/* The code begins behind the domain, which may be a literal with colons of its own. */
static struct slice take_address(struct slice item)
{
    size_t from = 0;
    size_t end;

    if (!slice_find_last_byte(item, '@', &from))
        from = 0;
    if (slice_find_byte(slice_from_offset(item, from), ']', &end))
        from += end;
    if (slice_find_byte(slice_from_offset(item, from), ':', &end))
        return slice_until(item, from + end);
    return item;
}

static void read_recipients(struct logged_mail *logged, const char *value)
{
    struct slice rest = slice_from(value);
    size_t capacity = 0;

    while (rest.length > 0) {
        struct slice address = take_address(next_item(&rest));

        logged->recipients = mem_grow(logged->recipients, logged->recipient_count, &capacity,
                                      sizeof *logged->recipients);
        logged->recipients[logged->recipient_count++] = mem_copy(address);
    }
    logged->mail.recipients = (const char *const *)logged->recipients;
    logged->mail.recipient_count = logged->recipient_count;
}

/* ---- Findings. */

static bool read_result(const char *word, enum check_result *result)
{
    for (int i = 0; word != NULL && i < RESULT_COUNT; i++)
        if (strcmp(word, result_word((enum check_result)i)) == 0) {
            *result = (enum check_result)i;
            return true;
        }
    return false;
}

static char *keep(const char *value)
{
    return value != NULL ? mem_copy(slice_from(value)) : NULL;
}

/* Only those that pass are in the line. */
static void read_signatures(struct dkim_finding *dkim, const char *domains)
{
    struct slice rest = slice_from(domains);
    size_t capacity = 0;

    while (rest.length > 0) {
        struct slice domain = next_item(&rest);

        dkim->signatures = mem_grow(dkim->signatures, dkim->signature_count, &capacity,
                                    sizeof *dkim->signatures);
        dkim->signatures[dkim->signature_count++] =
            (struct dkim_signature){ .result = RESULT_PASS, .domain = mem_copy(domain) };
    }
}

/* Of a chain that passes the line names the newest sealer, which is all that a rule asks for. */
static void read_arc(struct arc_finding *arc, const char *sealer)
{
    if (sealer == NULL)
        return;
    arc->sealers = mem_new_array(1, sizeof *arc->sealers);
    arc->sealers[0] = keep(sealer);
    arc->sealer_count = arc->set_count = 1;
}

static void read_findings(struct findings *findings, const struct log_line *line)
{
    const char *wish = log_line_find(line, "dmarc_p");

    if (read_result(log_line_find(line, "spf"), &findings->spf.result))
        findings->done |= CHECK_BIT(CHECK_SPF);
    findings->spf.domain = keep(log_line_find(line, "spf_dom"));
    if (read_result(log_line_find(line, "spf_helo"), &findings->spf_helo.result))
        findings->done |= CHECK_BIT(CHECK_SPF_HELO);
    if (read_result(log_line_find(line, "dkim"), &findings->dkim.result))
        findings->done |= CHECK_BIT(CHECK_DKIM);
    read_signatures(&findings->dkim, log_line_find(line, "dkim_dom"));
    if (read_result(log_line_find(line, "dmarc"), &findings->dmarc.result))
        findings->done |= CHECK_BIT(CHECK_DMARC);
    if (read_result(log_line_find(line, "arc"), &findings->arc.result))
        findings->done |= CHECK_BIT(CHECK_ARC);
    read_arc(&findings->arc, log_line_find(line, "arc_sealer"));
    for (int i = 0; wish != NULL && i < DMARC_POLICY_COUNT; i++)
        if (strcmp(wish, dmarc_policy_word((enum dmarc_policy)i)) == 0) {
            findings->dmarc.policy = (enum dmarc_policy)i;
            findings->dmarc.record_domain = keep("");
        }
}

/* ---- The whole. */

static bool is_hidden(const char *address)
{
    return address[0] == '@';
}

static bool was_about_mail(const struct log_line *line)
{
    const char *event = log_line_find(line, "event");
    const char *verdict = log_line_find(line, "verdict");

    return event != NULL && strcmp(event, "transaction") == 0 && verdict != NULL &&
           strcmp(verdict, "abort") != 0 && log_line_find(line, "from") != NULL &&
           log_line_find(line, "rcpts") != NULL && log_line_find(line, "helo") != NULL;
}

enum logged_result logged_mail_init(struct logged_mail *logged, const struct log_line *line)
{
    const char *client = log_line_find(line, "client");
    const char *size = log_line_find(line, "size");
    struct ip_endpoint endpoint;

    *logged = (struct logged_mail){ .recipients = NULL };
    if (!was_about_mail(line) || client == NULL ||
        !ip_endpoint_parse(slice_from(client), &endpoint))
        return LOGGED_OTHER;
    logged->memory = (struct trial_memory){ .findings = &logged->findings,
                                            .author = log_line_find(line, "header_from") };
    if (size != NULL)
        logged->memory.has_content =
            number_parse(slice_from(size), UINT64_MAX, &logged->memory.size_bytes);
    logged->mail = (struct trial_mail){
        .sender = log_line_find(line, "from"),
        .client = endpoint.address,
        .helo = log_line_find(line, "helo"),
        .listener = log_line_find(line, "listener"),
        .tls = log_line_find(line, "tls"),
        .memory = &logged->memory,
    };
    read_recipients(logged, log_line_find(line, "rcpts"));
    read_findings(&logged->findings, line);
    if (is_hidden(logged->mail.sender) || is_hidden(logged->recipients[0]))
        return LOGGED_HIDDEN;
    return LOGGED_OK;
}

void logged_mail_clear(struct logged_mail *logged)
{
    for (size_t i = 0; i < logged->recipient_count; i++)
        mem_free(logged->recipients[i]);
    mem_free(logged->recipients);
    findings_clear(&logged->findings);
    *logged = (struct logged_mail){ .recipients = NULL };
}
