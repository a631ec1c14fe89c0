/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern explain: what would become of one mail, and why, by the code of a live
 * session. With a zone file nothing goes to the network.
 */
#include <stdio.h>

#include "tools/explanation.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#define NAME "explain"
#define MAX_ZONE_BYTES (16u << 20)
#define MAX_MESSAGE_BYTES (512u << 20)
#define SENTENCE_BYTES 1000

struct explain_values {
    const char *path;
    const char *sender;
    struct option_texts recipients;
    const char *client;
    const char *helo;
    const char *message_path;
    const char *zone_path;
    const char *tls;
    const char *listener;
    bool is_json;
};

/* What the options name, read. */
struct explain_input {
    struct configuration configuration;
    struct zone *zone;          /* NULL: ask the network */
    struct text content;
    struct trial_mail mail;
};

/* ---- From words to a mail. */

static bool read_zone(struct explain_input *input, const char *path, struct text *problem)
{
    struct text bytes;

    if (path == NULL)
        return true;
    text_init(&bytes, MAX_ZONE_BYTES);
    if (file_read(path, &bytes, problem))
        input->zone = bench_read_zone(path, text_slice(&bytes), problem);
    text_clear(&bytes);
    return input->zone != NULL;
}

static bool read_message(struct explain_input *input, const char *path, struct text *problem)
{
    struct text bytes;
    bool is_read;

    if (path == NULL)
        return true;
    text_init(&bytes, MAX_MESSAGE_BYTES);
    is_read = file_read(path, &bytes, problem);
    file_add_with_crlf(&input->content, text_slice(&bytes));
    text_clear(&bytes);
    input->mail.content = text_slice(&input->content);
    input->mail.has_content = true;
    return is_read;
}

static bool check_words(const struct explain_values *values, struct trial_mail *mail,
                        struct text *problem)
{
    if (values->sender == NULL)
        text_add_string(problem, "--from ADDRESS is missing; \"\" is the null sender");
    else if (values->recipients.count == 0)
        text_add_string(problem, "--rcpt ADDRESS is missing");
    else if (values->client == NULL)
        text_add_string(problem, "--ip ADDRESS of the client is missing");
    else if (values->helo == NULL)
        text_add_string(problem, "--helo NAME of the client is missing");
    else if (!ip_parse(slice_from(values->client), &mail->client))
        text_add_format(problem, "--ip takes an IP address, and \"%s\" is none", values->client);
    else if (values->tls != NULL && trial_tls_version(values->tls) == NULL)
        text_add_format(problem, "--tls takes 1.0, 1.1, 1.2 or 1.3, not \"%s\"", values->tls);
    else
        return true;
    return false;
}

static bool prepare(struct explain_input *input, const struct explain_values *values,
                    struct text *problem)
{
    input->mail = (struct trial_mail){
        .sender = values->sender,
        .recipients = values->recipients.items,
        .recipient_count = values->recipients.count,
        .helo = values->helo,
        .listener = values->listener,
        .tls = values->tls,
    };
    return check_words(values, &input->mail, problem) &&
           read_zone(input, values->zone_path, problem) &&
           read_message(input, values->message_path, problem) &&
           configuration_open(&input->configuration, values->path);
}

/* ---- What became of it. */

static void print(const struct trial *trial, bool is_json)
{
    struct text out;
    struct json json = { .out = &out };

    text_init(&out, TEXT_MAX_LENGTH);
    if (is_json) {
        json_open(&json, NULL, '{');
        explanation_print_json(&json, trial);
        json_close(&json, '{');
        text_add_byte(&out, '\n');
    } else {
        explanation_print(&out, trial);
    }
    fwrite(out.data, 1, out.length, stdout);
    text_clear(&out);
}

static enum tool_exit exit_of(const struct trial *trial)
{
    bool is_refused = trial->is_over && !reply_is_success(&trial->reply);

    return is_refused ? TOOL_REFUSED : TOOL_DONE;
}

static enum tool_exit explain(const struct explain_input *input, bool is_json,
                              struct text *problem)
{
    enum tool_exit result = TOOL_UNABLE;
    struct bench bench;
    struct trial trial;

    if (bench_open(&bench, &input->configuration, input->zone, problem) &&
        trial_run(&trial, &bench, &input->mail, problem)) {
        print(&trial, is_json);
        result = exit_of(&trial);
        trial_clear(&trial);
    }
    bench_close(&bench);
    return result;
}

static enum tool_exit run(const void *memory, const char *const *operands)
{
    const struct explain_values *values = memory;
    struct explain_input input = { .zone = NULL };
    enum tool_exit result = TOOL_UNABLE;
    struct text problem;

    (void)operands;
    text_init(&problem, SENTENCE_BYTES);
    text_init(&input.content, TEXT_MAX_LENGTH);
    if (prepare(&input, values, &problem))
        result = explain(&input, values->is_json, &problem);
    if (problem.length > 0)
        tool_complain(NAME, "%s", text_string(&problem));
    configuration_close(&input.configuration);
    zone_free(&input.zone);
    text_clear(&input.content);
    text_clear(&problem);
    return result;
}

static void set_defaults(void *memory)
{
    struct explain_values *values = memory;

    values->path = TOOL_DEFAULT_CONFIG;
}

#define FIELD(field) offsetof(struct explain_values, field)

static const struct option options[] = {
    { "-c", OPTION_TEXT, FIELD(path), 0, "FILE", "default " TOOL_DEFAULT_CONFIG },
    { "--from", OPTION_TEXT, FIELD(sender), 0, "ADDRESS", "envelope sender; \"\" is the null one" },
    { "--rcpt", OPTION_TEXTS, FIELD(recipients), 0, "ADDRESS", "recipient" },
    { "--ip", OPTION_TEXT, FIELD(client), 0, "ADDRESS", "of the client" },
    { "--helo", OPTION_TEXT, FIELD(helo), 0, "NAME", "what the client calls itself" },
    { "--message", OPTION_TEXT, FIELD(message_path), 0, "FILE", "the message; - is stdin" },
    { "--zone", OPTION_TEXT, FIELD(zone_path), 0, "FILE", "what the DNS says; no network is used" },
    { "--tls", OPTION_TEXT, FIELD(tls), 0, "VERSION", "1.2: the client's TLS; default: none" },
    { "--listener", OPTION_TEXT, FIELD(listener), 0, "NAME", "default: the first for inbound" },
    { "--json", OPTION_FLAG, FIELD(is_json), 0, NULL, "one JSON object" },
};

const struct subcommand subcommand_explain = {
    .name = NAME,
    .operands = "",
    .summary = "say what would become of a mail, and why",
    .description =
        "Tries one mail on the configuration, by the code of a live session: what the\n"
        "checks find, each rule that is tried and what it is compared with, the verdict\n"
        "and the reply. Backends and disks are not asked; they are taken to say yes.\n"
        "Without --message only the envelope is tried. Without --zone the configured\n"
        "resolver is asked. Exit status 1 means that the mail would be refused.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct explain_values),
    .set_defaults = set_defaults,
    .run = run,
};
