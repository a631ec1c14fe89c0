/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postern quarantine: lists held mail, shows, releases and deletes it. All of it
 * is done by the keeper, which alone touches the folder; here words are made into
 * a request, and answers into output.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "daemon/disk.h"
#include "net/packet.h"
#include "quarantine/request.h"
#include "tools/files.h"
#include "tools/output.h"
#include "tools/subcommand.h"

#define NAME "quarantine"
#define BLOCK_BYTES (64u * 1024)
#define MAX_IDS_BYTES (1u << 20)

struct quarantine_values {
    const char *path;
    bool is_json;
    bool is_ids;
    bool is_again;
    struct option_texts states;
    const char *sender;
    const char *recipient;
    const char *client;
    const char *reason;
    const char *text;
    uint64_t newer_ms;
    uint64_t older_ms;
    uint64_t limit;
};

/* ---- From words to a request. */

/* Which verbs an option belongs to, as bits 1 << enum request_verb. */
#define ALL ((1u << REQUEST_VERB_COUNT) - 1)
#define LISTS (1u << REQUEST_LIST)
#define CHANGES (1u << REQUEST_RELEASE | 1u << REQUEST_DELETE)

static bool find_verb(const char *word, enum request_verb *verb)
{
    for (int i = 0; i < REQUEST_VERB_COUNT; i++)
        if (strcmp(word, request_verb_name((enum request_verb)i)) == 0) {
            *verb = (enum request_verb)i;
            return true;
        }
    tool_complain(NAME, "\"%s\" is none of list, show, export, release, delete and expire", word);
    return false;
}

static bool check_options(const struct quarantine_values *values, enum request_verb verb)
{
    const struct {
        const char *name;
        bool is_given;
        unsigned int verbs;
    } uses[] = {
        { "--json", values->is_json, ALL & ~(1u << REQUEST_EXPORT) },
        { "--ids", values->is_ids, LISTS },
        { "--again", values->is_again, 1u << REQUEST_RELEASE },
        { "--state", values->states.count > 0, LISTS },
        { "--from", values->sender != NULL, LISTS },
        { "--to", values->recipient != NULL, LISTS | CHANGES },
        { "--client", values->client != NULL, LISTS },
        { "--reason", values->reason != NULL, LISTS },
        { "--text", values->text != NULL, LISTS },
        { "--newer", values->newer_ms != 0, LISTS },
        { "--older", values->older_ms != 0, LISTS },
        { "--limit", values->limit != 0, LISTS },
    };

    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (uses[i].is_given && (uses[i].verbs >> verb & 1) == 0) {
            tool_complain(NAME, "%s has no meaning with %s", uses[i].name,
                          request_verb_name(verb));
            return false;
        }
    if (values->is_json && values->is_ids) {
        tool_complain(NAME, "--json and --ids contradict each other");
        return false;
    }
    return true;
}

static bool add_states(const struct quarantine_values *values, struct index_filter *filter)
{
    for (size_t i = 0; i < values->states.count; i++) {
        const char *word = values->states.items[i];
        int state = 0;

        while (state < COPY_STATE_COUNT &&
               strcmp(word, copy_state_name((enum copy_state)state)) != 0)
            state++;
        if (strcmp(word, "all") == 0) {
            filter->states = (1u << COPY_STATE_COUNT) - 1;
        } else if (state < COPY_STATE_COUNT) {
            filter->states |= 1u << state;
        } else {
            tool_complain(NAME, "there is no state \"%s\"; take pending, held, releasing, "
                                "uncertain, released, deleted, expired, erased or all", word);
            return false;
        }
    }
    return true;
}

static bool make_filter(const struct quarantine_values *values, struct index_filter *filter)
{
    uint64_t now_us = clock_wall_us();

    filter->sender = values->sender;
    filter->recipient = values->recipient;
    filter->client = values->client;
    filter->reason = values->reason;
    filter->text = values->text;
    filter->limit = (size_t)values->limit;
    if (values->newer_ms > 0)
        filter->since_us = request_count_back(now_us, values->newer_ms);
    if (values->older_ms > 0)
        filter->before_us = request_count_back(now_us, values->older_ms);
    return add_states(values, filter);
}

static bool add_id(struct request *request, const char *id)
{
    if (!copy_id_is_valid(slice_from(id))) {
        tool_complain(NAME, "\"%s\" is no id of a mail", id);
        return false;
    }
    if (request->id_count == REQUEST_MAX_IDS) {
        tool_complain(NAME, "more than %d ids at once", REQUEST_MAX_IDS);
        return false;
    }
    request_add_id(request, id);
    return true;
}

/* "-": the first word of each line of standard input. `words` keeps the bytes. */
static bool read_ids(struct request *request, struct text *words)
{
    struct text problem;
    char *next;
    bool is_read;

    text_init(&problem, 500);
    is_read = file_read("-", words, &problem);
    if (!is_read)
        tool_complain(NAME, "%s", text_string(&problem));
    text_clear(&problem);
    next = words->data;
    while (is_read && next != NULL && *next != '\0') {
        char *line = next;
        size_t length = strcspn(line, "\n");

        next = line + length + (line[length] == '\n');
        line[strcspn(line, " \t\r\n")] = '\0';
        is_read = line[0] == '\0' || add_id(request, line);
    }
    return is_read;
}

static bool add_ids(struct request *request, const char *const *operands, struct text *words)
{
    bool wants_ids = request->verb != REQUEST_LIST && request->verb != REQUEST_EXPIRE;
    bool wants_one = request->verb == REQUEST_SHOW || request->verb == REQUEST_EXPORT;

    for (size_t i = 0; operands[i] != NULL; i++) {
        if (!wants_ids) {
            tool_complain(NAME, "%s takes no ids", request_verb_name(request->verb));
            return false;
        }
        if (strcmp(operands[i], "-") == 0 ? !read_ids(request, words)
                                          : !add_id(request, operands[i]))
            return false;
    }
    if ((wants_ids && request->id_count == 0) || (wants_one && request->id_count != 1)) {
        tool_complain(NAME, "%s takes %s", request_verb_name(request->verb),
                      wants_one ? "one id" : "ids, or - for those on standard input");
        return false;
    }
    return true;
}

/* ---- The way to the keeper. */

/* The quarantine's folder becomes the working directory: a socket's path must be short. */
static bool enter_folder(const char *path)
{
    struct sources *sources = sources_new(disk_fetch, NULL);
    struct diagnostics diagnostics;
    struct config *config;
    bool is_there = false;

    diagnostics_init(&diagnostics);
    config = config_new(sources, path, &diagnostics);
    if (config == NULL)
        tool_complain(NAME, "%s cannot be read; postern check says why", path);
    else if (!config->quarantine.is_set)
        tool_complain(NAME, "%s has no quarantine block", path);
    else if (chdir(config->quarantine.folder) != 0)
        tool_complain(NAME, "%s: %s", config->quarantine.folder, strerror(errno));
    else
        is_there = true;
    config_free(&config);
    diagnostics_clear(&diagnostics);
    return is_there;
}

static int connect_keeper(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REQUEST_SOCKET_NAME };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (errno == ENOENT || errno == ECONNREFUSED)
        tool_complain(NAME, "posternd does not run, or with another quarantine folder");
    else
        tool_complain(NAME, "cannot reach posternd: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- Answers. */

static bool copy_file(struct packet *packet, struct slice body)
{
    char *block = mem_resize(NULL, BLOCK_BYTES, 1);
    uint64_t left = 0;
    uint64_t offset = 0;
    bool is_whole = packet->fd_count == 1 && body.length == sizeof left;

    if (is_whole)
        memcpy(&left, body.data, sizeof left);
    while (is_whole && left > 0) {
        size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        ssize_t count = pread(packet->fds[0], block, wanted, (off_t)offset);

        is_whole = count > 0 && fwrite(block, 1, (size_t)count, stdout) == (size_t)count;
        left -= count > 0 ? (uint64_t)count : 0;
        offset += count > 0 ? (uint64_t)count : 0;
    }
    mem_free(block);
    return is_whole;
}

/* True while more is to come. */
static bool on_answer(struct packet *packet, struct slice body, enum tool_exit *result)
{
    uint32_t status;

    switch ((enum request_answer)packet->type) {
    case REQUEST_OUTPUT: fwrite(body.data, 1, body.length, stdout); return true;
    case REQUEST_ERROR: tool_complain(NAME, "%.*s", SLICE_ARGS(body)); return true;
    case REQUEST_FILE:
        if (copy_file(packet, body))
            return true;
        tool_complain(NAME, "the message could not be copied");
        return false;
    case REQUEST_END:
        if (body.length == sizeof status) {
            memcpy(&status, body.data, sizeof status);
            *result = status == 0 ? TOOL_DONE : TOOL_REFUSED;
        }
        return false;
    }
    tool_complain(NAME, "posternd answers with what this version does not know");
    return false;
}

static enum tool_exit take_answers(int fd)
{
    char *body = mem_resize(NULL, REQUEST_ANSWER_BYTES, 1);
    enum tool_exit result = TOOL_UNABLE;
    struct packet packet;
    bool is_going_on = true;

    while (is_going_on) {
        enum packet_result received =
            packet_receive(fd, &packet, body, REQUEST_ANSWER_BYTES);

        if (received == PACKET_DONE)
            is_going_on = on_answer(&packet, (struct slice){ body, packet.length }, &result);
        else
            tool_complain(NAME, "posternd went away before it had answered");
        packet_clear(&packet);
        is_going_on = is_going_on && received == PACKET_DONE;
    }
    mem_free(body);
    return result;
}

static enum tool_exit ask(const struct request *request, const char *path)
{
    enum tool_exit result = TOOL_UNABLE;
    struct text words;
    int fd = enter_folder(path) ? connect_keeper() : -1;

    if (fd < 0)
        return TOOL_UNABLE;
    text_init(&words, REQUEST_MAX_BYTES);
    request_print(&words, request);
    if (words.is_cut)
        tool_complain(NAME, "too much at once");
    else if (packet_send(fd, 0, text_slice(&words), NULL, 0) != PACKET_DONE)
        tool_complain(NAME, "cannot ask posternd: %s", strerror(errno));
    else
        result = take_answers(fd);
    text_clear(&words);
    close(fd);
    return result;
}

/* ---- The command. */

static enum tool_exit run(const void *memory, const char *const *operands)
{
    const struct quarantine_values *values = memory;
    enum tool_exit result = TOOL_UNABLE;
    enum request_verb verb;
    struct request request;
    struct text words;

    if (!find_verb(operands[0], &verb) || !check_options(values, verb))
        return TOOL_UNABLE;
    text_init(&words, MAX_IDS_BYTES);
    request_init(&request, verb);
    request.style = values->is_json  ? REQUEST_JSON
                    : values->is_ids ? REQUEST_IDS
                                     : REQUEST_FOR_PEOPLE;
    request.is_again = values->is_again;
    if (make_filter(values, &request.filter) && add_ids(&request, operands + 1, &words))
        result = ask(&request, values->path);
    request_clear(&request);
    text_clear(&words);
    return result;
}

static void set_defaults(void *memory)
{
    struct quarantine_values *values = memory;

    values->path = TOOL_DEFAULT_CONFIG;
}

#define FIELD(field) offsetof(struct quarantine_values, field)

static const struct option options[] = {
    { "-c", OPTION_TEXT, FIELD(path), 0, "FILE", "default " TOOL_DEFAULT_CONFIG },
    { "--json", OPTION_FLAG, FIELD(is_json), 0, NULL, "one JSON object a line" },
    { "--ids", OPTION_FLAG, FIELD(is_ids), 0, NULL, "list ids alone, for release - and delete -" },
    { "--state", OPTION_TEXTS, FIELD(states), 0, "STATE", "list mail in this state, or all" },
    { "--from", OPTION_TEXT, FIELD(sender), 0, "ADDRESS", "of this sender, or of @DOMAIN" },
    { "--to", OPTION_TEXT, FIELD(recipient), 0, "ADDRESS",
      "to this recipient, or to @DOMAIN (of release and delete: for this recipient alone)" },
    { "--client", OPTION_TEXT, FIELD(client), 0, "NETWORK", "that came from this address" },
    { "--reason", OPTION_TEXT, FIELD(reason), 0, "ID", "held for this reason; rule.x.* for all" },
    { "--text", OPTION_TEXT, FIELD(text), 0, "TEXT", "with this in the subject or From" },
    { "--newer", OPTION_DURATION, FIELD(newer_ms), 0, "TIME", "held within this time: 90m, 2d" },
    { "--older", OPTION_DURATION, FIELD(older_ms), 0, "TIME", "held longer than this" },
    { "--limit", OPTION_NUMBER, FIELD(limit), 0, "NUMBER", "no more mails than this" },
    { "--again", OPTION_FLAG, FIELD(is_again), 0, NULL,
      "release what is uncertain too: it may arrive twice" },
};

const struct subcommand subcommand_quarantine = {
    .name = NAME,
    .operands = "list|show|export|release|delete|expire [ID...]",
    .operand_count = 1,
    .has_more_operands = true,
    .summary = "list, show, release and delete held mail",
    .description =
        "Asks the running posternd about the mail that it holds.\n"
        "  list          what is held, the oldest first\n"
        "  show ID       all that is known of a mail, and its header\n"
        "  export ID     the message, to standard output\n"
        "  release ID... to its backend, as if it came now; no rule is asked any more\n"
        "  delete ID...  for good\n"
        "  expire        deletes what is older than max-age, as happens by itself\n"
        "Exit status 1 means that something was not there, or not released.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(struct quarantine_values),
    .set_defaults = set_defaults,
    .run = run,
};
