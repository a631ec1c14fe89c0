/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the server dialogue, one function each: first whether the
 * command is in its place, then its argument, then the reply or the question to
 * the owner. The table at the end says what holds for a verb in every state.
 */
#include "smtp/server_commands.h"

#include "base/memory.h"
#include "smtp/command.h"
#include "smtp/server_state.h"

/* ---- HELO, EHLO ---- */

static const struct {
    unsigned int extension;
    const char *keyword;
} keywords[] = {
    { SERVER_PIPELINING, "PIPELINING" },
    { SERVER_SIZE, "SIZE" },
    { SERVER_STARTTLS, "STARTTLS" },
    { SERVER_8BITMIME, "8BITMIME" },
    { SERVER_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES" },
    { SERVER_DSN, "DSN" },
    { SERVER_SMTPUTF8, "SMTPUTF8" },
    { SERVER_CHUNKING, "CHUNKING" },
    { SERVER_PRDR, "PRDR" },
};

#define KEYWORD_COUNT (sizeof keywords / sizeof keywords[0])

/* What this session may use now. */
static unsigned int find_extensions(const struct server_dialogue *dialogue)
{
    unsigned int extensions = dialogue->options->extensions & dialogue->offered;

    return dialogue->is_secured ? extensions & ~(unsigned int)SERVER_STARTTLS : extensions;
}

/* RFC 5321 4.1.1.1; no enhanced code here (RFC 2034 3). */
static void print_hello(const struct server_dialogue *dialogue, struct text *out)
{
    unsigned int rest = dialogue->extensions;

    text_add_format(out, "250%c%s\r\n", rest != 0 ? '-' : ' ', dialogue->options->hostname);
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        if ((rest & keywords[i].extension) == 0)
            continue;
        rest &= ~keywords[i].extension;
        text_add_format(out, "250%c%s", rest != 0 ? '-' : ' ', keywords[i].keyword);
        if (keywords[i].extension == SERVER_SIZE && dialogue->max_size_bytes > 0)
            text_add_format(out, " %llu", (unsigned long long)dialogue->max_size_bytes);
        text_add(out, SLICE("\r\n"));
    }
}

static enum server_event start_session(struct server_dialogue *dialogue, struct slice name,
                                       bool is_extended, struct text *out)
{
    if (!command_is_hello_name(name))
        return server_state_say(dialogue, REPLY_SYNTAX, out);
    mem_free(dialogue->hello_name);
    dialogue->hello_name = mem_copy(name);
    dialogue->is_extended = is_extended;
    dialogue->extensions = is_extended ? find_extensions(dialogue) : 0;
    server_state_end_transaction(dialogue);
    server_state_enter(dialogue, SERVER_STATE_READY);
    print_hello(dialogue, out);
    return SERVER_EVENT_HELLO;
}

static enum server_event run_helo(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    return start_session(dialogue, argument, false, out);
}

static enum server_event run_ehlo(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    return start_session(dialogue, argument, true, out);
}

/* ---- MAIL, RCPT, DATA ---- */

static bool is_between_chunks(const struct server_dialogue *dialogue)
{
    return dialogue->state == SERVER_STATE_CHUNKING ||
           dialogue->state == SERVER_STATE_CHUNKS_LOST;
}

/* What to say of the argument of MAIL or RCPT. */
static enum server_reply find_problem_reply(enum command_problem problem,
                                            enum server_reply bad_address)
{
    switch (problem) {
    case COMMAND_OK:
        return REPLY_OK;
    case COMMAND_SYNTAX:
        return REPLY_SYNTAX;
    case COMMAND_BAD_ADDRESS:
        return bad_address;
    case COMMAND_ADDRESS_NEEDS_UTF8:
        return REPLY_ADDRESS_NEEDS_UTF8;
    case COMMAND_BAD_PARAMETER:
        return REPLY_BAD_PARAMETER;
    case COMMAND_UNKNOWN_PARAMETER:
        return REPLY_UNKNOWN_PARAMETER;
    }
    return REPLY_SYNTAX;
}

/* The owner looks for mail by its addresses, also where one of them is the reason. */
static void keep_given(struct address *address, struct slice argument)
{
    size_t colon;

    if (address->text != NULL)
        return;
    if (slice_find_byte(argument, ':', &colon))
        argument = slice_from_offset(argument, colon + 1);
    address_set_raw(address, argument);
}

static enum server_event ask(struct server_dialogue *dialogue, enum server_event event)
{
    dialogue->owed = event;
    return event;
}

static enum server_event run_mail(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    enum server_reply problem;

    if (dialogue->state == SERVER_STATE_FRESH)
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_HELLO, out);
    if (is_between_chunks(dialogue))
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_CHUNKS, out);
    if (dialogue->state != SERVER_STATE_READY)
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_NESTED, out);
    problem = find_problem_reply(command_parse_mail(argument, dialogue->extensions,
                                                    &dialogue->mail, &dialogue->is_prdr),
                                 REPLY_BAD_SENDER);
    if (dialogue->options->is_tls_required && !dialogue->is_secured)
        problem = REPLY_TLS_REQUIRED;
    else if (problem == REPLY_OK && dialogue->mail.has_size && dialogue->max_size_bytes > 0 &&
             dialogue->mail.size_bytes > dialogue->max_size_bytes)
        problem = REPLY_MESSAGE_TOO_LARGE;
    if (problem == REPLY_OK)
        return ask(dialogue, SERVER_EVENT_MAIL);
    keep_given(&dialogue->mail.sender, argument);
    (void)server_state_say(dialogue, problem, out);
    return SERVER_EVENT_MAIL_REFUSED;
}

static enum server_event run_rcpt(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    enum server_reply problem;

    if (is_between_chunks(dialogue))
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_CHUNKS, out);
    if (dialogue->state != SERVER_STATE_MAIL && dialogue->state != SERVER_STATE_RCPT)
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_MAIL, out);
    problem = find_problem_reply(command_parse_rcpt(argument, dialogue->extensions,
                                                    dialogue->is_smtputf8, &dialogue->recipient),
                                 REPLY_BAD_RECIPIENT);
    if (problem == REPLY_OK && dialogue->recipient_count == dialogue->options->max_recipients)
        problem = REPLY_TOO_MANY_RECIPIENTS;
    if (problem == REPLY_OK)
        return ask(dialogue, SERVER_EVENT_RCPT);
    dialogue->was_recipient_refused = true;
    keep_given(&dialogue->recipient.address, argument);
    (void)server_state_say(dialogue, problem, out);
    return SERVER_EVENT_RCPT_REFUSED;
}

/* Why content may not come in this state; REPLY_OK when it may. */
static enum server_reply find_content_problem(const struct server_dialogue *dialogue)
{
    if (is_between_chunks(dialogue))
        return REPLY_BAD_SEQUENCE_CHUNKS;
    if (dialogue->state == SERVER_STATE_RCPT)
        return REPLY_OK;
    if (dialogue->state != SERVER_STATE_MAIL)
        return REPLY_BAD_SEQUENCE_MAIL;
    return dialogue->was_recipient_refused ? REPLY_NO_VALID_RECIPIENTS : REPLY_BAD_SEQUENCE_RCPT;
}

static enum server_event run_data(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    enum server_reply problem = find_content_problem(dialogue);

    (void)argument;
    if (problem != REPLY_OK)
        return server_state_say(dialogue, problem, out);
    dialogue->is_chunked = false;
    return ask(dialogue, SERVER_EVENT_DATA);
}

/* ---- BDAT (RFC 3030 2) ---- */

/*
 * The octets of a refused chunk come all the same, and the reply is due behind them. A transaction
 * that lost a chunk can never be completed: were it left open, the next chunk might pass for all.
 */
static enum server_event refuse_chunk(struct server_dialogue *dialogue, struct reply reply)
{
    bool is_in_transaction = server_dialogue_has_transaction(dialogue);

    dialogue->after_chunk = dialogue->state;
    if (is_in_transaction)
        dialogue->after_chunk =
            dialogue->is_last_chunk ? SERVER_STATE_READY : SERVER_STATE_CHUNKS_LOST;
    dialogue->refusal = reply;
    server_state_enter(dialogue, SERVER_STATE_CHUNK_REFUSED);
    return SERVER_EVENT_ANSWERED;
}

static enum server_event run_bdat(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    enum server_reply problem = find_content_problem(dialogue);

    if (command_parse_bdat(argument, &dialogue->chunk_left, &dialogue->is_last_chunk) !=
        COMMAND_OK) {
        struct reply reply = server_reply_get(REPLY_BAD_CHUNK_SIZE);

        return server_state_close(dialogue, &reply, reply.reason, out);
    }
    if (dialogue->state == SERVER_STATE_CHUNKING) {
        server_state_enter(dialogue, SERVER_STATE_CHUNK);
        return SERVER_EVENT_ANSWERED;
    }
    if ((dialogue->extensions & SERVER_CHUNKING) == 0)
        return refuse_chunk(dialogue, server_reply_get(REPLY_NOT_IMPLEMENTED));
    if (dialogue->refusal.code != 0) /* given between two chunks */
        return refuse_chunk(dialogue, dialogue->refusal);
    if (problem != REPLY_OK)
        return refuse_chunk(dialogue, server_reply_get(problem));
    dialogue->is_chunked = true;
    return ask(dialogue, SERVER_EVENT_DATA);
}

/* ---- The rest ---- */

static enum server_event run_rset(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    (void)argument;
    server_state_end_transaction(dialogue);
    if (dialogue->state != SERVER_STATE_FRESH)
        server_state_enter(dialogue, SERVER_STATE_READY);
    server_state_say(dialogue, REPLY_OK, out);
    return SERVER_EVENT_RESET;
}

static enum server_event run_noop(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    (void)argument;
    return server_state_say(dialogue, REPLY_OK, out);
}

static enum server_event run_quit(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    struct reply reply = server_reply_get(REPLY_BYE);

    (void)argument;
    return server_state_close(dialogue, &reply, "quit", out);
}

static enum server_event run_help(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    (void)argument;
    return server_state_say(dialogue, REPLY_HELP, out);
}

/* Whatever the argument is, so that nothing can be learnt, not even what a valid one would be. */
static enum server_event answer_probe(struct server_dialogue *dialogue,
                                      enum server_probe_answer answer, struct text *out)
{
    bool is_hidden = answer == SERVER_PROBE_HIDE;

    return server_state_say(dialogue, is_hidden ? REPLY_PROBE_HIDDEN : REPLY_PROBE_REFUSED, out);
}

static enum server_event run_vrfy(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    (void)argument;
    return answer_probe(dialogue, dialogue->options->vrfy, out);
}

static enum server_event run_expn(struct server_dialogue *dialogue, struct slice argument,
                                  struct text *out)
{
    (void)argument;
    return answer_probe(dialogue, dialogue->options->expn, out);
}

/* RFC 3207 4. Clients that skip EHLO lose nothing by it: they must say it again inside. */
static enum server_event run_starttls(struct server_dialogue *dialogue, struct slice argument,
                                      struct text *out)
{
    (void)argument;
    if (dialogue->is_secured)
        return server_state_say(dialogue, REPLY_TLS_ALREADY, out);
    if ((find_extensions(dialogue) & SERVER_STARTTLS) == 0)
        return server_state_say(dialogue, REPLY_TLS_NOT_OFFERED, out);
    if (is_between_chunks(dialogue))
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_CHUNKS, out);
    if (server_dialogue_has_transaction(dialogue))
        return server_state_say(dialogue, REPLY_BAD_SEQUENCE_NESTED, out);
    server_state_say(dialogue, REPLY_START_TLS, out);
    server_state_enter(dialogue, SERVER_STATE_SECURING);
    return SERVER_EVENT_START_TLS;
}

static enum server_event run_refused(struct server_dialogue *dialogue, struct slice argument,
                                     struct text *out)
{
    (void)argument;
    return server_state_say(dialogue, REPLY_NOT_IMPLEMENTED, out);
}

static enum server_event run_unknown(struct server_dialogue *dialogue, struct slice argument,
                                     struct text *out)
{
    (void)argument;
    return server_state_say(dialogue, REPLY_UNKNOWN_COMMAND, out);
}

/* ---- Any command ---- */

struct command_rule {
    enum server_event (*run)(struct server_dialogue *dialogue, struct slice argument,
                             struct text *out);
    bool takes_argument; /* else one is an error */
    bool ends_group;     /* the client must wait for the reply (RFC 2920 3.1) */
    bool has_octets;     /* what follows belongs to it */
    bool is_mail;        /* else it counts towards max_commands_without_mail */
};

static const struct command_rule rules[] = {
    [COMMAND_HELO] = { .run = run_helo, .takes_argument = true, .ends_group = true },
    [COMMAND_EHLO] = { .run = run_ehlo, .takes_argument = true, .ends_group = true },
    [COMMAND_MAIL] = { .run = run_mail, .takes_argument = true },
    [COMMAND_RCPT] = { .run = run_rcpt, .takes_argument = true, .is_mail = true },
    [COMMAND_DATA] = { .run = run_data, .ends_group = true, .is_mail = true },
    [COMMAND_BDAT] = { .run = run_bdat, .takes_argument = true, .has_octets = true,
                       .is_mail = true },
    [COMMAND_RSET] = { .run = run_rset },
    [COMMAND_NOOP] = { .run = run_noop, .takes_argument = true },
    [COMMAND_QUIT] = { .run = run_quit, .is_mail = true },
    [COMMAND_VRFY] = { .run = run_vrfy, .takes_argument = true },
    [COMMAND_EXPN] = { .run = run_expn, .takes_argument = true },
    [COMMAND_HELP] = { .run = run_help, .takes_argument = true },
    [COMMAND_STARTTLS] = { .run = run_starttls, .ends_group = true },
    [COMMAND_REFUSED] = { .run = run_refused, .takes_argument = true },
    [COMMAND_UNKNOWN] = { .run = run_unknown, .takes_argument = true },
};

/*
 * Input that waits behind a command whose reply decides what comes next was not written by a
 * client that reads replies. Behind STARTTLS it is plain text that wants to pass for protected;
 * behind DATA it may be content that, were DATA refused, would be read as commands.
 */
static enum server_event close_early_input(struct server_dialogue *dialogue,
                                           enum command_verb verb, struct text *out)
{
    struct reply reply = server_reply_get(verb == COMMAND_STARTTLS ? REPLY_TLS_INJECTION
                                                                   : REPLY_EARLY_INPUT);

    return server_state_close(dialogue, &reply, reply.reason, out);
}

static bool is_early_input(const struct server_dialogue *dialogue, const struct command_rule *rule)
{
    bool may_pipeline = (dialogue->options->extensions & SERVER_PIPELINING) != 0;

    return rule->ends_group || (!may_pipeline && !rule->has_octets);
}

bool server_commands_close_spent(struct server_dialogue *dialogue, struct text *out)
{
    const struct server_options *options = dialogue->options;

    if (options->max_errors > 0 && dialogue->error_count >= options->max_errors)
        server_state_say(dialogue, REPLY_TOO_MANY_ERRORS, out);
    else if (options->max_commands_without_mail > 0 &&
             dialogue->idle_command_count >= options->max_commands_without_mail)
        server_state_say(dialogue, REPLY_TOO_MANY_COMMANDS, out);
    return dialogue->state == SERVER_STATE_CLOSED;
}

bool server_commands_close_foreign(struct server_dialogue *dialogue, struct slice line,
                                   struct text *out)
{
    struct command command = command_parse(line);
    struct reply reply = server_reply_get(REPLY_FOREIGN_PROTOCOL);
    const char *reason = command_find_foreign(&command, line);

    if (reason == NULL)
        return false;
    reply.reason = reason;
    server_state_close(dialogue, &reply, reason, out);
    return true;
}

enum server_event server_commands_run(struct server_dialogue *dialogue, struct slice line,
                                      bool is_followed, struct text *out)
{
    struct command command = command_parse(line);
    const struct command_rule *rule = &rules[command.verb];

    if (server_commands_close_foreign(dialogue, line, out) ||
        server_commands_close_spent(dialogue, out))
        return SERVER_EVENT_CLOSE;
    if (is_followed && is_early_input(dialogue, rule))
        return close_early_input(dialogue, command.verb, out);
    if (!rule->is_mail)
        dialogue->idle_command_count++;
    if (command_has_bad_bytes(&command, line, (dialogue->extensions & SERVER_SMTPUTF8) != 0))
        return server_state_say(dialogue, REPLY_BAD_BYTES, out);
    if (!rule->takes_argument && command.argument.length > 0)
        return server_state_say(dialogue, REPLY_SYNTAX, out);
    return rule->run(dialogue, command.argument, out);
}
