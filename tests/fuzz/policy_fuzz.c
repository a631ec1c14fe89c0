/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile policy files, and hostile messages for the policies that load: the
 * input is a policy file; what stands behind its first NUL byte is a message.
 * What must hold: no error means a book and an error means none; verdicts in
 * later phases agree with final ones before; printing ends.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "policy/policy_book.h"
#include "policy/policy_lint.h"
#include "verdict/decide.h"
#include "verdict/stamp.h"

#define MAX_INPUT_BYTES 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fetch(void *owner, const char *path, bool is_pattern, char **take_bytes, size_t *length,
                  struct text *problem)
{
    const struct slice *file = owner;

    if (is_pattern || strcmp(path, "fuzz") != 0) {
        text_add_string(problem, "No such file or directory");
        return false;
    }
    *take_bytes = mem_copy(*file);
    *length = file->length;
    return true;
}

/* Only what policy/ looks at: a listener, a backend and a list, each by a name that a seed uses. */
struct surroundings {
    struct config config;
    struct config_listener listener;
    struct config_backend backend;
    struct config_list list;
};

static void make_surroundings(struct surroundings *around)
{
    *around = (struct surroundings){
        .listener = { .name = "inbound" },
        .backend = { .name = "legacy" },
        .list = { .name = "partners" },
    };
    name_set_add(&around->list.entries, SLICE("partner.example"));
    name_set_add(&around->list.entries, SLICE("boss@friend.example"));
    around->config.path = "fuzz";
    around->config.listeners = &around->listener;
    around->config.listener_count = 1;
    around->config.backends = &around->backend;
    around->config.backend_count = 1;
    around->config.lists = &around->list;
    around->config.list_count = 1;
}

static void walk(const struct effective_policy *policy, struct message *message)
{
    struct address sender = { 0 };
    struct address recipient = { 0 };
    struct mailbox_list from = { 0 };
    struct facts facts = {
        .listener = "inbound",
        .helo = "mail.example.net",
        .is_extended = true,
        .sender = &sender,
        .recipient = &recipient,
        .recipient_count = 2,
        .announced_size_bytes = 5000,
        .message = message,
        .from = &from,
    };
    struct verdict last = { .is_final = false };
    size_t used;

    if (address_parse(SLICE("<a@example.net>"), ADDRESS_REVERSE_PATH, true, &sender, &used) !=
            ADDRESS_OK ||
        address_parse(SLICE("<b@example.org>"), ADDRESS_FORWARD_PATH, true, &recipient, &used) !=
            ADDRESS_OK)
        return;
    facts_parse_from(&from, message);
    for (facts.phase = PHASE_RCPT; facts.phase <= PHASE_MESSAGE; facts.phase++) {
        struct verdict verdict = decide(policy, &facts);

        if (last.is_final)
            assert(verdict.is_final && verdict.action == last.action && verdict.rule == last.rule &&
                   verdict.phase == last.phase);
        last = verdict;
    }
    assert(last.is_final);
    mailbox_list_clear(&from);
    address_clear(&sender);
    address_clear(&recipient);
}

static void use_book(const struct policy_book *book, struct slice content)
{
    static const struct message_limits limits = {
        .max_header_bytes = MAX_INPUT_BYTES, .max_header_fields = 100,
    };
    struct spool_budget budget = { .max_bytes = 1 << 20 };
    const struct effective_policy *policy;
    struct message message;
    struct text out;

    message_init(&message, &limits, &budget);
    (void)!message_append(&message, content);
    (void)!message_end(&message);
    text_init(&out, 1 << 20);
    policy_book_print_phases(book, &out);
    for (size_t i = 0; (policy = policy_book_at(book, i)) != NULL; i++) {
        policy_book_print_effective(book, policy, &out);
        walk(policy, &message);
    }
    (void)stamp_is_loop(&message, "mx.example.org");
    text_clear(&out);
    message_clear(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice file = { (const char *)data, size < MAX_INPUT_BYTES ? size : MAX_INPUT_BYTES };
    struct slice content = SLICE_EMPTY;
    struct diagnostics diagnostics;
    struct surroundings around;
    struct policy_book *book;
    size_t end;

    if (slice_find_byte(file, '\0', &end)) {
        content = slice_from_offset(file, end + 1);
        file = slice_until(file, end);
    }
    diagnostics_init(&diagnostics);
    make_surroundings(&around);
    around.config.sources = sources_new(fetch, &file);
    syntax_parse(&around.config.tree, around.config.sources, "fuzz", &diagnostics);
    book = policy_book_new(&around.config, &diagnostics);
    assert((book != NULL) == (diagnostics.error_count == 0));
    if (book != NULL) {
        policy_book_lint(book, &diagnostics);
        assert(diagnostics.error_count == 0);
        use_book(book, content);
    }
    policy_book_free(&book);
    syntax_clear(&around.config.tree);
    sources_free(&around.config.sources);
    name_set_clear(&around.list.entries);
    diagnostics_clear(&diagnostics);
    return 0;
}
